/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way to read a report: reports come every second from every agent with thousands of items, and nearly all of
 * them are, byte for byte, what report_write() makes.
 *
 * Threads: pure functions.
 */
#ifndef VEER_PROBES_VERDICT_REPORT_SCAN_H
#define VEER_PROBES_VERDICT_REPORT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "probes/verdict/report.h"

#define REPORT_FORMAT 1
#define REPORT_SAFE_INTEGER_MAX 9007199254740991 /* 2^53 - 1 */
#define REPORT_ITEM_BYTES 36 /* an item is made so long; those with the longest numbers and reasons are longer */

/*
 * Read a report that is written exactly as report_write() does it, but for the number of spaces at its end. False:
 * it is not (or memory is out), which says nothing about whether it is right; `*out` is untouched. Input is hostile.
 */
bool report_scan(const char *text, size_t len, struct arena *arena, struct report *out);

/* Read any report, as report_parse() says, by way of its JSON. What report_scan() reads is read the same. */
VEER_MUST_CHECK enum veer_err report_parse_json(const char *text, size_t len, struct arena *arena, struct report *out,
						struct veer_diag *diag);

#endif
