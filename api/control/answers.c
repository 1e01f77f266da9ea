/* SPDX-License-Identifier: Apache-2.0 */
/* Following the directory, and how each policy answered at the last look. See answers.h. */
#include "api/control/answers_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 250 };

/* Do objects of the kind decide what policies answer? All that are fed do, but for zones and their RRsets. */
static bool decides(enum model_kind kind)
{
	return model_kinds_have(model_kinds_common(model_kinds_fed(), model_kinds_mirrored()), kind) &&
	       kind != MODEL_KIND_ZONE;
}

const struct answers_type answers_types[ANSWERS_TYPES] = {{PLAN_BOUND_A, "A"}, {PLAN_BOUND_AAAA, "AAAA"}};

const char *answers_state_text(enum answers_state state)
{
	static const char *const names[ANSWERS_STATES] = {
		[ANSWERS_NORMAL] = "normal",
		[ANSWERS_FALLBACK] = "fallback",
		[ANSWERS_FAIL_OPEN] = "fail_open",
		[ANSWERS_SERVFAIL] = "servfail",
	};
	assert(state < ANSWERS_STATES);
	return names[state];
}

/* --- following the directory ------------------------------------------------------------------------------ */

/* One pass over a kind. */
struct pass {
	struct answers *answers;
	enum model_kind kind;
	bool is_sweep;
};

static struct known *know(struct answers *a, enum model_kind kind, const char *key)
{
	size_t len = strlen(key);
	struct known *known = strmap_get(&a->known[kind], key, len);
	if (known != NULL)
		return known;
	known = calloc(1, sizeof *known + len + 1);
	if (known == NULL || strmap_put(&a->known[kind], key, len, known) != VEER_OK) {
		free(known);
		a->failed = true;
		return NULL;
	}
	memcpy(known->key, key, len + 1);
	if (kind == MODEL_KIND_POLICY && plan_builder_want(a->builder, key) != VEER_OK)
		a->failed = true;
	return known;
}

/* Give one object to the plan builder. An object that the model refuses is not used for answers, as on name servers. */
static bool take(void *ctx, const struct directory_entry *entry)
{
	struct pass *pass = ctx;
	struct answers *a = pass->answers;
	struct veer_diag unused = {.text = ""};
	if (!pass->is_sweep && entry->revision <= a->revision)
		return true;
	struct known *known = know(a, pass->kind, entry->key);
	if (known == NULL)
		return false;
	known->round = a->round;
	if (entry->revision > a->revision &&
	    plan_builder_put(a->builder, entry->kind, entry->key, strlen(entry->key), (const uint8_t *)entry->text,
			     strlen(entry->text), &unused) == VEER_ENOMEM)
		a->failed = true;
	return !a->failed;
}

/* Remove the objects that this round's sweep has not found. */
static void forget_missing(struct answers *a, enum model_kind kind)
{
	size_t at = 0;
	struct veer_diag unused = {.text = ""};
	for (struct known *k; (k = strmap_next(&a->known[kind], &at)) != NULL;) {
		if (k->round == a->round)
			continue;
		size_t len = strlen(k->key);
		if (plan_builder_del(a->builder, kind, k->key, len, &unused) == VEER_ENOMEM)
			a->failed = true;
		if (kind == MODEL_KIND_POLICY) {
			plan_builder_unwant(a->builder, k->key);
			free(strmap_del(&a->policies, k->key, len));
		}
		(void)strmap_del(&a->known[kind], k->key, len);
		free(k);
	}
}

/* Take over what has changed since the last look. All objects of a kind are compared only when the counts differ. */
static void follow(struct answers *a)
{
	a->round++;
	directory_read_begin(a->directory);
	int64_t revision = directory_revision(a->directory);
	for (int i = MODEL_KIND_NONE + 1; i < MODEL_KIND_COUNT && !a->failed; i++) {
		enum model_kind kind = (enum model_kind)i;
		struct pass pass = {.answers = a, .kind = kind};
		if (!decides(kind))
			continue;
		directory_list_locked(a->directory, kind, NULL, take, &pass);
		if (a->failed || a->known[kind].count == directory_count_locked(a->directory, kind))
			continue;
		pass.is_sweep = true;
		directory_list_locked(a->directory, kind, NULL, take, &pass);
		if (!a->failed)
			forget_missing(a, kind);
	}
	directory_read_end(a->directory);
	a->revision = revision;
}

static void forget_all(struct answers *a)
{
	for (size_t i = 0; i < MODEL_KIND_COUNT; i++) {
		size_t at = 0;
		for (struct known *k; (k = strmap_next(&a->known[i], &at)) != NULL;)
			free(k);
		strmap_free(&a->known[i]);
	}
	a->revision = 0;
}

/* --- what policies answer --------------------------------------------------------------------------------- */

static enum answers_state state_of_outcome(const struct policy_outcome *outcome)
{
	if (outcome->result == POLICY_SERVFAIL)
		return ANSWERS_SERVFAIL;
	if (outcome->result != POLICY_ANSWER)
		return ANSWERS_NORMAL;
	if (outcome->is_fallback)
		return ANSWERS_FALLBACK;
	return outcome->mode == POLICY_MODE_NORMAL || outcome->mode == POLICY_MODE_ANY ? ANSWERS_NORMAL
										       : ANSWERS_FAIL_OPEN;
}

