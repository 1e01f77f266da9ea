/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/prober.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "probes/index.h"
#include "probes/outage.h"
#include "probes/streak.h"

#define CONFIRM_SPACING_MS 100
#define FIRST_ROUND_MS 1000   /* an unknown item is looked at so often, when its interval is longer */
#define FIRST_ROUND_RATE 1000 /* such looks a second, of all items: with many the round takes longer */
#define DESCRIPTORS_KEPT 128  /* for the control planes, the disk and the resolver's threads */
#define ATTEMPTS_MAX 32       /* probes of one item at a time: timeouts may be longer than intervals */

/* A list in force, kept until the last probe that borrows from it has ended. */
struct work {
	struct arena *arena;
	struct assignments list;
	struct index_map map; /* item_key() to the place in the list */
	uint32_t references;
};

/* A probe that runs. */
struct attempt {
	struct item *item;
	struct work *work;
	struct check_probe *probe;
	struct attempt *next;
	struct attempt **link; /* what points here */
	uint64_t number;       /* the item's probes, in the order of their start */
};

struct item {
	struct prober *prober;
	const struct assign_item *assigned; /* in the work in force */
	const struct model_check *check;    /* NULL: cannot be carried out */
	uint64_t fingerprint;
	uint64_t place; /* a hash of its name */
	struct streak streak;
	struct loop_timer timer;
	struct loop_timer confirm_timer;
	struct attempt *attempts;
	uint32_t attempt_count;
	uint32_t confirm_left; /* tries still to be started */
	uint32_t first_left;   /* quick probes left for the first round */
	uint64_t started;      /* number of the last probe started */
	uint64_t ended;        /* number of the latest probe that ended */
	bool is_failing;       /* the last probe that counted failed */
	int64_t failing_ms;    /* since when */
};

struct prober {
	const struct check_env *env;
	struct logger *log;
	struct prober_events events;
	struct work *work;   /* NULL before the first list */
	struct item **items; /* in the order of its list */
	uint32_t item_count;
	uint32_t pace_count;    /* items of the list in force, or coming into force */
	uint32_t probed_count;  /* items that can be probed */
	uint32_t failing_count; /* of those, that fail */
	uint64_t attempt_count; /* probes that run */
	uint64_t attempt_max;
};

static void probe_now(struct item *item);

static void work_release(struct work **work_ptr)
{
	struct work *work = *work_ptr;
	*work_ptr = NULL;
	if (work == NULL || --work->references > 0)
		return;
	struct arena *arena = work->arena; /* the work lives in it */
	arena_free(&arena);
}

/* --- probes ---------------------------------------------------------------------------------------------------- */

static void attempt_remove(struct attempt *attempt)
{
	*attempt->link = attempt->next;
	if (attempt->next != NULL)
		attempt->next->link = attempt->link;
	attempt->item->attempt_count--;
	attempt->item->prober->attempt_count--;
	work_release(&attempt->work);
	free(attempt);
}

static void log_turn(const struct item *item, const struct check_outcome *outcome)
{
	log_info(item->prober->log, outcome->is_success ? "probe succeeds" : "probe fails",
		 LOG_STR("check", item->check->name), LOG_STR("endpoint", item->assigned->endpoint),
		 LOG_STR("reason", probe_reason_text(outcome->reason)), LOG_STR("detail", outcome->detail),
		 LOG_STR("state", observation_state_text(item->streak.state)));
}

static void log_probe(const struct item *item, const struct check_outcome *outcome)
{
	log_debug(item->prober->log, "probe", LOG_STR("check", item->check->name),
		  LOG_STR("endpoint", item->assigned->endpoint), LOG_STR("reason", probe_reason_text(outcome->reason)),
		  LOG_STR("detail", outcome->detail), LOG_INT("resolve_us", outcome->timing.resolve_us),
		  LOG_INT("connect_us", outcome->timing.connect_us), LOG_INT("tls_us", outcome->timing.tls_us),
		  LOG_INT("first_byte_us", outcome->timing.first_byte_us),
		  LOG_INT("total_us", outcome->timing.total_us));
}

/* All of them fail, and not one by one? */
static bool is_outage(const struct prober *prober)
{
	struct outage outage = {.now_ms = loop_now_ms(prober->env->loop)};
	for (uint32_t i = 0; i < prober->item_count && !outage.is_partial; i++) {
		const struct item *item = prober->items[i];
		if (item->check == NULL)
			continue;
		const struct outage_item seen = {.endpoint = item->assigned->endpoint,
						 .address = item->assigned->address,
						 .is_failing = item->is_failing,
						 .failing_ms = item->failing_ms,
						 .interval_ms = item->check->interval_ms};
		outage_add(&outage, &seen);
	}
	return outage_is_likely(&outage);
}

