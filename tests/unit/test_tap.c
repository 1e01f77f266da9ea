/* SPDX-License-Identifier: Apache-2.0 */
/* Records of queries for the query log and dnstap: rings, sampling, lines, the bytes of dnstap. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "dnsd/tap/dnstap_encode.h"
#include "dnsd/tap/query_log.h"
#include "dnsd/tap/tap.h"

static uint8_t messages[TAP_MESSAGES_MAX];

/* --- sampling --------------------------------------------------------------------------------------------- */

static void the_rarest_sample_is_as_rare_as_it_says(void **state)
{
	struct tap_options options = {.query_log = "/dev/null", .every = {[TAP_QUERY_LOG] = UINT32_MAX}};
	const struct client client = {0};
	uint8_t header[12] = {0};
	const struct tap_query query = {
		.client = &client, .query = header, .query_len = 12, .reply = header, .reply_len = 12};
	struct tap *tap = NULL;
	double sum = 0;
	enum { ROUNDS = 4000 };
	(void)state;
	assert_int_equal(tap_new(&options, 1, NULL, &tap, NULL), VEER_OK);
	struct tap_port *port = tap_port(tap, 0);
	for (int i = 0; i < ROUNDS; i++) {
		port->left[TAP_QUERY_LOG] = 0;
		tap_offer(port, &query);
		sum += (double)port->left[TAP_QUERY_LOG];
	}
	/* uniformly distributed from 0 to 2 * every - 2, so the mean is known to about 1 % */
	assert_in_range((uint64_t)(sum / ROUNDS), UINT64_C(4080000000), UINT64_C(4510000000));
	tap_free(&tap);
}

/* --- rings ------------------------------------------------------------------------------------------------ */

/* A record whose content depends on its number. */
static struct tap_record record_of(uint32_t number, uint8_t *query, uint8_t *reply)
{
	struct tap_record r = {.time_ns = number, .query_len = 12 + number % 50, .reply_len = number % 700};
	memset(query, (int)(number & 0xff), r.query_len);
	memset(reply, (int)(number >> 8 & 0xff), r.reply_len);
	return r;
}

static void assert_is(const struct tap_record *got, uint32_t number)
{
	uint8_t query[64], reply[700];
	const struct tap_record wanted = record_of(number, query, reply);
	assert_int_equal(got->time_ns, number);
	assert_int_equal(got->query_len, wanted.query_len);
	assert_int_equal(got->reply_len, wanted.reply_len);
	assert_memory_equal(messages, query, wanted.query_len);
	if (wanted.reply_len > 0)
		assert_memory_equal(messages + wanted.query_len, reply, wanted.reply_len);
}

static bool put(struct tap_ring *ring, uint32_t number)
{
	uint8_t query[64], reply[700];
	const struct tap_record r = record_of(number, query, reply);
	return tap_ring_put(ring, &r, query, reply);
}

static void what_goes_in_comes_out_in_order(void **state)
{
	struct tap_ring *ring = tap_ring_new();
	struct tap_record got;
	uint32_t next_in = 0, next_out = 0;
	(void)state;
	assert_false(tap_ring_take(ring, &got, messages));
	for (int round = 0; round < 50; round++) { /* many times round the ring, with every remainder */
		while (put(ring, next_in))
			next_in++;
		for (int i = 0; i < 500 && tap_ring_take(ring, &got, messages); i++)
			assert_is(&got, next_out++);
	}
	while (tap_ring_take(ring, &got, messages))
		assert_is(&got, next_out++);
	assert_int_equal(next_out, next_in);
	assert_int_equal(tap_ring_lost(ring), 50);
	tap_ring_free(&ring);
}

