/* SPDX-License-Identifier: Apache-2.0 */
/* Probes against real sockets on loopback: good servers, bad ones, and none. */
#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "probes/agent/places.h"
#include "probes/agent/resolve.h"
#include "probes/verdict/target.h"
#include "tests/unit/check_bench.h"

struct fixture {
	struct check_bench bench;      /* first: most tests need no more */
	struct resolver *own_resolver; /* of the environment, while ours is in its place: few threads are busy soon */
	struct jobs *few;
};

#define POOL_THREADS 4

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	check_bench_open(&f->bench);
	f->few = jobs_new(f->bench.loop, POOL_THREADS, 64);
	f->own_resolver = f->bench.env.resolver;
	f->bench.env.resolver = resolver_new(f->bench.loop, resolve_ask_system, f->few, f->few);
	assert_true(f->few != NULL && f->bench.env.resolver != NULL);
	*state = f;
	return 0;
}

static void path_in(const struct check_bench *b, const char *name, char out[128])
{
	(void)snprintf(out, 128, "%s/%s", b->dir, name);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];
	resolver_free(&f->bench.env.resolver);
	jobs_free(&f->few, true);
	f->bench.env.resolver = f->own_resolver;
	path_in(&f->bench, "cert.pem", path);
	(void)unlink(path);
	path_in(&f->bench, "key.pem", path);
	(void)unlink(path);
	check_bench_close(&f->bench);
	free(f);
	return 0;
}

static enum probe_reason ask(struct check_bench *b, const char *path)
{
	struct model_check check = check_bench_http(tiny_http_port(b->server), path);
	return check_bench_run(b, &check, "127.0.0.1").reason;
}

/* --- HTTP ------------------------------------------------------------------------------------------------------ */

static void each_way_to_answer_has_its_reason(void **state)
{
	static const struct {
		const char *path;
		enum probe_reason reason;
	} cases[] = {
		{"/hello", PROBE_REASON_OK},
		{"/status/204", PROBE_REASON_OK},
		{"/status/500", PROBE_REASON_HTTP_STATUS},
		{"/status/301", PROBE_REASON_HTTP_STATUS},
		{"/huge", PROBE_REASON_OK}, /* 64 KiB of it is enough */
		{"/trickle", PROBE_REASON_TIMEOUT},
		{"/silent", PROBE_REASON_TIMEOUT},
		{"/half-head", PROBE_REASON_TIMEOUT},
		{"/truncated", PROBE_REASON_RESET},
		{"/close", PROBE_REASON_RESET},
		{"/garbage", PROBE_REASON_HTTP_PROTOCOL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum probe_reason reason = ask(*state, cases[i].path);
		if (reason != cases[i].reason)
			print_error("%s: %s\n", cases[i].path, probe_reason_text(reason));
		assert_int_equal(reason, cases[i].reason);
	}
}

static void a_failed_status_says_which(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/status/503");
	struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
	assert_string_equal(e.detail, "status 503");
	assert_true(e.rtt_us > 0);
}

static void expected_statuses_are_the_checks_own(void **state)
{
	static const struct model_status_range ranges[] = {{301, 301}, {500, 504}};
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/status/301");
	check.http.expect_status = ranges;
	check.http.expect_status_count = 2;
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_OK);
	check.http.path = "/status/502";
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_OK);
	check.http.path = "/hello";
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_HTTP_STATUS);
}

static void each_probe_has_a_connection_of_its_own(void **state)
{
	struct check_bench *b = *state;
	unsigned before = tiny_http_connections(b->server);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(b, "/hello"), PROBE_REASON_OK);
	assert_int_equal(tiny_http_connections(b->server) - before, 3);
}

static void a_deadline_is_absolute(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/trickle");
	check.timeout_ms = 150;
	struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
	assert_int_equal(e.reason, PROBE_REASON_TIMEOUT);
	assert_in_range(e.took_ms, 140, 400);
}

/* A listening socket whose queue is full: what comes now is neither accepted nor refused. */
struct black_hole {
	int fd;
	int fillers[8];
	uint16_t port;
};

