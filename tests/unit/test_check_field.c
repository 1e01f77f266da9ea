/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a check's fields is whole, and docs/formats.md has the same fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "zones/model/check_field.h"

static void each_row_is_whole_and_each_place_is_one_fields(void **state)
{
	unsigned places[MODEL_PLACE_COUNT] = {0};
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct model_check_field *f = &fields[i];
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(f->key, fields[k].key);
		assert_true(f->type != 0 && f->kinds != 0 && f->help[0] != '\0');
		assert_true((f->place == MODEL_PLACE_NONE) == (f->hashed_kinds == 0));
		/* agents are told of what changes what they probe, or their fingerprints would differ */
		assert_true(f->place == MODEL_PLACE_NONE || f->sending != MODEL_SENT_NEVER);
		places[f->place]++;
	}
	for (int place = MODEL_PLACE_NONE + 1; place < MODEL_PLACE_COUNT; place++)
		assert_int_equal(places[place], 1);
}

static const struct model_check_field *find_field(const char *key, size_t len)
{
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	for (size_t i = 0; i < count; i++)
		if (strlen(fields[i].key) == len && strncmp(fields[i].key, key, len) == 0)
			return &fields[i];
	return NULL;
}

/* Count the fields that the first cell of a row of a table names: `one`, `two` | … */
static unsigned count_named(const char *line, bool *documented)
{
	unsigned count = 0;
	const char *end = strstr(line + 2, " | ");
	size_t all;
	for (const char *p = strchr(line, '`'); p != NULL && p < end; p = strchr(p, '`')) {
		size_t len = strcspn(++p, "`");
		const struct model_check_field *f = find_field(p, len);
		if (f == NULL)
			fail_msg("docs/formats.md has a field that no check has: %.*s", (int)len, p);
		documented[f - model_check_fields(&all)] = true;
		count++;
		p += len + 1;
	}
	return count;
}

static void the_documentation_has_the_same_fields(void **state)
{
	char *text = NULL;
	size_t len = 0, count;
	const struct model_check_field *fields = model_check_fields(&count);
	bool documented[128] = {false};
	(void)state;
	assert_true(count < sizeof documented);
	assert_int_equal(file_read("docs/formats.md", 1 << 20, &text, &len, NULL), VEER_OK);
	char *begin = strstr(text, "\n### check "), *end = strstr(text, "\n### pool ");
	assert_true(begin != NULL && end != NULL && begin < end);
	*end = '\0';
	unsigned named = 0;
	for (char *line = strstr(begin, "\n| `"); line != NULL; line = strstr(line + 1, "\n| `"))
		if (find_field(line + 4, strcspn(line + 4, "`")) != NULL)
			named += count_named(line + 1, documented);
	assert_true(named > 40);
	for (size_t i = 0; i < count; i++)
		if (!documented[i] && strcmp(fields[i].key, "name") != 0)
			fail_msg("docs/formats.md does not have the field %s", fields[i].key);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_whole_and_each_place_is_one_fields),
		cmocka_unit_test(the_documentation_has_the_same_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
