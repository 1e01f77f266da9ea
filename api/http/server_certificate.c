/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing the certificate while the server runs. The library reads it once, for all connections of one of its daemons.
 * So each address that speaks TLS gets a new daemon on the same socket, and the old one accepts no more connections. It
 * stays until its last connection has ended, so that a new certificate does not cut streams.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/connection.h"

/* Does it speak TLS, or would it if there were a certificate? */
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
			api_listener_stop(l, l->retired[i]);
		else
			l->retired[kept++] = l->retired[i];
	}
	l->retired_count = kept;
}

/* The place of the daemon among the listener's. */
static const struct api_daemon *place_of(const struct api_listener *l, const struct MHD_Daemon *daemon)
{
	const struct api_daemon *place = l->daemons;
	while (place->mhd != daemon)
		place++;
	return place;
}

/*
 * Does an address have as many daemons with old certificates as allowed? Then wait, and in the end cut the connections
 * of the oldest.
 */
static bool is_crowded(struct api_server *server)
{
	size_t crowded = 0, old = 0;
	int64_t now_ms = api_now_ms();
	if (now_ms - server->crowded_seen_ms > API_CROWDED_MS) /* the caller gave that certificate up */
		server->crowded_since_ms = 0;
	bool has_waited = server->crowded_since_ms != 0 && now_ms - server->crowded_since_ms >= API_CROWDED_MS;
	for (size_t i = 0; i < server->listener_count; i++) {
		struct api_listener *l = &server->listeners[i];
		stop_idle(l);
		old += l->retired_count;
		if (!speaks_tls(l) || l->retired_count < API_RETIRED_MAX)
			continue;
		crowded++;
		if (has_waited)
			api_connections_cut(server, place_of(l, l->retired[0]));
	}
	atomic_store(&server->old_certificates, old);
	server->crowded_seen_ms = now_ms;
	if (crowded == 0)
		server->crowded_since_ms = 0;
	else if (server->crowded_since_ms == 0)
		server->crowded_since_ms = now_ms;
	return crowded > 0;
}

/* Start a daemon with the present certificate on the listener's socket. NULL: it does not start. */
static struct MHD_Daemon *start_another(struct api_server *server, struct api_listener *l)
{
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	struct MHD_Daemon *fresh =
		fd >= 0 && listen(fd, API_BACKLOG) == 0 ? api_listener_start(server, l, fd, true) : NULL;
	if (fresh == NULL && fd >= 0)
		(void)close(fd);
	return fresh;
}

/* Start one for each address that speaks TLS, or for none. */
static bool start_all(struct api_server *server, struct MHD_Daemon *fresh[API_LISTENERS_MAX])
{
	bool ok = true;
	for (size_t i = 0; i < server->listener_count && ok; i++) {
		fresh[i] = speaks_tls(&server->listeners[i]) ? start_another(server, &server->listeners[i]) : NULL;
		ok = fresh[i] != NULL || !speaks_tls(&server->listeners[i]);
	}
	for (size_t i = 0; i < server->listener_count && !ok; i++) {
		if (fresh[i] != NULL)
			api_listener_stop(&server->listeners[i], fresh[i]);
		fresh[i] = NULL;
	}
	return ok;
}

static void replace(struct api_listener *l, struct MHD_Daemon *fresh)
{
	if (l->daemon != NULL) {
		MHD_socket old = MHD_quiesce_daemon(l->daemon);
		if (old != MHD_INVALID_SOCKET)
			(void)close(old);
		l->retired[l->retired_count++] = l->daemon;
		atomic_fetch_add(&l->server->old_certificates, 1);
	}
	l->daemon = fresh;
}

static void forget(char *cert, char *key)
{
	if (key != NULL)
		explicit_bzero(key, strlen(key));
	free(cert);
	free(key);
}

enum api_certificate api_server_set_certificate(struct api_server *server, const char *cert_pem, const char *key_pem)
{
	struct MHD_Daemon *fresh[API_LISTENERS_MAX] = {NULL};
	if (is_crowded(server))
		return API_CERTIFICATE_WAITS;
	char *old_cert = server->cert, *old_key = server->key;
	server->cert = strdup(cert_pem);
	server->key = strdup(key_pem);
	if (server->cert == NULL || server->key == NULL || !start_all(server, fresh)) {
		forget(server->cert, server->key);
		server->cert = old_cert;
		server->key = old_key;
		return API_CERTIFICATE_REFUSED;
	}
	for (size_t i = 0; i < server->listener_count; i++)
		if (fresh[i] != NULL)
			replace(&server->listeners[i], fresh[i]);
	/* the old daemons do not need them: the library has its own copy */
	forget(old_cert, old_key);
	return API_CERTIFICATE_SHOWN;
}
