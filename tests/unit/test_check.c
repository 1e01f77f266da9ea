/* SPDX-License-Identifier: Apache-2.0 */
/* Probes against real sockets on loopback: good servers, bad servers, and closed ports. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "probes/agent/places.h"
#include "tests/unit/check_stage.h"

/* --- HTTP -------------------------------------------------------------------------------------------------------- */

static enum probe_reason ask(struct check_bench *b, const char *path)
{
	struct model_check check = check_bench_http(tiny_http_port(b->server), path);
	return check_bench_run(b, &check, "127.0.0.1").reason;
}

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
		{"/huge", PROBE_REASON_OK}, /* the check reads only 64 KiB of it */
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

/* A listening socket whose queue is full: further connections are neither accepted nor refused. */
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

/* A port on which no socket listens. */
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

/* --- TCP --------------------------------------------------------------------------------------------------------- */

static void tcp_needs_a_connection_and_nothing_more(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), NULL);
	check.kind = MODEL_CHECK_TCP;
	struct check_ended e = check_bench_run(b, &check, "127.0.0.1");
	assert_int_equal(e.reason, PROBE_REASON_OK);
	assert_in_range(e.rtt_us, 1, 200000);
}

/* --- TLS --------------------------------------------------------------------------------------------------------- */

struct tls_case {
	const char *cert_name;
	long valid_s;
	const char *host;
	const char *sni;
	bool is_trusted; /* the check's own bundle is the certificate */
	bool verify;
	enum probe_reason reason;
};

static enum probe_reason ask_tls(struct check_bench *b, const struct tls_case *c)
{
	char cert[128];
	char key[128];
	check_stage_path_in(b, "cert.pem", cert);
	check_stage_path_in(b, "key.pem", key);
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

/*
 * Only one connection by TLS at a time: a probe that waits for the others does not fail for that, and still has its
 * full timeout.
 */
static void who_waits_for_a_place_loses_no_time(void **state)
{
	enum { COUNT = 5 };
	struct check_bench *b = *state;
	struct check_ended ended[COUNT];
	char cert[128];
	char key[128];
	check_stage_path_in(b, "cert.pem", cert);
	check_stage_path_in(b, "key.pem", key);
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
		assert_true(ended[i].took_ms >= 290 && ended[i].rtt_us < 290000); /* the rtt is without the wait */
	}
	tiny_http_stop(&server);
}

/* A probe that gets no place before its deadline says nothing about its endpoint. */
static void who_gets_no_place_says_nothing(void **state)
{
	struct check_bench *b = *state;
	struct check_ended ended[3];
	struct model_check first = check_bench_http(tiny_http_port(b->server), "/silent");
	first.kind = MODEL_CHECK_HTTPS; /* of a server that expects a line in clear */
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

/* Answers in clear whatever it receives. */
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
	check.timeout_ms = 5000; /* because the first use of the system's bundle reads it */
	assert_int_equal(check_bench_run(b, &check, "127.0.0.1").reason, PROBE_REASON_TLS_FAILED);
	loop_unwatch(b->loop, fd);
	(void)close(fd);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

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

/* An agent that has run out of descriptors must not take endpoints down. */
static void without_descriptors_nobody_is_blamed(void **state)
{
	struct check_bench *b = *state;
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/hello");
	struct check_ended ended[3];
	static const enum model_check_kind kinds[] = {MODEL_CHECK_HTTP, MODEL_CHECK_HTTPS, MODEL_CHECK_TCP};
	struct model_check checks[3] = {check, check, check};
	struct rlimit before;
	assert_int_equal(ask(b, "/hello"), PROBE_REASON_OK); /* after this, everything that is needed once is open */
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

/* As after SIGSTOP or a pause of the machine: all timers are due at once. */
static void what_ends_while_the_agent_slept_says_nothing(void **state)
{
	struct check_stage *f = *state;
	struct check_bench *b = &f->bench;
	struct check_ended silent, name;
	struct loop_timer sleep = {0};
	struct model_check check = check_bench_http(tiny_http_port(b->server), "/silent");
	check.timeout_ms = 100;
	assert_int_equal(loop_timer_set(b->loop, &sleep, 20, sleep_deeply, NULL), VEER_OK);
	for (int i = 0; i < POOL_THREADS; i++)
		assert_int_equal(jobs_add(f->few, check_stage_slow_work, check_stage_slow_done, NULL), VEER_OK);
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
#define T(fn) cmocka_unit_test_setup_teardown(fn, check_stage_setup, check_stage_teardown)
	const struct CMUnitTest tests[] = {
		T(each_way_to_answer_has_its_reason),
		T(a_failed_status_says_which),
		T(expected_statuses_are_the_checks_own),
		T(each_probe_has_a_connection_of_its_own),
		T(a_deadline_is_absolute),
		T(no_connection_is_refused_or_times_out),
		T(tcp_needs_a_connection_and_nothing_more),
		T(certificates_are_verified),
		T(https_to_a_server_without_tls_fails_in_tls),
		T(who_waits_for_a_place_loses_no_time),
		T(who_gets_no_place_says_nothing),
		T(a_cancelled_probe_says_nothing_more),
		T(without_descriptors_nobody_is_blamed),
		T(what_ends_while_the_agent_slept_says_nothing),
		T(many_run_side_by_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
