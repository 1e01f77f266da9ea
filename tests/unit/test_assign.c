/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "probes/verdict/assign.h"

#define GOLDEN "tests/data/formats/assignments.ndjson"
#define MANY_AGENTS 100

static struct arena *new_arena(void)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	assert_non_null(arena);
	return arena;
}

/* Line `number` (from 0) of the golden file, with its newline. */
static char *golden_line(int number)
{
	struct veer_diag diag;
	char *text = NULL;
	assert_int_equal(file_read(GOLDEN, 1 << 20, &text, NULL, &diag), VEER_OK);
	const char *line = text;
	for (int i = 0; i < number; i++) {
		line = strchr(line, '\n');
		assert_non_null(line);
		line++;
	}
	char *copy = strndup(line, strcspn(line, "\n") + 1);
	assert_non_null(copy);
	free(text);
	return copy;
}

static enum veer_err parse(struct arena *arena, const char *text, struct assign_message *out)
{
	struct veer_diag diag = {""};
	return assign_line_parse(text, strlen(text), arena, out, &diag);
}

/* Two agents, two checks, two pools, not sorted. */
static const struct model_status_range ok_range = {200, 299};
static const char *const no_headers[] = {NULL};
static const struct model_check checks[] = {
	{.name = "web",
	 .kind = MODEL_CHECK_HTTP,
	 .port = 80,
	 .http.method = "GET",
	 .http.path = "/",
	 .http.headers = no_headers,
	 .http.expect_status = &ok_range,
	 .http.expect_status_count = 1,
	 .interval_ms = 500,
	 .timeout_ms = 250,
	 .fall = 2,
	 .rise = 2},
	{.name = "db",
	 .kind = MODEL_CHECK_TCP,
	 .port = 5432,
	 .interval_ms = 5000,
	 .timeout_ms = 2000,
	 .fall = 3,
	 .rise = 2,
	 .hold_s = 10,
	 .grpc_service = "",
	 .http.headers = no_headers,
	 .is_warning = true},
};
static const char *const both[] = {"web", "missing", "db", "web"};
static const char *const web_only[] = {"web"};
static const struct model_endpoint b_endpoints[] = {
	{.name = "y", .site = "iad", .address = "192.0.2.3"},
	{.name = "x", .site = "fra", .address = "192.0.2.4"},
};
static const struct model_endpoint a_endpoints[] = {{.name = "z", .site = "fra", .address = "192.0.2.1"}};
static const struct model_pool pools[] = {
	{.name = "b", .checks = both, .check_count = 4, .endpoints = b_endpoints, .endpoint_count = 2},
	{.name = "a", .checks = web_only, .check_count = 1, .endpoints = a_endpoints, .endpoint_count = 1},
	{.name = "c", .endpoints = a_endpoints, .endpoint_count = 1},
};
static const struct assign_agent agents[] = {{.id = "ag-2"}, {.id = "ag-1"}, {.id = "ag-0", .is_revoked = true}};

static struct assign_plan *make(struct arena *arena)
{
	const struct assign_input input = {.revision = 7,
					   .checks = checks,
					   .check_count = 2,
					   .pools = pools,
					   .pool_count = 3,
					   .agents = agents,
					   .agent_count = 3};
	struct assign_plan *plan = NULL;
	struct veer_diag diag;
	assert_int_equal(assign_plan_make(&input, arena, &plan, &diag), VEER_OK);
	return plan;
}