static void black_hole_open(struct black_hole *hole)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sin;
	hole->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(hole->fd, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(hole->fd, 0), 0);
	assert_int_equal(getsockname(hole->fd, (struct sockaddr *)&sin, &len), 0);
	hole->port = ntohs(sin.sin_port);
	for (size_t i = 0; i < 8; i++) {
		hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(hole->fillers[i], (struct sockaddr *)&sin, sizeof sin);
	}
	(void)usleep(20000);
}

static void black_hole_close(struct black_hole *hole)
{
	for (size_t i = 0; i < 8; i++)
		(void)close(hole->fillers[i]);
	(void)close(hole->fd);
}

/* A port on which nobody listens. */
static uint16_t closed_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	(void)close(fd);
	return ntohs(sin.sin_port);
}

static void no_connection_is_refused_or_times_out(void **state)
{
	struct check_bench *b = *state;
	struct black_hole hole;
	black_hole_open(&hole);
	for (int kind = 0; kind < 2; kind++) {
		struct model_check check = check_bench_http(closed_port(), "/");
		check.kind = kind == 0 ? MODEL_CHECK_HTTP : MODEL_CHECK_TCP;
		check.timeout_ms = 200;
		assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_CONNECT_REFUSED);
		check.port = hole.port;
		struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
		assert_int_equal(e.reason, PROBE_REASON_CONNECT_TIMEOUT);
		assert_in_range(e.took_ms, 190, 500);
	}
	black_hole_close(&hole);
}

/* --- TCP ------------------------------------------------------------------------------------------------------- */

static void tcp_needs_a_connection_and_nothing_more(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), NULL);
	check.kind = MODEL_CHECK_TCP;
	struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
	assert_int_equal(e.reason, PROBE_REASON_OK);
	assert_in_range(e.rtt_us, 1, 200000);
}

/* --- TLS ------------------------------------------------------------------------------------------------------- */

struct tls_case {
	const char *cert_name;
	long valid_s;
	const char *host;
	const char *sni;
	bool is_trusted; /* the certificate is the check's own bundle */
	bool verify;
	enum probe_reason reason;
};

static enum probe_reason ask_tls(struct check_bench *b, const struct tls_case *c)
{
	char cert[128];
	char key[128];
	path_in(b, "cert.pem", cert);
	path_in(b, "key.pem", key);
	assert_true(tiny_http_make_cert(c->cert_name, c->valid_s, cert, key));
	struct tiny_http *server = tiny_http_start(&(struct tiny_http_spec){.cert_file = cert, .key_file = key});
	assert_non_null(server);
	struct model_check check = check_bench_http(tiny_http_port(server), "/hello");
	check.kind = MODEL_CHECK_HTTPS;
	check.http.host = c->host;
	check.tls.sni = c->sni;
	check.tls.ca_file = c->is_trusted ? cert : NULL;
	check.tls.verify = c->verify;
	check.tls.is_used = true;
	check.timeout_ms = 2000;
	struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
	tiny_http_stop(&server);
	if (e.reason != c->reason)
		print_error("%s: %s\n", probe_reason_text(e.reason), e.detail);
	return e.reason;
}

static void certificates_are_verified(void **state)
{
	static const struct tls_case cases[] = {
		{"www.example.com", 3600, "www.example.com", NULL, true, true, PROBE_REASON_OK},
		{"www.example.com", 3600, "www.example.com:8443", NULL, true, true, PROBE_REASON_OK},
		{"www.example.com", 3600, "other.example.com", "www.example.com", true, true, PROBE_REASON_OK},
		{"www.example.com", 3600, "www.example.com", "other.example.com", true, true, PROBE_REASON_TLS_NAME},
		{"www.example.com", 3600, "other.example.com", NULL, true, true, PROBE_REASON_TLS_NAME},
		{"www.example.com", 3600, NULL, NULL, true, true, PROBE_REASON_TLS_NAME},
		{"www.example.com", -60, "www.example.com", NULL, true, true, PROBE_REASON_TLS_EXPIRED},
		{"www.example.com", 3600, "www.example.com", NULL, false, true, PROBE_REASON_TLS_UNTRUSTED},
		{"www.example.com", -60, "other.example.com", NULL, false, false, PROBE_REASON_OK},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum probe_reason reason = ask_tls(*state, &cases[i]);
		if (reason != cases[i].reason)
			print_error("case %zu: %s\n", i, probe_reason_text(reason));
		assert_int_equal(reason, cases[i].reason);
	}
}

