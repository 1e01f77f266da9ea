/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 without TLS on a connection of its own: write the request, read the reply. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "probes/check_http_internal.h"

#define REQUEST_MAX_BYTES ((size_t)64 * 1024 + MODEL_BODY_MAX)
#define READ_BYTES 16384
#define READS_A_TURN 8 /* a flood does not keep the others waiting */

static void on_ready(void *ctx, int fd, unsigned events);

static struct http_plain *plain_of(const struct check_probe *probe)
{
	struct http_probe *own = probe->own;
	return &own->plain;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static bool has_header(const struct model_check_http *http, const char *name)
{
	size_t len = strlen(name);
	for (const char *const *header = http->headers; *header != NULL; header++)
		if (strncasecmp(*header, name, len) == 0 && (*header)[len] == ':')
			return true;
	return false;
}

bool http_plain_suffices(const struct model_check *check)
{
	const struct model_check_http *http = &check->http;
	return check->kind == MODEL_CHECK_HTTP && http->version != MODEL_HTTP_2 && http->follow_redirects == 0 &&
	       !check->keeps_connection && !has_header(http, "Content-Length") &&
	       !has_header(http, "Transfer-Encoding") && !has_header(http, "Expect");
}

/* Whom the request is for (RFC 9112 3.2): as the check says, or the address with its port. */
static void put_host(const struct check_probe *probe, struct buf *out)
{
	char name[256];
	if (probe->check->http.host != NULL) {
		buf_puts(out, probe->check->http.host);
		return;
	}
	probe_tls_name(probe, name);
	bool is_v6 = strchr(name, ':') != NULL;
	buf_puts(out, is_v6 ? "[" : "");
	buf_puts(out, name);
	buf_puts(out, is_v6 ? "]" : "");
	if (probe->check->port != 80)
		buf_printf(out, ":%u", probe->check->port);
}

/* These say how long their body is even when it is empty (RFC 9110 8.6). */
static bool says_length(const struct model_check_http *http)
{
	return http->body.data != NULL || strcmp(http->method, "POST") == 0 || strcmp(http->method, "PUT") == 0 ||
	       strcmp(http->method, "PATCH") == 0;
}

static void write_request(const struct check_probe *probe, struct buf *out)
{
	const struct model_check_http *http = &probe->check->http;
	buf_init(out, REQUEST_MAX_BYTES);
	buf_puts(out, http->method);
	buf_puts(out, " ");
	buf_append(out, http->path, strcspn(http->path, "#"));
	buf_puts(out, " HTTP/1.1\r\nHost: ");
	put_host(probe, out);
	buf_puts(out, "\r\n");
	if (!has_header(http, "User-Agent"))
		buf_puts(out, "User-Agent: veer/" VEER_VERSION "\r\n");
	if (!has_header(http, "Accept"))
		buf_puts(out, "Accept: */*\r\n");
	for (const char *const *header = http->headers; *header != NULL; header++) {
		buf_puts(out, *header);
		buf_puts(out, "\r\n");
	}
	if (http->body.len > 0 && !has_header(http, "Content-Type"))
		buf_puts(out, "Content-Type: application/octet-stream\r\n");
	if (says_length(http))
		buf_printf(out, "Content-Length: %u\r\n", http->body.len);
	buf_puts(out, "\r\n");
	buf_append(out, http->body.data, http->body.len);
}

/* --- the end --------------------------------------------------------------------------------------------------- */

/* Tell what came, as the client would. */
static void end(struct check_probe *probe, struct http_plain *plain, enum veer_err err, const char *error, int errnum)
{
	const struct http1_reader *reader = &plain->reader;
	const struct http_result result = {
		.err = err,
		.status = reader->status,
		.error = error,
		.body = reader->body.data,
		.body_len = reader->body.len,
		.body_cut = reader->state == HTTP1_CUT,
		.etag = "",
		.version = reader->version,
		.timing = {.connect_us = probe->timing.connect_us,
			   .tls_us = -1,
			   .first_byte_us = probe->timing.first_byte_us,
			   .total_us = probe_now_us(probe)},
		.os_errno = errnum,
	};
	plain->done(probe, &result);
}

/* The connection is over: by its end, or by an error. */
static void end_of_connection(struct check_probe *probe, struct http_plain *plain, int error)
{
	if (error == 0 && http1_end(&plain->reader) == HTTP1_DONE)
		end(probe, plain, VEER_OK, "", 0);
	else if (probe->timing.first_byte_us < 0)
		end(probe, plain, VEER_ECLOSED,
		    error == 0 ? "the connection ended without a reply" : strerrordesc_np(error), 0);
	else
		end(probe, plain, VEER_ECLOSED, "the connection ended within the reply", 0);
}

/* --- saying and hearing ---------------------------------------------------------------------------------------- */

/* True when all is said, or nobody listens any more: what was replied until then is still worth reading. */
static bool say(struct check_probe *probe, struct http_plain *plain)
{
	while (plain->sent < plain->request.len) {
		ssize_t n = send(probe->fd, plain->request.data + plain->sent, plain->request.len - plain->sent,
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			(void)probe_watch(probe, LOOP_WRITE, on_ready);
			return false;
		}
		plain->sent = n < 0 ? plain->request.len : plain->sent + (size_t)n;
	}
	return true;
}

/* One read. True: try again. */
static bool hear_once(struct check_probe *probe, struct http_plain *plain)
{
	char data[READ_BYTES];
	ssize_t n = recv(probe->fd, data, sizeof data, 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		end_of_connection(probe, plain, n < 0 ? errno : 0);
		return false;
	}
	if (probe->timing.first_byte_us < 0)
		probe->timing.first_byte_us = probe_now_us(probe);
	switch (http1_feed(&plain->reader, data, (size_t)n)) {
	case HTTP1_MORE:
		return (size_t)n == sizeof data; /* less than was asked for: there is no more now */
	case HTTP1_DONE:
		end(probe, plain, VEER_OK, "", 0);
		return false;
	case HTTP1_CUT:
		end(probe, plain, VEER_ERANGE, "the body is longer than the limit", 0);
		return false;
	case HTTP1_BAD:
		end(probe, plain, VEER_EINVAL, plain->reader.error, 0);
		return false;
	}
	return false;
}

static void on_ready(void *ctx, int fd, unsigned events)
{
	struct check_probe *probe = ctx;
	struct http_plain *plain = plain_of(probe);
	(void)fd;
	(void)events;
	if (!probe->is_connected) {
		int error = probe_socket_error(probe);
		if (error != 0) {
			end(probe, plain, VEER_EIO, strerrordesc_np(error), error);
			return;
		}
		probe->is_connected = true;
		probe->timing.connect_us = probe_now_us(probe);
	}
	if (plain->sent < plain->request.len) {
		if (say(probe, plain))
			(void)probe_watch(probe, LOOP_READ, on_ready);
		return;
	}
	for (int i = 0; i < READS_A_TURN; i++)
		if (!hear_once(probe, plain))
			return;
}

void http_plain_start(struct check_probe *probe, http_done_fn *done)
{
	struct http_plain *plain = plain_of(probe);
	plain->done = done;
	http1_init(&plain->reader, strcmp(probe->check->http.method, "HEAD") == 0, CHECK_BODY_MAX_BYTES);
	write_request(probe, &plain->request);
	if (plain->request.failed)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
	else if (probe_connect(probe, SOCK_STREAM, 0))
		(void)probe_watch(probe, LOOP_WRITE, on_ready);
}

void http_plain_deinit(struct http_plain *plain)
{
	http1_deinit(&plain->reader);
	buf_deinit(&plain->request);
}
