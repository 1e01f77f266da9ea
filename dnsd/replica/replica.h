/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the feed means: the name server's copy of the store's state, applied commit by commit to the plan builder,
 * published, and then kept on disk. Order is (lineage, revision) within the store's ancestry: an earlier revision of a
 * lineage that was served is refused; where the store's history has parted from what is served, a full state is a new
 * order. What does not descend from what was served is not followed: it is quarantined (docs/formats.md, section 7).
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
 * A new plan is to be answered from. Must hand it to the workers at once and must not fail. Takes what is in `retired`:
 * to be released when no worker can have an earlier plan any more.
 */
typedef void replica_publish_fn(void *ctx, const struct plan *plan, struct retire_list *retired);

struct replica_config {
	struct plan_disk *disk;       /* borrowed; NULL: nothing is kept */
	struct geo_table *geo;        /* taken; NULL: none */
	struct zone_numbers *numbers; /* of zones; borrowed; NULL: none */
	struct logger *log;
	bool adopts_any;   /* the first store that comes is followed, whatever it is */
	bool doubts_saved; /* what is loaded from disk may be old: its answers are in doubt until replica_trust() */
	replica_publish_fn *publish;
	void *ctx;
};

/* A replica without a plan. NULL when memory is out. */
struct replica *replica_new(const struct replica_config *config);
/* When no worker has a plan any more. */
void replica_free(struct replica **replica);

/*
 * Publish what is kept on disk; where that is damaged, what was kept before it: then it is VEER_OK, and the diag is not
 * empty. Errors: VEER_ENOTFOUND (nothing kept), VEER_ECORRUPT and the like (refused whole: the diag says where); the
 * replica is then as new.
 */
VEER_MUST_CHECK enum veer_err replica_load(struct replica *replica, struct veer_diag *diag);

/* Leave the disk to somebody else: what is under way there is given up, and nothing is kept from now on. */
void replica_leave_disk(struct replica *replica);
/*
 * Go on with the disk (borrowed, just opened) after replica_leave_disk(). If it is not where the replica is, it waits
 * for the next full state. Errors: VEER_EBUSY: a full state is coming in, which began without it: try later.
 */
VEER_MUST_CHECK enum veer_err replica_use_disk(struct replica *replica, struct plan_disk *disk);

/* The sink for a feed reader, with the replica as `ctx`. */
const struct feed_sink *replica_sink(void);
/* The stream has ended: what was not committed is dropped. */
void replica_stream_ended(struct replica *replica);

/* Is what is served as new as the present stream's hello said that the store was? False without a stream. */
bool replica_is_current(const struct replica *replica);
/* What was saved is answered without doubt from now on: the control plane was heard, or will not be for long. */
void replica_trust(struct replica *replica);

/* What to ask a control plane for. */
struct replica_wish {
	const char *lineage; /* borrowed; NULL: unknown */
	int64_t since;       /* go on from here; -1: from the start */
	int64_t seen;        /* the newest revision of `lineage` that was ever served */
};

/* From where to go on: from the start if a full state is wanted (`from_start`) or memory was out for a commit. */
void replica_wish(const struct replica *replica, bool from_start, struct replica_wish *out);

/* Why a store is not followed. */
enum replica_quarantine_why {
	REPLICA_FOLLOWS,
	REPLICA_UNKNOWN,   /* it has nothing in common with what was served */
	REPLICA_ABANDONED, /* it goes on with a lineage that was left for another */
	REPLICA_ZONE_LOST, /* its history has parted from what is served, and it has not all zones */
};

struct replica_quarantine {
	enum replica_quarantine_why why;
	char store_id[HISTORY_ID_SIZE]; /* of the store that is not followed */
	char lineage[HISTORY_ID_SIZE];
	int64_t revision;
	char zone[NAME_TEXT_SIZE]; /* REPLICA_ZONE_LOST: one of those that it does not have */
};

/* Borrowed. */
const struct replica_quarantine *replica_quarantine(const struct replica *replica);
/* For metrics and messages: "none", "unknown", "abandoned", "zone_lost". Static storage. */
const char *replica_quarantine_text(enum replica_quarantine_why why);
/* Follow the store whose present lineage this is, whatever it is. Takes effect with the next hello. */
void replica_adopt(struct replica *replica, const char *lineage);
/* A full state was served, but the disk could not keep up: only a new one makes it whole. */
bool replica_needs_base(const struct replica *replica);
/* Does the disk seem to have room for one? */
bool replica_has_room(const struct replica *replica);
/* The plan in use: zeroed before the first. */
void replica_serving(const struct replica *replica, struct history_position *at, size_t *zones);

#define REPLICA_SERIALS_MAX 8 /* that are told at a time; of more zones the first ones */

/* A zone whose serial has gone back with its store (RFC 1982): what was served of it before. */
struct replica_serial {
	char zone[NAME_TEXT_SIZE];
	uint32_t serial;
};
/* Those that are not settled yet, into `out`; returns how many. */
size_t replica_serials(struct replica *replica, struct replica_serial out[REPLICA_SERIALS_MAX]);

/* Is (lineage, revision) a part of the history of what is served, as the control plane last told it? */
bool replica_has_had(const struct replica *replica, const char *lineage, int64_t revision);

/* Endpoints in doubt, as the control plane last said. */
size_t replica_doubts(const struct replica *replica);

/* Use other locations from now on (SIGHUP); takes `geo`. Errors: VEER_ENOMEM: the old ones stay, `geo` is the caller's.
 */
VEER_MUST_CHECK enum veer_err replica_set_geo(struct replica *replica, struct geo_table *geo);

#endif
