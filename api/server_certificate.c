/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another certificate while the server runs. The library reads it once, for all connections of one of its daemons; so
 * each address that speaks TLS gets a new daemon on the same socket, and the old one takes no more connections. It
 * stays until its last connection has ended: streams are not cut for a new certificate.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/connection.h"

/* Is it one that speaks TLS, or would if there were a certificate? */
static bool speaks_tls(const struct api_listener *l)
{
	return !l->is_unix;
}

static void stop_idle(struct api_listener *l)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->retired_count; i++) {
		const union MHD_DaemonInfo *info =
			MHD_get_daemon_info(l->retired[i], MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
		if (info != NULL && info->num_connections == 0)
			MHD_stop_daemon(l->retired[i]);
		else
			l->retired[kept++] = l->retired[i];
	}
	l->retired_count = kept;
}

static bool replace(struct api_server *server, struct api_listener *l)
{
	stop_idle(l);
	if (l->daemon != NULL && l->retired_count == API_RETIRED_MAX)
		return false;
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	struct MHD_Daemon *fresh =
		fd >= 0 && listen(fd, API_BACKLOG) == 0 ? api_listener_start(server, l, fd, true) : NULL;
	if (fresh == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	if (l->daemon != NULL) {
		MHD_socket old = MHD_quiesce_daemon(l->daemon);
		if (old != MHD_INVALID_SOCKET)
			(void)close(old);
		l->retired[l->retired_count++] = l->daemon;
	}
	l->daemon = fresh;
	return true;
}

bool api_server_set_certificate(struct api_server *server, const char *cert_pem, const char *key_pem)
{
	char *cert = strdup(cert_pem), *key = strdup(key_pem);
	if (cert == NULL || key == NULL) {
		free(cert);
		free(key);
		return false;
	}
	char *old_cert = server->cert, *old_key = server->key;
	bool ok = true;
	server->cert = cert;
	server->key = key;
	for (size_t i = 0; i < server->listener_count; i++)
		if (speaks_tls(&server->listeners[i]))
			ok = replace(server, &server->listeners[i]) && ok;
	/* an address that kept its old daemon needs nothing of it: the library has its own copy */
	if (old_key != NULL)
		explicit_bzero(old_key, strlen(old_key));
	free(old_cert);
	free(old_key);
	return ok;
}
