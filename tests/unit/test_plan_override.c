/* SPDX-License-Identifier: Apache-2.0 */
/* Overrides and doubt in plans and answers: S1, S10, S11, S19, S20 at the level of a name server's answers. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/plan_world.h"

#define ZONE "gslb.example."
enum { TTL = 30, TTL_SUSPECT = 7, ENDPOINTS = 3, STEPS = 20000 };

/* Publish a plan; of the earlier plans, only the last can still be read. */
static void next_plan(struct world *w)
{
	world_release(w);
	world_commit(w);
}

static void override(struct world *w, const char *endpoint, const char *action)
{
	char value[256];
	(void)snprintf(value, sizeof value,
		       "{\"endpoint\":\"%s\",\"action\":\"%s\",\"owner\":\"me\",\"reason\":\"test\"}", endpoint,
		       action);
	world_put(w, MODEL_KIND_OVERRIDE, endpoint, value);
}

/* Pools a and b, each with the endpoints 0, 1, 2 at sites s0, s1, s2, and names bound to policies over them. */
static void put_world(struct world *w, const char *when_all_down)
{
	char value[1024];
	for (int i = 0; i < ENDPOINTS; i++) {
		char key[8];
		(void)snprintf(key, sizeof key, "s%d", i);
		(void)snprintf(value, sizeof value, "{\"name\":\"s%d\",\"region\":\"eu\"}", i);
		world_put(w, MODEL_KIND_SITE, key, value);
	}
	for (int pool = 0; pool < 2; pool++) {
		int len = snprintf(value, sizeof value, "{\"name\":\"%c\",\"checks\":[],\"min_up\":%d,\"endpoints\":[",
				   'a' + pool, 1 + pool);
		for (int i = 0; i < ENDPOINTS; i++)
			len += snprintf(value + len, sizeof value - (size_t)len,
					"%s{\"name\":\"%d\",\"address\":\"192.0.2.%d\",\"site\":\"s%d\"}",
					i > 0 ? "," : "", i, pool * 10 + i, i);
		(void)snprintf(value + len, sizeof value - (size_t)len, "]}");
		world_put(w, MODEL_KIND_POOL, pool == 0 ? "a" : "b", value);
	}
	(void)snprintf(
		value, sizeof value,
		"{\"name\":\"www\",\"ttl\":%d,\"ttl_suspect\":%d,\"when_all_down\":\"%s\",\"tree\":{\"failover\":["
		"\"b\",\"a\"]}}",
		TTL, TTL_SUSPECT, when_all_down);
	world_put(w, MODEL_KIND_POLICY, "www", value);
	world_put(w, MODEL_KIND_POLICY, "short", "{\"name\":\"short\",\"ttl\":2,\"tree\":\"a\"}");
	world_put(w, MODEL_KIND_POLICY, "other", "{\"name\":\"other\",\"ttl\":30,\"tree\":\"b\"}");
	world_put(w, MODEL_KIND_POLICY, "one", "{\"name\":\"one\",\"ttl\":30,\"tree\":{\"spread\":\"a\"}}");
	world_put(w, MODEL_KIND_ZONE, ZONE, "{\"name\":\"gslb.example.\",\"version\":1}");
	world_put_record(w, ZONE "/1/" ZONE "/SOA", 300, "ns1 host 1 900 300 604800 60");
	world_put_record(w, ZONE "/1/" ZONE "/NS", 300, "ns1");
	world_put(w, MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/A", "pwww");
	world_put(w, MODEL_KIND_RRSET, ZONE "/1/short." ZONE "/A", "pshort");
	world_put(w, MODEL_KIND_RRSET, ZONE "/1/other." ZONE "/A", "pother");
	world_put(w, MODEL_KIND_RRSET, ZONE "/1/one." ZONE "/A", "pone");
	next_plan(w);
}

/* The answer for a name: its last octets, one bit each (a: 0…, b: 10…), and the TTL. */
struct said {
	uint32_t octets;
	uint32_t ttl;
};

static struct said ask(const struct world *w, const char *label, uint64_t random)
{
	uint8_t name[NAME_WIRE_MAX], wire[RRSET_WIRE_MAX];
	char text[64];
	size_t len;
	struct said said = {0};
	struct trie_key key;
	(void)snprintf(text, sizeof text, "%s." ZONE, label);
	assert_int_equal(name_parse(text, strlen(text), NULL, name, &len, NULL), VEER_OK);
	trie_key_make(&key, name);
	const struct plan_zone *zone = plan_zone_find(w->plan, &key);
	const struct plan_node *node = trie_get(&zone->nodes, name);
	const struct plan_entry *entry = plan_node_entry(node, RRTYPE_A);
	const struct policy_outcome *o = policy_choose(plan_program(w->plan, entry), (struct geo_location){0}, random);
	if (o->result != POLICY_ANSWER)
		return said;
	struct rrset_view view;
	struct rdata_span rdata;
	len = ready_expand(o->rr, (const uint8_t *)"\1x", NULL, wire, sizeof wire);
	assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
	for (size_t pos = 0; rrset_next(&view, &pos, &rdata);)
		said.octets |= 1u << rdata.data[3];
	said.ttl = o->rr->ttl;
	return said;
}

static void drained_and_forced_down_leave_and_forced_up_stays(void **state)
{
	struct world *w = *state;
	put_world(w, "all");
	assert_int_equal(ask(w, "short", 1).octets, 7);
	override(w, "a/0", "drain");
	override(w, "a/1", "down");
	world_put_verdict(w, "a/2", "down");
	override(w, "a/2", "up");
	next_plan(w);
	assert_int_equal(ask(w, "short", 1).octets, 4);
	world_del(w, MODEL_KIND_OVERRIDE, "a/0");
	world_del(w, MODEL_KIND_OVERRIDE, "a/2");
	next_plan(w);
	assert_int_equal(ask(w, "short", 1).octets, 1); /* the verdict counts again */
}

static void an_override_of_min_up_passes_the_pool_over(void **state)
{
	struct world *w = *state;
	put_world(w, "all");
	assert_int_equal(ask(w, "www", 1).octets, 7u << 10);
	override(w, "b/0", "drain");
	override(w, "b/1", "drain"); /* one is left, but two are needed */
	next_plan(w);
	assert_int_equal(ask(w, "www", 1).octets, 7);
	override(w, "b/1", "up");
	next_plan(w);
	assert_int_equal(ask(w, "www", 1).octets, 6u << 10);
}

static void what_was_drained_comes_back_only_when_nothing_else_is_there(void **state)
{
	struct world *w = *state;
	put_world(w, "all");
	override(w, "a/0", "drain");
	world_put_verdict(w, "a/1", "down");
	world_put_verdict(w, "a/2", "down");
	next_plan(w);
	assert_int_equal(ask(w, "short", 1).octets, 6); /* all as if up, but without those that were drained */
	override(w, "a/1", "drain");
	override(w, "a/2", "down");
	next_plan(w);
	assert_int_equal(ask(w, "short", 1).octets, 7); /* forced past the safety rule: the answer is still not empty */
}

static void an_override_without_its_pool_waits_for_it(void **state)
{
	struct world *w = *state;
	override(w, "a/0", "drain");
	next_plan(w);
	put_world(w, "all");
	assert_int_equal(ask(w, "short", 1).octets, 6);
}

static void an_override_that_is_none_is_refused_and_the_old_one_stays(void **state)
{
	static const char *const bad[] = {"{\"endpoint\":\"a/0\",\"action\":\"sideways\"}",
					  "{\"endpoint\":\"a/1\",\"action\":\"up\"}",
					  "{\"endpoint\":\"a\",\"action\":\"up\"}",
					  "{\"action\":\"up\"}",
					  "{\"endpoint\":\"a/0\"}",
					  "{\"endpoint\":\"a/0\",\"action\":\"up\",\"expires_at\":\"soon\"}"};
	struct world *w = *state;
	put_world(w, "all");
	override(w, "a/0", "drain");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(plan_builder_put(w->builder, MODEL_KIND_OVERRIDE, "a/0", 3, (const uint8_t *)bad[i],
						  strlen(bad[i]), NULL),
				 VEER_EINVAL);
	next_plan(w);
	assert_int_equal(ask(w, "short", 1).octets, 6);
}

static bool doubt(struct world *w, const char *const *keys, size_t count)
{
	bool changed;
	assert_int_equal(plan_builder_set_doubt(w->builder, keys, count, &changed), VEER_OK);
	next_plan(w);
	return changed;
}

static void doubt_shortens_what_holds_the_endpoint_and_nothing_else(void **state)
{
	static const char *const b0[] = {"b/0"};
	static const char *const a0[] = {"a/0"};
	struct world *w = *state;
	put_world(w, "all");
	struct plan_builder_stats before, after;
	plan_builder_stats(w->builder, &before);
	assert_true(doubt(w, b0, 1));
	plan_builder_stats(w->builder, &after);
	assert_int_equal(after.compiled - before.compiled, 2); /* www and other refer to b */
	assert_int_equal(ask(w, "www", 1).ttl, TTL_SUSPECT);
	assert_int_equal(ask(w, "other", 1).ttl, 6); /* the default */
	assert_int_equal(ask(w, "one", 1).ttl, TTL);
	assert_false(doubt(w, b0, 1));
	assert_true(doubt(w, a0, 1));
	assert_int_equal(ask(w, "www", 1).ttl, TTL); /* the answer comes from b */
	for (uint64_t random = 0; random < 64; random++) {
		struct said said = ask(w, "one", random << 58);
		assert_int_equal(said.ttl, said.octets == 1 ? 6 : TTL);
	}
	assert_true(doubt(w, NULL, 0));
	assert_int_equal(ask(w, "one", 1).ttl, TTL);
}

static void doubt_never_raises_a_ttl(void **state)
{
	static const char *const all[] = {"a/0", "a/1", "a/2"};
	struct world *w = *state;
	put_world(w, "all");
	assert_true(doubt(w, all, 3));
	assert_int_equal(ask(w, "short", 1).ttl, 2);
}

static void doubt_about_what_is_not_there_is_nothing(void **state)
{
	static const char *const odd[] = {"zz/top", "a/none", "a/0", "a/0"};
	struct world *w = *state;
	put_world(w, "all");
	(void)doubt(w, odd, 4);
	assert_int_equal(ask(w, "one", 0).ttl, 6);
	assert_true(doubt(w, odd, 2));
	assert_int_equal(ask(w, "one", 0).ttl, TTL);
}

/* The test's own record of each endpoint's state. */
struct oracle {
	bool is_down[2][ENDPOINTS];
	int override[2][ENDPOINTS]; /* 0 none, 1 up, 2 out */
	bool is_out[ENDPOINTS];     /* is its site out? */
	bool is_doubted[2][ENDPOINTS];
};

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static void step(struct world *w, struct oracle *o, uint64_t *seed)
{
	static const char *const actions[] = {"", "up", "down", "drain"};
	uint32_t pool = next_random(seed) % 2, i = next_random(seed) % ENDPOINTS, what = next_random(seed) % 10;
	char key[8], site[8], value[64];
	(void)snprintf(key, sizeof key, "%c/%u", (char)('a' + pool), i);
	(void)snprintf(site, sizeof site, "s%u", i);
	if (what < 4) {
		o->is_down[pool][i] = next_random(seed) % 2 == 0;
		world_put_verdict(w, key, o->is_down[pool][i] ? "down" : "up");
	} else if (what < 7) {
		uint32_t action = next_random(seed) % 4;
		o->override[pool][i] = action == 0 ? 0 : action == 1 ? 1 : 2;
		if (action == 0)
			world_del(w, MODEL_KIND_OVERRIDE, key);
		else
			override(w, key, actions[action]);
	} else if (what == 7) {
		o->is_out[i] = next_random(seed) % 3 == 0;
		(void)snprintf(value, sizeof value, "{\"name\":\"%s\",\"region\":\"eu\",\"state\":\"%s\"}", site,
			       o->is_out[i] ? "out" : "in");
		world_put(w, MODEL_KIND_SITE, site, value);
	} else {
		o->is_doubted[pool][i] = !o->is_doubted[pool][i];
	}
}

static void tell_doubts(struct world *w, const struct oracle *o)
{
	char keys[2 * ENDPOINTS][8];
	const char *list[2 * ENDPOINTS];
	size_t count = 0;
	bool changed;
	for (int pool = 0; pool < 2; pool++)
		for (int i = 0; i < ENDPOINTS; i++)
			if (o->is_doubted[pool][i]) {
				(void)snprintf(keys[count], sizeof keys[count], "%c/%d", 'a' + pool, i);
				list[count] = keys[count];
				count++;
			}
	assert_int_equal(plan_builder_set_doubt(w->builder, list, count, &changed), VEER_OK);
}

/* The answer that "failover: b, a" must give according to docs/formats.md. */
static uint32_t expected(const struct oracle *o)
{
	uint32_t eligible[2] = {0, 0}, in = 0, all = 0;
	for (int pool = 0; pool < 2; pool++)
		for (int i = 0; i < ENDPOINTS; i++) {
			uint32_t bit = 1u << (pool * 10 + i);
			bool is_out = o->is_out[i] || o->override[pool][i] == 2;
			bool is_down = o->is_down[pool][i] && o->override[pool][i] != 1;
			eligible[pool] |= is_out || is_down ? 0 : bit;
			/* all are down: the first pool of the failover that has any endpoint */
			if (pool == 1 || (in & (7u << 10)) == 0)
				in |= is_out ? 0 : bit;
			all |= pool == 1 ? bit : 0;
		}
	if (__builtin_popcount(eligible[1]) >= 2)
		return eligible[1];
	if (eligible[0] != 0)
		return eligible[0];
	if ((in & (7u << 10)) != 0)
		return in & (7u << 10);
	return in != 0 ? in : all;
}

static void any_history_gives_the_answer_that_the_words_give(void **state)
{
	struct world *w = *state;
	struct oracle o = {0};
	uint64_t seed = 4;
	put_world(w, "all");
	for (int n = 0; n < STEPS; n++) {
		step(w, &o, &seed);
		tell_doubts(w, &o);
		next_plan(w);
		struct said said = ask(w, "www", next_random(&seed));
		assert_true(said.octets != 0); /* S1, S10: never empty */
		assert_int_equal(said.octets, expected(&o));
		bool holds_doubted = false;
		for (int pool = 0; pool < 2; pool++)
			for (int i = 0; i < ENDPOINTS; i++)
				holds_doubted |= o.is_doubted[pool][i] && (said.octets & 1u << (pool * 10 + i)) != 0;
		assert_int_equal(said.ttl, holds_doubted ? TTL_SUSPECT : TTL); /* S19 */
		assert_true(ask(w, "short", 0).ttl <= 2 && ask(w, "short", 0).ttl >= 1);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(drained_and_forced_down_leave_and_forced_up_stays),
		T(an_override_of_min_up_passes_the_pool_over),
		T(what_was_drained_comes_back_only_when_nothing_else_is_there),
		T(an_override_without_its_pool_waits_for_it),
		T(an_override_that_is_none_is_refused_and_the_old_one_stays),
		T(doubt_shortens_what_holds_the_endpoint_and_nothing_else),
		T(doubt_never_raises_a_ttl),
		T(doubt_about_what_is_not_there_is_nothing),
		T(any_history_gives_the_answer_that_the_words_give),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
