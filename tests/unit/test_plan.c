/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/plan_world.h"

/* Commit while no reader holds the plan before. */
static void commit_alone(struct world *w)
{
	world_commit(w);
	world_release(w);
}

/* The plan's answer for a name and type: the last octet of the first record as text, or "refused", "nxdomain", … */
static const char *ask(const struct plan *plan, const char *name_text, uint16_t type)
{
	static char out[64];
	uint8_t name[NAME_WIRE_MAX];
	size_t len;
	assert_int_equal(name_parse(name_text, strlen(name_text), NULL, name, &len, NULL), VEER_OK);
	struct trie_key key;
	trie_key_make(&key, name);
	const struct plan_zone *zone = plan_zone_find(plan, &key);
	if (zone == NULL)
		return "refused";
	if (!zone->is_servable)
		return "servfail";
	const struct plan_node *node = trie_get(&zone->nodes, name);
	if (node == NULL)
		return "nxdomain";
	const struct plan_entry *entry = plan_node_entry(node, type);
	if (entry == NULL)
		return "nodata";
	const struct ready_rrset *rr = entry->rr;
	if (entry->is_bound) {
		const struct policy_program *program = plan_program(plan, entry);
		if (program == NULL)
			return "no policy";
		const struct policy_outcome *o = policy_choose(program, (struct geo_location){0}, 1);
		if (o->result != POLICY_ANSWER)
			return "no answer";
		rr = o->rr;
	}
	(void)snprintf(out, sizeof out, "%u", rr->data[rr->len - 1]);
	return out;
}

#define ZONE "gslb.example."
#define POOL(name, last)                                                                                               \
	"{\"name\":\"" name "\",\"checks\":[],\"endpoints\":[{\"name\":\"" name "\",\"address\":\"192.0.2." last       \
	"\",\"site\":\"" name "\"}]}"
#define POLICY(name, tree) "{\"name\":\"" name "\",\"ttl\":5,\"tree\":" tree "}"

static void put_zone_records(struct world *w, const char *version, uint32_t www)
{
	char key[128], text[64];
	(void)snprintf(key, sizeof key, ZONE "/%s/" ZONE "/SOA", version);
	world_put_record(w, key, 300, "ns1 host 1 900 300 604800 60");
	(void)snprintf(key, sizeof key, ZONE "/%s/" ZONE "/NS", version);
	world_put_record(w, key, 300, "ns1");
	(void)snprintf(key, sizeof key, ZONE "/%s/static." ZONE "/A", version);
	(void)snprintf(text, sizeof text, "192.0.2.%u", www);
	world_put_record(w, key, 300, text);
}

static void put_world(struct world *w)
{
	world_put(w, MODEL_KIND_SITE, "fra", "{\"name\":\"fra\",\"region\":\"eu\"}");
	world_put(w, MODEL_KIND_POOL, "fra", POOL("fra", "1"));
	world_put(w, MODEL_KIND_POOL, "iad", POOL("iad", "2"));
	world_put(w, MODEL_KIND_POLICY, "www", POLICY("www", "{\"failover\":[\"fra\",\"iad\"]}"));
	world_put(w, MODEL_KIND_ZONE, ZONE, "{\"name\":\"gslb.example.\",\"version\":1}");
	put_zone_records(w, "1", 77);
	world_put(w, MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/A", "pwww");
}

static void a_verdict_changes_the_answer_in_the_next_plan_only(void **state)
{
	struct world *w = *state;
	put_world(w);
	world_commit(w);
	const struct plan *first = w->plan;
	assert_string_equal(ask(first, "www." ZONE, RRTYPE_A), "1");
	assert_string_equal(ask(first, "static." ZONE, RRTYPE_A), "77");
	assert_string_equal(ask(first, "other.example.", RRTYPE_A), "refused");
	world_put_verdict(w, "fra/fra", "down");
	assert_string_equal(ask(first, "www." ZONE, RRTYPE_A), "1");
	world_commit(w);
	const struct plan *second = w->plan;
	assert_string_equal(ask(first, "www." ZONE, RRTYPE_A), "1");
	assert_string_equal(ask(second, "www." ZONE, RRTYPE_A), "2");
	assert_true(first->zones.root.ptr == second->zones.root.ptr); /* zones are shared */
	world_put_verdict(w, "fra/fra", "up");
	world_commit(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "1");
	assert_string_equal(ask(second, "www." ZONE, RRTYPE_A), "2");
}

static void sites_pools_and_last_sets_reach_their_policies(void **state)
{
	struct world *w = *state;
	put_world(w);
	commit_alone(w);
	world_put(w, MODEL_KIND_SITE, "fra", "{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"out\"}");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "2");
	world_del(w, MODEL_KIND_SITE, "fra");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "1");
	world_put(w, MODEL_KIND_POOL, "fra", POOL("fra", "9"));
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "9");
	world_del(w, MODEL_KIND_POOL, "fra");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "2");
	world_put_verdict(w, "fra/fra", "down");
	world_put(w, MODEL_KIND_POOL, "fra", POOL("fra", "8"));
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "2"); /* verdicts may come before their pool */
	world_del(w, MODEL_KIND_VERDICT, "fra/fra");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "8");
	world_put(w, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"two\"}");
	world_put(w, MODEL_KIND_POOL, "two",
		  "{\"name\":\"two\",\"checks\":[],\"endpoints\":[{\"name\":\"a\",\"address\":\"192.0.2.31\",\"site\":"
		  "\"s\"},"
		  "{\"name\":\"b\",\"address\":\"192.0.2.32\",\"site\":\"s\"}]}");
	world_put_verdict(w, "two/a", "down");
	world_put_verdict(w, "two/b", "down");
	world_put(w, MODEL_KIND_LAST, "two", "{\"pool\":\"two\",\"endpoints\":[\"a\"]}");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "31");
	world_del(w, MODEL_KIND_LAST, "two");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "32"); /* the later of the two counts */
	world_del(w, MODEL_KIND_POLICY, "www");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "no policy");
}