/* Keep count of those that fail. */
static void note_failing(struct item *item)
{
	struct prober *prober = item->prober;
	bool is_failing = item->streak.count > 0 && !item->streak.was_ok;
	if (is_failing == item->is_failing)
		return;
	item->is_failing = is_failing;
	if (!is_failing) {
		prober->failing_count--;
		return;
	}
	item->failing_ms = loop_now_ms(prober->env->loop);
	prober->failing_count++;
	prober->events.failing(prober->events.ctx);
	if (prober->failing_count == prober->probed_count && is_outage(prober))
		prober->events.outage(prober->events.ctx, prober->failing_count);
}

static void on_probe(void *ctx, const struct check_outcome *outcome)
{
	struct attempt *attempt = ctx;
	struct item *item = attempt->item;
	struct prober *prober = item->prober;
	log_probe(item, outcome);
	/* One that was started before another has ended tells of the past. */
	bool is_old = attempt->number < item->ended;
	const struct streak_probe probe = {
		.reason = outcome->reason, .is_success = outcome->is_success, .rtt_us = outcome->rtt_us};
	if (!is_old) {
		item->ended = attempt->number;
		bool is_news = streak_add(&item->streak, item->check->fall, item->check->rise, &probe,
					  loop_now_ms(prober->env->loop));
		if (is_news) {
			log_turn(item, outcome);
			prober->events.changed(prober->events.ctx);
		}
		note_failing(item);
	}
	attempt_remove(attempt);
}

static void probe_now(struct item *item)
{
	struct prober *prober = item->prober;
	if (item->attempt_count >= ATTEMPTS_MAX || prober->attempt_count >= prober->attempt_max)
		return; /* as below */
	struct attempt *attempt = calloc(1, sizeof *attempt);
	if (attempt == NULL)
		return; /* this one is missed; the state grows old, which the control plane sees */
	*attempt = (struct attempt){.item = item, .work = prober->work, .number = ++item->started};
	attempt->work->references++;
	attempt->next = item->attempts;
	attempt->link = &item->attempts;
	if (attempt->next != NULL)
		attempt->next->link = &attempt->next;
	item->attempts = attempt;
	item->attempt_count++;
	prober->attempt_count++;
	if (check_start(prober->env, item->check, item->assigned->address, on_probe, attempt, &attempt->probe) !=
	    VEER_OK)
		attempt_remove(attempt);
}

/* --- when ------------------------------------------------------------------------------------------------------ */

static void schedule(struct item *item);

static void on_due(void *ctx)
{
	struct item *item = ctx;
	schedule(item);
	probe_now(item);
}

/* From now to the item's place in the interval, at least 1 ms. */
static int64_t until_place_ms(const struct item *item)
{
	int64_t interval_ms = item->check->interval_ms;
	int64_t wall_ms = veer_clock_wall_ns(loop_clock(item->prober->env->loop)) / 1000000;
	int64_t place_ms = (int64_t)((item->place + item->assigned->phase_ms) % (uint64_t)interval_ms);
	int64_t left_ms = (place_ms - wall_ms % interval_ms) % interval_ms;
	return left_ms > 0 ? left_ms : left_ms + interval_ms;
}

/* How often an unknown item is looked at: a round of them must not be more work than the agent can do. */
static int64_t first_round_ms(const struct item *item)
{
	int64_t all_ms = (int64_t)item->prober->pace_count * 1000 / FIRST_ROUND_RATE;
	return all_ms > FIRST_ROUND_MS ? all_ms : FIRST_ROUND_MS;
}

/* The next probe: a whole interval after the last on the monotonic clock, or, in the first round, soon. */
static void schedule(struct item *item)
{
	struct loop *loop = item->prober->env->loop;
	int64_t now_ms = loop_now_ms(loop);
	int64_t interval_ms = item->check->interval_ms;
	int64_t due_ms = item->timer.due_ms + interval_ms;
	if (item->streak.state == OBSERVATION_UNKNOWN && item->first_left > 0 && interval_ms > first_round_ms(item)) {
		item->first_left--;
		due_ms = now_ms + first_round_ms(item);
	} else if (item->first_left > 0) {
		item->first_left = 0;
		due_ms = now_ms + until_place_ms(item);
	} else if (due_ms <= now_ms) {
		due_ms = now_ms + until_place_ms(item); /* we were held up for longer than an interval */
	}
	(void)loop_timer_set_at(loop, &item->timer, due_ms, on_due, item);
}

