/* SPDX-License-Identifier: Apache-2.0 */
/* Print the kinds and the fields of checks as JSON, from the tables that the reader of checks uses (`make openapi`). */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "zones/model/check_field.h"
#include "zones/model/check_kind.h"

static const char *type_text(enum model_field_type type)
{
	static const char *const texts[] = {
		[MODEL_FIELD_NAME] = "name",
		[MODEL_FIELD_KIND] = "kind",
		[MODEL_FIELD_NUMBER] = "number",
		[MODEL_FIELD_PORT] = "port",
		[MODEL_FIELD_FLAG] = "flag",
		[MODEL_FIELD_WORD] = "word",
		[MODEL_FIELD_CHOICE] = "word",
		[MODEL_FIELD_TEXT] = "text",
		[MODEL_FIELD_BYTES] = "bytes",
		[MODEL_FIELD_HEADERS] = "headers",
		[MODEL_FIELD_STATUSES] = "statuses",
		[MODEL_FIELD_QUERY_NAME] = "query_name",
		[MODEL_FIELD_QUERY_TYPE] = "query_type",
		[MODEL_FIELD_ANSWERS] = "answers",
		[MODEL_FIELD_COMMAND] = "command",
		[MODEL_FIELD_QUORUM] = "quorum",
		[MODEL_FIELD_PARTS] = "parts",
		[MODEL_FIELD_NEED] = "need",
	};
	return texts[type];
}

static json_t *field_json(const struct model_check_field *field)
{
	json_t *kinds = json_array(), *words = json_array();
	for (unsigned kind = 0; kind < MODEL_CHECK_KIND_COUNT; kind++)
		if ((field->kinds >> kind & 1) != 0)
			(void)json_array_append_new(
				kinds, json_string(model_check_kind_row((enum model_check_kind)kind)->text));
	for (size_t i = 0; i < field->word_count; i++)
		(void)json_array_append_new(words, json_string(field->words[i]));
	return json_pack("{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:s?, s:o, s:o}", "key", field->key, "type",
			 type_text(field->type), "needs_tls", field->needs_tls, "help", field->help, "min",
			 (json_int_t)field->min, "max", (json_int_t)field->max, "fallback", (json_int_t)field->fallback,
			 "text_fallback", field->text_fallback, "kinds", kinds, "words", words);
}

int main(void)
{
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	json_t *kinds = json_array(), *rows = json_array();
	for (unsigned kind = 0; kind < MODEL_CHECK_KIND_COUNT; kind++) {
		const struct model_check_kind_row *row = model_check_kind_row((enum model_check_kind)kind);
		(void)json_array_append_new(
			kinds, json_pack("{s:s, s:i}", "kind", row->text, "default_port", (int)row->default_port));
	}
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(rows, field_json(&fields[i]));
	json_t *all = json_pack("{s:o, s:o}", "kinds", kinds, "fields", rows);
	char *text = veer_json_dump(all);
	json_decref(all);
	if (text == NULL || puts(text) < 0)
		return 1;
	free(text);
	return 0;
}
