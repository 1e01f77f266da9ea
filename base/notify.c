/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum veer_err notify_send(const char *message)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	if (path == NULL || path[0] == '\0')
		return VEER_OK;
	size_t len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof un.sun_path)
		return VEER_EINVAL;
	memcpy(un.sun_path, path, len);
	if (path[0] == '@')
		un.sun_path[0] = '\0'; /* the abstract name space, in which the length counts and not a NUL */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return VEER_EIO;
	socklen_t addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/' ? 1 : 0));
	ssize_t n = sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&un, addr_len);
	(void)close(fd);
	return n >= 0 ? VEER_OK : VEER_EIO;
}

enum veer_err notify_ready(void)
{
	return notify_send("READY=1");
}

enum veer_err notify_main_pid(void)
{
	char message[48];
	(void)snprintf(message, sizeof message, "MAINPID=%d", (int)getpid());
	return notify_send(message);
}

enum veer_err notify_reloading(void)
{
	char message[80];
	(void)snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		       veer_clock_monotonic_ns(veer_clock_system()) / 1000);
	return notify_send(message);
}

enum veer_err notify_stopping(void)
{
	return notify_send("STOPPING=1");
}

enum veer_err notify_watchdog(void)
{
	return notify_send("WATCHDOG=1");
}

int64_t notify_watchdog_ms(void)
{
	int64_t us = 0;
	int64_t pid = 0;
	const char *us_text = getenv("WATCHDOG_USEC");
	const char *pid_text = getenv("WATCHDOG_PID");
	if (us_text == NULL || !text_to_int(us_text, 1, INT64_MAX, &us))
		return 0;
	if (pid_text != NULL && (!text_to_int(pid_text, 1, INT32_MAX, &pid) || pid != getpid()))
		return 0; /* the variable is meant for another process */
	return us >= 1000 ? us / 1000 : 1;
}
