/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading the lines of the stream of assignments. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/strmap.h"
#include "probes/verdict/assign.h"
#include "probes/verdict/assign_impl.h"
#include "zones/model/check_field.h"

#define STREAM_FORMAT 1
#define SAFE_INTEGER_MAX 9007199254740991 /* 2^53 - 1 */
#define ADDRESS_MAX 255
#define ID_MAX 63
#define REPORT_MS_MIN 100
#define REPORT_MS_MAX 60000

/* --- writing --------------------------------------------------------------------------------------------------- */

/*
 * Written without a JSON library, which is ten times faster: a line has up to ten thousand items, and whenever a pool
 * changes, each agent gets a line.
 */
static void write_text(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	for (; *text != '\0'; text++) {
		size_t plain = strcspn(text, "\"\\");
		buf_append(out, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	buf_putc(out, '"');
}

static void write_item(struct buf *out, const struct assignments *list, const struct assign_item *item)
{
	buf_puts(out, "{\"check\":");
	write_text(out, list->checks[item->check].name);
	buf_puts(out, ",\"endpoint\":");
	write_text(out, item->endpoint);
	buf_puts(out, ",\"address\":");
	write_text(out, item->address);
	buf_printf(out, ",\"phase_ms\":%u}", item->phase_ms);
}

static char *checks_text(const struct assignments *list)
{
	bool failed = false;
	json_t *checks = json_array();
	for (uint32_t i = 0; i < list->check_count; i++)
		failed |= json_array_append_new(checks, assign_check_json(&list->checks[i], &failed)) != 0;
	char *text = failed ? NULL : veer_json_dump(checks);
	json_decref(checks);
	return text;
}

/* The value as a line; takes the value. NULL when memory is out. */
static char *take_line(json_t *value, bool failed)
{
	char *text = failed || value == NULL ? NULL : veer_json_dump(value);
	json_decref(value);
	if (text == NULL)
		return NULL;
	size_t len = strlen(text);
	char *line = realloc(text, len + 2);
	if (line == NULL) {
		free(text);
		return NULL;
	}
	line[len] = '\n';
	line[len + 1] = '\0';
	return line;
}

enum veer_err assignments_write(const struct assignments *list, char **out, size_t *len)
{
	struct buf line;
	char *checks = checks_text(list);
	if (checks == NULL)
		return VEER_ENOMEM;
	buf_init(&line, ASSIGN_LINE_MAX);
	buf_printf(&line, "{\"type\":\"assignments\",\"revision\":%lld,\"checks\":", (long long)list->revision);
	buf_puts(&line, checks);
	buf_puts(&line, ",\"items\":[");
	for (uint32_t i = 0; i < list->item_count; i++) {
		if (i > 0)
			buf_putc(&line, ',');
		write_item(&line, list, &list->items[i]);
	}
	buf_printf(&line, "],\"report_ms\":%u}\n", list->report_ms);
	free(checks);
	char *text = line.failed ? NULL : buf_take(&line, len);
	buf_deinit(&line);
	if (text == NULL)
		return VEER_ENOMEM;
	*out = text;
	return VEER_OK;
}

char *assign_hello_write(const char *store_id, const char *agent, const char *region)
{
	return take_line(json_pack("{s:s,s:i,s:s,s:s,s:s}", "type", "hello", "format", STREAM_FORMAT, "store_id",
				   store_id, "agent", agent, "region", region),
			 false);
}

char *assign_confirm_write(const char *check, const char *endpoint)
{
	return take_line(json_pack("{s:s,s:s,s:s}", "type", "confirm", "check", check, "endpoint", endpoint), false);
}

/* --- reading --------------------------------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	struct json_cursor c;
	struct strmap check_map; /* from names to places in the line's array */
	uint32_t *places;        /* from those places to indices into assignments.checks, or ASSIGN_CHECK_UNSUPPORTED */
};

static const char *read_str(struct reader *r, struct json_cursor *c, const char *key, size_t max_len)
{
	const char *text = veer_json_str(c, key, max_len);
	char *copy = c->err == VEER_OK ? arena_strdup(r->arena, text) : NULL;
	if (c->err == VEER_OK && copy == NULL)
		veer_json_fail(c, key, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	return copy != NULL ? copy : "";
}

/* Copy the known fields: a newer sender may send more, but the model's reader refuses unknown fields. */
static json_t *known_fields(const json_t *check)
{
	json_t *copy = json_object();
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	for (size_t i = 0; copy != NULL && i < count; i++) {
		json_t *value = fields[i].sending != MODEL_SENT_NEVER ? json_object_get(check, fields[i].key) : NULL;
		if (value != NULL && json_object_set(copy, fields[i].key, value) != 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

/* Read one check: always its name, and its content if this version can carry it out. */
static void read_check(struct reader *r, const json_t *value, uint32_t place, struct model_check *checks,
		       uint32_t *count)
{
	struct json_cursor c;
	veer_json_begin_child(&c, &r->c, "checks", (int)place, value);
	const char *name = read_str(r, &c, "name", MODEL_NAME_MAX);
	if (c.err == VEER_OK && strmap_add_number(&r->check_map, name, place) != VEER_OK)
		veer_json_fail(&c, "name", VEER_EEXISTS, "is there twice");
	if (c.err != VEER_OK) {
		r->c.err = c.err == VEER_EEXISTS ? VEER_EINVAL : c.err;
		return;
	}
	json_t *known = known_fields(value);
	enum veer_err err = known == NULL ? VEER_ENOMEM : model_check_parse(known, r->arena, &checks[*count], NULL);
	json_decref(known);
	if (err == VEER_ENOMEM)
		veer_json_fail(&r->c, "checks", VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	r->places[place] = err == VEER_OK ? (*count)++ : ASSIGN_CHECK_UNSUPPORTED;
}

static void read_checks(struct reader *r, struct assignments *out)
{
	const json_t *array = veer_json_array(&r->c, "checks", REPORT_ITEMS_MAX, true);
	size_t count = json_array_size(array);
	struct model_check *checks = arena_calloc(r->arena, count + 1, sizeof *checks);
	r->places = arena_calloc(r->arena, count + 1, sizeof *r->places);
	if (checks == NULL || r->places == NULL ||
	    strmap_init_fixed(&r->check_map, r->arena, (uint32_t)count) != VEER_OK) {
		veer_json_fail(&r->c, "checks", VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
		return;
	}
	for (size_t i = 0; i < count && r->c.err == VEER_OK; i++)
		read_check(r, json_array_get(array, i), (uint32_t)i, checks, &out->check_count);
	out->checks = checks;
}

static void read_item(struct reader *r, const json_t *value, int index, struct assign_item *out)
{
	struct json_cursor c;
	veer_json_begin_child(&c, &r->c, "items", index, value);
	const char *check = veer_json_str(&c, "check", MODEL_NAME_MAX);
	out->endpoint = read_str(r, &c, "endpoint", MODEL_ENDPOINT_KEY_MAX);
	out->address = read_str(r, &c, "address", ADDRESS_MAX);
	out->phase_ms = (uint32_t)veer_json_int(&c, "phase_ms", 0, UINT32_MAX);
	uint32_t place = c.err == VEER_OK ? strmap_get_number(&r->check_map, check) : INDEX_NONE;
	if (place == INDEX_NONE)
		veer_json_fail(&c, "check", VEER_EINVAL, "is not among the checks");
	else
		out->check = r->places[place];
	r->c.err = c.err;
}

static void read_items(struct reader *r, struct assignments *out)
{
	const json_t *array = veer_json_array(&r->c, "items", REPORT_ITEMS_MAX, true);
	size_t count = json_array_size(array);
	struct assign_item *items = arena_calloc(r->arena, count + 1, sizeof *items);
	if (items == NULL)
		veer_json_fail(&r->c, "items", VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	for (size_t i = 0; i < count && r->c.err == VEER_OK; i++)
		read_item(r, json_array_get(array, i), (int)i, &items[i]);
	out->items = items;
	out->item_count = (uint32_t)count;
}

static void read_assignments(struct reader *r, struct assignments *out)
{
	out->revision = veer_json_int(&r->c, "revision", 0, SAFE_INTEGER_MAX);
	out->report_ms = (uint32_t)veer_json_int(&r->c, "report_ms", REPORT_MS_MIN, REPORT_MS_MAX);
	if (r->c.err == VEER_OK)
		read_checks(r, out);
	if (r->c.err == VEER_OK)
		read_items(r, out);
}

static void read_hello(struct reader *r, struct assign_message *out)
{
	if (veer_json_int(&r->c, "format", 1, INT32_MAX) != STREAM_FORMAT)
		veer_json_fail(&r->c, "format", VEER_EUNSUPPORTED, "only format %d is known", STREAM_FORMAT);
	out->store_id = read_str(r, &r->c, "store_id", ID_MAX);
	out->agent = read_str(r, &r->c, "agent", ID_MAX);
	out->region = read_str(r, &r->c, "region", MODEL_NAME_MAX);
}

static enum assign_line line_kind(const char *type)
{
	static const char *const types[] = {
		[ASSIGN_LINE_HELLO] = "hello",
		[ASSIGN_LINE_ASSIGNMENTS] = "assignments",
		[ASSIGN_LINE_CONFIRM] = "confirm",
		[ASSIGN_LINE_HEARTBEAT] = "heartbeat",
	};
	for (int i = 0; i < ASSIGN_LINE_OTHER; i++) {
		if (strcmp(type, types[i]) == 0)
			return (enum assign_line)i;
	}
	return ASSIGN_LINE_OTHER;
}

enum veer_err assign_line_parse(const char *text, size_t len, struct arena *arena, struct assign_message *out,
				struct veer_diag *diag)
{
	json_t *root = NULL;
	struct assign_message message = {0};
	struct reader r = {.arena = arena};
	enum veer_err err = veer_json_parse(text, len, ASSIGN_LINE_MAX, &root, diag);
	if (err != VEER_OK)
		return err;
	veer_json_begin(&r.c, root, "", diag);
	message.kind = line_kind(veer_json_str(&r.c, "type", ID_MAX));
	switch (message.kind) {
	case ASSIGN_LINE_HELLO:
		read_hello(&r, &message);
		break;
	case ASSIGN_LINE_ASSIGNMENTS:
		read_assignments(&r, &message.list);
		break;
	case ASSIGN_LINE_CONFIRM:
		message.check = read_str(&r, &r.c, "check", MODEL_NAME_MAX);
		message.endpoint = read_str(&r, &r.c, "endpoint", MODEL_ENDPOINT_KEY_MAX);
		break;
	case ASSIGN_LINE_HEARTBEAT:
	case ASSIGN_LINE_OTHER:
		break;
	}
	json_decref(root);
	if (r.c.err == VEER_OK)
		*out = message;
	return r.c.err;
}
