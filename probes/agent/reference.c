/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_MS 1000
#define AGAIN_MS 100 /* pause after a round in which none answered */
#define HURRY_MS 250 /* between rounds that were requested */
#define TIMEOUT_MS 500
#define ROUNDS_TO_BLIND 2

struct reference {
	struct references *all;
	struct reference_address address;
	struct model_check check;
	struct check_probe *probe; /* set while it runs */
	uint32_t failed;           /* rounds in a row that it has failed */
};

struct references {
	struct check_env env;
	struct logger *log;
	void (*changed)(void *ctx);
	void *ctx;
	struct reference *items;
	size_t count;
	size_t running; /* probes of the present round that are running */
	struct loop_timer timer;
	int64_t round_ms; /* when the last round began */
	bool is_blind;
};

static void round_begin(void *ctx);

static enum veer_err read_one(const char *text, struct reference *out, struct veer_diag *diag)
{
	*out = (struct reference){.check = {.name = "reference", .timeout_ms = TIMEOUT_MS}};
	enum veer_err err = reference_address_parse(text, &out->address, diag);
	out->check.kind = out->address.is_icmp ? MODEL_CHECK_ICMP : MODEL_CHECK_TCP;
	out->check.port = out->address.port;
	return err;
}

static void become(struct references *references, bool is_blind, const char *text)
{
	if (references->is_blind == is_blind)
		return;
	references->is_blind = is_blind;
	if (is_blind)
		log_warn(references->log, "blind: no reference can be reached, views do not count",
			 LOG_INT("references", (int64_t)references->count));
	else
		log_notice(references->log, "no longer blind", LOG_STR("reference", text));
	references->changed(references->ctx);
}

/* How many rounds in a row all references have failed. */
static uint32_t failed_rounds(const struct references *references)
{
	uint32_t least = UINT32_MAX;
	for (size_t i = 0; i < references->count; i++)
		if (references->items[i].failed < least)
			least = references->items[i].failed;
	return references->count > 0 ? least : 0;
}

static void round_plan(struct references *references)
{
	int64_t due_ms = references->round_ms + ROUND_MS;
	int64_t now_ms = loop_now_ms(references->env.loop);
	uint32_t failed = failed_rounds(references);
	if (failed > 0 && failed < ROUNDS_TO_BLIND)
		due_ms = now_ms + AGAIN_MS;
	(void)loop_timer_set_at(references->env.loop, &references->timer, due_ms > now_ms ? due_ms : now_ms,
				round_begin, references);
}

static void round_end(struct references *references)
{
	if (failed_rounds(references) >= ROUNDS_TO_BLIND)
		become(references, true, "");
	round_plan(references);
}

static void on_probe(void *ctx, const struct check_outcome *outcome)
{
	struct reference *reference = ctx;
	struct references *references = reference->all;
	reference->probe = NULL;
	if (outcome->is_success)
		reference->failed = 0;
	else if ((check_is_definite(outcome->reason) || outcome->lacks_route) && reference->failed < UINT32_MAX)
		reference->failed++;
	log_debug(references->log, "reference", LOG_STR("reference", reference->address.text),
		  LOG_STR("reason", probe_reason_text(outcome->reason)), LOG_STR("detail", outcome->detail));
	if (outcome->is_success)
		become(references, false, reference->address.text);
	if (--references->running == 0)
		round_end(references);
}

static void round_begin(void *ctx)
{
	struct references *references = ctx;
	references->round_ms = loop_now_ms(references->env.loop);
	for (size_t i = 0; i < references->count; i++) {
		struct reference *reference = &references->items[i];
		if (check_start(&references->env, &reference->check, reference->address.host, false, on_probe,
				reference, &reference->probe) == VEER_OK)
			references->running++;
	}
	if (references->running == 0 && references->count > 0)
		round_plan(references); /* memory is out, which says nothing about the references */
}

void references_hurry(struct references *references)
{
	int64_t now_ms = loop_now_ms(references->env.loop);
	int64_t due_ms = references->round_ms + HURRY_MS;
	if (references->count == 0 || references->running > 0)
		return;
	if (due_ms < now_ms)
		due_ms = now_ms;
	if (due_ms < references->timer.due_ms)
		(void)loop_timer_set_at(references->env.loop, &references->timer, due_ms, round_begin, references);
}

bool references_are_blind(const struct references *references)
{
	return references->is_blind;
}

/* --- the list -------------------------------------------------------------------------------------------------- */

struct references *references_new(const struct check_env *env, struct logger *log, void (*changed)(void *ctx),
				  void *ctx)
{
	struct references *references = calloc(1, sizeof *references);
	if (references == NULL)
		return NULL;
	*references = (struct references){.env = *env, .log = log, .changed = changed, .ctx = ctx};
	references->env.targets = (struct target_rules){.classes = ~0u};
	references->env.own = NULL;
	return references;
}

static void forget(struct references *references)
{
	loop_timer_cancel(references->env.loop, &references->timer);
	for (size_t i = 0; i < references->count; i++)
		if (references->items[i].probe != NULL)
			check_cancel(references->items[i].probe);
	free(references->items);
	references->items = NULL;
	references->count = 0;
	references->running = 0;
}

void references_free(struct references **references)
{
	if (*references == NULL)
		return;
	forget(*references);
	free(*references);
	*references = NULL;
}

static bool is_same(const struct references *references, const char *const *texts, size_t count)
{
	if (references->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(references->items[i].address.text, texts[i]) != 0)
			return false;
	return true;
}

enum veer_err references_set(struct references *references, const char *const *texts, size_t count,
			     struct veer_diag *diag)
{
	if (is_same(references, texts, count))
		return VEER_OK;
	enum veer_err err = reference_addresses_check(texts, count, diag);
	struct reference *items = err == VEER_OK ? calloc(count + 1, sizeof *items) : NULL;
	if (err == VEER_OK && items == NULL)
		err = veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	for (size_t i = 0; err == VEER_OK && i < count; i++) {
		err = read_one(texts[i], &items[i], diag);
		items[i].all = references;
	}
	if (err != VEER_OK) {
		free(items);
		return err;
	}
	forget(references);
	references->items = items;
	references->count = count;
	if (count == 0)
		become(references, false, "none is left");
	else
		err = loop_timer_set(references->env.loop, &references->timer, 0, round_begin, references);
	return err;
}
