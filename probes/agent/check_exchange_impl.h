/* SPDX-License-Identifier: Apache-2.0 */
/* What http_exchange.c (request, reply, end) and http_exchange_connect.c (connections) share; nobody else includes
 * this. */
#ifndef VEER_PROBES_AGENT_CHECK_EXCHANGE_IMPL_H
#define VEER_PROBES_AGENT_CHECK_EXCHANGE_IMPL_H

#include "probes/agent/check_exchange.h"

/* End the connection and forget what has come. */
void http_exchange_drop(struct http_exchange *x);
/* The same, and end the probe. Not while it is being started. */
void http_exchange_fail(struct http_exchange *x, enum probe_reason reason, const char *detail);
/* Wait for events on the connection. False: the probe ends later. */
bool http_exchange_watch(struct http_exchange *x, unsigned events);
/* Write the request for the protocol that is spoken. False: the probe ends later. */
bool http_exchange_ask(struct http_exchange *x, bool is_http2);
/* Send and read what can be sent and read now. The exchange may have ended then. */
void http_exchange_talk(struct http_exchange *x);
/*
 * A check that does not say what it speaks offers HTTP/1.1 alone. Has the server answered that with an alert, or with
 * nothing or nonsense, and did it not choose HTTP/1.1 either? Then it may be one that knows nothing but HTTP/2.
 */
bool http_exchange_wants_http2(const struct http_exchange *x);
/* Ask again, and offer it HTTP/2. */
void http_exchange_offer_http2(struct http_exchange *x);

/* Make a new connection for the request, once there is a place for it. It may have failed: then the probe ends later.
 */
void http_exchange_connect(struct http_exchange *x);
/* The connection can be read or written. */
void http_exchange_on_ready(void *ctx, int fd, unsigned events);

#endif
