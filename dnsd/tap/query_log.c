/* SPDX-License-Identifier: Apache-2.0 */
/* The query log. See query_log.h. */
#include "dnsd/tap/query_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "dnsd/packet/query.h"
#include "zones/dns/rrset.h"

#define LINE_MAX_BYTES 4096
#define CHUNK_BYTES 4096     /* what a pipe that has room accepts without waiting (PIPE_BUF) */
#define REOPEN_NS 1000000000 /* between two attempts to open the file */

struct query_log {
	char *path; /* NULL: standard output */
	enum log_format format;
	struct logger *log;
	int fd;                /* -1: to be opened again */
	int64_t opened_ns;     /* when it was last attempted */
	atomic_bool is_broken; /* the failure was logged already */
	bool is_cut;           /* the file ends in the middle of a line */
	struct buf line;       /* the line that is being made */
	struct buf buffer;     /* what waits to be written */
	_Atomic uint64_t written;
	_Atomic uint64_t lost;
};

/* --- lines ------------------------------------------------------------------------------------------------ */

/* The question as text; "-" without one. */
static void question_of(const uint8_t *query, size_t len, char name[NAME_TEXT_SIZE], char type[RRSET_TYPE_TEXT_SIZE])
{
	size_t name_len = len > DNS_HEADER_LEN && query[4] == 0 && query[5] == 1
				  ? name_check(query + DNS_HEADER_LEN, len - DNS_HEADER_LEN)
				  : 0;
	const uint8_t *rest = query + DNS_HEADER_LEN + name_len;
	memcpy(name, "-", 2);
	memcpy(type, "-", 2);
	if (name_len == 0 || len - DNS_HEADER_LEN - name_len < 4)
		return;
	(void)name_print(query + DNS_HEADER_LEN, name, NAME_TEXT_SIZE);
	rrtype_print((uint16_t)(rest[0] << 8 | rest[1]), type);
}

/* Append a name. Its text is printable, but in JSON a backslash or a quote needs another backslash. */
static void put_name(struct buf *out, enum log_format format, const char *name)
{
	for (; *name != '\0'; name++) {
		if (format == LOG_FORMAT_JSON && (*name == '\\' || *name == '"'))
			buf_putc(out, '\\');
		buf_putc(out, *name);
	}
}

void query_log_line(struct buf *out, enum log_format format, const struct tap_record *record, const uint8_t *query)
{
	char name[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE], time[VEER_RFC3339_SIZE], client[VEER_ADDR_TEXT_SIZE];
	const char *proto = record->is_tcp ? "tcp" : "udp";
	struct veer_addr address = {.family = record->client.is_ipv6 ? VEER_FAMILY_V6 : VEER_FAMILY_V4};
	memcpy(address.bytes, record->client.address, record->client.is_ipv6 ? 16 : 4);
	veer_addr_print(&address, client);
	veer_rfc3339(record->time_ns, time);
	question_of(query, record->query_len, name, type);
	bool is_json = format == LOG_FORMAT_JSON;
	buf_printf(out,
		   is_json ? "{\"ts\":\"%s\",\"client\":\"%s\",\"port\":%u,\"proto\":\"%s\",\"name\":\""
			   : "ts=%s client=%s port=%u proto=%s name=",
		   time, client, record->client.port, proto);
	put_name(out, format, name);
	buf_printf(out,
		   is_json ? "\",\"type\":\"%s\",\"rcode\":\"%s\",\"query_size\":%u,\"size\":%u}"
			   : " type=%s rcode=%s query_size=%u size=%u",
		   type, dns_rcode_text(record->rcode), record->query_len, record->reply_len);
}

/* --- files ------------------------------------------------------------------------------------------------ */

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}