static void the_engine_gets_everything_in_the_order_of_names(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	const struct assign_plan *plan = make(arena);
	const struct verdict_config *config = &plan->config;
	assert_int_equal(config->assignment_revision, 7);
	assert_int_equal(config->report_ms, 1000);
	assert_int_equal(config->agent_count, 3);
	assert_string_equal(config->agents[0].id, "ag-0");
	assert_true(config->agents[0].is_revoked);
	assert_string_equal(config->checks[0].name, "db");
	assert_true(config->checks[0].is_warning);
	assert_int_equal(config->checks[0].hold_s, 10);
	assert_int_equal(config->checks[1].agent_count, 2);
	assert_int_equal(config->checks[1].agents[0], 1);
	assert_int_equal(config->checks[1].agents[1], 2);
	assert_int_equal(config->endpoint_count, 4);
	assert_string_equal(config->endpoints[0].key, "a/z");
	assert_string_equal(config->endpoints[1].key, "b/y");
	assert_string_equal(config->endpoints[2].key, "b/x");
	assert_string_equal(config->endpoints[3].key, "c/z");
	assert_int_equal(config->endpoints[1].check_count, 2); /* the missing and the duplicate check are left out */
	assert_int_equal(config->endpoints[3].check_count, 0);
	struct verdict_engine *engine = verdict_engine_new(NULL);
	struct veer_diag diag;
	assert_int_equal(verdict_configure(engine, config, 0, &diag), VEER_OK);
	verdict_engine_free(&engine);
	arena_free(&arena);
}

static void an_agents_list_is_in_the_order_of_the_engines_items(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	const struct assign_plan *plan = make(arena);
	struct assignments list;
	assert_int_equal(assign_for_agent(plan, "ag-2", arena, &list), VEER_OK);
	assert_int_equal(list.revision, 7);
	assert_int_equal(list.report_ms, 1000);
	assert_int_equal(list.check_count, 2);
	assert_int_equal(list.item_count, 5);
	assert_string_equal(list.items[0].endpoint, "a/z");
	assert_string_equal(list.checks[list.items[0].check].name, "web");
	assert_int_equal(list.items[0].phase_ms, 250); /* the second of two items in 500 ms */
	assert_string_equal(list.items[1].endpoint, "b/y");
	assert_string_equal(list.checks[list.items[1].check].name, "web");
	assert_string_equal(list.items[2].endpoint, "b/y");
	assert_string_equal(list.checks[list.items[2].check].name, "db");
	assert_int_equal(list.items[2].phase_ms, 2500);
	assert_string_equal(list.items[4].address, "192.0.2.4");
	assert_int_equal(assign_for_agent(plan, "ag-1", arena, &list), VEER_OK);
	assert_int_equal(list.items[0].phase_ms, 0);
	assert_int_equal(assign_for_agent(plan, "ag-0", arena, &list), VEER_OK); /* revoked */
	assert_int_equal(list.item_count, 0);
	assert_int_equal(assign_for_agent(plan, "ag-9", arena, &list), VEER_OK);
	assert_int_equal(list.item_count, 0);
	arena_free(&arena);
}

static void a_fingerprint_follows_what_is_probed_only(void **state)
{
	(void)state;
	for (int i = 0; i < 11; i++) {
		static const char *const header[] = {"X-Probe: veer", NULL};
		static const struct model_status_range other = {200, 204};
		struct arena *arena = new_arena();
		struct model_check changed = checks[0];
		switch (i) {
		case 0:
			changed.port = 81;
			break;
		case 1:
			changed.http.path = "/x";
			break;
		case 2:
			changed.http.host = "h";
			break;
		case 3:
			changed.http.headers = header;
			break;
		case 4:
			changed.http.expect_status = &other;
			break;
		case 5:
			changed.kind = MODEL_CHECK_HTTPS;
			break;
		case 6:
			changed.tls.sni = "h";
			break;
		case 7:
			changed.tls.verify = true;
			break;
		case 8:
			changed.tls.resumes = true;
			break;
		case 9:
			changed.http.version = MODEL_HTTP_ANY;
			break;
		default: /* parameters that affect only how results are judged do not change what is probed */
			changed.interval_ms = 700;
			changed.fall = 5;
			changed.quorum = 1;
			break;
		}
		const struct model_check *const versions[2] = {&checks[0], &changed};
		uint64_t prints[2];
		for (int k = 0; k < 2; k++) {
			const struct assign_input input = {.checks = versions[k], .check_count = 1};
			struct assign_plan *plan = NULL;
			assert_int_equal(assign_plan_make(&input, arena, &plan, NULL), VEER_OK);
			prints[k] = plan->config.checks[0].fingerprint;
		}
		assert_int_equal(prints[0] == prints[1], i == 10);
		arena_free(&arena);
	}
}

