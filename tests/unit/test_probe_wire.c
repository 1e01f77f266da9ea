/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a TLS connection whose server is in the same process. */
#include <fcntl.h>
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

#include "probes/agent/wire.h"
#include "tests/unit/tiny_http.h"

struct world {
	char dir[64];
	char cert[128];
	char key[128];
	int fds[2]; /* our end, the server's end */
	SSL_CTX *context;
	SSL_CTX *server;
	SSL *theirs;
	X509_STORE *store;
	struct tls_peer peer;
	struct wire wire;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/veer-test-wire-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->cert, sizeof w->cert, "%s/cert.pem", w->dir);
	(void)snprintf(w->key, sizeof w->key, "%s/key.pem", w->dir);
	assert_true(tiny_http_make_cert("www.example.test", 3600, w->cert, w->key));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->fds), 0);
	w->context = tls_context_new();
	w->server = SSL_CTX_new(TLS_server_method());
	w->store = X509_STORE_new();
	assert_int_equal(SSL_CTX_use_certificate_chain_file(w->server, w->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(w->server, w->key, SSL_FILETYPE_PEM), 1);
	w->theirs = SSL_new(w->server);
	assert_int_equal(SSL_set_fd(w->theirs, w->fds[1]), 1);
	SSL_set_accept_state(w->theirs);
	const struct wire_tls tls = {
		.name = "www.example.test", .store = w->store, .peer = &w->peer, .protocols = "\x08http/1.1"};
	w->wire.fd = w->fds[0];
	assert_true(wire_start_tls(&w->wire, w->context, &tls));
	int theirs = 0;
	enum wire_state ours = WIRE_WAIT_READ;
	for (int i = 0; i < 10 && (ours != WIRE_OK || theirs != 1); i++) {
		ours = wire_shake_hands(&w->wire);
		theirs = SSL_do_handshake(w->theirs);
	}
	assert_true(ours == WIRE_OK && theirs == 1);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	wire_close(&w->wire);
	SSL_free(w->theirs);
	SSL_CTX_free(w->server);
	tls_context_free(&w->context);
	X509_STORE_free(w->store);
	(void)close(w->fds[0]);
	(void)close(w->fds[1]);
	(void)unlink(w->cert);
	(void)unlink(w->key);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static void what_came_at_once_is_read_without_the_socket(void **state)
{
	struct world *w = *state;
	char byte = 0;
	size_t got = 0;
	for (const char *text = "abc"; *text != '\0'; text++)
		assert_int_equal(SSL_write(w->theirs, text, 1), 1);
	for (const char *text = "abc"; *text != '\0'; text++) {
		assert_int_equal(wire_read(&w->wire, &byte, 1, &got), WIRE_OK);
		assert_int_equal(byte, *text);
		assert_int_equal(wire_has_more(&w->wire), text[1] != '\0');
		/* One read(2) has taken all of it, so a loop that waits for the socket now would wait for ever. */
		assert_int_equal(recv(w->fds[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	}
	assert_int_equal(wire_read(&w->wire, &byte, 1, &got), WIRE_WAIT_READ);
	assert_false(wire_has_more(&w->wire));
}

static void a_record_that_comes_in_pieces_is_waited_for(void **state)
{
	struct world *w = *state;
	char record[256];
	char text[64];
	size_t got = 0;
	int pair[2];
	/* The record passes through the test. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(wire_read(&w->wire, text, sizeof text, &got), WIRE_WAIT_READ); /* session tickets */
	assert_int_equal(SSL_set_wfd(w->theirs, pair[0]), 1);
	assert_int_equal(SSL_write(w->theirs, "hello", 5), 5);
	ssize_t len = recv(pair[1], record, sizeof record, 0);
	assert_true(len > 8);
	for (ssize_t at = 0; at < len; at++) {
		assert_int_equal(wire_read(&w->wire, text, sizeof text, &got), WIRE_WAIT_READ);
		assert_int_equal(send(w->fds[1], record + at, 1, 0), 1);
	}
	assert_int_equal(wire_read(&w->wire, text, sizeof text, &got), WIRE_OK);
	assert_int_equal(got, 5);
	assert_memory_equal(text, "hello", 5);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void a_long_text_is_written_in_full(void **state)
{
	struct world *w = *state;
	enum { LEN = 100000 };
	static char text[LEN], heard[LEN];
	size_t sent = 0, came = 0;
	for (size_t i = 0; i < LEN; i++)
		text[i] = (char)(i * 7 + i / 251);
	while (came < LEN) {
		size_t put = 0;
		if (sent < LEN && wire_write(&w->wire, text + sent, LEN - sent, &put) == WIRE_OK)
			sent += put;
		int got = SSL_read(w->theirs, heard + came, (int)(LEN - came));
		assert_true(got > 0 || SSL_get_error(w->theirs, got) == SSL_ERROR_WANT_READ);
		came += got > 0 ? (size_t)got : 0;
	}
	assert_memory_equal(text, heard, LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_came_at_once_is_read_without_the_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_that_comes_in_pieces_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_text_is_written_in_full, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
