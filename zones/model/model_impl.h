/* SPDX-License-Identifier: Apache-2.0 */
/* What the model's readers share; private to zones/model*.c. The cursor keeps the first error. */
#ifndef VEER_ZONES_MODEL_MODEL_IMPL_H
#define VEER_ZONES_MODEL_MODEL_IMPL_H

#include "base/arena.h"
#include "base/json.h"
#include "zones/model/check_field.h"
#include "zones/model/model.h"

/* `text` copied into the arena; "" (and the cursor failed) when memory is out. */
const char *model_read_copy(struct json_cursor *c, struct arena *arena, const char *text);
/* The same, but NULL stays NULL. */
const char *model_read_copy_or_null(struct json_cursor *c, struct arena *arena, const char *text);
/* A required field that is a name (model_is_name), copied. */
const char *model_read_name(struct json_cursor *c, struct arena *arena, const char *key);
/* Zeroed memory for `count` elements; NULL only when the cursor has failed. */
void *model_read_array(struct json_cursor *c, struct arena *arena, size_t count, size_t size);
/* Element `i` of the array at `key` as a string of at most `max_len` bytes, borrowed; "" after an error. */
const char *model_read_string_at(struct json_cursor *c, const char *key, const json_t *array, size_t i, size_t max_len);
/* Read one field of a check. The fields before it in the table must have been read. */
void model_read_field(struct json_cursor *c, struct arena *arena, const struct model_check_field *field,
		      struct model_check *check);
/*
 * The same for a field that says how the check is judged and is not just a number: MODEL_FIELD_QUORUM, _PARTS, _NEED.
 */
void model_read_judging(struct json_cursor *c, struct arena *arena, enum model_field_type type,
			struct model_check *check);

#endif
