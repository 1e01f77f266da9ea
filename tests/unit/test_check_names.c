/* SPDX-License-Identifier: Apache-2.0 */
/* Which targets are probed: addresses that are allowed, and names that a resolver answers or does not answer. */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "probes/verdict/target.h"
#include "tests/unit/check_stage.h"

static void special_addresses_are_refused_unless_allowed(void **state)
{
	static const struct {
		const char *address;
		unsigned allowed;
		bool is_refused;
	} cases[] = {
		{"127.0.0.1", 0, true},
		{"127.0.0.1", TARGET_PRIVATE | TARGET_LINK_LOCAL | TARGET_METADATA, true},
		{"127.0.0.1", TARGET_LOOPBACK, false},
		{"::1", 0, true},
		{"10.0.0.1", TARGET_LOOPBACK, true},
		{"169.254.169.254", TARGET_LOOPBACK | TARGET_PRIVATE | TARGET_LINK_LOCAL, true},
		{"224.0.0.1", ~0u, true},
		{"0.0.0.0", ~0u, true},
		{"::ffff:127.0.0.1", ~0u, true},
		{"localhost.", 0, true},
	};
	struct check_bench *b = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
		b->env.targets.classes = cases[i].allowed;
		struct check_ended e = check_bench_run(b, &check, cases[i].address);
		assert_int_equal(e.reason == PROBE_REASON_REFUSED_TARGET, cases[i].is_refused);
		if (cases[i].is_refused)
			assert_int_equal(e.rtt_us, 0);
	}
}

static void allowed_classes_are_read_strictly(void **state)
{
	struct target_rules rules = {.classes = 99};
	struct veer_diag diag = {""};
	(void)state;
	assert_int_equal(target_rules_parse("", NULL, &rules, &diag), VEER_OK);
	assert_int_equal(rules.classes, 0);
	assert_int_equal(target_rules_parse("loopback,link-local", NULL, &rules, &diag), VEER_OK);
	assert_int_equal(rules.classes, TARGET_LOOPBACK | TARGET_LINK_LOCAL);
	assert_int_equal(target_rules_parse("loopback,all", NULL, &rules, &diag), VEER_EINVAL);
	assert_non_null(strstr(diag.text, "'all'"));
	assert_int_equal(rules.classes, TARGET_LOOPBACK | TARGET_LINK_LOCAL);
	assert_int_equal(target_rules_parse("private,10.0.0.1/8", NULL, &rules, &diag), VEER_EINVAL);
	assert_int_equal(target_rules_parse(NULL, "loopback", &rules, &diag), VEER_EINVAL);
	assert_non_null(strstr(diag.text, "'loopback' is no prefix"));
	assert_int_equal(
		target_rules_parse("metadata,10.0.0.0/8,2001:db8::/32", "10.1.0.0/16,192.0.2.1", &rules, &diag),
		VEER_OK);
	assert_int_equal(rules.allowed.count, 2);
	assert_int_equal(rules.denied.count, 2);
}

