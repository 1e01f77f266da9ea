/* SPDX-License-Identifier: Apache-2.0 */
/* Logs who changed what, and whose credential was not good. See audit.h. */
#include "api/rest/audit.h"

#include <stdio.h>
#include <string.h>

#include "api/rest/api.h"
#include "api/rest/handlers.h"

enum { WHO_SIZE = API_ID_SIZE + 300 };

void audit_init(struct audit *audit)
{
	*audit = (struct audit){.written = 0};
	(void)pthread_mutex_init(&audit->lock, NULL);
}

void audit_deinit(struct audit *audit)
{
	(void)pthread_mutex_destroy(&audit->lock);
}

static bool append_name(void *ctx, const struct directory_entry *entry)
{
	const char *name = json_string_value(json_object_get(entry->object, "name"));
	size_t len = strlen(ctx);
	if (name != NULL)
		(void)snprintf((char *)ctx + len, WHO_SIZE - len, " %s", name);
	return true;
}

/* "token t-… deploy", "agent ag-… fra-1", "owner": includes the name that people gave the principal. */
static void print_who(struct api *api, const struct api_principal *who, char out[WHO_SIZE])
{
	static const struct {
		const char *text;
		enum model_kind kind;
	} roles[] = {
		[API_ROLE_TOKEN] = {"token", MODEL_KIND_TOKEN},
		[API_ROLE_AGENT] = {"agent", MODEL_KIND_AGENT},
		[API_ROLE_NAMESERVER] = {"nameserver", MODEL_KIND_NAMESERVER},
	};
	if (who->role == API_ROLE_ANONYMOUS || who->role == API_ROLE_OWNER) {
		(void)snprintf(out, WHO_SIZE, "%s", who->role == API_ROLE_OWNER ? "owner" : "anonymous");
		return;
	}
	(void)snprintf(out, WHO_SIZE, "%s %s", roles[who->role].text, who->id);
	(void)directory_get(api->control.directory, roles[who->role].kind, who->id, append_name, out);
}

/* Is the path PREFIX, something, SUFFIX? */
static bool is_between(const char *path, const char *prefix, const char *suffix)
{
	size_t len = strlen(path), before = strlen(prefix), after = strlen(suffix);
	return len > before + after && strncmp(path, prefix, before) == 0 && strcmp(path + len - after, suffix) == 0;
}

static bool is_change(const struct api_request *request)
{
	static const char *const tellers[] = {"/v1/agents/self/reports", "/v1/uplink"};
	if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
		return false;
	for (size_t i = 0; i < sizeof tellers / sizeof tellers[0]; i++)
		if (strcmp(request->path, tellers[i]) == 0)
			return false;
	return strcmp(request->method, "POST") != 0 || (!is_between(request->path, "/v1/checks/", "/push") &&
							!is_between(request->path, "/v1/zones/", "/delegation"));
}

void api_audit_done(void *ctx, const struct api_request *request, const struct api_reply *reply)
{
	struct api *api = ctx;
	char who[WHO_SIZE];
	if (!is_change(request) || reply->status >= 300)
		return;
	print_who(api, &request->principal, who);
	log_notice(api->control.log, "change", LOG_STR("by", who), LOG_STR("method", request->method),
		   LOG_STR("path", request->path), LOG_STR("from", request->from),
		   LOG_STR("object", reply->location[0] != '\0' ? reply->location : request->path));
}

/* Is there room for a line? If so, `*left_out` is how many lines were left out before it. */
static bool may_write(struct audit *audit, int64_t now_ms, uint64_t *left_out)
{
	(void)pthread_mutex_lock(&audit->lock);
	if (now_ms - audit->window_ms >= AUDIT_WINDOW_MS) {
		audit->window_ms = now_ms;
		audit->written = 0;
	}
	bool fits = audit->written < AUDIT_REFUSED_MAX;
	audit->written += fits;
	*left_out = fits ? audit->left_out : 0;
	audit->left_out = fits ? 0 : audit->left_out + 1;
	(void)pthread_mutex_unlock(&audit->lock);
	return fits;
}

/* The id that the client claimed, without its secret. */
static void print_claim(const struct api_request *request, char out[WHO_SIZE])
{
	static const char scheme[] = "Bearer ";
	const char *text = request->authorization;
	if (text == NULL || strncasecmp(text, scheme, sizeof scheme - 1) != 0) {
		(void)snprintf(out, WHO_SIZE, "%s", text == NULL ? "anonymous" : "another scheme than Bearer");
		return;
	}
	text += sizeof scheme - 1;
	const char *dot = strchr(text, '.');
	if (dot == NULL || dot - text >= API_ID_SIZE)
		(void)snprintf(out, WHO_SIZE, "malformed");
	else
		(void)snprintf(out, WHO_SIZE, "claimed %.*s", (int)(dot - text), text);
}

void api_audit_refused(void *ctx, const struct api_request *request, int status)
{
	struct api *api = ctx;
	char who[WHO_SIZE];
	uint64_t left_out;
	if (!may_write(&api->audit, veer_clock_monotonic_ms(api->control.clock), &left_out))
		return;
	if (request->principal.role == API_ROLE_ANONYMOUS)
		print_claim(request, who);
	else
		print_who(api, &request->principal, who);
	log_warn(api->control.log, "refused", LOG_STR("by", who), LOG_STR("method", request->method),
		 LOG_STR("path", request->path), LOG_STR("from", request->from), LOG_INT("status", status),
		 LOG_STR("reason", request->why_refused != NULL ? request->why_refused : "-"),
		 LOG_INT("left_out", (int64_t)left_out));
}
