/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by check_exchange.c (request, reply, end) and check_exchange_connect.c (connections); private to these. */
#ifndef VEER_PROBES_AGENT_CHECK_EXCHANGE_IMPL_H
#define VEER_PROBES_AGENT_CHECK_EXCHANGE_IMPL_H

#include "probes/agent/check_exchange.h"

/* End the connection and forget what was received. */
void http_exchange_drop(struct http_exchange *x);
/* Do the same, and end the probe. Must not be called while the probe is being started. */
void http_exchange_fail(struct http_exchange *x, enum probe_reason reason, const char *detail);
/* Wait for events on the connection. False: the probe ends later. */
bool http_exchange_watch(struct http_exchange *x, unsigned events);
/* Write the request for the protocol in use. False: the probe ends later. */
bool http_exchange_ask(struct http_exchange *x, bool is_http2);
/* Send and read what can be sent and read now. The exchange may have ended afterwards. */
void http_exchange_talk(struct http_exchange *x);
/*
 * A check that names no version offers only HTTP/1.1. Has the server replied to that with an alert, nothing or
 * nonsense, without choosing HTTP/1.1 either? Then it may be a server that knows only HTTP/2.
 */
bool http_exchange_wants_http2(const struct http_exchange *x);
/* Send the request again, and offer HTTP/2. */
void http_exchange_offer_http2(struct http_exchange *x);

/* Make a new connection for the request, once there is a place for it. When that fails, the probe ends later. */
void http_exchange_connect(struct http_exchange *x);
/* Called when the connection can be read or written. */
void http_exchange_on_ready(void *ctx, int fd, unsigned events);

#endif