static void prefixes_allow_and_deny(void **state)
{
	static const struct {
		const char *allow, *deny, *address;
		bool is_own, is_allowed;
	} cases[] = {
		{"10.0.0.0/8", NULL, "10.1.2.3", false, true},
		{"10.0.0.0/8", NULL, "192.168.0.1", false, false},
		{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", false, false},
		{"private", "10.1.0.0/16", "10.1.2.3", false, false},
		{"private", "10.1.0.0/16", "10.2.0.1", false, true},
		{NULL, "8.8.8.0/24", "8.8.8.8", false, false},
		{NULL, "8.8.8.0/24", "8.8.4.4", false, true},
		{"fd00::/16", NULL, "fd00::1", false, true},
		{"fd00::/16", "fd00::1", "fd00::1", false, false},
		{"127.0.0.0/8", NULL, "127.0.0.1", true, true},
		{"0.0.0.0/0,::/0", NULL, "224.0.0.1", false, false},
		{"0.0.0.0/0,::/0", NULL, "::ffff:127.0.0.1", false, false},
		{NULL, NULL, "203.0.113.10", true, false},
		{"loopback", NULL, "203.0.113.10", true, true},
		{"private", NULL, "10.0.0.1", true, false},
		{"private,10.0.0.0/8", NULL, "10.0.0.1", true, false},
		{"10.0.0.1", NULL, "10.0.0.1", true, true},
		{"loopback", "10.0.0.1", "10.0.0.1", true, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct target_rules rules;
		struct veer_addr addr;
		assert_int_equal(target_rules_parse(cases[i].allow, cases[i].deny, &rules, NULL), VEER_OK);
		assert_int_equal(veer_addr_parse(cases[i].address, &addr), VEER_OK);
		if (target_is_allowed(&addr, &rules, cases[i].is_own) != cases[i].is_allowed)
			fail_msg("case %zu: %s", i, cases[i].address);
	}
}

static void own_addresses_are_known(void **state)
{
	struct target_own *own = target_own_new();
	struct veer_addr addr;
	(void)state;
	assert_non_null(own);
	assert_int_equal(veer_addr_parse("127.1.2.3", &addr), VEER_OK);
	assert_true(target_own_has(own, &addr, 0));
	assert_int_equal(veer_addr_parse("192.0.2.77", &addr), VEER_OK);
	assert_false(target_own_has(own, &addr, 100000));
	target_own_free(&own);
}

static void a_host_name_is_resolved_and_then_vetted(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	check.timeout_ms = 5000;
	assert_int_equal(check_bench_run(b, &check, "localhost.").reason, PROBE_REASON_OK);
}

static atomic_bool is_resolver_dead;

static atomic_llong first_hang_ended_ms; /* when the first of all names that hang ended; 0 before */

/*
 * A fake resolver. The name decides the result: "good.", "none.", "again." (SERVFAIL), "system.", and "hang…", which
 * takes long.
 */
static int ask_fake(const char *name, const struct addrinfo *hints, struct addrinfo **list)
{
	(void)hints;
	const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	if (strcmp(name, "system.") == 0)
		return EAI_SYSTEM;
	if (strncmp(name, "hang", 4) == 0) {
		long long never = 0;
		(void)usleep(700000);
		(void)atomic_compare_exchange_strong(&first_hang_ended_ms, &never,
						     veer_clock_monotonic_ms(veer_clock_system()));
	}
	if (atomic_load(&is_resolver_dead) || strcmp(name, "again.") == 0 || strncmp(name, "hang", 4) == 0)
		return EAI_AGAIN;
	return strcmp(name, "none.") == 0 ? EAI_NONAME : getaddrinfo("127.0.0.1", NULL, &numeric, list);
}

/* Use the fake resolver instead of the fixture's. */
static void ask_the_fake_resolver(struct check_stage *f)
{
	resolver_free(&f->bench.env.resolver);
	f->bench.env.resolver = resolver_new(f->bench.loop, ask_fake, f->few, f->few);
	assert_non_null(f->bench.env.resolver);
}

static enum probe_reason reason_of(struct check_bench *b, const char *name)
{
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	return check_bench_run(b, &check, name).reason;
}

/* Let the loop run for more than RESOLVE_ATTEMPT_MS. */
static void wait_for_the_next_attempt(struct check_bench *b)
{
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/silent");
	check.timeout_ms = RESOLVE_ATTEMPT_MS + 100;
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_TIMEOUT);
}

static void whose_name_is_not_answered_is_down_only_if_others_are(void **state)
{
	struct check_bench *b = *state;
	ask_the_fake_resolver(*state);
	atomic_store(&is_resolver_dead, false);
	assert_int_equal(reason_of(b, "none."), PROBE_REASON_DNS_FAILED); /* the name's failure: others are answered */
	assert_int_equal(reason_of(b, "system."), PROBE_REASON_INTERNAL);
	assert_int_equal(reason_of(b, "again."),
			 PROBE_REASON_INTERNAL); /* as far as is known, the resolver may be at fault */
	(void)usleep(5000);                      /* results of the same millisecond have no order */
	assert_int_equal(reason_of(b, "good."), PROBE_REASON_OK);
	assert_int_equal(reason_of(b, "again."), PROBE_REASON_DNS_FAILED); /* not the resolver: others are answered */
	assert_int_equal(reason_of(b, "system."), PROBE_REASON_INTERNAL);
	/* The resolver dies: names that were answered before do not fail, however often they are asked in a row. */
	atomic_store(&is_resolver_dead, true);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(reason_of(b, "good."), PROBE_REASON_INTERNAL);
		assert_int_equal(reason_of(b, "fine."), PROBE_REASON_INTERNAL);
	}
	atomic_store(&is_resolver_dead, false);
	assert_int_equal(reason_of(b, "good."), PROBE_REASON_OK);
}

