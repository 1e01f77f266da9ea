/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};
	/* Neither clock can fail on Linux with a valid pointer. */
	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_monotonic_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

const struct veer_clock *veer_clock_system(void)
{
	static const struct veer_clock system_clock = {
		.monotonic_ns = system_monotonic_ns,
		.wall_ns = system_wall_ns,
	};
	return &system_clock;
}

int64_t veer_clock_monotonic_ns(const struct veer_clock *clock)
{
	return clock->monotonic_ns(clock->ctx);
}

int64_t veer_clock_monotonic_ms(const struct veer_clock *clock)
{
	return clock->monotonic_ns(clock->ctx) / NS_PER_MS;
}

int64_t veer_clock_wall_ns(const struct veer_clock *clock)
{
	return clock->wall_ns(clock->ctx);
}

void veer_rfc3339(int64_t wall_ns, char *out)
{
	int64_t seconds = wall_ns / NS_PER_S;
	int64_t ns = wall_ns % NS_PER_S;
	if (ns < 0) { /* before 1970: C rounds towards zero, calendars do not */
		ns += NS_PER_S;
		seconds--;
	}
	time_t t = (time_t)seconds;
	struct tm tm = {0};
	/* int64 nanoseconds end in 2262, so that the year always has four digits and gmtime_r cannot fail. */
	(void)gmtime_r(&t, &tm);
	(void)snprintf(out, VEER_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000,
		       (tm.tm_mon + 1) % 100, tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100,
		       (int)(ns / NS_PER_MS) % 1000);
}
