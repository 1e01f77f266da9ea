/* SPDX-License-Identifier: Apache-2.0 */
/* The servers that the HTTP client asks: addresses, names, Unix sockets and certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/http_stage.h"

static void nobody_listening_is_an_error_with_errno(void **state)
{
	struct http_stage *f = *state;
	/* Nothing listens on port 1 of loopback. */
	struct http_outcome *o = http_stage_get(f, &(struct http_spec){.url = "http://127.0.0.1:1", .path = "/"}, NULL);
	assert_int_equal(o->result.err, VEER_EIO);
	assert_int_equal(o->result.os_errno, 111);
	assert_int_equal(o->result.timing.first_byte_us, -1);
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = "unix:/nonexistent/veer.sock", .path = "/"}, NULL);
	assert_int_equal(o->result.err, VEER_EIO);
	free(o);
}

static void a_unix_socket_is_asked_by_its_path(void **state)
{
	struct http_stage *f = *state;
	char dir[] = "/tmp/veer-test-XXXXXX";
	char path[64];
	char url[80];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/s", dir);
	(void)snprintf(url, sizeof url, "unix:%s", path);
	struct tiny_http *server = tiny_http_start(&(struct tiny_http_spec){.unix_path = path});
	assert_non_null(server);
	struct http_outcome *o = http_stage_get(f, &(struct http_spec){.url = url, .path = "/hello"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_string_equal(o->body, "hello");
	free(o);
	http_client_free(&f->client);
	f->client = http_client_new(f->loop);
	tiny_http_stop(&server);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void unusable_specs_are_refused_at_once(void **state)
{
	struct http_stage *f = *state;
	const char *const injected[] = {"X: a\r\nY: b", NULL};
	char long_unix[200];
	(void)snprintf(long_unix, sizeof long_unix, "unix:/%0150d", 1);
	const struct http_spec bad[] = {
		{.url = ""},
		{.url = "no-scheme"},
		{.url = "ftp://127.0.0.1/"},
		{.url = "file:///etc/passwd"},
		{.url = "http://"},
		{.url = "http://a b/"},
		{.url = "http://127.0.0.1:99999/"},
		{.url = "http://127.0.0.1", .path = "no-slash"},
		{.url = "http://127.0.0.1", .path = ".evil.example/"},
		{.url = "http://127.0.0.1", .path = "/a\r\nX: y"},
		{.url = "unix:relative", .path = "/"},
		{.url = long_unix, .path = "/"},
		{.url = "http://127.0.0.1/", .method = "get"},
		{.url = "http://127.0.0.1/", .method = "GET /x HTTP/1.1\r\n"},
		{.url = "http://127.0.0.1/", .headers = injected},
		{.url = "http://127.0.0.1/", .bearer = "a\nb"},
		{.url = "http://127.0.0.1/", .connect_address = "localhost"},
		{.url = "http://127.0.0.1/", .connect_address = "127.1"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct veer_diag diag = {.text = ""};
		if (http_request_start(f->client, &bad[i], NULL, http_stage_on_done, NULL, NULL, &diag) != VEER_EINVAL)
			fail_msg("case %zu was accepted", i);
		assert_true(diag.text[0] != '\0');
	}
}

static void the_address_is_apart_from_the_host(void **state)
{
	struct http_stage *f = *state;
	char url[80];
	(void)snprintf(url, sizeof url, "http://www.veer.invalid:%u", tiny_http_port(f->server));
	struct http_outcome *o = http_stage_get(
		f, &(struct http_spec){.url = url, .path = "/echo", .connect_address = "127.0.0.1"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_non_null(strstr(o->body, "Host: www.veer.invalid:"));
	free(o);
}

static void names_are_resolved_beside_the_loop_and_within_the_deadline(void **state)
{
	struct http_stage *f = *state;
	char url[80];
	(void)snprintf(url, sizeof url, "http://localhost:%u", tiny_http_port(f->server));
	struct http_outcome *o =
		http_stage_get(f, &(struct http_spec){.url = url, .path = "/hello", .timeout_ms = 5000}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	free(o);
	/* With or without a resolver on this host, the request fails and does not hold up the loop. */
	int64_t before = veer_clock_monotonic_ms(veer_clock_system());
	o = http_stage_get(f, &(struct http_spec){.url = "http://name.invalid/", .timeout_ms = 300}, NULL);
	assert_true(o->result.err == VEER_EIO || o->result.err == VEER_ETIMEOUT);
	assert_true(veer_clock_monotonic_ms(veer_clock_system()) - before < 1500);
	free(o);
}

/* One TLS server with its own certificate. */
struct tls_case {
	const char *cert_name;
	long valid_s;
	const char *url_name;
	bool insecure;
	bool trusted;
	enum veer_err err;
	int verify;
};

static void run_tls_case(struct http_stage *f, const char *dir, const struct tls_case *t)
{
	char cert[64];
	char key[64];
	char url[80];
	(void)snprintf(cert, sizeof cert, "%s/cert", dir);
	(void)snprintf(key, sizeof key, "%s/key", dir);
	assert_true(tiny_http_make_cert(t->cert_name, t->valid_s, cert, key));
	struct tiny_http *server = tiny_http_start(&(struct tiny_http_spec){.cert_file = cert, .key_file = key});
	assert_non_null(server);
	(void)snprintf(url, sizeof url, "https://%s:%u", t->url_name, tiny_http_port(server));
	struct http_spec spec = {.url = url,
				 .path = "/hello",
				 .connect_address = "127.0.0.1",
				 .fresh_connection = true,
				 .insecure = t->insecure,
				 .ca_file = t->trusted ? cert : NULL,
				 .timeout_ms = 5000};
	struct http_outcome *o = http_stage_get(f, &spec, NULL);
	assert_int_equal(o->result.err, t->err);
	assert_int_equal(o->result.tls_verify_result, t->verify);
	if (t->err == VEER_OK) {
		assert_string_equal(o->body, "hello");
		assert_true(o->result.timing.tls_us > o->result.timing.connect_us);
		assert_in_range(o->result.certificate_not_after_s, time(NULL) + t->valid_s - 60,
				time(NULL) + t->valid_s + 60);
	}
	free(o);
	tiny_http_stop(&server);
	(void)unlink(cert);
	(void)unlink(key);
}

static void certificates_are_checked_for_trust_time_and_name(void **state)
{
	struct http_stage *f = *state;
	const struct tls_case cases[] = {
		{"www.example", 86400, "www.example", false, true, VEER_OK, 0},
		{"www.example", 86400, "other.example", false, true, VEER_EAUTH, 62 /* another name */},
		{"www.example", 86400, "www.example", false, false, VEER_EAUTH, 18 /* self-signed */},
		{"www.example", -3600, "www.example", false, true, VEER_EAUTH, 10 /* expired */},
		{"www.example", 86400, "other.example", true, false, VEER_OK, 0},
	};
	char dir[] = "/tmp/veer-test-XXXXXX";
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		run_tls_case(f, dir, &cases[i]);
	(void)rmdir(dir);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, http_stage_setup, http_stage_teardown)
	const struct CMUnitTest tests[] = {
		T(nobody_listening_is_an_error_with_errno),
		T(a_unix_socket_is_asked_by_its_path),
		T(unusable_specs_are_refused_at_once),
		T(the_address_is_apart_from_the_host),
		T(names_are_resolved_beside_the_loop_and_within_the_deadline),
		T(certificates_are_checked_for_trust_time_and_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
