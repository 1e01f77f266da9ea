/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "zones/plan/feed_reader.h"

/* The calls of the sink, one word each. */
struct heard {
	char text[8192];
	size_t len;
	enum veer_err answer; /* the result of every call */
};

__attribute__((format(printf, 2, 3))) static void note(struct heard *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(h->text + h->len, sizeof h->text - h->len, fmt, ap);
	va_end(ap);
	h->len += (size_t)n;
	assert_true(h->len < sizeof h->text);
}

static enum veer_err on_hello(void *ctx, const struct feed_hello *hello, struct veer_diag *diag)
{
	(void)diag;
	note(ctx, "hello:%.4s:%d ", hello->store_id, (int)hello->revision);
	if (strcmp(hello->lineage, hello->store_id) != 0)
		note(ctx, "lineage:%.4s of %zu ", hello->lineage, hello->ancestry->count);
	return ((struct heard *)ctx)->answer;
}

static enum veer_err on_reset(void *ctx, struct veer_diag *diag)
{
	(void)diag;
	note(ctx, "reset ");
	return ((struct heard *)ctx)->answer;
}

/* The octets for the disk mean the same as the parsed object. */
static void assert_value_is_object(const struct feed_change *change)
{
	json_t *value = NULL;
	assert_non_null(change->object);
	assert_int_equal(veer_json_parse((const char *)change->value, change->value_len, 1 << 20, &value, NULL),
			 VEER_OK);
	assert_true(json_equal(value, change->object));
	json_decref(value);
}

static enum veer_err on_change(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	(void)diag;
	assert_int_equal(strlen(change->key), change->key_len);
	if (change->is_del)
		note(ctx, "del:%s:%s ", model_kind_text(change->kind), change->key);
	else if (change->kind == MODEL_KIND_RRSET)
		note(ctx, "put:%s=%c%d ", change->key, change->value[0], (int)change->value_len);
	else
		note(ctx, "put:%s:%s ", model_kind_text(change->kind), change->key);
	if (!change->is_del && change->kind != MODEL_KIND_RRSET)
		assert_value_is_object(change);
	else
		assert_null(change->object);
	return ((struct heard *)ctx)->answer;
}

static enum veer_err on_commit(void *ctx, int64_t revision, struct veer_diag *diag)
{
	(void)diag;
	note(ctx, "commit:%d ", (int)revision);
	return ((struct heard *)ctx)->answer;
}

static enum veer_err on_doubt(void *ctx, const char *const *endpoints, size_t count, struct veer_diag *diag)
{
	(void)diag;
	note(ctx, "doubt:%d", (int)count);
	for (size_t i = 0; i < count; i++)
		note(ctx, ":%s", endpoints[i]);
	note(ctx, " ");
	return ((struct heard *)ctx)->answer;
}

static void on_counted(void *ctx, const struct digest_pair *added)
{
	note(ctx, "#%04x/%04x ", (unsigned)(added->content.low & 0xffff), (unsigned)(added->state.low & 0xffff));
}

static const struct feed_sink sink = {on_hello, on_reset, on_change, on_commit, on_doubt, NULL, on_counted};

#define HELLO "{\"type\":\"hello\",\"format\":1,\"store_id\":\"0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b\",\"revision\":12}\n"

static enum veer_err read_in_pieces(const char *text, size_t len, size_t piece, struct heard *h, struct veer_diag *diag)
{
	struct feed_reader *reader = feed_reader_new(&sink, h);
	enum veer_err err = VEER_OK;
	assert_non_null(reader);
	for (size_t at = 0; at < len && err == VEER_OK; at += piece)
		err = feed_reader_push(reader, text + at, len - at < piece ? len - at : piece, diag);
	feed_reader_free(&reader);
	return err;
}

