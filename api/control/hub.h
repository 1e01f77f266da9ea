/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that follows the store: it supplies the feed, fills the directory, and calls subscribers.
 *
 * Threads: start and stop from one thread; the rest runs in the hub's thread.
 */
#ifndef VEER_API_CONTROL_HUB_H
#define VEER_API_CONTROL_HUB_H

#include "api/control/directory.h"
#include "api/control/feed.h"
#include "api/control/witness.h"

struct hub;

/*
 * Read the whole store into `directory` and make a feed whose ring reaches back as far as the history allows, so that
 * name servers that reconnect need no full state. Errors: VEER_EIO and the like; the diag names what failed.
 */
VEER_MUST_CHECK enum veer_err hub_new(struct store *store, struct directory *directory, const char *feed_dir,
				      struct logger *log, struct hub **out, struct veer_diag *diag);
/* What the hub does about the store's history; the functions are called from its thread. */
struct hub_history {
	struct witness *witness;       /* kept up to date; borrowed */
	void (*on_rewound)(void *ctx); /* once, when the store has gone back: what is in memory is invalid */
	void (*on_watch)(void *ctx);   /* otherwise each time: deals with the consequences of a rewind or restore */
	void *ctx;
};

/* Watch the history, twice a second. Call it before hub_start(). */
void hub_watch_over(struct hub *hub, const struct hub_history *history);
#define HUB_SUBSCRIBERS_MAX 16

/*
 * A part that follows what happens in the store. All functions are called from the hub's thread, in the order of
 * subscription, and must return quickly. Functions that are NULL are not called.
 */
struct hub_subscriber {
	struct model_kinds kinds; /* the kinds of objects that concern it */
	/* An object has changed: called while it is fed, before the directory has it. */
	void (*on_change)(void *ctx, const struct store_object *object);
	/* A commit with such a change is about to be fed; time in monotonic microseconds. */
	void (*on_commit)(void *ctx, int64_t revision, int64_t now_us);
	/*
	 * The directory has a complete batch, in which these of its kinds have changed; all of them after everything
	 * was read again.
	 */
	void (*on_batch)(void *ctx, struct model_kinds changed);
	/* Called five times a second, and after each batch. */
	void (*on_tick)(void *ctx);
	void *ctx;
};

/*
 * Add a subscriber. The struct is copied, its ctx borrowed until hub_free(). Call it before hub_start(), at most
 * HUB_SUBSCRIBERS_MAX times.
 */
void hub_subscribe(struct hub *hub, const struct hub_subscriber *subscriber);

/* Start following. Errors: VEER_ELIMIT. */
VEER_MUST_CHECK enum veer_err hub_start(struct hub *hub);
/* Stop following; the feed stays for streams that are closing. */
void hub_stop(struct hub *hub);
/* Stop if necessary, and free. All streams of the feed must be closed. `*hub` may be NULL. */
void hub_free(struct hub **hub_ptr);

/* The feed, borrowed until hub_free(). */
struct feed *hub_feed(struct hub *hub);

#endif
