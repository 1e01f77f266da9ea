/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/uplink.h"
#include "base/file.h"

static enum veer_err take(struct uplink_table *table, const char *id, const char *text, int64_t now_ms)
{
	struct veer_diag diag = {""};
	struct uplink_answer answer;
	return uplink_take(table, id, text, strlen(text), now_ms * 1000, &answer, &diag);
}

static void make(char *out, size_t size, const char *name, int revision)
{
	(void)snprintf(out, size,
		       "{\"format\":1,\"name\":\"%s\",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":%d,\"applied_"
		       "us\":1,\"uptime_s\":1,"
		       "\"zones\":1,\"queries\":1,\"answers\":{}}",
		       name, revision);
}

static void the_golden_message_is_taken_and_shown(void **state)
{
	char *text = NULL;
	size_t len = 0;
	struct uplink_table *table = uplink_table_new();
	(void)state;
	assert_non_null(table);
	assert_int_equal(file_read("tests/data/formats/uplink.json", 1 << 16, &text, &len, NULL), VEER_OK);
	assert_int_equal(take(table, "ns-1", text, 1000), VEER_OK);
	free(text);
	json_t *list = uplink_list(table, 1250);
	const json_t *server = json_array_get(list, 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(server, "id")), "ns-1");
	assert_string_equal(json_string_value(json_object_get(server, "name")), "ns1");
	assert_int_equal(json_integer_value(json_object_get(server, "heard_ms_ago")), 250);
	assert_int_equal(json_integer_value(json_object_get(server, "revision")), 812);
	assert_int_equal(json_integer_value(json_object_get(server, "applied_us")), 950);
	assert_int_equal(json_integer_value(json_object_get(server, "zones")), 3);
	assert_int_equal(json_integer_value(json_object_get(server, "doubts")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(server, "answers"), "refused")), 56);
	assert_string_equal(json_string_value(json_object_get(json_object_get(server, "quarantine"), "why")),
			    "zone_lost");
	assert_string_equal(json_string_value(json_object_get(server, "content")), "unknown");
	json_decref(list);
	char zone[UPLINK_ZONE_SIZE];
	uint32_t serial = 0;
	assert_true(uplink_next_serial(table, zone, &serial));
	assert_string_equal(zone, "a.example.");
	assert_int_equal(serial, 2026112801);
	assert_false(uplink_next_serial(table, zone, &serial));
	uplink_table_free(&table);
}

static bool digest_at(void *ctx, const char *lineage, int64_t revision, struct digest_pair *out)
{
	*out = *(const struct digest_pair *)ctx;
	return strcmp(lineage, "l") == 0 && revision == 7;
}

static void who_has_another_content_twice_is_told_to_start_over(void **state)
{
	static const struct {
		int revision;
		const char *content;
		int64_t now_ms;
		bool is_told;
	} steps[] = {
		{7, "01000000000000000000000000000000", 1, false}, /* the same */
		{7, "02000000000000000000000000000000", 2, false}, /* a single time is not a sign */
		{7, "01000000000000000000000000000000", 3, false},
		{7, "02000000000000000000000000000000", 4, false},
		{8, "03000000000000000000000000000000", 5, false}, /* for an unknown revision no statement is made */
		{7, "02000000000000000000000000000000", 6, true},
		{7, "02000000000000000000000000000000", 7, false},
		{7, "02000000000000000000000000000000", 60005, false},
		{7, "02000000000000000000000000000000", 60006, true},
		{7, "01000000000000000000000000000000", 60007, false},
	};
	const struct digest_pair expected = {.content = {.low = 1}, .state = {.low = 2}};
	struct uplink_table *table = uplink_table_new();
	struct uplink_counts counts;
	(void)state;
	assert_non_null(table);
	uplink_table_compare(table, NULL, digest_at, (void *)(uintptr_t)&expected);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		char text[512];
		struct uplink_answer answer;
		(void)snprintf(text, sizeof text,
			       "{\"format\":1,\"name\":\"n\",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":%d,"
			       "\"applied_us\":1,\"uptime_s\":1,\"zones\":1,\"queries\":1,\"answers\":{},\"lineage\":"
			       "\"l\",\"digest\":{\"content\":\"%s\",\"state\":\"02000000000000000000000000000000\"}}",
			       steps[i].revision, steps[i].content);
		assert_int_equal(uplink_take(table, "", text, strlen(text), steps[i].now_ms * 1000, &answer, NULL),
				 VEER_OK);
		assert_int_equal(answer.needs_full_state, steps[i].is_told);
		uplink_counts_read(table, &counts);
		assert_int_equal(counts.different, i >= 5 && i < 9);
	}
	uplink_table_free(&table);
}

