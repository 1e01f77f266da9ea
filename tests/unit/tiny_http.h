/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small real HTTP server in a thread, for tests of HTTP clients: it answers by path, well or badly.
 *
 *   /hello       200, "hello", keeps the connection     /status/NNN  that status, empty body
 *   /echo        200, the request as it came            /etag        200 with ETag: "abc"
 *   /lines       200, five lines, 10 ms apart, chunked  /huge        200, a body without end
 *   /trickle     200, one byte every 20 ms, for ever    /silent      nothing, until the client goes
 *   /truncated   Content-Length 100, 10 bytes, close    /close       closes without an answer
 *   /to/URL      302 to URL
 *   /garbage     text, not HTTP                        /half-head   half a header, then silence
 */
#ifndef VEER_TESTS_TINY_HTTP_H
#define VEER_TESTS_TINY_HTTP_H

#include <stdint.h>

struct tiny_http;

/* How to listen. All zero: plain HTTP on 127.0.0.1 and a port that the kernel chooses. */
struct tiny_http_spec {
	const char *unix_path;
	const char *cert_file; /* PEM, with key_file: TLS */
	const char *key_file;
};

/* Start a server; NULL on failure. Stop it with tiny_http_stop(), which waits for its threads. */
struct tiny_http *tiny_http_start(const struct tiny_http_spec *spec);
void tiny_http_stop(struct tiny_http **server_ptr);
uint16_t tiny_http_port(const struct tiny_http *server);
/* How many connections have been accepted so far. */
unsigned tiny_http_connections(const struct tiny_http *server);

/*
 * Write a self-signed certificate for DNS name `name` that expires `valid_s` seconds from now (negative: it has
 * expired), and its key, as PEM files. False on failure.
 */
int tiny_http_make_cert(const char *name, long valid_s, const char *cert_file, const char *key_file);

#endif