static void the_longest_messages_fit_and_longer_ones_are_lost(void **state)
{
	struct tap_ring *ring = tap_ring_new();
	static uint8_t data[TAP_MESSAGES_MAX];
	struct tap_record got, r = {.query_len = 65535, .reply_len = 65535};
	(void)state;
	assert_true(tap_ring_put(ring, &r, data, data));
	r.query_len = 65538;
	assert_false(tap_ring_put(ring, &r, data, data));
	assert_true(tap_ring_take(ring, &got, messages));
	assert_false(tap_ring_take(ring, &got, messages));
	tap_ring_free(&ring);
}

enum { THREAD_RECORDS = 200000 };

static void *write_records(void *ctx)
{
	struct tap_ring *ring = ctx;
	for (uint32_t i = 0; i < THREAD_RECORDS; i++)
		(void)put(ring, i);
	return NULL;
}

static void two_threads_agree(void **state)
{
	struct tap_ring *ring = tap_ring_new();
	struct tap_record got;
	pthread_t thread;
	uint64_t seen = 0;
	int64_t last = -1;
	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_records, ring), 0);
	while (last < THREAD_RECORDS - 1 && seen + tap_ring_lost(ring) < THREAD_RECORDS) {
		if (!tap_ring_take(ring, &got, messages))
			continue;
		assert_true(got.time_ns > last);
		last = got.time_ns;
		assert_is(&got, (uint32_t)last);
		seen++;
	}
	(void)pthread_join(thread, NULL);
	while (tap_ring_take(ring, &got, messages))
		seen++;
	assert_int_equal(seen + tap_ring_lost(ring), THREAD_RECORDS);
	tap_ring_free(&ring);
}

/* --- sampling --------------------------------------------------------------------------------------------- */

static void one_of_so_many_is_sampled(void **state)
{
	static const uint32_t wanted[] = {1, 2, 10, 1000};
	const struct client client = {.port = 1};
	const uint8_t header[12] = {0};
	const struct tap_query q = {
		.client = &client, .query = header, .query_len = 12, .reply = header, .reply_len = 12};
	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		struct tap_port port = {.ring = tap_ring_new(), .every = {[TAP_DNSTAP] = wanted[i]}, .random = 12345};
		struct tap_record got;
		uint32_t seen = 0;
		for (uint32_t n = 0; n < 1000 * wanted[i]; n++) {
			tap_offer(&port, &q);
			for (; tap_ring_take(port.ring, &got, messages); seen++)
				assert_int_equal(got.outputs, 1 << TAP_DNSTAP);
		}
		assert_in_range(seen, wanted[i] == 1 ? 1000 : 920, wanted[i] == 1 ? 1000 : 1080);
		tap_ring_free(&port.ring);
	}
}

/* --- the query log ---------------------------------------------------------------------------------------- */

static const uint8_t question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3wWw\7exa\"ple\0\0\x1c\0\1";

static struct tap_record a_record(void)
{
	struct tap_record r = {.time_ns = INT64_C(1700000000123000000),
			       .client = {.is_ipv6 = true, .port = 5353, .address = {0x20, 1, 0xd, 0xb8, [15] = 1}},
			       .is_tcp = true,
			       .rcode = 23,
			       .query_len = sizeof question - 1,
			       .reply_len = 99};
	return r;
}

static void a_line_says_who_asked_what(void **state)
{
	struct tap_record r = a_record();
	struct buf out;
	(void)state;
	buf_init(&out, 4096);
	query_log_line(&out, LOG_FORMAT_TEXT, &r, question);
	assert_string_equal(out.data,
			    "ts=2023-11-14T22:13:20.123Z client=2001:db8::1 port=5353 proto=tcp name=wWw.exa\\\"ple. "
			    "type=AAAA rcode=BADCOOKIE query_size=29 size=99");
	buf_reset(&out);
	query_log_line(&out, LOG_FORMAT_JSON, &r, question);
	assert_string_equal(out.data, "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"client\":\"2001:db8::1\",\"port\":5353,"
				      "\"proto\":\"tcp\",\"name\":\"wWw.exa\\\\\\\"ple.\",\"type\":\"AAAA\","
				      "\"rcode\":\"BADCOOKIE\",\"query_size\":29,\"size\":99}");
	for (r.query_len = 12; r.query_len < sizeof question - 1; r.query_len++) {
		buf_reset(&out);
		query_log_line(&out, LOG_FORMAT_TEXT, &r, question);
		assert_non_null(strstr(out.data, " name=- type=- "));
	}
	buf_deinit(&out);
}

