/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate chains that are remembered, tested with handshakes within the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/tls.h"
#include "tests/unit/tiny_http.h"

struct world {
	char dir[64];
	char cert[128];
	char key[128];
	SSL_CTX *client;
	struct tls_trust *trust;
	struct tls_chains *chains;
	struct tls_sessions *sessions; /* NULL: no session is resumed */
	SSL_CTX *server;               /* NULL: a new one for each handshake, without the tickets of others */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/veer-test-tls-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->cert, sizeof w->cert, "%s/cert.pem", w->dir);
	(void)snprintf(w->key, sizeof w->key, "%s/key.pem", w->dir);
	w->client = tls_context_new();
	w->trust = tls_trust_new();
	w->chains = tls_chains_new();
	assert_true(w->client != NULL && w->trust != NULL && w->chains != NULL);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	(void)unlink(w->cert);
	(void)unlink(w->key);
	(void)rmdir(w->dir);
	tls_context_free(&w->client);
	tls_chains_free(&w->chains);
	tls_trust_free(&w->trust);
	free(w);
	return 0;
}

/* Make a handshake with a server that has the certificate; true when the client accepts it. */
static bool shake(struct world *w, const char *name, const char *trusted, struct tls_peer *peer)
{
	SSL_CTX *server = w->server != NULL ? w->server : SSL_CTX_new(TLS_server_method());
	struct x509_store_st *store = NULL;
	char *pem = NULL;
	size_t pem_len = 0;
	BIO *near = NULL;
	BIO *far = NULL;
	assert_int_equal(SSL_CTX_use_certificate_chain_file(server, w->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(server, w->key, SSL_FILETYPE_PEM), 1);
	/* As text, because a file that has just been written would be read each time. */
	assert_int_equal(file_read_given(trusted, 65536, &pem, &pem_len, NULL), VEER_OK);
	assert_int_equal(tls_trust_store(w->trust, NULL, pem, &store, NULL), VEER_OK);
	free(pem);
	SSL *ours = SSL_new(w->client);
	SSL *theirs = SSL_new(server);
	assert_int_equal(BIO_new_bio_pair(&near, 65536, &far, 65536), 1);
	SSL_set_bio(ours, near, near);
	SSL_set_bio(theirs, far, far);
	*peer = (struct tls_peer){.chains = w->chains, .sessions = w->sessions};
	(void)snprintf(peer->session_key, sizeof peer->session_key, "%s", name);
	assert_int_equal(SSL_set1_host(ours, name), 1);
	tls_connection_use(ours, store, peer);
	if (w->sessions != NULL)
		tls_connection_resume(ours, store, peer);
	SSL_set_verify(ours, SSL_VERIFY_PEER, NULL);
	SSL_set_connect_state(ours);
	SSL_set_accept_state(theirs);
	int done = 0;
	for (int i = 0; i < 10 && done != 1; i++) {
		done = SSL_do_handshake(ours);
		(void)SSL_do_handshake(theirs);
	}
	/* Session tickets come after the handshake and are read with the first data. */
	char byte = 'x';
	(void)SSL_write(theirs, &byte, 1);
	(void)SSL_read(ours, &byte, 1);
	peer->is_resumed = SSL_session_reused(ours) == 1;
	(void)SSL_shutdown(ours); /* a session of a connection that ends without this is not resumed */
	SSL_free(ours);
	SSL_free(theirs);
	if (server != w->server)
		SSL_CTX_free(server);
	return done == 1;
}

static void a_chain_is_verified_once_and_its_name_each_time(void **state)
{
	struct world *w = *state;
	struct tls_peer peer;
	assert_true(tiny_http_make_cert("www.example.com", 3600, w->cert, w->key));
	assert_true(shake(w, "www.example.com", w->cert, &peer));
	assert_false(peer.is_remembered);
	assert_true(shake(w, "www.example.com", w->cert, &peer));
	assert_true(peer.is_remembered && peer.is_seen && peer.verify == X509_V_OK && peer.not_after_s > 0);
	assert_false(shake(w, "other.example.com", w->cert, &peer));
	assert_true(peer.is_remembered && peer.verify == X509_V_ERR_HOSTNAME_MISMATCH);
	assert_true(shake(w, "www.example.com", w->cert, &peer));
}

static void a_chain_is_good_only_for_whom_vouched_for_it(void **state)
{
	struct world *w = *state;
	struct tls_peer peer;
	char other[128];
	char other_key[128];
	(void)snprintf(other, sizeof other, "%s/other.pem", w->dir);
	(void)snprintf(other_key, sizeof other_key, "%s/other.key", w->dir);
	assert_true(tiny_http_make_cert("www.example.com", 3600, w->cert, w->key));
	assert_true(tiny_http_make_cert("www.example.com", 3600, other, other_key));
	assert_true(shake(w, "www.example.com", w->cert, &peer));
	assert_false(shake(w, "www.example.com", other, &peer));
	assert_false(peer.is_remembered);
	/* Another certificate with the same name makes another chain. */
	assert_true(tiny_http_make_cert("www.example.com", 3600, w->cert, w->key));
	assert_false(shake(w, "www.example.com", other, &peer));
	assert_false(peer.is_remembered);
	(void)unlink(other);
	(void)unlink(other_key);
}

static void a_chain_that_is_not_good_is_not_remembered(void **state)
{
	struct world *w = *state;
	struct tls_peer peer;
	assert_true(tiny_http_make_cert("www.example.com", -60, w->cert, w->key));
	for (int i = 0; i < 2; i++) {
		assert_false(shake(w, "www.example.com", w->cert, &peer));
		assert_true(!peer.is_remembered && peer.verify == X509_V_ERR_CERT_HAS_EXPIRED);
	}
}

static void a_remembered_chain_expires(void **state)
{
	struct world *w = *state;
	struct tls_peer peer;
	int64_t end_ms = veer_clock_monotonic_ms(veer_clock_system()) + 10000;
	assert_true(tiny_http_make_cert("www.example.com", 2, w->cert, w->key));
	assert_true(shake(w, "www.example.com", w->cert, &peer));
	while (shake(w, "www.example.com", w->cert, &peer)) {
		assert_true(veer_clock_monotonic_ms(veer_clock_system()) < end_ms);
		(void)usleep(50000);
	}
	assert_int_equal(peer.verify, X509_V_ERR_CERT_HAS_EXPIRED);
}

static void a_session_is_resumed_with_its_key_until_the_chain_ends(void **state)
{
	struct world *w = *state;
	struct tls_peer peer;
	int64_t end_ms = veer_clock_monotonic_ms(veer_clock_system()) + 10000;
	w->sessions = tls_sessions_new(2);
	w->server = SSL_CTX_new(TLS_server_method());
	assert_true(tiny_http_make_cert("www.example.com", 2, w->cert, w->key));
	assert_true(shake(w, "www.example.com", w->cert, &peer));
	assert_false(peer.is_resumed);
	assert_true(shake(w, "www.example.com", w->cert, &peer));
	assert_true(peer.is_resumed && !peer.is_seen);
	assert_false(shake(w, "other.example.com", w->cert, &peer));
	assert_false(peer.is_resumed);
	/* The certificate expires: a session that began with it does not outlive it. */
	while (shake(w, "www.example.com", w->cert, &peer)) {
		assert_true(veer_clock_monotonic_ms(veer_clock_system()) < end_ms);
		(void)usleep(50000);
	}
	assert_true(!peer.is_resumed && peer.verify == X509_V_ERR_CERT_HAS_EXPIRED);
	tls_sessions_free(&w->sessions);
	SSL_CTX_free(w->server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chain_is_verified_once_and_its_name_each_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chain_is_good_only_for_whom_vouched_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chain_that_is_not_good_is_not_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(a_remembered_chain_expires, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_is_resumed_with_its_key_until_the_chain_ends, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
