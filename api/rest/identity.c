/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents and name servers: which of them may talk to the control plane. An agent or name server is first announced by
 * an administrator (a one-use enrolment token), then enrols itself (enrolment.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/credentials.h"
#include "api/rest/api.h"
#include "api/rest/enrolment.h"
#include "api/rest/handlers.h"
#include "api/rest/secrets.h"

static void announce(struct api *api, struct api_request *request, struct api_reply *reply, struct announcement_wish *w)
{
	char secret[SECRET_SIZE], hash[CRYPTO_SHA256_HEX_SIZE], expires[VEER_RFC3339_SIZE];
	struct change_result result;
	if (!secret_draw("vre_", secret, hash)) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	w->hash = hash;
	w->expires_ns = veer_clock_wall_ns(api->control.clock) + (int64_t)ENROLMENT_HOURS * 3600 * 1000000000;
	veer_rfc3339(w->expires_ns, expires);
	enum veer_err err = api_change_always(api, request, announcement_wish(w), &result);
	if (err != VEER_OK)
		api_problem_change(reply, err, &result);
	else
		api_reply_json(reply, 201,
			       json_pack("{s:s, s:s, s:s?, s:s}", "token", secret, "name", w->name, "region", w->region,
					 "expires_at", expires));
}

/* Announce an agent or name server: makes an enrolment token. */
void handle_identity_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	bool is_agent = request->arg == MODEL_KIND_AGENT;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	const char *name = veer_json_str(&c, "name", MODEL_NAME_MAX);
	const char *region = is_agent ? veer_json_str(&c, "region", MODEL_NAME_MAX) : NULL;
	const char *site = veer_json_str_or(&c, "site", MODEL_NAME_MAX, NULL);
	if (c.err == VEER_OK && !model_is_name(name))
		veer_json_fail(&c, "name", VEER_EINVAL, "\"%s\" is not a name (1 to 63 of a-z 0-9 -)", name);
	if (c.err == VEER_OK && region != NULL && !model_is_name(region))
		veer_json_fail(&c, "region", VEER_EINVAL, "\"%s\" is not a name (1 to 63 of a-z 0-9 -)", region);
	enum veer_err err = veer_json_end(&c);
	struct announcement_wish w = {.is_agent = is_agent, .name = name, .region = region, .site = site};
	if (err != VEER_OK)
		api_problem_invalid(reply, &diag);
	else
		announce(api, request, reply, &w);
	json_decref(body);
}

/* One identity as it is stored. */
struct found_identity {
	json_t *object;
	int64_t revision;
};

static bool copy_identity(void *ctx, const struct directory_entry *entry)
{
	struct found_identity *found = ctx;
	found->object = json_deep_copy(entry->object);
	found->revision = entry->revision;
	return true;
}

void handle_identity_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct found_identity found = {0};
	if (directory_get(api->control.directory, kind, request->params[0], copy_identity, &found) != VEER_OK) {
		api_problem_missing(reply, kind, request->params[0]);
		return;
	}
	api_hide_secret(kind, found.object);
	(void)json_object_set_new(found.object, "revision", json_integer(found.revision));
	(void)snprintf(reply->etag, sizeof reply->etag, "r%lld", (long long)found.revision);
	api_reply_json(reply, 200, found.object);
}

void handle_identity_revoke(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct change_result result;
	struct identity_end w = {.kind = (enum model_kind)request->arg, .id = request->params[0]};
	enum veer_err err = api_change(ctx, request, identity_end_wish(&w), &result);
	if (err != VEER_OK)
		api_problem_change(reply, err, &result);
}

void handle_identities_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, (enum model_kind)request->arg);
}
