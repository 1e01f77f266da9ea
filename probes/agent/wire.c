/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/wire.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/addr.h"

static bool set_name(SSL *ssl, const char *name)
{
	struct veer_addr literal;
	if (veer_addr_parse(name, &literal) == VEER_OK)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

/* Sets the ALPN protocols; OpenSSL's function is one of the few that return 0 for success. */
static bool set_protocols(SSL *ssl, const char *protocols)
{
	return protocols == NULL ||
	       SSL_set_alpn_protos(ssl, (const unsigned char *)protocols, (unsigned)strlen(protocols)) == 0;
}

bool wire_start_tls(struct wire *wire, SSL_CTX *context, const struct wire_tls *tls)
{
	SSL *ssl = SSL_new(context);
	if (ssl == NULL || !set_name(ssl, tls->name) || !set_protocols(ssl, tls->protocols) ||
	    SSL_set_fd(ssl, wire->fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return false;
	}
	tls_connection_use(ssl, tls->store, tls->peer);
	if (tls->peer->sessions != NULL)
		tls_connection_resume(ssl, tls->store, tls->peer);
	SSL_set_verify(ssl, tls->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_set_connect_state(ssl);
	wire->ssl = ssl;
	wire->is_shaken = false;
	return true;
}

/*
 * May buffers be freed while a record has been read in part? Not with a library that has a bug there (CVE-2024-4741,
 * fixed in 3.0.14, 3.1.6, 3.2.2 and 3.3.1): then they are kept.
 */
static bool can_free_buffers(void)
{
	static const unsigned mended[] = {14, 6, 2, 1};
	unsigned minor = OPENSSL_version_minor();
	return OPENSSL_version_major() > 3 || minor >= sizeof mended / sizeof mended[0] ||
	       OPENSSL_version_patch() >= mended[minor];
}

/* The state after a call of OpenSSL that did not succeed. */
static enum wire_state state_of(struct wire *wire, int rc, int error)
{
	switch (SSL_get_error(wire->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		/*
		 * Nothing of a record has come, so a waiting connection needs no buffers. (SSL_MODE_RELEASE_BUFFERS
		 * would free and allocate them anew for each record.)
		 */
		if (can_free_buffers())
			(void)SSL_free_buffers(wire->ssl);
		return WIRE_WAIT_READ;
	case SSL_ERROR_WANT_WRITE:
		return WIRE_WAIT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return WIRE_END;
	case SSL_ERROR_SYSCALL:
		wire->error = error;
		return error == 0 ? WIRE_END : WIRE_FAILED;
	default:
		wire->error = 0;
		return WIRE_FAILED;
	}
}

/*
 * While this is set, written bytes are held back. They are sent in one segment when it is cleared or the connection
 * ends: the end of the handshake with the request, the close_notify alert with the FIN.
 */
static void hold_back(struct wire *wire, bool is_held)
{
	const int cork = is_held;
	if (wire->is_held == is_held)
		return;
	wire->is_held = is_held;
	(void)setsockopt(wire->fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);
}

enum wire_state wire_shake_hands(struct wire *wire)
{
	ERR_clear_error();
	/* The first flight is not held back, because the other side waits for it. */
	hold_back(wire, wire->has_begun);
	wire->has_begun = true;
	errno = 0;
	int rc = SSL_do_handshake(wire->ssl);
	if (rc != 1) {
		enum wire_state state = state_of(wire, rc, errno);
		hold_back(wire, false);
		return state;
	}
	wire->is_shaken = true;
	if (SSL_session_reused(wire->ssl) == 1)
		((struct tls_peer *)SSL_get_app_data(wire->ssl))->is_resumed = true;
	return WIRE_OK;
}

bool wire_speaks(const struct wire *wire, const char *protocol)
{
	const unsigned char *chosen = NULL;
	unsigned len = 0;
	if (wire->ssl == NULL)
		return false;
	SSL_get0_alpn_selected(wire->ssl, &chosen, &len);
	return len == strlen(protocol) && memcmp(chosen, protocol, len) == 0;
}

bool wire_lacks_protocol(const struct wire *wire)
{
	return !wire->is_shaken && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL;
}

bool wire_has_more(const struct wire *wire)
{
	return wire->ssl != NULL && SSL_has_pending(wire->ssl) == 1;
}

enum wire_state wire_read(struct wire *wire, void *out, size_t size, size_t *got)
{
	if (wire->ssl != NULL) {
		ERR_clear_error();
		hold_back(wire, false);
		errno = 0;
		int rc = SSL_read(wire->ssl, out, size < INT_MAX ? (int)size : INT_MAX);
		if (rc <= 0)
			return state_of(wire, rc, errno);
		*got = (size_t)rc;
		return WIRE_OK;
	}
	ssize_t n = recv(wire->fd, out, size, 0);
	if (n > 0) {
		*got = (size_t)n;
		return WIRE_OK;
	}
	wire->error = n < 0 ? errno : 0;
	if (n == 0)
		return WIRE_END;
	return wire->error == EAGAIN ? WIRE_WAIT_READ : WIRE_FAILED;
}

enum wire_state wire_write(struct wire *wire, const void *data, size_t len, size_t *put)
{
	if (wire->ssl != NULL) {
		ERR_clear_error();
		errno = 0;
		int rc = SSL_write(wire->ssl, data, len < INT_MAX ? (int)len : INT_MAX);
		enum wire_state state = rc > 0 ? WIRE_OK : state_of(wire, rc, errno);
		*put = rc > 0 ? (size_t)rc : 0;
		hold_back(wire, false);
		return state;
	}
	ssize_t n = send(wire->fd, data, len, MSG_NOSIGNAL);
	if (n >= 0) {
		*put = (size_t)n;
		return WIRE_OK;
	}
	wire->error = errno;
	return wire->error == EAGAIN ? WIRE_WAIT_WRITE : WIRE_FAILED;
}

void wire_close(struct wire *wire)
{
	if (wire->ssl == NULL)
		return;
	if (wire->is_shaken) {
		hold_back(wire, true);
		(void)SSL_shutdown(wire->ssl);
	}
	SSL_free(wire->ssl);
	ERR_clear_error();
	wire->ssl = NULL;
	wire->is_shaken = wire->has_begun = false;
}
