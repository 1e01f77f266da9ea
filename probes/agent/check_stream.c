/* SPDX-License-Identifier: Apache-2.0 */
/* TCP and TLS checks: connect, perform the handshake, send bytes, and search the bytes that come back. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "probes/agent/check_impl.h"

#define READS_A_TURN 16 /* so that a flood of bytes does not delay other probes */
#define READ_BYTES 4096

/* What a probe needs beside a socket. */
struct stream {
	struct wire wire;
	struct tls_peer peer;
	uint32_t sent;
	uint8_t *reply; /* CHECK_BODY_MAX_BYTES; NULL unless a reply is expected */
	size_t reply_len;
};

static void on_ready(void *ctx, int fd, unsigned events);

static void stream_free(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	wire_close(&stream->wire);
	free(stream->reply);
	free(stream);
}

/* End a connection that sends nothing without TIME_WAIT: otherwise one probe a second could use up the host's ports. */
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

/* Wait for the event that the wire needs, if it needs one. */
static bool waits(struct check_probe *probe, enum wire_state state)
{
	if (state != WIRE_WAIT_READ && state != WIRE_WAIT_WRITE)
		return false;
	(void)probe_watch(probe, state == WIRE_WAIT_READ ? LOOP_READ : LOOP_WRITE, on_ready);
	return true;
}

/* Continue the handshake. True when it is done; otherwise it waits or the probe has ended. */
static bool shake_hands(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	enum wire_state state = wire_shake_hands(&stream->wire);
	if (waits(probe, state))
		return false;
	probe_note_peer(probe, &stream->peer);
	if (state != WIRE_OK) {
		probe_finish(probe, probe_handshake_failed(probe, &stream->wire, &stream->peer), probe->detail);
		return false;
	}
	probe->timing.tls_us = probe_now_us(probe);
	enum probe_reason reason = probe_judge_certificate(probe, &stream->peer);
	if (reason != PROBE_REASON_OK)
		probe_finish(probe, reason, probe->detail);
	return reason == PROBE_REASON_OK;
}

/* Prepare TLS for the connection. False: the probe ends later. */
static bool prepare_tls(struct check_probe *probe, struct stream *stream)
{
	struct x509_store_st *store = NULL;
	char name[256];
	probe_tls_name(probe, name);
	return probe_trust(probe, true, &store) &&
	       probe_start_tls(probe, &stream->wire, probe->check->port, name, NULL, store, &stream->peer);
}

/* --- saying and hearing ---------------------------------------------------------------------------------------- */

/* Send. True when everything was sent. */
static bool say(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	const struct model_bytes *bytes = &probe->check->exchange.send;
	while (stream->sent < bytes->len) {
		size_t put = 0;
		enum wire_state state =
			wire_write(&stream->wire, bytes->data + stream->sent, bytes->len - stream->sent, &put);
		stream->sent += (uint32_t)put;
		if (state == WIRE_OK)
			continue;
		if (!waits(probe, state))
			probe_finish(probe, PROBE_REASON_RESET, "the connection ended before all was sent");
		return false;
	}
	return true;
}

static bool holds_expected(const struct stream *stream, const struct model_bytes *expect, size_t from)
{
	/* The match may begin in bytes that were received before. */
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

/* Read once. True: try again. */
static bool hear_once(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	size_t room = CHECK_BODY_MAX_BYTES - stream->reply_len;
	size_t from = stream->reply_len;
	size_t got = 0;
	enum wire_state state =
		wire_read(&stream->wire, stream->reply + from, room < READ_BYTES ? room : READ_BYTES, &got);
	if (waits(probe, state))
		return false;
	if (state != WIRE_OK) {
		if (stream->reply_len > 0)
			fail_reply(probe, "ended without what is expected");
		else
			probe_finish(probe, PROBE_REASON_RESET, "the connection ended without a reply");
		return false;
	}
	if (from == 0)
		probe->timing.first_byte_us = probe_now_us(probe);
	stream->reply_len += got;
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
	/*
	 * Bytes that TLS has already read do not make the socket readable, so come back as soon as it can be written.
	 */
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
	if (stream->wire.ssl != NULL && !stream->wire.is_shaken && !shake_hands(probe))
		return;
	if (say(probe))
		hear(probe);
}

/* Connect; `stream` is NULL when nothing is sent. */
static void begin(struct check_probe *probe)
{
	struct stream *stream = probe->own;
	if (!probe_connect(probe, SOCK_STREAM, 0))
		return;
	if (stream != NULL) {
		stream->wire.fd = probe->fd;
		if (probe->check->tls.is_used && !prepare_tls(probe, stream))
			return;
	}
	(void)probe_watch(probe, LOOP_WRITE, on_ready);
}

static void on_place(void *ctx)
{
	struct check_probe *probe = ctx;
	probe_has_place(probe);
	begin(probe);
}

void probe_stream(struct check_probe *probe)
{
	const struct model_check *check = probe->check;
	bool is_plain = !check->tls.is_used && check->exchange.send.data == NULL && check->exchange.expect.data == NULL;
	if (!is_plain) {
		probe->own = calloc(1, sizeof(struct stream));
		probe->free_own = stream_free;
		if (probe->own == NULL) {
			probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
			return;
		}
	}
	if (!check->tls.is_used || probe_take_place(probe, on_place, probe))
		begin(probe);
}
