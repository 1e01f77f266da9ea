/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that follows the store: feeds the feed, fills the directory, and tells those who subscribe.
 *
 * Threads: start and stop from one thread; the rest runs by itself.
 */
#ifndef VEER_API_CONTROL_HUB_H
#define VEER_API_CONTROL_HUB_H

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
/* What is to be done with what the hub sees of the store's history; from its thread. */
struct hub_history {
	struct witness *witness;       /* kept up to date; borrowed */
	void (*on_rewound)(void *ctx); /* once: the store has gone back behind our back, and our memory is void */
	void (*on_watch)(void *ctx);   /* each time, unless it has: see to the consequences of a rewind or restore */
	void *ctx;
};

/* Watch over it, twice a second. Before hub_start(). */
void hub_watch_over(struct hub *hub, const struct hub_history *history);
#define HUB_SUBSCRIBERS_MAX 16

/*
 * Whoever wants to know what happens in the store. All are called from the hub's thread, in the order of subscription,
 * and must be short. Those that are NULL are not called.
 */
struct hub_subscriber {
	struct model_kinds kinds; /* that it wants to know of */
	/* An object has changed: while it is fed, before the directory has it. */
	void (*on_change)(void *ctx, const struct store_object *object);
	/* A commit that holds such a change is about to be fed; monotonic microseconds. */
	void (*on_commit)(void *ctx, int64_t revision, int64_t now_us);
	/* The directory has all of a batch, in which these of its kinds have changed; all, where all was read anew. */
	void (*on_batch)(void *ctx, struct model_kinds changed);
	/* Five times a second, and after each batch. */
	void (*on_tick)(void *ctx);
	void *ctx;
};

/* The struct is copied, its ctx borrowed until hub_free(). Before hub_start(); at most HUB_SUBSCRIBERS_MAX. */
void hub_subscribe(struct hub *hub, const struct hub_subscriber *subscriber);

/* Start following. Errors: VEER_ELIMIT. */
VEER_MUST_CHECK enum veer_err hub_start(struct hub *hub);
/* Stop following; the feed stays for streams that are closing. */
void hub_stop(struct hub *hub);
/* Stops it first. All streams of the feed must be closed. `*hub` may be NULL. */
void hub_free(struct hub **hub_ptr);

/* Borrowed, until hub_free(). */
struct feed *hub_feed(struct hub *hub);

#endif
