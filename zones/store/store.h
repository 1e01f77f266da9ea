/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: objects by (kind, key), changed by transactions that each raise one counter, the revision.
 * One interface for all backends (`sqlite:PATH`), one test suite.
 *
 * What every backend promises:
 *   - a commit that was acknowledged is durable, whole, and seen by every watcher in the order of revisions;
 *   - a commit that was not acknowledged happened completely or not at all;
 *   - conditions are judged in the same transaction as the change.
 *
 * Threads: every function may be called from any thread at any time between open and close, but a watch belongs to one
 * thread (except store_watch_wake).
 */
#ifndef VEER_ZONES_STORE_STORE_H
#define VEER_ZONES_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "zones/model/digest.h"
#include "zones/model/history.h"
#include "zones/model/model.h"

#define STORE_ID_LEN HISTORY_ID_LEN /* hex digits */
#define STORE_COMMIT_OPS_MAX 100    /* operations in one commit; etcd's default limit (128) leaves room to spare */
#define STORE_VALUE_MAX (1u << 20)  /* bytes of one value */
#define STORE_KEY_MAX 2200          /* ZONE/VERSION/OWNER/TYPE with every octet of two names escaped as \DDD */

struct store;
struct store_watch;

/* One object as it stands. `key` and `value` are NUL-terminated; `value` is NULL when it was deleted (watch only). */
struct store_object {
	enum model_kind kind;
	const char *key;
	int64_t revision;
	const char *value;
	size_t value_len;
	const uint8_t *was; /* watch only, for kinds that are fed: the digest of the value that this one replaced;
			     * NULL: there was none */
};

enum store_op_kind {
	STORE_PUT,   /* create or replace */
	STORE_DEL,   /* remove; removing an object that is not there is neither an error nor a change */
	STORE_CHECK, /* change nothing, but the condition must hold */
};

/* Conditions for `expect`. Any positive number: the object's revision must be exactly this. */
enum { STORE_ANY = -1, STORE_ABSENT = 0 };

struct store_op {
	enum store_op_kind op;
	enum model_kind kind;
	const char *key;
	const char *value; /* STORE_PUT: UTF-8 JSON */
	size_t value_len;
	int64_t expect; /* STORE_ANY, STORE_ABSENT or a revision */
};

/*
 * Verdicts and an administrator's overrides are urgent. Urgent commits go before everything else that waits and are
 * made even when the disk is nearly full; when it is full, the ballast is removed for them.
 */
enum store_priority { STORE_NORMAL, STORE_URGENT };

/*
 * Open the store at `url` ("sqlite:/var/lib/veer/veer.db"), making it when it is not there.
 * Errors: VEER_EINVAL (url), VEER_EBUSY (another process has it open), VEER_ECORRUPT, VEER_EUNSUPPORTED (made by a
 * newer program), VEER_EIO, VEER_ENOMEM; the diag names the file.
 */
VEER_MUST_CHECK enum veer_err store_open(const char *url, struct store **out, struct veer_diag *diag);

/* Close the store; all watches must be closed before. Sets the caller's pointer to NULL. */
void store_close(struct store **store);

/* The identity of this store's history: STORE_ID_LEN hex digits and a NUL. Lives as long as the store. */
const char *store_id(const struct store *store);

/* The newest committed revision; 0 in a new store. */
int64_t store_revision(struct store *store);

/*
 * Append a lineage that begins at the newest revision. A control plane must do this once after its start (HISTORY_START
 * or HISTORY_REWIND) before it writes or feeds anything, so that the changes after two starts from the same copy can be
 * told apart. With HISTORY_RESTORE and HISTORY_COPY the store gets a new id, too, and nobody may use it meanwhile.
 * Errors: as for a commit.
 */
VEER_MUST_CHECK enum veer_err store_begin_lineage(struct store *store, enum history_cause cause);
/* All lineages, the present one last; there is always one. A copy. */
void store_ancestry(struct store *store, struct history_ancestry *out);
/* Copy the id of the present lineage into `out`, which is returned. */
const char *store_lineage(struct store *store, char out[HISTORY_ID_SIZE]);

/*
 * Whether a rewind or a restore still has to be followed up. The mark is set in the same transaction as the rewind or
 * restore, and store_settle() clears it. The control plane that serves the store must first raise each zone's serial.
 */
bool store_is_unsettled(struct store *store);
/* Clear the mark of store_is_unsettled(). Errors: as for a commit. */
VEER_MUST_CHECK enum veer_err store_settle(struct store *store);

