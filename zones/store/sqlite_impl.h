/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend's state; private to zones/store/sqlite*.c. */
#ifndef VEER_ZONES_STORE_SQLITE_IMPL_H
#define VEER_ZONES_STORE_SQLITE_IMPL_H

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

#include "zones/store/backend.h"

enum {
	SQLITE_STORE_HISTORY = 16384,     /* revisions that a watch may reach back */
	SQLITE_STORE_COMPACT_EVERY = 256, /* commits between two removals of older history */
};

/* The position of the database: its revision and its newest lineage. */
#define SQLITE_STORE_POSITION                                                                                          \
	"SELECT (SELECT value FROM meta WHERE key='revision'), (SELECT id FROM lineages ORDER BY seq DESC LIMIT 1)"

/*
 * One connection writes (and checkpoints): SQLite before 3.51.3 can corrupt a WAL when two connections write or
 * checkpoint at once. One reads what is small and urgent (get, watch), one what is long (list, snapshot), so that a
 * listing never holds up a failover. Another process is kept out by a lock file.
 *
 * Locks, in this order: the turn (turn_lock is held only to take or end the turn), bulk_lock or read_lock, state_lock.
 */
struct sqlite_store {
	char id[STORE_ID_LEN + 1];
	char *path;
	int lock_fd;
	int64_t touched_revision; /* used by store_keep_room() only: the newest revision at its last look … */
	unsigned quiet_looks;     /* … and how many looks ago it last changed */
	dev_t device;             /* of the open database file */
	ino_t inode;

	pthread_mutex_t turn_lock; /* guards is_writing, urgent_waiting */
	pthread_cond_t turn_free;
	bool is_writing;         /* a thread holds the writer connection and its statements */
	unsigned urgent_waiting; /* waiting urgent commits, which go first */
	sqlite3 *writer;
	sqlite3_stmt *find, *put, *del, *log, *set_revision, *begin, *commit, *rollback, *compact, *newest;
	unsigned commits_since_compaction;

	pthread_mutex_t read_lock; /* guards the reader connection and its statements */
	sqlite3 *reader;
	sqlite3_stmt *get, *history, *oldest, *seen;

	pthread_mutex_t bulk_lock; /* guards the bulk connection and its statements */
	sqlite3 *bulk;
	sqlite3_stmt *list, *snapshot, *bulk_begin, *bulk_end, *bulk_revision;

	pthread_mutex_t state_lock; /* guards what follows */
	pthread_cond_t changed;     /* a commit, a wake-up, or the end */
	int64_t revision;
	struct history_ancestry ancestry;
	bool is_unsettled; /* the consequences of a rewind or a restore have not been dealt with */
	bool is_rewound;   /* the content on disk is not what this process wrote or read last */
	bool is_closing;
};

/* Open the files, migrate, prepare; on failure everything is released by sqlite_store_close(). */
VEER_MUST_CHECK enum veer_err sqlite_store_connect(struct sqlite_store *s, struct veer_diag *diag);
/* backend.h: revision. */
int64_t sqlite_store_revision(void *self);
/* backend.h: close. */
void sqlite_store_close(void *self);

/* backend.h: commit. */
VEER_MUST_CHECK enum veer_err sqlite_store_commit(void *self, const struct store_op *ops, size_t count,
						  enum store_priority priority, int64_t *revision, size_t *failed);

/* sqlite_commit.c: take the writer connection and its statements for the calling thread, with this priority. */
void sqlite_store_take_turn(struct sqlite_store *s, enum store_priority priority);
/* Give the turn back. */
void sqlite_store_end_turn(struct sqlite_store *s);

/*
 * sqlite_lineage.c: read the store's id, its revision and its ancestry; a store without an ancestry begins one: a new
 * store with a random lineage, a store made by an older program with its own id.
 */
VEER_MUST_CHECK enum veer_err sqlite_store_read_identity(struct sqlite_store *s, struct veer_diag *diag);
/* backend.h: begin_lineage. */
VEER_MUST_CHECK enum veer_err sqlite_store_begin_lineage(void *self, enum history_cause cause);
/* backend.h: ancestry. */
void sqlite_store_ancestry(void *self, struct history_ancestry *out);
/* backend.h: is_unsettled. */
bool sqlite_store_is_unsettled(void *self);
/* backend.h: settle. */
VEER_MUST_CHECK enum veer_err sqlite_store_settle(void *self);
/* backend.h: is_rewound. */
bool sqlite_store_is_rewound(void *self);
/* backend.h: backup. */
VEER_MUST_CHECK enum veer_err sqlite_store_backup(void *self, const char *path);
/* Compare the disk with what is known, in a transaction of the writer (take the turn first). */
bool sqlite_store_look_back(struct sqlite_store *s);

/* sqlite_room.c: is there so little room on the disk that only what is urgent may be committed? */
bool sqlite_room_is_short(const struct sqlite_store *s);
/* Remove the ballast beside a database; false: there was none. */
bool sqlite_room_release(const char *database);
/* backend.h: make_room. */
bool sqlite_store_make_room(void *self);
/* backend.h: keep_room. */
void sqlite_store_keep_room(void *self, struct store_room *out);
/* backend.h: probe. */
VEER_MUST_CHECK enum veer_err sqlite_store_probe(void *self);
/* Translate an (extended) result code of SQLite. */
VEER_MUST_CHECK enum veer_err sqlite_store_err(int code);

/* backend.h: get. */
VEER_MUST_CHECK enum veer_err sqlite_store_get(void *self, enum model_kind kind, const char *key, struct arena *arena,
					       struct store_object *out);
/* backend.h: list. */
VEER_MUST_CHECK enum veer_err sqlite_store_list(void *self, enum model_kind kind, const char *prefix, const char *after,
						store_object_fn *fn, void *ctx, int64_t *revision);
/* backend.h: snapshot. */
VEER_MUST_CHECK enum veer_err sqlite_store_snapshot(void *self, struct model_kinds kinds, store_object_fn *fn,
						    void *ctx, int64_t *revision);
/* backend.h: watch_open. */
VEER_MUST_CHECK enum veer_err sqlite_store_watch_open(void *self, int64_t since, void **watch);
/* backend.h: watch_close. */
void sqlite_store_watch_close(void *watch);
/* backend.h: watch_next. */
VEER_MUST_CHECK enum veer_err sqlite_store_watch_next(void *watch, int64_t timeout_ms, store_object_fn *fn, void *ctx,
						      int64_t *revision);
/* backend.h: watch_wake. */
void sqlite_store_watch_wake(void *watch);

#endif
