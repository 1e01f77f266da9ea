/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "zones/plan/policy.h"

#define POOLS_MAX 8

/* Pools by name with settable flags, and a compiled policy over them. */
struct world {
	struct arena *arena;
	struct policy_compiler *compiler;
	struct policy_pool pools[POOLS_MAX];
	struct model_pool models[POOLS_MAX];
	uint8_t flags[POOLS_MAX][MODEL_ENDPOINTS_MAX];
	unsigned pool_count;
	struct model_policy policy;
	struct policy_program *program;
};

static uint16_t code(const char *text)
{
	return (uint16_t)(text != NULL ? text[0] << 8 | text[1] : 0);
}

static json_t *json(const char *text)
{
	json_t *value = NULL;
	struct veer_diag diag = {.text = ""};
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s: %s", text, diag.text);
	return value;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	w->arena = arena_new((size_t)64 << 20);
	w->compiler = policy_compiler_new();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	free(w->program);
	policy_compiler_free(&w->compiler);
	arena_free(&w->arena);
	free(w);
	return 0;
}

static const struct policy_pool *find_pool(void *ctx, const char *name)
{
	struct world *w = ctx;
	for (unsigned i = 0; i < w->pool_count; i++)
		if (strcmp(w->models[i].name, name) == 0)
			return &w->pools[i];
	return NULL;
}

static void add_pool(struct world *w, const char *text)
{
	struct veer_diag diag = {.text = ""};
	json_t *object = json(text);
	unsigned i = w->pool_count++;
	if (model_pool_parse(object, w->arena, &w->models[i], &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	w->pools[i] = (struct policy_pool){.model = &w->models[i], .flags = w->flags[i]};
	json_decref(object);
}

static void flag(struct world *w, const char *pool, const char *endpoint, uint8_t flags)
{
	const struct policy_pool *p = find_pool(w, pool);
	for (uint32_t i = 0; i < p->model->endpoint_count; i++)
		if (endpoint == NULL || strcmp(p->model->endpoints[i].name, endpoint) == 0)
			w->flags[p - w->pools][i] = flags;
}

static void compile(struct world *w, uint16_t type)
{
	free(w->program);
	w->program = NULL;
	assert_int_equal(policy_compile(w->compiler, &w->policy, type, find_pool, w, &w->program), VEER_OK);
}

static void set_policy(struct world *w, const char *text)
{
	struct veer_diag diag = {.text = ""};
	json_t *object = json(text);
	if (model_policy_parse(object, w->arena, &w->policy, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	json_decref(object);
}

/* The answer as text: "A 192.0.2.1 192.0.2.2", "CNAME a.example.", "nodata", "servfail". */
static const char *text_of(const struct policy_outcome *o, char *out)
{
	static const char *const results[] = {"answer", "nodata", "servfail"};
	if (o->result != POLICY_ANSWER)
		return results[o->result];
	uint8_t wire[RRSET_WIRE_MAX];
	struct rrset_view view;
	struct rdata_span rdata;
	size_t len = ready_expand(o->rr, (const uint8_t *)"\1x", NULL, wire, sizeof wire);
	assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
	assert_int_equal(view.type, o->rr->type);
	rrtype_print(view.type, out);
	for (size_t pos = 0; rrset_next(&view, &pos, &rdata);) {
		char address[NAME_TEXT_SIZE];
		if (view.type == RRTYPE_CNAME)
			(void)name_print(rdata.data, address, sizeof address);
		else
			(void)inet_ntop(view.type == RRTYPE_A ? AF_INET : AF_INET6, rdata.data, address,
					sizeof address);
		size_t at = strlen(out);
		(void)snprintf(out + at, 4096 - at, " %s", address);
	}
	return out;
}

static const char *answer(struct world *w, const char *country, enum continent continent, uint64_t random)
{
	static char out[4096];
	struct geo_location location = {.country = code(country), .continent = (uint8_t)continent};
	return text_of(policy_choose(w->program, location, random), out);
}

#define ENDPOINT(name, address) "{\"name\":\"" name "\",\"address\":\"" address "\",\"site\":\"" name "\"}"
#define ENDPOINT_W(name, address, weight)                                                                              \
	"{\"name\":\"" name "\",\"address\":\"" address "\",\"site\":\"" name "\",\"weight\":" weight "}"
#define POOL(name, min_up, endpoints)                                                                                  \
	"{\"name\":\"" name "\",\"checks\":[],\"min_up\":" min_up ",\"endpoints\":[" endpoints "]}"
#define POLICY(tree, down) "{\"name\":\"p\",\"ttl\":5,\"when_all_down\":" down ",\"tree\":" tree "}"

static void three_pools(struct world *w)
{
	add_pool(w, POOL("fra", "1", ENDPOINT("f1", "192.0.2.1")));
	add_pool(w, POOL("iad", "1", ENDPOINT("i1", "192.0.2.2") "," ENDPOINT("i6", "2001:db8::2")));
	add_pool(w, POOL("sin", "1", ENDPOINT("s1", "192.0.2.3")));
}

static void failover_takes_the_first_available(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"failover\":[\"fra\",\"iad\",\"sin\"]}", "\"all\""));
	compile(w, RRTYPE_A);
	assert_false(policy_uses_location(w->program));
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1");
	const struct policy_outcome *o = policy_choose(w->program, (struct geo_location){0}, 1);
	assert_string_equal(o->pool, "fra");
	assert_string_equal(o->endpoint, "f1");
	assert_int_equal(o->rr->ttl, 5);
	assert_int_equal(o->node, 1);
	assert_int_equal(o->turn_count, 1);
	assert_int_equal(o->turns[0].child, 0);
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.2");
	flag(w, "iad", NULL, POLICY_ENDPOINT_OUT);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.3");
	o = policy_choose(w->program, (struct geo_location){0}, 1);
	assert_int_equal(o->turns[0].child, 2);
	assert_int_equal(o->node, 3);
	flag(w, "fra", NULL, 0);
	compile(w, RRTYPE_AAAA); /* only iad has the type, and it is out: as if all were up */
	assert_string_equal(answer(w, NULL, 0, 1), "AAAA 2001:db8::2");
}

static void all_down_answers_as_if_all_were_up(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"failover\":[\"fra\",\"iad\",\"sin\"]}", "\"all\""));
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	flag(w, "iad", NULL, POLICY_ENDPOINT_DOWN);
	flag(w, "sin", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1");
	assert_int_equal(policy_choose(w->program, (struct geo_location){0}, 1)->mode, POLICY_MODE_ALL_IN);
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_OUT);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1),
			    "A 192.0.2.2"); /* what was taken out stays out while others remain */
	compile(w, RRTYPE_CNAME);
	assert_string_equal(answer(w, NULL, 0, 1), "nodata");
}

