/* SPDX-License-Identifier: Apache-2.0 */
/* When tokens were last used: this is remembered up to a limit, and only as long as the token exists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/token_use.h"

static void note(struct token_uses *uses, int number, int64_t now_s)
{
	char id[TOKEN_USE_ID_SIZE];
	(void)snprintf(id, sizeof id, "t-%d", number);
	token_use_note(uses, id, now_s);
}

static bool is_even(void *ctx, const char *id)
{
	(void)ctx;
	return (id[strlen(id) - 1] - '0') % 2 == 0;
}

static void the_one_that_was_not_used_for_longest_is_forgotten_at_the_limit(void **state)
{
	struct token_uses *uses = token_uses_new();
	(void)state;
	for (int i = 0; i < TOKEN_USE_MAX; i++)
		note(uses, i, 1000 + i);
	assert_false(token_use_is_crowded(uses));
	note(uses, 0, 9000); /* it is now the newest */
	note(uses, TOKEN_USE_MAX, 9001);
	assert_true(token_use_is_crowded(uses));
	assert_false(token_use_is_crowded(uses));
	assert_int_equal(token_use_last_s(uses, "t-0"), 9000);
	assert_int_equal(token_use_last_s(uses, "t-1"), 0);
	assert_int_equal(token_use_last_s(uses, "t-2"), 1002);
	assert_int_equal(token_use_last_s(uses, "t-4096"), 9001);
	token_uses_free(&uses);
}

static void tokens_that_are_gone_make_room(void **state)
{
	struct token_uses *uses = token_uses_new();
	(void)state;
	for (int i = 0; i < TOKEN_USE_MAX; i++)
		note(uses, i, 1000 + i);
	token_use_keep(uses, is_even, NULL);
	assert_int_equal(token_use_last_s(uses, "t-11"), 0);
	assert_int_equal(token_use_last_s(uses, "t-12"), 1012);
	for (int i = 0; i < TOKEN_USE_MAX / 2; i++)
		note(uses, 100000 + i, 5000);
	assert_false(token_use_is_crowded(uses));
	assert_int_equal(token_use_last_s(uses, "t-0"), 1000);
	token_uses_free(&uses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_that_was_not_used_for_longest_is_forgotten_at_the_limit),
		cmocka_unit_test(tokens_that_are_gone_make_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
