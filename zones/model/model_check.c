/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of checks, which walks the table of fields (check_field.h). The readers for each type of field are in
 * model_probe.c.
 */
#include <stdlib.h>
#include <string.h>

#include "zones/model/model.h"
#include "zones/model/model_impl.h"

/* --- rules across fields -------------------------------------------------------------------------------- */

static void judge_http(struct json_cursor *c, const struct model_check_http *http)
{
	bool is_head = strcmp(http->method, "HEAD") == 0;
	if (http->body.data != NULL && (is_head || strcmp(http->method, "GET") == 0))
		veer_json_fail(c, "body", VEER_EINVAL, "%s has no body", http->method);
	else if (is_head && (http->body_contains != NULL || http->body_regex != NULL))
		veer_json_fail(c, NULL, VEER_EINVAL, "a reply to HEAD has no body to look into");
}

static void judge_tls(struct json_cursor *c, const struct model_check *check)
{
	bool wants_days = check->tls.cert_warn_days > 0 || check->tls.cert_fail_days > 0;
	if (check->tls.resumes && wants_days)
		veer_json_fail(c, "tls_resume", VEER_EINVAL,
			       "a certificate is not seen when a session is resumed: not with cert_warn_days or "
			       "cert_fail_days");
	else if (check->keeps_connection && wants_days)
		veer_json_fail(c, "keep_connection", VEER_EINVAL,
			       "a certificate is seen when a connection begins: not with cert_warn_days or "
			       "cert_fail_days");
}

static void judge(struct json_cursor *c, const struct model_check *check)
{
	if (c->err == VEER_OK && (check->kind == MODEL_CHECK_HTTP || check->kind == MODEL_CHECK_HTTPS))
		judge_http(c, &check->http);
	if (c->err == VEER_OK && check->tls.is_used)
		judge_tls(c, check);
	if (c->err == VEER_OK && check->kind == MODEL_CHECK_UDP && check->exchange.send.data == NULL)
		veer_json_fail(c, "send", VEER_EINVAL, "is required: a silent UDP port tells nothing");
	if (c->err == VEER_OK && (uint64_t)check->timeout_ms > (uint64_t)check->interval_ms * check->fall)
		veer_json_fail(c, "timeout_ms", VEER_ERANGE, "must be at most interval_ms x fall (%u)",
			       check->interval_ms * check->fall);
}

/* --- interface --------------------------------------------------------------------------------------------------- */

static enum model_check_kind read_kind(struct json_cursor *c)
{
	const char *texts[MODEL_CHECK_KIND_COUNT];
	for (int i = 0; i < MODEL_CHECK_KIND_COUNT; i++)
		texts[i] = model_check_kind_text((enum model_check_kind)i);
	int kind = veer_json_enum_or(c, "kind", texts, MODEL_CHECK_KIND_COUNT, -1);
	return kind < 0 ? MODEL_CHECK_TCP : (enum model_check_kind)kind;
}

enum veer_err model_check_parse(const json_t *object, struct arena *arena, struct model_check *out,
				struct veer_diag *diag)
{
	static const char *const no_headers[] = {NULL};
	struct json_cursor c;
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	veer_json_begin(&c, object, "", diag);
	struct model_check check = {.regions = 1, .http.headers = no_headers, .grpc_service = ""};
	check.name = model_read_name(&c, arena, "name");
	check.kind = read_kind(&c);
	check.tls.is_used = check.kind == MODEL_CHECK_HTTPS || check.kind == MODEL_CHECK_TLS;
	for (size_t i = 0; i < count && c.err == VEER_OK; i++)
		if (model_check_has(&check, &fields[i]))
			model_read_field(&c, arena, &fields[i], &check);
	judge(&c, &check);
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = check;
	return err;
}