static uint64_t lost_of(const struct query_log *log)
{
	uint64_t written, lost;
	query_log_stats(log, &written, &lost);
	return lost;
}

static uint64_t written_of(const struct query_log *log)
{
	uint64_t written, lost;
	query_log_stats(log, &written, &lost);
	return written;
}

static size_t lines_of(const char *path)
{
	char *text = NULL;
	size_t lines = 0;
	assert_int_equal(file_read(path, 1 << 24, &text, NULL, NULL), VEER_OK);
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
		assert_true(strncmp(at + 1, "ts=", 3) == 0 || at[1] == '\0');
		lines++;
	}
	free(text);
	return lines;
}

static void a_file_that_was_moved_is_begun_anew(void **state)
{
	char dir[] = "/tmp/test_tap.XXXXXX", path[64], moved[64];
	struct query_log *log = NULL;
	const struct tap_record r = a_record();
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/log", dir);
	(void)snprintf(moved, sizeof moved, "%s/log.1", dir);
	assert_int_equal(query_log_open(path, LOG_FORMAT_TEXT, NULL, &log, NULL), VEER_OK);
	query_log_add(log, &r, question);
	assert_int_equal(rename(path, moved), 0);
	query_log_flush(log);
	query_log_add(log, &r, question);
	query_log_reopen(log); /* the lines that wait are written to the old file */
	for (int i = 0; i < 1000; i++)
		query_log_add(log, &r, question);
	query_log_flush(log);
	assert_int_equal(written_of(log), 1002);
	assert_int_equal(lost_of(log), 0);
	query_log_free(&log);
	assert_int_equal(lines_of(moved), 2);
	assert_int_equal(lines_of(path), 1000);
	(void)unlink(path);
	(void)unlink(moved);
	(void)rmdir(dir);
}

