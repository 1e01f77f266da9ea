/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of the fields that say how a check is judged, whatever its kind is. */
#include <string.h>

#include "zones/model/model_impl.h"

/* "majority" or a number of agents. */
static uint32_t read_quorum(struct json_cursor *c)
{
	const char *word = json_string_value(veer_json_any(c, "quorum"));
	if (word == NULL)
		return (uint32_t)veer_json_int_or(c, "quorum", 1, MODEL_AGENTS_MAX, 0);
	if (strcmp(word, "majority") != 0)
		veer_json_fail(c, "quorum", VEER_EINVAL, "must be \"majority\" or a number of agents");
	return 0;
}

/* "all", "any" or a number of parts. */
static uint32_t read_need(struct json_cursor *c, uint32_t part_count)
{
	const char *word = json_string_value(veer_json_any(c, "need"));
	if (word == NULL)
		return (uint32_t)veer_json_int_or(c, "need", 1, part_count > 0 ? part_count : 1, 0);
	if (strcmp(word, "all") != 0 && strcmp(word, "any") != 0)
		veer_json_fail(c, "need", VEER_EINVAL, "must be \"all\", \"any\" or a number of checks");
	return strcmp(word, "any") == 0 ? 1 : 0;
}

static void read_parts(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	const json_t *array = veer_json_array(c, "of", MODEL_PARTS_MAX, true);
	size_t count = array != NULL ? json_array_size(array) : 0;
	const char **names = model_read_array(c, arena, count, sizeof *names);
	if (count == 0)
		veer_json_fail(c, "of", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; i < count && c->err == VEER_OK; i++) {
		names[i] = model_read_copy(c, arena, model_read_string_at(c, "of", array, i, MODEL_NAME_MAX));
		if (c->err == VEER_OK && !model_is_name(names[i]))
			veer_json_fail(c, "of", VEER_EINVAL, "\"%s\" is not a name", names[i]);
		if (c->err == VEER_OK && strcmp(names[i], check->name) == 0)
			veer_json_fail(c, "of", VEER_EINVAL, "names the check itself");
		for (size_t j = 0; j < i && c->err == VEER_OK; j++)
			if (strcmp(names[i], names[j]) == 0)
				veer_json_fail(c, "of", VEER_EINVAL, "\"%s\" stands twice", names[i]);
	}
	check->of = names;
	check->of_count = (uint32_t)count;
}

void model_read_judging(struct json_cursor *c, struct arena *arena, enum model_field_type type,
			struct model_check *check)
{
	if (type == MODEL_FIELD_QUORUM)
		check->quorum = read_quorum(c);
	else if (type == MODEL_FIELD_PARTS)
		read_parts(c, arena, check);
	else if (type == MODEL_FIELD_NEED)
		check->need = read_need(c, check->of_count);
}
