/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/hand_fields.h"

#include <assert.h>
#include <string.h>

/* An option has the name of its field's key, with hyphens; headers are given one at a time. */
static void name_option(struct hand_field *h)
{
	size_t len = strlen(h->field->key);
	assert(len < sizeof h->name);
	for (size_t i = 0; i <= len; i++)
		h->name[i] = h->field->key[i] == '_' ? '-' : h->field->key[i];
	if (h->field->type == MODEL_FIELD_HEADERS)
		h->name[len - 1] = '\0';
}

/* Fields of these types only can be given on the command line. */
static struct args_option option_of(struct hand_field *h)
{
	const struct model_check_field *f = h->field;
	struct args_option option = {.name = h->name, .value = f->hand_value, .help = f->help};
	if (f->type == MODEL_FIELD_HEADERS || f->type == MODEL_FIELD_STATUSES) {
		option.kind = ARGS_LIST;
		option.target = &h->list;
	} else if (f->type == MODEL_FIELD_NUMBER) {
		option.kind = ARGS_INT;
		option.target = &h->number;
		option.min = f->min;
		option.max = f->max;
	} else {
		assert(f->type == MODEL_FIELD_TEXT || f->type == MODEL_FIELD_WORD || f->type == MODEL_FIELD_CHOICE);
		option.kind = ARGS_STRING;
		option.target = &h->text;
	}
	return option;
}

void hand_fields_add(struct hand_fields *fields, struct args_table *table)
{
	size_t count;
	const struct model_check_field *all = model_check_fields(&count);
	for (size_t i = 0; i < count; i++) {
		if (all[i].hand_value == NULL)
			continue;
		assert(fields->count < HAND_FIELDS_MAX);
		struct hand_field *h = &fields->fields[fields->count++];
		*h = (struct hand_field){.field = &all[i], .number = all[i].fallback};
		name_option(h);
		const struct args_option option = option_of(h);
		args_table_add(table, &option, 1);
	}
}

static json_t *headers_json(const struct args_list *list)
{
	json_t *headers = json_object();
	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i];
		size_t len = strcspn(text, ":");
		const char *value = text + len + (text[len] == ':');
		(void)json_object_setn_new(headers, text, len, json_string(value + strspn(value, " ")));
	}
	return headers;
}

static json_t *statuses_json(const struct args_list *list)
{
	json_t *statuses = json_array();
	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(statuses, json_string(list->items[i]));
	return statuses;
}

void hand_fields_put(const struct hand_fields *fields, json_t *check)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct hand_field *h = &fields->fields[i];
		if (h->field->type == MODEL_FIELD_HEADERS && h->list.count > 0)
			(void)json_object_set_new(check, h->field->key, headers_json(&h->list));
		else if (h->field->type == MODEL_FIELD_STATUSES && h->list.count > 0)
			(void)json_object_set_new(check, h->field->key, statuses_json(&h->list));
		else if (h->field->type == MODEL_FIELD_NUMBER && h->number != h->field->fallback)
			(void)json_object_set_new(check, h->field->key, json_integer(h->number));
		else if (h->text != NULL)
			(void)json_object_set_new(check, h->field->key, json_string(h->text));
	}
}

void hand_fields_help(struct buf *out)
{
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	buf_puts(out, "\nFields of a check object (--file), with their defaults:\n");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "  %-18s %s\n", fields[i].key, fields[i].help);
}