/* A new item, or one whose timing may have changed. */
static void schedule_first(struct item *item)
{
	int64_t after_ms = until_place_ms(item);
	int64_t first_ms = first_round_ms(item);
	if (item->streak.state == OBSERVATION_UNKNOWN && after_ms > first_ms)
		after_ms = (int64_t)(item->place % (uint64_t)first_ms);
	(void)loop_timer_set(item->prober->env->loop, &item->timer, after_ms, on_due, item);
}

static void on_confirm(void *ctx)
{
	struct item *item = ctx;
	if (item->check == NULL || item->confirm_left == 0)
		return;
	if (--item->confirm_left > 0)
		(void)loop_timer_set(item->prober->env->loop, &item->confirm_timer, CONFIRM_SPACING_MS, on_confirm,
				     item);
	probe_now(item);
}

/* --- the list -------------------------------------------------------------------------------------------------- */

static const char *item_key(struct arena *arena, const char *check, const char *endpoint)
{
	return arena_printf(arena, "%s %s", check, endpoint);
}

static void item_free(struct item *item)
{
	if (item == NULL)
		return;
	loop_timer_cancel(item->prober->env->loop, &item->timer);
	loop_timer_cancel(item->prober->env->loop, &item->confirm_timer);
	while (item->attempts != NULL) {
		check_cancel(item->attempts->probe);
		attempt_remove(item->attempts);
	}
	free(item);
}

static struct work *work_new(const struct assignments *list, struct arena *arena)
{
	struct work *work = arena_alloc(arena, sizeof *work);
	if (work == NULL || index_map_init(&work->map, arena, list->item_count) != VEER_OK)
		return NULL;
	work->arena = arena;
	work->list = *list;
	work->references = 1;
	for (uint32_t i = 0; i < list->item_count; i++) {
		const struct assign_item *assigned = &list->items[i];
		if (assigned->check == ASSIGN_CHECK_UNSUPPORTED)
			continue;
		const char *key = item_key(arena, list->checks[assigned->check].name, assigned->endpoint);
		if (key == NULL)
			return NULL;
		(void)index_map_put(&work->map, key, i);
	}
	return work;
}

/* What the list says of the item at `place`. */
static void item_describe(struct item *item, const struct work *work, uint32_t place)
{
	const struct assign_item *assigned = &work->list.items[place];
	bool is_supported = assigned->check != ASSIGN_CHECK_UNSUPPORTED;
	item->assigned = assigned;
	item->check = is_supported ? &work->list.checks[assigned->check] : NULL;
	item->fingerprint = index_hash(INDEX_HASH_SEED, assigned->address);
	if (is_supported) {
		item->fingerprint ^= assign_check_fingerprint(item->check);
		item->place = index_hash(index_hash(INDEX_HASH_SEED, item->check->name), assigned->endpoint) >> 16;
	}
}

/* The place of the same thing in the list before, or INDEX_NONE. */
static uint32_t place_before(const struct prober *prober, const struct item *item, struct arena *arena)
{
	if (prober->work == NULL || item->check == NULL)
		return INDEX_NONE;
	const char *key = item_key(arena, item->check->name, item->assigned->endpoint);
	uint32_t place = key != NULL ? index_map_get(&prober->work->map, key) : INDEX_NONE;
	if (place == INDEX_NONE || prober->items[place] == NULL ||
	    prober->items[place]->fingerprint != item->fingerprint)
		return INDEX_NONE;
	return place;
}

/* Move what was seen, and the probes that run, from the old item to the new one. */
static void item_inherit(struct item *item, struct item *old)
{
	item->streak = old->streak;
	item->first_left = old->first_left;
	item->started = old->started;
	item->ended = old->ended;
	item->attempts = old->attempts;
	item->attempt_count = old->attempt_count;
	item->confirm_left = old->confirm_left;
	item->is_failing = old->is_failing;
	item->failing_ms = old->failing_ms;
	for (struct attempt *attempt = item->attempts; attempt != NULL; attempt = attempt->next)
		attempt->item = item;
	if (item->attempts != NULL)
		item->attempts->link = &item->attempts;
	old->attempts = NULL;
	old->attempt_count = 0;
}

static bool has_same_timing(const struct item *a, const struct item *b)
{
	return a->check->interval_ms == b->check->interval_ms && a->assigned->phase_ms == b->assigned->phase_ms;
}

