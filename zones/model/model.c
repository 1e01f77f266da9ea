/* SPDX-License-Identifier: Apache-2.0 */
/* Names, sites and verdicts: the small part of the model's readers. */
#include "zones/model/model.h"

#include <string.h>

#include "zones/model/model_impl.h"

bool model_is_name(const char *name)
{
	size_t len = strnlen(name, MODEL_NAME_MAX + 1);
	if (len == 0 || len > MODEL_NAME_MAX || name[0] == '-' || name[len - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const char *const state_texts[] = {
	[MODEL_STATE_UNKNOWN] = "unknown",
	[MODEL_STATE_UP] = "up",
	[MODEL_STATE_DOWN] = "down",
};

const char *model_state_text(enum model_state state)
{
	return state_texts[state];
}

const char *model_read_copy(struct json_cursor *c, struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);
	if (copy == NULL) {
		veer_json_fail(c, NULL, VEER_ENOMEM, "out of memory");
		return "";
	}
	return copy;
}

const char *model_read_copy_or_null(struct json_cursor *c, struct arena *arena, const char *text)
{
	return text == NULL ? NULL : model_read_copy(c, arena, text);
}

const char *model_read_name(struct json_cursor *c, struct arena *arena, const char *key)
{
	const char *text = veer_json_str(c, key, MODEL_NAME_MAX);
	if (c->err == VEER_OK && !model_is_name(text))
		veer_json_fail(c, key, VEER_EINVAL, "\"%s\" is not a name (1 to 63 of a-z 0-9 -)", text);
	return model_read_copy(c, arena, text);
}

void *model_read_array(struct json_cursor *c, struct arena *arena, size_t count, size_t size)
{
	if (c->err != VEER_OK)
		return NULL;
	void *memory = arena_calloc(arena, count > 0 ? count : 1, size);
	if (memory == NULL)
		veer_json_fail(c, NULL, VEER_ENOMEM, "out of memory");
	return memory;
}

const char *model_read_string_at(struct json_cursor *c, const char *key, const json_t *array, size_t i, size_t max_len)
{
	const json_t *element = json_array_get(array, i);
	if (!json_is_string(element) || json_string_length(element) > max_len ||
	    strlen(json_string_value(element)) != json_string_length(element)) {
		veer_json_fail(c, key, VEER_EINVAL, "element %zu must be a string of at most %zu bytes", i, max_len);
		return "";
	}
	return json_string_value(element);
}

enum veer_err model_site_parse(const json_t *object, struct arena *arena, struct model_site *out,
			       struct veer_diag *diag)
{
	static const char *const states[] = {"in", "out"};
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_site site = {0};
	site.name = model_read_name(&c, arena, "name");
	site.region = model_read_name(&c, arena, "region");
	if (veer_json_has(&c, "failure_domain"))
		site.failure_domain = model_read_name(&c, arena, "failure_domain");
	site.has_location = veer_json_has(&c, "latitude") || veer_json_has(&c, "longitude");
	if (veer_json_has(&c, "latitude") != veer_json_has(&c, "longitude"))
		veer_json_fail(&c, "latitude", VEER_EINVAL, "latitude and longitude go together");
	site.latitude = veer_json_num_or(&c, "latitude", -90, 90, 0);
	site.longitude = veer_json_num_or(&c, "longitude", -180, 180, 0);
	site.is_in = veer_json_enum_or(&c, "state", states, 2, 0) == 0;
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = site;
	return err;
}

bool model_is_endpoint_key(const char *key)
{
	char pool[MODEL_NAME_MAX + 1];
	const char *slash = strchr(key, '/');
	if (slash == NULL || slash == key || (size_t)(slash - key) > MODEL_NAME_MAX)
		return false;
	memcpy(pool, key, (size_t)(slash - key));
	pool[slash - key] = '\0';
	return model_is_name(pool) && model_is_name(slash + 1);
}

enum veer_err model_verdict_parse(const json_t *object, struct arena *arena, struct model_verdict *out,
				  struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_verdict verdict = {0};
	const char *endpoint = veer_json_str(&c, "endpoint", MODEL_ENDPOINT_KEY_MAX);
	if (c.err == VEER_OK && !model_is_endpoint_key(endpoint))
		veer_json_fail(&c, "endpoint", VEER_EINVAL, "\"%s\" is not POOL/NAME", endpoint);
	verdict.endpoint = model_read_copy(&c, arena, endpoint);
	verdict.state = (enum model_state)veer_json_enum_or(&c, "state", state_texts, 3, -1);
	verdict.since_revision = veer_json_int_or(&c, "since_revision", 0, INT64_MAX, 0);
	if (c.err == VEER_OK) /* the evidence is for people and is not read, so no veer_json_end(), which would
			       * refuse it */
		*out = verdict;
	return c.err;
}
