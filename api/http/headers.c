/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libmicrohttpd accepts and RFC 9112 does not: Content-Length or Host given twice, names with blanks, folded
 * lines, bare CR and LF, NUL. A proxy in front of us may read such a request differently, so that the two of us see
 * different requests (RFC 9112 11.2). The reply to all of these is 400, and the connection is closed.
 *
 * Names and values come from the library's iterator. What it has dropped can be told from their places in memory:
 * libmicrohttpd 0.9.75 cuts the head in place, so that method, target, version, names and values are consecutive in one
 * buffer, each line end two NULs (CR LF) or one (a bare LF), and a folded value is elsewhere. Places are checked only
 * with that version; with other versions, a line in the log says so at the start. The library says where the head ends,
 * so that bytes after it cannot be taken for a line end.
 */
#include <string.h>
#include <strings.h>

#include "api/http/connection.h"

static const char version_checked[] = "0.9.75";

/* One head, while it is checked. */
struct head {
	const char *next; /* where the next name, or the empty line, must begin; NULL: places are not checked */
	const char *coding;
	unsigned lengths, hosts, codings;
	const char *why; /* why it is refused; static, NULL while it is good */
};

bool api_headers_are_placed(void)
{
	return strcmp(MHD_get_version(), version_checked) == 0;
}

/* Is it an octet of a token (RFC 9110 5.6.2)? */
static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

static bool is_line_end(const char *at)
{
	return at[0] == '\0' && at[1] == '\0';
}

static void check_place(struct head *head, const char *key, size_t key_len, const char *value, size_t value_len)
{
	const char *at = key + key_len;
	if (key != head->next || *at++ != '\0') {
		head->why = "a header line is folded, or ends with a bare LF, or has a NUL";
		return;
	}
	at += strspn(at, " \t");
	if (at != value || !is_line_end(value + value_len))
		head->why = "a header line is folded, or ends with a bare LF, or has a NUL";
	head->next = value + value_len + 2;
}

static enum MHD_Result check_header(void *ctx, enum MHD_ValueKind kind, const char *key, size_t key_len,
				    const char *value, size_t value_len)
{
	struct head *head = ctx;
	(void)kind;
	if (key_len == 0)
		head->why = "a header has no name";
	for (size_t i = 0; i < key_len; i++)
		if (!is_token(key[i]))
			head->why = "a header's name has a character that names do not have, or a blank behind it";
	for (size_t i = 0; i < value_len; i++)
		if (is_control(value[i]))
			head->why = "a header has a control character";
	if (head->why == NULL && head->next != NULL)
		check_place(head, key, key_len, value, value_len);
	head->lengths += strcasecmp(key, "Content-Length") == 0;
	head->hosts += strcasecmp(key, "Host") == 0;
	if (strcasecmp(key, "Transfer-Encoding") == 0) {
		head->codings++;
		head->coding = value;
	}
	return head->why == NULL ? MHD_YES : MHD_NO;
}

/* Check "METHOD SP target SP HTTP/1.1": single blanks, and no NUL within it. */
static void check_request_line(struct head *head, const struct api_connection *peer, const char *method,
			       const char *version)
{
	if (!peer->is_uri_clean || (head->next != NULL && (method + strlen(method) + 1 != peer->uri ||
							   peer->uri + peer->uri_len + 1 != version ||
							   !is_line_end(version + strlen(version)))))
		head->why = "the request line is not METHOD SP TARGET SP VERSION CR LF";
}

void api_headers_note_uri(struct api_connection *peer, const char *uri)
{
	peer->uri = uri;
	peer->uri_len = strlen(uri);
	peer->is_uri_clean = true;
	for (const char *p = uri; *p != '\0'; p++)
		peer->is_uri_clean = peer->is_uri_clean && *p != ' ' && *p != '\t' && !is_control(*p);
}

/* Check how the body is framed (RFC 9112 6.3). */
static void check_framing(struct head *head, const char *version)
{
	if (head->lengths > 1)
		head->why = "Content-Length stands more than once";
	else if (head->hosts > 1)
		head->why = "Host stands more than once";
	else if (head->codings > 1)
		head->why = "Transfer-Encoding stands more than once";
	else if (head->codings > 0 && head->lengths > 0)
		head->why = "Content-Length and Transfer-Encoding exclude each other";
	else if (head->codings > 0 && strcmp(version, "HTTP/1.1") != 0)
		head->why = "Transfer-Encoding needs HTTP/1.1";
}

/* The length of the head, to the end of its empty line, as the library has read it. */
static size_t head_size(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	return info != NULL ? info->header_size : 0;
}

bool api_headers_check(struct api_exchange *exchange, const char *method, const char *version)
{
	struct head head = {.next = NULL};
	if (exchange->server->are_headers_placed)
		head.next = version + strlen(version) + 2;
	check_request_line(&head, exchange->peer, method, version);
	if (head.why == NULL)
		(void)MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, check_header, &head);
	if (head.why == NULL && head.next != NULL && method + head_size(exchange->connection) != head.next + 2)
		head.why = "a line of the header ends with a bare LF or has a NUL";
	if (head.why == NULL)
		check_framing(&head, version);
	if (head.why != NULL) {
		api_problem(&exchange->reply, 400, "malformed", "%s", head.why);
		return false;
	}
	if (head.coding != NULL && strcasecmp(head.coding, "chunked") != 0) {
		api_problem(&exchange->reply, 501, "coding", "the only Transfer-Encoding that is known is chunked");
		return false;
	}
	return true;
}

static enum MHD_Result note_trailer(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	(void)kind;
	(void)key;
	(void)value;
	*(bool *)ctx = true;
	return MHD_NO;
}

bool api_headers_have_trailers(struct api_exchange *exchange)
{
	bool found = false;
	(void)MHD_get_connection_values(exchange->connection, MHD_FOOTER_KIND, note_trailer, &found);
	return found;
}
