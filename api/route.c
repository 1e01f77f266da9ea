/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler a request goes to, and whether it may. */
#include <stdio.h>
#include <string.h>

#include "api/connection.h"

/* Match one path against one pattern; parameters are copied into the arena. */
static bool match(struct api_request *request, const char *pattern, const char *path)
{
	size_t params = 0;
	while (*pattern != '\0') {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		bool takes_rest = strstr(pattern, "*}") == pattern + strcspn(pattern, "*");
		size_t len = takes_rest ? strlen(path) : strcspn(path, "/");
		if (len == 0 || params == API_PARAMS_MAX)
			return false;
		char *param = arena_dup(request->arena, path, len + 1);
		if (param == NULL)
			return false;
		param[len] = '\0';
		request->params[params++] = param;
		path += len;
		pattern += strcspn(pattern, "}") + 1;
	}
	return *path == '\0';
}

const struct api_route *api_route_find(struct api_server *server, struct api_exchange *exchange)
{
	struct api_request *request = &exchange->request;
	const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
	bool is_path_known = false;
	for (size_t i = 0; i < server->config.route_count; i++) {
		const struct api_route *route = &server->config.routes[i];
		if (!match(request, route->path, request->path))
			continue;
		if (strcmp(route->method, method) == 0)
			return route;
		is_path_known = true;
	}
	if (is_path_known)
		api_problem(&exchange->reply, 405, "method", "%s is not possible here", request->method);
	else
		api_problem(&exchange->reply, 404, "not-found", "there is nothing at %s", request->path);
	return NULL;
}

bool api_route_authorise(struct api_server *server, struct api_exchange *exchange)
{
	const struct api_route *route = exchange->route;
	struct api_principal *who = &exchange->request.principal;
	if (!server->config.authenticate(server->config.ctx, &exchange->request)) {
		api_problem(&exchange->reply, 401, "credentials", "the bearer token is not known, or was revoked");
		return false;
	}
	if (who->role == API_ROLE_OWNER)
		return true;
	bool may = (route->roles >> who->role & 1) != 0;
	if (may && who->role == API_ROLE_TOKEN)
		may = (who->scopes & (route->scope | API_SCOPE_ADMIN)) != 0;
	if (may)
		return true;
	if (who->role == API_ROLE_ANONYMOUS)
		api_problem(&exchange->reply, 401, "credentials",
			    "send \"Authorization: Bearer ID.SECRET\"; make a token with: veer token create");
	else if (who->role == API_ROLE_TOKEN && api_scope_text(route->scope) != NULL)
		api_problem(&exchange->reply, 403, "scope", "the token lacks the scope %s",
			    api_scope_text(route->scope));
	else
		api_problem(&exchange->reply, 403, "role", "this credential is not for this");
	return false;
}