static void a_pipe_that_nobody_reads_loses_lines_and_holds_nobody_up(void **state)
{
	char dir[] = "/tmp/test_tap.XXXXXX", path[64], text[65536];
	struct query_log *log = NULL;
	const struct tap_record r = a_record();
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(query_log_open(path, LOG_FORMAT_TEXT, NULL, &log, NULL), VEER_OK);
	int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	query_log_reopen(log);
	for (int i = 0; i < 10000; i++) {
		query_log_add(log, &r, question);
		query_log_flush(log);
	}
	assert_true(written_of(log) > 0 && lost_of(log) > 0 && written_of(log) + lost_of(log) < 10000);
	while (read(reader, text, sizeof text) > 0)
		query_log_flush(log);
	assert_int_equal(written_of(log) + lost_of(log), 10000);
	(void)close(reader); /* and now its loss is noticed at once */
	query_log_add(log, &r, question);
	(void)signal(SIGPIPE, SIG_IGN);
	uint64_t before = lost_of(log);
	query_log_flush(log);
	assert_int_equal(lost_of(log), before + 1);
	query_log_free(&log);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void a_full_disk_loses_lines(void **state)
{
	struct query_log *log = NULL;
	const struct tap_record r = a_record();
	struct veer_diag diag;
	(void)state;
	assert_int_equal(query_log_open("/dev/full", LOG_FORMAT_TEXT, NULL, &log, &diag), VEER_OK);
	for (int i = 0; i < 10; i++)
		query_log_add(log, &r, question);
	query_log_flush(log);
	assert_int_equal(lost_of(log), 10);
	query_log_free(&log);
	/* a file that cannot be opened is tried again */
	assert_int_equal(query_log_open("/nonexistent/log", LOG_FORMAT_TEXT, NULL, &log, &diag), VEER_OK);
	assert_true(query_log_is_broken(log));
	query_log_free(&log);
}

/* --- dnstap ----------------------------------------------------------------------------------------------- */

static void dnstap_has_its_published_bytes(void **state)
{
	static const uint8_t inner[] = "\x08\x02"                 /* type AUTH_RESPONSE */
				       "\x10\x01"                 /* INET */
				       "\x18\x01"                 /* UDP */
				       "\x22\x04\xc0\x00\x02\x01" /* query_address */
				       "\x30\xac\x02"             /* query_port 300 */
				       "\x40\x80\xe2\xcf\xaa\x06" /* query_time_sec */
				       "\x4d\x01\x02\x00\x00"     /* query_time_nsec */
				       "\x60\x80\xe2\xcf\xaa\x06" /* response_time_sec */
				       "\x6d\x01\x02\x00\x00"     /* response_time_nsec */
				       "\x72\x03"                 /* response_message */
				       "abc";
	static const char version[] = "veer-dnsd " VEER_VERSION;
	const struct tap_record r = {.time_ns = INT64_C(1700000000) * 1000000000 + 513,
				     .client = {.port = 300, .address = {192, 0, 2, 1}}};
	struct buf out, wanted;
	(void)state;
	buf_init(&out, 1024);
	buf_init(&wanted, 1024);
	buf_append(&wanted, "\x0a\x03ns1\x12", 6);
	buf_putc(&wanted, (char)(sizeof version - 1));
	buf_puts(&wanted, version);
	buf_append(&wanted, "\x72", 1);
	buf_putc(&wanted, (char)(sizeof inner - 1));
	buf_append(&wanted, inner, sizeof inner - 1);
	buf_append(&wanted, "\x78\x01", 2);
	dnstap_encode(&out, DNSTAP_AUTH_RESPONSE, "ns1", &r, (const uint8_t *)"abc", 3);
	assert_false(out.failed);
	assert_int_equal(out.len, wanted.len);
	assert_memory_equal(out.data, wanted.data, wanted.len);
	buf_deinit(&out);
	buf_deinit(&wanted);
}

/* --- all together ----------------------------------------------------------------------------------------- */

static void the_thread_writes_down_what_workers_offer(void **state)
{
	char dir[] = "/tmp/test_tap.XXXXXX", path[64];
	const struct client client = {.port = 53, .address = {192, 0, 2, 1}};
	const struct tap_query q = {.client = &client,
				    .query = question,
				    .query_len = sizeof question - 1,
				    .reply = question,
				    .reply_len = sizeof question - 1};
	struct tap_stats stats;
	struct tap *tap = NULL;
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/log", dir);
	const struct tap_options options = {.query_log = path, .format = LOG_FORMAT_TEXT, .every = {1, 1}};
	assert_int_equal(tap_new(&options, 3, NULL, &tap, NULL), VEER_OK);
	for (int i = 0; i < 3000; i++)
		tap_offer(tap_port(tap, (unsigned)i % 3), &q);
	tap_reopen(tap);
	tap_stats_read(tap, &stats);
	assert_int_equal(stats.ring_lost, 0);
	tap_free(&tap);
	assert_int_equal(lines_of(path), 3000);
	(void)unlink(path);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rarest_sample_is_as_rare_as_it_says),
		cmocka_unit_test(what_goes_in_comes_out_in_order),
		cmocka_unit_test(the_longest_messages_fit_and_longer_ones_are_lost),
		cmocka_unit_test(two_threads_agree),
		cmocka_unit_test(one_of_so_many_is_sampled),
		cmocka_unit_test(a_line_says_who_asked_what),
		cmocka_unit_test(a_file_that_was_moved_is_begun_anew),
		cmocka_unit_test(a_pipe_that_nobody_reads_loses_lines_and_holds_nobody_up),
		cmocka_unit_test(a_full_disk_loses_lines),
		cmocka_unit_test(dnstap_has_its_published_bytes),
		cmocka_unit_test(the_thread_writes_down_what_workers_offer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
