/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/file.h"

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

static void system_boot_id(void *ctx, char out[VEER_BOOT_ID_SIZE])
{
	(void)ctx;
	if (file_read_line("/proc/sys/kernel/random/boot_id", out, VEER_BOOT_ID_SIZE, NULL) != VEER_OK)
		out[0] = '\0';
}

const struct veer_clock *veer_clock_system(void)
{
	static const struct veer_clock system_clock = {
		.monotonic_ns = system_monotonic_ns,
		.wall_ns = system_wall_ns,
		.boot_id = system_boot_id,
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

struct timespec veer_clock_deadline(int64_t ms)
{
	struct timespec at = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

void veer_clock_boot_id(const struct veer_clock *clock, char out[VEER_BOOT_ID_SIZE])
{
	out[0] = '\0';
	if (clock->boot_id != NULL)
		clock->boot_id(clock->ctx, out);
}

void veer_rfc3339(int64_t wall_ns, char *out)
{
	int64_t seconds = wall_ns / NS_PER_S;
	int64_t ns = wall_ns % NS_PER_S;
	if (ns < 0) { /* before 1970: C rounds towards zero, but a calendar needs rounding down */
		ns += NS_PER_S;
		seconds--;
	}
	time_t t = (time_t)seconds;
	struct tm tm = {0};
	/* int64 nanoseconds end in 2262, so the year always has four digits and gmtime_r cannot fail. */
	(void)gmtime_r(&t, &tm);
	(void)snprintf(out, VEER_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000,
		       (tm.tm_mon + 1) % 100, tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100,
		       (int)(ns / NS_PER_MS) % 1000);
}

/* Read `count` digits at `*text` and move it past them; -1 when there is another character among them. */
static int digits(const char **text, int count)
{
	int value = 0;
	for (; count > 0; count--, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		value = value * 10 + (**text - '0');
	}
	return value;
}

/* The same for digits followed by the character `after` (either case; 0: any character). */
static int digits_then(const char **text, int count, char after)
{
	int value = digits(text, count);
	if (value < 0 || after == '\0')
		return value;
	if (**text != after && **text != (after | 0x20))
		return -1;
	(*text)++;
	return value;
}

/* The nanoseconds of an optional fraction; -1 for a dot without digits. */
static int64_t fraction_ns(const char **text)
{
	int64_t ns = 0, unit = NS_PER_S / 10;
	if (**text != '.')
		return 0;
	const char *first = ++*text;
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		ns += (**text - '0') * unit;
	return *text > first ? ns : -1;
}

/* Read "Z" or "+HH:MM", which must end the text, as seconds east of UTC. */
static bool offset_s(const char *text, int64_t *offset)
{
	*offset = 0;
	if ((*text == 'Z' || *text == 'z') && text[1] == '\0')
		return true;
	int sign = *text == '+' ? 1 : *text == '-' ? -1 : 0;
	if (sign == 0)
		return false;
	text++;
	int hours = digits_then(&text, 2, ':');
	int minutes = hours >= 0 ? digits(&text, 2) : -1;
	*offset = sign * (hours * INT64_C(3600) + minutes * INT64_C(60));
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && *text == '\0';
}

/* Days from 1970-01-01 to the first of January of `year`. */
static int64_t days_to_year(int year)
{
	int before = year - 1;
	return (year - 1970) * INT64_C(365) + (before / 4 - 1969 / 4) - (before / 100 - 1969 / 100) +
	       (before / 400 - 1969 / 400);
}

static bool day_of_year(int year, int month, int day, int *out)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (month == 2 && is_leap ? 1 : 0))
		return false;
	*out = day - 1 + (month > 2 && is_leap ? 1 : 0);
	for (int i = 0; i < month - 1; i++)
		*out += lengths[i];
	return true;
}

bool veer_rfc3339_parse(const char *text, int64_t *wall_ns)
{
	int fields[6], day = 0;
	static const char after[] = "--T::";
	int64_t offset = 0;
	for (int i = 0; i < 6; i++) {
		fields[i] = digits_then(&text, i == 0 ? 4 : 2, after[i]); /* anything may follow the last field */
		if (fields[i] < 0)
			return false;
	}
	int64_t ns = fraction_ns(&text);
	if (ns < 0 || !offset_s(text, &offset) || fields[0] < 1970 || fields[0] > 2199 || fields[3] > 23 ||
	    fields[4] > 59 || fields[5] > 59 || !day_of_year(fields[0], fields[1], fields[2], &day))
		return false;
	int64_t seconds = (days_to_year(fields[0]) + day) * 86400 + fields[3] * INT64_C(3600) +
			  fields[4] * INT64_C(60) + fields[5] - offset;
	*wall_ns = seconds * NS_PER_S + ns;
	return true;
}
