/* SPDX-License-Identifier: Apache-2.0 */
/* TCP and TLS: connect, shake hands, say something, and look for something in what comes back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "probes/check_internal.h"

#define READS_A_TURN 16 /* a flood does not keep the others waiting */
#define READ_BYTES 4096

/* What a probe needs beyond a socket. */
struct stream {
	SSL *ssl; /* NULL: TCP */
	struct tls_peer peer;
	bool is_shaken; /* the handshake is done */
	uint32_t sent;
	uint8_t *reply; /* CHECK_BODY_MAX_BYTES; NULL until something is expected */
	size_t reply_len;
};

static void on_ready(void *ctx, int fd, unsigned events);

static void stream_free(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	if (stream->ssl != NULL && stream->is_shaken)
		(void)SSL_shutdown(stream->ssl); /* says goodbye, and does not wait */
	SSL_free(stream->ssl);
	ERR_clear_error();
	free(stream->reply);
	free(stream);
}

/* A mere connection ends without TIME_WAIT: of those a host has as many as ports, and a probe a second uses them up. */
static void end_connection(const struct check_probe *probe)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	(void)setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void succeed(struct check_probe *probe)
{
	probe_finish(probe, PROBE_REASON_OK, "");
}

static void fail_errno(struct check_probe *probe, int error)
{
	probe_finish(probe, reason_of_errno(error), strerrordesc_np(error));
}

/* --- TLS ------------------------------------------------------------------------------------------------------- */

static void fail_handshake(struct check_probe *probe, int ssl_error)
{
	struct stream *stream = probe->own;
	unsigned long code = ERR_peek_last_error();
	const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;
	int error = errno;
	probe_note_peer(probe, &stream->peer);
	if (stream->peer.is_seen && stream->peer.verify != X509_V_OK && probe->check->tls.verify)
		probe_finish(probe, reason_of_certificate(stream->peer.verify),
			     X509_verify_cert_error_string(stream->peer.verify));
	else if (ssl_error == SSL_ERROR_SYSCALL && error != 0)
		probe_finish(probe, PROBE_REASON_TLS_FAILED,
			     probe_detail(probe, "in the handshake: %s", strerrordesc_np(error)));
	else
		probe_finish(probe, PROBE_REASON_TLS_FAILED,
			     probe_detail(probe, "in the handshake: %s", why != NULL ? why : "the connection ended"));
}

/* What the operation waits for, or 0 when it failed. */
static unsigned wanted_events(int ssl_error)
{
	if (ssl_error == SSL_ERROR_WANT_READ)
		return LOOP_READ;
	return ssl_error == SSL_ERROR_WANT_WRITE ? LOOP_WRITE : 0;
}

/* True when it is done; otherwise it waits or the probe has ended. */
static bool shake_hands(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	ERR_clear_error();
	errno = 0;
	int rc = SSL_do_handshake(stream->ssl);
	if (rc == 1) {
		stream->is_shaken = true;
		probe->timing.tls_us = probe_now_us(probe);
		probe_note_peer(probe, &stream->peer);
		enum probe_reason reason = probe_judge_certificate(probe, &stream->peer);
		if (reason != PROBE_REASON_OK)
			probe_finish(probe, reason, probe->detail);
		return reason == PROBE_REASON_OK;
	}
	int ssl_error = SSL_get_error(stream->ssl, rc);
	unsigned events = wanted_events(ssl_error);
	if (events == 0)
		fail_handshake(probe, ssl_error);
	else
		(void)probe_watch(probe, events, on_ready);
	return false;
}

static bool set_name(SSL *ssl, const char *name)
{
	struct veer_addr literal;
	if (veer_addr_parse(name, &literal) == VEER_OK)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

/* Make the connection's TLS. False: the probe ends later. */
static bool prepare_tls(struct check_probe *probe, struct stream *stream)
{
	const struct model_check_tls *tls = &probe->check->tls;
	struct x509_store_st *store = NULL;
	struct veer_diag diag = {""};
	char name[256];
	probe_tls_name(probe, name);
	if (tls_trust_store(probe->env->trust, tls->ca_file, tls->ca_pem, &store, &diag) != VEER_OK) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, diag.text);
		return false;
	}
	stream->ssl = SSL_new(probe->env->tls);
	if (stream->ssl == NULL || !set_name(stream->ssl, name) || SSL_set_fd(stream->ssl, probe->fd) != 1) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, "TLS cannot be prepared");
		return false;
	}
	stream->peer.wants_names = probe->env->note != NULL;
	tls_connection_use(stream->ssl, store, &stream->peer);
	SSL_set_verify(stream->ssl, tls->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_set_connect_state(stream->ssl);
	return true;
}

/* --- saying and hearing ---------------------------------------------------------------------------------------- */