/* One connection by TLS at a time: who waits for the others does not fail for that, and has all of its time. */
static void who_waits_for_a_place_loses_no_time(void **state)
{
	enum { COUNT = 5 };
	struct check_bench *b = *state;
	struct check_ended ended[COUNT];
	char cert[128];
	char key[128];
	path_in(b, "cert.pem", cert);
	path_in(b, "key.pem", key);
	assert_true(tiny_http_make_cert("www.example.com", 3600, cert, key));
	struct tiny_http *server = tiny_http_start(&(struct tiny_http_spec){.cert_file = cert, .key_file = key});
	struct model_check good = check_bench_http(tiny_http_port(server), "/hello");
	good.kind = MODEL_CHECK_HTTPS;
	good.http.host = "www.example.com";
	good.tls.ca_file = cert;
	good.tls.is_used = true;
	good.timeout_ms = 3000;
	struct model_check hanging = good;
	hanging.http.path = "/silent";
	hanging.timeout_ms = 300;
	b->env.places->max = 1;
	for (int i = 0; i < COUNT; i++)
		(void)check_bench_begin(b, i == 0 ? &hanging : &good, "127.0.0.1", &ended[i]);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(ended[0].reason, PROBE_REASON_TIMEOUT);
	for (int i = 1; i < COUNT; i++) {
		assert_int_equal(ended[i].reason, PROBE_REASON_OK);
		assert_true(ended[i].took_ms >= 290 && ended[i].rtt_us < 290000); /* the wait is not the endpoint's */
	}
	tiny_http_stop(&server);
}

/* And who gets none before its deadline says nothing of its endpoint. */
static void who_gets_no_place_says_nothing(void **state)
{
	struct check_bench *b = *state;
	struct check_ended ended[3];
	struct model_check first = check_bench_http(tiny_http_port(b->server), "/silent");
	first.kind = MODEL_CHECK_HTTPS; /* of a server that waits for a line in clear */
	first.tls.is_used = true;
	first.timeout_ms = 500;
	struct model_check second = first;
	second.timeout_ms = 200;
	struct model_check stream = second;
	stream.kind = MODEL_CHECK_TLS;
	b->env.places->max = 1;
	(void)check_bench_begin(b, &first, "127.0.0.1", &ended[0]);
	(void)check_bench_begin(b, &second, "127.0.0.1", &ended[1]);
	(void)check_bench_begin(b, &stream, "127.0.0.1", &ended[2]);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(ended[1].reason, PROBE_REASON_INTERNAL);
	assert_int_equal(ended[2].reason, PROBE_REASON_INTERNAL);
	assert_int_equal(ended[0].reason, PROBE_REASON_TIMEOUT);
}

/* Answers in the clear, whatever it is asked. */
static void answer_plainly(void *ctx, int fd, unsigned events)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	int connection = accept(fd, NULL, NULL);
	(void)ctx;
	(void)events;
	assert_true(connection >= 0);
	assert_int_equal(send(connection, text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
	(void)shutdown(connection, SHUT_WR);
	(void)usleep(10000);
	(void)close(connection);
}

static void https_to_a_server_without_tls_fails_in_tls(void **state)
{
	struct check_bench *b = *state;
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(loop_watch(b->loop, fd, LOOP_READ, answer_plainly, NULL), VEER_OK);
	struct model_check check = check_bench_http(ntohs(sin.sin_port), "/hello");
	check.kind = MODEL_CHECK_HTTPS;
	check.timeout_ms = 5000; /* the first use of the system's bundle reads it */
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_TLS_FAILED);
	loop_unwatch(b->loop, fd);
	(void)close(fd);
}

