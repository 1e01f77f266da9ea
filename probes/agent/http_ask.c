/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/http_ask.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void put(struct http_ask *ask, const char *name, size_t name_len, const char *value)
{
	if (ask->header_count == HTTP_ASK_HEADERS_MAX)
		return;
	ask->headers[ask->header_count].name = name;
	ask->headers[ask->header_count].name_len = name_len;
	ask->headers[ask->header_count++].value = value;
}

void http_ask_put(struct http_ask *ask, const char *name, const char *value)
{
	put(ask, name, strlen(name), value);
}

void http_ask_put_line(struct http_ask *ask, const char *line)
{
	size_t len = strcspn(line, ":");
	const char *value = line + len + (line[len] == ':');
	put(ask, line, len, value + strspn(value, " "));
}

static const char *value_of(const struct http_ask *ask, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < ask->header_count; i++)
		if (ask->headers[i].name_len == len && strncasecmp(ask->headers[i].name, name, len) == 0)
			return ask->headers[i].value;
	return NULL;
}

bool http_ask_has(const struct http_ask *ask, const char *name)
{
	return value_of(ask, name) != NULL;
}

void http_ask_set_authority(struct http_ask *ask, const char *host, unsigned port)
{
	bool is_v6 = strchr(host, ':') != NULL;
	int len = snprintf(ask->authority, sizeof ask->authority, "%s%s%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "");
	if (port != (ask->is_tls ? 443 : 80) && len > 0 && (size_t)len < sizeof ask->authority)
		(void)snprintf(ask->authority + len, sizeof ask->authority - (size_t)len, ":%u", port);
}

size_t http_ask_path_len(const struct http_ask *ask)
{
	return strcspn(ask->path, "#");
}

static void put_line(struct buf *out, const char *name, size_t name_len, const char *value)
{
	buf_append(out, name, name_len);
	buf_puts(out, ": ");
	buf_puts(out, value);
	buf_puts(out, "\r\n");
}

void http_ask_write(const struct http_ask *ask, struct buf *out)
{
	const char *coding = value_of(ask, "Transfer-Encoding");
	bool is_chunked = coding != NULL && strcasecmp(coding, "chunked") == 0;
	buf_puts(out, ask->method);
	buf_puts(out, " ");
	if (ask->path[0] != '/')
		buf_puts(out, "/");
	buf_append(out, ask->path, http_ask_path_len(ask));
	buf_puts(out, " HTTP/1.1\r\n");
	put_line(out, "Host", 4, ask->authority);
	for (size_t i = 0; i < ask->header_count; i++)
		put_line(out, ask->headers[i].name, ask->headers[i].name_len, ask->headers[i].value);
	if (ask->has_length && coding == NULL && !http_ask_has(ask, "Content-Length"))
		buf_printf(out, "Content-Length: %zu\r\n", ask->body_len);
	buf_puts(out, "\r\n");
	if (is_chunked && ask->body_len > 0)
		buf_printf(out, "%zx\r\n", ask->body_len);
	buf_append(out, ask->body, ask->body_len);
	if (is_chunked)
		buf_puts(out, ask->body_len > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
}
