/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/model/history.h"

#include <string.h>

#include "base/crypto.h"

static const char *const causes[] = {
	[HISTORY_CREATED] = "created", [HISTORY_START] = "start", [HISTORY_REWIND] = "rewind",
	[HISTORY_RESTORE] = "restore", [HISTORY_COPY] = "copy",
};

enum { CAUSES = sizeof causes / sizeof causes[0], FIELDS = 4 };

bool history_is_id(const char *text)
{
	return text != NULL && strnlen(text, HISTORY_ID_SIZE) == HISTORY_ID_LEN &&
	       strspn(text, "0123456789abcdef") == HISTORY_ID_LEN;
}

enum veer_err history_draw_id(char out[HISTORY_ID_SIZE])
{
	uint8_t random[HISTORY_ID_LEN / 2];
	enum veer_err err = crypto_random(random, sizeof random);
	if (err == VEER_OK)
		crypto_hex_encode(random, sizeof random, out);
	return err;
}

const char *history_cause_text(enum history_cause cause)
{
	return causes[cause];
}

bool history_cause_parse(const char *text, enum history_cause *out)
{
	for (size_t i = 0; text != NULL && i < CAUSES; i++)
		if (strcmp(text, causes[i]) == 0) {
			*out = (enum history_cause)i;
			return true;
		}
	return false;
}

void history_append(struct history_ancestry *ancestry, const struct history_lineage *lineage)
{
	if (ancestry->count == HISTORY_LINEAGES_MAX) {
		memmove(&ancestry->lineages[0], &ancestry->lineages[1],
			(HISTORY_LINEAGES_MAX - 1) * sizeof ancestry->lineages[0]);
		ancestry->count--;
	}
	ancestry->lineages[ancestry->count++] = *lineage;
}

size_t history_find(const struct history_ancestry *ancestry, const char *id)
{
	for (size_t i = ancestry->count; i > 0; i--)
		if (strcmp(ancestry->lineages[i - 1].id, id) == 0)
			return i - 1;
	return ancestry->count;
}

bool history_holds(const struct history_ancestry *ancestry, const char *id, int64_t revision, int64_t head)
{
	size_t at = history_find(ancestry, id);
	if (at == ancestry->count || revision < ancestry->lineages[at].from_revision || revision > head)
		return false;
	if (at + 1 < ancestry->count && revision > ancestry->lineages[at + 1].from_revision)
		return false;
	for (size_t i = at + 1; i < ancestry->count; i++)
		if (ancestry->lineages[i].cause == HISTORY_REWIND)
			return false;
	return true;
}

const char *history_lineage_at(const struct history_ancestry *ancestry, int64_t revision)
{
	for (size_t i = ancestry->count; i > 0; i--)
		if (ancestry->lineages[i - 1].from_revision <= revision)
			return ancestry->lineages[i - 1].id;
	return "";
}

json_t *history_write(const struct history_ancestry *ancestry)
{
	json_t *array = json_array();
	for (size_t i = 0; i < ancestry->count; i++) {
		const struct history_lineage *l = &ancestry->lineages[i];
		json_t *one = json_pack("[s, s, I, s]", l->id, l->store_id, (json_int_t)l->from_revision,
					history_cause_text(l->cause));
		if (json_array_append_new(array, one) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static bool read_lineage(const json_t *one, struct history_lineage *out)
{
	const char *id = json_string_value(json_array_get(one, 0));
	const char *store_id = json_string_value(json_array_get(one, 1));
	const json_t *from = json_array_get(one, 2);
	if (json_array_size(one) < FIELDS || !history_is_id(id) || !history_is_id(store_id) || !json_is_integer(from) ||
	    json_integer_value(from) < 0 ||
	    !history_cause_parse(json_string_value(json_array_get(one, 3)), &out->cause))
		return false;
	memcpy(out->id, id, sizeof out->id);
	memcpy(out->store_id, store_id, sizeof out->store_id);
	out->from_revision = json_integer_value(from);
	return true;
}

enum veer_err history_read(const json_t *array, struct history_ancestry *out, struct veer_diag *diag)
{
	size_t count = json_array_size(array);
	if (!json_is_array(array) || count == 0 || count > HISTORY_LINEAGES_MAX)
		return veer_fail(diag, VEER_EINVAL, "/ancestry: must be an array of 1 to %d lineages",
				 HISTORY_LINEAGES_MAX);
	out->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct history_lineage *l = &out->lineages[i];
		if (!read_lineage(json_array_get(array, i), l))
			return veer_fail(diag, VEER_EINVAL, "/ancestry/%zu: is not a lineage", i);
		if (i > 0 && l->from_revision < out->lineages[i - 1].from_revision)
			return veer_fail(diag, VEER_EINVAL, "/ancestry/%zu: begins before the one before it", i);
		out->count++;
	}
	return VEER_OK;
}
