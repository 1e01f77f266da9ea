/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine knows, as JSON for people and programs. */
#include <stdlib.h>

#include "api/controller_impl.h"

enum { VOTES_MAX = MODEL_AGENTS_MAX * MODEL_CHECKS_MAX };

static json_t *endpoint_json(struct controller *c, uint32_t i, int64_t now_ms, struct verdict_vote *votes)
{
	struct verdict_endpoint_status s;
	if (!verdict_endpoint_at(c->engine, i, now_ms, &s))
		return json_null();
	json_t *list = json_array();
	uint32_t count = verdict_votes(c->engine, i, now_ms, votes, VOTES_MAX);
	for (uint32_t j = 0; j < count; j++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "agent", votes[j].agent, "check", votes[j].check, "state",
					observation_state_text(votes[j].state), "reason", probe_reason_text(votes[j].reason), "age_ms",
					(json_int_t)votes[j].age_ms));
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:o}", "endpoint", s.endpoint, "state",
			 model_state_text(s.state), "wait", verdict_wait_text(s.wait), "agents", (int)s.agents, "quorum",
			 (int)s.quorum, "fresh", (int)s.fresh, "up", (int)s.up, "down", (int)s.down, "hold_left_ms",
			 (json_int_t)s.hold_left_ms, "votes", list);
}

json_t *controller_make_status(struct controller *c)
{
	int64_t now_ms = controller_now_ms(c);
	json_t *endpoints = json_array();
	struct verdict_vote *votes = calloc(VOTES_MAX, sizeof *votes);
	for (uint32_t i = 0; votes != NULL && i < verdict_endpoint_count(c->engine); i++)
		(void)json_array_append_new(endpoints, endpoint_json(c, i, now_ms, votes));
	free(votes);
	json_t *agents = json_array();
	for (uint32_t i = 0; i < verdict_agent_count(c->engine); i++) {
		struct verdict_agent_status s;
		if (verdict_agent_at(c->engine, i, now_ms, &s))
			(void)json_array_append_new(
				agents, json_pack("{s:s, s:b, s:b, s:I, s:i, s:i}", "id", s.id, "revoked", s.is_revoked, "blind",
						  s.is_blind, "heard_ms_ago", (json_int_t)s.heard_ms_ago, "items", (int)s.items,
						  "fresh", (int)s.fresh));
	}
	return json_pack("{s:o, s:o, s:I, s:I, s:b}", "endpoints", endpoints, "agents", agents, "election",
			 (json_int_t)c->election, "assignment_revision",
			 (json_int_t)atomic_load(&c->assignment_revision), "acting", !c->is_deposed);
}
