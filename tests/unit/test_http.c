/* SPDX-License-Identifier: Apache-2.0 */
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

#include "base/http.h"
#include "tests/unit/tiny_http.h"

/* What a finished request left behind: copies, as the result dies with its callback. */
struct outcome {
	struct loop *loop;
	unsigned *waiting; /* how many are not done; the loop stops at 0 */
	int done;
	struct http_result result;
	char body[70000];
	char etag[64];
	char other[64];
	char error[300];
	size_t streamed;
	size_t stop_after;           /* on_data says stop when so much came; 0: never */
	struct http_request *victim; /* cancelled by this one's on_done or on_data */
	bool cancels_in_data;
};

struct fixture {
	struct loop *loop;
	struct http_client *client;
	struct tiny_http *server;
	char url[64];
	unsigned waiting;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->loop = loop_new(veer_clock_system());
	f->client = http_client_new(f->loop);
	f->server = tiny_http_start(&(struct tiny_http_spec){0});
	assert_non_null(f->server);
	(void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", tiny_http_port(f->server));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	http_client_free(&f->client);
	loop_free(&f->loop);
	tiny_http_stop(&f->server);
	free(f);
	return 0;
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct outcome *o = ctx;
	const char *other = http_result_header(result, "x-other");
	o->done++;
	o->result = *result;
	assert_true(result->body_len < sizeof o->body);
	memcpy(o->body, result->body, result->body_len + 1);
	(void)snprintf(o->etag, sizeof o->etag, "%s", result->etag);
	(void)snprintf(o->error, sizeof o->error, "%s", result->error);
	(void)snprintf(o->other, sizeof o->other, "%s", other != NULL ? other : "");
	if (o->victim != NULL && !o->cancels_in_data)
		http_request_cancel(o->victim);
	if (--*o->waiting == 0)
		loop_stop(o->loop);
}

static bool on_data(void *ctx, const void *data, size_t len)
{
	struct outcome *o = ctx;
	if (o->streamed + len < sizeof o->body)
		memcpy(o->body + o->streamed, data, len);
	o->streamed += len;
	if (o->victim != NULL && o->cancels_in_data) {
		http_request_cancel(o->victim);
		o->victim = NULL;
	}
	return o->stop_after == 0 || o->streamed < o->stop_after;
}

static struct outcome *start(struct fixture *f, const struct http_spec *spec, http_data_fn *data,
			     struct http_request **request)
{
	struct outcome *o = calloc(1, sizeof *o);
	struct veer_diag diag = {.text = ""};
	o->loop = f->loop;
	o->waiting = &f->waiting;
	f->waiting++;
	enum veer_err err = http_request_start(f->client, spec, data, on_done, o, request, &diag);
	if (err != VEER_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(o->done, 0);
	return o;
}

static struct outcome *get(struct fixture *f, const struct http_spec *spec, http_data_fn *data)
{
	struct outcome *o = start(f, spec, data, NULL);
	assert_int_equal(loop_run(f->loop), VEER_OK);
	assert_int_equal(o->done, 1);
	return o;
}

static void a_whole_body_comes_with_its_status_and_times(void **state)
{
	struct fixture *f = *state;
	struct outcome *o = get(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_int_equal(o->result.status, 200);
	assert_string_equal(o->body, "hello");
	assert_string_equal(o->error, "");
	assert_true(o->result.timing.connect_us >= 0);
	assert_int_equal(o->result.timing.tls_us, -1);
	assert_true(o->result.timing.first_byte_us >= o->result.timing.connect_us);
	assert_true(o->result.timing.total_us >= 0);
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/status/503"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_int_equal(o->result.status, 503);
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/etag"}, NULL);
	assert_string_equal(o->etag, "\"abc\"");
	assert_string_equal(o->other, "yes");
	free(o);
}

static void the_request_is_what_the_spec_says(void **state)
{
	struct fixture *f = *state;
	const char *const headers[] = {"X-One: 1", "Host: other.example", NULL};
	struct outcome *o = get(f,
				&(struct http_spec){.url = f->url,
						    .path = "/echo?q=1",
						    .method = "PUT",
						    .bearer = "secret",
						    .headers = headers,
						    .body = "{\"a\":1}",
						    .body_len = 7},
				NULL);
	assert_int_equal(o->result.err, VEER_OK);
	const char *const parts[] = {
		"PUT /echo?q=1 HTTP/1.1\r\n", "Authorization: Bearer secret\r\n",   "X-One: 1\r\n",
		"Host: other.example\r\n",    "Content-Type: application/json\r\n", "Content-Length: 7\r\n",
		"\r\n\r\n{\"a\":1}"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		assert_non_null(strstr(o->body, parts[i]));
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/echo", .body = "", .body_len = 0}, NULL);
	assert_non_null(strstr(o->body, "POST /echo"));
	assert_non_null(strstr(o->body, "Content-Length: 0"));
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/echo", .method = "DELETE"}, NULL);
	assert_non_null(strstr(o->body, "DELETE /echo"));
	assert_null(strstr(o->body, "Content-Length"));
	free(o);
}

static void a_slash_is_not_doubled(void **state)
{
	struct fixture *f = *state;
	char url[80];
	(void)snprintf(url, sizeof url, "%s/", f->url);
	struct outcome *o = get(f, &(struct http_spec){.url = url, .path = "/echo"}, NULL);
	assert_non_null(strstr(o->body, "GET /echo HTTP"));
	free(o);
}

static void connections_are_kept_unless_a_fresh_one_is_wanted(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++)
		free(get(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL));
	assert_int_equal(tiny_http_connections(f->server), 1);
	for (int i = 0; i < 3; i++)
		free(get(f, &(struct http_spec){.url = f->url, .path = "/hello", .fresh_connection = true}, NULL));
	assert_int_equal(tiny_http_connections(f->server), 4);
}

static void broken_replies_are_errors(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *path;
		enum veer_err err;
		int status;
	} cases[] = {
		{"/truncated", VEER_ECLOSED, 200},
		{"/close", VEER_ECLOSED, 0},
		{"/garbage", VEER_EINVAL, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct outcome *o = get(f, &(struct http_spec){.url = f->url, .path = cases[i].path}, NULL);
		assert_int_equal(o->result.err, cases[i].err);
		assert_int_equal(o->result.status, cases[i].status);
		assert_true(o->error[0] != '\0');
		free(o);
	}
}

static void a_deadline_holds_whatever_the_server_does(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = {"/trickle", "/silent", "/half-head", "/huge"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		int64_t before = veer_clock_monotonic_ms(veer_clock_system());
		struct outcome *o =
			get(f, &(struct http_spec){.url = f->url, .path = paths[i], .timeout_ms = 150}, on_data);
		int64_t took = veer_clock_monotonic_ms(veer_clock_system()) - before;
		assert_int_equal(o->result.err, VEER_ETIMEOUT);
		assert_non_null(strstr(o->error, "150 ms"));
		assert_true(took >= 149 && took < 1500);
		assert_true(o->result.timing.total_us >= 149000);
		free(o);
	}
}

static void an_idle_timeout_ends_silence_but_not_a_trickle(void **state)
{
	struct fixture *f = *state;
	struct outcome *o = get(f, &(struct http_spec){.url = f->url, .path = "/silent", .idle_timeout_ms = 100}, NULL);
	assert_int_equal(o->result.err, VEER_ETIMEOUT);
	assert_non_null(strstr(o->error, "no byte"));
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/trickle", .idle_timeout_ms = 300, .timeout_ms = 700},
		on_data);
	assert_int_equal(o->result.err, VEER_ETIMEOUT);
	assert_non_null(strstr(o->error, "700 ms"));
	assert_true(o->streamed > 3);
	free(o);
}

static void a_huge_body_is_cut_at_its_limit(void **state)
{
	struct fixture *f = *state;
	struct outcome *o =
		get(f, &(struct http_spec){.url = f->url, .path = "/huge", .body_limit_bytes = 60000}, NULL);
	assert_int_equal(o->result.err, VEER_ERANGE);
	assert_true(o->result.body_cut);
	assert_int_equal(o->result.status, 200);
	assert_int_equal(o->result.body_len, 60000);
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/hello", .body_limit_bytes = 5}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_false(o->result.body_cut);
	free(o);
	o = get(f, &(struct http_spec){.url = f->url, .path = "/hello", .body_limit_bytes = 4}, NULL);
	assert_true(o->result.body_cut);
	assert_string_equal(o->body, "hell");
	free(o);
}

static void a_stream_arrives_as_it_is_sent(void **state)
{
	struct fixture *f = *state;
	struct outcome *o = get(f, &(struct http_spec){.url = f->url, .path = "/lines"}, on_data);
	assert_int_equal(o->result.err, VEER_OK);
	assert_int_equal(o->streamed, 35);
	assert_int_equal(o->result.body_len, 0);
	free(o);
	o = start(f, &(struct http_spec){.url = f->url, .path = "/huge"}, on_data, NULL);
	o->stop_after = 20000;
	assert_int_equal(loop_run(f->loop), VEER_OK);
	assert_int_equal(o->result.err, VEER_ECLOSED);
	assert_true(o->streamed >= 20000);
	free(o);
}

static void done_may_cancel_another_request(void **state)
{
	struct fixture *f = *state;
	for (int round = 0; round < 20; round++) {
		struct http_request *request = NULL;
		const char *path = round % 2 == 0 ? "/silent" : "/hello";
		struct outcome *victim = start(f, &(struct http_spec){.url = f->url, .path = path}, NULL, &request);
		struct outcome *killer = start(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL, NULL);
		killer->victim = request;
		f->waiting--;
		if (round % 2 == 1) /* both may be done at once: then nobody must be cancelled twice */
			killer->victim = NULL;
		(void)loop_run(f->loop);
		assert_int_equal(killer->done, 1);
		if (round % 2 == 0)
			assert_int_equal(victim->done, 0);
		else if (victim->done == 0)
			http_request_cancel(request);
		f->waiting = 0;
		free(victim);
		free(killer);
	}
}

static void data_may_cancel_any_request(void **state)
{
	struct fixture *f = *state;
	struct http_request *request = NULL;
	struct outcome *victim = start(f, &(struct http_spec){.url = f->url, .path = "/silent"}, NULL, &request);
	struct outcome *killer = start(f, &(struct http_spec){.url = f->url, .path = "/lines"}, on_data, NULL);
	killer->victim = request;
	killer->cancels_in_data = true;
	f->waiting--;
	(void)loop_run(f->loop);
	assert_int_equal(killer->done, 1);
	assert_int_equal(killer->streamed, 35);
	assert_int_equal(victim->done, 0);
	free(victim);
	free(killer);
	/* itself */
	struct outcome *self = start(f, &(struct http_spec){.url = f->url, .path = "/lines"}, on_data, &request);
	self->victim = request;
	self->cancels_in_data = true;
	struct outcome *last = start(f, &(struct http_spec){.url = f->url, .path = "/lines"}, NULL, NULL);
	f->waiting--;
	(void)loop_run(f->loop);
	assert_int_equal(self->done, 0);
	assert_true(self->streamed > 0 && self->streamed < 35);
	assert_int_equal(last->done, 1);
	free(self);
	free(last);
}

struct chain {
	struct fixture *f;
	int left;
	bool in_data;
};

static void chain_done(void *ctx, const struct http_result *result);

static void chain_start(struct chain *c);

static bool chain_data(void *ctx, const void *data, size_t len)
{
	struct chain *c = ctx;
	(void)data;
	(void)len;
	if (c->in_data)
		chain_start(c);
	return true;
}

static void chain_start(struct chain *c)
{
	if (c->left == 0)
		return;
	c->left--;
	c->f->waiting++;
	assert_int_equal(http_request_start(c->f->client, &(struct http_spec){.url = c->f->url, .path = "/hello"},
					    chain_data, chain_done, c, NULL, NULL),
			 VEER_OK);
}

static void chain_done(void *ctx, const struct http_result *result)
{
	struct chain *c = ctx;
	assert_int_equal(result->err, VEER_OK);
	if (!c->in_data)
		chain_start(c);
	if (--c->f->waiting == 0)
		loop_stop(c->f->loop);
}

static void callbacks_may_start_requests(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 2; i++) {
		struct chain c = {.f = f, .left = 10, .in_data = i == 1};
		chain_start(&c);
		assert_int_equal(loop_run(f->loop), VEER_OK);
		assert_int_equal(c.left, 0);
		assert_int_equal(f->waiting, 0);
	}
}

static void many_run_side_by_side(void **state)
{
	struct fixture *f = *state;
	struct outcome *all[60];
	for (size_t i = 0; i < 60; i++)
		all[i] = start(f, &(struct http_spec){.url = f->url, .path = i % 3 == 0 ? "/lines" : "/hello"}, NULL,
			       NULL);
	assert_int_equal(loop_run(f->loop), VEER_OK);
	for (size_t i = 0; i < 60; i++) {
		assert_int_equal(all[i]->done, 1);
		assert_int_equal(all[i]->result.err, VEER_OK);
		free(all[i]);
	}
}

static void freeing_the_client_ends_everything_without_callbacks(void **state)
{
	struct fixture *f = *state;
	struct outcome *o[10];
	for (size_t i = 0; i < 10; i++)
		o[i] = start(f, &(struct http_spec){.url = f->url, .path = "/silent", .timeout_ms = 10000}, NULL, NULL);
	struct outcome *last = start(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL, NULL);
	f->waiting = 1;
	(void)loop_run(f->loop);
	http_client_free(&f->client);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(o[i]->done, 0);
		free(o[i]);
	}
	free(last);
	f->client = http_client_new(f->loop);
}

