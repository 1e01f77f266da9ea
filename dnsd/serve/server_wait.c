/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's control side: the saved plan until the control plane is heard. A plan on disk may be older than the
 * failure of a site. So if there is a feed to follow, the plan is not used at once, but after a short wait in which the
 * feed can bring what is newer; a client that tries twice does not notice the wait. Until the feed has done so, answers
 * of policies carry the TTL of endpoints in doubt. Both are limited in time, because a saved plan must be served in the
 * end.
 */
#include <string.h>

#include "dnsd/serve/server_impl.h"

enum {
	WAIT_MS = 1000,        /* the longest time from the start to serving */
	FIRST_LOCAL_MS = 250,  /* until the first byte of the feed, if all control planes are on this host */
	FIRST_REMOTE_MS = 700, /* otherwise: three round trips across the world for TCP, TLS and HTTP */
	DOUBT_MS = 30000,      /* until the saved plan is trusted although no control plane was heard */
};

static void serve_now(void *ctx)
{
	struct server *s = ctx;
	struct veer_diag diag = {.text = ""};
	loop_timer_cancel(s->daemon->loop, &s->wait);
	if (!s->is_waiting)
		return;
	s->is_waiting = false;
	if (publisher_plan(s->publisher) == NULL)
		publisher_unhold(s->publisher);
	else if (publisher_start(s->publisher, &diag) != VEER_OK)
		server_fail(s, VEER_EIO, diag.text);
}

static void trust(void *ctx)
{
	struct server *s = ctx;
	loop_timer_cancel(s->daemon->loop, &s->doubt);
	replica_trust(s->replica);
}

void server_hold_back(struct server *server)
{
	struct sockets_given none = {0};
	/* the server that is being replaced serves meanwhile */
	if (server->takeover != NULL || server->options->feed == NULL)
		return;
	publisher_hold(server->publisher, &none);
	server->is_waiting = true;
}

static bool is_local(const char *urls)
{
	return strstr(urls, "https://") == NULL && strstr(urls, "http://") == NULL;
}

void server_wait_for_feed(struct server *server)
{
	int64_t first_ms = is_local(server->options->feed) ? FIRST_LOCAL_MS : FIRST_REMOTE_MS;
	server->wait_until_ms = loop_now_ms(server->daemon->loop) + WAIT_MS;
	bool has_plan = publisher_plan(server->publisher) != NULL;
	if (has_plan && loop_timer_set(server->daemon->loop, &server->doubt, DOUBT_MS, trust, server) != VEER_OK)
		trust(server);
	if (!has_plan || server->feed == NULL || server->has_missed ||
	    loop_timer_set(server->daemon->loop, &server->wait, first_ms, serve_now, server) != VEER_OK)
		serve_now(server);
}

/* Something of the feed has come. It is worth waiting only as long as more keeps coming. */
void server_heard(void *ctx)
{
	struct server *s = ctx;
	int64_t left_ms = s->wait_until_ms - loop_now_ms(s->daemon->loop);
	if (replica_is_current(s->replica)) {
		trust(s); /* before the workers begin: their first answers carry the full TTL */
		serve_now(s);
	} else if (s->is_waiting &&
		   loop_timer_set(s->daemon->loop, &s->wait, left_ms > 0 ? left_ms : 0, serve_now, s) != VEER_OK) {
		serve_now(s);
	}
}

/* The feed was refused, is unreachable or has ended: there is nothing to wait for. */
void server_missed(void *ctx)
{
	struct server *s = ctx;
	s->has_missed = true;
	if (s->wait_until_ms > 0)
		serve_now(s);
}

void server_wait_stop(struct server *server)
{
	loop_timer_cancel(server->daemon->loop, &server->wait);
	loop_timer_cancel(server->daemon->loop, &server->doubt);
}
