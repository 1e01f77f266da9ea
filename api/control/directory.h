/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's own copy, in memory, of everything in the store but RRsets and the history of
 * transitions: what authentication, status and the
 * controller read, without a query. Filled by the hub from the store's watch.
 *
 * Threads: one writer (begin … install … end); readers from any thread. A reader's callback runs under a read lock: it
 * must be short and must not call the directory.
 */
#ifndef VEER_API_CONTROL_DIRECTORY_H
#define VEER_API_CONTROL_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "zones/store/store.h"

struct directory;
struct directory_change;

/* One object. Everything borrowed for the callback. */
struct directory_entry {
	enum model_kind kind;
	const char *key;
	int64_t revision;
	const char *text;     /* the JSON as stored */
	const json_t *object; /* the same, parsed; never NULL */
};

/* Empty, at revision 0. NULL when memory is out. Caller frees, when nobody uses it any more. */
struct directory *directory_new(void);
/* `*directory` may be NULL. */
void directory_free(struct directory **directory);

/* Whether objects of this kind are kept here. */
bool directory_keeps(enum model_kind kind);

/*
 * One change, read and ready; value NULL removes. NULL when memory is out or the value is no JSON object. Made before
 * directory_begin(), so that readers wait for as short as can be.
 */
struct directory_change *directory_prepare(const struct store_object *object);
/* Free a change that is not to be installed. `*change` may be NULL. */
void directory_discard(struct directory_change **change);

/* Start changing: readers wait until directory_end(). */
void directory_begin(struct directory *directory);
/* Forget everything. */
void directory_clear(struct directory *directory);
/* Takes the change. False when memory is out: then nothing is changed. */
bool directory_install(struct directory *directory, struct directory_change **change);
/* The changes up to `revision` are in. Wakes who waits for it. */
void directory_end(struct directory *directory, int64_t revision);

/* How far the copy is. */
int64_t directory_revision(struct directory *directory);
/* Wait until it is at least at `revision`, so that who wrote also reads what it wrote. False after `timeout_ms`. */
bool directory_wait(struct directory *directory, int64_t revision, int64_t timeout_ms);

/* False stops a list. */
typedef bool directory_fn(void *ctx, const struct directory_entry *entry);

/* Call `fn` with the object. Errors: VEER_ENOTFOUND. */
enum veer_err directory_get(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn,
			    void *ctx);
/* Call `fn` for each object of the kind with a key greater than `after` (NULL: all), in order of keys. */
void directory_list(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn, void *ctx);
/* The revision of an object; 0 when it is not there. */
int64_t directory_revision_of(struct directory *directory, enum model_kind kind, const char *key);
/* How many objects of the kind there are. */
size_t directory_count(struct directory *directory, enum model_kind kind);

/*
 * Read several things at one revision: between these two, the calling thread may use directory_get_locked() and
 * directory_list_locked(), and nobody changes anything. Must be short.
 */
void directory_read_begin(struct directory *directory);
/* Others may change it again. */
void directory_read_end(struct directory *directory);
/* As directory_get(), directory_list() and directory_count(), between those two. */
enum veer_err directory_get_locked(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn,
				   void *ctx);
/* As directory_list(), between those two. */
void directory_list_locked(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn,
			   void *ctx);
/* As directory_count(), between those two. */
size_t directory_count_locked(const struct directory *directory, enum model_kind kind);

#endif
