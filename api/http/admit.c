/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is decided about a request by its head, before any of its body is read: the route, the principal, whether that
 * principal may do this, and whether it has something left of its shares.
 */
#include <stdlib.h>

#include "api/http/connection.h"
#include "api/http/uri.h"

enum { REPLY_SHORT_BYTES = 65536 };

/*
 * Refuse because the principal's or everybody's share is used up: the reply is 429 or 503, and the connection is
 * closed. Always false.
 */
bool api_refuse_share(struct api_exchange *exchange, enum api_share share, enum shares_answer answer)
{
	atomic_fetch_add(&exchange->server->refused_busy, answer == SHARES_ALL_FULL);
	shares_refuse(&exchange->server->shares, exchange->account, share, answer, &exchange->reply);
	return false;
}

/* A reply that does not end takes one of its principal's places for streams. False: the reply is made already. */
bool api_admit_stream(struct api_exchange *exchange)
{
	enum shares_answer answer = shares_take(&exchange->server->shares, exchange->account, API_SHARE_STREAMS, 1);
	exchange->has_stream_share = answer == SHARES_TAKEN;
	return exchange->has_stream_share || api_refuse_share(exchange, API_SHARE_STREAMS, answer);
}

bool api_admit_reply(struct api_exchange *exchange)
{
	struct shares *shares = &exchange->server->shares;
	if (exchange->reply.body_len <= REPLY_SHORT_BYTES || exchange->account == NULL)
		return true;
	size_t most = shares_limit(shares, exchange->account, API_SHARE_REPLIES);
	if (exchange->account->role == API_ROLE_OWNER)
		most = exchange->reply.body_len;
	size_t bytes = exchange->reply.body_len < most ? exchange->reply.body_len
						       : most; /* one reply may be longer than the share */
	enum shares_answer answer = shares_take(shares, exchange->account, API_SHARE_REPLIES, bytes);
	if (answer != SHARES_TAKEN)
		return api_refuse_share(exchange, API_SHARE_REPLIES, answer);
	exchange->reply_taken_bytes = bytes;
	return true;
}

/*
 * Find whose request it is: from here on, what the request takes is taken from that account's share. False: the reply
 * is made already.
 */
static bool find_account(struct api_exchange *x)
{
	const struct api_principal *who = &x->request.principal;
	if (who->role == API_ROLE_ANONYMOUS) {
		x->account = shares_hold(&x->server->shares, x->peer->address);
		return true;
	}
	x->account = shares_account(&x->server->shares, who, x->request.from);
	if (x->account == NULL) {
		api_problem_err(&x->reply, VEER_ENOMEM);
		return false;
	}
	enum shares_answer answer = api_crowd_prove(x->server, x->peer, x->account);
	if (answer == SHARES_TAKEN)
		return true;
	x->is_refused = true;
	return api_refuse_share(x, API_SHARE_CONNECTIONS, answer);
}

/*
 * A client that has several times sent input that cannot be read must wait, because reading it costs more than sending
 * it.
 */
static bool is_barred(struct api_exchange *x)
{
	if (x->route->class != API_CLASS_INLINE || x->route->body_limit_bytes == 0)
		return false;
	int64_t left_ms = shares_barred_ms(&x->server->shares, x->account, api_now_ms());
	if (left_ms == 0)
		return false;
	api_problem(&x->reply, 429, "share", "%s has sent %d bodies that cannot be read within %d s: mend that first",
		    x->account->key, SHARES_BAD_MAX, SHARES_BAD_WINDOW_MS / 1000);
	x->reply.retry_after_s = (int)((left_ms + 999) / 1000);
	return true;
}

bool api_refuse_length(struct api_exchange *exchange)
{
	api_problem(&exchange->reply, 413, "too-large", "the body may have at most %zu bytes",
		    exchange->body_limit_bytes);
	return false;
}

/* Check how long the body may be and how long the head says that it is. False: the reply is made already. */
static bool check_length(struct api_exchange *x)
{
	const char *length = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length");
	x->body_limit_bytes = x->route->body_limit_bytes;
	if (x->server->config.body_limit != NULL)
		x->body_limit_bytes = x->server->config.body_limit(x->server->config.ctx, &x->request, x->route);
	size_t bytes = length != NULL ? strtoull(length, NULL, 10) : 0;
	if (bytes > x->body_limit_bytes)
		return api_refuse_length(x);
	enum shares_answer answer = shares_take(&x->server->shares, x->account, API_SHARE_BODIES, bytes);
	if (answer != SHARES_TAKEN)
		return api_refuse_share(x, API_SHARE_BODIES, answer);
	x->body_taken_bytes = bytes;
	return true;
}

/* Judge the head before any of the body is read. False: the reply is made already. */
bool api_admit(struct api_exchange *exchange)
{
	if (exchange->query_dropped > 0) {
		api_problem(&exchange->reply, 400, "malformed", "more than %d query parameters", API_QUERY_MAX);
		return false;
	}
	if (exchange->is_query_malformed || !api_uri_is_valid(exchange->request.path)) {
		api_problem(&exchange->reply, 400, "malformed",
			    "a %% in the path or the query needs two hex digits behind it, which are not 00");
		return false;
	}
	exchange->route = api_route_find(exchange->server, exchange);
	if (exchange->route == NULL || !api_route_authorise(exchange->server, exchange) || !find_account(exchange) ||
	    !api_route_check_query(exchange))
		return false;
	if (is_barred(exchange) || !check_length(exchange))
		return false;
	return exchange->route->class != API_CLASS_STREAM || api_admit_stream(exchange);
}
