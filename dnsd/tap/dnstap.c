/* SPDX-License-Identifier: Apache-2.0 */
/* dnstap with libfstrm, which only this file uses. See dnstap.h. */
#include "dnsd/tap/dnstap.h"

#include <errno.h>
#include <fstrm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dnsd/tap/dnstap_encode.h"

#define STEP_S 1             /* for connecting and for one write: a hanging collector must not delay our shutdown */
#define REOPEN_NS 1000000000 /* between two attempts to connect */
#define POLL_NS 20000000
#define FRAME_MAX (TAP_MESSAGES_MAX + 1024)

struct dnstap {
	struct tap_ring *ring; /* from the tap's thread to this one's */
	struct fstrm_writer *writer;
	char *identity;
	pthread_t thread;
	bool is_running;
	bool is_open;      /* used by the thread: the collector is connected */
	int64_t opened_ns; /* when a connection was last attempted */
	uint8_t *messages;
	struct buf frame;
	atomic_bool is_stopping;
	_Atomic uint64_t written; /* frames */
	_Atomic uint64_t failed;  /* frames that could not be written, except those for which the ring had no room */
};

/* --- the connection, as libfstrm wants it ------------------------------------------------------------------ */

/*
 * libfstrm has its own writer for Unix sockets, but that writer waits for ever for a collector that does not read, and
 * our shutdown would wait with it.
 */
struct connection {
	struct sockaddr_un address;
	int fd; /* -1: not connected */
};

static fstrm_res close_connection(void *obj)
{
	struct connection *c = obj;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	return fstrm_res_success;
}

static fstrm_res open_connection(void *obj)
{
	struct connection *c = obj;
	const struct timeval limit = {.tv_sec = STEP_S};
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
	    connect(c->fd, (const struct sockaddr *)&c->address, sizeof c->address) == 0)
		return fstrm_res_success;
	(void)close_connection(c);
	return fstrm_res_failure;
}

static fstrm_res read_all(void *obj, void *data, size_t count)
{
	const struct connection *c = obj;
	for (size_t done = 0; done < count;) {
		ssize_t n = recv(c->fd, (uint8_t *)data + done, count - done, 0);
		if (n <= 0 && (n == 0 || errno != EINTR))
			return fstrm_res_failure;
		done += n > 0 ? (size_t)n : 0;
	}
	return fstrm_res_success;
}

