/* SPDX-License-Identifier: Apache-2.0 */
/* The replica's insides; private to dnsd/replica*.c. */
#ifndef VEER_DNSD_REPLICA_REPLICA_IMPL_H
#define VEER_DNSD_REPLICA_REPLICA_IMPL_H

#include "base/arena.h"
#include "dnsd/replica/lineages.h"
#include "dnsd/replica/replica.h"

/* A change of the commit under way; lives in the replica's arena. */
struct pending {
	struct pending *next;
	struct feed_change change;
};

/* What the present stream's hello has said, and what follows from it. */
struct replica_stream {
	char store_id[HISTORY_ID_SIZE];
	int64_t revision; /* a full state is not whole before this one */
	bool has_digest;
	struct history_ancestry ancestry;
	bool is_continuation; /* what is served is a part of the store's history */
	bool is_adopted;      /* somebody has said that it is to be followed */
	bool is_reached;      /* the revision that hello named is served, or nothing fed has changed up to it */
};

struct replica {
	struct replica_config config;
	struct plan_builder *builder; /* of the plan in use */
	struct plan_builder *fresh;   /* after a reset, until its commit */
	bool is_fresh_behind;         /* commits of the full state have come that are older than hello said */
	bool is_half; /* the builder in use has a part of a commit that failed: no plan may come of it any more */
	struct replica_stream stream;
	struct history_position at;      /* of the plan in use; revision 0: none */
	struct history_position highest; /* ever served, of its lineage */
	struct arena *arena;
	struct pending *first, *last; /* they hold a reference to their parsed objects */
	size_t parsed_bytes;          /* of the text of these objects */
	struct digest_pair added;     /* by what is pending, or by the full state so far */
	struct lineages lineages;     /* that were served */
	struct replica_quarantine quarantine;
	struct {
		uint8_t name[NAME_WIRE_MAX]; /* of a zone */
		uint32_t serial;
	} serials[REPLICA_SERIALS_MAX]; /* that have gone back */
	size_t serial_count;
	char adopted[HISTORY_ID_SIZE]; /* the lineage that is to be followed whatever it is; "" for none */
	bool adopts_any;               /* the next store is to be followed whatever it is */
	/* The set of endpoints in doubt as last told; not of any revision, and never on disk. */
	char (*doubts)[MODEL_ENDPOINT_KEY_MAX + 1];
	size_t doubt_count;
	bool is_saved_in_doubt; /* the builder in use may be that of what was saved, all in doubt */
};

/* replica.c */

/* An empty builder. NULL when memory is out. */
struct plan_builder *replica_new_builder(const struct replica *r);
/* Hand a change to the builder. One object that it refuses is left out, loudly: the others must not suffer. Errors:
 * VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err replica_apply(struct replica *r, struct plan_builder *builder,
					    const struct feed_change *change, struct veer_diag *diag);
/*
 * Make the fresh builder the one in use and publish its plan; the old one goes when nobody has its plans. From the feed
 * (`is_offered`) it may be found wanting: VEER_ESTALE, with a diag.
 */
VEER_MUST_CHECK enum veer_err replica_switch(struct replica *r, const struct history_position *at, bool is_offered,
					     struct veer_diag *diag);

/* replica_history.c */

/* What was served from this directory before. */
void replica_remember(struct replica *replica);
/* Take what a hello says; refuse what is not to be followed: VEER_ESTALE, with a diag. */
VEER_MUST_CHECK enum veer_err replica_hear_hello(struct replica *replica, const struct feed_hello *hello,
						 struct veer_diag *diag);
/* Where a commit of the present stream leads, if what was added is applied to `base` (NULL: to nothing). */
void replica_next(const struct replica *replica, int64_t revision, const struct history_position *base,
		  struct history_position *out);
/* The plan in use is now that of `at`. */
void replica_set_position(struct replica *replica, const struct history_position *at);
/*
 * A full state is to take the place of what is served: VEER_OK, or VEER_ESTALE if it would take a zone away and nobody
 * has said that it may; then it is quarantined. `plan` (its own) and `old` may be NULL.
 */
VEER_MUST_CHECK enum veer_err replica_check_zones(struct replica *replica, const struct plan *old,
						  const struct plan *plan, int64_t revision, struct veer_diag *diag);

/* The plan `next` takes the place of `old` (may be NULL), in another history: note the serials that go back. */
void replica_note_serials(struct replica *replica, const struct plan *old, const struct plan *next);

#endif
