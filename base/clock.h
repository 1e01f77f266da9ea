/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time behind one interface, so that tests can pass in a clock of their own. The monotonic clock orders and times
 * everything; the wall clock is for display and for what is defined in calendar time (certificates, expiry dates).
 */
#ifndef VEER_BASE_CLOCK_H
#define VEER_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define VEER_BOOT_ID_SIZE 64

/* Where time comes from. All functions must be callable from any thread. Borrowed by its users. */
struct veer_clock {
	int64_t (*monotonic_ns)(void *ctx);                      /* never goes back; its zero point is arbitrary */
	int64_t (*wall_ns)(void *ctx);                           /* nanoseconds since 1970-01-01 UTC; may jump */
	void (*boot_id)(void *ctx, char out[VEER_BOOT_ID_SIZE]); /* writes "" when it is not known; NULL: it is never
								  * known */
	void *ctx;
};

/* The system's CLOCK_MONOTONIC and CLOCK_REALTIME, and the kernel's boot id. Static storage. */
const struct veer_clock *veer_clock_system(void);

/* The clock's present time; milliseconds are rounded down. */
int64_t veer_clock_monotonic_ns(const struct veer_clock *clock);
int64_t veer_clock_monotonic_ms(const struct veer_clock *clock);
int64_t veer_clock_wall_ns(const struct veer_clock *clock);
/* Now plus `ms` milliseconds on the system's monotonic clock, for waits on conditions that use that clock. */
struct timespec veer_clock_deadline(int64_t ms);

/*
 * The id of the present boot. Two processes that get the same id may compare their monotonic times. "" when it is not
 * known. The system clock reads a file each time, so a caller that needs the id often should keep it.
 */
void veer_clock_boot_id(const struct veer_clock *clock, char out[VEER_BOOT_ID_SIZE]);

#define VEER_RFC3339_SIZE 32
/* "2026-11-22T20:36:01.123Z" (RFC 3339, UTC, milliseconds) into `out` of VEER_RFC3339_SIZE bytes. */
void veer_rfc3339(int64_t wall_ns, char *out);

/*
 * The inverse, for times that people write: any fraction (digits beyond nanoseconds are ignored) and any offset, years
 * 1970 to 2199. For anything else, leap seconds included, it returns false and leaves `*wall_ns` untouched (RFC 3339
 * 5.6, 5.7).
 */
bool veer_rfc3339_parse(const char *text, int64_t *wall_ns);

#endif