bool answers_take_worst(void *ctx, const struct policy_outcome *outcome)
{
	enum answers_state *worst = ctx, state = state_of_outcome(outcome);
	*worst = state > *worst ? state : *worst;
	return true;
}

enum answers_state answers_state_of(const struct answers *a, const char *policy, enum plan_bound bound)
{
	enum answers_state worst = ANSWERS_NORMAL;
	const struct policy_program *program = plan_builder_program(a->builder, policy, bound);
	if (program != NULL)
		policy_outcomes(program, answers_take_worst, &worst);
	return worst;
}

static void say_change(const struct answers *a, const char *policy, enum answers_state from, enum answers_state to)
{
	if (to > from)
		log_warn(a->log, "a policy does not answer with what is up, for want of it", LOG_STR("policy", policy),
			 LOG_STR("state", answers_state_text(to)));
	else if (to < from)
		log_notice(a->log, "a policy answers better again", LOG_STR("policy", policy),
			   LOG_STR("state", answers_state_text(to)));
}

static void judge(struct answers *a, const char *policy)
{
	size_t len = strlen(policy);
	struct policy_state *p = strmap_get(&a->policies, policy, len);
	enum answers_state state = ANSWERS_NORMAL;
	for (size_t i = 0; i < ANSWERS_TYPES; i++) {
		enum answers_state other = answers_state_of(a, policy, answers_types[i].bound);
		state = other > state ? other : state;
	}
	if (p == NULL) {
		p = calloc(1, sizeof *p);
		if (p == NULL || len > MODEL_NAME_MAX || strmap_put(&a->policies, policy, len, p) != VEER_OK) {
			free(p);
			return;
		}
		memcpy(p->name, policy, len);
	}
	say_change(a, policy, p->state, state);
	p->state = state;
}

/*
 * Compile what has changed and judge each policy. Only the holder of the lock uses plans, so old ones are freed at
 * once.
 */
static void compile(struct answers *a)
{
	const struct plan *plan;
	struct retire_list retired = {0};
	size_t at = 0;
	if (plan_builder_commit(a->builder, a->revision + 1, &plan, &retired) != VEER_OK)
		a->failed = true;
	retire_release(&retired);
	for (const struct known *k; !a->failed && (k = strmap_next(&a->known[MODEL_KIND_POLICY], &at)) != NULL;)
		judge(a, k->key);
}

/* Take over what has changed; do nothing if nothing has. The lock is held. */
void answers_look(struct answers *a)
{
	if (a->failed) { /* begin anew, because what was partly taken over cannot be trusted */
		forget_all(a);
		plan_builder_free(&a->builder);
		a->builder = plan_builder_new();
		a->failed = a->builder == NULL;
	}
	int64_t revision = directory_revision(a->directory);
	if (a->failed || revision == a->revision)
		return;
	if (revision < a->revision) { /* the store went back: what was taken over is no longer true */
		a->failed = true;
		answers_look(a);
		return;
	}
	follow(a);
	if (!a->failed)
		compile(a);
}

static void *answers_main(void *ctx)
{
	struct answers *a = ctx;
	(void)pthread_mutex_lock(&a->lock);
	while (!a->is_closing) {
		struct timespec until;
		answers_look(a);
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&a->wake, &a->lock, &until);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

void answers_count(struct answers *answers, uint64_t counts[ANSWERS_STATES])
{
	size_t at = 0;
	memset(counts, 0, ANSWERS_STATES * sizeof *counts);
	(void)pthread_mutex_lock(&answers->lock);
	answers_look(answers);
	for (const struct policy_state *p; (p = strmap_next(&answers->policies, &at)) != NULL;)
		counts[p->state]++;
	(void)pthread_mutex_unlock(&answers->lock);
}

/* --- interface -------------------------------------------------------------------------------------------- */

struct answers *answers_new(struct directory *directory, struct logger *log)
{
	pthread_condattr_t monotonic;
	struct answers *a = calloc(1, sizeof *a);
	if (a == NULL)
		return NULL;
	a->directory = directory;
	a->log = log;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&a->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	a->builder = plan_builder_new();
	a->has_thread = a->builder != NULL && pthread_create(&a->thread, NULL, answers_main, a) == 0;
	if (!a->has_thread)
		answers_free(&a);
	return a;
}

void answers_free(struct answers **answers)
{
	struct answers *a = *answers;
	size_t at = 0;
	if (a == NULL)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->is_closing = true;
	(void)pthread_cond_signal(&a->wake);
	(void)pthread_mutex_unlock(&a->lock);
	if (a->has_thread)
		(void)pthread_join(a->thread, NULL);
	forget_all(a);
	for (struct policy_state *p; (p = strmap_next(&a->policies, &at)) != NULL;)
		free(p);
	strmap_free(&a->policies);
	plan_builder_free(&a->builder);
	(void)pthread_cond_destroy(&a->wake);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
	*answers = NULL;
}
