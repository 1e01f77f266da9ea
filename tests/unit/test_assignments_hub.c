/* SPDX-License-Identifier: Apache-2.0 */
/* The sending half of assignments, pulled without HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "api/control/assignments.h"
#include "api/http/connection.h"

struct client {
	struct api_stream stream;
	struct api_stream_source *source;
	struct buf got;
};

static void client_open(struct client *c, struct assignment_hub *hub, const char *agent)
{
	*c = (struct client){.source = assignment_hub_subscribe(hub, agent, "eu")};
	assert_non_null(c->source);
	(void)pthread_mutex_init(&c->stream.lock, NULL);
	buf_init(&c->got, 64 << 20);
	c->source->open(c->source, &c->stream);
}

static void client_close(struct client *c)
{
	c->source->close(c->source);
	(void)pthread_mutex_destroy(&c->stream.lock);
	buf_deinit(&c->got);
}

static bool pull(struct client *c, size_t size)
{
	char piece[4096];
	for (;;) {
		ssize_t len = c->source->pull(c->source, piece, size);
		if (len <= 0)
			return len == 0;
		buf_append(&c->got, piece, (size_t)len);
	}
}

static void set(struct assignment_hub *hub, const char *agent, const char *line)
{
	char *copy = strdup(line);
	assert_int_equal(assignment_hub_set(hub, agent, copy, strlen(copy), 1), VEER_OK);
}

/* Check what has come since the last call, and forget it. */
static void expect_text(struct client *c, const char *wanted)
{
	assert_true(pull(c, 4096));
	assert_string_equal(c->got.data, wanted);
	buf_reset(&c->got);
}

static int setup(void **state)
{
	*state = assignment_hub_new("0123456789abcdef0123456789abcdef");
	return *state == NULL;
}

static int teardown(void **state)
{
	struct assignment_hub *hub = *state;
	assignment_hub_free(&hub);
	return hub != NULL;
}

static void hello_comes_first_then_the_line_in_force(void **state)
{
	struct client c;
	set(*state, "ag-1", "first\n");
	client_open(&c, *state, "ag-1");
	assert_true(pull(&c, 4096));
	assert_memory_equal(c.got.data, "{\"type\":\"hello\",\"format\":1,", 27);
	assert_non_null(strstr(c.got.data, "\"agent\":\"ag-1\""));
	assert_non_null(strstr(c.got.data, "}\nfirst\n"));
	client_close(&c);
}

static void a_new_line_is_sent_once_and_the_same_again_not_at_all(void **state)
{
	struct client c;
	client_open(&c, *state, "ag-1");
	assert_true(pull(&c, 4096));
	buf_reset(&c.got);
	set(*state, "ag-1", "one\n");
	assert_true(c.stream.has_news);
	expect_text(&c, "one\n");
	set(*state, "ag-1", "one\n");
	expect_text(&c, "");
	set(*state, "ag-1", "two\n");
	set(*state, "ag-1", "three\n");
	expect_text(&c, "three\n"); /* a slow client needs only the newest list */
	set(*state, "ag-2", "other\n");
	expect_text(&c, "");
	client_close(&c);
}

static void a_line_on_its_way_is_finished_before_the_next(void **state)
{
	struct client c;
	char piece[4];
	client_open(&c, *state, "ag-1");
	assert_true(pull(&c, 4096));
	buf_reset(&c.got);
	set(*state, "ag-1", "abcdefgh\n");
	assert_int_equal(c.source->pull(c.source, piece, 3), 3);
	set(*state, "ag-1", "next\n");
	assignment_hub_confirm(*state, "ag-1", "confirm\n");
	expect_text(&c, "defgh\nconfirm\nnext\n");
	client_close(&c);
}

static void confirms_go_to_all_streams_of_the_agent_and_are_not_kept(void **state)
{
	struct client a, b, other;
	assignment_hub_confirm(*state, "ag-1", "lost\n");
	client_open(&a, *state, "ag-1");
	client_open(&b, *state, "ag-1");
	client_open(&other, *state, "ag-2");
	struct client *all[] = {&a, &b, &other};
	for (size_t i = 0; i < 3; i++) {
		assert_true(pull(all[i], 7));
		assert_null(strstr(all[i]->got.data, "lost"));
		buf_reset(&all[i]->got);
	}
	assignment_hub_confirm(*state, "ag-1", "look\n");
	expect_text(&a, "look\n");
	expect_text(&b, "look\n");
	expect_text(&other, "");
	for (size_t i = 0; i < 3; i++)
		client_close(all[i]);
}

