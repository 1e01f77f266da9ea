/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/mask.h"

#include <string.h>
#include <strings.h>

#include "api/control/token_limits.h"

static const char hidden[] = "***";

bool mask_is_needed(struct directory *directory, const struct api_principal *who, const json_t *check)
{
	const char *name = json_string_value(json_object_get(check, "name"));
	if (who->role != API_ROLE_TOKEN)
		return false;
	if ((who->scopes & (API_SCOPE_ADMIN | API_SCOPE_HEALTH_WRITE)) == 0 || name == NULL)
		return true;
	return token_judge_change(directory, who->id, TOKEN_LIMIT_CHECKS, name, NULL) != VEER_OK;
}

/* Is it a header that says only what the client accepts, and that cannot contain a secret? */
static bool is_harmless(const char *header)
{
	static const char *const names[] = {"accept",     "accept-charset", "accept-encoding", "accept-language",
					    "connection", "content-type",   "user-agent"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(header, names[i]) == 0)
			return true;
	return false;
}

void mask_check(json_t *check)
{
	static const char *const fields[] = {"body", "send", "expect", "body_contains", "body_regex"};
	json_t *headers = json_object_get(check, "headers"), *command = json_object_get(check, "command");
	const char *name;
	void *next;
	json_t *value;
	json_object_foreach_safe(headers, next, name, value) if (!is_harmless(name))(void)
		json_object_set_new(headers, name, json_string(hidden));
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (json_object_get(check, fields[i]) != NULL)
			(void)json_object_set_new(check, fields[i], json_string(hidden));
	for (size_t i = 1; i < json_array_size(command); i++)
		(void)json_array_set_new(command, i, json_string(hidden));
	const char *path = json_string_value(json_object_get(check, "path"));
	const char *query = path != NULL ? strchr(path, '?') : NULL;
	if (query != NULL)
		(void)json_object_set_new(check, "path", json_sprintf("%.*s?%s", (int)(query - path), path, hidden));
}

static bool is_hidden(const json_t *value)
{
	return json_is_string(value) && strcmp(json_string_value(value), hidden) == 0;
}

static enum veer_err refuse(struct veer_diag *diag, const char *field, const char *part)
{
	return veer_fail(diag, VEER_EINVAL,
			 "/%s%s%.60s: \"***\" stands for a value that a token may not read unless it may change the "
			 "check; send the value",
			 field, part[0] != '\0' ? "/" : "", part);
}

enum veer_err mask_refuse(const json_t *check, struct veer_diag *diag)
{
	json_t *headers = json_object_get(check, "headers"), *command = json_object_get(check, "command");
	const char *name;
	json_t *value;
	json_object_foreach(headers, name, value) if (is_hidden(value)) return refuse(diag, "headers", name);
	static const char *const fields[] = {"body", "send", "expect", "body_contains", "body_regex"};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (is_hidden(json_object_get(check, fields[i])))
			return refuse(diag, fields[i], "");
	const char *path = json_string_value(json_object_get(check, "path"));
	const char *query = path != NULL ? strchr(path, '?') : NULL;
	if (query != NULL && strcmp(query + 1, hidden) == 0)
		return refuse(diag, "path", "");
	for (size_t i = 1; i < json_array_size(command); i++)
		if (is_hidden(json_array_get(command, i)))
			return refuse(diag, "command", "");
	return VEER_OK;
}
