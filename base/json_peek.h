/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one member of a JSON object without building the whole object: for looking at each of very many stored
 * objects.
 *
 * Threads: pure functions.
 */
#ifndef VEER_BASE_JSON_PEEK_H
#define VEER_BASE_JSON_PEEK_H

#include <stddef.h>

#include "base/err.h"

/*
 * Copy the string that the object `text` (`len` bytes) has as its own member `name` into `out`, NUL-terminated; members
 * of nested objects do not count. The text is read only up to that member, so faults after it are not found. Errors:
 * VEER_ENOTFOUND (there is none, or it is not a string), VEER_ERANGE (longer than `size` - 1), VEER_EINVAL (not a JSON
 * object), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err veer_json_peek(const char *text, size_t len, const char *name, char *out, size_t size);

#endif