static void all_down_servfail_is_not_for_missing_types(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"failover\":[\"fra\",\"sin\"]}", "\"servfail\""));
	compile(w, RRTYPE_AAAA);
	assert_string_equal(answer(w, NULL, 0, 1), "nodata");
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	flag(w, "sin", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "servfail");
	compile(w, RRTYPE_AAAA);
	assert_string_equal(answer(w, NULL, 0, 1), "nodata");
}

static void all_down_last_takes_the_last_set(void **state)
{
	struct world *w = *state;
	add_pool(w, POOL("web", "1",
			 ENDPOINT("a", "192.0.2.1") "," ENDPOINT("b", "192.0.2.2") "," ENDPOINT("c", "192.0.2.3")));
	set_policy(w, POLICY("\"web\"", "\"last\""));
	flag(w, "web", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1 192.0.2.2 192.0.2.3");
	w->pools[0].has_last = true;
	flag(w, "web", "b", POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_LAST);
	flag(w, "web", "c", POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_LAST | POLICY_ENDPOINT_OUT);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.2");
	flag(w, "web", "b", POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.3");
	flag(w, "web", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1 192.0.2.2 192.0.2.3");
	flag(w, "web", "a", POLICY_ENDPOINT_LAST);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1");
	assert_int_equal(policy_choose(w->program, (struct geo_location){0}, 1)->mode, POLICY_MODE_NORMAL);
}

static void all_down_pool_is_answered_even_when_down(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("\"fra\"", "{\"pool\":\"sin\"}"));
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.3");
	assert_true(policy_choose(w->program, (struct geo_location){0}, 1)->is_fallback);
	flag(w, "sin", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.3");
	set_policy(w, POLICY("\"fra\"", "{\"pool\":\"gone\"}"));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1");
}

static void min_up_passes_a_weak_pool_over(void **state)
{
	struct world *w = *state;
	add_pool(w, POOL("web", "2", ENDPOINT("a", "192.0.2.1") "," ENDPOINT("b", "192.0.2.2")));
	add_pool(w, POOL("standby", "1", ENDPOINT("s", "192.0.2.9")));
	set_policy(w, POLICY("{\"failover\":[\"web\",\"standby\"]}", "\"all\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.1 192.0.2.2");
	flag(w, "web", "a", POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 1), "A 192.0.2.9");
}

static void match_falls_through_to_the_next_available_rule(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"},"
			     "{\"continents\":[\"EU\",\"NA\"],\"node\":\"iad\"}],\"else\":\"sin\"}",
			     "\"all\""));
	compile(w, RRTYPE_A);
	assert_true(policy_uses_location(w->program));
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.2");
	assert_string_equal(answer(w, "US", CONTINENT_NA, 1), "A 192.0.2.2");
	assert_string_equal(answer(w, "JP", CONTINENT_AS, 1), "A 192.0.2.3");
	assert_string_equal(answer(w, NULL, CONTINENT_NONE, 1), "A 192.0.2.3");
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.2");
	flag(w, "iad", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.3");
	assert_false(policy_uses_location(w->program) && strcmp(answer(w, "US", CONTINENT_NA, 1), "A 192.0.2.3") != 0);
}

/* As large as a policy gets: 1,024 rules, each for 26 codes, and as many weighted children for everybody else. */
static void a_policy_of_1024_rules_and_children(void **state)
{
	struct world *w = *state;
	struct buf text;
	three_pools(w);
	buf_init(&text, 1 << 20);
	buf_puts(&text, "{\"name\":\"www\",\"ttl\":30,\"tree\":{\"match\":[");
	for (unsigned i = 0; i < 1021; i++) {
		buf_puts(&text, i > 0 ? ",{\"countries\":[" : "{\"countries\":[");
		for (unsigned k = 0; k < 26; k++)
			buf_printf(&text, "%s\"%c%c\"", k > 0 ? "," : "", 'A' + i % 26, 'A' + (k * 7 + i) % 26);
		buf_printf(&text, "],\"node\":\"%s\"}", i % 26 == 3 ? "fra" : "iad");
	}
	buf_puts(&text, "],\"else\":{\"weighted\":[");
	for (unsigned i = 0; i < 1024; i++)
		buf_printf(&text, "%s{\"weight\":%u,\"node\":\"%s\"}", i > 0 ? "," : "", i == 1023,
			   i == 1023 ? "sin" : "fra");
	buf_puts(&text, "]}}}");
	assert_false(text.failed);
	set_policy(w, text.data);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.2");
	assert_string_equal(answer(w, NULL, CONTINENT_NONE, 1), "A 192.0.2.3");
	buf_deinit(&text);
}

static void a_match_without_a_rule_for_the_client_is_not_available(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"failover\":[{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]},\"sin\"]}",
			     "\"all\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.3");
}

/* Never empty: whoever asks gets what there is, also clients that no rule has thought of. */
static void a_client_that_no_rule_matches_is_answered_all_the_same(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]}", "\"all\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(answer(w, NULL, CONTINENT_NONE, 1), "A 192.0.2.1");
	set_policy(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]}", "\"servfail\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "servfail");
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	set_policy(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]}", "{\"pool\":\"sin\"}"));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.3");
}

