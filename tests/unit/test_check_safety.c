/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that a hostile target or a hostile tenant cannot make a probe do. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/regex.h"
#include "base/tls.h"
#include "probes/agent/exec.h"
#include "probes/agent/resolve.h"
#include "probes/verdict/target.h"
#include "tests/unit/check_bench.h"

static int setup(void **state)
{
	struct check_bench *b = calloc(1, sizeof *b);
	assert_non_null(b);
	check_bench_open(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct check_bench *b = *state;
	char path[128];
	(void)snprintf(path, sizeof path, "%s/hang", b->dir);
	(void)unlink(path);
	check_bench_close(b);
	free(b);
	return 0;
}

static struct model_check patient_check(const struct check_bench *b, const char *path)
{
	struct model_check check = check_bench_http(tiny_http_port(b->server), path);
	check.timeout_ms = 1000;
	return check;
}

/* --- targets --------------------------------------------------------------------------------------------------- */

/* Which ranges an agent must allow so that it connects; NEVER: no setting allows it; 0: none needed. */
#define NEVER (~0u)
static const struct {
	const char *address;
	unsigned needed;
} literals[] = {
	{"8.8.8.8", 0},
	{"1.1.1.1", 0},
	{"193.0.0.1", 0},
	{"2001:4860:4860::8888", 0},
	{"2a00:1450::1", 0},
	{"2606:4700::1111", 0},
	{"192.0.2.1", 0},
	{"198.51.100.7", 0},
	{"2001:db8::1", 0},
	{"127.0.0.1", TARGET_LOOPBACK},
	{"127.0.0.53", TARGET_LOOPBACK},
	{"127.255.255.255", TARGET_LOOPBACK},
	{"::1", TARGET_LOOPBACK},
	{"10.0.0.1", TARGET_PRIVATE},
	{"10.255.255.255", TARGET_PRIVATE},
	{"172.16.0.1", TARGET_PRIVATE},
	{"172.31.255.254", TARGET_PRIVATE},
	{"172.15.255.255", 0},
	{"172.32.0.0", 0},
	{"192.168.0.1", TARGET_PRIVATE},
	{"192.168.255.255", TARGET_PRIVATE},
	{"192.167.255.255", 0},
	{"100.64.0.1", TARGET_PRIVATE},
	{"100.127.255.255", TARGET_PRIVATE},
	{"100.63.255.255", 0},
	{"100.128.0.0", 0},
	{"fc00::1", TARGET_PRIVATE},
	{"fd12:3456:789a::1", TARGET_PRIVATE},
	{"fec0::1", TARGET_PRIVATE},
	{"169.254.0.1", TARGET_LINK_LOCAL},
	{"169.254.169.253", TARGET_LINK_LOCAL},
	{"169.254.255.255", TARGET_LINK_LOCAL},
	{"fe80::1", TARGET_LINK_LOCAL},
	{"febf:ffff::1", TARGET_LINK_LOCAL},
	{"169.254.169.254", TARGET_METADATA},
	{"169.254.170.2", TARGET_METADATA},
	{"168.63.129.16", TARGET_METADATA},
	{"100.100.100.200", TARGET_METADATA},
	{"192.0.0.192", TARGET_METADATA},
	{"fd00:ec2::254", TARGET_METADATA},
	{"fd20:ce::254", TARGET_METADATA},
	{"0.0.0.0", NEVER},
	{"0.1.2.3", NEVER},
	{"::", NEVER},
	{"224.0.0.1", NEVER},
	{"239.255.255.255", NEVER},
	{"ff02::1", NEVER},
	{"ff05::2", NEVER},
	{"255.255.255.255", NEVER},
	{"240.0.0.1", NEVER},
	{"192.0.0.1", NEVER},
	{"::ffff:127.0.0.1", NEVER},
	{"::ffff:10.0.0.1", NEVER},
	{"::ffff:169.254.169.254", NEVER},
	{"::ffff:8.8.8.8", NEVER},
	{"::127.0.0.1", NEVER},
	{"::ffff:0:127.0.0.1", NEVER},
	{"64:ff9b::7f00:1", NEVER},
	{"64:ff9b::a9fe:a9fe", NEVER},
	{"64:ff9b:1::a00:1", NEVER},
	{"2002:7f00:1::", NEVER},
	{"2002:a9fe:a9fe::1", NEVER},
	{"192.88.99.1", NEVER},
	{"2001::1", NEVER},
	{"2001:0:53aa:64c::1", NEVER},
	{"100::1", NEVER},
	{"4000::1", NEVER},
	{"5f00::1", NEVER},
};

static void each_address_needs_its_own_permission(void **state)
{
	static const unsigned classes[] = {0, TARGET_LOOPBACK, TARGET_PRIVATE, TARGET_LINK_LOCAL, TARGET_METADATA};
	const unsigned all = TARGET_LOOPBACK | TARGET_PRIVATE | TARGET_LINK_LOCAL | TARGET_METADATA;
	(void)state;
	for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
		struct veer_addr addr;
		assert_int_equal(veer_addr_parse(literals[i].address, &addr), VEER_OK);
		for (size_t k = 0; k < sizeof classes / sizeof classes[0]; k++) {
			bool expected = literals[i].needed == 0 || (classes[k] & literals[i].needed & all) != 0;
			if (literals[i].needed == NEVER)
				expected = false;
			const struct target_rules rules = {.classes = classes[k]};
			if (target_is_allowed(&addr, &rules, false) != expected)
				fail_msg("%s with %#x", literals[i].address, classes[k]);
		}
		const struct target_rules everything = {.classes = all};
		assert_int_equal(target_is_allowed(&addr, &everything, false), literals[i].needed != NEVER);
	}
}

