/* SPDX-License-Identifier: Apache-2.0 */
/* Turns wishes into one commit. See change.h. */
#include "api/control/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { READ_YOUR_WRITES_MS = 2000, CATCH_UP_MS = 500 };

/* --- urgency ------------------------------------------------------------------------------------------------------ */

/*
 * Urgent are an administrator's actions in an emergency, the end of a credential, the enrolment of an agent, and
 * whatever makes room. Objects that the control plane writes for itself (the guard of the overrides) are as urgent as
 * the operations that they are written with. (For a site that is taken out or in, objects.c decides.)
 */
static bool is_urgent(const struct store_op *op)
{
	static const enum model_kind kinds[] = {MODEL_KIND_OVERRIDE,  MODEL_KIND_SETTINGS, MODEL_KIND_MAINTENANCE,
						MODEL_KIND_TOKEN,     MODEL_KIND_AGENT,    MODEL_KIND_NAMESERVER,
						MODEL_KIND_ENROLMENT, MODEL_KIND_META};
	bool is = op->op != STORE_PUT;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		is = is || op->kind == kinds[i];
	return is;
}

static enum store_priority priority_of(const struct store_op *ops, size_t count, enum change_haste haste)
{
	bool is = haste != CHANGE_ORDINARY;
	for (size_t i = 0; i < count && haste == CHANGE_BY_KIND; i++)
		is = is && is_urgent(&ops[i]);
	return is ? STORE_URGENT : STORE_NORMAL;
}

enum veer_err change_commit(struct store *store, const struct store_op *ops, size_t count, enum change_haste haste,
			    int64_t *revision)
{
	return store_commit(store, ops, count, priority_of(ops, count, haste), revision, NULL);
}

void change_wait(struct control *control, int64_t revision)
{
	(void)directory_wait(control->directory, revision, READ_YOUR_WRITES_MS);
}

/* --- functions for the nouns -------------------------------------------------------------------------------------- */

enum veer_err change_add(struct change_draft *draft, struct store_op op)
{
	if (draft->count == STORE_COMMIT_OPS_MAX)
		return VEER_ERANGE;
	draft->ops[draft->count++] = op;
	return VEER_OK;
}

enum veer_err change_add_json(struct change_draft *draft, enum model_kind kind, const char *key, json_t *value,
			      int64_t expect)
{
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	json_decref(value);
	char *copy = text != NULL ? arena_strdup(draft->arena, text) : NULL;
	free(text);
	if (copy == NULL)
		return VEER_ENOMEM;
	return change_add(draft, (struct store_op){STORE_PUT, kind, key, copy, strlen(copy), expect});
}

enum veer_err change_refuse(struct change_draft *draft, enum veer_err err, enum change_problem problem, const char *fmt,
			    ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(draft->result->diag.text, sizeof draft->result->diag.text, fmt, ap);
	va_end(ap);
	draft->result->problem = problem;
	return err;
}

enum veer_err change_refuse_missing(struct change_draft *draft, enum model_kind kind, const char *key)
{
	return change_refuse(draft, VEER_ENOTFOUND, CHANGE_MISSING, "there is no such %s: \"%.300s\"",
			     model_kind_text(kind), key);
}

enum veer_err change_judge_precondition(const struct change_precondition *p, int64_t current, struct veer_diag *diag)
{
	if (p->is_absent && current != 0)
		return veer_fail(diag, VEER_ECONFLICT, "it exists already, at revision %lld", (long long)current);
	if (p->revision == CHANGE_ANY || (current != 0 && (p->revision == CHANGE_EXISTS || p->revision == current)))
		return VEER_OK;
	if (current == 0)
		return veer_fail(diag, VEER_ECONFLICT, "it does not exist");
	return veer_fail(diag, VEER_ECONFLICT, "it was changed meanwhile: it is at revision %lld", (long long)current);
}

enum veer_err change_meets(struct change_draft *draft, int64_t current, int64_t *expect)
{
	enum veer_err err = change_judge_precondition(draft->precondition, current, &draft->result->diag);
	draft->result->before = current;
	*expect = current;
	if (err != VEER_OK)
		draft->result->problem = CHANGE_PRECONDITION;
	return err;
}

static enum veer_err forbidden(struct change_draft *draft, enum veer_err err)
{
	if (err == VEER_EAUTH)
		draft->result->problem = CHANGE_FORBIDDEN;
	return err;
}

enum veer_err change_may_touch(struct change_draft *draft, enum token_limit limit, const char *name)
{
	return forbidden(draft, token_judge_touch(draft->control->directory, draft->principal->token, limit, name,
						  &draft->result->diag));
}

enum veer_err change_may_change(struct change_draft *draft, enum token_limit limit, const char *name)
{
	return forbidden(draft, token_judge_change(draft->control->directory, draft->principal->token, limit, name,
						   &draft->result->diag));
}

