/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { BODY_MAX = 16 << 20, NODES_MAX = 65536 };

const char *api_query(const struct api_request *request, const char *key)
{
	for (size_t i = 0; i < request->query_count; i++)
		if (strcmp(request->query[i].key, key) == 0)
			return request->query[i].value;
	return NULL;
}

enum veer_err api_body_json(const struct api_request *request, struct api_reply *reply, json_t **out)
{
	struct veer_diag diag = {""};
	enum veer_err err = veer_json_parse_nodes(request->body, request->body_len, BODY_MAX, NODES_MAX, out, &diag);
	if (err != VEER_OK)
		api_problem(reply, 400, "malformed", "the body is not valid JSON: %s", diag.text);
	return err;
}

void api_reply_text(struct api_reply *reply, int status, const char *content_type, char *text, size_t len)
{
	free(reply->body);
	reply->body = NULL;
	reply->body_len = 0;
	if (text == NULL) {
		reply->status = 500;
		return;
	}
	reply->status = status;
	reply->content_type = content_type;
	reply->body = text;
	reply->body_len = len;
}

void api_reply_json(struct api_reply *reply, int status, json_t *value)
{
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	api_reply_text(reply, status, "application/json", text, text != NULL ? strlen(text) : 0);
	json_decref(value);
}

static const char *title_of(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 422:
		return "Unprocessable Content";
	case 429:
		return "Too Many Requests";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 507:
		return "Insufficient Storage";
	default:
		return "Internal Server Error";
	}
}

void api_make_utf8(char *text)
{
	while (*text != '\0') {
		size_t len = text_utf8_len(text);
		if (len == 0)
			*text = '?';
		text += len > 0 ? len : 1;
	}
}

/* Make the reply a problem. Changes `detail` into valid UTF-8. */
static void reply_problem(struct api_reply *reply, int status, const char *slug, char *detail, json_t *errors)
{
	char type[96];
	(void)snprintf(type, sizeof type, "urn:veer:problem:%s", slug);
	api_make_utf8(detail);
	json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", title_of(status), "status", status,
				    "detail", detail);
	if (errors != NULL)
		(void)json_object_set_new(problem, "errors", errors);
	api_reply_json(reply, status, problem);
	reply->content_type = "application/problem+json";
}

/* Copy what a quoted string of a header may hold (RFC 9110 5.6.4, without characters that need a backslash). */
static void note_challenge(struct api_reply *reply, const char *detail)
{
	size_t len = 0;
	for (; *detail != '\0' && len + 1 < sizeof reply->challenge; detail++)
		reply->challenge[len++] = *detail < ' ' || *detail > '~'      ? '?'
					  : *detail == '"' || *detail == '\\' ? '\''
									      : *detail;
	reply->challenge[len] = '\0';
}

void api_problem(struct api_reply *reply, int status, const char *slug, const char *fmt, ...)
{
	char detail[1024];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	if (status == 401)
		note_challenge(reply, detail);
	reply_problem(reply, status, slug, detail, NULL);
}

void api_problem_invalid(struct api_reply *reply, const struct veer_diag *diag)
{
	struct veer_diag copy = *diag;
	json_t *errors = NULL;
	api_make_utf8(copy.text);
	const char *colon = strstr(copy.text, ": ");
	if (colon != NULL && (copy.text[0] == '/' || colon == copy.text))
		errors = json_pack("[{s:s%, s:s}]", "pointer", copy.text, (size_t)(colon - copy.text), "detail",
				   colon + 2);
	reply_problem(reply, 422, "invalid", copy.text, errors);
}

void api_problem_err(struct api_reply *reply, enum veer_err err)
{
	switch (err) {
	case VEER_ENOTFOUND:
		api_problem(reply, 404, "not-found", "there is no such object");
		break;
	case VEER_EEXISTS:
	case VEER_ECONFLICT:
		api_problem(reply, 409, "conflict", "somebody else changed it meanwhile: read it again, then retry");
		break;
	case VEER_ESPACE:
		api_problem(reply, 507, "disk-full", "less than 5 %% of the disk is free: make room, then retry");
		break;
	case VEER_ERANGE:
		api_problem(reply, 422, "too-large", "the object is larger than the store takes");
		break;
	case VEER_ELIMIT:
	case VEER_EBUSY:
		api_problem(reply, 503, "busy", "too much at once: retry in a second");
		break;
	case VEER_ESTALE:
		api_problem(reply, 503, "store-replaced",
			    "the store was put back while in use: this server starts anew, retry in a second");
		break;
	case VEER_OK:
	case VEER_ENOMEM:
	case VEER_EINVAL:
	case VEER_EIO:
	case VEER_ETIMEOUT:
	case VEER_EAUTH:
	case VEER_ECORRUPT:
	case VEER_ECLOSED:
	case VEER_EUNSUPPORTED:
		api_problem(reply, 500, "internal", "%s", veer_err_text(err));
		break;
	}
}

static const struct {
	enum api_scope scope;
	const char *text;
} scope_texts[] = {
	{API_SCOPE_ADMIN, "admin"},
	{API_SCOPE_ZONES_READ, "zones:read"},
	{API_SCOPE_ZONES_WRITE, "zones:write"},
	{API_SCOPE_HEALTH_READ, "health:read"},
	{API_SCOPE_HEALTH_PUSH, "health:push"},
	{API_SCOPE_HEALTH_WRITE, "health:write"},
	{API_SCOPE_AGENTS, "agents"},
	{API_SCOPE_TOKENS, "tokens"},
	{API_SCOPE_FEED, "feed:read"},
};

enum api_scope api_scope_from_text(const char *text)
{
	for (size_t i = 0; i < sizeof scope_texts / sizeof scope_texts[0]; i++)
		if (strcmp(scope_texts[i].text, text) == 0)
			return scope_texts[i].scope;
	return API_SCOPE_NONE;
}

const char *api_scope_text(enum api_scope scope)
{
	for (size_t i = 0; i < sizeof scope_texts / sizeof scope_texts[0]; i++)
		if ((scope_texts[i].scope & scope) != 0) /* if several scopes would do, name the narrowest */
			return scope_texts[i].text;
	return NULL;
}