static void spellings_that_are_no_addresses_reach_nothing(void **state)
{
	static const char *const spellings[] = {
		"127.1",      "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1%lo",       "[::1]", "127.0.0.1:80",
		" 127.0.0.1", "127.0.0.01", "1.2.3.4.5",  "fe80::1%1",  "::ffff:127.0.0.1/8", ""};
	struct veer_addr addr;
	(void)state;
	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
		assert_int_equal(veer_addr_parse(spellings[i], &addr), VEER_EINVAL);
}

/*
 * Every kind vets the target before it connects. A refused target does not count as a success of an inverted check
 * either.
 */
static void every_kind_refuses_what_is_not_allowed(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = patient_check(b, "/hello");
	static const char *const argv[] = {"/bin/true", NULL};
	static const uint8_t name[] = {0};
	unsigned before = tiny_http_connections(b->server);
	check.dns.name = name;
	check.exec = (struct model_check_exec){argv, 1};
	b->env.targets.classes = TARGET_PRIVATE;
	assert_int_equal(exec_pool_allow(b->env.exec, "/bin", NULL), VEER_OK);
	for (int inverted = 0; inverted < 2; inverted++) {
		check.is_inverted = inverted == 1;
		for (int kind = 0; kind < MODEL_CHECK_KIND_COUNT; kind++) {
			check.kind = (enum model_check_kind)kind;
			static const char *const addresses[] = {"127.0.0.1", "localhost.", "::ffff:10.0.0.1"};
			for (size_t i = 0; i < 3; i++) {
				struct check_ended e = check_bench_run(b, &check, addresses[i]);
				assert_int_equal(e.reason, PROBE_REASON_REFUSED_TARGET);
				assert_false(e.is_success);
				assert_true(e.timing.connect_us < 0);
			}
		}
	}
	assert_int_equal(tiny_http_connections(b->server), before);
}

