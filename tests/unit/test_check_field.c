/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of kinds of checks and of their fields agree with each other, and docs/formats.md with both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "zones/model/check_field.h"
#include "zones/model/check_kind.h"

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

/* --- kinds ------------------------------------------------------------------------------------------------------- */

static unsigned probed_kinds(void)
{
	unsigned kinds = 0;
	for (unsigned i = 0; i < MODEL_CHECK_KIND_COUNT; i++)
		if (model_check_kind_row((enum model_check_kind)i)->probing == MODEL_CHECK_BY_AGENTS)
			kinds |= 1u << i;
	return kinds;
}

/* The kind of this name as a bit. */
static unsigned kind_bit(const char *text, size_t len)
{
	for (unsigned i = 0; i < MODEL_CHECK_KIND_COUNT; i++) {
		const char *kind = model_check_kind_text((enum model_check_kind)i);
		if (strlen(kind) == len && strncmp(kind, text, len) == 0)
			return 1u << i;
	}
	fail_msg("no check is of the kind %.*s", (int)len, text);
	return 0;
}

/* The default ports with the kinds that have them, and what follows. */
static void list_ports(struct buf *out, const char *open, const char *between, const char *close, const char *end)
{
	for (int i = 0; i < MODEL_CHECK_KIND_COUNT; i++) {
		int32_t port = model_check_kind_row((enum model_check_kind)i)->default_port;
		bool is_first = port > 0;
		for (int k = 0; k < i; k++)
			is_first = is_first && model_check_kind_row((enum model_check_kind)k)->default_port != port;
		if (!is_first)
			continue;
		buf_printf(out, "%s%d%s%s", out->len > 0 ? ", " : "", port, open,
			   model_check_kind_text((enum model_check_kind)i));
		for (int k = i + 1; k < MODEL_CHECK_KIND_COUNT; k++)
			if (model_check_kind_row((enum model_check_kind)k)->default_port == port)
				buf_printf(out, "%s%s", between, model_check_kind_text((enum model_check_kind)k));
		buf_puts(out, close);
	}
	buf_puts(out, end);
}

static void the_fields_kind_and_port_say_what_the_table_of_kinds_says(void **state)
{
	struct buf kinds, ports;
	unsigned with_port = 0;
	(void)state;
	buf_init(&kinds, 1024);
	buf_init(&ports, 1024);
	buf_puts(&kinds, "required:");
	for (unsigned i = 0; i < MODEL_CHECK_KIND_COUNT; i++) {
		const struct model_check_kind_row *row = model_check_kind_row((enum model_check_kind)i);
		buf_printf(&kinds, " %s", row->text);
		with_port |= (row->default_port != MODEL_PORT_NONE ? 1u : 0u) << i;
	}
	list_ports(&ports, " (", ", ", ")", ", else required");
	assert_string_equal(find_field("kind", 4)->help, kinds.data);
	assert_string_equal(find_field("port", 4)->help, ports.data);
	assert_int_equal(find_field("port", 4)->kinds, with_port);
	assert_int_equal(find_field("interval_ms", 11)->kinds, probed_kinds());
	buf_deinit(&kinds);
	buf_deinit(&ports);
}

/* --- docs/formats.md --------------------------------------------------------------------------------------------- */

struct docs {
	char *text;
	char *begin; /* of the section on checks, a string */
	bool documented[128];
	unsigned kinds; /* of the row before, for "the same" */
	bool needs_tls;
};

static void open_docs(struct docs *d)
{
	size_t len = 0;
	*d = (struct docs){.text = NULL};
	assert_int_equal(file_read("docs/formats.md", 1 << 20, &d->text, &len, NULL), VEER_OK);
	char *end = strstr(d->text, "\n### pool ");
	d->begin = strstr(d->text, "\n### check ");
	assert_true(d->begin != NULL && end != NULL && d->begin < end);
	*end = '\0';
}

/* The cell number `at` of a row, from 0, without the blanks around it. */
static const char *cell(const char *line, int at, size_t *len)
{
	const char *begin = strchr(line, '|') + 1;
	for (; at > 0; at--)
		begin = strchr(begin, '|') + 1;
	begin += strspn(begin, " ");
	*len = strcspn(begin, "|");
	while (*len > 0 && begin[*len - 1] == ' ')
		(*len)--;
	return begin;
}

/* The next word in `…` before `end`, from *at on; NULL: there is none. */
static const char *next_quoted(const char **at, const char *end, size_t *len)
{
	const char *begin = strchr(*at, '`');
	if (begin == NULL || begin >= end)
		return NULL;
	*len = strcspn(++begin, "`");
	*at = begin + *len + 1;
	return begin;
}