static void parts_of_calculated_checks_are_probed_and_do_not_vote(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	static const char *const of_any[] = {"web", "gone", "db"}, *const of_all[] = {"any", "alive"};
	static const char *const listed[] = {"all", "db"};
	const struct model_check many[] = {
		checks[0],
		checks[1],
		{.name = "alive", .kind = MODEL_CHECK_PUSH, .ttl_s = 30, .is_down_on_expiry = true},
		{.name = "any", .kind = MODEL_CHECK_CALCULATED, .of = of_any, .of_count = 3, .need = 1},
		{.name = "all", .kind = MODEL_CHECK_CALCULATED, .of = of_all, .of_count = 2, .hold_s = 7},
	};
	const struct model_site sites[] = {{.name = "iad"}, {.name = "fra", .failure_domain = "eu-grid"}};
	const struct model_pool pool = {
		.name = "p", .checks = listed, .check_count = 2, .endpoints = b_endpoints, .endpoint_count = 2};
	const struct assign_agent three[] = {{.id = "ag-1", .region = "eu"}, {.id = "ag-0"}};
	const struct assign_input input = {.checks = many,
					   .check_count = 5,
					   .pools = &pool,
					   .pool_count = 1,
					   .agents = three,
					   .agent_count = 2,
					   .sites = sites,
					   .site_count = 2};
	struct assign_plan *plan = NULL;
	struct assignments list;
	assert_int_equal(assign_plan_make(&input, arena, &plan, NULL), VEER_OK);
	const struct verdict_check *sorted = plan->config.checks; /* the sorted names are: alive all any db web */
	assert_int_equal(sorted[0].source, VERDICT_SOURCE_PUSH);
	assert_int_equal(sorted[0].ttl_ms, 30000);
	assert_true(sorted[0].is_down_on_expiry);
	assert_int_equal(sorted[0].agent_count, 0);
	assert_int_equal(sorted[1].source, VERDICT_SOURCE_CALCULATED);
	assert_int_equal(sorted[1].of_count, 2);
	assert_int_equal(sorted[2].of_count, 2);
	assert_int_equal(sorted[2].lost_count, 1);
	assert_int_equal(sorted[2].need, 1);
	const struct verdict_endpoint *endpoint = &plan->config.endpoints[0];
	static const uint32_t expected[] = {1, 3, 2, 0, 4};
	assert_int_equal(endpoint->check_count, 5);
	assert_int_equal(endpoint->part_count, 3);
	assert_memory_equal(endpoint->checks, expected, sizeof expected);
	assert_null(endpoint->domain);
	assert_string_equal(plan->config.endpoints[1].domain, "eu-grid");
	assert_string_equal(plan->config.agents[1].region, "eu");
	assert_int_equal(assign_for_agent(plan, "ag-0", arena, &list), VEER_OK);
	assert_int_equal(list.check_count, 2);
	assert_int_equal(list.item_count, 4);
	struct verdict_engine *engine = verdict_engine_new(NULL);
	assert_int_equal(verdict_configure(engine, &plan->config, 1, NULL), VEER_OK);
	verdict_engine_free(&engine);
	arena_free(&arena);
}