static void each_hop_of_a_redirect_is_vetted(void **state)
{
	static const struct {
		const char *path;
		const char *word; /* contained in the detail */
	} cases[] = {
		{"/to/http://10.0.0.1/", "10.0.0.1 is private"},
		{"/to/http://169.254.169.254/latest/", "169.254.169.254 is cloud metadata"},
		{"/to/http://[::ffff:127.0.0.1]/", "translated"},
		{"/to/http://[64:ff9b::7f00:1]/", "translated"},
		{"/to/http://0.0.0.0/", "0.0.0.0 is unspecified"},
		{"/to/http://0x0a.1/", "10.0.0.1 is private"}, /* vetted in the way in which curl reads the address */
		{"/to/http://167772161/", "10.0.0.1 is private"},
		{"/to/http://224.0.0.1/", "multicast"},
		{"/to///10.0.0.1/", "10.0.0.1 is private"},
		{"/to/gopher://127.0.0.1/", "no usable URL"},
		{"/to/file:///etc/passwd", "no usable URL"},
		{"/to/http://a:b@127.0.0.1/", "no usable URL"},
		{"/to/http://does-not-exist.invalid/", ""},
	};
	struct check_bench *b = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct model_check check = patient_check(b, cases[i].path);
		check.http.follow_redirects = 1;
		struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
		if (e.reason != PROBE_REASON_HTTP_REDIRECT || strstr(e.detail, cases[i].word) == NULL)
			fail_msg("%s: %s, %s", cases[i].path, probe_reason_text(e.reason), e.detail);
	}
}

/*
 * A redirect to a name is resolved and vetted like an endpoint. A name that resolves to loopback is refused, whatever
 * it is called.
 */
static void a_redirect_to_a_name_is_resolved_and_vetted(void **state)
{
	struct check_bench *b = *state;
	char path[64];
	(void)snprintf(path, sizeof path, "/to/http://localhost:%u/hello", tiny_http_port(b->server));
	struct model_check check = patient_check(b, path);
	check.http.follow_redirects = 1;
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_OK);
	b->env.targets.classes = 0;
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_REFUSED_TARGET);
}

/* --- nobody delays the others ---------------------------------------------------------------------------------- */

static void write_program(const struct check_bench *b, char path[128])
{
	static const char text[] = "#!/bin/sh\nsleep 60\n";
	(void)snprintf(path, 128, "%s/hang", b->dir);
	assert_int_equal(file_write_atomic(path, text, sizeof text - 1, 0755, NULL), VEER_OK);
}

static void hung_programs_delay_no_other_check(void **state)
{
	enum { HUNG = EXEC_RUNNING_MAX + 6 };
	struct check_bench *b = *state;
	static struct check_ended hanging[HUNG];
	struct check_ended well;
	char path[128];
	const char *argv[] = {path, NULL};
	struct model_check hung = patient_check(b, NULL);
	struct model_check good = patient_check(b, "/hello");
	write_program(b, path);
	hung.kind = MODEL_CHECK_EXEC;
	hung.exec = (struct model_check_exec){argv, 1};
	hung.timeout_ms = 3000;
	good.timeout_ms = 2500;
	assert_int_equal(exec_pool_allow(b->env.exec, b->dir, NULL), VEER_OK);
	for (int i = 0; i < HUNG; i++)
		(void)check_bench_begin(b, &hung, "127.0.0.1", &hanging[i]);
	(void)check_bench_begin(b, &good, "127.0.0.1", &well);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(well.reason, PROBE_REASON_OK);
	assert_true(well.took_ms < 2000);
	unsigned late = 0;
	unsigned waited = 0;
	for (int i = 0; i < HUNG; i++) {
		late += hanging[i].reason == PROBE_REASON_TIMEOUT;
		waited += hanging[i].reason ==
			  PROBE_REASON_INTERNAL; /* its program never ran, so the endpoint is not at fault */
		assert_true(hanging[i].took_ms >= 2900);
	}
	/* On a slow host some of the probes that got a place began late, too. */
	assert_int_equal(late + waited, HUNG);
	assert_in_range(late, 1, EXEC_RUNNING_MAX);
}

