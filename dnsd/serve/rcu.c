/* SPDX-License-Identifier: Apache-2.0 */
/* Quiescent-state reclamation. See rcu.h. */
#include "dnsd/serve/rcu.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "dnsd/serve/reaper.h"

#define AWAY UINT64_MAX
#define CACHE_LINE 64

/* The epoch that one worker has shown; alone on its cache line, since only that worker writes it. */
struct reader {
	alignas(CACHE_LINE) _Atomic uint64_t seen;
};

/* A retire list that waits for an epoch. */
struct waiting {
	struct waiting *next;
	uint64_t epoch;
	struct retire_list list;
};

struct rcu {
	_Atomic(const struct plan *) plan;
	_Atomic uint64_t epoch;
	unsigned reader_count;
	struct waiting *first; /* the oldest */
	struct waiting *last;
	struct reaper *reaper;
	struct reader readers[];
};

struct rcu *rcu_new(unsigned readers)
{
	size_t size = sizeof(struct rcu) + readers * sizeof(struct reader);
	struct rcu *rcu = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	if (rcu == NULL)
		return NULL;
	rcu->reaper = reaper_new();
	if (rcu->reaper == NULL) {
		free(rcu);
		return NULL;
	}
	atomic_init(&rcu->plan, NULL);
	atomic_init(&rcu->epoch, 1);
	rcu->reader_count = readers;
	rcu->first = NULL;
	rcu->last = NULL;
	for (unsigned i = 0; i < readers; i++)
		atomic_init(&rcu->readers[i].seen, AWAY);
	return rcu;
}

static void release_first(struct rcu *rcu)
{
	struct waiting *w = rcu->first;
	rcu->first = w->next;
	if (rcu->first == NULL)
		rcu->last = NULL;
	reaper_release(rcu->reaper, &w->list);
	free(w);
}

void rcu_free(struct rcu **rcu)
{
	if (*rcu == NULL)
		return;
	while ((*rcu)->first != NULL)
		release_first(*rcu);
	reaper_free(&(*rcu)->reaper);
	free(*rcu);
	*rcu = NULL;
}

const struct plan *rcu_quiescent(struct rcu *rcu, unsigned reader)
{
	/*
	 * Acquire: a worker that shows this epoch must also see the plan that was stored before the epoch was raised.
	 * The store and the load that follow are sequentially consistent together with their counterparts in
	 * rcu_publish() and all_at_least(): if the publisher still saw this worker as away, then the new plan's store
	 * comes before the load here in the single total order, and the load returns the new plan. Release (part of
	 * seq_cst) makes all reads of the old plan happen before the publisher frees it.
	 */
	uint64_t epoch = atomic_load_explicit(&rcu->epoch, memory_order_acquire);
	atomic_store_explicit(&rcu->readers[reader].seen, epoch, memory_order_seq_cst);
	return atomic_load_explicit(&rcu->plan, memory_order_seq_cst);
}

void rcu_away(struct rcu *rcu, unsigned reader)
{
	/* Release: all reads of the plan happen before the publisher sees that this worker is away. */
	atomic_store_explicit(&rcu->readers[reader].seen, AWAY, memory_order_release);
}

void rcu_advance(struct rcu *rcu)
{
	/* relaxed: this thread alone writes it; sequentially consistent after the plan's store, see rcu_quiescent() */
	uint64_t epoch = atomic_load_explicit(&rcu->epoch, memory_order_relaxed) + 1;
	atomic_store_explicit(&rcu->epoch, epoch, memory_order_seq_cst);
}

enum veer_err rcu_publish(struct rcu *rcu, const struct plan *plan, struct retire_list *retired)
{
	struct waiting *w = malloc(sizeof *w);
	atomic_store_explicit(&rcu->plan, plan, memory_order_seq_cst);
	rcu_advance(rcu);
	if (w == NULL)
		return VEER_ENOMEM;
	/* relaxed: this thread alone writes it */
	*w = (struct waiting){.epoch = atomic_load_explicit(&rcu->epoch, memory_order_relaxed), .list = *retired};
	*retired = (struct retire_list){0};
	if (rcu->last != NULL)
		rcu->last->next = w;
	else
		rcu->first = w;
	rcu->last = w;
	return VEER_OK;
}

static bool all_at_least(const struct rcu *rcu, uint64_t epoch)
{
	for (unsigned i = 0; i < rcu->reader_count; i++)
		if (atomic_load_explicit(&rcu->readers[i].seen, memory_order_seq_cst) < epoch)
			return false;
	return true;
}

size_t rcu_reclaim(struct rcu *rcu)
{
	size_t left = 0;
	while (rcu->first != NULL && all_at_least(rcu, rcu->first->epoch))
		release_first(rcu);
	for (const struct waiting *w = rcu->first; w != NULL; w = w->next)
		left++;
	return left;
}

bool rcu_is_applied(const struct rcu *rcu)
{
	return all_at_least(rcu, atomic_load_explicit(&rcu->epoch, memory_order_relaxed));
}
