/* SPDX-License-Identifier: Apache-2.0 */
/* What /healthz reports when an access to the store's disk does not return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/control/health.h"

enum { DISK_MS = 30 };

/*
 * While it is held, the disk does not answer. One for the process, because a look at the disk gets only the store as
 * its context.
 */
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static void look(struct store *store, struct store_room *room)
{
	(void)pthread_mutex_lock(&disk);
	health_look(store, room);
	(void)pthread_mutex_unlock(&disk);
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/*
 * Run the loop until the result is `why`, for at most 10 s. Returns the longest time that the loop was held up, in ms.
 */
static int64_t run_until(struct loop *loop, struct health *health, const char *why)
{
	struct loop_timer timer = {0};
	struct health_view view = {.reason = "?"};
	int64_t start_ms = loop_now_ms(loop), longest_ms = 0;
	while (loop_now_ms(loop) - start_ms < 10000) {
		int64_t before_ms = veer_clock_monotonic_ms(veer_clock_system());
		assert_int_equal(loop_timer_set(loop, &timer, 1, stop, loop), VEER_OK);
		assert_int_equal(loop_run(loop), VEER_OK);
		int64_t took_ms = veer_clock_monotonic_ms(veer_clock_system()) - before_ms;
		longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
		health_read(health, &view);
		if (strstr(view.reason, why) != NULL && (why[0] != '\0' || view.reason[0] == '\0'))
			return longest_ms;
	}
	fail_msg("after 10 s it says: %s", view.reason);
	return -1;
}

static void a_disk_that_does_not_answer_is_said_and_holds_nobody_up(void **state)
{
	static const char *const files[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock", "ballast-veer.db"};
	char dir[] = "/tmp/veer-test-health-XXXXXX", url[64];
	struct store *store = NULL;
	struct health health;
	struct veer_diag diag = {""};
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", dir);
	assert_int_equal(store_open(url, &store, &diag), VEER_OK);
	struct loop *loop = loop_new(veer_clock_system());
	const struct health_config config = {
		.store = store, .clock = veer_clock_system(), .loop = loop, .disk_ms = DISK_MS, .look = look};
	assert_true(health_start(&health, &config));
	(void)run_until(loop, &health, "");
	(void)pthread_mutex_lock(&disk);
	int64_t held_up_ms = run_until(loop, &health, "does not answer");
	assert_in_range(held_up_ms, 0, 900); /* otherwise there would have been a second look after each second */
	(void)pthread_mutex_unlock(&disk);
	(void)run_until(loop, &health, "");
	health_stop(&health);
	health_stop(&health);
	loop_free(&loop);
	store_close(&store);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char path[96];
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_does_not_answer_is_said_and_holds_nobody_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