static void a_cancelled_program_says_nothing_and_ends(void **state)
{
	struct check_bench *b = *state;
	struct check_ended gone[2];
	char path[128];
	const char *argv[] = {path, NULL};
	struct model_check hung = patient_check(b, NULL);
	struct model_check good = patient_check(b, "/hello");
	write_program(b, path);
	hung.kind = MODEL_CHECK_EXEC;
	hung.exec = (struct model_check_exec){argv, 1};
	assert_int_equal(exec_pool_allow(b->env.exec, b->dir, NULL), VEER_OK);
	struct check_probe *at_once = check_bench_begin(b, &hung, "127.0.0.1", &gone[0]);
	check_cancel(at_once);
	b->running--;
	struct check_probe *later = check_bench_begin(b, &hung, "127.0.0.1", &gone[1]);
	b->running--;
	assert_int_equal(check_bench_run(b, &good, "127.0.0.1").reason, PROBE_REASON_OK);
	check_cancel(later);
	assert_int_equal(check_bench_run(b, &good, "127.0.0.1").reason, PROBE_REASON_OK);
	assert_int_equal(gone[0].count + gone[1].count, 0);
}

struct answer {
	struct check_bench *bench;
	int count;
	enum veer_err err;
};

static void on_resolved(void *ctx, const struct resolve_result *result)
{
	struct answer *answer = ctx;
	answer->count++;
	answer->err = result->err;
	if (--answer->bench->running == 0)
		loop_stop(answer->bench->loop);
}

static void a_name_is_asked_once_for_all_who_wait(void **state)
{
	enum { WAITING = 200 };
	struct check_bench *b = *state;
	static struct answer answers[WAITING];
	struct resolve *resolves[WAITING];
	for (int i = 0; i < WAITING; i++) {
		answers[i] = (struct answer){.bench = b};
		assert_int_equal(resolve_start(b->env.resolver, "localhost.", on_resolved, &answers[i], &resolves[i]),
				 VEER_OK);
	}
	for (int i = 0; i < WAITING; i += 2)
		resolve_cancel(resolves[i]);
	b->running = WAITING / 2;
	assert_int_equal(loop_run(b->loop), VEER_OK);
	for (int i = 0; i < WAITING; i++)
		assert_int_equal(answers[i].count, i % 2);
}

/* --- keeping connections, and timing --------------------------------------------------------------------------- */

static void a_connection_is_kept_only_if_the_check_says_so(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = patient_check(b, "/hello");
	for (int keep = 0; keep < 2; keep++) {
		check.keeps_connection = keep == 1;
		unsigned before = tiny_http_connections(b->server);
		for (int i = 0; i < 5; i++)
			assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_OK);
		assert_int_equal(tiny_http_connections(b->server) - before, keep == 1 ? 1 : 5);
	}
}

static void stages_are_timed_in_their_order(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = patient_check(b, "/hello");
	check.timeout_ms = 3000;
	struct check_timing t = check_bench_run(b, &check, "localhost.").timing;
	assert_true(t.resolve_us > 0 && t.resolve_us <= t.connect_us && t.connect_us <= t.first_byte_us);
	assert_true(t.first_byte_us <= t.total_us && t.tls_us < 0);
	check.kind = MODEL_CHECK_TCP;
	t = check_bench_run(b, &check, "127.0.0.1").timing;
	assert_true(t.resolve_us < 0 && t.connect_us > 0 && t.connect_us <= t.total_us && t.first_byte_us < 0);
}

/* --- regular expressions --------------------------------------------------------------------------------------- */

