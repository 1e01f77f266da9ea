/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of checks by HTTP share: check_http.c (the request, and judging) and check_http_redirect.c. */
#ifndef VEER_PROBES_AGENT_CHECK_HTTP_IMPL_H
#define VEER_PROBES_AGENT_CHECK_HTTP_IMPL_H

#include "probes/agent/check_exchange.h"

/* What a probe of HTTP or HTTPS owns. */
struct http_probe {
	struct http_exchange exchange;
	struct veer_addr endpoint;     /* the address of the first request */
	const char *method;            /* of the next request */
	const char *path;              /* of the next request: the check's, or in `url` */
	char *url;                     /* of the next request; NULL as long as nobody asks for it */
	bool has_body;                 /* the next request does */
	bool is_endpoint;              /* the next request goes to the very server that is probed: the check's headers
					* belong there */
	uint32_t hops;                 /* redirects followed */
	char name[HTTP_HOST_SIZE + 1]; /* a redirect's with its final dot, while it is resolved */
};

/* Send the next request to exchange.aim. */
void http_probe_request(struct check_probe *probe);
/* Write the URL of the first request. False: the probe ends later. */
bool http_probe_write_url(struct check_probe *probe);
/* Go where the reply leads. */
void http_probe_redirect(struct check_probe *probe, const struct http_reply *reply);

#endif