static void a_server_is_told_to_adopt_while_it_keeps_a_store_in_quarantine(void **state)
{
	char text[512];
	struct uplink_table *table = uplink_table_new();
	struct uplink_answer answer;
	(void)state;
	assert_int_equal(uplink_adopt(table, "ns1"), UPLINK_UNHEARD);
	make(text, sizeof text, "ns1", 1);
	assert_int_equal(take(table, "ns-7", text, 1), VEER_OK);
	assert_int_equal(uplink_adopt(table, "ns1"), UPLINK_FOLLOWS);
	size_t len = strlen(text);
	(void)snprintf(text + len - 1, sizeof text - len, ",\"quarantine\":{\"why\":\"unknown\"}}");
	assert_int_equal(take(table, "ns-7", text, 2), VEER_OK);
	assert_int_equal(uplink_adopt(table, "ns-7"), UPLINK_ADOPTS);
	for (int i = 0; i < 2; i++) { /* until it does */
		assert_int_equal(uplink_take(table, "ns-7", text, strlen(text), 3000, &answer, NULL), VEER_OK);
		assert_true(answer.adopts);
	}
	make(text, sizeof text, "ns1", 2);
	assert_int_equal(uplink_take(table, "ns-7", text, strlen(text), 4000, &answer, NULL), VEER_OK);
	assert_false(answer.adopts);
	uplink_table_free(&table);
}

static void the_newest_word_of_each_counts(void **state)
{
	char text[512];
	struct uplink_table *table = uplink_table_new();
	(void)state;
	for (int i = 1; i <= 3; i++) {
		make(text, sizeof text, "ns1", i);
		assert_int_equal(take(table, "", text, i), VEER_OK);
		assert_int_equal(take(table, "ns-2", text, i), VEER_OK);
	}
	json_t *list = uplink_list(table, 10);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")),
			    "ns1"); /* on the Unix socket it is known by its own name */
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(list, i), "revision")), 3);
	json_decref(list);
	uplink_table_free(&table);
}

