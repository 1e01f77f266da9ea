/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request, the same for both versions of the protocol: what is asked, and the headers that go with it.
 *
 * Threads: pure functions on the caller's memory.
 */
#ifndef VEER_PROBES_AGENT_HTTP_ASK_H
#define VEER_PROBES_AGENT_HTTP_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define HTTP_ASK_HEADERS_MAX 24
#define HTTP_AUTHORITY_SIZE 320

/* All texts are borrowed until the request is written. */
struct http_ask {
	const char *method;
	const char *path; /* up to its end or a '#'; "" stands for "/" */
	bool is_tls;
	char authority[HTTP_AUTHORITY_SIZE]; /* for whom it is: Host, :authority */
	struct {
		const char *name;
		size_t name_len;
		const char *value; /* NUL-terminated; it may be empty, and is sent so */
	} headers[HTTP_ASK_HEADERS_MAX];
	size_t header_count;
	const void *body; /* borrowed until all of it is sent */
	size_t body_len;
	bool has_length; /* say how long the body is, even of none (RFC 9110 8.6) */
};

/* Add a header; one too many is left out. */
void http_ask_put(struct http_ask *ask, const char *name, const char *value);
/* The same from a line, "Name: value". */
void http_ask_put_line(struct http_ask *ask, const char *line);
/* Is the header there? In any case of letters. */
bool http_ask_has(const struct http_ask *ask, const char *name);

/* "host", or "host:port" where the scheme does not say the port; an IPv6 address in brackets. */
void http_ask_set_authority(struct http_ask *ask, const char *host, unsigned port);

/*
 * The request in HTTP/1.1 (RFC 9112 3). A header "Transfer-Encoding: chunked" has the body sent so, in one chunk.
 */
void http_ask_write(const struct http_ask *ask, struct buf *out);
/* How many bytes of `path` there are to ask for. */
size_t http_ask_path_len(const struct http_ask *ask);

#endif
