/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics. See scrape.h. */
#include "dnsd/tap/scrape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "dnsd/tap/metrics.h"

#define BACKLOG 16
#define SHORT_MS 200 /* until the next attempt to accept, after descriptors ran out */

struct scrape_connection {
	struct scrape *scrape;
	int fd; /* -1: free */
	size_t in_len;
	char in[SCRAPE_REQUEST_MAX];
	struct buf out;
	size_t out_at; /* bytes sent; out.len 0: there is no reply yet */
	struct loop_timer deadline;
};

struct scrape {
	struct loop *loop;
	struct veer_listen address;
	int fd;
	scrape_fn *fn;
	void *ctx;
	struct loop_timer pause; /* set: no connections are accepted until it fires */
	struct scrape_connection connections[SCRAPE_CONNECTIONS_MAX];
};

static void close_connection(struct scrape_connection *c)
{
	loop_timer_cancel(c->scrape->loop, &c->deadline);
	loop_unwatch(c->scrape->loop, c->fd);
	(void)close(c->fd);
	buf_deinit(&c->out);
	c->fd = -1;
}

static void on_deadline(void *ctx)
{
	close_connection(ctx);
}

/* --- requests --------------------------------------------------------------------------------------------- */

static void reply(struct scrape_connection *c, const char *status, const char *type, const struct buf *body,
		  bool is_head)
{
	buf_printf(&c->out,
		   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
		   "Cache-Control: no-store\r\n\r\n",
		   status, type, body->len);
	if (!is_head)
		buf_append(&c->out, body->data, body->len);
}

static void reply_text(struct scrape_connection *c, const char *status, bool is_head)
{
	struct buf body;
	buf_init(&body, 256);
	buf_printf(&body, "%s\n", status);
	reply(c, status, "text/plain", &body, is_head);
	buf_deinit(&body);
}

static void reply_metrics(struct scrape_connection *c, bool is_head)
{
	struct buf body;
	buf_init(&body, METRICS_TEXT_MAX);
	c->scrape->fn(c->scrape->ctx, &body);
	if (body.failed)
		reply_text(c, "500 Internal Server Error", is_head);
	else
		reply(c, "200 OK", METRICS_CONTENT_TYPE, &body, is_head);
	buf_deinit(&body);
}

/* Serve a request line such as "GET /metrics HTTP/1.1", NUL-terminated. */
static void serve_line(struct scrape_connection *c, const char *line)
{
	bool is_head = strncmp(line, "HEAD ", 5) == 0;
	const char *path = strchr(line, ' ');
	size_t path_len = path != NULL ? strcspn(path + 1, " ?") : 0;
	const char *version = path != NULL ? strchr(path + 1, ' ') : NULL;
	if (version == NULL || strncmp(version, " HTTP/1.", 8) != 0)
		reply_text(c, "400 Bad Request", false);
	else if (!is_head && strncmp(line, "GET ", 4) != 0)
		reply_text(c, "405 Method Not Allowed", false);
	else if (path_len != strlen("/metrics") || strncmp(path + 1, "/metrics", path_len) != 0)
		reply_text(c, "404 Not Found", is_head);
	else
		reply_metrics(c, is_head);
}

/* Make the reply if the request's head is complete, or can never be complete. */
static void serve(struct scrape_connection *c)
{
	bool is_whole = memmem(c->in, c->in_len, "\r\n\r\n", 4) != NULL || memmem(c->in, c->in_len, "\n\n", 2) != NULL;
	if (!is_whole && c->in_len < sizeof c->in - 1)
		return;
	c->in[c->in_len] = '\0';
	c->in[strcspn(c->in, "\r\n")] = '\0';
	if (is_whole)
		serve_line(c, c->in);
	else
		reply_text(c, "431 Request Header Fields Too Large", false);
}

/* --- connections ------------------------------------------------------------------------------------------ */

/* False when the connection is over. */
static bool receive(struct scrape_connection *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - 1 - c->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	c->in_len += (size_t)n;
	if (n > 0)
		serve(c);
	return n > 0;
}

