/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply gives the same verdict whichever way it comes: each raw reply of http_replies.c, and mutated ones, in clear,
 * by TLS, on a kept connection, and after a redirect. VEER_REPLIES is the number of mutated replies (300), and
 * VEER_REPLIES_FROM the number of the first (0).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "tests/unit/check_bench.h"
#include "tests/unit/http_replies.h"

#define REPLY_MAX 4096

enum path { PATH_CLEAR, PATH_TLS, PATH_KEPT, PATH_KEPT_TLS, PATH_REDIRECT, PATH_COUNT };

struct raw {
	pthread_mutex_t lock; /* guards the fields below: the test changes them, and the servers' threads read them */
	size_t len;
	char bytes[REPLY_MAX];
};

struct server {
	int fd;
	uint16_t port;
	SSL_CTX *tls; /* NULL: in clear */
	pthread_t thread;
	struct raw *raw; /* the reply to /raw */
};

struct fixture {
	struct check_bench bench;
	struct server servers[2]; /* one in clear, one by TLS */
	struct raw raw;
};

/* --- the server ------------------------------------------------------------------------------------------------ */

struct line {
	struct server *server;
	int fd;
	SSL *ssl;
};

static ssize_t line_read(struct line *line, char *out, size_t size)
{
	return line->ssl != NULL ? SSL_read(line->ssl, out, (int)size) : recv(line->fd, out, size, 0);
}

static void line_write(struct line *line, const char *data, size_t len)
{
	if (len > 0 && line->ssl != NULL)
		(void)SSL_write(line->ssl, data, (int)len);
	else if (len > 0)
		(void)send(line->fd, data, len, MSG_NOSIGNAL);
}

/* End our side, and wait until the other end closes, so that no sent data is lost. */
static void line_end(struct line *line)
{
	char rest[512];
	if (line->ssl != NULL)
		(void)SSL_shutdown(line->ssl);
	(void)shutdown(line->fd, SHUT_WR);
	while (recv(line->fd, rest, sizeof rest, 0) > 0)
		;
}

/* Answer one request; false when that was the last. */
static bool answer(struct line *line)
{
	static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	static const char redirect[] = "HTTP/1.1 307 Go\r\nLocation: /raw\r\nContent-Length: 0\r\n\r\n";
	char request[2048];
	size_t len = 0;
	while (len < 4 || memcmp(request + len - 4, "\r\n\r\n", 4) != 0) {
		ssize_t got = line_read(line, request + len, sizeof request - len);
		if (got <= 0)
			return false;
		len += (size_t)got;
	}
	if (strncmp(request, "GET /good", 9) == 0) {
		line_write(line, good, sizeof good - 1);
		return true;
	}
	if (strncmp(request, "GET /to", 7) == 0) {
		line_write(line, redirect, sizeof redirect - 1);
		return true;
	}
	struct raw *raw = line->server->raw;
	char bytes[REPLY_MAX];
	(void)pthread_mutex_lock(&raw->lock);
	size_t raw_len = raw->len;
	memcpy(bytes, raw->bytes, raw_len);
	(void)pthread_mutex_unlock(&raw->lock);
	line_write(line, bytes, raw_len);
	return false;
}

