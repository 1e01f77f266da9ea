/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the kinds that have sockets of their own. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probes/agent/check_impl.h"

enum probe_reason reason_of_errno(long errnum)
{
	switch (errnum) {
	case ECONNREFUSED:
		return PROBE_REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
		return PROBE_REASON_CONNECT_TIMEOUT;
	case ECONNRESET:
	case EPIPE:
		return PROBE_REASON_RESET;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EPERM:         /* this host's packet filter refuses, or its table of connections is full */
	case EADDRNOTAVAIL: /* this host has no free port */
		return PROBE_REASON_INTERNAL; /* this host's failure, not the endpoint's */
	default:
		return PROBE_REASON_CONNECT_FAILED;
	}
}

bool probe_connect(struct check_probe *probe, int type, int protocol)
{
	return probe_connect_to(probe, type, protocol, &probe->target, probe->check->port);
}

bool probe_connect_to(struct check_probe *probe, int type, int protocol, const struct veer_addr *addr, uint16_t port)
{
	struct veer_listen to;
	veer_listen_from_addr(addr, port, &to);
	probe->fd = socket(to.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (probe->fd < 0) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, strerrordesc_np(errno));
		return false;
	}
	if (connect(probe->fd, (const struct sockaddr *)&to.storage, to.len) != 0 && errno != EINPROGRESS) {
		int error = errno;
		probe_finish_later(probe, reason_of_errno(error), strerrordesc_np(error));
		return false;
	}
	return true;
}

bool probe_has_route(const struct check_probe *probe)
{
	struct veer_addr own;
	struct veer_listen to;
	/* A name or a redirect is the endpoint's choice: a target without a route must then not make it unknown. */
	if (veer_addr_parse(probe->address, &own) != VEER_OK || !veer_addr_equal(&own, &probe->target))
		return true;
	veer_listen_from_addr(&own, 9, &to);
	int fd = socket(to.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno != EAFNOSUPPORT;
	/* For UDP this only looks up the route. */
	bool has_route = connect(fd, (const struct sockaddr *)&to.storage, to.len) == 0 || errno != ENETUNREACH;
	(void)close(fd);
	return has_route;
}

int probe_socket_error(const struct check_probe *probe)
{
	int error = 0;
	socklen_t len = sizeof error;
	return getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ? errno : error;
}

bool probe_watch(struct check_probe *probe, unsigned events, loop_fd_fn *fn)
{
	enum veer_err err = loop_watch(probe->env->loop, probe->fd, events, fn, probe);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
	return err == VEER_OK;
}

void probe_print_bytes(const void *data, size_t len, char *out, size_t size)
{
	const uint8_t *bytes = data;
	size_t at = 0;
	for (size_t i = 0; i < len && at + 5 < size; i++) {
		bool is_plain = bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\';
		if (is_plain)
			out[at++] = (char)bytes[i];
		else
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", bytes[i]);
	}
	out[at] = '\0';
}
