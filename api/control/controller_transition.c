/* SPDX-License-Identifier: Apache-2.0 */
/* A transition as it is stored: what changed, on which evidence, and the times of its steps up to the commit. */
#include <stdio.h>
#include <string.h>

#include "api/control/controller_engine.h"

enum { ROUGH_US = 2000 }; /* tolerance, because the engine counts in milliseconds */
#define ELECTION_MAX (INT64_C(1) << 53)

/* Ids fall from one transition to the next, so that the store lists the newest first. */
static void make_id(struct controller_engine *engine, char id[TRAIL_ID_SIZE])
{
	engine->sequence++;
	(void)snprintf(id, TRAIL_ID_SIZE, "%014llx-%08x", (unsigned long long)(ELECTION_MAX - engine->term.number),
		       UINT32_MAX - engine->sequence);
}

static bool copy_agent_name(void *ctx, const struct directory_entry *entry)
{
	const char *name = json_string_value(json_object_get(entry->object, "name"));
	(void)snprintf(ctx, MODEL_NAME_MAX + 1, "%s", name != NULL ? name : "");
	return true;
}

/* The push with its reason, if the sender gave one. */
static const struct pushed *pushed_of(const struct controller_engine *engine, const char *check, const char *endpoint)
{
	char key[MODEL_NAME_MAX + MODEL_ENDPOINT_KEY_MAX + 4];
	int len = snprintf(key, sizeof key, "%s %s", check, endpoint);
	return strmap_get(&engine->pushes, key, (size_t)len);
}

static json_t *vote_json(struct controller_engine *engine, const char *endpoint, const struct verdict_vote *v)
{
	char name[MODEL_NAME_MAX + 1] = "";
	json_t *vote = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "agent", v->agent, "region", v->region, "check",
				 v->check, "state", observation_state_text(v->state), "reason",
				 probe_reason_text(v->reason), "age_ms", (json_int_t)v->age_ms);
	if (v->source == VERDICT_SOURCE_AGENTS)
		(void)directory_get(engine->config->directory, MODEL_KIND_AGENT, v->agent, copy_agent_name, name);
	if (name[0] != '\0')
		(void)json_object_set_new(vote, "name", json_string(name));
	if (v->mark != VERDICT_MARK_NONE) {
		(void)json_object_set_new(vote, "said", json_string(observation_state_text(v->said)));
		(void)json_object_set_new(vote, "not_counted", json_string(verdict_mark_text(v->mark)));
	}
	const struct pushed *p = v->source == VERDICT_SOURCE_PUSH ? pushed_of(engine, v->check, endpoint) : NULL;
	if (p != NULL) {
		(void)json_object_set_new(vote, "text", json_string(p->text));
		(void)json_object_set_new(vote, "by", json_string(p->by));
	}
	return vote;
}

static int64_t at_least(int64_t value, int64_t least)
{
	return value > least ? value : least;
}

/* Add the step at `at_us`, unless it was not taken or belongs to an earlier suspicion; not before `*last_us`. */
static void add_step(json_t *steps, const char *name, int64_t at_us, int64_t base_us, int64_t decided_us,
		     int64_t *last_us)
{
	if (at_us == 0 || at_us < base_us - ROUGH_US)
		return;
	*last_us = at_least(at_us - base_us, *last_us);
	if (*last_us > decided_us)
		*last_us = decided_us;
	(void)json_object_set_new(steps, name, json_integer(*last_us));
}

/* The steps in microseconds since the first observation; none is before the previous one. */
static json_t *steps_json(const struct controller_engine *engine, const struct verdict_transition *t, int64_t base_us,
			  int64_t now_us)
{
	const struct episode *e = t->to == MODEL_STATE_DOWN ? controller_episode(engine, t->endpoint) : NULL;
	int64_t decided_us = now_us - base_us, last_us = 0;
	json_t *steps = json_pack("{s:i}", "observed_us", 0);
	if (e != NULL) {
		bool is_of_now = e->confirm_us >= base_us - ROUGH_US;
		add_step(steps, "reported_us", e->reported_us, base_us, decided_us, &last_us);
		add_step(steps, "confirm_us", is_of_now ? e->confirm_us : e->again_us, base_us, decided_us, &last_us);
	}
	(void)json_object_set_new(steps, "decided_us", json_integer(decided_us));
	return steps;
}

bool controller_keeps_vote(const struct verdict_transition *t, uint32_t i, size_t kept)
{
	bool is_down = t->votes[i].state == OBSERVATION_DOWN;
	if (t->vote_count <= CONTROLLER_VOTES_KEPT)
		return true;
	return kept < CONTROLLER_VOTES_KEPT && t->votes[i].state != OBSERVATION_UNKNOWN &&
	       is_down == (t->to == MODEL_STATE_DOWN);
}

/*
 * How long ago the first observation was. The engine says it for the votes that agree. The agent that failed first, and
 * caused the others to be asked, may not be among these yet: it has failed, but fewer than `fall` times.
 */
static int64_t first_us_ago(const struct verdict_transition *t)
{
	int64_t ms = at_least(t->first_ms_ago, 0);
	for (uint32_t i = 0; t->to == MODEL_STATE_DOWN && i < t->vote_count; i++)
		if (t->votes[i].state == OBSERVATION_FAILING)
			ms = at_least(t->votes[i].since_ms, ms);
	return ms * 1000;
}

json_t *controller_transition_json(struct controller_engine *engine, const struct verdict_transition *t,
				   char id[TRAIL_ID_SIZE], int64_t *base_us)
{
	char at[VEER_RFC3339_SIZE];
	int64_t now_us = controller_now_us(engine);
	json_t *votes = json_array();
	veer_rfc3339(veer_clock_wall_ns(engine->config->clock), at);
	make_id(engine, id);
	*base_us = now_us - first_us_ago(t);
	for (uint32_t i = 0; i < t->vote_count; i++)
		if (controller_keeps_vote(t, i, json_array_size(votes)))
			(void)json_array_append_new(votes, vote_json(engine, t->endpoint, &t->votes[i]));
	json_t *steps = steps_json(engine, t, *base_us, now_us);
	(void)json_object_set_new(steps, "commit_us", json_integer(controller_now_us(engine) - *base_us));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:s, s:I, s:o, s:o}", "id", id, "endpoint",
			 t->endpoint, "at", at, "from", model_state_text(t->from), "to", model_state_text(t->to),
			 "check", t->check != NULL ? t->check : "", "since_revision",
			 (json_int_t)directory_revision(engine->config->directory), "quorum", (int)t->quorum, "regions",
			 (int)t->regions, "reason", probe_reason_text(t->reason), "election",
			 (json_int_t)engine->term.number, "steps", steps, "votes", votes);
}
