/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static json_t *parse(const char *text)
{
	struct veer_diag diag = {.text = ""};
	json_t *value = NULL;
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s: %s", text, diag.text);
	return value;
}

static void hostile_texts_are_refused_with_their_place(void **state)
{
	(void)state;
	const struct {
		const char *text;
		enum veer_err err;
		const char *says;
	} cases[] = {
		{"", VEER_EINVAL, "line 1"},
		{" ", VEER_EINVAL, "line 1"},
		{"{", VEER_EINVAL, "line 1"},
		{"}", VEER_EINVAL, "line 1"},
		{"[1,]", VEER_EINVAL, "line 1"},
		{"{\"a\":}", VEER_EINVAL, "line 1"},
		{"{\"a\":1,}", VEER_EINVAL, "line 1"},
		{"{\"a\" 1}", VEER_EINVAL, "line 1"},
		{"{a:1}", VEER_EINVAL, "line 1"},
		{"{'a':1}", VEER_EINVAL, "line 1"},
		{"{\"a\":1}\n\nx", VEER_EINVAL, "line 3"},
		{"{\"a\":1}{\"a\":2}", VEER_EINVAL, "line 1"},
		{"{\"a\":1,\n\"a\":2}", VEER_EINVAL, "duplicate"},
		{"{\"a\":1,\"\\u0061\":2}", VEER_EINVAL, "duplicate"},
		{"\"\\u0000\"", VEER_EINVAL, "line 1"},
		{"{\"\\u0000\":1}", VEER_EINVAL, "line 1"},
		{"\"\\ud800\"", VEER_EINVAL, "line 1"},
		{"\"\\udc00\\ud800\"", VEER_EINVAL, "line 1"},
		{"\"\\x41\"", VEER_EINVAL, "line 1"},
		{"\"a", VEER_EINVAL, "line 1"},
		{"\"a\nb\"", VEER_EINVAL, "line 1"},
		{"\"\x01\"", VEER_EINVAL, "line 1"},
		{"\"\xff\"", VEER_EINVAL, "decode"},
		{"\"\xc0\x80\"", VEER_EINVAL, "decode"},
		{"\"\xed\xa0\x80\"", VEER_EINVAL, "decode"},
		{"\"\xf5\x80\x80\x80\"", VEER_EINVAL, "decode"},
		{"\xef\xbb\xbf{}", VEER_EINVAL, "line 1"},
		{"01", VEER_EINVAL, "line 1"},
		{"+1", VEER_EINVAL, "line 1"},
		{".5", VEER_EINVAL, "line 1"},
		{"1.", VEER_EINVAL, "line 1"},
		{"0x10", VEER_EINVAL, "line 1"},
		{"1e999", VEER_EINVAL, "line 1"},
		{"9223372036854775808", VEER_EINVAL, "big"},
		{"NaN", VEER_EINVAL, "line 1"},
		{"Infinity", VEER_EINVAL, "line 1"},
		{"True", VEER_EINVAL, "line 1"},
		{"nul", VEER_EINVAL, "line 1"},
		{"/* c */ 1", VEER_EINVAL, "line 1"},
		{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", VEER_ERANGE, "deeper than 32"},
		{"[\n[\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", VEER_ERANGE, "line 3"},
		{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
		 "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
		 "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}}}}}}}"
		 "}}}}}}}}}}",
		 VEER_ERANGE, "deeper than 32"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		json_t *value = NULL;
		size_t len = strlen(cases[i].text);
		/* an exact heap block, so that the address sanitizer detects an access beyond it */
		char *copy = malloc(len + 1);
		memcpy(copy, cases[i].text, len);
		enum veer_err err = veer_json_parse(copy, len, 1 << 20, &value, &diag);
		free(copy);
		if (err != cases[i].err || strstr(diag.text, cases[i].says) == NULL)
			fail_msg("case %zu %s: %d '%s'", i, cases[i].text, err, diag.text);
		assert_null(value);
	}
}

static void raw_nul_and_long_texts_are_refused(void **state)
{
	(void)state;
	struct veer_diag diag;
	json_t *value = NULL;
	assert_int_equal(veer_json_parse("{}\0{}", 5, 100, &value, &diag), VEER_EINVAL);
	assert_int_equal(veer_json_parse("\"a\0b\"", 5, 100, &value, &diag), VEER_EINVAL);
	assert_int_equal(veer_json_parse("[1, 2]", 6, 5, &value, &diag), VEER_ERANGE);
	assert_int_equal(veer_json_parse(NULL, 0, 5, &value, NULL), VEER_EINVAL);
	assert_null(value);
}

static void what_comes_out_goes_in_again(void **state)
{
	(void)state;
	const char *const texts[] = {
		"null",
		"true",
		"0",
		"-9223372036854775808",
		"9007199254740993",
		"\"\xc3\xa4\\n\\\"/\"",
		"[]",
		"{}",
		"{\"z\":1,\"a\":[1,\"two\",null,{\"k\":false}],\"m\":{}}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		json_t *value = parse(texts[i]);
		char *text = veer_json_dump(value);
		assert_string_equal(text, texts[i]);
		free(text);
		json_decref(value);
	}
}

static void every_truncation_of_a_document_is_refused(void **state)
{
	(void)state;
	const char *text = "{\"a\":[1,-2.5e3,\"\\u00e4\xc3\xa4\"],\"b\":{\"c\":null,\"d\":true}}";
	for (size_t len = 0; len < strlen(text); len++) {
		json_t *value = NULL;
		char *copy = malloc(len + 1);
		memcpy(copy, text, len);
		assert_int_equal(veer_json_parse(copy, len, 1000, &value, NULL), VEER_EINVAL);
		free(copy);
	}
}

static const char *const colours[] = {"red", "green", "blue"};

enum which { STR, STR_OPT, INT, INT_OPT, NUM, BOOL, ENUM, ENUM_OPT, ARRAY, ARRAY_OPT, NOTHING };

static void read_key(struct json_cursor *c, enum which which)
{
	switch (which) {
	case STR:
		(void)veer_json_str(c, "k", 5);
		break;
	case STR_OPT:
		(void)veer_json_str_or(c, "k", 5, NULL);
		break;
	case INT:
		(void)veer_json_int(c, "k", -5, 10);
		break;
	case INT_OPT:
		(void)veer_json_int_or(c, "k", -5, 10, 1);
		break;
	case NUM:
		(void)veer_json_num_or(c, "k", -0.5, 1.5, 0);
		break;
	case BOOL:
		(void)veer_json_bool_or(c, "k", false);
		break;
	case ENUM:
		(void)veer_json_enum_or(c, "k", colours, 3, -1);
		break;
	case ENUM_OPT:
		(void)veer_json_enum_or(c, "k", colours, 3, 2);
		break;
	case ARRAY:
		(void)veer_json_array(c, "k", 2, true);
		break;
	case ARRAY_OPT:
		(void)veer_json_array(c, "k", 2, false);
		break;
	case NOTHING:
		break;
	}
}

static void the_cursor_accepts_and_refuses(void **state)
{
	(void)state;
	const struct {
		const char *text;
		enum which which;
		enum veer_err err;
		const char *says;
	} cases[] = {
		{"{\"k\":\"abcde\"}", STR, VEER_OK, ""},
		{"{\"k\":\"abcdef\"}", STR, VEER_ERANGE, "/x/k: must be at most 5 bytes"},
		{"{\"k\":\"\xc3\xa4\xc3\xa4\xc3\xa4\"}", STR, VEER_ERANGE, "/x/k"},
		{"{\"k\":1}", STR, VEER_EINVAL, "/x/k: must be a string"},
		{"{\"k\":null}", STR, VEER_EINVAL, "/x/k: is missing"},
		{"{}", STR, VEER_EINVAL, "/x/k: is missing"},
		{"{\"K\":\"a\"}", STR, VEER_EINVAL, "/x/k: is missing"},
		{"{}", STR_OPT, VEER_OK, ""},
		{"{\"k\":null}", STR_OPT, VEER_OK, ""},
		{"{\"k\":[]}", STR_OPT, VEER_EINVAL, "/x/k: must be a string"},
		{"{\"k\":-5}", INT, VEER_OK, ""},
		{"{\"k\":10}", INT, VEER_OK, ""},
		{"{\"k\":-6}", INT, VEER_ERANGE, "/x/k: must be from -5 to 10"},
		{"{\"k\":11}", INT, VEER_ERANGE, "from -5 to 10"},
		{"{\"k\":9223372036854775807}", INT, VEER_ERANGE, "from -5 to 10"},
		{"{\"k\":1.0}", INT, VEER_EINVAL, "integer"},
		{"{\"k\":\"1\"}", INT, VEER_EINVAL, "integer"},
		{"{\"k\":true}", INT, VEER_EINVAL, "integer"},
		{"{}", INT, VEER_EINVAL, "missing"},
		{"{}", INT_OPT, VEER_OK, ""},
		{"{\"k\":null}", INT_OPT, VEER_OK, ""},
		{"{\"k\":\"\"}", INT_OPT, VEER_EINVAL, "integer"},
		{"{\"k\":1.5}", NUM, VEER_OK, ""},
		{"{\"k\":1}", NUM, VEER_OK, ""},
		{"{\"k\":2}", NUM, VEER_ERANGE, "from -0.5 to 1.5"},
		{"{\"k\":-1e300}", NUM, VEER_ERANGE, "from -0.5 to 1.5"},
		{"{\"k\":\"1\"}", NUM, VEER_EINVAL, "number"},
		{"{\"k\":true}", BOOL, VEER_OK, ""},
		{"{}", BOOL, VEER_OK, ""},
		{"{\"k\":0}", BOOL, VEER_EINVAL, "true or false"},
		{"{\"k\":\"false\"}", BOOL, VEER_EINVAL, "true or false"},
		{"{\"k\":\"green\"}", ENUM, VEER_OK, ""},
		{"{\"k\":\"Green\"}", ENUM, VEER_EINVAL, "must be red, green or blue"},
		{"{\"k\":\"\"}", ENUM, VEER_EINVAL, "red, green or blue"},
		{"{\"k\":1}", ENUM, VEER_EINVAL, "red, green or blue"},
		{"{}", ENUM, VEER_EINVAL, "missing"},
		{"{}", ENUM_OPT, VEER_OK, ""},
		{"{\"k\":[1,2]}", ARRAY, VEER_OK, ""},
		{"{\"k\":[1,2,3]}", ARRAY, VEER_ERANGE, "at most 2 elements"},
		{"{\"k\":{}}", ARRAY, VEER_EINVAL, "array"},
		{"{}", ARRAY, VEER_EINVAL, "missing"},
		{"{}", ARRAY_OPT, VEER_OK, ""},
		{"{\"k\":\"a\"}", ARRAY_OPT, VEER_EINVAL, "array"},
		{"{\"k\":\"a\",\"l\":1}", STR, VEER_EINVAL, "/x/l: unknown key"},
		{"{\"l\":1,\"k\":\"a\"}", STR, VEER_EINVAL, "/x/l: unknown key"},
		{"{\"k\":1}", NOTHING, VEER_EINVAL, "/x/k: unknown key"},
		{"{\"a/b~c\":1}", NOTHING, VEER_EINVAL, "/x/a~1b~0c: unknown key"},
		{"{\"\\n\":1}", NOTHING, VEER_EINVAL, "/x/?: unknown key"},
		{"{\"\":1}", NOTHING, VEER_EINVAL, "/x/: unknown key"},
		{"[]", NOTHING, VEER_EINVAL, "/x: must be an object"},
		{"1", STR, VEER_EINVAL, "/x: must be an object"},
		{"null", INT_OPT, VEER_EINVAL, "/x: must be an object"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct json_cursor c;
		struct veer_diag diag = {.text = ""};
		json_t *value = parse(cases[i].text);
		veer_json_begin(&c, value, "/x", &diag);
		read_key(&c, cases[i].which);
		enum veer_err err = veer_json_end(&c);
		if (err != cases[i].err || strstr(diag.text, cases[i].says) == NULL)
			fail_msg("case %zu %s: %d '%s'", i, cases[i].text, err, diag.text);
		json_decref(value);
	}
}

static void the_first_error_sticks(void **state)
{
	(void)state;
	struct json_cursor c;
	struct veer_diag diag = {.text = ""};
	json_t *value = parse("{\"a\":\"x\",\"b\":2}");
	veer_json_begin(&c, value, "", &diag);
	assert_int_equal(veer_json_int(&c, "a", 3, 9), 3);
	assert_int_equal(veer_json_int(&c, "b", 0, 9), 0);
	assert_string_equal(veer_json_str(&c, "zzz", 9), "");
	assert_null(veer_json_any(&c, "b"));
	assert_false(veer_json_has(&c, "b"));
	veer_json_fail(&c, "b", VEER_ERANGE, "later");
	assert_int_equal(veer_json_end(&c), VEER_EINVAL);
	assert_string_equal(diag.text, "/a: must be an integer");
	json_decref(value);
	veer_json_begin(&c, NULL, "", &diag);
	assert_int_equal(veer_json_end(&c), VEER_EINVAL);
	assert_string_equal(diag.text, "the whole document: must be an object");
	veer_json_begin(&c, NULL, "", NULL);
	assert_int_equal(veer_json_end(&c), VEER_EINVAL);
}

static void asking_twice_hides_no_unknown_key(void **state)
{
	(void)state;
	struct json_cursor c;
	json_t *value = parse("{\"a\":1,\"b\":2}");
	veer_json_begin(&c, value, "", NULL);
	assert_int_equal(veer_json_int(&c, "a", 0, 9), 1);
	assert_int_equal(veer_json_int(&c, "a", 0, 9), 1);
	assert_true(veer_json_has(&c, "b"));
	assert_int_equal(veer_json_end(&c), VEER_EINVAL);
	veer_json_begin(&c, value, "", NULL);
	(void)veer_json_any(&c, "b");
	assert_int_equal(veer_json_int(&c, "a", 0, 9), 1);
	assert_int_equal(veer_json_end(&c), VEER_OK);
	json_decref(value);
}

static void values_come_back_as_they_are(void **state)
{
	(void)state;
	struct json_cursor c;
	json_t *value = parse("{\"s\":\"x\",\"i\":-3,\"r\":0.25,\"t\":true,\"e\":\"blue\",\"l\":[1],\"n\":null}");
	veer_json_begin(&c, value, "", NULL);
	assert_string_equal(veer_json_str(&c, "s", 9), "x");
	assert_string_equal(veer_json_str_or(&c, "none", 9, "dflt"), "dflt");
	assert_int_equal(veer_json_int_or(&c, "i", -9, 9, 0), -3);
	assert_int_equal(veer_json_int_or(&c, "n", -9, 9, 4), 4);
	assert_true(veer_json_num_or(&c, "r", 0, 1, 9) > 0.24 && veer_json_num_or(&c, "r", 0, 1, 9) < 0.26);
	assert_true(veer_json_bool_or(&c, "t", false));
	assert_true(veer_json_bool_or(&c, "none", true));
	assert_int_equal(veer_json_enum_or(&c, "e", colours, 3, -1), 2);
	assert_int_equal(veer_json_enum_or(&c, "none", colours, 3, 1), 1);
	assert_int_equal(json_array_size(veer_json_array(&c, "l", 9, true)), 1);
	assert_false(veer_json_has(&c, "n"));
	assert_true(veer_json_has(&c, "s"));
	assert_int_equal(veer_json_end(&c), VEER_OK);
	json_decref(value);
}

static void children_know_where_they_are(void **state)
{
	(void)state;
	struct json_cursor c;
	struct json_cursor child;
	struct veer_diag diag = {.text = ""};
	json_t *value = parse("{\"list\":[{\"a\":1},{\"b\":1}],\"o/p\":{\"c\":1}}");
	veer_json_begin(&c, value, "/pools/0", &diag);
	const json_t *list = veer_json_array(&c, "list", 9, true);
	veer_json_begin_child(&child, &c, "list", 1, json_array_get(list, 1));
	assert_int_equal(veer_json_end(&child), VEER_EINVAL);
	assert_string_equal(diag.text, "/pools/0/list/1/b: unknown key");
	veer_json_begin_child(&child, &c, "o/p", -1, veer_json_any(&c, "o/p"));
	assert_int_equal(veer_json_end(&child), VEER_EINVAL);
	assert_string_equal(diag.text, "/pools/0/o~1p/c: unknown key");
	json_decref(value);
}

static void very_long_places_are_cut_not_overrun(void **state)
{
	(void)state;
	char pointer[1000];
	char key[400];
	struct json_cursor c;
	struct json_cursor child;
	struct veer_diag diag = {.text = ""};
	memset(pointer, '/', sizeof pointer - 1);
	pointer[sizeof pointer - 1] = '\0';
	memset(key, '~', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	json_t *value = json_object();
	(void)json_object_set_new(value, key, json_integer(1));
	veer_json_begin(&c, value, pointer, &diag);
	veer_json_begin_child(&child, &c, key, 12345, value);
	assert_int_equal(veer_json_end(&child), VEER_EINVAL);
	assert_int_equal(veer_json_end(&c), VEER_EINVAL);
	assert_true(strlen(diag.text) < sizeof diag.text);
	json_decref(value);
}

static void objects_of_64_keys_are_read_and_65_refused(void **state)
{
	(void)state;
	json_t *value = json_object();
	struct json_cursor c;
	char key[16];
	for (int i = 0; i < 65; i++) {
		veer_json_begin(&c, value, "", NULL);
		for (int j = 0; j < i; j++) {
			(void)snprintf(key, sizeof key, "k%d", j);
			assert_int_equal(veer_json_int(&c, key, 0, 99), j);
		}
		assert_int_equal(veer_json_end(&c), VEER_OK);
		(void)snprintf(key, sizeof key, "k%d", i);
		(void)json_object_set_new(value, key, json_integer(i));
	}
	veer_json_begin(&c, value, "", NULL);
	assert_int_equal(veer_json_end(&c), VEER_ERANGE);
	json_decref(value);
}

/* The allocation with this number, counted down, fails. */
static int fails_in;

static void *allocate(size_t size)
{
	return --fails_in == 0 ? NULL : malloc(size);
}

static void memory_that_is_out_is_no_malformed_text(void **state)
{
	json_t *value = NULL;
	(void)state;
	json_set_alloc_funcs(allocate, free);
	for (int n = 1; n <= 2; n++) { /* the parser's buffer, and the object */
		fails_in = n;
		assert_int_equal(veer_json_parse("{\"a\":1}", 7, 100, &value, NULL), VEER_ENOMEM);
	}
	json_set_alloc_funcs(malloc, free);
}

static void values_are_counted_before_anything_is_built(void **state)
{
	(void)state;
	const struct {
		const char *text;
		size_t nodes;
		bool fits;
	} cases[] = {
		{"1", 1, true},
		{"[]", 2, true},
		{"[]", 1, false},
		{"[1,2,3]", 4, true},
		{"[1,2,3]", 3, false},
		{"{\"a\":[1,{\"b\":2}]}", 5, true},
		{"{\"a\":[1,{\"b\":2}]}", 4, false},
		{"[\",,,[[[{{{\"]", 2, true},
		{"[\"\\\",,,,\"]", 2, true},
		{"[1,\n2,\n3", 3, false}, /* up to the place where reading stopped */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		json_t *value = NULL;
		enum veer_err err = veer_json_parse_nodes(cases[i].text, strlen(cases[i].text), 1 << 20, cases[i].nodes,
							  &value, &diag);
		json_decref(value);
		if (err != (cases[i].fits ? VEER_OK : VEER_ERANGE))
			fail_msg("%s with %zu: %d, %s", cases[i].text, cases[i].nodes, (int)err, diag.text);
		if (!cases[i].fits)
			assert_non_null(strstr(diag.text, "values"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_counted_before_anything_is_built),
		cmocka_unit_test(memory_that_is_out_is_no_malformed_text),
		cmocka_unit_test(hostile_texts_are_refused_with_their_place),
		cmocka_unit_test(raw_nul_and_long_texts_are_refused),
		cmocka_unit_test(what_comes_out_goes_in_again),
		cmocka_unit_test(every_truncation_of_a_document_is_refused),
		cmocka_unit_test(the_cursor_accepts_and_refuses),
		cmocka_unit_test(the_first_error_sticks),
		cmocka_unit_test(asking_twice_hides_no_unknown_key),
		cmocka_unit_test(values_come_back_as_they_are),
		cmocka_unit_test(children_know_where_they_are),
		cmocka_unit_test(very_long_places_are_cut_not_overrun),
		cmocka_unit_test(objects_of_64_keys_are_read_and_65_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
