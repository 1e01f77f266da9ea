/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/http/shares.h"

enum { CONNECTIONS = 800, STREAMS = 600 }; /* three quarters of the connections */

static int setup(void **state)
{
	struct shares *shares = calloc(1, sizeof *shares);
	shares_init(shares, CONNECTIONS);
	*state = shares;
	return 0;
}

static int teardown(void **state)
{
	shares_deinit(*state);
	free(*state);
	return 0;
}

static struct api_account *account(struct shares *shares, enum api_role role, const char *id)
{
	struct api_principal who = {.role = role};
	(void)snprintf(who.id, sizeof who.id, "%s", role == API_ROLE_ANONYMOUS ? "" : id);
	struct api_account *a = shares_account(shares, &who, id);
	assert_non_null(a);
	return a;
}

/* How many places of a share the account gets. */
static size_t take_all(struct shares *shares, struct api_account *a, enum api_share share, enum shares_answer *answer)
{
	size_t count = 0;
	while ((*answer = shares_take(shares, a, share, 1)) == SHARES_TAKEN)
		count++;
	return count;
}

static void one_principal_is_one_account(void **state)
{
	struct shares *shares = *state;
	struct api_account *a = account(shares, API_ROLE_TOKEN, "t-1"), *b = account(shares, API_ROLE_TOKEN, "t-1"),
			   *c = account(shares, API_ROLE_AGENT, "t-1");
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_string_equal(a->key, "token t-1");
	assert_int_equal(a->references, 2);
	shares_give(shares, a);
	shares_give(shares, b);
	shares_give(shares, c);
	shares_give(shares, NULL);
	assert_int_equal(shares->accounts.count, 0);
}

static void each_has_its_share_and_tokens_together_a_part(void **state)
{
	struct shares *shares = *state;
	struct api_account *tokens[8], *agent = account(shares, API_ROLE_AGENT, "ag-1"),
				       *owner = account(shares, API_ROLE_OWNER, "");
	enum shares_answer answer;
	size_t together = 0;
	for (size_t i = 0; i < 8; i++) {
		char id[8];
		(void)snprintf(id, sizeof id, "t-%zu", i);
		tokens[i] = account(shares, API_ROLE_TOKEN, id);
		size_t got = take_all(shares, tokens[i], API_SHARE_STREAMS, &answer);
		assert_true(got <= STREAMS / 2 * 5 / 6);
		together += got;
	}
	assert_int_equal(together, STREAMS / 2);
	assert_int_equal(answer, SHARES_ALL_FULL);
	assert_int_equal(take_all(shares, agent, API_SHARE_STREAMS, &answer), 8);
	assert_int_equal(answer, SHARES_OWN_FULL);
	size_t owners = take_all(shares, owner, API_SHARE_STREAMS, &answer);
	assert_int_equal(owners, STREAMS - STREAMS / 2 - 8);
	for (size_t i = 0; i < 8; i++) {
		shares_put_back(shares, tokens[i], API_SHARE_STREAMS, tokens[i]->used[API_SHARE_STREAMS]);
		shares_give(shares, tokens[i]);
	}
	shares_put_back(shares, agent, API_SHARE_STREAMS, 8);
	shares_put_back(shares, owner, API_SHARE_STREAMS, owners);
	shares_give(shares, agent);
	shares_give(shares, owner);
	assert_int_equal(shares->used[API_SHARE_STREAMS], 0);
	assert_int_equal(shares->used_by_tokens[API_SHARE_STREAMS], 0);
	assert_int_equal(shares->accounts.count, 0);
}

static void the_owners_reserve_is_nobody_elses(void **state)
{
	struct shares *shares = *state;
	struct api_account *agents[100], *owner = account(shares, API_ROLE_OWNER, "");
	enum shares_answer answer;
	for (size_t i = 0; i < 100; i++) {
		char id[8];
		(void)snprintf(id, sizeof id, "ag-%zu", i);
		agents[i] = account(shares, API_ROLE_AGENT, id);
		(void)take_all(shares, agents[i], API_SHARE_STREAMS, &answer);
	}
	assert_int_equal(answer, SHARES_ALL_FULL);
	assert_int_equal(shares_take(shares, owner, API_SHARE_STREAMS, STREAMS / 16), SHARES_TAKEN);
	assert_int_equal(shares_take(shares, owner, API_SHARE_STREAMS, 1), SHARES_ALL_FULL);
	uint64_t refused[API_SHARES];
	shares_refused(shares, refused);
	assert_true(refused[API_SHARE_STREAMS] >= 100);
	assert_int_equal(refused[API_SHARE_BODIES], 0);
	shares_put_back(shares, owner, API_SHARE_STREAMS, STREAMS / 16);
	shares_give(shares, owner);
	for (size_t i = 0; i < 100; i++) {
		shares_put_back(shares, agents[i], API_SHARE_STREAMS, agents[i]->used[API_SHARE_STREAMS]);
		shares_give(shares, agents[i]);
	}
}

static void three_bad_inputs_within_the_window_bar_for_a_while(void **state)
{
	struct shares *shares = *state;
	struct api_account *a = account(shares, API_ROLE_AGENT, "ag-1");
	shares_note_bad(shares, a, 1000);
	shares_note_bad(shares, a, 9000);
	assert_int_equal(shares_barred_ms(shares, a, 9000), 0);
	shares_note_bad(shares, a, 11001); /* the first was too long ago to count */
	assert_int_equal(shares_barred_ms(shares, a, 11001), 0);
	shares_note_bad(shares, a, 12000);
	assert_int_equal(shares_barred_ms(shares, a, 12000), SHARES_PENALTY_MS);
	shares_give(shares, a); /* the count is kept when the connection ends */
	a = account(shares, API_ROLE_AGENT, "ag-1");
	assert_int_equal(shares_barred_ms(shares, a, 12500), SHARES_PENALTY_MS - 500);
	assert_int_equal(shares_barred_ms(shares, a, 12000 + SHARES_PENALTY_MS), 0);
	shares_give(shares, a);
	shares_sweep(shares, 13000);
	assert_int_equal(shares->accounts.count, 1);
	shares_sweep(shares, 12001 + SHARES_BAD_WINDOW_MS + SHARES_PENALTY_MS);
	assert_int_equal(shares->accounts.count, 0);
}

static void a_refusal_says_whose_share_of_what(void **state)
{
	struct shares *shares = *state;
	struct api_account *a = account(shares, API_ROLE_TOKEN, "t-1");
	struct api_reply reply = {.status = 0};
	shares_refuse(shares, a, API_SHARE_STREAMS, SHARES_OWN_FULL, &reply);
	assert_int_equal(reply.status, 429);
	assert_int_equal(reply.retry_after_s, 1);
	assert_non_null(strstr(reply.body, "token t-1 has its share of open streams, 250"));
	shares_refuse(shares, a, API_SHARE_BODIES, SHARES_ALL_FULL, &reply);
	assert_int_equal(reply.status, 503);
	assert_non_null(strstr(reply.body, "all bytes of bodies"));
	free(reply.body);
	shares_give(shares, a);
	for (enum api_share i = 0; i < API_SHARES; i++)
		assert_non_null(shares_text(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_principal_is_one_account, setup, teardown),
		cmocka_unit_test_setup_teardown(each_has_its_share_and_tokens_together_a_part, setup, teardown),
		cmocka_unit_test_setup_teardown(the_owners_reserve_is_nobody_elses, setup, teardown),
		cmocka_unit_test_setup_teardown(three_bad_inputs_within_the_window_bar_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_says_whose_share_of_what, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