static void a_name_that_hangs_is_down_only_if_others_are_answered(void **state)
{
	struct check_bench *b = *state;
	ask_the_fake_resolver(*state);
	atomic_store(&is_resolver_dead, false);
	assert_int_equal(reason_of(b, "hang."), PROBE_REASON_INTERNAL);
	assert_int_equal(reason_of(b, "good."), PROBE_REASON_OK);
	assert_int_equal(reason_of(b, "hang."), PROBE_REASON_DNS_FAILED);
	/* The time of the next attempt counts from the start of the attempt before, not from the first. */
	wait_for_the_next_attempt(b);
	atomic_store(&is_resolver_dead, true);
	(void)reason_of(b, "hang.");
	wait_for_the_next_attempt(b);
	assert_int_equal(reason_of(b, "hang."), PROBE_REASON_INTERNAL);
	atomic_store(&is_resolver_dead, false);
}

static void nothing_work(void *ctx)
{
	(void)ctx;
}

static void note_time(void *ctx)
{
	*(int64_t *)ctx = veer_clock_monotonic_ms(veer_clock_system());
}

/* Names that are not known yet leave threads for others, however many of them hang. */
static void names_that_hang_do_not_keep_programs_from_starting(void **state)
{
	enum { NAMES = 40 };
	struct check_stage *f = *state;
	struct check_bench *b = &f->bench;
	struct check_ended ended[NAMES];
	char names[NAMES][32];
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	int64_t done_ms = 0;
	struct resolver *few = b->env.resolver;
	b->env.resolver = resolver_new(b->loop, ask_fake, b->env.quick, b->env.slow);
	assert_non_null(b->env.resolver);
	atomic_store(&first_hang_ended_ms, 0);
	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(names[i], sizeof names[i], "hang%d.", i);
		(void)check_bench_begin(b, &check, names[i], &ended[i]);
	}
	assert_int_equal(jobs_add(b->env.quick, nothing_work, note_time, &done_ms), VEER_OK);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	(void)usleep(900000); /* all threads have finished */
	resolver_free(&b->env.resolver);
	b->env.resolver = few;
	assert_true(done_ms > 0);
	assert_true(done_ms < atomic_load(&first_hang_ended_ms)); /* it waited for none of the names that hang */
}

static void a_slow_resolver_delays_no_address_and_ends_in_time(void **state)
{
	struct check_stage *f = *state;
	struct check_bench *b = &f->bench;
	struct check_ended name;
	struct check_ended address;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	for (int i = 0; i < POOL_THREADS; i++)
		assert_int_equal(jobs_add(f->few, check_stage_slow_work, check_stage_slow_done, NULL), VEER_OK);
	check.timeout_ms = 200;
	(void)check_bench_begin(b, &check, "localhost.", &name);
	(void)check_bench_begin(b, &check, "127.0.0.1", &address);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(name.reason, PROBE_REASON_INTERNAL); /* not a failure of the name: no query was made */
	assert_in_range(name.took_ms, 190, 450);
	assert_int_equal(address.reason, PROBE_REASON_OK);
	assert_true(address.took_ms < 190);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, check_stage_setup, check_stage_teardown)
	const struct CMUnitTest tests[] = {
		T(special_addresses_are_refused_unless_allowed),
		cmocka_unit_test(allowed_classes_are_read_strictly),
		cmocka_unit_test(prefixes_allow_and_deny),
		cmocka_unit_test(own_addresses_are_known),
		T(a_host_name_is_resolved_and_then_vetted),
		T(whose_name_is_not_answered_is_down_only_if_others_are),
		T(a_name_that_hangs_is_down_only_if_others_are_answered),
		T(names_that_hang_do_not_keep_programs_from_starting),
		T(a_slow_resolver_delays_no_address_and_ends_in_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
