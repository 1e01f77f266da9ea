/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed's sending half (docs/formats.md, section 2): a ring of recent commits that all subscribers share, and the
 * full state as a file for subscribers that have to start from it, never older than the revision that their hello
 * named. A subscriber has a position instead of a queue: one that does not read costs nothing, and is cut when the ring
 * no longer holds its position.
 *
 * Threads: one thread feeds (begin … commit, tick); subscribers pull from any thread.
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
 * Make a feed of `store` (borrowed) whose ring begins after `revision`. Files are written to `dir` (and unlinked at
 * once) by a thread that this starts. NULL when memory or threads are out.
 */
struct feed *feed_new(struct store *store, const char *dir, int64_t revision, struct logger *log);
/* Free the feed. All sources must be closed before. */
void feed_free(struct feed **feed_ptr);

/*
 * Add one change of the commit in progress; kinds that are not fed are ignored. An object that name servers could not
 * read (the store's content is not trusted) is left out and logged.
 */
void feed_change(struct feed *feed, const struct store_object *object);
/*
 * The commit in progress is complete and makes `revision`: send it at once. Without changes, only the revision moves.
 */
void feed_commit(struct feed *feed, int64_t revision);
/* Forget the commit in progress, because its changes will be read again. */
void feed_abandon(struct feed *feed);
/* Commits were missed: all subscribers start anew, from a full state that is not older than `revision`. */
void feed_restart(struct feed *feed, int64_t revision);
/*
 * The set of endpoints in doubt has changed: `line` (with its newline; taken, malloc) is the whole set. It is sent to
 * every subscriber, present and future, but to none before `after_revision` was sent to it: a shortened TTL must not
 * grow again before the verdict that settled the doubt has arrived. From any thread. When memory is out, the previous
 * set stays.
 */
void feed_set_doubt(struct feed *feed, char *line, size_t len, int64_t after_revision);
/* Wake the subscribers for which a heartbeat is due. Must be called several times a second. */
void feed_tick(struct feed *feed);

/* What a subscriber already has. */
struct feed_position {
	const char *lineage; /* NULL: nothing */
	int64_t since;       /* it has everything up to this revision */
	int64_t seen;        /* it has served this revision of the same lineage, though it may have lost it since */
	bool is_by_token;    /* it is not one of our name servers, so these are told first */
};

/*
 * Add a subscriber. It continues from its position if that is a part of the store's history (history_holds()) and the
 * ring reaches back so far; otherwise it starts from the full state. When a subscriber has seen more of the present
 * lineage than the store has, the store has gone back: a rewind then begins a new lineage, and all subscribers start
 * over. NULL when memory is out. The result is for the server, as reply->source.
 */
struct api_stream_source *feed_subscribe(struct feed *feed, const struct feed_position *position);

/*
 * Can a subscriber at this position be served? False when it needs a full state and the last one found no room, neither
 * on the disk nor in memory. It should then come again after FEED_CROWDED_S; subscribers that already wait are cut.
 */
bool feed_has_room(struct feed *feed, const struct feed_position *position);

#define FEED_CROWDED_S 2 /* pause before full states that found no room are tried again */
/* The memory that all full states together may use while the disk has no room; one of them uses at most half of it. */
#define FEED_MEMORY_MAX (INT64_C(512) << 20)

/*
 * The digest of the whole fed state at (lineage, revision). False when it is not known: another history, older than the
 * ring, or not computed yet.
 */
bool feed_digest_at(struct feed *feed, const char *lineage, int64_t revision, struct digest_pair *out);

/* The newest revision that was sent to subscribers as a commit line; 0 when there was none since the start. */
int64_t feed_revision(struct feed *feed);

struct feed_stats {
	uint64_t subscribers; /* now */
	uint64_t commits;     /* sent since start */
	uint64_t cut;         /* subscribers that fell behind */
	uint64_t snapshots;   /* full states written */
	uint64_t rewinds;     /* lineages begun because a subscriber had seen more than the store has */
	uint64_t crowded;     /* subscribers that were told to wait, because full states found no room */
	int64_t memory_bytes; /* used now by full states in memory */
};
/* Read the counters, from any thread. */
void feed_stats_read(struct feed *feed, struct feed_stats *out);

#endif
