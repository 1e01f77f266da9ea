/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zones with what their last comparison came to, and when the next is due: once an hour each, at a place of its own
 * within the hour that follows from its name, so that zones are spread evenly and stay so after a restart.
 *
 * Threads: the caller's lock.
 */
#ifndef VEER_API_CONTROL_DELEGATION_TABLE_H
#define VEER_API_CONTROL_DELEGATION_TABLE_H

#include "api/control/delegation_judge.h"
#include "base/strmap.h"

#define DELEGATION_INTERVAL_MS 3600000

struct delegation_entry {
	char *zone; /* absolute, as in keys; the table's */
	enum delegation_state state;
	char *result; /* JSON text, or NULL: not compared yet; the table's */
	int64_t due_ms;
	size_t place;    /* in the heap */
	uint64_t marked; /* the walk over all zones that has last seen it */
};

/* Zero it before first use. */
struct delegation_table {
	struct strmap zones;
	struct delegation_entry **heap; /* the earliest first */
	size_t count, size;
	uint64_t counts[DELEGATION_STATES];
};

struct delegation_entry *delegation_table_find(const struct delegation_table *table, const char *zone);
/*
 * The zone is to be compared at `due_ms` at the latest (of the monotonic clock); it is added if it is new. NULL when
 * memory is out.
 */
struct delegation_entry *delegation_table_want(struct delegation_table *table, const char *zone, int64_t due_ms);
/* The zone is gone; one that is not there is fine. */
void delegation_table_forget(struct delegation_table *table, const char *zone);
/* The one that is due first, or NULL. */
struct delegation_entry *delegation_table_first(const struct delegation_table *table);
/* Another time for it. */
void delegation_table_set_due(struct delegation_table *table, struct delegation_entry *entry, int64_t due_ms);
/*
 * What was found; takes `result`. The next comparison is at the zone's place in the hour, unless it is wanted sooner
 * (delegation_table_want()) since its time was set to INT64_MAX, when this one began.
 */
void delegation_table_set_result(struct delegation_table *table, struct delegation_entry *entry,
				 enum delegation_state state, char *result, int64_t now_ms);
/*
 * Zones that differ or are missing, at most `max`, by name: [{"zone", "state", "parent", "summary", "checked_at"}]. The
 * caller's; NULL when memory is out.
 */
json_t *delegation_table_bad(const struct delegation_table *table, size_t max);
/* Release everything; the table is empty and usable. */
void delegation_table_free(struct delegation_table *table);

#endif
