/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and stopping the server: listeners, threads, limits. */
#include "api/http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/http/connection.h"

enum { NETWORK_THREADS = 4, CONNECTION_MEMORY = 32768, INACTIVITY_S = 90 };

static void log_library(void *ctx, const char *fmt, va_list ap)
{
	struct api_server *server = ctx;
	char text[512];
	(void)vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug(server->config.log, "http server", LOG_STR("text", text));
}

struct api_server *api_server_new(const struct api_server_config *config)
{
	struct api_server *server = calloc(1, sizeof *server);
	if (server == NULL)
		return NULL;
	server->config = *config;
	(void)pthread_mutex_init(&server->connections_lock, NULL);
	(void)pthread_mutex_init(&server->lanes_lock, NULL);
	for (enum api_lane i = 0; i < API_LANES; i++)
		(void)pthread_cond_init(&server->lanes[i].filled, NULL);
	server->are_headers_placed = api_headers_are_placed();
	if (!server->are_headers_placed)
		log_warn(config->log, "folded headers and bare LF are not refused with this libmicrohttpd",
			 LOG_STR("version", MHD_get_version()));
	api_crowd_init(server);
	shares_init(&server->shares, server->connections_max);
	bool ok = true;
	if (config->tls_cert_pem != NULL) {
		server->cert = strdup(config->tls_cert_pem);
		server->key = config->tls_key_pem != NULL ? strdup(config->tls_key_pem) : NULL;
		ok = server->cert != NULL && server->key != NULL;
	}
	ok = ok && api_lanes_start(server, config->workers) && api_janitor_start(server);
	if (!ok)
		api_server_free(&server);
	return server;
}

/* A socket file is stale when no process listens on it; only then is it replaced. */
static enum veer_err clear_stale_socket(const struct veer_listen *listen_at, const char *address,
					struct veer_diag *diag)
{
	struct stat st;
	const char *path = veer_listen_path(listen_at);
	if (lstat(path, &st) != 0)
		return VEER_OK;
	if (!S_ISSOCK(st.st_mode))
		return veer_fail(diag, VEER_EEXISTS, "listen %s: a file that is not a socket is in the way", address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return veer_fail(diag, VEER_EIO, "listen %s: %s", address, strerror(errno));
	bool is_alive = connect(fd, (const struct sockaddr *)&listen_at->storage, listen_at->len) == 0;
	(void)close(fd);
	if (is_alive)
		return veer_fail(diag, VEER_EBUSY, "listen %s: another process is listening there", address);
	(void)unlink(path);
	return VEER_OK;
}

/* `is_open`: every user may connect. SO_PEERCRED and tokens decide what each may do. */
static enum veer_err open_socket(const struct veer_listen *listen_at, const char *address, bool is_open, int *out,
				 struct veer_diag *diag)
{
	const int on = 1;
	if (listen_at->is_unix) {
		enum veer_err err = clear_stale_socket(listen_at, address, diag);
		if (err != VEER_OK)
			return err;
	}
	int fd = socket(listen_at->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return veer_fail(diag, VEER_EIO, "listen %s: %s", address, strerror(errno));
	mode_t old = umask(is_open ? 0111 : 0117);
	int bound = 0;
	if (!listen_at->is_unix)
		bound = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bound == 0)
		bound = bind(fd, (const struct sockaddr *)&listen_at->storage, listen_at->len);
	(void)umask(old);
	if (bound != 0) {
		int errnum = errno;
		(void)close(fd);
		return veer_fail(diag, veer_err_from_errno(errnum), "listen %s: %s", address, strerror(errnum));
	}
	*out = fd;
	return VEER_OK;
}

/* Leave paths and queries as they were sent: a path is split before it is decoded (uri.h). */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
	(void)ctx;
	(void)connection;
	return strlen(text);
}

/* TLS 1.2 and 1.3, and only key exchanges with forward secrecy. */
static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-3DES-CBC:%SERVER_PRECEDENCE";

struct MHD_Daemon *api_listener_start(struct api_server *server, struct api_listener *listener, int fd, bool is_tls)
{
	struct api_daemon *place = listener->daemons; /* one is always free, because the old ones are limited */
	while (place->mhd != NULL)
		place++;
	place->listener = listener;
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert},
				       {MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
				       {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
				       {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (is_tls ? MHD_USE_TLS : 0);
	place->mhd = MHD_start_daemon(
		flags, 0, NULL, NULL, api_exchange_access, listener, MHD_OPTION_EXTERNAL_LOGGER, log_library, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)NETWORK_THREADS,
		MHD_OPTION_CONNECTION_LIMIT, NETWORK_THREADS * (unsigned)API_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)INACTIVITY_S, MHD_OPTION_NOTIFY_COMPLETED, api_exchange_completed, listener,
		MHD_OPTION_NOTIFY_CONNECTION, api_connection_notify, place, MHD_OPTION_URI_LOG_CALLBACK,
		api_connection_uri, listener, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, is_tls ? tls : none, MHD_OPTION_END);
	return place->mhd;
}

void api_listener_stop(struct api_listener *listener, struct MHD_Daemon *daemon)
{
	struct api_daemon *place = listener->daemons;
	while (place->mhd != daemon)
		place++;
	MHD_stop_daemon(daemon);
	place->mhd = NULL;
}

static uint16_t bound_port(int fd)
{
	struct veer_listen at = {.len = sizeof at.storage};
	if (getsockname(fd, (struct sockaddr *)&at.storage, &at.len) != 0)
		return 0;
	return veer_listen_port(&at);
}