static void *serve_one(void *ctx)
{
	struct line *line = ctx;
	const int yes = 1;
	(void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (line->server->tls != NULL) {
		line->ssl = SSL_new(line->server->tls);
		(void)SSL_set_fd(line->ssl, line->fd);
	}
	if (line->ssl == NULL || SSL_accept(line->ssl) == 1)
		while (answer(line))
			;
	line_end(line);
	SSL_free(line->ssl);
	(void)close(line->fd);
	free(line);
	return NULL;
}

static void *serve(void *ctx)
{
	struct server *server = ctx;
	for (;;) {
		struct line *line = calloc(1, sizeof *line);
		pthread_t thread;
		line->server = server;
		line->fd = accept(server->fd, NULL, NULL);
		if (line->fd < 0 || pthread_create(&thread, NULL, serve_one, line) != 0) {
			free(line);
			return NULL;
		}
		(void)pthread_detach(thread);
	}
}

static void server_open(struct server *server, struct raw *raw, const char *cert, const char *key)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sin;
	server->raw = raw;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(server->fd, 64), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&sin, &len), 0);
	server->port = ntohs(sin.sin_port);
	if (cert != NULL) {
		server->tls = SSL_CTX_new(TLS_server_method());
		assert_int_equal(SSL_CTX_use_certificate_chain_file(server->tls, cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(server->tls, key, SSL_FILETYPE_PEM), 1);
	}
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_close(struct server *server)
{
	(void)shutdown(server->fd, SHUT_RDWR);
	(void)pthread_join(server->thread, NULL);
	(void)close(server->fd);
	SSL_CTX_free(server->tls);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char cert[128];
	char key[128];
	(void)pthread_mutex_init(&f->raw.lock, NULL);
	check_bench_open(&f->bench);
	(void)snprintf(cert, sizeof cert, "%s/cert.pem", f->bench.dir);
	(void)snprintf(key, sizeof key, "%s/key.pem", f->bench.dir);
	assert_true(tiny_http_make_cert("www.example.com", 36000, cert, key));
	server_open(&f->servers[0], &f->raw, NULL, NULL);
	server_open(&f->servers[1], &f->raw, cert, key);
	(void)unlink(cert);
	(void)unlink(key);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	check_bench_close(&f->bench); /* ends the kept connections, for which the servers' threads wait */
	server_close(&f->servers[0]);
	server_close(&f->servers[1]);
	free(f);
	return 0;
}

/* --- the ways -------------------------------------------------------------------------------------------------- */

static struct check_ended ask(struct fixture *f, bool is_tls, bool is_kept, uint32_t redirects, const char *path)
{
	/* All statuses except that of the redirect. */
	static const struct model_status_range ranges[] = {{100, 306}, {308, 999}};
	struct model_check check = check_bench_http(f->servers[is_tls].port, path);
	check.kind = is_tls ? MODEL_CHECK_HTTPS : MODEL_CHECK_HTTP;
	check.tls.is_used = is_tls;
	check.tls.verify = false;
	check.keeps_connection = is_kept;
	check.http.follow_redirects = redirects;
	check.http.expect_status = ranges;
	check.http.expect_status_count = 2;
	check.http.body_contains = "o";
	check.timeout_ms = 10000;
	return check_bench_run(&f->bench, &check, "127.0.0.1");
}

static struct check_ended ask_by(struct fixture *f, enum path path)
{
	bool is_tls = path == PATH_TLS || path == PATH_KEPT_TLS;
	bool is_kept = path == PATH_KEPT || path == PATH_KEPT_TLS;
	if (is_kept)
		assert_int_equal(ask(f, is_tls, true, 0, "/good").reason, PROBE_REASON_OK);
	return ask(f, is_tls, is_kept, path == PATH_REDIRECT ? 1 : 0, path == PATH_REDIRECT ? "/to" : "/raw");
}

static void print_raw(const struct raw *raw)
{
	for (size_t i = 0; i < raw->len; i++) {
		unsigned char c = (unsigned char)raw->bytes[i];
		print_error(c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
	}
	print_error("\n");
}

/* Check that all ways give one verdict. Only the first way can tell whether a status is that of the redirect itself. */
static void play(struct fixture *f)
{
	struct check_ended first = ask_by(f, PATH_CLEAR);
	for (enum path path = PATH_TLS; path < PATH_COUNT; path++) {
		if (path == PATH_REDIRECT && strcmp(first.detail, "status 307") == 0)
			continue;
		struct check_ended other = ask_by(f, path);
		if (other.reason == first.reason && strcmp(other.detail, first.detail) == 0)
			continue;
		print_raw(&f->raw);
		fail_msg("way %d: %s (%s), in clear %s (%s)", (int)path, probe_reason_text(other.reason), other.detail,
			 probe_reason_text(first.reason), first.detail);
	}
}

/* --- the replies ----------------------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void take_case(struct raw *raw, size_t number)
{
	size_t count = 0;
	const struct http_reply_case *cases = http_reply_cases(&count);
	raw->len = strlen(cases[number % count].text);
	memcpy(raw->bytes, cases[number % count].text, raw->len);
}

/* Put `len` bytes in the place of the `gone` bytes at `at`. */
static void splice(struct raw *raw, size_t at, size_t gone, const char *data, size_t len)
{
	gone = gone < raw->len - at ? gone : raw->len - at;
	if (raw->len - gone + len > REPLY_MAX)
		return;
	memmove(raw->bytes + at + len, raw->bytes + at + gone, raw->len - at - gone);
	memcpy(raw->bytes + at, data, len);
	raw->len = raw->len - gone + len;
}

static void mutate(struct raw *raw, uint64_t *seed)
{
	static const char *const pieces[] = {
		"\r\n", "\n",       "\r",    ":",       " ",         "\t",
		",",    "0",        "+",     "chunked", "HTTP/1.1 ", "Content-Length: 2\r\n",
		";",    "\r\n\r\n", "\r\n ", "204",     "HTTP/1.0 ", "Transfer-Encoding: chunked\r\n"};
	char piece[64];
	size_t at = next(seed) % (raw->len + 1);
	const char *text = pieces[next(seed) % (sizeof pieces / sizeof pieces[0])];
	char byte = (char)next(seed);
	size_t len = 1 + next(seed) % 24;
	switch (next(seed) % 5) {
	case 0:
		splice(raw, at, 1, &byte, 1);
		break;
	case 1:
		splice(raw, at, len, "", 0);
		break;
	case 2:
		splice(raw, at, 0, text, strlen(text));
		break;
	case 3:
		splice(raw, at, strlen(text), text, strlen(text));
		break;
	default: /* repeat a part of it */
		len = len < raw->len - at ? len : raw->len - at;
		memcpy(piece, raw->bytes + at, len);
		splice(raw, next(seed) % (raw->len + 1), 0, piece, len);
		break;
	}
}

static void each_reply_means_the_same_by_each_way(void **state)
{
	struct fixture *f = *state;
	size_t count = 0;
	(void)http_reply_cases(&count);
	for (size_t i = 0; i < count; i++) {
		(void)pthread_mutex_lock(&f->raw.lock);
		take_case(&f->raw, i);
		(void)pthread_mutex_unlock(&f->raw.lock);
		play(f);
	}
}

static unsigned long number_of(const char *name, unsigned long fallback)
{
	const char *text = getenv(name);
	return text != NULL ? strtoul(text, NULL, 10) : fallback;
}

static void each_mutated_reply_means_the_same_by_each_way(void **state)
{
	struct fixture *f = *state;
	unsigned long from = number_of("VEER_REPLIES_FROM", 0);
	unsigned long count = number_of("VEER_REPLIES", 300);
	for (unsigned long i = from; i < from + count; i++) {
		uint64_t seed = (i + 1) * 0x9e3779b97f4a7c15u;
		(void)pthread_mutex_lock(&f->raw.lock);
		take_case(&f->raw, next(&seed));
		for (uint64_t n = 1 + next(&seed) % 4; n > 0; n--)
			mutate(&f->raw, &seed);
		(void)pthread_mutex_unlock(&f->raw.lock);
		play(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_reply_means_the_same_by_each_way, setup, teardown),
		cmocka_unit_test_setup_teardown(each_mutated_reply_means_the_same_by_each_way, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
