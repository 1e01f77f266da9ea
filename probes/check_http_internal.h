/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to a request, for check_http.c and check_grpc.c: by the HTTP client, or over a socket of the probe's own. */
#ifndef VEER_PROBES_CHECK_HTTP_INTERNAL_H
#define VEER_PROBES_CHECK_HTTP_INTERNAL_H

#include "probes/check_internal.h"
#include "probes/http1.h"

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

/* One exchange of HTTP/1.1 over probe->fd, without a client: most checks are no more than that, and it costs a third.
 */
struct http_plain {
	struct http1_reader reader;
	struct buf request;
	size_t sent;
	http_done_fn *done;
};

#define HTTP_NAME_SIZE 257 /* a host name with its final dot */

/* What a probe of HTTP or HTTPS owns. */
struct http_probe {
	struct tls_peer peer;
	struct veer_addr endpoint; /* the address of the first request */
	const char *method;        /* of the next request */
	bool is_tls;
	bool has_body;    /* the next request does */
	bool is_endpoint; /* the next request goes to the very server that is probed: the check's headers belong
			   * there */
	uint32_t hops;    /* redirects followed */
	char *url;        /* of the request that runs */
	char name[HTTP_NAME_SIZE]; /* a redirect's, while it is resolved */
	struct http_plain plain;   /* where that suffices */
};

/* Is that enough for this check? Neither TLS nor HTTP/2, kept connections, redirects, or headers that frame the body.
 */
bool http_plain_suffices(const struct model_check *check);
/* Ask the target. `done` gets the probe, and what came, as from the client; or the probe ends without it. */
void http_plain_start(struct check_probe *probe, http_done_fn *done);
void http_plain_deinit(struct http_plain *plain);

#endif