static bool send_rest(int fd, const uint8_t *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, data + done, len - done, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static fstrm_res write_all(void *obj, const struct iovec *iov, int count)
{
	const struct connection *c = obj;
	const struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
	ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	if (n < 0 && errno != EINTR)
		return fstrm_res_failure;
	size_t sent = n > 0 ? (size_t)n : 0;
	for (int i = 0; i < count; i++) {
		size_t here = sent < iov[i].iov_len ? sent : iov[i].iov_len;
		sent -= here;
		if (!send_rest(c->fd, (const uint8_t *)iov[i].iov_base + here, iov[i].iov_len - here))
			return fstrm_res_failure;
	}
	return fstrm_res_success;
}

static fstrm_res destroy_connection(void *obj)
{
	free(obj);
	return fstrm_res_success;
}

static struct fstrm_rdwr *make_connection(const struct sockaddr_un *address)
{
	struct connection *c = malloc(sizeof *c);
	if (c == NULL)
		return NULL;
	*c = (struct connection){.address = *address, .fd = -1};
	struct fstrm_rdwr *rdwr = fstrm_rdwr_init(c); /* needs no check: libfstrm ends the program when memory is out */
	fstrm_rdwr_set_destroy(rdwr, destroy_connection);
	fstrm_rdwr_set_open(rdwr, open_connection);
	fstrm_rdwr_set_close(rdwr, close_connection);
	fstrm_rdwr_set_read(rdwr, read_all);
	fstrm_rdwr_set_write(rdwr, write_all);
	return rdwr;
}

static struct fstrm_writer *make_writer(const struct sockaddr_un *address)
{
	struct fstrm_rdwr *rdwr = make_connection(address);
	if (rdwr == NULL)
		return NULL;
	struct fstrm_writer_options *options = fstrm_writer_options_init();
	(void)fstrm_writer_options_add_content_type(options, DNSTAP_CONTENT_TYPE, sizeof DNSTAP_CONTENT_TYPE - 1);
	struct fstrm_writer *writer = fstrm_writer_init(options, &rdwr);
	fstrm_writer_options_destroy(&options);
	(void)fstrm_rdwr_destroy(&rdwr); /* only if the writer has not taken it */
	return writer;
}

/* --- the thread ------------------------------------------------------------------------------------------- */

static bool connect_to_collector(struct dnstap *d)
{
	int64_t now_ns = veer_clock_monotonic_ns(veer_clock_system());
	if (!d->is_open && now_ns - d->opened_ns >= REOPEN_NS) {
		d->opened_ns = now_ns;
		d->is_open = fstrm_writer_open(d->writer) == fstrm_res_success;
	}
	return d->is_open;
}

/* Write one frame; false when the collector is lost. */
static bool write_frame(struct dnstap *d, enum dnstap_type type, const struct tap_record *record,
			const uint8_t *message, size_t len)
{
	buf_reset(&d->frame);
	dnstap_encode(&d->frame, type, d->identity, record, message, len);
	d->is_open = d->is_open && (d->frame.failed ||
				    fstrm_writer_write(d->writer, d->frame.data, d->frame.len) == fstrm_res_success);
	atomic_fetch_add_explicit(d->is_open && !d->frame.failed ? &d->written : &d->failed, 1, memory_order_relaxed);
	return d->is_open;
}

/*
 * Write what is in the ring. While there is no collector it stays in the ring; frames that find no room there are lost.
 */
static void write_what_waits(struct dnstap *d)
{
	struct tap_record record;
	while (connect_to_collector(d) && tap_ring_take(d->ring, &record, d->messages)) {
		const uint8_t *reply = d->messages + record.query_len;
		(void)write_frame(d, DNSTAP_AUTH_QUERY, &record, d->messages, record.query_len);
		if (!write_frame(d, DNSTAP_AUTH_RESPONSE, &record, reply, record.reply_len))
			(void)fstrm_writer_close(d->writer);
	}
}

static void *run(void *ctx)
{
	static const struct timespec pause = {.tv_nsec = POLL_NS};
	struct dnstap *d = ctx;
	/* acquire: what was put into the ring before is visible */
	while (!atomic_load_explicit(&d->is_stopping, memory_order_acquire)) {
		write_what_waits(d);
		(void)nanosleep(&pause, NULL);
	}
	write_what_waits(d);
	if (d->is_open)
		(void)fstrm_writer_close(d->writer);
	return NULL;
}

/* --- interface -------------------------------------------------------------------------------------------- */

static enum veer_err start(struct dnstap *d, const struct sockaddr_un *address, const char *identity)
{
	buf_init(&d->frame, FRAME_MAX);
	d->opened_ns = -REOPEN_NS;
	d->ring = tap_ring_new();
	d->messages = malloc(TAP_MESSAGES_MAX);
	d->identity = strdup(identity);
	d->writer = make_writer(address);
	if (d->ring == NULL || d->messages == NULL || d->identity == NULL || d->writer == NULL)
		return VEER_ENOMEM;
	d->is_running = pthread_create(&d->thread, NULL, run, d) == 0;
	return d->is_running ? VEER_OK : VEER_EIO;
}

enum veer_err dnstap_open(const char *where, const char *identity, struct dnstap **out, struct veer_diag *diag)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = strncmp(where, "unix:", 5) == 0 ? where + 5 : "";
	if (path[0] == '\0')
		return veer_fail(diag, VEER_EINVAL, "--dnstap %s: must be unix:PATH", where);
	if (strlen(path) >= sizeof address.sun_path)
		return veer_fail(diag, VEER_ERANGE, "--dnstap %.100s…: a path of at most %zu bytes", where,
				 sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path));
	struct dnstap *d = calloc(1, sizeof *d);
	if (d == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	enum veer_err err = start(d, &address, identity);
	if (err == VEER_OK) {
		*out = d;
		return VEER_OK;
	}
	dnstap_free(&d);
	return veer_fail(diag, err, "--dnstap %s: %s", where, veer_err_text(err));
}

void dnstap_free(struct dnstap **dnstap)
{
	struct dnstap *d = *dnstap;
	if (d == NULL)
		return;
	/* release: the content of the ring is visible */
	atomic_store_explicit(&d->is_stopping, true, memory_order_release);
	if (d->is_running)
		(void)pthread_join(d->thread, NULL);
	(void)fstrm_writer_destroy(&d->writer);
	tap_ring_free(&d->ring);
	buf_deinit(&d->frame);
	free(d->messages);
	free(d->identity);
	free(d);
	*dnstap = NULL;
}

void dnstap_add(struct dnstap *dnstap, const struct tap_record *record, const uint8_t *query, const uint8_t *reply)
{
	(void)tap_ring_put(dnstap->ring, record, query, reply); /* a query that does not fit is counted there */
}

void dnstap_stats(const struct dnstap *dnstap, uint64_t *written, uint64_t *lost)
{
	*written = atomic_load_explicit(&dnstap->written, memory_order_relaxed);
	*lost = atomic_load_explicit(&dnstap->failed, memory_order_relaxed) + 2 * tap_ring_lost(dnstap->ring);
}
