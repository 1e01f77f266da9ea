/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of whole zone files: import (the work is in api/control/zone_import.c), its progress, export. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/zone_import.h"
#include "api/rest/handlers.h"
#include "api/rest/zone_need.h"
#include "base/buf.h"
#include "zones/dns/zonefile.h"
#include "zones/model/rrset_object.h"

enum { ROWS_BYTES_MAX = 1 << 30, EXPORT_BYTES_MAX = 1 << 30 };

/* Turn the reader's "LABEL:LINE: what", where the label is "line", into "line LINE: what" for people. */
static void reply_bad_file(struct api_reply *reply, struct veer_diag *diag)
{
	static const char label[] = ZONE_IMPORT_LABEL ":";
	char *text = diag->text;
	if (strncmp(text, label, sizeof label - 1) == 0) {
		if (text[sizeof label - 1] == ' ')
			text += sizeof label;
		else
			text[sizeof label - 2] = ' ';
	}
	api_problem(reply, 422, "invalid", "%s", text);
}

static void reply_failed_import(struct api_reply *reply, const struct zone_ref *zone, enum veer_err err,
				bool is_refused, struct veer_diag *diag)
{
	if (is_refused)
		api_problem(reply, 412, "precondition", "%s", diag->text);
	else if (err == VEER_EBUSY)
		api_problem(reply, 409, "busy", "an import into \"%s\" is under way: wait for its end", zone->text);
	else if (err == VEER_ECONFLICT)
		api_problem(reply, 409, "conflict",
			    "the zone was changed too often, imported or deleted meanwhile: retry");
	else if (err == VEER_EAUTH)
		api_problem(reply, 403, "object", "%s", diag->text);
	else if (err == VEER_ECLOSED)
		api_problem(reply, 503, "stopping", "the server is stopping");
	else if (diag->text[0] != '\0' && err != VEER_ENOMEM && err != VEER_ESPACE && err != VEER_EIO)
		reply_bad_file(reply, diag);
	else
		api_problem_err(reply, err);
}

void handle_zone_import(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone = {.revision = 0};
	struct zone_import_result result = {0};
	struct veer_diag diag = {""};
	enum veer_err err = zone_name_parse(request->params[0], &zone, &diag);
	if (err != VEER_OK) {
		api_problem(reply, 422, "invalid", "the zone's name: %s", diag.text);
		return;
	}
	const struct change_principal principal = api_principal(api, request);
	const struct change_precondition precondition = api_precondition(request);
	err = zone_import_run(&api->control, &principal, &precondition, &zone, request->body, request->body_len,
			      &result, &diag);
	if (err != VEER_OK) {
		reply_failed_import(reply, &zone, err, result.is_refused, &diag);
		return;
	}
	log_notice(api->control.log, "zone imported", LOG_STR("zone", zone.text), LOG_INT("rrsets", result.rrsets),
		   LOG_INT("revision", result.revision));
	(void)snprintf(reply->etag, sizeof reply->etag, "r%lld", (long long)result.revision);
	api_reply_json(reply, 200,
		       json_pack("{s:I, s:I, s:I}", "rrsets", (json_int_t)result.rrsets, "serial",
				 (json_int_t)result.serial, "revision", (json_int_t)result.revision));
}

void handle_zone_import_state(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone = {.revision = 0};
	struct zone_progress progress;
	if (zone_name_parse(request->params[0], &zone, NULL) != VEER_OK) {
		api_problem(reply, 404, "not-found", "there is no zone \"%.300s\"", request->params[0]);
		return;
	}
	if (!api_may_touch(api, request, reply, TOKEN_LIMIT_ZONES, zone.text))
		return;
	zone_progress_get(api->control.zones, &zone, &progress);
	api_reply_json(reply, 200,
		       json_pack("{s:s, s:I, s:I}", "state", progress.state, "done", (json_int_t)progress.done, "total",
				 (json_int_t)progress.total));
}

/* --- export ------------------------------------------------------------------------------------------------------- */

/* Rows are copied at one revision, and turned into text after the store has been released. */
struct exported {
	struct buf rows; /* KEY NUL VALUE NUL … */
};

static bool copy_row(void *ctx, const struct store_object *object)
{
	struct exported *e = ctx;
	buf_append(&e->rows, object->key, strlen(object->key) + 1);
	buf_append(&e->rows, object->value, object->value_len);
	buf_append(&e->rows, "", 1);
	return !e->rows.failed;
}

