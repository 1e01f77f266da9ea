/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in and out: the only home of jansson. Others include this header, never <jansson.h>.
 *
 * Input is hostile: duplicate keys, depth beyond 32, bytes beyond the caller's limit, NULs and invalid UTF-8 are
 * refused; objects are read by a cursor that remembers the JSON pointer (RFC 6901) for its errors and refuses keys that
 * were never asked for.
 */
#ifndef VEER_BASE_JSON_H
#define VEER_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define VEER_JSON_DEPTH_MAX 32

/*
 * Parse one whole JSON text. Ownership: `*out` is the caller's (json_decref).
 * Errors: VEER_EINVAL, VEER_ERANGE (longer than `limit_bytes` or too deep); the diag has the line and the column.
 */
enum veer_err veer_json_parse(const char *text, size_t len, size_t limit_bytes, json_t **out, struct veer_diag *diag);

/*
 * The same for a text of at most `nodes` values (objects, arrays, members, elements), which are counted before anything
 * is built: a value costs some 100 bytes of memory, but its text may have as few as two bytes. Errors: the same;
 * VEER_ERANGE also for too many values.
 */
VEER_MUST_CHECK enum veer_err veer_json_parse_nodes(const char *text, size_t len, size_t limit_bytes, size_t nodes,
						    json_t **out, struct veer_diag *diag);

/* Compact text, keys in insertion order. Ownership: the caller frees with free(). NULL when memory is out. */
char *veer_json_dump(const json_t *value);

/*
 * A cursor over one object. The first error sticks (in `err` and `diag`); later calls return their defaults, so a
 * reader can read all its fields and then check veer_json_end() once.
 */
struct json_cursor {
	const json_t *object; /* borrowed; NULL when the value was not an object */
	char pointer[192];    /* where this object is, RFC 6901; "" for the root */
	enum veer_err err;
	struct veer_diag *diag;
	uint64_t seen; /* a bit for each key (by its place in the object) that was asked for */
};

/*
 * Start reading `value` (may be NULL), which must be an object of at most 64 keys. `pointer` names its place ("" for
 * the root); `diag` may be NULL. Do not use cursors for larger objects (maps from names to values); iterate over them.
 */
void veer_json_begin(struct json_cursor *c, const json_t *value, const char *pointer, struct veer_diag *diag);

/*
 * Start reading `value`, found at `key` of the parent's object, or at element `index` of the array there (`index` < 0:
 * not an array). The child shares the parent's diag, but has its own error, which its own veer_json_end() returns.
 */
void veer_json_begin_child(struct json_cursor *c, const struct json_cursor *parent, const char *key, int index,
			   const json_t *value);

/* Whether `key` is present and not null (does not count as reading it). */
bool veer_json_has(const struct json_cursor *c, const char *key);

/* A required string of at most `max_len` bytes, borrowed; "" after an error. */
const char *veer_json_str(struct json_cursor *c, const char *key, size_t max_len);
/* An optional string: `fallback` (may be NULL) when the key is absent or null. */
const char *veer_json_str_or(struct json_cursor *c, const char *key, size_t max_len, const char *fallback);
/*
 * A required / optional integer within [min, max]; after an error the required one is `min` and the optional one
 * `fallback`.
 */
int64_t veer_json_int(struct json_cursor *c, const char *key, int64_t min, int64_t max);
int64_t veer_json_int_or(struct json_cursor *c, const char *key, int64_t min, int64_t max, int64_t fallback);
/* An optional number (integer or real) within [min, max]. */
double veer_json_num_or(struct json_cursor *c, const char *key, double min, double max, double fallback);
bool veer_json_bool_or(struct json_cursor *c, const char *key, bool fallback);
/*
 * One of `names[0..count)`, as its index; `fallback` < 0 makes the key required (then the result is 0 after an error).
 */
int veer_json_enum_or(struct json_cursor *c, const char *key, const char *const *names, int count, int fallback);
/* An array of at most `max_count` elements, borrowed; NULL when absent (an error only when `required`). */
const json_t *veer_json_array(struct json_cursor *c, const char *key, size_t max_count, bool required);
/* Any value, borrowed; NULL when absent or null. Counts as read. */
const json_t *veer_json_any(struct json_cursor *c, const char *key);

/* Record an error of the caller's own at `key` (NULL: at the object itself), unless there is one already. */
void veer_json_fail(struct json_cursor *c, const char *key, enum veer_err err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Refuse keys that nobody read, then return the first error, or VEER_OK. */
VEER_MUST_CHECK enum veer_err veer_json_end(struct json_cursor *c);

#endif