enum veer_err api_server_bind(const char *address, int *out, struct veer_diag *diag)
{
	struct veer_listen at;
	enum veer_err err = veer_listen_parse_http(address, &at, diag);
	return err == VEER_OK ? open_socket(&at, address, false, out, diag) : err;
}

/* Begin to listen on `bound` or, without it, on a socket of our own. */
static enum veer_err begin_listening(const struct veer_listen *listen_at, const char *address, bool is_open, int bound,
				     bool listens, int *out, struct veer_diag *diag)
{
	int fd = bound >= 0 ? fcntl(bound, F_DUPFD_CLOEXEC, 0) : -1;
	enum veer_err err = VEER_OK;
	if (bound < 0)
		err = open_socket(listen_at, address, is_open, &fd, diag);
	if (err != VEER_OK)
		return err;
	if (fd >= 0 && (!listens || listen(fd, API_BACKLOG) == 0)) {
		*out = fd;
		return VEER_OK;
	}
	err = veer_fail(diag, veer_err_from_errno(errno), "listen %s: %s", address, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return err;
}

enum veer_err api_server_listen(struct api_server *server, const char *address, int bound, struct veer_diag *diag)
{
	struct veer_listen listen_at;
	int fd = -1;
	enum veer_err err = veer_listen_parse_http(address, &listen_at, diag);
	if (err != VEER_OK)
		return err;
	if (server->listener_count == API_LISTENERS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "listen %s: at most %d addresses", address, API_LISTENERS_MAX);
	if (!veer_listen_is_local(&listen_at) && server->cert == NULL && !server->config.wants_tls)
		return veer_fail(diag, VEER_EAUTH,
				 "listen %s: beyond loopback only over TLS: give --tls-cert and --tls-key", address);
	err = begin_listening(&listen_at, address, server->config.is_socket_open, bound,
			      listen_at.is_unix || server->cert != NULL || !server->config.wants_tls, &fd, diag);
	if (err != VEER_OK)
		return err;
	struct api_listener *listener = &server->listeners[server->listener_count];
	*listener = (struct api_listener){.server = server, .is_unix = listen_at.is_unix};
	if (listen_at.is_unix)
		(void)snprintf(listener->unix_path, sizeof listener->unix_path, "%s", veer_listen_path(&listen_at));
	else
		listener->port = bound_port(fd);
	bool is_tls = !listen_at.is_unix && (server->cert != NULL || server->config.wants_tls);
	listener->fd = is_tls ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	/*
	 * without a certificate no client should wait for a reply, so the socket is only bound and refuses connections
	 */
	if (is_tls && server->cert == NULL)
		(void)close(fd);
	else if ((listener->daemon = api_listener_start(server, listener, fd, is_tls)) == NULL) {
		(void)close(fd);
		if (listener->fd >= 0)
			(void)close(listener->fd);
		return veer_fail(diag, VEER_EIO,
				 "listen %s: the HTTP server does not start (is the TLS key the certificate's?)",
				 address);
	}
	server->listener_count++;
	return VEER_OK;
}

uint16_t api_server_port(const struct api_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		if (!server->listeners[i].is_unix)
			return server->listeners[i].port;
	return 0;
}

void api_server_stats_read(struct api_server *server, struct api_server_stats *out)
{
	out->requests = atomic_load(&server->requests);
	for (size_t i = 0; i < 6; i++)
		out->by_class[i] = atomic_load(&server->by_class[i]);
	out->refused_busy = atomic_load(&server->refused_busy);
	shares_refused(&server->shares, out->refused);
	out->cut_deadline = atomic_load(&server->cut_deadline);
	out->connections = atomic_load(&server->connection_count);
	out->streams = atomic_load(&server->stream_count);
	out->old_certificates = atomic_load(&server->old_certificates);
}

void api_server_drain(struct api_server *server)
{
	if (server->is_drained)
		return; /* the library would return the descriptors again, whose numbers others may have by now */
	server->is_drained = true;
	for (size_t i = 0; i < server->listener_count; i++) {
		if (server->listeners[i].daemon == NULL)
			continue;
		MHD_socket fd = MHD_quiesce_daemon(server->listeners[i].daemon);
		if (fd != MHD_INVALID_SOCKET)
			(void)close(fd);
	}
	api_lanes_stop(server);
}

void api_server_free(struct api_server **server_ptr)
{
	struct api_server *server = *server_ptr;
	if (server == NULL)
		return;
	/* Nothing may be suspended when the library stops: workers finish their queue, streams end. */
	api_server_drain(server);
	api_connections_end_streams(server);
	for (size_t i = 0; i < server->listener_count; i++) {
		struct api_listener *l = &server->listeners[i];
		for (size_t k = 0; k < l->retired_count; k++)
			MHD_stop_daemon(l->retired[k]);
		if (l->daemon != NULL)
			MHD_stop_daemon(l->daemon);
		if (l->fd >= 0)
			(void)close(l->fd);
		if (server->listeners[i].unix_path[0] != '\0')
			(void)unlink(server->listeners[i].unix_path);
	}
	api_janitor_stop(server);
	free(server->cert);
	free(server->key);
	for (enum api_lane i = 0; i < API_LANES; i++)
		(void)pthread_cond_destroy(&server->lanes[i].filled);
	shares_deinit(&server->shares);
	(void)pthread_mutex_destroy(&server->lanes_lock);
	(void)pthread_mutex_destroy(&server->connections_lock);
	free(server);
	*server_ptr = NULL;
}