static bool send_rest(struct scrape_connection *c)
{
	ssize_t n = send(c->fd, c->out.data + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	c->out_at += (size_t)n;
	return c->out_at < c->out.len;
}

static void on_connection(void *ctx, int fd, unsigned events)
{
	struct scrape_connection *c = ctx;
	bool go_on = (events & LOOP_ERROR) == 0;
	if (go_on && c->out.len == 0)
		go_on = receive(c);
	if (go_on && c->out.len > 0)
		go_on = send_rest(c) && loop_watch(c->scrape->loop, fd, LOOP_WRITE, on_connection, c) == VEER_OK;
	if (!go_on || c->out.failed)
		close_connection(c);
}

static void add_connection(struct scrape *s, int fd)
{
	struct scrape_connection *c = NULL;
	for (int i = 0; i < SCRAPE_CONNECTIONS_MAX && c == NULL; i++)
		if (s->connections[i].fd < 0)
			c = &s->connections[i];
	if (c == NULL) {
		(void)close(fd);
		return;
	}
	c->fd = fd;
	c->in_len = 0;
	c->out_at = 0;
	buf_init(&c->out, METRICS_TEXT_MAX + 1024);
	if (loop_timer_set(s->loop, &c->deadline, SCRAPE_DEADLINE_MS, on_deadline, c) != VEER_OK ||
	    loop_watch(s->loop, fd, LOOP_READ, on_connection, c) != VEER_OK)
		close_connection(c);
}

static void listen_again(void *ctx)
{
	(void)scrape_listen(ctx, true);
}

static void on_accept(void *ctx, int listen_fd, unsigned events)
{
	struct scrape *s = ctx;
	(void)events;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		add_connection(s, fd);
		return;
	}
	/* the waiting connection would wake us again at once, as long as there is no descriptor for it */
	bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
	if (is_short && loop_timer_set(s->loop, &s->pause, SHORT_MS, listen_again, s) == VEER_OK)
		loop_unwatch(s->loop, listen_fd);
}

/* --- interface -------------------------------------------------------------------------------------------- */

static enum veer_err listen_at(struct scrape *s, struct veer_diag *diag)
{
	char text[VEER_LISTEN_TEXT_SIZE];
	int one = 1;
	struct sockaddr *storage = (struct sockaddr *)&s->address.storage;
	veer_listen_print(&s->address, false, text);
	if (s->address.is_unix)
		return veer_fail(diag, VEER_EINVAL, "%s: metrics are served at an IP address", text);
	s->fd = socket(storage->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(s->fd, storage, s->address.len) != 0 || listen(s->fd, BACKLOG) != 0 ||
	    getsockname(s->fd, storage, &s->address.len) != 0)
		return veer_fail(diag, veer_err_from_errno(errno), "%s: %s", text,
				 errno == EADDRINUSE ? "another program uses this address" : strerror(errno));
	return VEER_OK;
}

enum veer_err scrape_new(struct loop *loop, const struct veer_listen *address, int fd, scrape_fn *fn, void *ctx,
			 struct scrape **out, struct veer_diag *diag)
{
	struct scrape *s = calloc(1, sizeof *s);
	if (s == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	*s = (struct scrape){.loop = loop, .address = *address, .fd = fd, .fn = fn, .ctx = ctx};
	for (int i = 0; i < SCRAPE_CONNECTIONS_MAX; i++) {
		s->connections[i].scrape = s;
		s->connections[i].fd = -1;
	}
	enum veer_err err = fd < 0 ? listen_at(s, diag) : VEER_OK;
	if (err == VEER_OK)
		*out = s;
	else
		scrape_free(&s);
	return err;
}

void scrape_free(struct scrape **scrape)
{
	struct scrape *s = *scrape;
	if (s == NULL)
		return;
	for (int i = 0; i < SCRAPE_CONNECTIONS_MAX; i++)
		if (s->connections[i].fd >= 0)
			close_connection(&s->connections[i]);
	loop_timer_cancel(s->loop, &s->pause);
	if (s->fd >= 0) {
		loop_unwatch(s->loop, s->fd);
		(void)close(s->fd);
	}
	free(s);
	*scrape = NULL;
}

enum veer_err scrape_listen(struct scrape *scrape, bool wanted)
{
	loop_timer_cancel(scrape->loop, &scrape->pause);
	if (wanted)
		return loop_watch(scrape->loop, scrape->fd, LOOP_READ, on_accept, scrape);
	loop_unwatch(scrape->loop, scrape->fd);
	return VEER_OK;
}

int scrape_fd(const struct scrape *scrape)
{
	return scrape->fd;
}

const struct veer_listen *scrape_address(const struct scrape *scrape)
{
	return &scrape->address;
}
