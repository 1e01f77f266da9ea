/* SPDX-License-Identifier: Apache-2.0 */
/* Overrides, maintenance windows and settings: how they are read, and when a window is on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "zones/model/model.h"

static json_t *json(const char *text)
{
	json_t *value = NULL;
	struct veer_diag diag = {.text = ""};
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s: %s", text, diag.text);
	return value;
}

static int64_t at(const char *text)
{
	int64_t ns = 0;
	if (!veer_rfc3339_parse(text, &ns))
		fail_msg("%s", text);
	return ns;
}

static void an_override_is_read_leniently_but_never_wrongly(void **state)
{
	struct model_override o;
	struct veer_diag diag;
	struct arena *arena = arena_new(1 << 20);
	json_t *good =
		json("{\"endpoint\":\"web/a\",\"action\":\"drain\",\"owner\":\"me\",\"reason\":\"why\",\"source\":"
		     "\"maintenance/x\",\"expires_at\":\"2026-11-22T20:36:01Z\",\"created_at\":\"x\",\"new\":1}");
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"endpoint\":\"web\",\"action\":\"up\"}",
		"{\"endpoint\":\"web/a\",\"action\":\"off\"}",
		"{\"endpoint\":\"web/a\",\"action\":1}",
		"{\"endpoint\":\"web/a\",\"action\":\"up\",\"expires_at\":5}",
		"{\"endpoint\":\"web/a\",\"action\":\"up\",\"expires_at\":\"1970-01-01T00:00:00Z\"}"};
	(void)state;
	assert_int_equal(model_override_parse(good, arena, &o, &diag), VEER_OK);
	assert_string_equal(o.endpoint, "web/a");
	assert_int_equal(o.action, MODEL_OVERRIDE_DRAIN);
	assert_string_equal(o.source, "maintenance/x");
	assert_true(o.expires_ns == at("2026-11-22T20:36:01Z"));
	json_decref(good);
	good = json("{\"endpoint\":\"web/a\",\"action\":\"up\",\"source\":null,\"expires_at\":null}");
	assert_int_equal(model_override_parse(good, arena, &o, &diag), VEER_OK);
	assert_true(o.expires_ns == 0 && o.source[0] == '\0' && o.owner[0] == '\0');
	json_decref(good);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		json_t *object = json(bad[i]);
		assert_int_not_equal(model_override_parse(object, arena, &o, &diag), VEER_OK);
		json_decref(object);
	}
	arena_free(&arena);
}

#define WINDOW(rest_)                                                                                                  \
	"{\"name\":\"w\",\"sites\":[\"fra\"],\"reason\":\"r\",\"starts_at\":\"2026-11-22T20:00:00Z\",\"ends_at\":"     \
	"\"2026-11-22T22:00:00Z\"" rest_ "}"

static void a_window_is_on_from_its_start_to_its_end(void **state)
{
	static const struct {
		const char *window;
		const char *now;
		bool is_on;
		const char *next; /* the end of the window when it is on, otherwise its next start; NULL: none */
	} cases[] = {
		{WINDOW(""), "2026-11-22T19:59:59.999Z", false, "2026-11-22T20:00:00Z"},
		{WINDOW(""), "2026-11-22T20:00:00Z", true, "2026-11-22T22:00:00Z"},
		{WINDOW(""), "2026-11-22T21:59:59.999Z", true, "2026-11-22T22:00:00Z"},
		{WINDOW(""), "2026-11-22T22:00:00Z", false, NULL},
		{WINDOW(",\"repeat\":\"weekly\""), "2026-11-15T21:00:00Z", false, "2026-11-22T20:00:00Z"},
		{WINDOW(",\"repeat\":\"weekly\""), "2026-11-22T21:00:00Z", true, "2026-11-22T22:00:00Z"},
		{WINDOW(",\"repeat\":\"weekly\""), "2026-11-22T22:00:00Z", false, "2026-11-29T20:00:00Z"},
		{WINDOW(",\"repeat\":\"weekly\""), "2026-11-29T20:00:00Z", true, "2026-11-29T22:00:00Z"},
		{WINDOW(",\"repeat\":\"weekly\""), "2027-11-21T21:00:00Z", true, "2027-11-21T22:00:00Z"},
		{WINDOW(",\"repeat\":\"weekly\",\"until\":\"2026-11-29T20:00:01Z\""), "2026-11-29T21:00:00Z", true,
		 "2026-11-29T22:00:00Z"},
		{WINDOW(",\"repeat\":\"weekly\",\"until\":\"2026-11-29T20:00:01Z\""), "2026-11-29T22:00:00Z", false,
		 NULL},
		{WINDOW(",\"repeat\":\"weekly\",\"until\":\"2026-11-29T20:00:00Z\""), "2026-11-29T21:00:00Z", false,
		 NULL},
		{WINDOW(",\"repeat\":\"weekly\",\"until\":\"2026-11-29T20:00:00Z\""), "2026-11-22T23:00:00Z", false,
		 NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct model_maintenance m;
		struct veer_diag diag = {""};
		struct arena *arena = arena_new(1 << 20);
		json_t *object = json(cases[i].window);
		int64_t starts = 0, ends = 0;
		if (model_maintenance_parse(object, arena, &m, &diag) != VEER_OK)
			fail_msg("%s", diag.text);
		if (model_maintenance_is_on(&m, at(cases[i].now), &starts, &ends) != cases[i].is_on)
			fail_msg("case %zu", i);
		int64_t next = cases[i].next != NULL ? at(cases[i].next) : INT64_MAX;
		if ((cases[i].is_on ? ends : starts) != next)
			fail_msg("case %zu: %lld", i, (long long)(cases[i].is_on ? ends : starts));
		json_decref(object);
		arena_free(&arena);
	}
}

