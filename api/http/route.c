/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler a request goes to, and whether its principal may call it. */
#include <stdio.h>
#include <string.h>

#include "api/http/connection.h"
#include "api/http/uri.h"
#include "base/text.h"

/* Match one path, as it was sent and with valid escapes, against one pattern; parameters are decoded into the arena. */
static bool match(struct api_request *request, const char *pattern, const char *path)
{
	size_t params = 0;
	while (*pattern != '\0') {
		if (*pattern != '{') {
			bool is_raw = *path != '%'; /* an escaped slash does not separate segments */
			if (*path == '\0' || api_uri_octet(&path) != *pattern || (*pattern == '/' && !is_raw))
				return false;
			pattern++;
			continue;
		}
		bool takes_rest = strstr(pattern, "*}") == pattern + strcspn(pattern, "*");
		size_t len = takes_rest ? strlen(path) : strcspn(path, "/");
		if (len == 0 || params == API_PARAMS_MAX)
			return false;
		char *param = arena_alloc(request->arena, len + 1);
		if (param == NULL)
			return false;
		api_uri_decode(path, len, param);
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
	char allow[sizeof exchange->reply.allow] = "";
	size_t len = 0;
	for (size_t i = 0; i < server->config.route_count; i++) {
		const struct api_route *route = &server->config.routes[i];
		if (!match(request, route->path, request->path))
			continue;
		if (strcmp(route->method, method) == 0)
			return route;
		len += (size_t)snprintf(allow + len, sizeof allow - len, "%s%s%s", len > 0 ? ", " : "", route->method,
					strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
		len = len < sizeof allow ? len : sizeof allow - 1; /* all methods that a path may have fit */
	}
	if (len > 0) {
		api_problem(&exchange->reply, 405, "method", "%s is not possible here, but %s", request->method, allow);
		(void)snprintf(exchange->reply.allow, sizeof exchange->reply.allow, "%s", allow);
	} else
		api_problem(&exchange->reply, 404, "not-found", "there is nothing at %s", request->path);
	return NULL;
}

/* Does the route's list of parameters, separated by blanks, contain this one? */
static bool is_known(const char *list, const char *key)
{
	size_t len = strlen(key);
	for (const char *at = list; at != NULL && *at != '\0'; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strcspn(at, " ") == len && len > 0 && strncmp(at, key, len) == 0)
			return true;
	}
	return false;
}

bool api_route_check_query(struct api_exchange *exchange)
{
	const struct api_request *request = &exchange->request;
	const char *known = exchange->route->query;
	for (size_t i = 0; i < request->query_count; i++) {
		const char *key = request->query[i].key;
		bool is_twice = false;
		for (size_t j = 0; j < i; j++)
			is_twice = is_twice || strcmp(request->query[j].key, key) == 0;
		if (!is_known(known, key)) {
			api_problem(&exchange->reply, 400, "unknown-parameter",
				    known != NULL ? "there is no query parameter \"%.100s\" here; known are: %s"
						  : "there is no query parameter \"%.100s\" here, and no other",
				    key, known);
			return false;
		}
		if (is_twice) {
			api_problem(&exchange->reply, 400, "malformed", "the query parameter \"%s\" stands twice", key);
			return false;
		}
	}
	return true;
}

static void note_refused(struct api_server *server, const struct api_exchange *exchange, int status)
{
	if (server->config.refused != NULL)
		server->config.refused(server->config.ctx, &exchange->request, status);
}

bool api_route_authorise(struct api_server *server, struct api_exchange *exchange)
{
	const struct api_route *route = exchange->route;
	struct api_principal *who = &exchange->request.principal;
	if (!server->config.authenticate(server->config.ctx, &exchange->request)) {
		note_refused(server, exchange, 401);
		const char *why = exchange->request.why_refused;
		api_problem(&exchange->reply, 401, "credentials", "the token is not good: %s",
			    why != NULL ? why : "it is not known here, or its secret is another");
		return false;
	}
	if (who->role == API_ROLE_OWNER)
		return true;
	bool may = (route->roles >> who->role & 1) != 0;
	if (may && who->role == API_ROLE_TOKEN)
		may = (who->scopes & (route->scope | API_SCOPE_ADMIN)) != 0 ||
		      (route->roles >> API_ROLE_ANONYMOUS & 1) != 0; /* anonymous callers are allowed */
	if (may)
		return true;
	note_refused(server, exchange, who->role == API_ROLE_ANONYMOUS ? 401 : 403);
	if (who->role == API_ROLE_ANONYMOUS) {
		api_problem(&exchange->reply, 401, "credentials",
			    "send \"Authorization: Bearer ID.SECRET\"; make a token with: veer token create");
		exchange->reply.challenge[0] = '\0'; /* RFC 6750 3.1: no error code when no credential was shown */
	} else if (who->role == API_ROLE_TOKEN && api_scope_text(route->scope) != NULL)
		api_problem(&exchange->reply, 403, "scope", "the token lacks the scope %s",
			    api_scope_text(route->scope));
	else
		api_problem(&exchange->reply, 403, "role", "this credential is not for this");
	return false;
}