/* Print "; www A bound to policy web", with the owner relative to the zone. */
static void print_bound(const struct zone_ref *zone, const struct rrset_key *key, const char *policy, struct buf *out)
{
	char owner[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE];
	size_t owner_len = name_print_key(key->owner, owner, sizeof owner), zone_len = strlen(zone->text);
	rrtype_print(key->type, type);
	if (name_equal(key->owner, zone->name))
		(void)buf_puts(out, "; @");
	else if (zone->name_len == 1)
		buf_printf(out, "; %.*s", (int)(owner_len - 1), owner);
	else
		buf_printf(out, "; %.*s", (int)(owner_len - zone_len - 1), owner);
	buf_printf(out, " %s bound to policy %s\n", type, policy);
}

/* Print a comment for an RRset that cannot be read. */
static void print_unreadable(struct api *api, const char *key, char *why, struct buf *out)
{
	api_make_utf8(why);
	zone_note_unreadable(&api->control, key, why);
	buf_puts(out, "; left out, for it cannot be read: ");
	for (; *key != '\0'; key++)
		buf_putc(out, (unsigned char)*key >= ' ' && (unsigned char)*key < 0x7f ? *key : '?');
	buf_printf(out, ": %s\n", why);
}

static enum veer_err print_row(struct api *api, const struct zone_ref *zone, const char *key_text, const char *value,
			       size_t len, struct buf *out)
{
	struct veer_diag diag = {""};
	struct rrset_key key;
	struct rrset_view view;
	const char *policy = NULL;
	uint8_t *wire = NULL;
	json_t *object = NULL;
	enum veer_err err = rrset_key_parse(key_text, strlen(key_text), &key, &diag);
	if (err == VEER_OK)
		err = veer_json_parse(value, len, STORE_VALUE_MAX, &object, &diag);
	if (err == VEER_OK)
		err = rrset_object_read(&key, object, &policy, &wire, &view, &diag);
	if (err == VEER_OK && policy != NULL)
		print_bound(zone, &key, policy, out);
	else if (err == VEER_OK)
		err = zonefile_print(&view, out);
	free(wire);
	json_decref(object);
	if (err == VEER_OK || err == VEER_ENOMEM)
		return err;
	print_unreadable(api, key_text, diag.text, out);
	return VEER_OK;
}

/* Print all rows, the SOA first, because people and some programs expect it there. */
static enum veer_err print_rows(struct api *api, const struct zone_ref *zone, const struct buf *rows, struct buf *out)
{
	char soa_key[RRSET_KEY_SIZE];
	enum veer_err err = VEER_OK;
	zone_rrset_key(zone, zone->name, RRTYPE_SOA, soa_key);
	for (int pass = 0; pass < 2; pass++) {
		const char *at = rows->data, *end = rows->data + rows->len;
		while (at < end && err == VEER_OK) {
			const char *key = at, *value = at + strlen(at) + 1;
			size_t len = strlen(value);
			at = value + len + 1;
			if ((strcmp(key, soa_key) == 0) == (pass == 0))
				err = print_row(api, zone, key, value, len, out);
			if (out->failed)
				err = VEER_ENOMEM;
		}
	}
	return err;
}

void handle_zone_export(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone;
	struct exported e;
	struct buf text;
	char prefix[RRSET_KEY_SIZE];
	if (!zone_need(api, request, reply, &zone))
		return;
	(void)zone_prefix(&zone, prefix);
	buf_init(&e.rows, ROWS_BYTES_MAX);
	buf_init(&text, EXPORT_BYTES_MAX);
	buf_printf(&text, "$ORIGIN %s\n", zone.text);
	enum veer_err err = store_list(api->control.store, MODEL_KIND_RRSET, prefix, NULL, copy_row, &e, NULL);
	if (err == VEER_OK && e.rows.failed)
		err = VEER_ENOMEM;
	if (err == VEER_OK && e.rows.len == 0)
		err = VEER_ECONFLICT; /* deleted or imported between the two reads */
	if (err == VEER_OK)
		err = print_rows(api, &zone, &e.rows, &text);
	buf_deinit(&e.rows);
	size_t len = 0;
	char *out = err == VEER_OK ? buf_take(&text, &len) : NULL;
	buf_deinit(&text);
	if (err != VEER_OK)
		api_problem_err(reply, err);
	else
		api_reply_text(reply, 200, "text/dns", out, len);
}
