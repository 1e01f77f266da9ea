/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that follows the store: fills the directory, feeds the feed, tells the controller. And the heartbeat of
 * all streams.
 *
 * Threads: start and stop from one thread; the rest runs by itself.
 */
#ifndef VEER_API_CONTROL_HUB_H
#define VEER_API_CONTROL_HUB_H

#include "api/control/assignments.h"
#include "api/control/controller.h"
#include "api/control/directory.h"
#include "api/control/feed.h"
#include "api/control/witness.h"

struct hub;

/*
 * Read the whole store into `directory` and make a feed whose ring reaches back as far as the history allows, so that
 * name servers that reconnect need no full state. Errors: VEER_EIO and the like; the diag says what.
 */
VEER_MUST_CHECK enum veer_err hub_new(struct store *store, struct directory *directory, const char *feed_dir,
				      struct logger *log, struct hub **out, struct veer_diag *diag);
/* Tell `trail` (borrowed) when commits with transitions are fed. Before hub_start(). */
void hub_follow(struct hub *hub, struct trail *trail);
/* What is to be done with what the hub sees of the store's history; from its thread. */
struct hub_history {
	struct witness *witness;       /* kept up to date; borrowed */
	void (*on_rewound)(void *ctx); /* once: the store has gone back behind our back, and our memory is void */
	void (*on_watch)(void *ctx);   /* each time, unless it has: see to the consequences of a rewind or restore */
	void *ctx;
};

/* Watch over it, twice a second. Before hub_start(). */
void hub_watch_over(struct hub *hub, const struct hub_history *history);
/* Be told of each change while it is fed: must be short. Before hub_start(). */
typedef void hub_change_fn(void *ctx, const struct store_object *object);
void hub_tell(struct hub *hub, hub_change_fn *fn, void *ctx);
/* Start following. `controller` and `assignments` are borrowed until hub_free(). Errors: VEER_ELIMIT. */
VEER_MUST_CHECK enum veer_err hub_start(struct hub *hub, struct controller *controller,
					struct assignment_hub *assignments);
/* Stop following; the feed stays for streams that are closing. */
void hub_stop(struct hub *hub);
/* Stops it first. All streams of the feed must be closed. `*hub` may be NULL. */
void hub_free(struct hub **hub_ptr);

/* Borrowed, until hub_free(). */
struct feed *hub_feed(struct hub *hub);

#endif
