/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/http_conn.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509.h>

#define IDLE_MS 120000
#define READ_BYTES 16384
#define READS_MAX 64
#define FLUSHES_MAX 64 /* writes for what a kept connection has to send: acknowledgements */

struct http_kept {
	struct loop *loop;
	struct http_conn *first; /* the most recently used one */
	struct http_conn *last;
	uint32_t count;
	uint32_t max;
};

struct http_conn *http_conn_new(const struct http_aim *aim, int fd)
{
	struct http_conn *conn = calloc(1, sizeof *conn);
	if (conn == NULL) {
		(void)close(fd);
		return NULL;
	}
	conn->aim = *aim;
	conn->wire.fd = fd;
	if (aim->store != NULL)
		(void)X509_STORE_up_ref(aim->store);
	return conn;
}

void http_conn_free(struct http_conn **conn_ptr, struct loop *loop)
{
	struct http_conn *conn = *conn_ptr;
	*conn_ptr = NULL;
	if (conn == NULL)
		return;
	loop_timer_cancel(loop, &conn->timer);
	loop_unwatch(loop, conn->wire.fd);
	wire_close(&conn->wire);
	(void)close(conn->wire.fd);
	http2_free(&conn->h2);
	X509_STORE_free(conn->aim.store);
	free(conn);
}

/* --- kept connections ------------------------------------------------------------------------------------------ */

static void list_remove(struct http_conn *conn)
{
	struct http_kept *kept = conn->kept;
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		kept->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	else
		kept->last = conn->prev;
	conn->next = conn->prev = NULL;
	conn->kept = NULL;
	kept->count--;
}

static void end(struct http_conn *conn)
{
	struct loop *loop = conn->kept->loop;
	list_remove(conn);
	http_conn_free(&conn, loop);
}

static void on_old(void *ctx)
{
	end(ctx);
}

/* Send what HTTP/2 replies by itself. False: it cannot be sent without waiting. */
static bool flush(struct http_conn *conn)
{
	for (int i = 0; i < FLUSHES_MAX; i++) {
		const uint8_t *data = NULL;
		size_t len = 0;
		size_t put = 0;
		http2_pending(conn->h2, &data, &len);
		if (len == 0)
			return true;
		if (wire_write(&conn->wire, data, len, &put) != WIRE_OK)
			return false;
		http2_sent(conn->h2, put);
	}
	return false;
}

/*
 * Can the connection take another request? With HTTP/1, any bytes that the server sends unasked make it unusable,
 * because they would be taken for the next reply. With TLS they may be a session ticket, which is not visible here.
 */
static bool is_usable(struct http_conn *conn)
{
	char data[READ_BYTES];
	/* Read until nothing is left, because bytes that TLS has already read do not make the socket readable. */
	for (int i = 0; i < READS_MAX; i++) {
		size_t got = 0;
		enum wire_state state = wire_read(&conn->wire, data, sizeof data, &got);
		if (state == WIRE_WAIT_READ)
			return true;
		if (state != WIRE_OK || conn->h2 == NULL)
			return false;
		http2_feed(conn->h2, data, got);
		if (!http2_can_be_kept(conn->h2) || !flush(conn) || !http2_can_be_kept(conn->h2))
			return false;
	}
	return false;
}

static void on_idle(void *ctx, int fd, unsigned events)
{
	struct http_conn *conn = ctx;
	(void)fd;
	(void)events;
	if (!is_usable(conn))
		end(conn);
}

struct http_kept *http_kept_new(struct loop *loop, uint32_t max)
{
	struct http_kept *kept = calloc(1, sizeof *kept);
	if (kept != NULL)
		*kept = (struct http_kept){.loop = loop, .max = max};
	return kept;
}

void http_kept_free(struct http_kept **kept)
{
	if (*kept == NULL)
		return;
	while ((*kept)->first != NULL)
		end((*kept)->first);
	free(*kept);
	*kept = NULL;
}

static bool is_same(const struct http_aim *a, const struct http_aim *b)
{
	return a->port == b->port && veer_addr_equal(&a->address, &b->address) && a->is_tls == b->is_tls &&
	       a->version == b->version && a->verify == b->verify && a->store == b->store &&
	       strcmp(a->host, b->host) == 0;
}

struct http_conn *http_kept_take(struct http_kept *kept, const struct http_aim *aim)
{
	for (struct http_conn *conn = kept->first; conn != NULL;) {
		struct http_conn *next = conn->next;
		if (is_same(&conn->aim, aim)) {
			/* Bytes that have come since the loop last looked count, too. */
			if (is_usable(conn)) {
				list_remove(conn);
				loop_timer_cancel(kept->loop, &conn->timer);
				return conn;
			}
			end(conn);
		}
		conn = next;
	}
	return NULL;
}

void http_kept_put(struct http_kept *kept, struct http_conn *conn)
{
	conn->kept = kept;
	conn->next = kept->first;
	if (kept->first != NULL)
		kept->first->prev = conn;
	else
		kept->last = conn;
	kept->first = conn;
	kept->count++;
	if (loop_timer_set(kept->loop, &conn->timer, IDLE_MS, on_old, conn) != VEER_OK ||
	    loop_watch(kept->loop, conn->wire.fd, LOOP_READ, on_idle, conn) != VEER_OK)
		end(conn);
	else if (kept->count > kept->max)
		end(kept->last);
}