static void only_what_mentions_the_endpoint_is_compiled(void **state)
{
	struct world *w = *state;
	struct plan_builder_stats before, after;
	put_world(w);
	world_put(w, MODEL_KIND_POOL, "sin", POOL("sin", "3"));
	for (int i = 0; i < 100; i++) {
		char name[32], text[128], key[64], value[40];
		(void)snprintf(name, sizeof name, "p%d", i);
		(void)snprintf(text, sizeof text, "{\"name\":\"%s\",\"tree\":\"%s\"}", name, i == 50 ? "iad" : "sin");
		world_put(w, MODEL_KIND_POLICY, name, text);
		(void)snprintf(key, sizeof key, ZONE "/1/n%d." ZONE "/A", i);
		(void)snprintf(value, sizeof value, "p%s", name);
		world_put(w, MODEL_KIND_RRSET, key, value);
	}
	commit_alone(w);
	plan_builder_stats(w->builder, &before);
	assert_int_equal(before.slots, 101);
	world_put_verdict(w, "iad/iad", "down");
	commit_alone(w);
	plan_builder_stats(w->builder, &after);
	assert_int_equal(after.compiled - before.compiled, 2); /* www and p50 */
	world_put_verdict(w, "iad/iad", "down");
	commit_alone(w);
	plan_builder_stats(w->builder, &before);
	assert_int_equal(after.compiled, before.compiled);
	world_put_record(w, ZONE "/1/static." ZONE "/A", 300, "192.0.2.78");
	commit_alone(w);
	plan_builder_stats(w->builder, &after);
	assert_int_equal(after.compiled, before.compiled);
}

static void slots_come_back_when_nothing_is_bound(void **state)
{
	struct world *w = *state;
	struct plan_builder_stats stats;
	put_world(w);
	commit_alone(w);
	for (int i = 0; i < 300; i++) {
		char name[32], key[64], value[40];
		(void)snprintf(name, sizeof name, "p%d", i);
		(void)snprintf(key, sizeof key, ZONE "/1/x." ZONE "/A");
		(void)snprintf(value, sizeof value, "p%s", name);
		world_put(w, MODEL_KIND_RRSET, key, value);
		commit_alone(w);
	}
	plan_builder_stats(w->builder, &stats);
	assert_int_equal(stats.slots, 2);
	assert_int_equal(stats.policies, 2);
	assert_true(w->plan->page_count <= 1);
	world_del(w, MODEL_KIND_RRSET, ZONE "/1/x." ZONE "/A");
	commit_alone(w);
	plan_builder_stats(w->builder, &stats);
	assert_int_equal(stats.slots, 1);
	assert_int_equal(stats.policies, 1);
	assert_int_equal(stats.rrsets, 4);
}