/* A branch without the type is no reason to be empty-handed where another has it. */
static void a_type_that_only_another_branch_has_is_answered_from_there(void **state)
{
	struct world *w = *state;
	add_pool(w, POOL("four", "1", ENDPOINT("a", "192.0.2.1")));
	add_pool(w, POOL("six", "1", ENDPOINT("a", "2001:db8::1")));
	set_policy(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"four\"}],\"else\":\"six\"}", "\"all\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_false(policy_uses_location(w->program)); /* the same for everybody: scope 0 */
	compile(w, RRTYPE_AAAA);
	assert_string_equal(answer(w, "DE", CONTINENT_EU, 1), "AAAA 2001:db8::1");
}

/* Scope 0 (RFC 7871 7.2.1), or resolvers keep an answer for each network in vain. */
static void rules_that_change_nothing_leave_the_scope_0(void **state)
{
	struct world *w = *state;
	three_pools(w);
	set_policy(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}],\"else\":\"fra\"}", "\"all\""));
	compile(w, RRTYPE_A);
	assert_false(policy_uses_location(w->program));
	/* the rule's pool is down: all that is left is the same for everybody */
	set_policy(
		w,
		POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}],\"else\":{\"weighted\":[{\"weight\":1,"
		       "\"node\":\"iad\"},{\"weight\":2,\"node\":\"sin\"}]}}",
		       "\"all\""));
	compile(w, RRTYPE_A);
	assert_true(policy_uses_location(w->program));
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_false(policy_uses_location(w->program));
	compile(w, RRTYPE_AAAA);
	assert_false(policy_uses_location(w->program)); /* nobody has that */
	/* the same endpoints with other weights are another answer */
	set_policy(w,
		   POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":{\"weighted\":[{\"weight\":2,\"node\":\"iad\"},"
			  "{\"weight\":2,\"node\":\"sin\"}]}}],\"else\":{\"weighted\":[{\"weight\":1,"
			  "\"node\":\"iad\"},{\"weight\":2,\"node\":\"sin\"}]}}",
			  "\"all\""));
	compile(w, RRTYPE_A);
	assert_true(policy_uses_location(w->program));
}