static void nobody_listening_is_an_error_with_errno(void **state)
{
	struct fixture *f = *state;
	/* Port 1 of loopback is nobody's. */
	struct outcome *o = get(f, &(struct http_spec){.url = "http://127.0.0.1:1", .path = "/"}, NULL);
	assert_int_equal(o->result.err, VEER_EIO);
	assert_int_equal(o->result.os_errno, 111);
	assert_int_equal(o->result.timing.first_byte_us, -1);
	free(o);
	o = get(f, &(struct http_spec){.url = "unix:/nonexistent/veer.sock", .path = "/"}, NULL);
	assert_int_equal(o->result.err, VEER_EIO);
	free(o);
}

static void a_unix_socket_is_asked_by_its_path(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/veer-test-XXXXXX";
	char path[64];
	char url[80];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/s", dir);
	(void)snprintf(url, sizeof url, "unix:%s", path);
	struct tiny_http *server = tiny_http_start(&(struct tiny_http_spec){.unix_path = path});
	assert_non_null(server);
	struct outcome *o = get(f, &(struct http_spec){.url = url, .path = "/hello"}, NULL);
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
	struct fixture *f = *state;
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
		if (http_request_start(f->client, &bad[i], NULL, on_done, NULL, NULL, &diag) != VEER_EINVAL)
			fail_msg("case %zu was accepted", i);
		assert_true(diag.text[0] != '\0');
	}
}

