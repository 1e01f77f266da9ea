/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the control planes are and how we show who we are: for agents and name servers, shared by enrolment, streams
 * and reports. Also the waiting between tries.
 *
 * Threads: the loop's.
 */
#ifndef VEER_BASE_NODE_LINK_H
#define VEER_BASE_NODE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/node/identity.h"

#define LINK_URLS_MAX 16
#define LINK_URL_SIZE 512

struct link {
	struct http_client *http;                /* borrowed */
	char urls[LINK_URLS_MAX][LINK_URL_SIZE]; /* without a final slash */
	uint32_t url_count;
	char ca_file[1024];                /* "": the system's bundle */
	char bearer[IDENTITY_BEARER_SIZE]; /* "" before enrolment */
};

/*
 * Read "URL[,URL…]" into the link: each `unix:/PATH`, `https://HOST[:PORT]`, or `http://` to a loopback address or
 * localhost (credentials do not travel in the clear). Errors: VEER_EINVAL, VEER_ELIMIT with the URL in the diag; then
 * the link is unchanged.
 */
VEER_MUST_CHECK enum veer_err link_urls_parse(const char *text, struct link *link, struct veer_diag *diag);

/* One such URL. Errors: VEER_EINVAL. */
VEER_MUST_CHECK enum veer_err link_url_check(const char *url, struct veer_diag *diag);

/* What all requests on the link have in common. `path` is borrowed until the request is started. */
struct http_spec link_spec(const struct link *link, uint32_t url, const char *path);

/*
 * Why an exchange did not succeed, for people: what kept it from ending, or what the control plane said: in the problem
 * (RFC 9457) that is the body, in error_description (RFC 6750 3) where a stream has taken the body, or by the status
 * alone. Cut to `size` bytes.
 */
void link_why(const struct http_result *result, char *out, size_t size);

/* Waiting between tries that failed: doubles from 100 ms to 5 s, each drawn from its upper half, so that many agents
 * that lost one control plane do not come back at once. Zeroed is the beginning. */
struct backoff {
	uint32_t step;
};

/* A try has failed: how long to wait before the next. */
int64_t backoff_next_ms(struct backoff *backoff);
/* A try went well: the next failure waits as long as the first did. */
void backoff_reset(struct backoff *backoff);

#endif