/* --- targets and names ----------------------------------------------------------------------------------------- */

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

static atomic_llong first_hang_ended_ms; /* of all names that hang; 0 before */

/* Names by what becomes of them: "good.", "none.", "again." (SERVFAIL), "system.", and "hang…" that takes its time. */
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

/* In place of the fixture's. */
static void ask_the_fake_resolver(struct fixture *f)
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
	assert_int_equal(reason_of(b, "none."), PROBE_REASON_DNS_FAILED); /* the name's, whoever else is answered */
	assert_int_equal(reason_of(b, "system."), PROBE_REASON_INTERNAL);
	assert_int_equal(reason_of(b, "again."),
			 PROBE_REASON_INTERNAL); /* it may be the resolver, as far as is known */
	(void)usleep(5000);                      /* answers of one millisecond have no order */
	assert_int_equal(reason_of(b, "good."), PROBE_REASON_OK);
	assert_int_equal(reason_of(b, "again."), PROBE_REASON_DNS_FAILED); /* no: others are answered */
	assert_int_equal(reason_of(b, "system."), PROBE_REASON_INTERNAL);
	/* The resolver dies: what was well does not fail, however often it is asked in a row. */
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
	/* Another attempt counts from where the one before began, not from the first. */
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

/* Names of which nothing is known yet leave threads for others, however many of them hang. */
static void names_that_hang_do_not_keep_programs_from_starting(void **state)
{
	enum { NAMES = 40 };
	struct fixture *f = *state;
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
	(void)usleep(900000); /* all threads are through */
	resolver_free(&b->env.resolver);
	b->env.resolver = few;
	assert_true(done_ms > 0);
	assert_true(done_ms < atomic_load(&first_hang_ended_ms)); /* it waited for none of them */
}

/* Stands for a resolver that hangs. */
static void slow_work(void *ctx)
{
	(void)ctx;
	(void)usleep(600000);
}

static void slow_done(void *ctx)
{
	(void)ctx;
}

static void a_slow_resolver_delays_no_address_and_ends_in_time(void **state)
{
	struct fixture *f = *state;
	struct check_bench *b = &f->bench;
	struct check_ended name;
	struct check_ended address;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	for (int i = 0; i < POOL_THREADS; i++)
		assert_int_equal(jobs_add(f->few, slow_work, slow_done, NULL), VEER_OK);
	check.timeout_ms = 200;
	(void)check_bench_begin(b, &check, "localhost.", &name);
	(void)check_bench_begin(b, &check, "127.0.0.1", &address);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(name.reason, PROBE_REASON_INTERNAL); /* not the name's fault: nobody has looked */
	assert_in_range(name.took_ms, 190, 450);
	assert_int_equal(address.reason, PROBE_REASON_OK);
	assert_true(address.took_ms < 190);
}

/* --- life ------------------------------------------------------------------------------------------------------ */

static void a_cancelled_probe_says_nothing_more(void **state)
{
	struct check_bench *b = *state;
	static const char *const addresses[] = {"127.0.0.1", "localhost.", "10.0.0.1", "127.0.0.1"};
	struct check_ended gone[4];
	struct model_check slow = check_bench_http(tiny_http_port(b->server), "/silent");
	struct model_check tcp = slow;
	tcp.kind = MODEL_CHECK_TCP;
	for (int i = 0; i < 4; i++) {
		check_cancel(check_bench_begin(b, i == 3 ? &tcp : &slow, addresses[i], &gone[i]));
		b->running--;
	}
	assert_int_equal(ask(b, "/hello"), PROBE_REASON_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(gone[i].count, 0);
}

/* An agent without descriptors must not take endpoints down. */
static void without_descriptors_nobody_is_blamed(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	struct check_ended ended[3];
	static const enum model_check_kind kinds[] = {MODEL_CHECK_HTTP, MODEL_CHECK_HTTPS, MODEL_CHECK_TCP};
	struct model_check checks[3] = {check, check, check};
	struct rlimit before;
	assert_int_equal(ask(b, "/hello"), PROBE_REASON_OK); /* all that is needed once is there */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	const struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 3; i++) {
		checks[i].kind = kinds[i];
		(void)check_bench_begin(b, &checks[i], "127.0.0.1", &ended[i]);
	}
	enum veer_err err = loop_run(b->loop);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(err, VEER_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ended[i].reason, PROBE_REASON_INTERNAL);
}

