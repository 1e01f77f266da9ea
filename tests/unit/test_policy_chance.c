/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: weights, and random policies compared with a direct implementation of the specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policies.h"

/* Count how often each last octet of 192.0.2.x is drawn. */
static void count_draws(struct policies *w, unsigned *counts)
{
	uint64_t random = 88172645463325252U;
	memset(counts, 0, 256 * sizeof *counts);
	for (int i = 0; i < 40000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		const char *text = policies_answer(w, NULL, 0, random);
		counts[strtoul(strrchr(text, '.') + 1, NULL, 10) & 255]++;
	}
}

static void weights_are_kept(void **state)
{
	struct policies *w = *state;
	unsigned counts[256];
	policies_add_three_pools(w);
	policies_add_pool(w, POOL("many", "1",
				  ENDPOINT_W("a", "192.0.2.11", "1") "," ENDPOINT_W(
					  "b", "192.0.2.12", "3") "," ENDPOINT_W("z", "192.0.2.13", "0")));
	policies_set(w, POLICY("{\"weighted\":[{\"weight\":3,\"node\":\"fra\"},{\"weight\":1,\"node\":\"iad\"},"
			       "{\"weight\":0,\"node\":\"sin\"}]}",
			       "\"all\""));
	policies_compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_in_range(counts[1], 29500, 30500);
	assert_in_range(counts[2], 9500, 10500);
	assert_int_equal(counts[3], 0);
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_flag(w, "iad", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_int_equal(counts[3], 40000); /* weight 0 is answered when nothing else is eligible */
	policies_set(w, POLICY("{\"spread\":\"many\"}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_in_range(counts[11], 9500, 10500);
	assert_in_range(counts[12], 29500, 30500);
	assert_int_equal(counts[13], 0);
	policies_set(w, POLICY("\"many\"", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 5), "A 192.0.2.11 192.0.2.12");
	/* nested choices do not use the same random bits */
	policies_set(
		w,
		POLICY("{\"weighted\":[{\"weight\":1,\"node\":{\"spread\":\"many\"}},{\"weight\":1,\"node\":\"sin\"}]}",
		       "\"all\""));
	policies_compile(w, RRTYPE_A);
	count_draws(w, counts);
	assert_in_range(counts[3], 19500, 20500);
	assert_in_range(counts[11], 4600, 5400);
	assert_in_range(counts[12], 14500, 15500);
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

/* Is a node available for this client according to the specification? */
static bool is_available(struct policies *w, const struct model_node *n, uint16_t country, enum continent continent)
{
	if (n->kind == MODEL_NODE_POOL || n->kind == MODEL_NODE_SPREAD) {
		const struct policy_pool *p = policies_find_pool(w, n->pool);
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
	struct policies *w = *state;
	static const struct {
		const char *country;
		enum continent continent;
	} clients[] = {{"DE", CONTINENT_EU}, {"US", CONTINENT_NA}, {"FR", CONTINENT_EU},
		       {"JP", CONTINENT_AS}, {"CA", CONTINENT_NA}, {NULL, CONTINENT_NONE}};
	uint64_t s = 4242424242;
	policies_add_pool(w, POOL("p0", "1", ENDPOINT("a", "192.0.2.1")));
	policies_add_pool(
		w, POOL("p1", "2",
			ENDPOINT("a", "192.0.2.2") "," ENDPOINT("b", "192.0.2.3") "," ENDPOINT("c", "2001:db8::1")));
	policies_add_pool(w, POOL("p2", "1", ENDPOINT_W("a", "192.0.2.4", "0") "," ENDPOINT("b", "192.0.2.5")));
	for (int round = 0; round < 2000; round++) {
		char tree[6000], text[6200];
		random_node(&s, (int)(rng(&s) % 4), tree, sizeof tree);
		(void)snprintf(text, sizeof text, POLICY("%s", "\"all\""), tree);
		json_t *object = policies_json(text);
		if (model_policy_parse(object, w->arena, &w->policy, NULL) != VEER_OK) {
			json_decref(object);
			continue; /* two weights of 0 */
		}
		json_decref(object);
		for (unsigned p = 0; p < w->pool_count; p++)
			for (unsigned e = 0; e < 3; e++)
				w->flags[p][e] = (uint8_t)(rng(&s) % 2 ? 0 : rng(&s) % 4);
		policies_compile(w, RRTYPE_A);
		for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
			struct geo_location at = {.country = policies_code(clients[i].country),
						  .continent = (uint8_t)clients[i].continent};
			bool available = is_available(w, w->policy.tree, at.country, clients[i].continent);
			for (int draw = 0; draw < 4; draw++) {
				const struct policy_outcome *o = policy_choose(w->program, at, rng(&s));
				assert_int_equal(o->result == POLICY_ANSWER && o->mode == POLICY_MODE_NORMAL,
						 available);
				/* S1: p3 has no address; a tree that has one of the other pools has an address */
				if (o->result != POLICY_ANSWER) {
					assert_true(strstr(tree, "p0") == NULL && strstr(tree, "p1") == NULL &&
						    strstr(tree, "p2") == NULL);
					continue;
				}
				assert_true(o->rr->count >= 1);
				assert_true(o->turn_count < MODEL_DEPTH_MAX);
			}
		}
		arena_reset(w->arena); /* the pools are in another arena */
		w->pool_count = 0;
		policies_add_pool(w, POOL("p0", "1", ENDPOINT("a", "192.0.2.1")));
		policies_add_pool(w, POOL("p1", "2",
					  ENDPOINT("a", "192.0.2.2") "," ENDPOINT("b", "192.0.2.3") "," ENDPOINT(
						  "c", "2001:db8::1")));
		policies_add_pool(w, POOL("p2", "1", ENDPOINT_W("a", "192.0.2.4", "0") "," ENDPOINT("b", "192.0.2.5")));
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, policies_setup, policies_teardown)
	const struct CMUnitTest tests[] = {
		T(weights_are_kept),
		T(random_policies_keep_their_promises),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
