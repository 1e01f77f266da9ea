/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's own copy, in memory, of everything in the store except RRsets and the history of transitions.
 * Authentication, status and the controller read it instead of querying the store. The hub fills it from the store's
 * watch.
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

/* One object. Everything is borrowed for the callback. */
struct directory_entry {
	enum model_kind kind;
	const char *key;
	int64_t revision;
	const char *text;     /* the JSON as stored */
	const json_t *object; /* the same, parsed; never NULL */
};

/* Make an empty directory, at revision 0. NULL when memory is out. The caller frees it when nobody uses it any more. */
struct directory *directory_new(void);
/* Free the directory. `*directory` may be NULL. */
void directory_free(struct directory **directory);

/* Are objects of this kind kept here? */
bool directory_keeps(enum model_kind kind);

/*
 * Prepare one change; value NULL removes the object. NULL when memory is out or the value is not a JSON object. Called
 * before directory_begin(), so that readers wait as shortly as possible.
 */
struct directory_change *directory_prepare(const struct store_object *object);
/* Free a change that will not be installed. `*change` may be NULL. */
void directory_discard(struct directory_change **change);

/* Begin a change: readers wait until directory_end(). */
void directory_begin(struct directory *directory);
/* Forget everything. */
void directory_clear(struct directory *directory);
/* Install a change, which is taken. False when memory is out: then nothing is changed. */
bool directory_install(struct directory *directory, struct directory_change **change);
/* End a change: everything up to `revision` is installed. Wakes threads that wait for it. */
void directory_end(struct directory *directory, int64_t revision);

/* The revision that the copy has reached. */
int64_t directory_revision(struct directory *directory);
/* Wait until it has reached `revision`, so that a writer also reads what it wrote. False after `timeout_ms`. */
bool directory_wait(struct directory *directory, int64_t revision, int64_t timeout_ms);

/* Called for each object; false stops a list. */
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
 * Read several things at one revision: between this call and directory_read_end(), the calling thread may use
 * directory_get_locked(), directory_list_locked() and directory_count_locked(), and the directory does not change. The
 * time between must be short.
 */
void directory_read_begin(struct directory *directory);
/* End the reading: the directory may change again. */
void directory_read_end(struct directory *directory);
/* As directory_get(), between directory_read_begin() and directory_read_end(). */
enum veer_err directory_get_locked(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn,
				   void *ctx);
/* As directory_list(), between directory_read_begin() and directory_read_end(). */
void directory_list_locked(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn,
			   void *ctx);
/* As directory_count(), between directory_read_begin() and directory_read_end(). */
size_t directory_count_locked(const struct directory *directory, enum model_kind kind);

#endif