/* How often each of the last numbers of 192.0.2.x comes in many draws. */
static void count_draws(struct world *w, unsigned *counts)
{
	uint64_t random = 88172645463325252U;
	memset(counts, 0, 256 * sizeof *counts);
	for (int i = 0; i < 40000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		const char *text = answer(w, NULL, 0, random);
		counts[strtoul(strrchr(text, '.') + 1, NULL, 10) & 255]++;
	}
}

static void weights_are_kept(void **state)
{
	struct world *w = *state;
	unsigned counts[256];
	three_pools(w);
	add_pool(w, POOL("many", "1",
			 ENDPOINT_W("a", "192.0.2.11", "1") "," ENDPOINT_W("b", "192.0.2.12", "3") "," ENDPOINT_W(
				 "z", "192.0.2.13", "0")));
	set_policy(w, POLICY("{\"weighted\":[{\"weight\":3,\"node\":\"fra\"},{\"weight\":1,\"node\":\"iad\"},"
			     "{\"weight\":0,\"node\":\"sin\"}]}",
			     "\"all\""));
	compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_in_range(counts[1], 29500, 30500);
	assert_in_range(counts[2], 9500, 10500);
	assert_int_equal(counts[3], 0);
	flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	flag(w, "iad", NULL, POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_int_equal(counts[3], 40000); /* weight 0 is given out when nothing else is eligible */
	set_policy(w, POLICY("{\"spread\":\"many\"}", "\"all\""));
	compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_in_range(counts[11], 9500, 10500);
	assert_in_range(counts[12], 29500, 30500);
	assert_int_equal(counts[13], 0);
	set_policy(w, POLICY("\"many\"", "\"all\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 5), "A 192.0.2.11 192.0.2.12");
	/* nested choices do not share their random bits */
	set_policy(
		w,
		POLICY("{\"weighted\":[{\"weight\":1,\"node\":{\"spread\":\"many\"}},{\"weight\":1,\"node\":\"sin\"}]}",
		       "\"all\""));
	compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_in_range(counts[3], 19500, 20500);
	assert_in_range(counts[11], 4600, 5400);
	assert_in_range(counts[12], 14500, 15500);
}

static void pools_of_hosts_answer_one_cname(void **state)
{
	struct world *w = *state;
	add_pool(w, POOL("cdn", "1", ENDPOINT("a", "A.cdn.example.") "," ENDPOINT_W("b", "b.cdn.example.", "0")));
	set_policy(w, POLICY("\"cdn\"", "\"all\""));
	compile(w, RRTYPE_CNAME);
	assert_string_equal(answer(w, NULL, 0, 7), "CNAME a.cdn.example.");
	flag(w, "cdn", "a", POLICY_ENDPOINT_DOWN);
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 7), "CNAME b.cdn.example.");
}

static void dangling_pools_do_no_harm(void **state)
{
	struct world *w = *state;
	add_pool(w, POOL("there", "1", ENDPOINT("a", "192.0.2.1")));
	set_policy(w, POLICY("{\"failover\":[\"gone\",\"there\"]}", "\"all\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 7), "A 192.0.2.1");
	set_policy(w, POLICY("\"gone\"", "\"servfail\""));
	compile(w, RRTYPE_A);
	assert_string_equal(answer(w, NULL, 0, 7), "nodata");
}

/* --- random policies against a direct reading of the specification --------------------------------------- */

static uint64_t rng(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void random_node(uint64_t *s, int depth, char *out, size_t size)
{
	static const char *const pools[] = {"p0", "p1", "p2", "p3"};
	static const char *const rules[] = {"\"countries\":[\"DE\",\"US\"]", "\"continents\":[\"EU\"]",
					    "\"countries\":[\"JP\"],\"continents\":[\"NA\"]"};
	char a[2000], b[2000];
	const char *pool = pools[rng(s) % 4];
	uint64_t kind = depth > 0 ? rng(s) % 6 : 0;
	if (kind >= 2) {
		random_node(s, depth - 1, a, size / 3);
		random_node(s, depth - 1, b, size / 3);
	}
	if (kind == 0)
		(void)snprintf(out, size, "\"%s\"", pool);
	else if (kind == 1)
		(void)snprintf(out, size, "{\"spread\":\"%s\"}", pool);
	else if (kind == 2)
		(void)snprintf(out, size, "{\"failover\":[%s,%s]}", a, b);
	else if (kind == 3)
		(void)snprintf(out, size, "{\"weighted\":[{\"weight\":%d,\"node\":%s},{\"weight\":1,\"node\":%s}]}",
			       (int)(rng(s) % 2), a, b);
	else if (kind == 4)
		(void)snprintf(out, size, "{\"match\":[{%s,\"node\":%s}],\"else\":%s}", rules[rng(s) % 3], a, b);
	else
		(void)snprintf(out, size, "{\"match\":[{%s,\"node\":%s},{%s,\"node\":%s}]}", rules[rng(s) % 3], a,
			       rules[rng(s) % 3], b);
}

/* Is a node available for this client, by the words of the specification? */
static bool is_available(struct world *w, const struct model_node *n, uint16_t country, enum continent continent)
{
	if (n->kind == MODEL_NODE_POOL || n->kind == MODEL_NODE_SPREAD) {
		const struct policy_pool *p = find_pool(w, n->pool);
		uint32_t eligible = 0, of_type = 0;
		for (uint32_t i = 0; p != NULL && i < p->model->endpoint_count; i++)
			if ((p->flags[i] & (POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_OUT)) == 0) {
				eligible++;
				of_type += p->model->endpoints[i].kind == MODEL_ADDRESS_IPV4;
			}
		return p != NULL && eligible >= p->model->min_up && of_type > 0;
	}
	for (uint32_t i = 0; i < n->child_count; i++) {
		bool matches = n->kind != MODEL_NODE_MATCH || (n->has_else && i == n->child_count - 1);
		for (uint32_t k = 0; !matches && k < n->rules[i].country_count; k++)
			matches = n->rules[i].countries[k] == country;
		for (uint32_t k = 0; !matches && k < n->rules[i].continent_count; k++)
			matches = continent_from_code(n->rules[i].continents[k]) == continent;
		if (matches && is_available(w, &n->children[i], country, continent))
			return true;
	}
	return false;
}

static void random_policies_keep_their_promises(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *country;
		enum continent continent;
	} clients[] = {{"DE", CONTINENT_EU}, {"US", CONTINENT_NA}, {"FR", CONTINENT_EU},
		       {"JP", CONTINENT_AS}, {"CA", CONTINENT_NA}, {NULL, CONTINENT_NONE}};
	uint64_t s = 4242424242;
	add_pool(w, POOL("p0", "1", ENDPOINT("a", "192.0.2.1")));
	add_pool(w, POOL("p1", "2",
			 ENDPOINT("a", "192.0.2.2") "," ENDPOINT("b", "192.0.2.3") "," ENDPOINT("c", "2001:db8::1")));
	add_pool(w, POOL("p2", "1", ENDPOINT_W("a", "192.0.2.4", "0") "," ENDPOINT("b", "192.0.2.5")));
	for (int round = 0; round < 2000; round++) {
		char tree[6000], text[6200];
		random_node(&s, (int)(rng(&s) % 4), tree, sizeof tree);
		(void)snprintf(text, sizeof text, POLICY("%s", "\"all\""), tree);
		json_t *object = json(text);
		if (model_policy_parse(object, w->arena, &w->policy, NULL) != VEER_OK) {
			json_decref(object);
			continue; /* two weights of 0 */
		}
		json_decref(object);
		for (unsigned p = 0; p < w->pool_count; p++)
			for (unsigned e = 0; e < 3; e++)
				w->flags[p][e] = (uint8_t)(rng(&s) % 2 ? 0 : rng(&s) % 4);
		compile(w, RRTYPE_A);
		for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
			struct geo_location at = {.country = code(clients[i].country),
						  .continent = (uint8_t)clients[i].continent};
			bool available = is_available(w, w->policy.tree, at.country, clients[i].continent);
			for (int draw = 0; draw < 4; draw++) {
				const struct policy_outcome *o = policy_choose(w->program, at, rng(&s));
				assert_int_equal(o->result == POLICY_ANSWER && o->mode == POLICY_MODE_NORMAL,
						 available);
				/* S1: p3 is nowhere; whatever tree has one of the others has an address */
				if (o->result != POLICY_ANSWER) {
					assert_true(strstr(tree, "p0") == NULL && strstr(tree, "p1") == NULL &&
						    strstr(tree, "p2") == NULL);
					continue;
				}
				assert_true(o->rr->count >= 1);
				assert_true(o->turn_count < MODEL_DEPTH_MAX);
			}
		}
		arena_reset(w->arena); /* the pools live elsewhere */
		w->pool_count = 0;
		add_pool(w, POOL("p0", "1", ENDPOINT("a", "192.0.2.1")));
		add_pool(w, POOL("p1", "2",
				 ENDPOINT("a", "192.0.2.2") "," ENDPOINT("b", "192.0.2.3") "," ENDPOINT(
					 "c", "2001:db8::1")));
		add_pool(w, POOL("p2", "1", ENDPOINT_W("a", "192.0.2.4", "0") "," ENDPOINT("b", "192.0.2.5")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(failover_takes_the_first_available, setup, teardown),
		cmocka_unit_test_setup_teardown(a_policy_of_1024_rules_and_children, setup, teardown),
		cmocka_unit_test_setup_teardown(all_down_answers_as_if_all_were_up, setup, teardown),
		cmocka_unit_test_setup_teardown(all_down_servfail_is_not_for_missing_types, setup, teardown),
		cmocka_unit_test_setup_teardown(all_down_last_takes_the_last_set, setup, teardown),
		cmocka_unit_test_setup_teardown(all_down_pool_is_answered_even_when_down, setup, teardown),
		cmocka_unit_test_setup_teardown(min_up_passes_a_weak_pool_over, setup, teardown),
		cmocka_unit_test_setup_teardown(match_falls_through_to_the_next_available_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(a_match_without_a_rule_for_the_client_is_not_available, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_client_that_no_rule_matches_is_answered_all_the_same, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_type_that_only_another_branch_has_is_answered_from_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rules_that_change_nothing_leave_the_scope_0, setup, teardown),
		cmocka_unit_test_setup_teardown(weights_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(pools_of_hosts_answer_one_cname, setup, teardown),
		cmocka_unit_test_setup_teardown(dangling_pools_do_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(random_policies_keep_their_promises, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