static void close_file(struct query_log *l)
{
	if (l->path != NULL && l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
}

/* Log a failure, once until it works again. */
static void say_broken(struct query_log *l, int error)
{
	if (!atomic_exchange_explicit(&l->is_broken, true, memory_order_relaxed))
		log_error(l->log, "the query log cannot be written; lines are lost",
			  LOG_STR("path", l->path != NULL ? l->path : "-"), LOG_STR("why", strerror(error)));
}

void query_log_reopen(struct query_log *query_log)
{
	if (query_log->path == NULL)
		return;
	query_log_flush(query_log);
	int fd = open_file(query_log->path);
	if (fd < 0) {
		say_broken(query_log, errno);
		return; /* the old file is better than none, so keep it */
	}
	close_file(query_log);
	query_log->fd = fd;
	query_log->is_cut = false;
}

static bool is_open(struct query_log *l)
{
	int64_t now_ns = veer_clock_monotonic_ns(veer_clock_system());
	if (l->fd >= 0)
		return true;
	if (l->path == NULL || now_ns - l->opened_ns < REOPEN_NS)
		return false;
	l->opened_ns = now_ns;
	l->fd = open_file(l->path);
	l->is_cut = false;
	if (l->fd >= 0)
		atomic_store_explicit(&l->is_broken, false, memory_order_relaxed);
	return l->fd >= 0;
}

static uint64_t lines_in(const char *text, size_t len)
{
	uint64_t lines = 0;
	for (const char *at = text; (at = memchr(at, '\n', len - (size_t)(at - text))) != NULL; at++)
		lines++;
	return lines;
}

/* Drop what waits to be written. The written part of its first line stays in the file, as a line of its own. */
static void lose(struct query_log *l, size_t written)
{
	uint64_t lines = lines_in(l->buffer.data + written, l->buffer.len - written);
	atomic_fetch_add_explicit(&l->lost, lines, memory_order_relaxed);
	l->is_cut = written > 0 ? l->buffer.data[written - 1] != '\n' : l->is_cut;
	buf_reset(&l->buffer);
}

/* Write a chunk; 0 when the reader does not accept it now, -1 on an error. */
static ssize_t write_some(const struct query_log *l, const char *data, size_t len)
{
	struct pollfd room = {.fd = l->fd, .events = POLLOUT};
	if (poll(&room, 1, 0) <= 0)
		return 0;
	ssize_t n = write(l->fd, data, len < CHUNK_BYTES ? len : CHUNK_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n;
}

void query_log_flush(struct query_log *query_log)
{
	size_t done = 0;
	ssize_t n = 1;
	if (!is_open(query_log) || query_log->buffer.len == 0)
		return;
	if (query_log->is_cut && write_some(query_log, "\n", 1) == 1)
		query_log->is_cut = false;
	while (n > 0 && done < query_log->buffer.len) {
		n = write_some(query_log, query_log->buffer.data + done, query_log->buffer.len - done);
		if (n > 0)
			done += (size_t)n;
	}
	atomic_fetch_add_explicit(&query_log->written, lines_in(query_log->buffer.data, done), memory_order_relaxed);
	if (n >= 0) {
		if (done > 0)
			atomic_store_explicit(&query_log->is_broken, false, memory_order_relaxed);
		buf_consume(&query_log->buffer, done);
		return;
	}
	say_broken(query_log, errno);
	bool is_gone = errno == EPIPE;
	lose(query_log, done);
	if (is_gone)
		close_file(query_log); /* a reader may come back later */
}

void query_log_add(struct query_log *query_log, const struct tap_record *record, const uint8_t *query)
{
	buf_reset(&query_log->line);
	query_log_line(&query_log->line, query_log->format, record, query);
	buf_putc(&query_log->line, '\n');
	if (query_log->buffer.len + query_log->line.len > QUERY_LOG_BUFFER)
		query_log_flush(query_log);
	if (query_log->line.failed || query_log->buffer.failed ||
	    query_log->buffer.len + query_log->line.len > QUERY_LOG_BUFFER)
		atomic_fetch_add_explicit(&query_log->lost, 1, memory_order_relaxed);
	else
		buf_append(&query_log->buffer, query_log->line.data, query_log->line.len);
}

/* --- interface -------------------------------------------------------------------------------------------- */

enum veer_err query_log_open(const char *path, enum log_format format, struct logger *log, struct query_log **out,
			     struct veer_diag *diag)
{
	struct query_log *l = calloc(1, sizeof *l);
	if (l == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	bool is_stdout = strcmp(path, "-") == 0;
	l->format = format;
	l->log = log;
	buf_init(&l->line, LINE_MAX_BYTES);
	buf_init(&l->buffer, QUERY_LOG_BUFFER);
	l->path = is_stdout ? NULL : strdup(path);
	l->fd = is_stdout ? STDOUT_FILENO : open_file(path);
	enum veer_err err = VEER_OK;
	if (l->path == NULL && !is_stdout)
		err = veer_fail(diag, VEER_ENOMEM, "out of memory");
	else if (l->fd < 0 && errno != ENXIO) /* ENXIO: a pipe without a reader */
		say_broken(l, errno);
	if (err == VEER_OK)
		*out = l;
	else
		query_log_free(&l);
	return err;
}

void query_log_free(struct query_log **query_log)
{
	struct query_log *l = *query_log;
	if (l == NULL)
		return;
	query_log_flush(l);
	close_file(l);
	buf_deinit(&l->buffer);
	buf_deinit(&l->line);
	free(l->path);
	free(l);
	*query_log = NULL;
}

bool query_log_is_broken(const struct query_log *query_log)
{
	return atomic_load_explicit(&query_log->is_broken, memory_order_relaxed);
}

void query_log_stats(const struct query_log *query_log, uint64_t *written, uint64_t *lost)
{
	*written = atomic_load_explicit(&query_log->written, memory_order_relaxed);
	*lost = atomic_load_explicit(&query_log->lost, memory_order_relaxed);
}