static void the_golden_stream_is_read_the_same_however_it_is_cut(void **state)
{
	char *text = NULL;
	size_t len = 0;
	struct heard whole = {.len = 0};
	(void)state;
	assert_int_equal(file_read("tests/data/formats/feed.ndjson", 1 << 20, &text, &len, NULL), VEER_OK);
	assert_int_equal(read_in_pieces(text, len, len, &whole, NULL), VEER_OK);
	assert_non_null(strstr(whole.text, "hello:0b8a:11 lineage:5d0c of 2 reset #"));
	assert_non_null(strstr(whole.text, "put:site:fra #"));
	assert_non_null(strstr(whole.text, "put:gslb.example./1/www.gslb.example./A=p4 "));
	assert_non_null(strstr(whole.text, "commit:11 #0000/"));
	assert_non_null(strstr(whole.text, "put:override:iad/iad6 commit:12 doubt:1:iad/iad "));
	for (size_t piece = 1; piece < 64; piece++) {
		struct heard h = {.len = 0};
		assert_int_equal(read_in_pieces(text, len, piece, &h, NULL), VEER_OK);
		assert_string_equal(h.text, whole.text);
	}
	free(text);
}

static void the_octets_are_the_objects_however_the_line_is_written(void **state)
{
	static const char *const lines[] = {
		"{\"type\":\"put\",\"kind\":\"site\",\"key\":\"a\",\"revision\":1,\"object\":{\"name\":\"a\"}}\n",
		/* with blanks, and not as the last member */
		"{\"type\": \"put\", \"kind\": \"site\", \"key\": \"a\", \"object\": {\"name\": \"a\"} }\n",
		"{\"type\":\"put\",\"kind\":\"site\",\"object\":{\"name\":\"a\"},\"key\":\"a\"}\n",
		"{\"object\":{\"name\":\"a\"},\"type\":\"put\",\"kind\":\"site\",\"key\":\"a\"}\n",
		/* members of the same name before it, within another object and in a string */
		"{\"type\":\"put\",\"x\":{\"y\":1,\"object\":{}},\"kind\":\"site\",\"key\":\"a\",\"object\":{\"name\":"
		"\"a\"}}\n",
		"{\"type\":\"put\",\"x\":[{\"y\":1,\"object\":{}}],\"kind\":\"site\",\"key\":\"a\",\"object\":{\"b\":1,"
		"\"object\":{}}}\n",
		"{\"type\":\"put\",\"kind\":\"site\",\"key\":\"a\",\"\\u006fbject\":{\"b\":1,\"object\":{}}}\n",
		"{\"type\":\"put\",\"kind\":\"site\",\"x\":\",\\\"object\\\":{\",\"key\":\"a\",\"object\":{\"name\":"
		"\"a\"}}\n",
		/* a bracket in a string does not count */
		"{\"type\":\"put\",\"kind\":\"zone\",\"key\":\"a{b\\\"[.\",\"object\":{\"version\":1}}\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct heard h = {.len = 0};
		char text[1024];
		int len = snprintf(text, sizeof text, HELLO "%s", lines[i]);
		assert_int_equal(read_in_pieces(text, (size_t)len, (size_t)len, &h, NULL), VEER_OK);
		assert_non_null(strstr(h.text, "put:")); /* and on_change() has compared both */
	}
}

