/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/http/connection.h"
#include "api/rest/api.h"

static const struct api_route routes[] = {
	{.method = "GET", .path = "/a"},         {.method = "PUT", .path = "/a"},   {.method = "POST", .path = "/b"},
	{.method = "DELETE", .path = "/c/{id}"}, {.method = "GET", .path = "/d"},   {.method = "PUT", .path = "/d"},
	{.method = "POST", .path = "/d"},        {.method = "PATCH", .path = "/d"}, {.method = "DELETE", .path = "/d"},
};

/* Ask for a route; returns it, or NULL with the status and Allow of the reply. */
static const struct api_route *find(const struct api_route *table, size_t count, const char *method, const char *path,
				    int *status, char allow[48])
{
	struct api_server *server = calloc(1, sizeof *server);
	struct api_exchange *x = calloc(1, sizeof *x);
	assert_true(server != NULL && x != NULL);
	server->config.routes = table;
	server->config.route_count = count;
	x->request.arena = arena_new(65536);
	x->request.method = method;
	x->request.path = path;
	const struct api_route *route = api_route_find(server, x);
	*status = x->reply.status;
	memcpy(allow, x->reply.allow, sizeof x->reply.allow);
	free(x->reply.body);
	arena_free(&x->request.arena);
	free(x);
	free(server);
	return route;
}

static void a_known_path_lists_its_methods_in_a_405(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *allow;
	} cases[] = {
		{"POST", "/a", 405, "GET, HEAD, PUT"},
		{"GET", "/b", 405, "POST"},
		{"HEAD", "/b", 405, "POST"},
		{"PUT", "/c/1", 405, "DELETE"},
		{"OPTIONS", "/d", 405, "GET, HEAD, PUT, POST, PATCH, DELETE"},
		{"get", "/a", 405, "GET, HEAD, PUT"},
		{"GET", "/e", 404, ""},
		{"DELETE", "/c/", 404, ""},
		{"DELETE", "/c/1/2", 404, ""},
		{"GET", "/a", 0, ""},
		{"HEAD", "/a", 0, ""},
		{"DELETE", "/c/1", 0, ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int status;
		char allow[48];
		const struct api_route *route =
			find(routes, sizeof routes / sizeof routes[0], cases[i].method, cases[i].path, &status, allow);
		assert_int_equal(route != NULL, cases[i].status == 0);
		assert_int_equal(status, cases[i].status);
		assert_string_equal(allow, cases[i].allow);
	}
}

/* More methods than fit are cut; nothing is written beyond the end. */
static void a_list_of_methods_that_is_too_long_is_cut(void **state)
{
	struct api_route many[40];
	int status;
	char allow[48];
	(void)state;
	for (size_t i = 0; i < 40; i++)
		many[i] = (struct api_route){.method = "DELETE", .path = "/"};
	assert_null(find(many, 40, "GET", "/", &status, allow));
	assert_int_equal(status, 405);
	assert_int_equal(strlen(allow), 47);
}

/* Every path of the API: its list of methods must fit. */
static void the_methods_of_every_path_of_the_api_fit(void **state)
{
	size_t count;
	const struct api_route *all = api_routes(&count);
	(void)state;
	for (size_t i = 0; i < count; i++) {
		int status;
		char allow[48];
		assert_null(find(all, count, "TRACE", all[i].path, &status, allow));
		assert_int_equal(status, 405);
		assert_non_null(strstr(allow, all[i].method));
		assert_true(strlen(allow) < 47);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_path_lists_its_methods_in_a_405),
		cmocka_unit_test(a_list_of_methods_that_is_too_long_is_cut),
		cmocka_unit_test(the_methods_of_every_path_of_the_api_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
