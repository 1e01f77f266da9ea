/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every open connection with an absolute deadline. The library's own timeout counts only inactivity, so a client that
 * sends a byte now and then could stay for ever: a janitor thread shuts down the socket of each connection that is past
 * its deadline.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/http/connection.h"

enum { JANITOR_PERIOD_MS = 250, REVALIDATE_EVERY = 4 };

int64_t api_now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t phase_ms(enum api_phase phase)
{
	switch (phase) {
	case API_PHASE_IDLE:
		return API_DEADLINE_IDLE_MS;
	case API_PHASE_HEADERS:
		return API_DEADLINE_HEADERS_MS;
	case API_PHASE_BODY:
		return API_DEADLINE_BODY_MS;
	case API_PHASE_REPLY:
		return API_DEADLINE_REPLY_MS;
	case API_PHASE_STREAM:
		return 0;
	}
	return 0;
}

void api_connection_phase(struct api_server *server, struct api_connection *connection, enum api_phase phase,
			  size_t bytes)
{
	if (connection == NULL)
		return;
	(void)pthread_mutex_lock(&server->connections_lock);
	connection->since_ms = api_now_ms();
	connection->is_idle = phase == API_PHASE_IDLE || phase == API_PHASE_HEADERS;
	connection->due_ms = phase == API_PHASE_STREAM
				     ? 0
				     : connection->since_ms + phase_ms(phase) + (int64_t)(bytes / API_BYTES_PER_MS);
	(void)pthread_mutex_unlock(&server->connections_lock);
}

/* Find out who is at the other end. No RFC defines it, but the kernel knows (SO_PEERCRED, socket(7)). */
static void identify(struct api_connection *c, const struct api_listener *listener)
{
	(void)snprintf(c->from, sizeof c->from, "unknown");
	if (listener->is_unix) {
		struct ucred peer = {.uid = (uid_t)-1};
		socklen_t len = sizeof peer;
		c->is_local = true;
		bool is_known = getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
		const struct api_server_config *config = &listener->server->config;
		c->is_owner = is_known && (peer.uid == geteuid() || peer.uid == 0);
		c->is_feeder = is_known && !c->is_owner && config->has_feed_user && peer.uid == config->feed_uid;
		(void)snprintf(c->from, sizeof c->from, "unix uid=%u", (unsigned)peer.uid);
		return;
	}
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct veer_addr addr;
	if (getpeername(c->fd, (struct sockaddr *)&sa, &len) != 0 ||
	    !veer_addr_from_sockaddr((const struct sockaddr *)&sa, &addr))
		return;
	c->is_local = veer_addr_is_loopback(&addr);
	veer_addr_print(&addr, c->from);
}

/*
 * The account that counts connections without a credential: that of the address; for IPv6, of the network that a site
 * has (/64).
 */
static struct api_account *address_account(struct api_server *server, const struct api_connection *c)
{
	const struct api_principal nobody = {.role = API_ROLE_ANONYMOUS};
	char key[VEER_ADDR_TEXT_SIZE];
	struct veer_addr addr;
	if (veer_addr_parse(c->from, &addr) != VEER_OK || addr.family != VEER_FAMILY_V6)
		return shares_account(&server->shares, &nobody, c->from);
	veer_addr_mask(&addr, 64);
	veer_addr_print(&addr, key);
	return shares_account(&server->shares, &nobody, key);
}

static struct api_connection *connection_open(struct api_daemon *daemon, struct MHD_Connection *connection)
{
	struct api_listener *listener = daemon->listener;
	struct api_server *server = listener->server;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct api_connection *c = calloc(1, sizeof *c);
	if (c == NULL || info == NULL) {
		free(c);
		return NULL;
	}
	c->fd = info->connect_fd;
	c->daemon = daemon;
	c->since_ms = api_now_ms();
	c->is_idle = true;
	c->due_ms = c->since_ms + API_DEADLINE_FIRST_MS;
	identify(c, listener);
	c->address = address_account(server, c);
	if (c->address == NULL) {
		free(c);
		return NULL;
	}
	(void)pthread_mutex_lock(&server->connections_lock);
	c->next = server->connections;
	if (c->next != NULL)
		c->next->prev = c;
	server->connections = c;
	api_crowd_enter(server, c);
	(void)pthread_mutex_unlock(&server->connections_lock);
	atomic_fetch_add(&server->connection_count, 1);
	return c;
}

