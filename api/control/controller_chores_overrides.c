/* SPDX-License-Identifier: Apache-2.0 */
/* Ending overrides whose time is over, or whose window or endpoint no longer exists. */
#include <string.h>

#include "api/control/change.h"
#include "api/control/controller_chores_impl.h"

enum { DELETE_AT_ONCE = 80 };

/* Commit, and wait until the directory has the result. */
static bool commit(struct chores_turn *t, const struct store_op *ops, size_t count)
{
	int64_t revision;
	enum veer_err err = change_commit(t->chores->config->store, ops, count, CHANGE_URGENT, &revision);
	t->has_written = true;
	if (err == VEER_OK)
		(void)directory_wait(t->chores->config->directory, revision, CHORES_WAIT_MS);
	else
		log_warn(t->chores->config->log, "overrides could not be ended, yet",
			 LOG_STR("why", veer_err_text(err)));
	chores_refused(t->chores, &t->term, err);
	return err == VEER_OK;
}

/* Why an override has to end; NULL when it stays. */
static const char *why_over(const struct chores_turn *t, const struct chores_override *k)
{
	char source[CHORES_SOURCE_SIZE];
	const struct model_pool *pool = NULL;
	const struct model_endpoint *e = chores_endpoint_of(t, k->key, &pool);
	if (k->model.expires_ns != 0 && k->model.expires_ns <= t->now_ns)
		return "expired";
	if (e == NULL)
		return chores_is_of_unusable(t, k->key) ? NULL : "its endpoint is gone";
	if (k->model.source[0] == '\0')
		return NULL;
	for (size_t i = 0; i < t->window_count; i++) {
		const struct chores_window *w = &t->windows[i];
		chores_source_of(&w->model, source);
		if (strcmp(source, k->model.source) == 0)
			return w->is_on && window_covers(&w->model, pool->name, e) ? NULL
										   : "the maintenance window is over";
	}
	return "the maintenance window is gone";
}

/* May an endpoint that is out stay out, or would that break the safety rule because it is the last one? */
static bool may_stay_out(struct chores_turn *t, const struct chores_window *w, const char *key)
{
	struct safety_loss loss;
	struct directory *directory = t->chores->config->directory;
	directory_read_begin(directory);
	enum veer_err err = overrides_judge(directory, &key, 1, w->model.force, w->model.force_count, t->arena, &loss);
	directory_read_end(directory);
	return err == VEER_OK;
}

/*
 * The window that takes over where an override ends, or NULL: another one that overlaps, or the same one with a later
 * end. It takes over in one step, so that the endpoint is not in the answers in between. The endpoint only stays out,
 * so no pool loses anything; but if that already breaks the safety rule, only a window with `force` may prolong it.
 */
static const struct chores_window *heir_of(struct chores_turn *t, const struct chores_override *k)
{
	const struct model_pool *pool = NULL;
	const struct model_endpoint *e = chores_endpoint_of(t, k->key, &pool);
	if (e == NULL || k->model.action == MODEL_OVERRIDE_UP)
		return NULL;
	for (size_t i = 0; i < t->window_count; i++) {
		const struct chores_window *w = &t->windows[i];
		if (w->is_on && window_covers(&w->model, pool->name, e) && may_stay_out(t, w, k->key))
			return w;
	}
	return NULL;
}

/* The operation that ends one override, or turns it into the drain of the window that takes over. */
static struct store_op end_op(struct chores_turn *t, const struct chores_override *k)
{
	struct store_op op = {.op = STORE_DEL, .kind = MODEL_KIND_OVERRIDE, .key = k->key, .expect = k->revision};
	const struct chores_window *w = heir_of(t, k);
	struct chores_texts texts;
	if (w == NULL)
		return op;
	const struct override_wish wish = chores_wish_of(t, w, &texts);
	t->failed = !overrides_put_op(&wish, k->key, k->revision, t->arena, &op);
	return op;
}

void chores_end_overrides(struct chores_turn *t)
{
	struct store_op ops[1 + DELETE_AT_ONCE] = {election_condition(&t->term)};
	size_t count = 1;
	for (size_t i = 0; i < t->override_count && count < 1 + DELETE_AT_ONCE && !t->failed; i++)
		if (why_over(t, &t->overrides[i]) != NULL)
			ops[count++] = end_op(t, &t->overrides[i]);
	if (t->failed || count == 1 || !commit(t, ops, count))
		return;
	for (size_t i = 1; i < count; i++) {
		const struct chores_override *k = chores_override_of(t, ops[i].key);
		const char *what = ops[i].op == STORE_DEL ? "override ended" : "override taken over by maintenance";
		log_notice(t->chores->config->log, what, LOG_STR("endpoint", k->key),
			   LOG_STR("action", model_override_text(k->model.action)), LOG_STR("why", why_over(t, k)));
	}
}
