/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine knows, for people and programs. The engine's thread only copies it (a tenth of the work); the thread
 * that asked makes the JSON, so that looking at ten thousand endpoints delays no verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_engine.h"
#include "base/strmap.h"

enum { COPY_BYTES = 256 << 20 };

struct endpoint_copy {
	struct verdict_endpoint_status status;
	const enum model_override_action *override; /* NULL: none; static */
	int64_t doubted_ms;                         /* how long it has been in doubt; -1: it is not */
	struct pushed *pushes;                      /* filled only when one endpoint was asked for */
	uint32_t push_count;
	struct verdict_vote *votes;
	uint32_t vote_count;
};

struct controller_view {
	struct arena *arena; /* all of this lives in it */
	struct endpoint_copy *endpoints;
	uint32_t endpoint_count;
	struct verdict_agent_status *agents;
	uint32_t agent_count;
	struct verdict_brake_status brake;
	bool is_frozen;
	int64_t now_ms;
	int64_t election, assignment_revision;
	bool is_acting;
};

/* The state of a copy in progress. */
struct copier {
	struct arena *arena;
	struct strmap names; /* names of agents and checks, which occur often: one copy of each */
	struct verdict_vote *votes;
	bool failed; /* memory is out */
};

static const char *copy_name(struct copier *k, const char *name)
{
	size_t len = strlen(name);
	char *copy = strmap_get(&k->names, name, len);
	if (copy != NULL)
		return copy;
	copy = arena_strdup(k->arena, name);
	k->failed = k->failed || copy == NULL || strmap_put(&k->names, name, len, copy) != VEER_OK;
	return copy;
}

static void copy_endpoint(struct copier *k, struct controller_engine *engine, uint32_t i, int64_t now_ms,
			  struct endpoint_copy *out)
{
	if (!verdict_endpoint_at(engine->verdicts, i, now_ms, &out->status))
		return;
	out->vote_count = verdict_votes(engine->verdicts, i, now_ms, k->votes, VERDICT_VOTES_MAX);
	const struct episode *e = controller_episode(engine, out->status.endpoint);
	out->override = controller_override(engine, out->status.endpoint);
	out->doubted_ms = !out->status.is_doubted ? -1 : e == NULL ? 0 : now_ms - e->reported_us / 1000;
	out->status.endpoint = arena_strdup(k->arena, out->status.endpoint);
	out->status.check = out->status.check != NULL ? copy_name(k, out->status.check) : NULL;
	out->status.domain = out->status.domain != NULL ? copy_name(k, out->status.domain) : NULL;
	out->votes = arena_calloc(k->arena, (size_t)out->vote_count + 1, sizeof *out->votes);
	if (out->status.endpoint == NULL || out->votes == NULL) {
		k->failed = true;
		return;
	}
	for (uint32_t j = 0; j < out->vote_count; j++) {
		out->votes[j] = k->votes[j];
		out->votes[j].agent = copy_name(k, k->votes[j].agent);
		out->votes[j].check = copy_name(k, k->votes[j].check);
		out->votes[j].region = copy_name(k, k->votes[j].region);
	}
}

static void copy_agent(struct copier *k, struct controller_engine *engine, uint32_t i, int64_t now_ms,
		       struct verdict_agent_status *out)
{
	if (!verdict_agent_at(engine->verdicts, i, now_ms, out))
		return;
	out->id = copy_name(k, out->id);
	out->region = copy_name(k, out->region);
	out->suspect_check = out->suspect_check != NULL ? copy_name(k, out->suspect_check) : NULL;
}

/* Copy what was pushed for the endpoint, one push for each check. */
static void copy_pushes(struct copier *k, struct controller_engine *engine, struct endpoint_copy *out)
{
	size_t at = 0;
	out->pushes = arena_calloc(k->arena, MODEL_CHECKS_MAX, sizeof *out->pushes);
	k->failed = k->failed || out->pushes == NULL;
	for (const struct pushed *p; !k->failed && (p = strmap_next(&engine->pushes, &at)) != NULL;)
		if (strcmp(p->endpoint, out->status.endpoint) == 0 && out->push_count < MODEL_CHECKS_MAX)
			out->pushes[out->push_count++] = *p;
}