static void hostile_messages_are_refused_and_change_nothing(void **state)
{
#define MESSAGE(format_, name_, revision_)                                                                             \
	"{\"format\":" format_ ",\"name\":" name_ ",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":" revision_       \
	",\"applied_us\":1,\"uptime_s\":1,\"zones\":1,\"queries\":1,\"answers\":{}}"
	static const struct {
		const char *text;
		enum veer_err err;
	} cases[] = {
		{"", VEER_EINVAL},
		{"{", VEER_EINVAL},
		{"[]", VEER_EINVAL},
		{"null", VEER_EINVAL},
		{"7", VEER_EINVAL},
		{"{}", VEER_EINVAL},
		{"{\"format\":1}", VEER_EINVAL},
		{MESSAGE("2", "\"a\"", "1"), VEER_EUNSUPPORTED},
		{MESSAGE("\"1\"", "\"a\"", "1"), VEER_EINVAL},
		{MESSAGE("1", "7", "1"), VEER_EINVAL},
		{MESSAGE("1", "null", "1"), VEER_EINVAL},
		{MESSAGE("1", "{}", "1"), VEER_EINVAL},
		{MESSAGE("1", "\"a\"", "-1"), VEER_ERANGE},
		{MESSAGE("1", "\"a\"", "1.5"), VEER_EINVAL},
		{MESSAGE("1", "\"a\"", "99999999999999999999"), VEER_EINVAL},
		{MESSAGE("1", "\"a\"", "\"1\""), VEER_EINVAL},
		{MESSAGE("1", "\"a\\u0000b\"", "1"), VEER_EINVAL},
		{MESSAGE("1", "\"\xff\"", "1"), VEER_EINVAL},
		{MESSAGE("1", "\"a\"", "1") "x", VEER_EINVAL},
		{"{\"format\":1,\"name\":\"a\",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":1,\"applied_us\":1,"
		 "\"uptime_s\":1,\"zones\":1,"
		 "\"queries\":1,\"answers\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
		 "]}",
		 VEER_EINVAL},
		{"{\"format\":1,\"name\":\"a\",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":1,\"applied_us\":1,"
		 "\"uptime_s\":1,\"zones\":1,"
		 "\"queries\":1,\"answers\":\"many\"}",
		 VEER_EINVAL},
		{"{\"format\":1,\"name\":\"a\",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":1,\"applied_us\":1,"
		 "\"uptime_s\":1,\"zones\":1,"
		 "\"queries\":1,\"answers\":{\"noerror\":\"x\"}}",
		 VEER_EINVAL},
	};
	struct uplink_table *table = uplink_table_new();
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum veer_err err = take(table, "ns-1", cases[i].text, 1);
		if (err != cases[i].err && !(err != VEER_OK && cases[i].err == VEER_EINVAL))
			fail_msg("%s: %s", cases[i].text, veer_err_text(err));
	}
	char *long_one = malloc(20000);
	assert_non_null(long_one);
	memset(long_one, ' ', 19999);
	long_one[19999] = '\0';
	assert_int_not_equal(take(table, "ns-1", long_one, 1), VEER_OK);
	free(long_one);
	json_t *list = uplink_list(table, 1);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	uplink_table_free(&table);
}

static void what_a_newer_server_adds_is_ignored(void **state)
{
	struct uplink_table *table = uplink_table_new();
	(void)state;
	assert_int_equal(take(table, "ns-1",
			      "{\"format\":1,\"name\":\"a\",\"boot\":\"5f\",\"store_id\":\"0b\",\"revision\":1,"
			      "\"applied_us\":1,\"uptime_s\":1,"
			      "\"zones\":1,\"queries\":1,\"answers\":{\"noerror\":1,\"badvers\":2},\"weather\":[1,2]}",
			      1),
			 VEER_OK);
	uplink_table_free(&table);
}

static void the_1025th_server_waits_until_one_is_silent_for_a_minute(void **state)
{
	char text[512], id[32];
	struct uplink_table *table = uplink_table_new();
	(void)state;
	make(text, sizeof text, "x", 1);
	for (int i = 0; i < UPLINK_SERVERS_MAX; i++) {
		(void)snprintf(id, sizeof id, "ns-%d", i);
		assert_int_equal(take(table, id, text, 1000 + i), VEER_OK);
	}
	assert_int_equal(take(table, "ns-new", text, 3000), VEER_ELIMIT);
	assert_int_equal(take(table, "ns-7", text, 3000), VEER_OK); /* known name servers can continue */
	assert_int_equal(take(table, "ns-new", text, 61001), VEER_OK);
	json_t *list = uplink_list(table, 61001);
	assert_int_equal(json_array_size(list), UPLINK_SERVERS_MAX);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")),
			    "ns-new"); /* ns-0 was removed for it */
	json_decref(list);
	uplink_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_message_is_taken_and_shown),
		cmocka_unit_test(who_has_another_content_twice_is_told_to_start_over),
		cmocka_unit_test(a_server_is_told_to_adopt_while_it_keeps_a_store_in_quarantine),
		cmocka_unit_test(the_newest_word_of_each_counts),
		cmocka_unit_test(hostile_messages_are_refused_and_change_nothing),
		cmocka_unit_test(what_a_newer_server_adds_is_ignored),
		cmocka_unit_test(the_1025th_server_waits_until_one_is_silent_for_a_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
