/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define LINE_MAX_BYTES 4096
#define PATIENCE_MS 50 /* how long to wait, once, for a reader that does not read */
/* What a value may take after escaping: one long value must not push the others out of the line. */
#define VALUE_MAX_BYTES 1024
/* Kept free for the end of a line: a cut mark, a quote, a brace and the newline. */
#define TAIL_BYTES 8

struct logger {
	char *program;
	int fd;
	enum log_level max_level;
	enum log_format format;
	/* Both are accessed with relaxed order: only the numbers matter, and that each loss is reported once. */
	atomic_bool is_stuck;  /* the reader did not read in time: do not wait for it again until it reads */
	_Atomic uint64_t lost; /* lines since then */
};

/* A line being built; a part that does not fit is left out completely. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING}, {"notice", LOG_LEVEL_NOTICE},
	{"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},
};

#define LEVEL_COUNT (sizeof levels / sizeof levels[0])

struct logger *logger_new(const char *program, int fd, enum log_level max_level, enum log_format format)
{
	struct logger *logger = calloc(1, sizeof *logger);
	if (logger == NULL)
		return NULL;
	logger->program = strdup(program);
	if (logger->program == NULL) {
		free(logger);
		return NULL;
	}
	logger->fd = fd;
	logger->max_level = max_level;
	logger->format = format;
	return logger;
}

void logger_free(struct logger **logger)
{
	if (*logger == NULL)
		return;
	free((*logger)->program);
	free(*logger);
	*logger = NULL;
}

static const char *level_name(enum log_level level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "notice";
}

static size_t room(const struct line *line)
{
	size_t end = LINE_MAX_BYTES - TAIL_BYTES;
	return line->len < end ? end - line->len : 0;
}

/* Append without checking for room: the caller has checked, or writes into the reserved tail. */
static void put(struct line *line, const char *text, size_t len)
{
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character escaped for its format into `out` (at least 16 bytes); says how many bytes of `s` it took. */
static size_t escape(enum log_format format, const unsigned char *s, char *out)
{
	uint32_t code = s[0];
	size_t taken = 1;
	if (is_plain(s[0])) {
		out[0] = (char)s[0];
		out[1] = '\0';
	} else if (s[0] == '"' || s[0] == '\\') {
		(void)snprintf(out, 16, "\\%c", s[0]);
	} else if (format == LOG_FORMAT_TEXT) {
		(void)snprintf(out, 16, "\\x%02x", s[0]);
	} else {
		if (s[0] >= 0x80) {
			taken = text_utf8_decode((const char *)s, &code);
			if (taken == 0) {
				taken = 1;
				code = 0xfffd; /* what JSON cannot express becomes the replacement character */
			}
		}
		if (code >= 0x10000)
			(void)snprintf(out, 16, "\\u%04x\\u%04x", 0xd800 + (unsigned)((code - 0x10000) >> 10),
				       0xdc00 + (unsigned)((code - 0x10000) & 0x3ff));
		else
			(void)snprintf(out, 16, "\\u%04x", (unsigned)code);
	}
	return taken;
}

/* Append an escaped value, cut with "..." where the line or the value's share ends. */
static void put_escaped(struct line *line, enum log_format format, const char *value)
{
	size_t budget = room(line) < VALUE_MAX_BYTES ? room(line) : VALUE_MAX_BYTES;
	const unsigned char *s = (const unsigned char *)value;
	while (*s != '\0') {
		char piece[16];
		size_t taken = escape(format, s, piece);
		size_t len = strlen(piece);
		if (len > budget) {
			put(line, "...", 3);
			return;
		}
		put(line, piece, len);
		budget -= len;
		s += taken;
	}
}

/* Whether a text value can stand without quotes: no blank, no quote, nothing escaped, not empty. */
static bool is_bare(const char *value)
{
	for (const char *s = value; *s != '\0'; s++)
		if (!is_plain((unsigned char)*s) || *s == ' ' || *s == '=')
			return false;
	return *value != '\0';
}

static void put_key(struct line *line, enum log_format format, const char *key)
{
	bool is_first = line->len == 0;
	if (format == LOG_FORMAT_JSON) {
		put(line, is_first ? "{\"" : ",\"", 2);
		put(line, key, strlen(key));
		put(line, "\":", 2);
	} else {
		if (!is_first)
			put(line, " ", 1);
		put(line, key, strlen(key));
		put(line, "=", 1);
	}
}

static void put_field(struct line *line, enum log_format format, const struct log_field *field)
{
	char number[24];
	/* A field is left out completely if there is no room for its key and a few bytes of its value. */
	if (strlen(field->key) + sizeof number + 8 > room(line))
		return;
	put_key(line, format, field->key);
	if (field->kind == LOG_FIELD_INT) {
		int len = snprintf(number, sizeof number, "%" PRId64, field->num);
		put(line, number, (size_t)len);
		return;
	}
	const char *value = field->str != NULL ? field->str : "-";
	bool is_quoted = format == LOG_FORMAT_JSON || !is_bare(value);
	if (is_quoted)
		put(line, "\"", 1);
	put_escaped(line, format, value);
	if (is_quoted)
		put(line, "\"", 1);
}

/* Does the descriptor have room for a line? A pipe that is ready for writing takes 4096 bytes (PIPE_BUF) at once. */
static bool has_room(struct logger *logger)
{
	struct pollfd p = {.fd = logger->fd, .events = POLLOUT};
	bool was_stuck = atomic_load_explicit(&logger->is_stuck, memory_order_relaxed);
	bool is_stuck = poll(&p, 1, was_stuck ? 0 : PATIENCE_MS) == 0;
	if (is_stuck != was_stuck)
		atomic_store_explicit(&logger->is_stuck, is_stuck, memory_order_relaxed);
	return !is_stuck;
}

static void write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* there is nobody to report it to */
		text += n;
		len -= (size_t)n;
	}
}

void log_write(struct logger *logger, enum log_level level, const char *event, const struct log_field *fields)
{
	if (logger == NULL || level > logger->max_level)
		return;
	int saved_errno = errno;
	if (!has_room(logger)) {
		(void)atomic_fetch_add_explicit(&logger->lost, 1, memory_order_relaxed);
		errno = saved_errno;
		return;
	}
	uint64_t lost = atomic_exchange_explicit(&logger->lost, 0, memory_order_relaxed);
	if (lost > 0)
		log_warn(logger, "log lines are lost", LOG_INT("count", lost));
	char when[VEER_RFC3339_SIZE];
	veer_rfc3339(veer_clock_wall_ns(veer_clock_system()), when);
	const struct log_field head[] = {LOG_STR("ts", when), LOG_STR("level", level_name(level)),
					 LOG_STR("program", logger->program), LOG_STR("event", event)};
	struct line line;
	line.len = 0;
	for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
		put_field(&line, logger->format, &head[i]);
	for (const struct log_field *f = fields; f->kind != LOG_FIELD_END; f++)
		put_field(&line, logger->format, f);
	if (logger->format == LOG_FORMAT_JSON)
		put(&line, "}", 1);
	put(&line, "\n", 1);
	write_all(logger->fd, line.text, line.len);
	errno = saved_errno;
}
