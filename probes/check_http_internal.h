/* SPDX-License-Identifier: Apache-2.0 */
/* What check_http.c shares with check_grpc.c: the way to a request, and what its failures mean. */
#ifndef VEER_PROBES_CHECK_HTTP_INTERNAL_H
#define VEER_PROBES_CHECK_HTTP_INTERNAL_H

#include "probes/check_internal.h"

/*
 * Fill in whom to connect to, whom to trust, the time that is left, and the connection's life. `peer` and `address`
 * (VEER_ADDR_TEXT_SIZE bytes) are borrowed while the request runs, resp. until it is started. The store is borrowed
 * until then. False: the probe ends later.
 */
bool probe_http_spec(struct check_probe *probe, bool is_tls, struct tls_peer *peer, char *address,
		     struct http_spec *spec);
/* Start it. From then on the client guards the time: it knows how far the exchange came. */
void probe_http_start(struct check_probe *probe, const struct http_spec *spec, http_done_fn *done);
/* Times from a result, and notes for who watches. */
void probe_http_seen(struct check_probe *probe, const struct http_result *result, const struct tls_peer *peer);
/* Why the exchange failed (err is set). */
enum probe_reason probe_http_reason(const struct check_probe *probe, const struct http_result *result, bool is_tls);

#endif
