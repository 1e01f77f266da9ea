/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: can a connection be made? It is closed again at once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probes/check_internal.h"

static void on_writable(void *ctx, int fd, unsigned events)
{
	struct check_probe *probe = ctx;
	int error = 0;
	socklen_t len = sizeof error;
	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0)
		probe_finish(probe, PROBE_REASON_OK, "");
	else
		probe_finish(probe, reason_of_errno(error), strerrordesc_np(error));
}

void probe_tcp(struct check_probe *probe)
{
	struct veer_listen to;
	veer_listen_from_addr(&probe->target, probe->check->port, &to);
	probe->fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, strerrordesc_np(errno));
		return;
	}
	if (connect(probe->fd, (const struct sockaddr *)&to.storage, to.len) != 0 && errno != EINPROGRESS) {
		int error = errno;
		probe_finish_later(probe, reason_of_errno(error), strerrordesc_np(error));
		return;
	}
	enum veer_err err = loop_watch(probe->env->loop, probe->fd, LOOP_WRITE, on_writable, probe);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
}