/* A store may hold what the API would refuse. That must not prevent the rest from taking effect. */
static void a_loop_of_calculated_checks_is_unknown_and_harmless(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	static const char *const of_a[] = {"b"}, *const of_b[] = {"a", "web"}, *const of_c[] = {"c"};
	const struct model_check loop[] = {
		{.name = "a", .kind = MODEL_CHECK_CALCULATED, .of = of_a, .of_count = 1},
		{.name = "b", .kind = MODEL_CHECK_CALCULATED, .of = of_b, .of_count = 2},
		{.name = "c", .kind = MODEL_CHECK_CALCULATED, .of = of_c, .of_count = 1},
		checks[0],
	};
	const struct assign_input input = {.checks = loop, .check_count = 4};
	struct assign_plan *plan = NULL;
	assert_int_equal(assign_plan_make(&input, arena, &plan, NULL), VEER_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(plan->config.checks[i].of_count, 0);
	assert_int_equal(plan->config.checks[1].lost_count, 2);
	struct verdict_engine *engine = verdict_engine_new(NULL);
	assert_int_equal(verdict_configure(engine, &plan->config, 1, NULL), VEER_OK);
	verdict_engine_free(&engine);
	assert_ptr_equal(assign_unsound_check(loop, 4, arena), &loop[0]);
	assert_null(assign_unsound_check(loop + 3, 1, arena));
	arena_free(&arena);
}

/* Which of `count` agents are chosen for one check, as a mask over MANY_AGENTS. */
static void chosen(uint32_t count, uint32_t without, bool *out)
{
	static char ids[MANY_AGENTS][16];
	struct assign_agent many[MANY_AGENTS];
	struct arena *arena = new_arena();
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(ids[i], sizeof ids[i], "ag-%03u", i);
		many[i] = (struct assign_agent){.id = ids[i], .is_revoked = i == without};
	}
	const struct assign_input input = {.checks = checks, .check_count = 1, .agents = many, .agent_count = count};
	struct assign_plan *plan = NULL;
	assert_int_equal(assign_plan_make(&input, arena, &plan, NULL), VEER_OK);
	assert_int_equal(plan->config.checks[0].agent_count, MODEL_AGENTS_MAX);
	memset(out, 0, MANY_AGENTS);
	for (uint32_t i = 0; i < MODEL_AGENTS_MAX; i++)
		out[plan->config.checks[0].agents[i]] = true;
	arena_free(&arena);
}

static void of_many_agents_the_same_are_chosen_when_one_goes(void **state)
{
	(void)state;
	bool before[MANY_AGENTS];
	bool after[MANY_AGENTS];
	chosen(MANY_AGENTS, MANY_AGENTS, before);
	uint32_t gone = 0;
	while (!before[gone])
		gone++;
	chosen(MANY_AGENTS, gone, after);
	int changed = 0;
	for (uint32_t i = 0; i < MANY_AGENTS; i++)
		changed += before[i] != after[i];
	assert_int_equal(changed, 2); /* one out, one in */
}

static void too_many_items_are_refused(void **state)
{
	(void)state;
	enum { POOLS = 70, EACH = 1000 };
	struct arena *arena = new_arena();
	struct model_endpoint *endpoints = arena_calloc(arena, EACH, sizeof *endpoints);
	struct model_pool *many = arena_calloc(arena, POOLS, sizeof *many);
	for (int i = 0; i < EACH; i++)
		endpoints[i] = a_endpoints[0];
	for (int i = 0; i < POOLS; i++) {
		many[i] = pools[1];
		many[i].endpoints = endpoints;
		many[i].endpoint_count = EACH;
	}
	const struct assign_input input = {.checks = checks, .check_count = 2, .pools = many, .pool_count = POOLS};
	struct assign_plan *plan = NULL;
	struct veer_diag diag;
	assert_int_equal(assign_plan_make(&input, arena, &plan, &diag), VEER_ELIMIT);
	arena_free(&arena);
}

static void the_golden_lines_are_read(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	struct assign_message message;
	char *lines[4];
	for (int i = 0; i < 4; i++)
		lines[i] = golden_line(i);
	assert_int_equal(parse(arena, lines[0], &message), VEER_OK);
	assert_int_equal(message.kind, ASSIGN_LINE_HELLO);
	assert_string_equal(message.store_id, "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b");
	assert_string_equal(message.agent, "ag-k3v0x9");
	assert_string_equal(message.region, "eu");
	assert_int_equal(parse(arena, lines[1], &message), VEER_OK);
	assert_int_equal(message.kind, ASSIGN_LINE_ASSIGNMENTS);
	assert_int_equal(message.list.revision, 812);
	assert_int_equal(message.list.report_ms, 1000);
	assert_int_equal(message.list.check_count, 2);
	assert_int_equal(message.list.checks[1].kind, MODEL_CHECK_TCP);
	assert_int_equal(message.list.item_count, 2);
	assert_int_equal(message.list.items[1].check, 1);
	assert_string_equal(message.list.items[1].endpoint, "fra/fra");
	assert_string_equal(message.list.items[1].address, "127.0.1.1");
	assert_int_equal(message.list.items[1].phase_ms, 1666);
	assert_int_equal(parse(arena, lines[2], &message), VEER_OK);
	assert_int_equal(message.kind, ASSIGN_LINE_CONFIRM);
	assert_string_equal(message.check, "web");
	assert_string_equal(message.endpoint, "fra/fra");
	assert_int_equal(parse(arena, lines[3], &message), VEER_OK);
	assert_int_equal(message.kind, ASSIGN_LINE_HEARTBEAT);
	for (int i = 0; i < 4; i++)
		free(lines[i]);
	arena_free(&arena);
}

