/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one member of an object's text: the result is that of the parser, wherever the member is and whatever
 * precedes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_peek.h"

static enum veer_err peek(const char *text, char out[16])
{
	memcpy(out, "untouched", sizeof "untouched");
	return veer_json_peek(text, strlen(text), "policy", out, 16);
}

static void must_be(const char *text, const char *want)
{
	char out[16];
	assert_int_equal(peek(text, out), VEER_OK);
	assert_string_equal(out, want);
}

static void must_fail(const char *text, enum veer_err want)
{
	char out[16];
	assert_int_equal(peek(text, out), want);
	assert_string_equal(out, "untouched");
}

static void the_member_is_found_wherever_it_stands(void **state)
{
	(void)state;
	must_be("{\"policy\":\"www\"}", "www");
	must_be(" {\n\t\"policy\" : \"www\" }", "www");
	must_be("{\"owner\":\"WWW.example.\",\"policy\":\"www\"}", "www");
	must_be("{\"a\":{\"policy\":\"no\"},\"b\":[\"policy\",{\"policy\":\"no\"},\"}\"],\"c\":1,\"policy\":\"www\"}",
		"www");
	must_be("{\"a\":\"\\\"policy\\\":\\\"no\\\"\",\"policy\":\"www\"}", "www");
	must_be("{\"policy\":\"w\\u0077w\"}", "www");
	must_be("{\"p\\u006flicy\":\"www\"}", "www");
	must_be("{\"policy\":\"fifteen-letters\"}", "fifteen-letters");
	must_be("{\"policy\":\"\"}", "");
}

static void what_is_not_there_is_not_found(void **state)
{
	(void)state;
	must_fail("{}", VEER_ENOTFOUND);
	must_fail("{\"wire\":\"AAAA\"}", VEER_ENOTFOUND);
	must_fail("{\"wire\":\"{\\\"policy\\\":\\\"no\\\"}\"}", VEER_ENOTFOUND);
	must_fail("{\"a\":{\"policy\":\"no\"}}", VEER_ENOTFOUND);
	must_fail("{\"policy\":7}", VEER_ENOTFOUND);
	must_fail("{\"policyx\":\"no\",\"xpolicy\":\"no\"}", VEER_ENOTFOUND);
	must_fail("{\"policy\":\"sixteen-letters!\"}", VEER_ERANGE);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char whole[] = "{\"a\":[\"x\",{\"b\":\"\\\"\"}],\"policy\":\"www\"}";
	char out[16];
	(void)state;
	must_fail("", VEER_EINVAL);
	must_fail("[\"policy\",\"www\"]", VEER_EINVAL);
	must_fail("\"policy\"", VEER_EINVAL);
	must_fail("{\"a\":]}", VEER_EINVAL);
	for (size_t len = 0; len < sizeof whole - 2; len++) {
		char *cut = test_malloc(len > 0 ? len : 1); /* the sanitizer detects a read beyond it */
		memcpy(cut, whole, len);
		assert_int_not_equal(veer_json_peek(cut, len, "policy", out, sizeof out), VEER_ENOTFOUND);
		test_free(cut);
	}
	must_be(whole, "www");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_member_is_found_wherever_it_stands),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(what_is_no_object_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
