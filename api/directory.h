/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's own copy, in memory, of everything in the store but RRsets: what authentication, status and the
 * controller read, without a query. Filled by the hub from the store's watch.
 *
 * Threads: one writer (begin … apply … end); readers from any thread. A reader's callback runs under a read lock: it must
 * be short and must not call the directory.
 */
#ifndef VEER_API_DIRECTORY_H
#define VEER_API_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "zones/store/store.h"

struct directory;

/* One object. Everything borrowed for the callback. */
struct directory_entry {
	enum model_kind kind;
	const char *key;
	int64_t revision;
	const char *text;     /* the JSON as stored */
	const json_t *object; /* the same, parsed; never NULL */
};

/* An empty directory at revision 0. NULL when memory is out. */
struct directory *directory_new(void);
/* When nobody reads any more. Sets the pointer to NULL. */
void directory_free(struct directory **directory);

/* Whether objects of this kind are kept here. */
bool directory_keeps(enum model_kind kind);

/* Start changing: readers wait until directory_end(). */
void directory_begin(struct directory *directory);
/* Forget everything; between directory_begin() and directory_end(). */
void directory_clear(struct directory *directory);
/* One change; value NULL removes. False when memory is out or the value is no JSON object: then it is not changed. */
bool directory_apply(struct directory *directory, const struct store_object *object);
/* The changes up to `revision` are in. Wakes who waits for it. */
void directory_end(struct directory *directory, int64_t revision);

/* How far the copy is. */
int64_t directory_revision(struct directory *directory);
/* Wait until it is at least at `revision`, so that who wrote also reads what it wrote. False after `timeout_ms`. */
bool directory_wait(struct directory *directory, int64_t revision, int64_t timeout_ms);

/* False stops a list. */
typedef bool directory_fn(void *ctx, const struct directory_entry *entry);

/* Call `fn` with the object. Errors: VEER_ENOTFOUND. */
enum veer_err directory_get(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn, void *ctx);
/* Call `fn` for each object of the kind with a key greater than `after` (NULL: all), in order of keys. */
void directory_list(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn, void *ctx);
/* How many objects of the kind there are. */
size_t directory_count(struct directory *directory, enum model_kind kind);

/*
 * Read several things at one revision: between these two, the calling thread may use directory_get_locked() and
 * directory_list_locked(), and nobody changes anything. Must be short.
 */
void directory_read_begin(struct directory *directory);
/* End what directory_read_begin() began. */
void directory_read_end(struct directory *directory);
/* directory_get() between directory_read_begin() and directory_read_end(). */
enum veer_err directory_get_locked(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn,
				   void *ctx);
/* directory_list() between directory_read_begin() and directory_read_end(). */
void directory_list_locked(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn, void *ctx);

#endif