/* Read "http(s), grpc", "all but icmp" and so on; nothing means all, too. */
static void read_kinds(struct docs *d, const char *text, size_t len)
{
	static const char but[] = "all but ", tls[] = " with `tls`", same[] = "〃";
	char phrase[128], *at = phrase;
	assert_true(len < sizeof phrase);
	memcpy(phrase, text, len);
	phrase[len] = '\0';
	if (strcmp(phrase, same) == 0)
		return;
	char *with = strstr(phrase, tls);
	bool is_all = phrase[0] == '\0' || strcmp(phrase, "all") == 0, is_but = strncmp(phrase, but, strlen(but)) == 0;
	d->needs_tls = with != NULL;
	if (with != NULL)
		*with = '\0';
	unsigned kinds = 0;
	for (at += is_but ? strlen(but) : 0; !is_all && *at != '\0'; at += strspn(at, ", ")) {
		size_t word = strcspn(at, ",");
		kinds |= word == 7 && strncmp(at, "http(s)", 7) == 0 ? kind_bit("http", 4) | kind_bit("https", 5)
								     : kind_bit(at, word);
		at += word;
	}
	d->kinds = is_all || is_but ? probed_kinds() & ~kinds : kinds;
}

/* Compare a row's fields with those of that name: `one`, `two` | kinds | … */
static void compare_row(struct docs *d, const char *line, bool is_probed)
{
	size_t len, all;
	const struct model_check_field *fields = model_check_fields(&all);
	const char *at = cell(line, 0, &len), *end = at + len, *kinds = cell(line, is_probed ? 1 : 2, &len), *key;
	if (is_probed) {
		read_kinds(d, kinds, len);
	} else {
		d->kinds = kind_bit(kinds, strcspn(kinds, ":"));
		d->needs_tls = false;
	}
	while ((key = next_quoted(&at, end, &len)) != NULL) {
		const struct model_check_field *f = find_field(key, len);
		if (f == NULL)
			fail_msg("docs/formats.md has a field that no check has: %.*s", (int)len, key);
		d->documented[f - fields] = true;
		unsigned its = is_probed ? f->kinds & probed_kinds() : f->kinds;
		if (its != d->kinds || f->needs_tls != d->needs_tls)
			fail_msg("docs/formats.md says that the field %s is of other kinds than in check_field.c (%x, "
				 "%x)",
				 f->key, d->kinds, its);
	}
}

/* The fields that kinds which are not probed have, too: "They have `name`, … as above". */
static void compare_common(struct docs *d, const char *sentence)
{
	const char *at = sentence, *end = strstr(sentence, " as above"), *key;
	size_t len, count;
	const struct model_check_field *fields = model_check_fields(&count);
	bool is_named[128] = {false};
	assert_non_null(end);
	while ((key = next_quoted(&at, end, &len)) != NULL) {
		const struct model_check_field *f = find_field(key, len);
		assert_non_null(f);
		is_named[f - fields] = true;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned all = (1u << MODEL_CHECK_KIND_COUNT) - 1, others = fields[i].kinds & ~probed_kinds();
		bool is_common = others != 0 && fields[i].kinds != others;
		if (is_common != is_named[i] || (is_common && fields[i].kinds != all))
			fail_msg("docs/formats.md and check_field.c differ in whether push and calculated have %s",
				 fields[i].key);
	}
	d->documented[find_field("name", 4) - fields] = true;
}

static void the_documentation_has_the_same_fields_of_the_same_kinds(void **state)
{
	struct docs d;
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	(void)state;
	assert_true(count < sizeof d.documented);
	open_docs(&d);
	const char *others = strstr(d.begin, "They have `name`");
	assert_non_null(others);
	for (char *line = strstr(d.begin, "\n| `"); line != NULL; line = strstr(line + 1, "\n| `"))
		if (find_field(line + 4, strcspn(line + 4, "`")) != NULL || line > others)
			compare_row(&d, line + 1, line < others);
	compare_common(&d, others);
	for (size_t i = 0; i < count; i++)
		if (!d.documented[i])
			fail_msg("docs/formats.md does not have the field %s", fields[i].key);
	free(d.text);
}

static void the_documentation_has_the_same_kinds_and_default_ports(void **state)
{
	struct docs d;
	struct buf ports;
	size_t len, word_len;
	const char *word;
	(void)state;
	open_docs(&d);
	buf_init(&ports, 1024);
	const char *row = strstr(d.begin, "\n| `kind` |");
	assert_non_null(row);
	const char *at = cell(row, 3, &len), *end = at + len;
	for (unsigned i = 0; i < MODEL_CHECK_KIND_COUNT; i++) {
		word = next_quoted(&at, end, &word_len);
		if (word == NULL || kind_bit(word, word_len) != 1u << i)
			fail_msg("docs/formats.md does not have the kind %s in its place",
				 model_check_kind_text((enum model_check_kind)i));
	}
	assert_null(next_quoted(&at, end, &word_len));
	row = strstr(d.begin, "\n| `port` |");
	assert_non_null(row);
	const char *said = cell(row, 2, &len);
	list_ports(&ports, " ", " and ", "", "; else required");
	assert_int_equal(ports.len, len);
	assert_memory_equal(ports.data, said, len);
	buf_deinit(&ports);
	free(d.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_whole_and_each_place_is_one_fields),
		cmocka_unit_test(the_fields_kind_and_port_say_what_the_table_of_kinds_says),
		cmocka_unit_test(the_documentation_has_the_same_fields_of_the_same_kinds),
		cmocka_unit_test(the_documentation_has_the_same_kinds_and_default_ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
