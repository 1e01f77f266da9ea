/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request, the same for both versions of the protocol: what is requested, and the headers.
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
	const char *path; /* up to its end or a '#'; "" means "/" */
	bool is_tls;
	char authority[HTTP_AUTHORITY_SIZE]; /* the server's name, for Host or :authority */
	struct {
		const char *name;
		size_t name_len;
		const char *value; /* NUL-terminated; may be empty, and is then sent empty */
	} headers[HTTP_ASK_HEADERS_MAX];
	size_t header_count;
	const void *body; /* borrowed until it was sent completely */
	size_t body_len;
	bool has_length; /* send the length of the body, even if there is no body (RFC 9110 8.6) */
};

/* Add a header; when there are too many, it is left out. */
void http_ask_put(struct http_ask *ask, const char *name, const char *value);
/* Add a header from a line, "Name: value". */
void http_ask_put_line(struct http_ask *ask, const char *line);
/* Is there such a header? Case is ignored. */
bool http_ask_has(const struct http_ask *ask, const char *name);

/* Set "host", or "host:port" if the port is not the scheme's default; an IPv6 address in brackets. */
void http_ask_set_authority(struct http_ask *ask, const char *host, unsigned port);

/*
 * Write the request in HTTP/1.1 (RFC 9112 3). With a header "Transfer-Encoding: chunked", the body is sent as one
 * chunk.
 */
void http_ask_write(const struct http_ask *ask, struct buf *out);
/* The length of the part of `path` that is requested. */
size_t http_ask_path_len(const struct http_ask *ask);

#endif
