/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine knows, for people and programs. The controller's thread only copies (a tenth of the work); whoever
 * asked makes the JSON, so that looking at ten thousand endpoints delays no verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "api/controller_impl.h"
#include "zones/strmap.h"

enum { VOTES_MAX = VERDICT_VOTES_MAX, COPY_BYTES = 256 << 20 };

struct endpoint_copy {
	struct verdict_endpoint_status status;
	struct verdict_vote *votes;
	uint32_t vote_count;
};

struct controller_view {
	struct arena *arena; /* all of this lives in it */
	struct endpoint_copy *endpoints;
	uint32_t endpoint_count;
	struct verdict_agent_status *agents;
	uint32_t agent_count;
	int64_t election, assignment_revision;
	bool is_acting;
};

/* What copying carries along. */
struct copier {
	struct arena *arena;
	struct strmap names; /* of agents and checks, which come again and again: their one copy */
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

static void copy_endpoint(struct copier *k, struct controller *c, uint32_t i, int64_t now_ms, struct endpoint_copy *out)
{
	if (!verdict_endpoint_at(c->engine, i, now_ms, &out->status))
		return;
	out->vote_count = verdict_votes(c->engine, i, now_ms, k->votes, VOTES_MAX);
	out->status.endpoint = arena_strdup(k->arena, out->status.endpoint);
	out->votes = arena_calloc(k->arena, (size_t)out->vote_count + 1, sizeof *out->votes);
	if (out->status.endpoint == NULL || out->votes == NULL) {
		k->failed = true;
		return;
	}
	for (uint32_t j = 0; j < out->vote_count; j++) {
		out->votes[j] = k->votes[j];
		out->votes[j].agent = copy_name(k, k->votes[j].agent);
		out->votes[j].check = copy_name(k, k->votes[j].check);
	}
}

static void copy_agent(struct copier *k, struct controller *c, uint32_t i, int64_t now_ms,
		       struct verdict_agent_status *out)
{
	if (verdict_agent_at(c->engine, i, now_ms, out))
		out->id = copy_name(k, out->id);
}

struct controller_view *controller_look(struct controller *c)
{
	int64_t now_ms = controller_now_ms(c);
	struct copier k = {.arena = arena_new(COPY_BYTES), .votes = calloc(VOTES_MAX, sizeof *k.votes)};
	struct controller_view *view =
		k.arena != NULL && k.votes != NULL ? arena_calloc(k.arena, 1, sizeof *view) : NULL;
	k.failed = view == NULL;
	if (!k.failed) {
		*view = (struct controller_view){.arena = k.arena,
						 .endpoint_count = verdict_endpoint_count(c->engine),
						 .agent_count = verdict_agent_count(c->engine),
						 .election = c->election,
						 .assignment_revision = atomic_load(&c->assignment_revision),
						 .is_acting = !c->is_deposed};
		view->endpoints = arena_calloc(k.arena, (size_t)view->endpoint_count + 1, sizeof *view->endpoints);
		view->agents = arena_calloc(k.arena, (size_t)view->agent_count + 1, sizeof *view->agents);
		k.failed = view->endpoints == NULL || view->agents == NULL;
	}
	for (uint32_t i = 0; !k.failed && i < view->endpoint_count; i++)
		copy_endpoint(&k, c, i, now_ms, &view->endpoints[i]);
	for (uint32_t i = 0; !k.failed && i < view->agent_count; i++)
		copy_agent(&k, c, i, now_ms, &view->agents[i]);
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

static json_t *endpoint_json(const struct endpoint_copy *e)
{
	const struct verdict_endpoint_status *s = &e->status;
	json_t *votes = json_array();
	for (uint32_t j = 0; j < e->vote_count; j++)
		(void)json_array_append_new(votes, json_pack("{s:s, s:s, s:s, s:s, s:I}", "agent", e->votes[j].agent,
							     "check", e->votes[j].check, "state",
							     observation_state_text(e->votes[j].state), "reason",
							     probe_reason_text(e->votes[j].reason), "age_ms",
							     (json_int_t)e->votes[j].age_ms));
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:o}", "endpoint", s->endpoint, "state",
			 model_state_text(s->state), "wait", verdict_wait_text(s->wait), "agents", (int)s->agents,
			 "quorum", (int)s->quorum, "fresh", (int)s->fresh, "up", (int)s->up, "down", (int)s->down,
			 "hold_left_ms", (json_int_t)s->hold_left_ms, "votes", votes);
}

static json_t *agent_json(const struct verdict_agent_status *s)
{
	return json_pack("{s:s, s:b, s:b, s:I, s:i, s:i}", "id", s->id, "revoked", s->is_revoked, "blind", s->is_blind,
			 "heard_ms_ago", (json_int_t)s->heard_ms_ago, "items", (int)s->items, "fresh", (int)s->fresh);
}

json_t *controller_view_json(const struct controller_view *view)
{
	json_t *endpoints = json_array(), *agents = json_array();
	for (uint32_t i = 0; i < view->endpoint_count; i++)
		(void)json_array_append_new(endpoints, endpoint_json(&view->endpoints[i]));
	for (uint32_t i = 0; i < view->agent_count; i++)
		(void)json_array_append_new(agents, agent_json(&view->agents[i]));
	return json_pack("{s:o, s:o, s:I, s:I, s:b}", "endpoints", endpoints, "agents", agents, "election",
			 (json_int_t)view->election, "assignment_revision", (json_int_t)view->assignment_revision,
			 "acting", view->is_acting);
}
