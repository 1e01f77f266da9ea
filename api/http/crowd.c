/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have a connection. A connection that has shown no good credential is *silent*: each address has a share of
 * the silent ones, and remote and local silent ones each have a part of all places; when that is full, the oldest of
 * them is closed for the new one. A connection with a good credential belongs to its principal, who has a share too.
 * All of them together stay below what descriptors and the library allow, so that the next agent is always accepted.
 * The owner's connections to the Unix socket are not counted in any share.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/connection.h"

enum {
	DESCRIPTORS_OWN = 192, /* for the store, snapshots, logs, and connections that are being closed */
	OF_ADDRESS_MIN = 16,
	OWNERS_RESERVE = 64,
};

void api_crowd_init(struct api_server *server)
{
	struct rlimit limit = {.rlim_cur = 1024};
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	size_t descriptors = limit.rlim_cur < API_CONNECTIONS_MAX + DESCRIPTORS_OWN
				     ? (size_t)limit.rlim_cur
				     : API_CONNECTIONS_MAX + DESCRIPTORS_OWN;
	size_t own = descriptors < 4 * DESCRIPTORS_OWN ? descriptors / 4 : DESCRIPTORS_OWN;
	server->connections_max = descriptors - own;
	server->silent_of_address =
		server->connections_max / 8 > OF_ADDRESS_MIN ? server->connections_max / 8 : OF_ADDRESS_MIN;
	server->crowds[API_CROWD_REMOTE].max = server->connections_max / 2;
	server->crowds[API_CROWD_LOCAL].max = server->connections_max / 4;
}

static struct api_crowd *crowd_of(struct api_server *server, const struct api_connection *c)
{
	return &server->crowds[c->is_local ? API_CROWD_LOCAL : API_CROWD_REMOTE];
}

/* Remove it from the list of silent ones, if it is there. */
static void leave_crowd(struct api_server *server, struct api_connection *c)
{
	struct api_crowd *crowd = crowd_of(server, c);
	if (!c->is_silent)
		return;
	c->is_silent = false;
	c->address->silent--;
	crowd->count--;
	*(c->older != NULL ? &c->older->newer : &crowd->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &crowd->newest) = c->older;
}

/* Shut down its socket, which the library then closes; its place is free at once. */
static void push_out(struct api_server *server, struct api_connection *c)
{
	leave_crowd(server, c);
	c->is_pushed_out = true;
	c->due_ms = 0;
	server->open_count--;
	(void)shutdown(c->fd, SHUT_RDWR);
	atomic_fetch_add(&server->cut_deadline, 1);
	shares_note_refused(&server->shares, API_SHARE_SILENT);
}

/* Find the silent connection to close: the oldest of that address, or of all (NULL), remote ones before local ones. */
static struct api_connection *find_oldest(struct api_server *server, const struct api_account *address)
{
	for (int i = 0; i < API_CROWDS; i++)
		for (struct api_connection *c = server->crowds[i].oldest; c != NULL; c = c->newer)
			if (address == NULL || c->address == address)
				return c;
	return NULL;
}

void api_crowd_enter(struct api_server *server, struct api_connection *connection)
{
	struct api_crowd *crowd = crowd_of(server, connection);
	struct api_connection *victim = NULL;
	server->open_count++;
	if (connection->is_owner)
		return;
	connection->is_silent = true;
	connection->address->silent++;
	crowd->count++;
	connection->older = crowd->newest;
	*(crowd->newest != NULL ? &crowd->newest->newer : &crowd->oldest) = connection;
	crowd->newest = connection;
	if (connection->address->silent > server->silent_of_address)
		victim = find_oldest(server, connection->address);
	else if (crowd->count > crowd->max)
		victim = crowd->oldest;
	else if (server->open_count + OWNERS_RESERVE >
		 server->connections_max + (connection->is_local ? OWNERS_RESERVE / 2 : 0))
		victim = find_oldest(server, NULL); /* c itself when no other is silent */
	if (victim != NULL)
		push_out(server, victim);
}

enum shares_answer api_crowd_prove(struct api_server *server, struct api_connection *connection,
				   struct api_account *account)
{
	enum shares_answer answer = SHARES_TAKEN;
	(void)pthread_mutex_lock(&server->connections_lock);
	if (connection->holder != account && !connection->is_owner && !connection->is_pushed_out) {
		answer = shares_take(&server->shares, account, API_SHARE_CONNECTIONS, 1);
		if (answer == SHARES_TAKEN) {
			struct api_account *before = connection->holder;
			if (before != NULL)
				shares_put_back(&server->shares, before, API_SHARE_CONNECTIONS, 1);
			shares_give(&server->shares, before);
			connection->holder = shares_hold(&server->shares, account);
			leave_crowd(server, connection);
		}
	}
	(void)pthread_mutex_unlock(&server->connections_lock);
	return answer;
}

void api_crowd_leave(struct api_server *server, struct api_connection *connection)
{
	leave_crowd(server, connection);
	if (!connection->is_pushed_out)
		server->open_count--;
	if (connection->holder != NULL)
		shares_put_back(&server->shares, connection->holder, API_SHARE_CONNECTIONS, 1);
	shares_give(&server->shares, connection->holder);
	shares_give(&server->shares, connection->address);
}
