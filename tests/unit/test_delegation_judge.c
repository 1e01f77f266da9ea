/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/delegation_judge.h"

static const uint8_t zone[] = "\4gslb\7example";
static const uint8_t ns1[] = "\3ns1\4gslb\7example", ns2[] = "\3ns2\4gslb\7example", far[] = "\2ns\5other";

/* A comparison under construction, and its result. */
struct world {
	struct delegation_set own;
	struct delegation_parent parent;
	json_t *out;
};

static void add(struct delegation_set *set, const uint8_t *name, const char *address)
{
	struct veer_addr addr;
	struct delegation_host *host = delegation_set_add(set, name);
	assert_non_null(host);
	if (address != NULL) {
		assert_int_equal(veer_addr_parse(address, &addr), VEER_OK);
		delegation_host_add(host, &addr);
	}
}

static struct delegation_set *add_server(struct world *w, enum delegation_result result)
{
	struct delegation_server *server = &w->parent.servers[w->parent.count++];
	(void)snprintf((char *)server->name, sizeof server->name, "\2s%zu\7example", w->parent.count);
	server->result = result;
	server->set.ttl = 3600;
	return &server->set;
}

/* ns1 and ns2, in our zone and at two servers of the parent. */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	*state = w;
	w->own.ttl = 86400;
	add(&w->own, ns1, "192.0.2.1");
	add(&w->own, ns1, "2001:db8::1");
	add(&w->own, far, NULL);
	w->parent.is_found = true;
	memcpy(w->parent.name, zone + 5, sizeof zone - 5);
	for (int i = 0; i < 2; i++) {
		struct delegation_set *set = add_server(w, DELEGATION_REFERRAL);
		add(set, far, NULL);
		add(set, ns1, "2001:db8::1");
		add(set, ns1, "192.0.2.1");
	}
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	json_decref(w->out);
	free(w);
	return 0;
}

static enum delegation_state judge(struct world *w)
{
	json_decref(w->out);
	w->out = json_object();
	return delegation_judge(zone, &w->own, &w->parent, w->out);
}

/* The value at `key` is this JSON. */
static void assert_is(const struct world *w, const char *key, const char *text)
{
	json_t *wanted = NULL, *value = json_object_get(w->out, key);
	assert_int_equal(veer_json_parse(text, strlen(text), 65536, &wanted, NULL), VEER_OK);
	if (!json_equal(value, wanted)) {
		char *got = veer_json_dump(value);
		print_error("%s: %s\n", key, got != NULL ? got : "absent");
		free(got);
		fail();
	}
	json_decref(wanted);
}

static void what_is_the_same_is_ok(void **state)
{
	struct world *w = *state;
	assert_int_equal(judge(w), DELEGATION_OK);
	assert_is(w, "ns_only_parent", "[]");
	assert_is(w, "ns_only_zone", "[]");
	assert_is(w, "glue", "[]");
	assert_is(w, "warnings", "[]");
	assert_is(w, "ttl", "{\"zone\":86400,\"parent\":3600}");
	assert_is(w, "servers",
		  "[{\"name\":\"s1.example.\",\"result\":\"delegates\"},"
		  "{\"name\":\"s2.example.\",\"result\":\"delegates\"}]");
	assert_string_equal(json_string_value(json_object_get(w->out, "parent")), "example.");
}

static void names_that_only_one_has(void **state)
{
	struct world *w = *state;
	static const uint8_t old[] = "\3old\5other";
	for (int i = 0; i < 2; i++)
		add(&w->parent.servers[i].set, old, NULL);
	add(&w->own, ns2, "192.0.2.2");
	assert_int_equal(judge(w), DELEGATION_DIFFERS);
	assert_is(w, "ns_only_parent", "[\"old.other.\"]");
	assert_is(w, "ns_only_zone", "[\"ns2.gslb.example.\"]");
	/* ns2 needs glue at the parent */
	assert_is(w, "glue", "[{\"name\":\"ns2.gslb.example.\",\"only_parent\":[],\"only_zone\":[\"192.0.2.2\"]}]");
	assert_false(json_is_true(json_object_get(w->out, "servers_disagree")));
}

static void glue_that_is_not_the_zones(void **state)
{
	struct world *w = *state;
	struct delegation_host *glue = delegation_set_find(&w->parent.servers[1].set, ns1);
	glue->addrs[1].bytes[3] = 9; /* 192.0.2.9 */
	add(&w->parent.servers[0].set, far, "192.0.2.77");
	assert_int_equal(judge(w), DELEGATION_DIFFERS);
	/* addresses that the parent has for names elsewhere are not glue */
	assert_is(w, "glue",
		  "[{\"name\":\"ns1.gslb.example.\",\"only_parent\":[\"192.0.2.9\"],\"only_zone\":[\"192.0.2.1\"]}]");
	/* addresses from a policy change */
	delegation_set_find(&w->own, ns1)->is_bound = true;
	assert_int_equal(judge(w), DELEGATION_OK);
}

static void a_name_without_address_in_the_zone(void **state)
{
	struct world *w = *state;
	delegation_set_find(&w->own, ns1)->addr_count = 0;
	assert_int_equal(judge(w), DELEGATION_DIFFERS);
	assert_is(w, "warnings", "[\"ns1.gslb.example. has no address in the zone\"]");
}

