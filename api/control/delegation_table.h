/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zones with the result of their last comparison, and when the next is due: once an hour, at an offset within the
 * hour that depends on the zone's name, so that zones are spread evenly and remain so after a restart.
 *
 * Threads: the caller must hold a lock.
 */
#ifndef VEER_API_CONTROL_DELEGATION_TABLE_H
#define VEER_API_CONTROL_DELEGATION_TABLE_H

#include "api/control/delegation_judge.h"
#include "base/strmap.h"

#define DELEGATION_INTERVAL_MS 3600000

struct delegation_entry {
	char *zone; /* absolute, as in keys; owned by the table */
	enum delegation_state state;
	char *result; /* JSON text, or NULL: not compared yet; owned by the table */
	int64_t due_ms;
	size_t place;    /* index in the heap */
	uint64_t marked; /* number of the last walk over all zones that has seen it */
};

/* Zero it before first use. */
struct delegation_table {
	struct strmap zones;
	struct delegation_entry **heap; /* a heap, the earliest first */
	size_t count, size;
	uint64_t counts[DELEGATION_STATES];
};

struct delegation_entry *delegation_table_find(const struct delegation_table *table, const char *zone);
/*
 * Compare the zone at `due_ms` at the latest (by the monotonic clock); it is added if it is new. NULL when memory is
 * out.
 */
struct delegation_entry *delegation_table_want(struct delegation_table *table, const char *zone, int64_t due_ms);
/* Remove a zone; does nothing when it is not there. */
void delegation_table_forget(struct delegation_table *table, const char *zone);
/* The zone that is due first, or NULL. */
struct delegation_entry *delegation_table_first(const struct delegation_table *table);
/* Set another due time. */
void delegation_table_set_due(struct delegation_table *table, struct delegation_entry *entry, int64_t due_ms);
/*
 * Store the result of a comparison; takes `result`. The next comparison is at the zone's offset in the hour, unless an
 * earlier one was requested (delegation_table_want()) since its due time was set to INT64_MAX, which was when this
 * comparison began.
 */
void delegation_table_set_result(struct delegation_table *table, struct delegation_entry *entry,
				 enum delegation_state state, char *result, int64_t now_ms);
/*
 * Zones that differ or are missing, at most `max`, by name: [{"zone", "state", "parent", "summary", "checked_at"}].
 * Ownership: the caller's. NULL when memory is out.
 */
json_t *delegation_table_bad(const struct delegation_table *table, size_t max);
/* Release everything; the table is empty and usable. */
void delegation_table_free(struct delegation_table *table);

#endif
