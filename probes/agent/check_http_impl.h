/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of checks by HTTP: check_http.c (the request, and judging) and check_http_redirect.c. */
#ifndef VEER_PROBES_AGENT_CHECK_HTTP_IMPL_H
#define VEER_PROBES_AGENT_CHECK_HTTP_IMPL_H

#include "probes/agent/check_exchange.h"

/* The memory of a probe of HTTP or HTTPS. */
struct http_probe {
	struct http_exchange exchange;
	struct veer_addr endpoint; /* the address of the first request */
	const char *method;        /* of the next request */
	const char *path;          /* of the next request: that of the check, or a part of `url` */
	char *url;                 /* of the next request; NULL until it is needed */
	bool has_body;             /* the next request has a body */
	bool is_endpoint; /* the next request goes to the server that is probed, where the check's headers belong */
	uint32_t hops;    /* how many redirects were followed */
	char name[HTTP_HOST_SIZE + 1]; /* name of a redirect's target with its final dot, while it is resolved */
};

/* Send the next request to exchange.aim. */
void http_probe_request(struct check_probe *probe);
/* Write the URL of the first request. False: the probe ends later. */
bool http_probe_write_url(struct check_probe *probe);
/* Follow the redirect of the reply. */
void http_probe_redirect(struct check_probe *probe, const struct http_reply *reply);

#endif