static void sleep_deeply(void *ctx)
{
	(void)ctx;
	(void)usleep((100 + CHECK_LATE_MS + 100) * 1000);
}

/* As after SIGSTOP, or when the machine was paused: all timers are due at once. */
static void what_ends_while_the_agent_slept_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct check_bench *b = &f->bench;
	struct check_ended silent, name;
	struct loop_timer sleep = {0};
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/silent");
	check.timeout_ms = 100;
	assert_int_equal(loop_timer_set(b->loop, &sleep, 20, sleep_deeply, NULL), VEER_OK);
	for (int i = 0; i < POOL_THREADS; i++)
		assert_int_equal(jobs_add(f->few, slow_work, slow_done, NULL), VEER_OK);
	(void)check_bench_begin(b, &check, "127.0.0.1", &silent);
	(void)check_bench_begin(b, &check, "localhost.", &name);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(silent.reason, PROBE_REASON_INTERNAL);
	assert_int_equal(silent.rtt_us, 0);
	assert_int_equal(name.reason, PROBE_REASON_INTERNAL);
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_TIMEOUT);
}

static void many_run_side_by_side(void **state)
{
	enum { COUNT = 60 };
	struct check_bench *b = *state;
	static struct check_ended ended[COUNT];
	struct model_check good = check_bench_http(tiny_http_port(b->server), "/hello");
	struct model_check slow = check_bench_http(tiny_http_port(b->server), "/silent");
	int64_t start_ms = veer_clock_monotonic_ms(veer_clock_system());
	good.timeout_ms = 3000;
	for (int i = 0; i < COUNT; i++)
		(void)check_bench_begin(b, i % 2 == 0 ? &good : &slow, "127.0.0.1", &ended[i]);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(ended[i].reason, i % 2 == 0 ? PROBE_REASON_OK : PROBE_REASON_TIMEOUT);
	assert_true(veer_clock_monotonic_ms(veer_clock_system()) - start_ms < 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_way_to_answer_has_its_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_status_says_which, setup, teardown),
		cmocka_unit_test_setup_teardown(expected_statuses_are_the_checks_own, setup, teardown),
		cmocka_unit_test_setup_teardown(each_probe_has_a_connection_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deadline_is_absolute, setup, teardown),
		cmocka_unit_test_setup_teardown(no_connection_is_refused_or_times_out, setup, teardown),
		cmocka_unit_test_setup_teardown(tcp_needs_a_connection_and_nothing_more, setup, teardown),
		cmocka_unit_test_setup_teardown(certificates_are_verified, setup, teardown),
		cmocka_unit_test_setup_teardown(https_to_a_server_without_tls_fails_in_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(who_waits_for_a_place_loses_no_time, setup, teardown),
		cmocka_unit_test_setup_teardown(who_gets_no_place_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(special_addresses_are_refused_unless_allowed, setup, teardown),
		cmocka_unit_test(allowed_classes_are_read_strictly),
		cmocka_unit_test(prefixes_allow_and_deny),
		cmocka_unit_test(own_addresses_are_known),
		cmocka_unit_test_setup_teardown(a_host_name_is_resolved_and_then_vetted, setup, teardown),
		cmocka_unit_test_setup_teardown(whose_name_is_not_answered_is_down_only_if_others_are, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_hangs_is_down_only_if_others_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_hang_do_not_keep_programs_from_starting, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_resolver_delays_no_address_and_ends_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cancelled_probe_says_nothing_more, setup, teardown),
		cmocka_unit_test_setup_teardown(without_descriptors_nobody_is_blamed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_ends_while_the_agent_slept_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(many_run_side_by_side, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
