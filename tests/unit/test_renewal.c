/* SPDX-License-Identifier: Apache-2.0 */
/* When a full state is requested only because of the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dnsd/replica/renewal.h"

struct disk {
	bool is_full;
	int asked;
};

static bool has_room(void *ctx)
{
	struct disk *disk = ctx;
	disk->asked++;
	return !disk->is_full;
}

/* Ask once a second until it is due or `end_ms` has come. Returns the time. */
static int64_t next(struct renewal *r, struct disk *disk, int64_t from_ms, int64_t end_ms)
{
	int64_t now_ms = from_ms;
	while (now_ms < end_ms && !renewal_is_due(r, true, has_room, disk, now_ms))
		now_ms += 1000;
	return now_ms;
}

static void the_pauses_double_up_to_an_hour(void **state)
{
	struct renewal r = {0};
	struct disk disk = {0};
	int64_t now_ms = 5000, pause_ms = RENEWAL_PAUSE_MS;
	(void)state;
	for (int i = 0; i < 12; i++) {
		int64_t due_ms = next(&r, &disk, now_ms, INT64_MAX);
		assert_int_equal(due_ms - now_ms, pause_ms);
		pause_ms = 2 * pause_ms < RENEWAL_PAUSE_MAX_MS ? 2 * pause_ms : RENEWAL_PAUSE_MAX_MS;
		now_ms = due_ms;
	}
	assert_int_equal(pause_ms, RENEWAL_PAUSE_MAX_MS);
}

static void a_full_disk_is_never_the_reason_and_its_room_is_seen_at_once(void **state)
{
	struct renewal r = {0};
	struct disk disk = {.is_full = true};
	const int64_t day_ms = 86400000;
	(void)state;
	assert_int_equal(next(&r, &disk, 0, day_ms), day_ms);
	assert_in_range(disk.asked, 1000, day_ms / RENEWAL_ROOM_MS);
	disk.is_full = false;
	assert_in_range(next(&r, &disk, day_ms, INT64_MAX), day_ms, day_ms + RENEWAL_ROOM_MS);
}

static void a_disk_that_is_behind_for_a_moment_asks_for_nothing(void **state)
{
	struct renewal r = {0};
	struct disk disk = {0};
	(void)state;
	for (int64_t now_ms = 0; now_ms < 1000000; now_ms += 1000)
		assert_false(renewal_is_due(&r, now_ms % 20000 != 0, has_room, &disk, now_ms));
	assert_int_equal(disk.asked, 0);
}

static void the_pause_is_short_again_only_when_the_disk_has_kept_up_for_as_long(void **state)
{
	struct renewal r = {0};
	struct disk disk = {0};
	int64_t now_ms = next(&r, &disk, 0, INT64_MAX) + 1000;
	(void)state;
	assert_false(renewal_is_due(&r, false, has_room, &disk, now_ms));
	int64_t again_ms = next(&r, &disk, now_ms, INT64_MAX);
	assert_int_equal(again_ms - now_ms, 2 * RENEWAL_PAUSE_MS);
	now_ms = again_ms + 4 * RENEWAL_PAUSE_MS + 1;
	assert_false(renewal_is_due(&r, false, has_room, &disk, now_ms));
	assert_int_equal(next(&r, &disk, now_ms, INT64_MAX) - now_ms, RENEWAL_PAUSE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pauses_double_up_to_an_hour),
		cmocka_unit_test(a_full_disk_is_never_the_reason_and_its_room_is_seen_at_once),
		cmocka_unit_test(a_disk_that_is_behind_for_a_moment_asks_for_nothing),
		cmocka_unit_test(the_pause_is_short_again_only_when_the_disk_has_kept_up_for_as_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
