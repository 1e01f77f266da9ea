/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication. The kernel identifies the Unix socket's owner and, if it has a user of its own, the name server; all
 * others send "Authorization: Bearer ID.SECRET". The store keeps SHA-256 of secrets (256 random bits need no slow
 * hash). An unknown id costs the same comparison as a known one.
 */
#include <stdio.h>
#include <string.h>

#include "api/rest/api.h"
#include "base/crypto.h"

enum { SECRET_MAX = 128 };

struct credential {
	char hash[CRYPTO_SHA256_HEX_SIZE]; /* "" when there is no such credential */
	const char *why_not;               /* why it is not good (revoked, or expired); NULL: it is good. Static */
	int64_t now_s;
	unsigned scopes;
};

/* The scopes of a stored token: bits of enum api_scope. */
static unsigned scopes_of(const json_t *token)
{
	size_t i;
	json_t *scope;
	unsigned scopes = 0;
	json_array_foreach(json_object_get(token, "scopes"), i, scope) if (json_is_string(scope)) scopes |=
		api_scope_from_text(json_string_value(scope));
	return scopes;
}

static bool read_credential(void *ctx, const struct directory_entry *entry)
{
	struct credential *credential = ctx;
	const char *hash = json_string_value(json_object_get(entry->object, model_kind_row(entry->kind)->secret));
	const char *state = json_string_value(json_object_get(entry->object, "state"));
	int64_t expires_s = json_integer_value(json_object_get(entry->object, "expires_s"));
	if (hash != NULL && strlen(hash) == CRYPTO_SHA256_HEX_SIZE - 1)
		memcpy(credential->hash, hash, sizeof credential->hash);
	if (entry->kind != MODEL_KIND_TOKEN && (state == NULL || strcmp(state, "enrolled") != 0))
		credential->why_not = "it was revoked";
	else if (entry->kind == MODEL_KIND_TOKEN && expires_s != 0 && credential->now_s >= expires_s)
		credential->why_not = "it has expired";
	credential->scopes = scopes_of(entry->object);
	return true;
}

static bool split_bearer(const char *header, char *id, size_t id_size, const char **secret)
{
	static const char scheme[] = "Bearer ";
	if (strncasecmp(header, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *text = header + sizeof scheme - 1;
	const char *dot = strchr(text, '.');
	if (dot == NULL || (size_t)(dot - text) >= id_size || strlen(dot + 1) > SECRET_MAX)
		return false;
	memcpy(id, text, (size_t)(dot - text));
	id[dot - text] = '\0';
	*secret = dot + 1;
	return true;
}

bool api_authenticate(void *ctx, struct api_request *request)
{
	static const struct {
		const char *prefix;
		enum model_kind kind;
		enum api_role role;
	} kinds[] = {
		{"t-", MODEL_KIND_TOKEN, API_ROLE_TOKEN},
		{"ag-", MODEL_KIND_AGENT, API_ROLE_AGENT},
		{"ns-", MODEL_KIND_NAMESERVER, API_ROLE_NAMESERVER},
	};
	struct api *api = ctx;
	struct api_principal *who = &request->principal;
	const char *secret = "";
	if (request->authorization == NULL) {
		who->role = request->is_owner    ? API_ROLE_OWNER
			    : request->is_feeder ? API_ROLE_NAMESERVER
						 : API_ROLE_ANONYMOUS;
		return true;
	}
	char id[API_ID_SIZE] = "", hash[CRYPTO_SHA256_HEX_SIZE];
	struct credential credential = {.now_s = veer_clock_wall_ns(api->control.clock) / 1000000000};
	bool is_formed = split_bearer(request->authorization, id, sizeof id, &secret);
	if (crypto_sha256_hex(secret, strlen(secret), hash) != VEER_OK)
		return false;
	size_t kind = 0;
	while (kind < 2 && strncmp(id, kinds[kind].prefix, strlen(kinds[kind].prefix)) != 0)
		kind++;
	(void)directory_get(api->control.directory, kinds[kind].kind, id, read_credential, &credential);
	if (!crypto_equal(hash, credential.hash, sizeof hash) || !is_formed)
		return false;
	if (credential.why_not != NULL) { /* only a client that knows the secret is told why */
		request->why_refused = credential.why_not;
		return false;
	}
	if (kinds[kind].role == API_ROLE_TOKEN)
		token_use_note(api->control.token_uses, id, credential.now_s);
	who->role = kinds[kind].role;
	who->scopes = credential.scopes;
	(void)snprintf(who->id, sizeof who->id, "%s", id);
	return true;
}

bool api_revalidate(void *ctx, const struct api_principal *who, enum api_scope scope)
{
	static const enum model_kind kinds[] = {[API_ROLE_TOKEN] = MODEL_KIND_TOKEN,
						[API_ROLE_AGENT] = MODEL_KIND_AGENT,
						[API_ROLE_NAMESERVER] = MODEL_KIND_NAMESERVER};
	struct api *api = ctx;
	struct credential credential = {.now_s = veer_clock_wall_ns(api->control.clock) / 1000000000};
	if (who->role == API_ROLE_ANONYMOUS || who->role == API_ROLE_OWNER)
		return true;
	if (who->role == API_ROLE_NAMESERVER && who->id[0] == '\0') /* known by its user, not revocable */
		return true;
	(void)directory_get(api->control.directory, kinds[who->role], who->id, read_credential, &credential);
	bool is_good = credential.hash[0] != '\0' && credential.why_not == NULL;
	return is_good &&
	       (who->role != API_ROLE_TOKEN || (credential.scopes & ((unsigned)scope | API_SCOPE_ADMIN)) != 0);
}