/* True when all is said. */
static bool say(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	const struct model_bytes *bytes = &probe->check->exchange.send;
	while (stream->sent < bytes->len) {
		const uint8_t *rest = bytes->data + stream->sent;
		int left = (int)(bytes->len - stream->sent);
		ERR_clear_error();
		int rc = stream->ssl != NULL ? SSL_write(stream->ssl, rest, left)
					     : (int)send(probe->fd, rest, (size_t)left, MSG_NOSIGNAL);
		int error = errno;
		if (rc > 0) {
			stream->sent += (uint32_t)rc;
			continue;
		}
		unsigned events = stream->ssl != NULL ? wanted_events(SSL_get_error(stream->ssl, rc))
				  : error == EAGAIN   ? (unsigned)LOOP_WRITE
						      : 0;
		if (events == 0)
			probe_finish(probe, PROBE_REASON_RESET, "the connection ended before all was sent");
		else
			(void)probe_watch(probe, events, on_ready);
		return false;
	}
	return true;
}

static bool holds_expected(const struct stream *stream, const struct model_bytes *expect, size_t from)
{
	/* It may have begun in what was there before. */
	size_t back = from < expect->len ? from : expect->len;
	return memmem(stream->reply + from - back, stream->reply_len - from + back, expect->data, expect->len) != NULL;
}

static void fail_reply(struct check_probe *probe, const char *why)
{
	const struct stream *stream = probe->own;
	char beginning[80];
	probe_print_bytes(stream->reply, stream->reply_len, beginning, sizeof beginning);
	probe_finish(probe, PROBE_REASON_REPLY, probe_detail(probe, "%s: \"%s\"", why, beginning));
}

/* One read. True: try again. */
static bool hear_once(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	size_t room = CHECK_BODY_MAX_BYTES - stream->reply_len;
	size_t from = stream->reply_len;
	int want = (int)(room < READ_BYTES ? room : READ_BYTES);
	ERR_clear_error();
	int rc = stream->ssl != NULL ? SSL_read(stream->ssl, stream->reply + from, want)
				     : (int)recv(probe->fd, stream->reply + from, (size_t)want, 0);
	int error = errno;
	unsigned events = 0;
	if (rc <= 0)
		events = stream->ssl != NULL         ? wanted_events(SSL_get_error(stream->ssl, rc))
			 : rc < 0 && error == EAGAIN ? (unsigned)LOOP_READ
						     : 0;
	if (events != 0) {
		(void)probe_watch(probe, events, on_ready);
		return false;
	}
	if (rc <= 0) {
		if (stream->reply_len > 0)
			fail_reply(probe, "ended without what is expected");
		else
			probe_finish(probe, PROBE_REASON_RESET, "the connection ended without a reply");
		return false;
	}
	if (from == 0)
		probe->timing.first_byte_us = probe_now_us(probe);
	stream->reply_len += (size_t)rc;
	if (holds_expected(stream, &probe->check->exchange.expect, from)) {
		probe_note(probe, "reply", "holds what is expected, within %zu bytes", stream->reply_len);
		succeed(probe);
		return false;
	}
	if (stream->reply_len == CHECK_BODY_MAX_BYTES) {
		fail_reply(probe, "64 KiB without what is expected");
		return false;
	}
	return true;
}

static void hear(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	if (probe->check->exchange.expect.data == NULL) {
		succeed(probe);
		return;
	}
	if (stream->reply == NULL)
		stream->reply = malloc(CHECK_BODY_MAX_BYTES);
	if (stream->reply == NULL) {
		probe_finish(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
		return;
	}
	for (int i = 0; i < READS_A_TURN; i++) {
		if (!hear_once(probe))
			return;
	}
	/* What TLS has read already makes no socket ready; writable it is. */
	(void)probe_watch(probe, LOOP_READ | LOOP_WRITE, on_ready);
}

static void on_connected(struct check_probe *probe)
{
	int error = probe_socket_error(probe);
	if (error != 0) {
		fail_errno(probe, error);
		return;
	}
	probe->is_connected = true;
	probe->timing.connect_us = probe_now_us(probe);
	if (probe->own == NULL) {
		end_connection(probe);
		succeed(probe);
		return;
	}
	on_ready(probe, probe->fd, 0);
}

static void on_ready(void *ctx, int fd, unsigned events)
{
	struct check_probe *probe = ctx;
	struct stream *stream = probe->own;
	(void)fd;
	(void)events;
	if (!probe->is_connected) {
		on_connected(probe);
		return;
	}
	if (stream->ssl != NULL && !stream->is_shaken && !shake_hands(probe))
		return;
	if (say(probe))
		hear(probe);
}

void probe_stream(struct check_probe *probe)
{
	const struct model_check *check = probe->check;
	bool is_plain = !check->tls.is_used && check->exchange.send.data == NULL && check->exchange.expect.data == NULL;
	if (!probe_connect(probe, SOCK_STREAM, 0))
		return;
	if (!is_plain) {
		struct stream *stream = calloc(1, sizeof *stream);
		probe->own = stream;
		probe->free_own = stream_free;
		if (stream == NULL) {
			probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
			return;
		}
		if (check->tls.is_used && !prepare_tls(probe, stream))
			return;
	}
	(void)probe_watch(probe, LOOP_WRITE, on_ready);
}