/* Which endpoints to show: [first, first + count). */
static uint32_t choose(const struct controller_engine *engine, const char *endpoint, uint32_t *first)
{
	*first = endpoint != NULL ? verdict_endpoint_index(engine->verdicts, endpoint) : 0;
	if (endpoint != NULL)
		return *first != UINT32_MAX;
	return verdict_endpoint_count(engine->verdicts);
}

struct controller_view *controller_look(struct controller_engine *engine, const char *endpoint)
{
	uint32_t first, count = choose(engine, endpoint, &first);
	int64_t now_ms = controller_now_ms(engine);
	struct copier k = {.arena = arena_new(COPY_BYTES), .votes = calloc(VERDICT_VOTES_MAX, sizeof *k.votes)};
	struct controller_view *view =
		k.arena != NULL && k.votes != NULL ? arena_calloc(k.arena, 1, sizeof *view) : NULL;
	k.failed = view == NULL;
	if (!k.failed) {
		*view = (struct controller_view){.arena = k.arena,
						 .endpoint_count = count,
						 .agent_count = verdict_agent_count(engine->verdicts),
						 .election = engine->term.number,
						 .assignment_revision =
							 atomic_load(&engine->published.assignment_revision),
						 .is_acting = atomic_load(&engine->published.is_acting),
						 .is_frozen = engine->model.settings.is_frozen,
						 .now_ms = now_ms};
		verdict_brake_at(engine->verdicts, now_ms, &view->brake);
		view->brake.domain = view->brake.domain != NULL ? arena_strdup(k.arena, view->brake.domain) : NULL;
		view->endpoints = arena_calloc(k.arena, (size_t)view->endpoint_count + 1, sizeof *view->endpoints);
		view->agents = arena_calloc(k.arena, (size_t)view->agent_count + 1, sizeof *view->agents);
		k.failed = view->endpoints == NULL || view->agents == NULL;
	}
	for (uint32_t i = 0; !k.failed && i < view->endpoint_count; i++)
		copy_endpoint(&k, engine, first + i, now_ms, &view->endpoints[i]);
	if (!k.failed && endpoint != NULL && view->endpoint_count == 1)
		copy_pushes(&k, engine, &view->endpoints[0]);
	for (uint32_t i = 0; !k.failed && i < view->agent_count; i++)
		copy_agent(&k, engine, i, now_ms, &view->agents[i]);
	strmap_free(&k.names);
	free(k.votes);
	if (k.failed) {
		arena_free(&k.arena);
		return NULL;
	}
	return view;
}

void controller_view_free(struct controller_view **view)
{
	struct arena *arena = *view != NULL ? (*view)->arena : NULL;
	arena_free(&arena);
	*view = NULL;
}

static json_t *vote_json(const struct verdict_vote *v)
{
	json_t *vote =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "agent", v->agent, "region", v->region, "check",
			  v->check, "state", observation_state_text(v->state), "reason", probe_reason_text(v->reason),
			  "age_ms", (json_int_t)v->age_ms, "since_ms", (json_int_t)v->since_ms);
	if (v->rtt_us > 0)
		(void)json_object_set_new(vote, "rtt_us", json_integer((json_int_t)v->rtt_us));
	if (v->mark != VERDICT_MARK_NONE) {
		(void)json_object_set_new(vote, "said", json_string(observation_state_text(v->said)));
		(void)json_object_set_new(vote, "not_counted", json_string(verdict_mark_text(v->mark)));
	}
	return vote;
}

static json_t *pushes_json(const struct endpoint_copy *e, int64_t now_ms)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < e->push_count; i++) {
		const struct pushed *p = &e->pushes[i];
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "check", p->check, "state",
							    model_state_text(p->state), "text", p->text, "by", p->by,
							    "age_ms", (json_int_t)(now_ms - p->at_ms)));
	}
	return list;
}

