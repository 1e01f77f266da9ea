/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP checks: send one datagram; the first reply decides. The socket is connected, so it receives only from the target,
 * and also learns that the target is unreachable.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "probes/agent/check_impl.h"

#define DATAGRAM_BYTES 65536

static void judge(struct check_probe *probe, const uint8_t *reply, size_t len)
{
	const struct model_bytes *expect = &probe->check->exchange.expect;
	char beginning[80];
	probe_print_bytes(reply, len, beginning, sizeof beginning);
	probe_note(probe, "reply", "%zu bytes: \"%s\"", len, beginning);
	if (expect->data == NULL || memmem(reply, len, expect->data, expect->len) != NULL)
		probe_finish(probe, PROBE_REASON_OK, "");
	else
		probe_finish(probe, PROBE_REASON_REPLY,
			     probe_detail(probe, "without what is expected: \"%s\"", beginning));
}

static void on_reply(void *ctx, int fd, unsigned events)
{
	static const size_t size = DATAGRAM_BYTES;
	struct check_probe *probe = ctx;
	uint8_t reply[DATAGRAM_BYTES];
	(void)events;
	ssize_t len = recv(fd, reply, size, 0);
	int error = errno;
	if (len < 0 && (error == EAGAIN || error == EINTR))
		return;
	if (len < 0) {
		probe_finish(probe, reason_of_errno(error), strerrordesc_np(error));
		return;
	}
	probe->timing.first_byte_us = probe_now_us(probe);
	judge(probe, reply, (size_t)len);
}

void probe_udp(struct check_probe *probe)
{
	const struct model_bytes *bytes = &probe->check->exchange.send;
	if (!probe_connect(probe, SOCK_DGRAM, 0))
		return;
	probe->is_connected = true; /* silence is not a failed connection */
	if (send(probe->fd, bytes->data, bytes->len, MSG_NOSIGNAL) < 0) {
		int error = errno;
		probe_finish_later(probe, reason_of_errno(error), strerrordesc_np(error));
		return;
	}
	(void)probe_watch(probe, LOOP_READ, on_reply);
}
