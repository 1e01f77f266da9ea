/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log lines on a descriptor (stderr): an event, then key=value fields, or one JSON object a line.
 *
 *   log_warn(log, "zone refused", LOG_STR("zone", name), LOG_INT("line", line));
 *
 * One line is one write(2), at most 4096 bytes, one value at most 1024 (longer ones are cut and end in "..."; fields
 * that do not fit are left out). Bytes that are not printable ASCII are escaped, so that input from outside cannot
 * forge lines. The line is `ts=RFC3339 level=LEVEL program=NAME event=EVENT key=value ...`, or the same as JSON.
 *
 * A reader that does not read (a stopped terminal, a supervisor that hangs) blocks nobody: after 50 ms lines are
 * dropped until it reads again, and then one line says how many were lost.
 *
 * Threads: all calls may come from any thread. Never called on the packet path.
 */
#ifndef VEER_BASE_LOG_H
#define VEER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Levels as in syslog. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_field_kind { LOG_FIELD_END, LOG_FIELD_STR, LOG_FIELD_INT };

/* One key=value. Made by LOG_STR and LOG_INT; `key` is a literal in lower_snake. */
struct log_field {
	const char *key;
	enum log_field_kind kind;
	const char *str; /* borrowed for the call; NULL prints as "-" */
	int64_t num;
};

struct logger;

/* A logger of `program` onto descriptor `fd` (borrowed). NULL when memory is out. Caller frees. */
struct logger *logger_new(const char *program, int fd, enum log_level max_level, enum log_format format);
void logger_free(struct logger **logger);

/* Write one line. `fields` ends with LOG_FIELD_END. `logger` may be NULL: then nothing is written. */
void log_write(struct logger *logger, enum log_level level, const char *event, const struct log_field *fields);

#define LOG_STR(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_FIELD_STR, .str = (value_)})
#define LOG_INT(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_FIELD_INT, .num = (int64_t)(value_)})
#define LOG_FIELDS(...)                                                                                                \
	((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, )(struct log_field){.kind = LOG_FIELD_END}})

#define log_error(logger, event, ...) log_write(logger, LOG_LEVEL_ERROR, event, LOG_FIELDS(__VA_ARGS__))
#define log_warn(logger, event, ...) log_write(logger, LOG_LEVEL_WARNING, event, LOG_FIELDS(__VA_ARGS__))
#define log_notice(logger, event, ...) log_write(logger, LOG_LEVEL_NOTICE, event, LOG_FIELDS(__VA_ARGS__))
#define log_info(logger, event, ...) log_write(logger, LOG_LEVEL_INFO, event, LOG_FIELDS(__VA_ARGS__))
#define log_debug(logger, event, ...) log_write(logger, LOG_LEVEL_DEBUG, event, LOG_FIELDS(__VA_ARGS__))

#endif
