/* SPDX-License-Identifier: Apache-2.0 */
/* The replica's internals; private to dnsd/replica/replica*.c. */
#ifndef VEER_DNSD_REPLICA_REPLICA_IMPL_H
#define VEER_DNSD_REPLICA_REPLICA_IMPL_H

#include "base/arena.h"
#include "dnsd/replica/lineages.h"
#include "dnsd/replica/replica.h"

/* A change of the present commit; lives in the replica's arena. */
struct pending {
	struct pending *next;
	struct feed_change change;
};

/* What the present stream's hello has said, and what follows from it. */
struct replica_stream {
	char store_id[HISTORY_ID_SIZE];
	int64_t revision; /* a full state is not complete before this revision */
	bool has_digest;
	struct history_ancestry ancestry;
	bool is_continuation; /* what is served is a part of the store's history */
	bool is_adopted;      /* an administrator has said that it is to be followed */
	bool is_reached;      /* the revision in the hello is served, or nothing that is fed has changed up to it */
};

struct replica {
	struct replica_config config;
	struct plan_builder *builder; /* of the plan in use */
	struct plan_builder *fresh;   /* after a reset, until its commit */
	bool is_fresh_behind;         /* commits of the full state have come that are older than the revision in the
				       * hello */
	bool is_half; /* the builder in use contains a part of a failed commit: no plan may be made from it any more */
	struct replica_stream stream;
	struct history_position at;      /* of the plan in use; revision 0: none */
	struct history_position highest; /* the highest revision ever served, with its lineage */
	struct arena *arena;
	struct pending *first, *last; /* pending changes, which hold a reference to their parsed objects */
	size_t parsed_bytes;          /* of the text of these objects */
	struct digest_pair added;     /* what the pending changes, or the full state so far, add to the digest */
	struct lineages lineages;     /* that were served */
	struct replica_quarantine quarantine;
	struct {
		uint8_t name[NAME_WIRE_MAX]; /* of a zone */
		uint32_t serial;
	} serials[REPLICA_SERIALS_MAX]; /* that have gone back */
	size_t serial_count;
	char adopted[HISTORY_ID_SIZE]; /* the lineage that is to be followed in any case; "" for none */
	bool adopts_any;               /* the next store is to be followed, whatever it is */
	/* The set of endpoints in doubt as last received; it belongs to no revision, and is never on disk. */
	char (*doubts)[MODEL_ENDPOINT_KEY_MAX + 1];
	size_t doubt_count;
	bool is_saved_in_doubt; /* the builder in use may hold the saved plan, with all endpoints in doubt */
};

/* replica.c */

/* An empty builder. NULL when memory is out. */
struct plan_builder *replica_new_builder(const struct replica *r);
/*
 * Hand a change to the builder. An object that it refuses is left out and logged, so that the others still take effect.
 * Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err replica_apply(struct replica *r, struct plan_builder *builder,
					    const struct feed_change *change, struct veer_diag *diag);
/*
 * Make the fresh builder the one in use and publish its plan. The old builder is freed when no worker has one of its
 * plans. A state from the feed (`is_offered`) may be refused: VEER_ESTALE, with a diag.
 */
VEER_MUST_CHECK enum veer_err replica_switch(struct replica *r, const struct history_position *at, bool is_offered,
					     struct veer_diag *diag);

/* replica_history.c */

/* Load from disk which histories were served from this directory before. */
void replica_remember(struct replica *replica);
/* Process a hello. A store that must not be followed is refused: VEER_ESTALE, with a diag. */
VEER_MUST_CHECK enum veer_err replica_hear_hello(struct replica *replica, const struct feed_hello *hello,
						 struct veer_diag *diag);
/* The position after a commit of the present stream, if what was added is applied to `base` (NULL: to nothing). */
void replica_next(const struct replica *replica, int64_t revision, const struct history_position *base,
		  struct history_position *out);
/* The plan in use is now that of `at`. */
void replica_set_position(struct replica *replica, const struct history_position *at);
/*
 * Check whether a full state may replace what is served: VEER_OK, or VEER_ESTALE if it would remove a zone and no
 * administrator has allowed that; then the store is quarantined. `plan` (its own) and `old` may be NULL.
 */
VEER_MUST_CHECK enum veer_err replica_check_zones(struct replica *replica, const struct plan *old,
						  const struct plan *plan, int64_t revision, struct veer_diag *diag);

/* The plan `next`, of another history, replaces `old` (may be NULL): note the serials that go back. */
void replica_note_serials(struct replica *replica, const struct plan *old, const struct plan *next);

#endif
