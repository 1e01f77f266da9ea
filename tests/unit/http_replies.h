/* SPDX-License-Identifier: Apache-2.0 */
/* Raw replies of HTTP/1, good and bad, for tests of all code that reads them. */
#ifndef VEER_TESTS_HTTP_REPLIES_H
#define VEER_TESTS_HTTP_REPLIES_H

#include <stddef.h>

#include "probes/agent/http1.h"

/* A reply, the content that must be read from it, and how it ends. */
struct http_reply_case {
	const char *text;
	enum http1_state fed;   /* after all bytes */
	enum http1_state ended; /* after the end of the connection */
	int status;
	int version;
	const char *body;
};

/* Static storage. */
const struct http_reply_case *http_reply_cases(size_t *count);

#endif