static void item_begin(struct item *item, struct item *old)
{
	struct loop *loop = item->prober->env->loop;
	if (item->check == NULL) {
		item->streak.reason = PROBE_REASON_INTERNAL;
		return;
	}
	item->first_left = 2 * (item->check->fall > item->check->rise ? item->check->fall : item->check->rise);
	if (old != NULL)
		item_inherit(item, old);
	if (old != NULL && has_same_timing(item, old) && old->timer.heap_index != 0)
		(void)loop_timer_set_at(loop, &item->timer, old->timer.due_ms, on_due, item);
	else
		schedule_first(item);
	if (item->confirm_left > 0)
		(void)loop_timer_set(loop, &item->confirm_timer, CONFIRM_SPACING_MS, on_confirm, item);
}

static struct item **items_new(struct prober *prober, const struct work *work)
{
	uint32_t count = work->list.item_count;
	struct item **items = calloc((size_t)count + 1, sizeof *items);
	bool failed = items == NULL;
	for (uint32_t i = 0; i < count && !failed; i++) {
		items[i] = calloc(1, sizeof *items[i]);
		failed = items[i] == NULL;
		if (!failed)
			items[i]->prober = prober;
	}
	if (!failed)
		return items;
	for (uint32_t i = 0; items != NULL && i < count; i++)
		free(items[i]);
	free(items);
	return NULL;
}

static void items_free(struct prober *prober)
{
	for (uint32_t i = 0; i < prober->item_count; i++)
		item_free(prober->items[i]);
	free(prober->items);
	prober->items = NULL;
	prober->item_count = 0;
}

/* Each probe is a descriptor; what the agent needs to be heard is not theirs. */
static uint64_t descriptors_for_probes(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT : limit.rlim_cur / 2;
}

static void count_failing(struct prober *prober)
{
	prober->probed_count = 0;
	prober->failing_count = 0;
	for (uint32_t i = 0; i < prober->item_count; i++) {
		prober->probed_count += prober->items[i]->check != NULL;
		prober->failing_count += prober->items[i]->is_failing;
	}
}

enum veer_err prober_assign(struct prober *prober, const struct assignments *list, struct arena *arena)
{
	struct work *work = work_new(list, arena);
	struct item **items = work != NULL ? items_new(prober, work) : NULL;
	if (items == NULL) {
		arena_free(&arena);
		return VEER_ENOMEM;
	}
	prober->pace_count = list->item_count;
	for (uint32_t i = 0; i < list->item_count; i++) {
		item_describe(items[i], work, i);
		uint32_t before = place_before(prober, items[i], arena);
		item_begin(items[i], before != INDEX_NONE ? prober->items[before] : NULL);
		if (before == INDEX_NONE)
			continue;
		item_free(prober->items[before]);
		prober->items[before] = NULL;
	}
	items_free(prober);
	work_release(&prober->work);
	prober->work = work;
	prober->items = items;
	prober->item_count = list->item_count;
	count_failing(prober);
	prober->attempt_max = descriptors_for_probes();
	return VEER_OK;
}

void prober_confirm(struct prober *prober, const char *check, const char *endpoint)
{
	char key[MODEL_NAME_MAX + MODEL_ENDPOINT_KEY_MAX + 2];
	if (prober->work == NULL || strlen(check) > MODEL_NAME_MAX || strlen(endpoint) > MODEL_ENDPOINT_KEY_MAX)
		return;
	(void)snprintf(key, sizeof key, "%s %s", check, endpoint);
	uint32_t place = index_map_get(&prober->work->map, key);
	if (place == INDEX_NONE || prober->items[place]->confirm_left > 0)
		return;
	prober->items[place]->confirm_left = prober->items[place]->check->fall;
	on_confirm(prober->items[place]);
}

/* --- outside --------------------------------------------------------------------------------------------------- */

struct prober *prober_new(const struct check_env *env, struct logger *log, const struct prober_events *events)
{
	struct prober *prober = calloc(1, sizeof *prober);
	if (prober != NULL)
		*prober = (struct prober){.env = env, .log = log, .events = *events};
	return prober;
}

void prober_free(struct prober **prober)
{
	if (*prober == NULL)
		return;
	items_free(*prober);
	work_release(&(*prober)->work);
	free(*prober);
	*prober = NULL;
}

int64_t prober_revision(const struct prober *prober)
{
	return prober->work == NULL ? -1 : prober->work->list.revision;
}

uint32_t prober_item_count(const struct prober *prober)
{
	return prober->item_count;
}

void prober_observe(const struct prober *prober, struct observation *out)
{
	int64_t now_ms = loop_now_ms(prober->env->loop);
	for (uint32_t i = 0; i < prober->item_count; i++)
		out[i] = streak_observation(&prober->items[i]->streak, now_ms);
}