enum veer_err change_may_change_all(struct change_draft *draft)
{
	return forbidden(draft, token_judge_change_all(draft->control->directory, draft->principal->token,
						       &draft->result->diag));
}

/* --- change() ----------------------------------------------------------------------------------------------------- */

/* Does the directory keep any object that the draft writes? */
static bool is_followed(const struct change_draft *draft)
{
	for (size_t i = 0; i < draft->count; i++)
		if (draft->ops[i].op != STORE_CHECK && directory_keeps(draft->ops[i].kind))
			return true;
	return false;
}

/* Judge all wishes and commit. A change is as urgent as the least urgent of its wishes. */
static enum veer_err try_once(struct change_draft *draft, const struct change *wished)
{
	enum veer_err err = VEER_OK;
	bool is_urgent_all = true;
	draft->count = 0;
	draft->end = NULL;
	for (size_t i = 0; i < wished->count && err == VEER_OK; i++) {
		size_t from = draft->count;
		draft->haste = CHANGE_BY_KIND;
		err = wished->wishes[i].plan(wished->wishes[i].wish, draft);
		is_urgent_all = is_urgent_all &&
				priority_of(draft->ops + from, draft->count - from, draft->haste) == STORE_URGENT;
	}
	if (err == VEER_OK && draft->count > 0)
		err = change_commit(draft->control->store, draft->ops, draft->count,
				    is_urgent_all ? CHANGE_URGENT : CHANGE_ORDINARY, &draft->result->revision);
	if (draft->end != NULL)
		draft->end(draft->end_ctx);
	return err;
}

/*
 * How the wishes are to be judged together. Only the first zone's turn is taken: changes to the other zones may
 * conflict.
 */
static struct change_wish combine(const struct change *wished)
{
	struct change_wish all = {.tries = 0};
	for (size_t i = 0; i < wished->count; i++) {
		const struct change_wish *w = &wished->wishes[i];
		all.zone = all.zone != NULL ? all.zone : w->zone;
		all.gate = w->gate > all.gate ? w->gate : all.gate;
		all.tries = w->tries > all.tries ? w->tries : all.tries;
		all.reads_directory = all.reads_directory || w->reads_directory;
	}
	return all;
}

/* The change was judged by outdated objects: may they be read again? */
static bool may_try_again(struct control *control, const struct change_wish *all)
{
	return !all->reads_directory || directory_wait(control->directory, store_revision(control->store), CATCH_UP_MS);
}

static enum veer_err judge_and_commit(struct change_draft *draft, const struct change *wished,
				      const struct change_wish *all)
{
	enum veer_err err = try_once(draft, wished);
	for (unsigned i = 1; i < all->tries && err == VEER_ECONFLICT && draft->result->problem == CHANGE_FAILED &&
			     may_try_again(draft->control, all);
	     i++)
		err = try_once(draft, wished);
	if (err == VEER_OK && is_followed(draft))
		change_wait(draft->control, draft->result->revision);
	return err;
}

static enum veer_err prepare(struct change_draft *draft, const struct change *wished)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < wished->count && err == VEER_OK; i++)
		if (wished->wishes[i].prepare != NULL)
			err = wished->wishes[i].prepare(wished->wishes[i].wish, draft);
	return err;
}

enum veer_err change(struct control *control, const struct change *wished, struct change_result *result)
{
	struct change_draft *draft = arena_alloc(wished->arena, sizeof *draft);
	const struct change_wish all = combine(wished);
	*result = (struct change_result){.problem = CHANGE_FAILED};
	if (draft == NULL)
		return VEER_ENOMEM;
	draft->control = control;
	draft->principal = &wished->principal;
	draft->precondition = &wished->precondition;
	draft->arena = wished->arena;
	draft->result = result;
	enum veer_err err = prepare(draft, wished);
	if (err != VEER_OK)
		return err;
	pthread_mutex_t *turn = all.zone != NULL ? zone_turn_take(&control->zone_turns, all.zone) : NULL;
	if (all.gate != CHANGE_OPEN)
		write_gate_enter(&control->write_gate, all.gate == CHANGE_EMERGENCY);
	err = judge_and_commit(draft, wished, &all);
	if (all.gate != CHANGE_OPEN)
		write_gate_leave(&control->write_gate);
	if (turn != NULL)
		zone_turn_give(turn);
	if (err != VEER_OK)
		return err;
	log_debug(control->log, "changed", LOG_STR("by", wished->principal.name),
		  LOG_STR("reason", wished->reason != NULL ? wished->reason : ""), LOG_INT("operations", draft->count),
		  LOG_INT("revision", result->revision));
	for (size_t i = 0; i < wished->count; i++)
		if (wished->wishes[i].done != NULL)
			wished->wishes[i].done(wished->wishes[i].wish, draft);
	return VEER_OK;
}