static void the_address_is_apart_from_the_host(void **state)
{
	struct fixture *f = *state;
	char url[80];
	(void)snprintf(url, sizeof url, "http://www.veer.invalid:%u", tiny_http_port(f->server));
	struct outcome *o =
		get(f, &(struct http_spec){.url = url, .path = "/echo", .connect_address = "127.0.0.1"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_non_null(strstr(o->body, "Host: www.veer.invalid:"));
	free(o);
}

static void names_are_resolved_beside_the_loop_and_within_the_deadline(void **state)
{
	struct fixture *f = *state;
	char url[80];
	(void)snprintf(url, sizeof url, "http://localhost:%u", tiny_http_port(f->server));
	struct outcome *o = get(f, &(struct http_spec){.url = url, .path = "/hello", .timeout_ms = 5000}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	free(o);
	/* Whether there is a resolver here or not: it fails, and does not hold up the loop. */
	int64_t before = veer_clock_monotonic_ms(veer_clock_system());
	o = get(f, &(struct http_spec){.url = "http://name.invalid/", .timeout_ms = 300}, NULL);
	assert_true(o->result.err == VEER_EIO || o->result.err == VEER_ETIMEOUT);
	assert_true(veer_clock_monotonic_ms(veer_clock_system()) - before < 1500);
	free(o);
}

/* One TLS server with a certificate of its own. */
struct tls_case {
	const char *cert_name;
	long valid_s;
	const char *url_name;
	bool insecure;
	bool trusted;
	enum veer_err err;
	int verify;
};

static void run_tls_case(struct fixture *f, const char *dir, const struct tls_case *t)
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
	struct outcome *o = get(f, &spec, NULL);
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
	struct fixture *f = *state;
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_whole_body_comes_with_its_status_and_times, setup, teardown),
		cmocka_unit_test_setup_teardown(the_request_is_what_the_spec_says, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slash_is_not_doubled, setup, teardown),
		cmocka_unit_test_setup_teardown(connections_are_kept_unless_a_fresh_one_is_wanted, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_replies_are_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deadline_holds_whatever_the_server_does, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_timeout_ends_silence_but_not_a_trickle, setup, teardown),
		cmocka_unit_test_setup_teardown(a_huge_body_is_cut_at_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stream_arrives_as_it_is_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(done_may_cancel_another_request, setup, teardown),
		cmocka_unit_test_setup_teardown(data_may_cancel_any_request, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_may_start_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(many_run_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(freeing_the_client_ends_everything_without_callbacks, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_listening_is_an_error_with_errno, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unix_socket_is_asked_by_its_path, setup, teardown),
		cmocka_unit_test_setup_teardown(unusable_specs_are_refused_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_address_is_apart_from_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_resolved_beside_the_loop_and_within_the_deadline, setup,
						teardown),
		cmocka_unit_test_setup_teardown(certificates_are_checked_for_trust_time_and_name, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
