/* SPDX-License-Identifier: Apache-2.0 */
/* Reads fields of an object that the API sent, for printing: a field that is missing or of another type is "" or 0. */
#ifndef VEER_API_CLI_FIELDS_H
#define VEER_API_CLI_FIELDS_H

#include <stdint.h>

#include "base/json.h"

/* Lives as long as the object. */
static inline const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

static inline int64_t int_of(const json_t *object, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(object, key));
}

#endif