static void windows_that_mean_nothing_are_refused(void **state)
{
	static const char *const bad[] = {
		WINDOW(",\"repeat\":\"daily\""),
		WINDOW(",\"until\":\"2026-11-29T20:00:00Z\""),
		WINDOW(",\"repeat\":\"weekly\",\"until\":\"2026-11-22T20:00:00Z\""),
		WINDOW(",\"pools\":[\"No Name\"]"),
		WINDOW(",\"endpoints\":[\"web\"]"),
		WINDOW(",\"force\":[\"web/a\"]"),
		WINDOW(",\"what\":1"),
		"{\"name\":\"w\",\"reason\":\"r\",\"starts_at\":\"2026-11-22T20:00:00Z\",\"ends_at\":\"2026-11-22T21:"
		"00:00Z\"}",
		"{\"name\":\"w\",\"sites\":[\"s\"],\"reason\":\"r\",\"starts_at\":\"2026-11-22T20:00:00Z\"}",
		"{\"name\":\"w\",\"sites\":[\"s\"],\"reason\":\"r\",\"starts_at\":\"2026-11-22T20:00:00Z\",\"ends_at\":"
		"\"2026-"
		"11-22T20:00:00Z\"}",
		"{\"name\":\"w\",\"sites\":[\"s\"],\"reason\":\"r\",\"repeat\":\"weekly\",\"starts_at\":\"2026-11-"
		"22T20:00:00Z\","
		"\"ends_at\":\"2026-11-29T20:00:00Z\"}",
		"{\"name\":\"w\",\"sites\":[\"s\"],\"starts_at\":\"2026-11-22T20:00:00Z\",\"ends_at\":\"2026-11-22T21:"
		"00:00Z\"}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct model_maintenance m;
		struct veer_diag diag = {""};
		struct arena *arena = arena_new(1 << 20);
		json_t *object = json(bad[i]);
		if (model_maintenance_parse(object, arena, &m, &diag) == VEER_OK)
			fail_msg("%s", bad[i]);
		json_decref(object);
		arena_free(&arena);
	}
}

static void settings_have_defaults_and_a_freeze_a_reason(void **state)
{
	struct model_settings s;
	struct arena *arena = arena_new(1 << 20);
	static const char *const bad[] = {"{\"freeze\":true}",
					  "{\"freeze\":{\"on\":true}}",
					  "{\"freeze\":{\"on\":true,\"reason\":\"\"}}",
					  "{\"freeze\":{\"on\":false,\"what\":1}}",
					  "{\"brake\":\"none\"}",
					  "{\"brake\":false}",
					  "{\"max_removal_percent\":0}",
					  "{\"max_removal_percent\":101}",
					  "{\"else\":1}"};
	(void)state;
	json_t *object = json("{}");
	assert_int_equal(model_settings_parse(object, arena, &s, NULL), VEER_OK);
	assert_true(!s.is_frozen && !s.is_brake_off && s.max_removal_percent == 25);
	json_decref(object);
	object =
		json("{\"freeze\":{\"on\":true,\"owner\":\"me\",\"reason\":\"why\",\"since\":\"2026-11-22T20:00:00Z\"},"
		     "\"brake\":\"off\",\"max_removal_percent\":100}");
	assert_int_equal(model_settings_parse(object, arena, &s, NULL), VEER_OK);
	assert_true(s.is_frozen && s.is_brake_off && s.max_removal_percent == 100);
	assert_string_equal(s.freeze_reason, "why");
	json_decref(object);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		object = json(bad[i]);
		if (model_settings_parse(object, arena, &s, NULL) == VEER_OK)
			fail_msg("%s", bad[i]);
		json_decref(object);
	}
	arena_free(&arena);
}

static void the_short_ttl_is_never_above_the_ttl(void **state)
{
	static const struct {
		const char *policy;
		uint32_t ttl_suspect; /* 0: refused */
	} cases[] = {
		{"{\"name\":\"p\",\"tree\":\"a\"}", 6},
		{"{\"name\":\"p\",\"ttl\":5,\"tree\":\"a\"}", 5},
		{"{\"name\":\"p\",\"ttl\":2,\"tree\":\"a\"}", 2},
		{"{\"name\":\"p\",\"ttl\":60,\"ttl_suspect\":60,\"tree\":\"a\"}", 60},
		{"{\"name\":\"p\",\"ttl\":60,\"ttl_suspect\":1,\"tree\":\"a\"}", 1},
		{"{\"name\":\"p\",\"ttl\":60,\"ttl_suspect\":61,\"tree\":\"a\"}", 0},
		{"{\"name\":\"p\",\"ttl\":60,\"ttl_suspect\":0,\"tree\":\"a\"}", 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct model_policy p;
		struct arena *arena = arena_new(1 << 20);
		json_t *object = json(cases[i].policy);
		enum veer_err err = model_policy_parse(object, arena, &p, NULL);
		assert_int_equal(err == VEER_OK ? p.ttl_suspect : 0, cases[i].ttl_suspect);
		json_decref(object);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_override_is_read_leniently_but_never_wrongly),
		cmocka_unit_test(a_window_is_on_from_its_start_to_its_end),
		cmocka_unit_test(windows_that_mean_nothing_are_refused),
		cmocka_unit_test(settings_have_defaults_and_a_freeze_a_reason),
		cmocka_unit_test(the_short_ttl_is_never_above_the_ttl),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
