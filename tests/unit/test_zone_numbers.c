/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zones/dns/zone_numbers.h"

static void the_first_zones_have_numbers_and_keep_them(void **state)
{
	static const uint8_t a[] = "\1a", b[] = "\1b", c[] = "\1c";
	struct zone_numbers *n = zone_numbers_new(2);
	(void)state;
	assert_int_equal(zone_numbers_get(n, a, sizeof a), 0);
	assert_int_equal(zone_numbers_get(n, b, sizeof b), 1);
	assert_int_equal(zone_numbers_get(n, c, sizeof c), ZONE_NUMBER_NONE);
	assert_int_equal(zone_numbers_get(n, a, sizeof a), 0);
	assert_int_equal(zone_numbers_get(n, b, sizeof b), 1);
	assert_int_equal(zone_numbers_count(n), 2);
	assert_memory_equal(zone_numbers_name(n, 1), b, sizeof b);
	zone_numbers_free(&n);
	assert_null(n);
}

static void without_room_nobody_has_a_number(void **state)
{
	static const uint8_t a[] = "\1a";
	struct zone_numbers *n = zone_numbers_new(0);
	(void)state;
	assert_int_equal(zone_numbers_get(n, a, sizeof a), ZONE_NUMBER_NONE);
	zone_numbers_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_zones_have_numbers_and_keep_them),
		cmocka_unit_test(without_room_nobody_has_a_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