/* The author of a check names the bundle, and the agent has only one thread. */
static void a_bundle_that_is_no_file_hangs_nobody(void **state)
{
	struct tls_trust *trust = tls_trust_new();
	struct x509_store_st *store = NULL;
	struct veer_diag diag;
	char dir[] = "/tmp/veer-bundle-XXXXXX", fifo[64], huge[64];
	(void)state;
	assert_non_null(trust);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	(void)snprintf(huge, sizeof huge, "%s/huge", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int fd = open(huge, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	(void)close(fd);
	const char *const paths[] = {"/dev/zero", "/dev/urandom", fifo, huge, dir, "/proc/self/mem", "/nowhere"};
	(void)alarm(30); /* otherwise a failure would hang for ever */
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (tls_trust_store(trust, paths[i], NULL, &store, &diag) != VEER_EIO)
			fail_msg("%s is not refused", paths[i]);
	(void)alarm(0);
	tls_trust_free(&trust);
	(void)unlink(fifo);
	(void)unlink(huge);
	(void)rmdir(dir);
}

static void expressions_are_bounded(void **state)
{
	static const char *const refused[] = {
		"(", "[a", "a{2,1}", "\\1", "(a)\\1", "a**{1001}", "(((a{30}){30}){30})", "(x{0,100}y{0,100}){3}"};
	static const char *const slow[] = {"(a*)*b", "(a|aa)+$b", "(a|a)*c", "a*a*a*a*a*a*a*c", "(a|b)*a(a|b){60}c"};
	struct regex *regex = NULL;
	struct veer_diag diag;
	char *text = malloc(CHECK_BODY_MAX_BYTES);
	(void)state;
	assert_non_null(text);
	memset(text, 'a', CHECK_BODY_MAX_BYTES);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (regex_new(refused[i], &regex, &diag) == VEER_OK)
			fail_msg("taken: %s", refused[i]);
	}
	int64_t start_ms = veer_clock_monotonic_ms(veer_clock_system());
	for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
		assert_int_equal(regex_new(slow[i], &regex, &diag), VEER_OK);
		assert_int_equal(regex_matches(regex, text, CHECK_BODY_MAX_BYTES), false);
		regex_free(&regex);
	}
	assert_true(veer_clock_monotonic_ms(veer_clock_system()) - start_ms < 5000);
	free(text);
}

static void expressions_are_posix_extended(void **state)
{
	static const struct {
		const char *regex;
		const char *text;
		bool matches;
	} cases[] = {
		{"^ok$", "ok", true},
		{"ok", "not ok at all", true},
		{"^ok", "not ok", false},
		{"[[:digit:]]+ up", "3 up", true},
		{"(up|ok){2}", "upok", true},
		{"a.c",
		 "a\xff"
		 "c",
		 true},
		{"a\\.c", "abc", false},
		{"\\bup\\b", "is up.", true},
		{"OK", "ok", false},
		{"x|^$", "", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct regex *regex = NULL;
		struct veer_diag diag = {""};
		if (regex_new(cases[i].regex, &regex, &diag) != VEER_OK)
			fail_msg("%s: %s", cases[i].regex, diag.text);
		if (regex_matches(regex, cases[i].text, strlen(cases[i].text)) != cases[i].matches)
			fail_msg("%s on %s", cases[i].regex, cases[i].text);
		regex_free(&regex);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_needs_its_own_permission),
		cmocka_unit_test(spellings_that_are_no_addresses_reach_nothing),
		cmocka_unit_test_setup_teardown(every_kind_refuses_what_is_not_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(each_hop_of_a_redirect_is_vetted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_redirect_to_a_name_is_resolved_and_vetted, setup, teardown),
		cmocka_unit_test_setup_teardown(hung_programs_delay_no_other_check, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cancelled_program_says_nothing_and_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_is_asked_once_for_all_who_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_is_kept_only_if_the_check_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(stages_are_timed_in_their_order, setup, teardown),
		cmocka_unit_test(a_bundle_that_is_no_file_hangs_nobody),
		cmocka_unit_test(expressions_are_bounded),
		cmocka_unit_test(expressions_are_posix_extended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
