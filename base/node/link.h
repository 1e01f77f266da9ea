/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of the control planes and the credential that we show them: for agents and name servers, shared by
 * enrolment, streams and reports. Also the pauses between attempts.
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

/* Check one such URL. Errors: VEER_EINVAL. */
VEER_MUST_CHECK enum veer_err link_url_check(const char *url, struct veer_diag *diag);

/* What all requests on the link have in common. `path` is borrowed until the request is started. */
struct http_spec link_spec(const struct link *link, uint32_t url, const char *path);

/*
 * Write, for people, why an exchange did not succeed: either the transport's error or what the control plane said. That
 * is in the body (a problem, RFC 9457), in error_description (RFC 6750 3) where a stream has taken the body, or only in
 * the status. Cut to `size` bytes.
 */
void link_why(const struct http_result *result, char *out, size_t size);

/*
 * The pause between failed attempts. It doubles from 100 ms to 5 s, and each pause is drawn at random from the upper
 * half of that, so that many agents that lost one control plane do not come back at once. A zeroed struct is the start.
 */
struct backoff {
	uint32_t step;
};

/* An attempt has failed: how long to wait before the next one. */
int64_t backoff_next_ms(struct backoff *backoff);
/* An attempt succeeded: after the next failure the pauses begin at the start again. */
void backoff_reset(struct backoff *backoff);

#endif