static json_t *endpoint_json(const struct endpoint_copy *e, int64_t now_ms)
{
	const struct verdict_endpoint_status *s = &e->status;
	json_t *votes = json_array();
	for (uint32_t j = 0; j < e->vote_count; j++)
		(void)json_array_append_new(votes, vote_json(&e->votes[j]));
	json_t *endpoint = json_pack(
		"{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:b, s:s?, s:s?, s:s?, s:o}", "endpoint",
		s->endpoint, "state", model_state_text(s->state), "wait", verdict_wait_text(s->wait), "agents",
		(int)s->agents, "quorum", (int)s->quorum, "fresh", (int)s->fresh, "up", (int)s->up, "down",
		(int)s->down, "regions", (int)s->regions, "regions_fresh", (int)s->regions_fresh, "hold_left_ms",
		(json_int_t)s->hold_left_ms, "hold_ms", (json_int_t)s->hold_ms, "doubted", s->is_doubted,
		"decisive_check", s->check, "domain", s->domain, "override",
		e->override != NULL ? model_override_text(*e->override) : NULL, "votes", votes);
	if (e->doubted_ms >= 0)
		(void)json_object_set_new(endpoint, "doubted_ms", json_integer(e->doubted_ms));
	if (e->push_count > 0)
		(void)json_object_set_new(endpoint, "pushes", pushes_json(e, now_ms));
	return endpoint;
}

/* Why the agent is not believed. */
static json_t *suspicion_json(const struct verdict_agent_status *s)
{
	return json_pack("{s:s, s:i, s:i, s:i}", "check", s->suspect_check, "checks", (int)s->suspect_checks,
			 "contradicted", (int)s->contradicted, "compared", (int)s->compared);
}

static json_t *agent_json(const struct verdict_agent_status *s)
{
	json_t *agent = json_pack("{s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:i, s:i}", "id", s->id, "revoked",
				  s->is_revoked, "blind", s->is_blind, "suspect", s->suspect_check != NULL, "silent",
				  s->is_silent, "heard_ms_ago", (json_int_t)s->heard_ms_ago, "silent_after_ms",
				  (json_int_t)s->silence_ms, "items", (int)s->items, "fresh", (int)s->fresh);
	if (s->suspect_check != NULL)
		(void)json_object_set_new(agent, "suspicion", suspicion_json(s));
	if (s->has_lost_runner)
		(void)json_object_set_new(agent, "runner_lost", json_true());
	return agent;
}

static json_t *brake_json(const struct verdict_brake_status *b)
{
	return json_pack("{s:b, s:i, s:i, s:i, s:i, s:s?, s:i, s:I}", "engaged", b->is_engaged, "endpoints",
			 (int)b->endpoints, "sites", (int)b->sites, "limit", (int)b->limit, "removed", (int)b->removed,
			 "domain", b->domain, "held", (int)b->held, "frees_ms", (json_int_t)b->frees_ms);
}

json_t *controller_view_json(const struct controller_view *view)
{
	json_t *endpoints = json_array(), *agents = json_array();
	for (uint32_t i = 0; i < view->endpoint_count; i++)
		(void)json_array_append_new(endpoints, endpoint_json(&view->endpoints[i], view->now_ms));
	for (uint32_t i = 0; i < view->agent_count; i++)
		(void)json_array_append_new(agents, agent_json(&view->agents[i]));
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:b, s:b}", "endpoints", endpoints, "agents", agents, "brake",
			 brake_json(&view->brake), "election", (json_int_t)view->election, "assignment_revision",
			 (json_int_t)view->assignment_revision, "acting", view->is_acting, "frozen", view->is_frozen);
}

void controller_count(struct controller_engine *engine, struct controller_counts *out)
{
	struct verdict_endpoint_status e;
	struct verdict_agent_status a;
	int64_t now_ms = controller_now_ms(engine);
	*out = (struct controller_counts){.doubts = engine->doubt_count};
	for (uint32_t i = 0; verdict_endpoint_at(engine->verdicts, i, now_ms, &e); i++)
		if ((size_t)e.wait < sizeof out->waits / sizeof out->waits[0])
			out->waits[e.wait]++;
	for (uint32_t i = 0; verdict_agent_at(engine->verdicts, i, now_ms, &a); i++) {
		out->agents_revoked += a.is_revoked;
		out->agents_blind += !a.is_revoked && a.is_blind;
		out->agents_runner_lost += !a.is_revoked && a.has_lost_runner;
		out->agents_suspect += !a.is_revoked && a.suspect_check != NULL;
		out->agents_silent += !a.is_revoked && a.is_silent;
	}
}
