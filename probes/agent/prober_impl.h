/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files of prober.h: prober.c (the list), prober_attempt.c (running probes and their results), and
 * prober_schedule.c (when to probe).
 */
#ifndef VEER_PROBES_AGENT_PROBER_IMPL_H
#define VEER_PROBES_AGENT_PROBER_IMPL_H

#include "base/index.h"
#include "base/loop.h"
#include "base/strmap.h"
#include "probes/agent/prober.h"
#include "probes/agent/streak.h"

/* A list in force, kept until the last probe that borrows from it has ended. */
struct prober_work {
	struct arena *arena; /* the work itself lives in it, too */
	struct assignments list;
	struct strmap map; /* "CHECK ENDPOINT" to the place in the list */
	uint32_t references;
};

struct prober_attempt;

/* One endpoint with one check. */
struct prober_item {
	struct prober *prober;
	const struct assign_item *assigned; /* in the work in force */
	const struct model_check *check;    /* NULL: this agent cannot carry it out */
	uint64_t fingerprint;
	uint64_t place; /* a hash of its name, from which its offset is computed */
	struct streak streak;
	struct loop_timer timer;
	struct loop_timer confirm_timer;
	struct prober_attempt *attempts; /* running probes, the latest first */
	uint32_t attempt_count;
	uint32_t confirm_left; /* probes of a confirm that are still to be started */
	uint32_t first_left;   /* quick probes left for the first round */
	uint64_t started;      /* number of the last probe started */
	uint64_t ended;        /* number of the latest probe that ended */
	bool is_failing;       /* the last probe that counted failed */
	int64_t failing_ms;    /* since when, on the loop's clock */
};

struct prober {
	const struct check_env *env;
	struct logger *log;
	struct prober_events events;
	struct prober_work *work;   /* NULL before the first list */
	struct prober_item **items; /* in the order of its list */
	uint32_t item_count;
	uint32_t pace_count;    /* items of the list in force, or coming into force */
	uint32_t probed_count;  /* items that can be probed */
	uint32_t failing_count; /* how many of those fail */
	uint64_t attempt_count; /* running probes */
	uint64_t attempt_max;
};

/* prober.c: drop one reference, and free the work with the last one. `*work_ptr` may be NULL. */
void prober_work_release(struct prober_work **work_ptr);

/* prober_attempt.c */
/* Start a probe of an item that has a check. It is skipped when too many are running or memory is out. */
void prober_probe_now(struct prober_item *item);
/* Cancel the running probes without reporting them. */
void prober_attempts_cancel(struct prober_item *item);
/* Move the running probes to another item, which has none. */
void prober_attempts_move(struct prober_item *to, struct prober_item *from);

/* prober_schedule.c */
/*
 * Set the timers of an item that has a check. If `old` (NULL: it is new) has the same timing, its next probe stays due.
 */
void prober_schedule_begin(struct prober_item *item, const struct prober_item *old);
/*
 * Start `fall` probes beside the schedule, 100 ms apart, the first one now; do nothing while such probes are being
 * started.
 */
void prober_schedule_confirm(struct prober_item *item);
/* Cancel all timers, because the item is about to be freed. */
void prober_schedule_cancel(struct prober_item *item);

#endif
