/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's copy of the store's state. The feed is applied commit by commit to the plan builder, published, and
 * then saved on disk. The order of states is (lineage, revision) within the store's ancestry: an earlier revision of a
 * lineage that was served is refused. If the store's history has diverged from what is served, a full state begins a
 * new order. A store that does not descend from what was served is not followed but quarantined (docs/formats.md,
 * section 7).
 *
 * Threads: one, the control loop's.
 */
#ifndef VEER_DNSD_REPLICA_REPLICA_H
#define VEER_DNSD_REPLICA_REPLICA_H

#include <stdint.h>

#include "base/log.h"
#include "zones/dns/name.h"
#include "zones/plan/feed_reader.h"
#include "zones/plan/plan_build.h"
#include "zones/plan/plan_disk.h"

struct replica;

/*
 * Called with a new plan to answer from. It must hand the plan to the workers at once and must not fail. It takes the
 * content of `retired`, which must be released when no worker can have an earlier plan any more.
 */
typedef void replica_publish_fn(void *ctx, const struct plan *plan, struct retire_list *retired);

struct replica_config {
	struct plan_disk *disk;       /* borrowed; NULL: nothing is kept */
	struct geo_table *geo;        /* taken; NULL: none */
	struct zone_numbers *numbers; /* numbers of zones for counters; borrowed; NULL: none */
	struct logger *log;
	bool adopts_any;   /* the first store that is offered is followed, whatever it is */
	bool doubts_saved; /* the plan loaded from disk may be out of date: its answers are in doubt until
			    * replica_trust() */
	replica_publish_fn *publish;
	void *ctx;
};

/* Make a replica without a plan. NULL when memory is out. */
struct replica *replica_new(const struct replica_config *config);
/* Free the replica, when no worker has a plan any more. */
void replica_free(struct replica **replica);

/*
 * Publish the plan saved on disk. If it is damaged, the previous saved plan is published instead; the result is then
 * VEER_OK, and the diag is not empty. Errors: VEER_ENOTFOUND (nothing is saved), VEER_ECORRUPT and the like (nothing
 * could be used; the diag says where the damage is). After an error the replica is as if new.
 */
VEER_MUST_CHECK enum veer_err replica_load(struct replica *replica, struct veer_diag *diag);

/* Leave the disk to another process: unfinished writes are abandoned, and nothing is saved from now on. */
void replica_leave_disk(struct replica *replica);
/*
 * Go on with the disk (borrowed, just opened) after replica_leave_disk(). If the disk is not at the replica's position,
 * it waits for the next full state. Errors: VEER_EBUSY: a full state is coming in that began without the disk; try
 * later.
 */
VEER_MUST_CHECK enum veer_err replica_use_disk(struct replica *replica, struct plan_disk *disk);

/* The sink for a feed reader, with the replica as `ctx`. */
const struct feed_sink *replica_sink(void);
/* The stream has ended: what was not committed is dropped. */
void replica_stream_ended(struct replica *replica);

/*
 * Is the served plan at least as new as the store was, according to the present stream's hello? False without a stream.
 */
bool replica_is_current(const struct replica *replica);
/* End the doubt about the saved plan: the control plane was heard, or will not be heard for a long time. */
void replica_trust(struct replica *replica);

/* The parameters for asking a control plane for the feed. */
struct replica_wish {
	const char *lineage; /* borrowed; NULL: unknown */
	int64_t since;       /* go on from here; -1: from the start */
	int64_t seen;        /* the newest revision of `lineage` that was ever served */
};

/*
 * Where the feed should go on: from the start if a full state is wanted (`from_start`) or a commit failed for lack of
 * memory.
 */
void replica_wish(const struct replica *replica, bool from_start, struct replica_wish *out);

/* Why a store is not followed. */
enum replica_quarantine_why {
	REPLICA_FOLLOWS,
	REPLICA_UNKNOWN,   /* it has nothing in common with what was served */
	REPLICA_ABANDONED, /* it goes on with a lineage that was left for another */
	REPLICA_ZONE_LOST, /* its history has diverged from what is served, and it lacks some zones */
};

struct replica_quarantine {
	enum replica_quarantine_why why;
	char store_id[HISTORY_ID_SIZE]; /* id of the store that is not followed */
	char lineage[HISTORY_ID_SIZE];
	int64_t revision;
	char zone[NAME_TEXT_SIZE]; /* REPLICA_ZONE_LOST: one of the zones that it lacks */
};

/* The present quarantine; borrowed. */
const struct replica_quarantine *replica_quarantine(const struct replica *replica);
/* The name for metrics and messages: "none", "unknown", "abandoned", "zone_lost". Static storage. */
const char *replica_quarantine_text(enum replica_quarantine_why why);
/* Follow the store whose present lineage this is, whatever it is. Takes effect with the next hello. */
void replica_adopt(struct replica *replica, const char *lineage);
/* Was something not written to disk, so that only a new full state can make the saved plan complete? */
bool replica_needs_base(const struct replica *replica);
/* Does the disk seem to have room for a new base? */
bool replica_has_room(const struct replica *replica);
/* The position of the plan in use; zeroed before the first plan. */
void replica_serving(const struct replica *replica, struct history_position *at, size_t *zones);

#define REPLICA_SERIALS_MAX 8 /* reported at a time; if there are more, the first ones */

/* A zone whose serial has gone back with its store (RFC 1982), and the serial that was served before. */
struct replica_serial {
	char zone[NAME_TEXT_SIZE];
	uint32_t serial;
};
/* Copy the zones that are not settled yet into `out`; returns how many. */
size_t replica_serials(struct replica *replica, struct replica_serial out[REPLICA_SERIALS_MAX]);

/*
 * Is (lineage, revision) a part of the history of what is served, according to the ancestry that the control plane sent
 * last?
 */
bool replica_has_had(const struct replica *replica, const char *lineage, int64_t revision);

/* The number of endpoints in doubt, according to the control plane's last message. */
size_t replica_doubts(const struct replica *replica);

/* Use other locations from now on (SIGHUP); takes `geo`. Errors: VEER_ENOMEM: the old ones stay, `geo` is the caller's.
 */
VEER_MUST_CHECK enum veer_err replica_set_geo(struct replica *replica, struct geo_table *geo);

#endif
