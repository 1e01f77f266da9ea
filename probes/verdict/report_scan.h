/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fast way to read a report. Every agent sends a report with thousands of items every second, and nearly all reports
 * have exactly the form that report_write() makes.
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
#define REPORT_ITEM_BYTES 36 /* normal length of an item; items with the longest numbers and reasons are longer */

/*
 * Read a report that is written exactly as report_write() does it, except for the number of spaces at its end. False:
 * it is not (or memory is out), which does not mean that it is invalid; `*out` is untouched. Input may be hostile.
 */
bool report_scan(const char *text, size_t len, struct arena *arena, struct report *out);

/*
 * Read any report, as described at report_parse(), by parsing its JSON. The result is equal to that of report_scan().
 */
VEER_MUST_CHECK enum veer_err report_parse_json(const char *text, size_t len, struct arena *arena, struct report *out,
						struct veer_diag *diag);

#endif