static void a_parent_that_does_not_delegate(void **state)
{
	struct world *w = *state;
	w->parent.servers[0].result = w->parent.servers[1].result = DELEGATION_ABSENT;
	assert_int_equal(judge(w), DELEGATION_MISSING);
	assert_is(w, "ns_only_zone", "[\"ns1.gslb.example.\",\"ns.other.\"]");
	assert_is(
		w, "glue",
		"[{\"name\":\"ns1.gslb.example.\",\"only_parent\":[],\"only_zone\":[\"192.0.2.1\",\"2001:db8::1\"]}]");
	assert_false(json_is_true(json_object_get(w->out, "servers_disagree")));
}

static void servers_that_disagree(void **state)
{
	struct world *w = *state;
	w->parent.servers[1].result = DELEGATION_ABSENT;
	assert_int_equal(judge(w), DELEGATION_DIFFERS);
	assert_true(json_is_true(json_object_get(w->out, "servers_disagree")));
	assert_is(w, "ns_only_zone", "[]");
	assert_is(w, "servers",
		  "[{\"name\":\"s1.example.\",\"result\":\"delegates\",\"ns\":[\"ns.other.\",\"ns1.gslb.example.\"]},"
		  "{\"name\":\"s2.example.\",\"result\":\"missing\"}]");
	w->parent.servers[1].result = DELEGATION_REFERRAL;
	w->parent.servers[1].set.count = 1; /* only the far server is left */
	assert_int_equal(judge(w), DELEGATION_DIFFERS);
	assert_true(json_is_true(json_object_get(w->out, "servers_disagree")));
	assert_is(w, "ns_only_zone", "[\"ns1.gslb.example.\"]");
	/* a silent server does not contradict */
	w->parent.servers[1].result = DELEGATION_NO_ANSWER;
	assert_int_equal(judge(w), DELEGATION_OK);
}

static void times_and_numbers_are_warned_of(void **state)
{
	struct world *w = *state;
	w->own.ttl = 300;
	assert_int_equal(judge(w), DELEGATION_OK);
	assert_int_equal(json_array_size(json_object_get(w->out, "warnings")), 1);
	assert_non_null(strstr(json_string_value(json_array_get(json_object_get(w->out, "warnings"), 0)), "300"));
	w->own.ttl = 3600;
	assert_int_equal(judge(w), DELEGATION_OK);
	assert_is(w, "warnings", "[]");
	w->own.count = w->parent.servers[0].set.count = w->parent.servers[1].set.count = 1;
	w->parent.servers[0].set.hosts[0] = w->parent.servers[1].set.hosts[0] = w->own.hosts[0];
	assert_int_equal(judge(w), DELEGATION_OK);
	assert_int_equal(json_array_size(json_object_get(w->out, "warnings")), 1);
}

static void who_serves_both_is_no_witness(void **state)
{
	struct world *w = *state;
	w->parent.servers[0].result = w->parent.servers[1].result = DELEGATION_SAME;
	delegation_set_find(&w->parent.servers[0].set, ns1)->addr_count = 0; /* an answer needs no additional section */
	assert_int_equal(judge(w), DELEGATION_OK);
	assert_int_equal(json_array_size(json_object_get(w->out, "warnings")), 1);
	w->parent.servers[0].set.count = 1; /* a copy that is behind */
	assert_int_equal(judge(w), DELEGATION_DIFFERS);
	assert_is(w, "ns_only_zone", "[\"ns1.gslb.example.\"]");
	/* a server that answers with authority for the parent is believed */
	w->parent.servers[1].result = DELEGATION_ABSENT;
	assert_int_equal(judge(w), DELEGATION_MISSING);
}

static void without_an_answer_nothing_is_said(void **state)
{
	struct world *w = *state;
	w->parent.servers[0].result = DELEGATION_FAILED;
	w->parent.servers[0].rcode = 5;
	w->parent.servers[1].result = DELEGATION_ELSEWHERE;
	assert_int_equal(judge(w), DELEGATION_UNREACHABLE);
	assert_is(w, "ns_only_zone", "[]");
	assert_non_null(strstr(
		json_string_value(json_object_get(json_array_get(json_object_get(w->out, "servers"), 0), "result")),
		"REFUSED"));
	memset(&w->parent, 0, sizeof w->parent);
	(void)snprintf(w->parent.why, sizeof w->parent.why, "no resolver has answered");
	assert_int_equal(judge(w), DELEGATION_UNREACHABLE);
	assert_string_equal(json_string_value(json_object_get(w->out, "summary")), "no resolver has answered");
}

static void more_than_are_compared(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < DELEGATION_HOSTS_MAX; i++) {
		uint8_t name[8];
		(void)snprintf((char *)name, sizeof name, "\3n%02u", i);
		(void)delegation_set_add(&w->parent.servers[0].set, name);
	}
	assert_true(w->parent.servers[0].set.is_cut);
	assert_int_equal(judge(w), DELEGATION_UNCHECKED);
	assert_is(w, "ns_only_parent", "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_the_same_is_ok, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_only_one_has, setup, teardown),
		cmocka_unit_test_setup_teardown(glue_that_is_not_the_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_without_address_in_the_zone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_parent_that_does_not_delegate, setup, teardown),
		cmocka_unit_test_setup_teardown(servers_that_disagree, setup, teardown),
		cmocka_unit_test_setup_teardown(times_and_numbers_are_warned_of, setup, teardown),
		cmocka_unit_test_setup_teardown(who_serves_both_is_no_witness, setup, teardown),
		cmocka_unit_test_setup_teardown(without_an_answer_nothing_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_are_compared, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