static void confirms_that_nobody_reads_are_bounded_and_whole(void **state)
{
	struct client c;
	char line[101];
	memset(line, 'c', 99);
	line[99] = '\n';
	line[100] = '\0';
	client_open(&c, *state, "ag-1");
	assert_true(pull(&c, 4096));
	buf_reset(&c.got);
	for (int i = 0; i < 2 * ASSIGNMENTS_CONFIRM_BYTES / 100; i++)
		assignment_hub_confirm(*state, "ag-1", line);
	assert_true(pull(&c, 4096));
	assert_true(c.got.len <= ASSIGNMENTS_CONFIRM_BYTES && c.got.len > ASSIGNMENTS_CONFIRM_BYTES / 2);
	assert_int_equal(c.got.len % 100, 0);
	buf_reset(&c.got);
	assignment_hub_confirm(*state, "ag-1", "again\n");
	expect_text(&c, "again\n");
	client_close(&c);
}

static void removal_ends_streams_and_a_new_one_starts_clean(void **state)
{
	struct client old, new;
	set(*state, "ag-1", "old\n");
	client_open(&old, *state, "ag-1");
	assert_true(pull(&old, 4096));
	assignment_hub_remove(*state, "ag-1");
	assert_true(old.stream.has_news);
	assert_false(pull(&old, 4096));
	client_open(&new, *state, "ag-1");
	assert_true(pull(&new, 4096));
	assert_null(strstr(new.got.data, "old"));
	client_close(&old);
	set(*state, "ag-1", "new\n");
	assert_true(pull(&new, 4096));
	assert_non_null(strstr(new.got.data, "new\n"));
	client_close(&new);
	assignment_hub_remove(*state, "ag-1");
	assignment_hub_remove(*state, "never-there");
}

static void a_heartbeat_comes_after_a_second_of_silence(void **state)
{
	struct client c;
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};
	client_open(&c, *state, "ag-1");
	assert_true(pull(&c, 4096));
	buf_reset(&c.got);
	assignment_hub_tick(*state);
	assert_false(c.stream.has_news);
	(void)nanosleep(&second, NULL);
	assignment_hub_tick(*state);
	assert_true(c.stream.has_news);
	expect_text(&c, "{\"type\":\"heartbeat\"}\n");
	client_close(&c);
}

static void *read_for_a_while(void *ctx)
{
	struct client *c = ctx;
	for (int i = 0; i < 2000; i++)
		if (!pull(c, 50))
			break;
	return NULL;
}

static void many_threads_set_confirm_read_and_remove(void **state)
{
	struct client clients[4];
	pthread_t threads[4];
	char line[64];
	for (size_t i = 0; i < 4; i++) {
		client_open(&clients[i], *state, i % 2 == 0 ? "ag-0" : "ag-1");
		assert_int_equal(pthread_create(&threads[i], NULL, read_for_a_while, &clients[i]), 0);
	}
	for (int i = 0; i < 500; i++) {
		(void)snprintf(line, sizeof line, "line %d\n", i);
		set(*state, i % 2 == 0 ? "ag-0" : "ag-1", line);
		assignment_hub_confirm(*state, "ag-0", "confirm\n");
		assignment_hub_tick(*state);
	}
	assignment_hub_remove(*state, "ag-0");
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(pull(&clients[i], 4096), i % 2 != 0);
		assert_true(i % 2 == 0 || strstr(clients[i].got.data, "line 499\n") != NULL);
		client_close(&clients[i]);
	}
}

static void a_report_may_be_for_the_list_in_force_or_the_one_before(void **state)
{
	static const struct {
		const char *line;
		uint32_t items, most;
	} steps[] = {{"a\n", 7, 7}, {"b\n", 3, 7}, {"b\n", 3, 7}, {"c\n", 4, 4}, {"d\n", 0, 4}, {"e\n", 0, 0}};
	uint32_t items = 99;
	struct client c;
	assert_false(assignment_hub_items(*state, "ag-1", &items));
	client_open(&c, *state, "ag-1"); /* connected, but no assignments are computed yet */
	assert_false(assignment_hub_items(*state, "ag-1", &items));
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		assert_int_equal(assignment_hub_set(*state, "ag-1", strdup(steps[i].line), 2, steps[i].items), VEER_OK);
		assert_true(assignment_hub_items(*state, "ag-1", &items));
		assert_int_equal(items, steps[i].most);
	}
	assert_false(assignment_hub_items(*state, "ag-2", &items));
	client_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_report_may_be_for_the_list_in_force_or_the_one_before, setup,
						teardown),
		cmocka_unit_test_setup_teardown(hello_comes_first_then_the_line_in_force, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_line_is_sent_once_and_the_same_again_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_on_its_way_is_finished_before_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(confirms_go_to_all_streams_of_the_agent_and_are_not_kept, setup,
						teardown),
		cmocka_unit_test_setup_teardown(confirms_that_nobody_reads_are_bounded_and_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(removal_ends_streams_and_a_new_one_starts_clean, setup, teardown),
		cmocka_unit_test_setup_teardown(a_heartbeat_comes_after_a_second_of_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(many_threads_set_confirm_read_and_remove, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
