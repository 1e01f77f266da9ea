/* SPDX-License-Identifier: Apache-2.0 */
/* The connection of an exchange: a kept one or a new one, with or without TLS, and the protocol that is used on it. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "probes/agent/check_exchange_impl.h"

/* The protocols for ALPN, each preceded by its length (RFC 7301 3.1). */
static const char *protocols_of(enum model_http_version version)
{
	return version == MODEL_HTTP_1_1 || version == MODEL_HTTP_DEFAULT ? "\x08http/1.1" : "\x02h2\x08http/1.1";
}

/* Continue the handshake. True when it is done; otherwise it waits, or the probe has ended. */
static bool shake_hands(struct http_exchange *x)
{
	struct check_probe *probe = x->probe;
	struct http_conn *conn = x->conn;
	enum wire_state state = wire_shake_hands(&conn->wire);
	if (state == WIRE_WAIT_READ || state == WIRE_WAIT_WRITE) {
		(void)http_exchange_watch(x, state == WIRE_WAIT_READ ? LOOP_READ : LOOP_WRITE);
		return false;
	}
	if (state != WIRE_OK && http_exchange_wants_http2(x)) {
		http_exchange_offer_http2(x);
		return false;
	}
	probe_note_peer(probe, &conn->peer);
	if (state != WIRE_OK) {
		enum probe_reason reason = probe_handshake_failed(probe, &conn->wire, &conn->peer);
		http_exchange_drop(x);
		probe_finish(probe, reason, probe->detail);
		return false;
	}
	probe->timing.tls_us = probe_now_us(probe);
	bool is_http2 = wire_speaks(&conn->wire, "h2");
	if (x->version == MODEL_HTTP_2 && !is_http2) {
		http_exchange_fail(x, PROBE_REASON_HTTP_PROTOCOL, "the server does not speak HTTP/2");
		return false;
	}
	return http_exchange_ask(x, is_http2);
}

/* Send without delay: later writes must not wait until the other side has acknowledged the earlier ones. */
static void send_at_once(int fd)
{
	const int yes = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/* True when the connection is established and the next stage has begun; otherwise the probe has ended, or will end. */
static bool on_connected(struct http_exchange *x)
{
	struct check_probe *probe = x->probe;
	int error = 0;
	socklen_t len = sizeof error;
	if (getsockopt(x->conn->wire.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		http_exchange_fail(x, reason_of_errno(error), strerrordesc_np(error));
		return false;
	}
	probe->is_connected = true;
	probe->timing.connect_us = probe_now_us(probe);
	if (x->aim.is_tls || probe->check->keeps_connection)
		send_at_once(x->conn->wire.fd);
	if (!x->aim.is_tls)
		return http_exchange_ask(x, x->version == MODEL_HTTP_2);
	probe->doing = "in the TLS handshake";
	x->stage = HTTP_STAGE_SHAKE;
	if (probe_start_tls(probe, &x->conn->wire, x->aim.port, x->aim.host, protocols_of(x->version),
			    x->conn->aim.store, &x->conn->peer))
		return true;
	http_exchange_drop(x);
	return false;
}

void http_exchange_on_ready(void *ctx, int fd, unsigned events)
{
	struct http_exchange *x = ctx;
	(void)fd;
	(void)events;
	if (x->stage == HTTP_STAGE_CONNECT && !on_connected(x))
		return;
	if (x->stage == HTTP_STAGE_SHAKE && !shake_hands(x))
		return;
	http_exchange_talk(x);
}

static void connect_now(struct http_exchange *x)
{
	struct check_probe *probe = x->probe;
	struct http_aim aim = x->aim;
	probe->is_connected = false;
	probe->doing = NULL;
	if (!probe_trust(probe, x->aim.is_tls, &aim.store))
		return;
	if (!probe_connect_to(probe, SOCK_STREAM, 0, &aim.address, aim.port))
		return;
	int fd = probe->fd;
	probe->fd = -1;
	x->conn = http_conn_new(&aim, fd);
	if (x->conn == NULL) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
		return;
	}
	x->stage = HTTP_STAGE_CONNECT;
	x->is_reused = false;
	x->watched = 0;
	(void)http_exchange_watch(x, LOOP_WRITE);
}

static void on_place(void *ctx)
{
	struct http_exchange *x = ctx;
	probe_has_place(x->probe);
	connect_now(x);
}

void http_exchange_connect(struct http_exchange *x)
{
	if (!x->aim.is_tls || probe_take_place(x->probe, on_place, x))
		connect_now(x);
}

/*
 * Send the request on a kept connection. It is only watched here, because nothing may end before the start has
 * returned.
 */
static void reuse(struct http_exchange *x, struct http_conn *conn)
{
	struct check_probe *probe = x->probe;
	x->conn = conn;
	x->is_reused = true;
	x->watched = 0;
	probe->is_connected = true;
	probe->timing.connect_us = probe_now_us(probe);
	probe->timing.tls_us = conn->aim.is_tls ? probe->timing.connect_us : -1;
	probe_note(probe, "connection", "one that was kept");
	if (http_exchange_ask(x, conn->h2 != NULL))
		(void)http_exchange_watch(x, LOOP_READ | LOOP_WRITE);
}

void http_exchange_start(struct http_exchange *exchange)
{
	struct check_probe *probe = exchange->probe;
	struct http_conn *conn = NULL;
	http_exchange_drop(exchange);
	exchange->aim.verify = probe_verifies(probe);
	struct http_aim aim = exchange->aim;
	exchange->tries = 0;
	exchange->version = exchange->aim.version;
	probe->timing.connect_us = probe->timing.tls_us = probe->timing.first_byte_us = -1;
	if (probe->check->keeps_connection) {
		if (!probe_trust(probe, aim.is_tls, &aim.store))
			return;
		conn = http_kept_take(probe->env->kept, &aim);
	}
	if (conn != NULL)
		reuse(exchange, conn);
	else
		http_exchange_connect(exchange);
}