static void a_zone_version_appears_at_once(void **state)
{
	struct world *w = *state;
	put_world(w);
	world_commit(w);
	put_zone_records(w, "2", 88);
	world_commit(w);
	const struct plan *old = w->plan;
	assert_string_equal(ask(old, "static." ZONE, RRTYPE_A), "77");
	world_put(w, MODEL_KIND_ZONE, ZONE, "{\"name\":\"gslb.example.\",\"version\":2}");
	world_commit(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "88");
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "nxdomain");
	assert_string_equal(ask(old, "static." ZONE, RRTYPE_A), "77");
	world_release(w);
	/* the version before is deleted piece by piece, as the control plane does it */
	static const char *const keys[] = {ZONE "/1/" ZONE "/SOA", ZONE "/1/" ZONE "/NS", ZONE "/1/static." ZONE "/A",
					   ZONE "/1/www." ZONE "/A"};
	struct plan_builder_stats stats;
	for (size_t i = 0; i < 4; i++)
		world_del(w, MODEL_KIND_RRSET, keys[i]);
	commit_alone(w);
	plan_builder_stats(w->builder, &stats);
	assert_int_equal(stats.versions, 1);
	assert_int_equal(stats.rrsets, 3);
	assert_int_equal(stats.slots, 0);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "88");
	world_del(w, MODEL_KIND_ZONE, ZONE);
	commit_alone(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "refused");
	world_put(w, MODEL_KIND_ZONE, ZONE, "{\"name\":\"gslb.example.\",\"version\":2}");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "88");
}

static void a_zone_without_soa_or_ns_is_not_servable(void **state)
{
	struct world *w = *state;
	put_world(w);
	world_del(w, MODEL_KIND_RRSET, ZONE "/1/" ZONE "/SOA");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "servfail");
	world_put_record(w, ZONE "/1/" ZONE "/SOA", 300, "ns1 host 2 900 300 604800 60");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "77");
	world_del(w, MODEL_KIND_RRSET, ZONE "/1/" ZONE "/NS");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "servfail");
	world_put(w, MODEL_KIND_ZONE, "empty.example.", "{\"name\":\"empty.example.\",\"version\":1}");
	commit_alone(w);
	assert_string_equal(ask(w->plan, "x.empty.example.", RRTYPE_A), "servfail");
}

static void nodes_know_cuts_and_cnames(void **state)
{
	struct world *w = *state;
	uint8_t name[NAME_WIRE_MAX];
	size_t len;
	put_world(w);
	world_put_record(w, ZONE "/1/sub." ZONE "/NS", 300, "ns.sub");
	world_put_record(w, ZONE "/1/alias." ZONE "/CNAME", 300, "www");
	commit_alone(w);
	struct trie_key key;
	trie_key_make(&key, (const uint8_t *)"\4gslb\7example");
	const struct plan_zone *zone = plan_zone_find(w->plan, &key);
	assert_int_equal(zone->negative->ttl, 60);
	assert_int_equal(zone->soa->ttl, 300);
	assert_int_equal(zone->labels, 2);
	assert_int_equal(name_parse("sub." ZONE, strlen("sub." ZONE), NULL, name, &len, NULL), VEER_OK);
	assert_int_equal(((const struct plan_node *)trie_get(&zone->nodes, name))->flags, PLAN_NODE_CUT);
	assert_int_equal(name_parse("alias." ZONE, strlen("alias." ZONE), NULL, name, &len, NULL), VEER_OK);
	assert_int_equal(((const struct plan_node *)trie_get(&zone->nodes, name))->flags, PLAN_NODE_CNAME);
	assert_int_equal(((const struct plan_node *)trie_get(&zone->nodes, zone->name))->flags, 0);
}