/*
 * Write everything, at one revision, into the file `path`, which must be empty or not there; writers go on meanwhile.
 * store_restore() reads it. Errors: VEER_ESPACE, VEER_EIO, VEER_ENOMEM; what was written is to be removed then.
 */
VEER_MUST_CHECK enum veer_err store_backup(struct store *store, const char *path);

/*
 * Does the disk have another revision or lineage than this process has written, or is the file not the one that it has
 * open? Then the process's memory belongs to a history that no longer exists, and nothing more may be committed from
 * it; commits return VEER_ESTALE.
 */
bool store_is_rewound(struct store *store);

/* Room on the disk where the store is. */
struct store_room {
	uint64_t free_bytes;
	bool is_short;    /* only urgent commits are made: less than 5 % and less than 256 MiB are free */
	bool has_ballast; /* there is a ballast file, which is removed for an urgent commit that finds no room */
};

/*
 * Reserve room beforehand, when there is some to spare, and measure how much there is. Called from time to time by one
 * thread, which hangs if the disk does not answer, because after 50 calls without a commit in between a byte is
 * written.
 */
void store_keep_room(struct store *store, struct store_room *out);

/* How the store has been working lately. */
struct store_health {
	enum veer_err read_err;  /* of the last read; VEER_ECORRUPT stays, in both fields */
	enum veer_err write_err; /* of the last commit that was not refused beforehand */
	uint64_t read_errors, write_errors;
};

void store_health(const struct store *store, struct store_health *out);
/* Write without changing anything, so that store_health() is up to date even when nobody else writes. */
enum veer_err store_probe(struct store *store);

/* The object, copied into `arena`. Errors: VEER_ENOTFOUND, VEER_ENOMEM, VEER_EIO. */
VEER_MUST_CHECK enum veer_err store_get(struct store *store, enum model_kind kind, const char *key, struct arena *arena,
					struct store_object *out);

/*
 * Called for each object, in order of keys (bytewise); what it points to is valid only during the call. Returning false
 * stops.
 */
typedef bool store_object_fn(void *ctx, const struct store_object *object);

/*
 * The objects of `kind` whose key starts with `prefix` ("" for all) and is greater than `after` (NULL: from the start).
 * All at one revision, which goes to `*revision` (may be NULL). `fn` must not call the store.
 * Errors: VEER_EIO; an early stop by `fn` is VEER_OK.
 */
VEER_MUST_CHECK enum veer_err store_list(struct store *store, enum model_kind kind, const char *prefix,
					 const char *after, store_object_fn *fn, void *ctx, int64_t *revision);

/* Everything of these kinds, kind by kind, each in order of keys; all at one revision. Same rules as store_list(). */
VEER_MUST_CHECK enum veer_err store_snapshot(struct store *store, struct model_kinds kinds, store_object_fn *fn,
					     void *ctx, int64_t *revision);

/*
 * Apply `count` (1..STORE_COMMIT_OPS_MAX) operations as one transaction; VEER_OK only once it is durable.
 * `*revision` becomes the new revision (unchanged when nothing changed). On VEER_ECONFLICT `*failed` (may be NULL) is
 * the index of the operation whose condition did not hold. Where a backend cannot tell whether the commit happened, its
 * objects are read back: an error then means that it did not happen, or that it happened and others have written the
 * same objects since. Errors: VEER_ECONFLICT, VEER_ERANGE (too many, too large), VEER_ESPACE, VEER_ESTALE
 * (store_is_rewound()), VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err store_commit(struct store *store, const struct store_op *ops, size_t count,
					   enum store_priority priority, int64_t *revision, size_t *failed);

/*
 * Watch all kinds for what is committed after `since`. Errors: VEER_ESTALE (the history does not reach back so far, or
 * `since` lies ahead: list again, then watch), VEER_ENOMEM. Caller closes.
 */
VEER_MUST_CHECK enum veer_err store_watch_open(struct store *store, int64_t since, struct store_watch **out);
void store_watch_close(struct store_watch **watch);

/*
 * Wait up to `timeout_ms` for commits, then call `fn` for each change of each commit, in order; all changes of one
 * revision are delivered in one call of this function. `*revision` is the revision up to which the watch has delivered.
 * Errors: VEER_ETIMEOUT (nothing came), VEER_ECLOSED (woken by store_watch_wake), VEER_ESTALE (the watch fell behind
 * the compacted history), VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err store_watch_next(struct store_watch *watch, int64_t timeout_ms, store_object_fn *fn,
					       void *ctx, int64_t *revision);

/* From any thread: make the current or next store_watch_next() return VEER_ECLOSED. */
void store_watch_wake(struct store_watch *watch);

#endif
