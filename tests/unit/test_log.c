/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"

static char out[1 << 20];

/* A logger that writes into a temporary file, whose content drain() returns. */
static struct logger *open_log(int *fd, enum log_level level, enum log_format format)
{
	char path[] = "/tmp/veer-test-log-XXXXXX";
	*fd = mkstemp(path);
	assert_true(*fd >= 0);
	(void)unlink(path);
	assert_int_equal(fcntl(*fd, F_SETFL, O_APPEND), 0);
	return logger_new("veer-test", *fd, level, format);
}

static const char *drain(int fd)
{
	ssize_t n = pread(fd, out, sizeof out - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	assert_int_equal(ftruncate(fd, 0), 0);
	return out;
}

/* The line without its time. */
static const char *drain_after_ts(int fd)
{
	const char *line = drain(fd);
	assert_memory_equal(line, "ts=20", 5);
	return strchr(line, ' ') + 1;
}

static void text_lines_are_key_value_pairs(void **state)
{
	(void)state;
	int fd = -1;
	struct logger *log = open_log(&fd, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_warn(log, "zone refused", LOG_STR("zone", "example."), LOG_INT("line", -3), LOG_STR("why", NULL),
		 LOG_STR("empty", ""));
	assert_string_equal(
		drain_after_ts(fd),
		"level=warning program=veer-test event=\"zone refused\" zone=example. line=-3 why=- empty=\"\"\n");
	log_info(log, "ready");
	assert_string_equal(drain_after_ts(fd), "level=info program=veer-test event=ready\n");
	logger_free(&log);
	(void)close(fd);
}

static void hostile_values_cannot_forge_lines(void **state)
{
	(void)state;
	int fd = -1;
	struct logger *log = open_log(&fd, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info(log, "x", LOG_STR("v", "a\nts=2026 level=error\x1b[31m\"\\\x7f\xc3\xa4"));
	assert_string_equal(drain_after_ts(fd), "level=info program=veer-test event=x "
						"v=\"a\\x0ats=2026 level=error\\x1b[31m\\\"\\\\\\x7f\\xc3\\xa4\"\n");
	logger_free(&log);
	(void)close(fd);
}

static void levels_below_the_limit_are_silent(void **state)
{
	(void)state;
	int fd = -1;
	struct logger *log = open_log(&fd, LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	log_notice(log, "a");
	log_info(log, "b");
	log_debug(log, "c");
	assert_string_equal(drain(fd), "");
	log_error(log, "d");
	assert_non_null(strstr(drain(fd), "event=d"));
	log_error(NULL, "nobody hears");
	logger_free(&log);
	logger_free(&log);
	(void)close(fd);
}

static json_t *parse_line(const char *text)
{
	struct veer_diag diag = {.text = ""};
	json_t *value = NULL;
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s in: %s", diag.text, text);
	assert_true(json_is_object(value));
	return value;
}

static void json_lines_are_json_whatever_the_values(void **state)
{
	(void)state;
	int fd = -1;
	struct logger *log = open_log(&fd, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	const char *const values[] = {"plain",
				      "",
				      "a\nb\t\x01",
				      "\"\\",
				      "\xc3\xa4\xe2\x82\xac",
				      "\xf0\x9f\x98\x80",
				      "\xff\xfe",
				      "\xc3",
				      "\xed\xa0\x80",
				      "\xf4\x90\x80\x80",
				      "\xc0\x80",
				      "a\xe2\x82"};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		log_info(log, "x", LOG_STR("v", values[i]), LOG_INT("n", 7));
		json_t *line = parse_line(drain(fd));
		assert_int_equal(json_integer_value(json_object_get(line, "n")), 7);
		if (i < 6)
			assert_string_equal(json_string_value(json_object_get(line, "v")), values[i]);
		assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
		json_decref(line);
	}
	logger_free(&log);
	(void)close(fd);
}

static void long_values_are_cut_and_lines_end(void **state)
{
	(void)state;
	static char text[9000];
	const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};
	for (size_t f = 0; f < 2; f++) {
		int fd = -1;
		struct logger *log = open_log(&fd, LOG_LEVEL_INFO, formats[f]);
		for (size_t len = 0; len < sizeof text - 1; len += 97) {
			memset(text, len % 2 == 0 ? 'a' : '\n', len);
			text[len] = '\0';
			log_info(log, text, LOG_STR("one", text), LOG_STR("two", text), LOG_STR("three", text),
				 LOG_STR("four", text), LOG_STR("five", text), LOG_INT("n", 1));
			const char *line = drain(fd);
			size_t got = strlen(line);
			assert_true(got <= 4096);
			assert_ptr_equal(strchr(line, '\n'), line + got - 1);
			if (f == 1)
				json_decref(parse_line(line));
		}
		logger_free(&log);
		(void)close(fd);
	}
}

static void *write_many(void *ctx)
{
	for (int i = 0; i < 500; i++)
		log_info(ctx, "thread", LOG_INT("i", i), LOG_STR("pad", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
	return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
	(void)state;
	int fd = -1;
	struct logger *log = open_log(&fd, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, log), 0);
	for (size_t i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	(void)drain(fd);
	unsigned count = 0;
	for (char *line = out; *line != '\0'; count++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		json_decref(parse_line(line));
		line = end + 1;
	}
	assert_int_equal(count, 2000);
	logger_free(&log);
	(void)close(fd);
}

static void a_reader_that_stands_still_holds_nobody_up(void **state)
{
	(void)state;
	int fds[2];
	struct timespec start, end;
	static char text[200000];
	size_t len = 0;
	assert_int_equal(pipe(fds), 0);
	struct logger *log = logger_new("test", fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 5000; i++)
		log_info(log, "much to say", LOG_INT("number", i));
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - start.tv_sec < 3);
	for (ssize_t n = 1; n > 0 && len < 60000; len += (size_t)n)
		n = read(fds[0], text + len, 4096);
	log_info(log, "again");
	logger_free(&log);
	(void)close(fds[1]);
	for (ssize_t n = 1; n > 0; len += n > 0 ? (size_t)n : 0)
		n = read(fds[0], text + len, sizeof text - 1 - len);
	(void)close(fds[0]);
	const char *lost = strstr(text, "event=\"log lines are lost\" count=");
	assert_non_null(lost);
	assert_non_null(strstr(lost, "event=again"));
	unsigned lines = 0;
	for (const char *c = text; c < lost; c++)
		lines += *c == '\n';
	assert_int_equal(lines + (unsigned)strtoul(strstr(lost, "count=") + 6, NULL, 10), 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_lines_are_key_value_pairs),
		cmocka_unit_test(hostile_values_cannot_forge_lines),
		cmocka_unit_test(levels_below_the_limit_are_silent),
		cmocka_unit_test(json_lines_are_json_whatever_the_values),
		cmocka_unit_test(long_values_are_cut_and_lines_end),
		cmocka_unit_test(lines_of_many_threads_do_not_mix),
		cmocka_unit_test(a_reader_that_stands_still_holds_nobody_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
