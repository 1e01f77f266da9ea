/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed's sending half (docs/formats.md, section 2): a ring of recent commits that all subscribers share, and the
 * full state as a file for those who need it from the start, never older than the revision that their hello named. A
 * subscriber is a position, no queue: one that does not read costs nothing, and is cut when the ring has left it
 * behind.
 *
 * Threads: one thread feeds (begin … commit, tick); subscribers pull from any.
 */
#ifndef VEER_API_CONTROL_FEED_H
#define VEER_API_CONTROL_FEED_H

#include <stdint.h>

#include "api/http/stream.h"
#include "base/log.h"
#include "zones/store/store.h"

#define FEED_BACKLOG_COMMITS 4096
#define FEED_BACKLOG_BYTES (64u << 20)

struct feed;

/*
 * A feed of `store` (borrowed) whose ring begins after `revision`. Files go to `dir` (unlinked at once). Starts one
 * thread, which makes them. NULL when memory or threads are out.
 */
struct feed *feed_new(struct store *store, const char *dir, int64_t revision, struct logger *log);
/* All sources must be closed before. */
void feed_free(struct feed **feed_ptr);

/*
 * One change of the commit under way; kinds that are not fed are ignored. What no name server could read (the store's
 * content is not trusted) is left out and said.
 */
void feed_change(struct feed *feed, const struct store_object *object);
/* The commit under way is whole and makes `revision`; goes out at once. Without changes, only the revision moves. */
void feed_commit(struct feed *feed, int64_t revision);
/* Forget the commit under way: its changes will come again. */
void feed_abandon(struct feed *feed);
/* Commits were missed: everybody starts anew, from a full state that is not older than `revision`. */
void feed_restart(struct feed *feed, int64_t revision);
/*
 * The set of endpoints in doubt has changed: `line` (with its newline; taken, malloc) is the whole of it. It goes to
 * every subscriber, present and future, but to none before it was told `after_revision`: a TTL that was shortened must
 * not grow again before the verdict that settled the doubt is there. Any thread. Without memory the one before stays.
 */
void feed_set_doubt(struct feed *feed, char *line, size_t len, int64_t after_revision);
/* Wake the subscribers that are due for a heartbeat. Call several times a second. */
void feed_tick(struct feed *feed);

/* What a subscriber has. */
struct feed_position {
	const char *lineage; /* NULL: nothing */
	int64_t since;       /* up to this revision */
	int64_t seen;        /* it has served this one of the same lineage, though it may have lost it since */
	bool is_by_token;    /* no name server of ours: told after those */
};

/*
 * A subscriber. It goes on from where it is if that is a part of the store's history (history_holds()) and the ring
 * reaches back so far; otherwise it starts from the full state. One that has seen more of the present lineage than the
 * store has tells that the store has gone back: a rewind begins a new lineage, and everybody starts over. NULL when
 * memory is out. Hand it to the server as reply->source.
 */
struct api_stream_source *feed_subscribe(struct feed *feed, const struct feed_position *position);

/*
 * Whether one that comes from there can be served: false when it needs a full state, and the last one found room
 * neither on the disk nor in memory. Then it is to come again after FEED_CROWDED_S; who waits already is cut.
 */
bool feed_has_room(struct feed *feed, const struct feed_position *position);

#define FEED_CROWDED_S 2 /* until full states are tried again that found no room */
/* What all full states together may take in memory while the disk has no room; one takes no more than the half. */
#define FEED_MEMORY_MAX (INT64_C(512) << 20)

/*
 * The digest of the whole state that is fed at (lineage, revision). False when it is not known: not of this history,
 * older than the ring, or not computed yet.
 */
bool feed_digest_at(struct feed *feed, const char *lineage, int64_t revision, struct digest_pair *out);

/* The newest revision that subscribers were told by a commit line; 0 when there was none since the start. */
int64_t feed_revision(struct feed *feed);

struct feed_stats {
	uint64_t subscribers; /* now */
	uint64_t commits;     /* sent since start */
	uint64_t cut;         /* subscribers that fell behind */
	uint64_t snapshots;   /* full states written */
	uint64_t rewinds;     /* lineages begun because a subscriber had seen more than the store has */
	uint64_t crowded;     /* subscribers that were told to wait, because full states find no room */
	int64_t memory_bytes; /* of full states that are in memory, now */
};
/* From any thread. */
void feed_stats_read(struct feed *feed, struct feed_stats *out);

#endif
