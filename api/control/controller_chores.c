/* SPDX-License-Identifier: Apache-2.0 */
/* The chores' thread; what a turn does is in controller_chores_*.c. */
#include <stdlib.h>

#include "api/control/controller_chores_impl.h"

enum { TICK_MS = 200, ARENA_BYTES = 256 << 20, INBOX_MAX = 4096 };

static void take_turn(struct controller_chores *chores, int64_t now_ns, int64_t *due_ns)
{
	struct chores_turn t = {.chores = chores,
				.term = chores->term,
				.arena = arena_new(ARENA_BYTES),
				.now_ns = now_ns,
				.due_ns = INT64_MAX};
	t.blocks = t.arena != NULL ? arena_calloc(t.arena, CHORE_BLOCKS_MAX, sizeof *t.blocks) : NULL;
	t.failed = t.blocks == NULL;
	if (!t.failed)
		chores_read(&t);
	if (!t.failed)
		chores_end_overrides(&t);
	/* What was read still contains the overrides that were ended just now: draining waits for the next turn. */
	if (!t.failed && !t.has_written)
		chores_maintain(&t);
	if (t.failed)
		log_error(chores->config->log, "memory is out: overrides and maintenance windows are late");
	*due_ns = t.failed || t.has_written ? now_ns : t.due_ns;
	arena_free(&t.arena);
}

/*
 * Take in the transitions that were stored meanwhile, until something has changed or a tick has passed. False when
 * closing.
 */
static bool wait_a_while(struct controller_chores *chores)
{
	const struct veer_clock *clock = veer_clock_system(); /* the queue's clock, not the configured one */
	const int64_t until_ms = veer_clock_monotonic_ms(clock) + TICK_MS;
	for (;;) {
		void *item = NULL;
		int64_t left_ms = until_ms - veer_clock_monotonic_ms(clock);
		enum veer_err err = queue_pop(chores->inbox, left_ms > 0 ? left_ms : 0, &item);
		if (err != VEER_OK || item == chores)
			return err != VEER_ECLOSED;
		chores_history_take(&chores->history, item);
	}
}

/*
 * Is this controller elected, and has the directory caught up with what others have written? A new term begins with
 * that.
 */
static bool is_elected(struct controller_chores *chores)
{
	struct election_term term;
	if (!election_read(chores->election, &term))
		return false;
	bool is_new = term.revision != chores->term.revision;
	if (is_new && !directory_wait(chores->config->directory, term.revision, CHORES_WAIT_MS))
		return false;
	chores->term = term;
	if (is_new)
		atomic_store(&chores->is_dirty, true);
	if (atomic_exchange(&chores->has_missed_stored, false) || is_new)
		chores_history_load(chores);
	return true;
}

static void *chores_main(void *ctx)
{
	struct controller_chores *chores = ctx;
	int64_t due_ns = 0, before_ns = 0;
	while (wait_a_while(chores)) {
		if (!is_elected(chores))
			continue;
		bool is_dirty = atomic_exchange(&chores->is_dirty, false);
		int64_t now_ns = veer_clock_wall_ns(chores->config->clock);
		/* Otherwise nothing has changed, nothing is due, and the clock was not set back. */
		if (is_dirty || now_ns >= due_ns || now_ns < before_ns)
			take_turn(chores, now_ns, &due_ns);
		before_ns = now_ns;
		chores_history_prune(chores);
	}
	return NULL;
}

void chores_refused(struct controller_chores *chores, const struct election_term *term, enum veer_err err)
{
	if (err == VEER_ECONFLICT)
		election_verify(chores->election, term);
}

void controller_chores_changed(struct controller_chores *chores)
{
	if (atomic_exchange(&chores->is_dirty, true))
		return; /* the thread was told already */
	if (queue_push(chores->inbox, chores) != VEER_OK)
		log_debug(chores->config->log, "the chores' inbox is full or closed: the next tick looks");
}

void controller_chores_stored(struct controller_chores *chores, const struct commit_job *job)
{
	struct chores_stored *stored = chores_stored_of(job);
	if (stored != NULL && queue_push(chores->inbox, stored) == VEER_OK)
		return;
	if (job->verdict_count > 0)
		atomic_store(&chores->has_missed_stored, true);
	free(stored);
}

bool controller_chores_init(struct controller_chores *chores, const struct controller_config *config,
			    struct election *election)
{
	chores->config = config;
	chores->election = election;
	chores->history.limit = config->history > 0 ? config->history : HISTORY_LIMIT;
	(void)election_read(election, &chores->term);
	(void)pthread_mutex_init(&chores->lock, NULL);
	chores->inbox = queue_new(INBOX_MAX);
	if (chores->inbox != NULL)
		chores_history_load(chores);
	return chores->inbox != NULL;
}

bool controller_chores_start(struct controller_chores *chores)
{
	controller_chores_changed(chores); /* so that the first turn is at once */
	chores->has_thread = pthread_create(&chores->thread, NULL, chores_main, chores) == 0;
	return chores->has_thread;
}

void controller_chores_stop(struct controller_chores *chores)
{
	if (chores->inbox != NULL)
		queue_close(chores->inbox);
	if (chores->has_thread)
		(void)pthread_join(chores->thread, NULL);
	chores->has_thread = false;
}

void controller_chores_deinit(struct controller_chores *chores)
{
	void *item;
	while (chores->inbox != NULL && queue_pop(chores->inbox, 0, &item) == VEER_OK)
		if (item != chores)
			free(item);
	queue_free(&chores->inbox, NULL);
	(void)pthread_mutex_destroy(&chores->lock);
	free(chores->history.keys);
}
