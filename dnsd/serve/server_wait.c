/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's control side: what was saved, until the control plane is heard. A plan on disk may be older than
 * the death of a site. So with a feed to follow it is not answered from at once, but after a moment for the feed to
 * bring what is newer, which no client notices that tries twice; and until the feed has, its policies' answers carry
 * the TTL of endpoints in doubt. Neither lasts: a saved plan is there to be served.
 */
#include <string.h>

#include "dnsd/serve/server_impl.h"

enum {
	WAIT_MS = 1000,        /* at most, from the start to serving */
	FIRST_LOCAL_MS = 250,  /* until the first byte, where all control planes are on this host */
	FIRST_REMOTE_MS = 700, /* three round trips across the world: TCP, TLS, HTTP */
	DOUBT_MS = 30000,      /* until what was saved is trusted although nobody was heard */
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
	/* whoever is replaced serves meanwhile */
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

/* As long as something comes, and only for so long, it is worth waiting. */
void server_heard(void *ctx)
{
	struct server *s = ctx;
	int64_t left_ms = s->wait_until_ms - loop_now_ms(s->daemon->loop);
	if (replica_is_current(s->replica)) {
		serve_now(s);
		trust(s);
	} else if (s->is_waiting &&
		   loop_timer_set(s->daemon->loop, &s->wait, left_ms > 0 ? left_ms : 0, serve_now, s) != VEER_OK) {
		serve_now(s);
	}
}

/* Refused, unreachable, or over: nothing is to be waited for. */
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