static void the_golden_lines_are_written_byte_for_byte(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	struct assign_message message;
	char *lines[4];
	char *written[4];
	size_t len = 0;
	for (int i = 0; i < 4; i++)
		lines[i] = golden_line(i);
	assert_int_equal(parse(arena, lines[1], &message), VEER_OK);
	written[0] = assign_hello_write("0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b", "ag-k3v0x9", "eu");
	assert_int_equal(assignments_write(&message.list, &written[1], &len), VEER_OK);
	assert_int_equal(len, strlen(lines[1]));
	written[2] = assign_confirm_write("web", "fra/fra");
	written[3] = strdup(ASSIGN_HEARTBEAT_LINE);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(written[i], lines[i]);
		free(written[i]);
		free(lines[i]);
	}
	arena_free(&arena);
}

static void every_field_of_a_check_survives_the_way(void **state)
{
	(void)state;
	static const char *const headers[] = {"X-Probe: veer: yes", "Accept: */*", NULL};
	static const struct model_status_range ranges[] = {{200, 299}, {301, 301}};
	const struct model_check full = {.name = "tls",
					 .kind = MODEL_CHECK_HTTPS,
					 .port = 8443,
					 .http.method = "HEAD",
					 .http.path = "/h?x=1",
					 .http.host = "www.example.com",
					 .tls.sni = "sni.example.com",
					 .http.headers = headers,
					 .http.expect_status = ranges,
					 .http.expect_status_count = 2,
					 .tls.verify = false,
					 .tls.is_used = true,
					 .tls.resumes = true,
					 .http.version = MODEL_HTTP_ANY,
					 .tls.ca_file = "/etc/ca.pem",
					 .interval_ms = 1500,
					 .timeout_ms = 700,
					 .fall = 3,
					 .rise = 4,
					 .hold_s = 11,
					 .quorum = 2};
	const struct assign_item item = {.check = 0, .endpoint = "p/e", .address = "2001:db8::1", .phase_ms = 3};
	const struct assignments list = {
		.revision = 9, .report_ms = 500, .checks = &full, .check_count = 1, .items = &item, .item_count = 1};
	struct arena *arena = new_arena();
	struct assign_message message;
	size_t len = 0;
	char *line = NULL;
	assert_int_equal(assignments_write(&list, &line, &len), VEER_OK);
	assert_int_equal(parse(arena, line, &message), VEER_OK);
	const struct model_check *read = &message.list.checks[0];
	assert_string_equal(read->http.method, "HEAD");
	assert_string_equal(read->http.path, "/h?x=1");
	assert_string_equal(read->http.host, full.http.host);
	assert_string_equal(read->tls.sni, full.tls.sni);
	assert_string_equal(read->http.headers[0], headers[0]);
	assert_string_equal(read->http.headers[1], headers[1]);
	assert_null(read->http.headers[2]);
	assert_int_equal(read->http.expect_status_count, 2);
	assert_int_equal(read->http.expect_status[1].last, 301);
	assert_false(read->tls.verify);
	assert_true(read->tls.resumes);
	assert_int_equal(read->http.version, MODEL_HTTP_ANY);
	assert_string_equal(read->tls.ca_file, full.tls.ca_file);
	assert_int_equal(read->interval_ms, 1500);
	assert_int_equal(read->quorum, 2);
	assert_int_equal(read->hold_s, 11);
	char *again = NULL;
	assert_int_equal(assignments_write(&message.list, &again, &len), VEER_OK);
	assert_string_equal(again, line);
	free(again);
	free(line);
	arena_free(&arena);
}