static void bad_lines_are_refused_with_their_number(void **state)
{
	static const struct {
		const char *line;
		enum veer_err err;
	} cases[] = {
		{"{\"type\":\"commit\"}\n", VEER_EINVAL},
		{"{\"type\":\"doubt\"}\n", VEER_EINVAL},
		{"{\"type\":\"doubt\",\"endpoints\":{}}\n", VEER_EINVAL},
		{"{\"type\":\"doubt\",\"endpoints\":[1]}\n", VEER_EINVAL},
		{"{\"type\":\"doubt\",\"endpoints\":[\"web\"]}\n", VEER_EINVAL},
		{"{\"type\":\"doubt\",\"endpoints\":[\"web/a\",\"web/a/b\"]}\n", VEER_EINVAL},
		{"{\"type\":\"commit\",\"revision\":0}\n", VEER_EINVAL},
		{"{\"type\":\"commit\",\"revision\":-4}\n", VEER_EINVAL},
		{"{\"type\":\"put\"}\n", VEER_EINVAL},
		{"{\"type\":\"put\",\"kind\":\"site\",\"key\":\"a\"}\n", VEER_EINVAL},
		{"{\"type\":\"put\",\"kind\":\"site\",\"key\":\"\",\"object\":{}}\n", VEER_EINVAL},
		{"{\"type\":\"put\",\"kind\":\"site\",\"key\":5,\"object\":{}}\n", VEER_EINVAL},
		{"{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"k\",\"object\":{}}\n", VEER_EINVAL},
		{"{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"k\",\"object\":{\"wire\":\"!\"}}\n", VEER_EINVAL},
		{"{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"k\",\"object\":{\"wire\":\"AA==\",\"policy\":\"p\"}}"
		 "\n",
		 VEER_EINVAL},
		{"{\"type\":5}\n", VEER_EINVAL},
		{"{}\n", VEER_EINVAL},
		{"[]\n", VEER_EINVAL},
		{"\n", VEER_EINVAL},
		{"nonsense\n", VEER_EINVAL},
		{HELLO, VEER_EINVAL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct heard h = {.len = 0};
		struct veer_diag diag = {""};
		char text[1024];
		int len = snprintf(text, sizeof text, "%s%s", HELLO, cases[i].line);
		assert_int_equal(read_in_pieces(text, (size_t)len, 7, &h, &diag), cases[i].err);
		assert_non_null(strstr(diag.text, "line 2"));
	}
}

static void what_a_newer_version_may_add_is_ignored(void **state)
{
	static const char text[] = HELLO "{\"type\":\"put\",\"kind\":\"hologram\",\"key\":\"x\",\"object\":{}}\n"
					 "{\"type\":\"put\",\"kind\":\"token\",\"key\":\"x\",\"object\":{}}\n"
					 "{\"type\":\"novelty\",\"x\":1}\n"
					 "{\"type\":\"heartbeat\",\"revision\":12,\"extra\":true}\n";
	struct heard h = {.len = 0};
	(void)state;
	assert_int_equal(read_in_pieces(text, sizeof text - 1, 10, &h, NULL), VEER_OK);
	assert_string_equal(h.text, "hello:0b8a:12 ");
}

static void the_first_line_must_be_a_hello_of_this_format(void **state)
{
	static const struct {
		const char *text;
		enum veer_err err;
	} cases[] = {
		{"{\"type\":\"reset\"}\n", VEER_EINVAL},
		{"{\"type\":\"hello\",\"format\":2,\"store_id\":\"0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b\",\"revision\":1}\n",
		 VEER_EUNSUPPORTED},
		{"{\"type\":\"hello\",\"format\":1,\"store_id\":\"XYZ\",\"revision\":1}\n", VEER_EINVAL},
		{"{\"type\":\"hello\",\"format\":1,\"revision\":1}\n", VEER_EINVAL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct heard h = {.len = 0};
		assert_int_equal(read_in_pieces(cases[i].text, strlen(cases[i].text), 1000, &h, NULL), cases[i].err);
	}
}

static void a_line_without_end_is_cut_at_its_limit(void **state)
{
	struct heard h = {.len = 0};
	char *text = malloc(FEED_READER_LINE_MAX + 2);
	(void)state;
	assert_non_null(text);
	memset(text, ' ', FEED_READER_LINE_MAX + 2);
	assert_int_equal(read_in_pieces(text, FEED_READER_LINE_MAX + 2, 65536, &h, NULL), VEER_ERANGE);
	free(text);
}

static void after_an_error_nothing_more_is_read(void **state)
{
	struct heard h = {.answer = VEER_ESTALE};
	struct feed_reader *reader = feed_reader_new(&sink, &h);
	(void)state;
	assert_int_equal(feed_reader_push(reader, HELLO, sizeof HELLO - 1, NULL), VEER_ESTALE);
	assert_int_equal(feed_reader_push(reader, "{\"type\":\"reset\"}\n", 17, NULL), VEER_EINVAL);
	assert_string_equal(h.text, "hello:0b8a:12 ");
	feed_reader_free(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_stream_is_read_the_same_however_it_is_cut),
		cmocka_unit_test(the_octets_are_the_objects_however_the_line_is_written),
		cmocka_unit_test(bad_lines_are_refused_with_their_number),
		cmocka_unit_test(what_a_newer_version_may_add_is_ignored),
		cmocka_unit_test(the_first_line_must_be_a_hello_of_this_format),
		cmocka_unit_test(a_line_without_end_is_cut_at_its_limit),
		cmocka_unit_test(after_an_error_nothing_more_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