static void bad_objects_leave_what_was_there(void **state)
{
	struct world *w = *state;
	static const struct {
		enum model_kind kind;
		const char *key, *value;
	} cases[] = {
		{MODEL_KIND_POOL, "fra", "{\"name\":\"fra\"}"},
		{MODEL_KIND_POOL, "fra", POOL("other", "1")},
		{MODEL_KIND_POOL, "fra", "not json"},
		{MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"tree\":{\"nonsense\":[]}}"},
		{MODEL_KIND_SITE, "fra", "{}"},
		{MODEL_KIND_VERDICT, "fra/fra", "{\"endpoint\":\"fra/fra\",\"state\":\"maybe\"}"},
		{MODEL_KIND_LAST, "fra", "{\"pool\":\"fra\",\"endpoints\":[7]}"},
		{MODEL_KIND_ZONE, ZONE, "{\"name\":\"gslb.example.\",\"version\":\"x\"}"},
		{MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/A", ""},
		{MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/A", "x"},
		{MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/A", "wxyz"},
		{MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/A", "pNOT A NAME"},
		{MODEL_KIND_RRSET, ZONE "/1/www." ZONE "/MX", "pwww"},
		{MODEL_KIND_RRSET, "nonsense", "pwww"},
	};
	put_world(w);
	commit_alone(w);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		enum veer_err err = plan_builder_put(w->builder, cases[i].kind, cases[i].key, strlen(cases[i].key),
						     (const uint8_t *)cases[i].value, strlen(cases[i].value), &diag);
		if (err != VEER_EINVAL && err != VEER_ERANGE)
			fail_msg("case %zu: %s", i, veer_err_text(err));
		assert_true(diag.text[0] != '\0');
	}
	assert_int_equal(plan_builder_put(w->builder, MODEL_KIND_CHECK, "x", 1, (const uint8_t *)"{}", 2, NULL),
			 VEER_OK);
	commit_alone(w);
	assert_string_equal(ask(w->plan, "www." ZONE, RRTYPE_A), "1");
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "77");
}

static void one_record_costs_the_same_in_any_zone(void **state)
{
	struct world *w = *state;
	size_t retired[2];
	uint8_t zone[NAME_WIRE_MAX], owner[NAME_WIRE_MAX];
	size_t len;
	assert_int_equal(name_parse(ZONE, strlen(ZONE), NULL, zone, &len, NULL), VEER_OK);
	put_world(w);
	for (int round = 0, i = 0; round < 2; round++) {
		for (; i < (round == 0 ? 1000 : 30000); i++) {
			char text[64];
			uint8_t *wire;
			struct rrset_view view;
			struct rdata_span record = {.data = (const uint8_t *)"\300\0\2\1", .len = 4};
			(void)snprintf(text, sizeof text, "h%d." ZONE, i);
			assert_int_equal(name_parse(text, strlen(text), NULL, owner, &len, NULL), VEER_OK);
			assert_int_equal(rrset_compose(owner, RRTYPE_A, 60, &record, 1, &wire, &len, NULL), VEER_OK);
			assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
			assert_int_equal(plan_builder_put_rrset(w->builder, zone, 1, &view), VEER_OK);
			free(wire);
		}
		commit_alone(w);
		world_put_record(w, ZONE "/1/h500." ZONE "/A", 60, "192.0.2.9");
		world_commit(w);
		retired[round] = w->retired.count;
		world_release(w);
	}
	assert_true(retired[1] <= retired[0] + 3);
	assert_true(retired[1] < 20);
	assert_int_equal(plan_builder_drop_version(w->builder, zone, 1), VEER_OK);
	commit_alone(w);
	assert_string_equal(ask(w->plan, "static." ZONE, RRTYPE_A), "refused");
}

/*
 * Memory that no plan has used yet is freed at once: otherwise a name with many types would need memory quadratic in
 * their number.
 */
static void a_name_with_many_types_retires_nothing_new(void **state)
{
	struct world *w = *state;
	char key[128];
	put_world(w);
	commit_alone(w);
	for (int type = 1000; type < 1300; type++) {
		(void)snprintf(key, sizeof key, ZONE "/1/many." ZONE "/TYPE%d", type);
		world_put_record(w, key, 60, "\\# 1 00");
	}
	world_commit(w);
	assert_true(w->retired.count < 20);
	world_put_record(w, key, 60, "\\# 1 01");
	const struct plan *before = w->plan;
	assert_string_not_equal(ask(before, "many." ZONE, 1299), "refused"); /* sanitizers see what is freed */
	world_commit(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_verdict_changes_the_answer_in_the_next_plan_only, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(sites_pools_and_last_sets_reach_their_policies, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(only_what_mentions_the_endpoint_is_compiled, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(slots_come_back_when_nothing_is_bound, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_zone_version_appears_at_once, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_zone_without_soa_or_ns_is_not_servable, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(nodes_know_cuts_and_cnames, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(bad_objects_leave_what_was_there, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(one_record_costs_the_same_in_any_zone, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_name_with_many_types_retires_nothing_new, world_setup,
						world_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