static void connection_close(struct api_server *server, struct api_connection *c)
{
	(void)pthread_mutex_lock(&server->connections_lock);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		server->connections = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	api_crowd_leave(server, c);
	(void)pthread_mutex_unlock(&server->connections_lock);
	atomic_fetch_sub(&server->connection_count, 1);
	free(c);
}

void api_connection_notify(void *ctx, struct MHD_Connection *connection, void **socket_context,
			   enum MHD_ConnectionNotificationCode code)
{
	struct api_daemon *daemon = ctx;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = connection_open(daemon, connection);
	} else if (*socket_context != NULL) {
		connection_close(daemon->listener->server, *socket_context);
		*socket_context = NULL;
	}
}

/* The request line has arrived: from now on the headers have their own deadline. */
void *api_connection_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	struct api_listener *listener = ctx;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	if (info != NULL && info->socket_context != NULL) {
		api_headers_note_uri(info->socket_context, uri);
		api_connection_phase(listener->server, info->socket_context, API_PHASE_HEADERS, 0);
	}
	return NULL;
}

/* A connection that is only idle has less time when places get scarce, so that clients with a request find a place. */
static bool is_late(const struct api_connection *c, int64_t now, bool is_crowded)
{
	if (c->due_ms == 0)
		return false;
	return c->due_ms <= now || (is_crowded && c->is_idle && now - c->since_ms >= API_DEADLINE_CROWDED_MS);
}

static void cut_late_ones(struct api_server *server)
{
	int64_t now = api_now_ms();
	bool is_crowded = atomic_load(&server->connection_count) > server->connections_max / 2;
	(void)pthread_mutex_lock(&server->connections_lock);
	for (struct api_connection *c = server->connections; c != NULL; c = c->next) {
		if (!is_late(c, now, is_crowded))
			continue;
		c->due_ms = 0;
		(void)shutdown(c->fd, SHUT_RDWR);
		atomic_fetch_add(&server->cut_deadline, 1);
	}
	(void)pthread_mutex_unlock(&server->connections_lock);
}

static void end_stream(struct api_stream *stream)
{
	(void)pthread_mutex_lock(&stream->lock);
	stream->is_ended = true;
	(void)pthread_mutex_unlock(&stream->lock);
	api_stream_wake(stream);
}

/* End the streams of principals that may no longer have them. */
static void end_revoked_streams(struct api_server *server)
{
	(void)pthread_mutex_lock(&server->connections_lock);
	for (struct api_connection *c = server->connections; c != NULL; c = c->next)
		if (c->stream != NULL &&
		    !server->config.revalidate(server->config.ctx, &c->stream->who, c->stream->scope))
			end_stream(c->stream);
	(void)pthread_mutex_unlock(&server->connections_lock);
}

static void *janitor_main(void *ctx)
{
	struct api_server *server = ctx;
	const struct timespec period = {.tv_nsec = JANITOR_PERIOD_MS * 1000000L};
	for (unsigned turn = 1; !atomic_load(&server->is_janitor_done); turn++) {
		cut_late_ones(server);
		if (turn % REVALIDATE_EVERY == 0 && server->config.revalidate != NULL)
			end_revoked_streams(server);
		shares_sweep(&server->shares, api_now_ms());
		(void)nanosleep(&period, NULL);
	}
	return NULL;
}

bool api_janitor_start(struct api_server *server)
{
	server->has_janitor = pthread_create(&server->janitor, NULL, janitor_main, server) == 0;
	return server->has_janitor;
}

void api_janitor_stop(struct api_server *server)
{
	atomic_store(&server->is_janitor_done, true);
	if (server->has_janitor)
		(void)pthread_join(server->janitor, NULL);
	server->has_janitor = false;
}

void api_connections_cut(struct api_server *server, const struct api_daemon *daemon)
{
	(void)pthread_mutex_lock(&server->connections_lock);
	for (struct api_connection *c = server->connections; c != NULL; c = c->next) {
		if (c->daemon != daemon)
			continue;
		if (c->stream != NULL)
			end_stream(c->stream);
		c->due_ms = 0;
		(void)shutdown(c->fd, SHUT_RDWR);
		atomic_fetch_add(&server->cut_deadline, 1);
	}
	(void)pthread_mutex_unlock(&server->connections_lock);
}

void api_connections_end_streams(struct api_server *server)
{
	/* A stream that is registered after this looks at the flag before it parks for the first time. */
	atomic_store(&server->is_ending, true);
	(void)pthread_mutex_lock(&server->connections_lock);
	for (struct api_connection *c = server->connections; c != NULL; c = c->next)
		if (c->stream != NULL)
			end_stream(c->stream);
	(void)pthread_mutex_unlock(&server->connections_lock);
}