static void what_a_newer_sender_adds_is_ignored(void **state)
{
	(void)state;
	struct arena *arena = new_arena();
	struct assign_message message;
	assert_int_equal(parse(arena, "{\"type\":\"heartbeat\",\"new\":1}", &message), VEER_OK);
	assert_int_equal(parse(arena, "{\"type\":\"advice\"}", &message), VEER_OK);
	assert_int_equal(message.kind, ASSIGN_LINE_OTHER);
	assert_int_equal(
		parse(arena,
		      "{\"type\":\"assignments\",\"revision\":1,\"report_ms\":1000,\"new\":[],\"checks\":["
		      "{\"name\":\"a\",\"kind\":\"tcp\",\"port\":1,\"new\":{}},{\"name\":\"b\",\"kind\":\"pigeon\"}],"
		      "\"items\":[{\"check\":\"b\",\"endpoint\":\"p/e\",\"address\":\"::1\",\"phase_ms\":0,\"new\":1},"
		      "{\"check\":\"a\",\"endpoint\":\"p/e\",\"address\":\"::1\",\"phase_ms\":0}]}",
		      &message),
		VEER_OK);
	assert_int_equal(message.list.check_count, 1);
	assert_int_equal(message.list.items[0].check, ASSIGN_CHECK_UNSUPPORTED);
	assert_int_equal(message.list.items[1].check, 0);
	arena_free(&arena);
}

static void broken_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"[]",
		"{}",
		"{\"type\":1}",
		"{\"type\":\"hello\",\"format\":2,\"store_id\":\"a\",\"agent\":\"a\",\"region\":\"a\"}",
		"{\"type\":\"hello\",\"format\":1,\"agent\":\"a\",\"region\":\"a\"}",
		"{\"type\":\"confirm\",\"check\":\"web\"}",
		"{\"type\":\"assignments\",\"revision\":1,\"report_ms\":0,\"checks\":[],\"items\":[]}",
		"{\"type\":\"assignments\",\"revision\":-1,\"report_ms\":1000,\"checks\":[],\"items\":[]}",
		"{\"type\":\"assignments\",\"revision\":1,\"report_ms\":1000,\"checks\":[]}",
		"{\"type\":\"assignments\",\"revision\":1,\"report_ms\":1000,\"checks\":{},\"items\":[]}",
		"{\"type\":\"assignments\",\"revision\":1,\"report_ms\":1000,\"checks\":[1],\"items\":[]}",
		"{\"type\":\"assignments\",\"revision\":1,\"report_ms\":1000,\"checks\":[],\"items\":[{\"check\":\"x\","
		"\"endpoint\":\"p/e\",\"address\":\"::1\",\"phase_ms\":0}]}",
		"{\"type\":\"assignments\",\"revision\":1,\"report_ms\":1000,\"checks\":[{\"name\":\"a\"},{\"name\":"
		"\"a\"}],\"items\":[]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct arena *arena = new_arena();
		struct assign_message message;
		assert_int_not_equal(parse(arena, lines[i], &message), VEER_OK);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_engine_gets_everything_in_the_order_of_names),
		cmocka_unit_test(an_agents_list_is_in_the_order_of_the_engines_items),
		cmocka_unit_test(a_fingerprint_follows_what_is_probed_only),
		cmocka_unit_test(parts_of_calculated_checks_are_probed_and_do_not_vote),
		cmocka_unit_test(a_loop_of_calculated_checks_is_unknown_and_harmless),
		cmocka_unit_test(of_many_agents_the_same_are_chosen_when_one_goes),
		cmocka_unit_test(too_many_items_are_refused),
		cmocka_unit_test(the_golden_lines_are_read),
		cmocka_unit_test(the_golden_lines_are_written_byte_for_byte),
		cmocka_unit_test(every_field_of_a_check_survives_the_way),
		cmocka_unit_test(what_a_newer_sender_adds_is_ignored),
		cmocka_unit_test(broken_lines_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
