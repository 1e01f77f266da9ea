/* SPDX-License-Identifier: Apache-2.0 */
/* The world that a history plays in: configurations, agents that see and lie, and a network that loses and doubles. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static const char *const agent_ids[SIM_AGENTS] = {"ag-0", "ag-1", "ag-2", "ag-3", "ag-4", "ag-5", "ag-6"};
static const char *const check_names[SIM_CHECKS] = {"c0", "c1", "c2"};
static const char *const endpoint_keys[SIM_ENDPOINTS] = {"p/e00", "p/e01", "p/e02", "p/e03", "p/e04", "p/e05",
							 "p/e06", "p/e07", "p/e08", "p/e09", "p/e10", "p/e11"};
static const char *const sites[SIM_ENDPOINTS] = {"s00", "s01", "s02", "s03", "s04", "s05",
						 "s06", "s07", "s08", "s09", "s10", "s11"};

const char *world_agent_id(uint32_t agent)
{
	return agent_ids[agent];
}

const char *world_endpoint_key(uint32_t endpoint)
{
	return endpoint_keys[endpoint];
}

const char *world_check_name(uint32_t check)
{
	return check_names[check];
}

uint32_t world_endpoint_number(const char *key)
{
	uint32_t e = 0;
	while (e < SIM_ENDPOINTS && strcmp(endpoint_keys[e], key) != 0)
		e++;
	return e;
}

uint32_t world_check_number(const char *name)
{
	uint32_t c = 0;
	while (c < SIM_CHECKS && strcmp(check_names[c], name) != 0)
		c++;
	return c;
}

/* --- configuration --------------------------------------------------------------------------------------------- */

static void draw_check(struct sim *sim, struct sim_check *check)
{
	static const uint32_t intervals[] = {100, 500, 1000, 5000, 30000};
	static const uint32_t holds[] = {0, 0, 2, 10, 60};
	check->interval_ms = intervals[sim_draw(sim, 5)];
	check->timeout_ms = 10 + sim_draw(sim, check->interval_ms);
	check->fall = 1 + sim_draw(sim, 4);
	check->rise = 1 + sim_draw(sim, 4);
	check->hold_s = holds[sim_draw(sim, 5)];
	check->quorum = sim_chance(sim, 3) ? sim_draw(sim, 5) : 0;
	check->is_warning = sim_chance(sim, 6);
}

static void draw_assigned(struct sim *sim, struct sim_check *check)
{
	bool is_all = !sim_chance(sim, 3);
	for (uint32_t a = 0; a < SIM_AGENTS; a++)
		check->agents[a] = is_all || !sim_chance(sim, 3);
}

static void draw_endpoint(struct sim *sim, struct sim_endpoint *endpoint)
{
	for (uint32_t c = 0; c < SIM_CHECKS; c++)
		endpoint->checks[c] = c == 0 ? !sim_chance(sim, 8) : sim_chance(sim, 3);
	endpoint->site = sim_draw(sim, sim_chance(sim, 2) ? 3 : SIM_ENDPOINTS);
}

void world_init(struct sim *sim)
{
	uint32_t agents = 1 + sim_draw(sim, SIM_AGENTS);
	uint32_t checks = 1 + sim_draw(sim, SIM_CHECKS);
	uint32_t endpoints = sim_chance(sim, 2) ? SIM_ENDPOINTS : 1 + sim_draw(sim, SIM_ENDPOINTS);
	sim->config.report_ms = 1000;
	sim->config.is_brake_off = sim_chance(sim, 3);
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		sim->config.agents[a] = a < agents;
		sim->known[a].received_ms = SIM_NEVER;
		sim->agents[a] = (struct sim_agent){.boot = 1 + a * 1000, .boots = 1};
	}
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		sim->config.checks[c].is_in = c < checks;
		draw_check(sim, &sim->config.checks[c]);
		draw_assigned(sim, &sim->config.checks[c]);
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		sim->config.endpoints[e].is_in = e < endpoints;
		draw_endpoint(sim, &sim->config.endpoints[e]);
		sim->endpoints[e].removed_ms = sim->endpoints[e].hold_from_ms = SIM_NEVER;
	}
}

/* The present configuration as the engine takes it. */
struct built {
	struct verdict_config config;
	struct verdict_agent agents[SIM_AGENTS];
	struct verdict_check checks[SIM_CHECKS];
	uint32_t assigned[SIM_CHECKS][SIM_AGENTS];
	struct verdict_endpoint endpoints[SIM_ENDPOINTS];
	uint32_t watched[SIM_ENDPOINTS][SIM_CHECKS];
};

static void build_check(const struct sim_check *from, const uint32_t *agent_index, uint32_t c, struct built *out)
{
	struct verdict_check *check = &out->checks[out->config.check_count];
	*check = (struct verdict_check){.name = check_names[c],
					.fingerprint = from->fingerprint,
					.fall = from->fall,
					.rise = from->rise,
					.interval_ms = from->interval_ms,
					.timeout_ms = from->timeout_ms,
					.hold_s = from->hold_s,
					.quorum = from->quorum,
					.is_warning = from->is_warning,
					.agents = out->assigned[c]};
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		if (from->agents[a] && agent_index[a] < SIM_AGENTS)
			out->assigned[c][check->agent_count++] = agent_index[a];
	}
}

static void build_endpoint(const struct sim_endpoint *from, const uint32_t *check_index, uint32_t e, struct built *out)
{
	struct verdict_endpoint *endpoint = &out->endpoints[out->config.endpoint_count];
	*endpoint = (struct verdict_endpoint){.key = endpoint_keys[e],
					      .site = sites[from->site],
					      .fingerprint = from->fingerprint,
					      .checks = out->watched[e]};
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (from->checks[c] && check_index[c] < SIM_CHECKS)
			out->watched[e][endpoint->check_count++] = check_index[c];
	}
}

static void build(const struct sim *sim, struct built *out)
{
	const struct sim_config *from = &sim->config;
	uint32_t agent_index[SIM_AGENTS];
	uint32_t check_index[SIM_CHECKS];
	memset(out, 0, sizeof *out);
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		agent_index[a] = from->agents[a] ? out->config.agent_count : SIM_AGENTS;
		if (from->agents[a])
			out->agents[out->config.agent_count++] =
				(struct verdict_agent){.id = agent_ids[a], .is_revoked = sim->known[a].is_revoked};
	}
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		check_index[c] = from->checks[c].is_in ? out->config.check_count : SIM_CHECKS;
		if (!from->checks[c].is_in)
			continue;
		build_check(&from->checks[c], agent_index, c, out);
		out->config.check_count++;
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (!from->endpoints[e].is_in)
			continue;
		build_endpoint(&from->endpoints[e], check_index, e, out);
		out->config.endpoint_count++;
	}
	out->config.assignment_revision = from->revision;
	out->config.report_ms = from->report_ms;
	out->config.is_frozen = from->is_frozen;
	out->config.is_brake_off = from->is_brake_off;
	out->config.agents = out->agents;
	out->config.checks = out->checks;
	out->config.endpoints = out->endpoints;
}

void world_configure(struct sim *sim)
{
	struct built built;
	struct veer_diag diag = {""};
	build(sim, &built);
	if (verdict_configure(sim->engine, &built.config, sim->now_ms, &diag) != VEER_OK)
		sim_fail(sim, "configuration refused: %s", diag.text);
}

void world_reconfigure(struct sim *sim)
{
	struct sim_config before = sim->config;
	struct sim_config *config = &sim->config;
	struct sim_check *check = &config->checks[sim_draw(sim, SIM_CHECKS)];
	struct sim_endpoint *endpoint = &config->endpoints[sim_draw(sim, SIM_ENDPOINTS)];
	uint32_t agent = sim_draw(sim, SIM_AGENTS);
	switch (sim_draw(sim, 9)) {
	case 0:
		config->agents[agent] = !config->agents[agent];
		break;
	case 1:
		check->is_in = !check->is_in;
		break;
	case 2:
		draw_check(sim, check);
		break;
	case 3:
		draw_assigned(sim, check);
		break;
	case 4:
		check->fingerprint++;
		break;
	case 5:
		endpoint->is_in = !endpoint->is_in;
		break;
	case 6:
		draw_endpoint(sim, endpoint);
		break;
	case 7:
		endpoint->fingerprint++;
		break;
	default:
		config->is_brake_off = !config->is_brake_off;
		break;
	}
	config->revision++;
	oracle_configure(sim, &before);
	world_configure(sim);
}

/* --- reports --------------------------------------------------------------------------------------------------- */

static enum observation_state look(struct sim *sim, uint32_t a, uint32_t c, uint32_t e)
{
	bool is_dead = sim->is_dead[c][e];
	if (sim->agents[a].is_starting && sim_chance(sim, 2))
		return OBSERVATION_UNKNOWN;
	if (sim->agents[a].is_liar)
		is_dead = sim_chance(sim, 4) ? is_dead : !is_dead;
	if (is_dead)
		return sim_chance(sim, 6) ? OBSERVATION_FAILING : OBSERVATION_DOWN;
	return sim_chance(sim, 20) ? OBSERVATION_FAILING : OBSERVATION_UP;
}

static void fill_items(struct sim *sim, struct sim_message *message)
{
	uint32_t a = message->agent;
	uint32_t count = 0;
	for (uint32_t i = 0; i < SIM_ITEMS; i++) {
		uint32_t c = i % SIM_CHECKS;
		uint32_t e = i / SIM_CHECKS;
		const struct sim_check *check = &sim->config.checks[c];
		const struct sim_endpoint *endpoint = &sim->config.endpoints[e];
		if (!sim->config.agents[a] || !check->is_in || !check->agents[a] || !endpoint->is_in ||
		    !endpoint->checks[c])
			continue;
		struct observation *item = &message->items[count++];
		item->state = look(sim, a, c, e);
		item->reason = item->state == OBSERVATION_UP ? PROBE_REASON_OK : PROBE_REASON_TIMEOUT;
		item->age_ms = sim_draw(sim, check->interval_ms);
		if (sim_chance(sim, 30))
			item->age_ms *= sim_draw(sim, 20);
	}
	message->report.item_count = count;
}

static void spoil(struct sim *sim, struct sim_message *message)
{
	switch (sim_draw(sim, 5)) {
	case 0:
		message->report.item_count = sim_draw(sim, SIM_ITEMS);
		break;
	case 1:
		message->report.assignment_revision += (int64_t)sim_draw(sim, 3) - 1;
		break;
	case 2:
		message->report.boot = 0;
		break;
	case 3:
		message->report.seq = 0;
		break;
	default:
		for (uint32_t i = 0; i < SIM_ITEMS; i++)
			message->items[i].age_ms = UINT32_MAX;
		break;
	}
}

static void arrive(struct sim *sim, struct sim_message *message)
{
	message->report.items = message->items;
	/* The oracle's clock is the engine's: the age is bounded before it is used. */
	for (uint32_t i = 0; i < SIM_ITEMS; i++) {
		if (message->items[i].age_ms > REPORT_AGE_MS_MAX)
			message->items[i].age_ms = REPORT_AGE_MS_MAX;
	}
	int64_t told_ms = sim_told_ms(sim);
	enum veer_err expected = oracle_report(sim, message);
	enum veer_err err = verdict_report(sim->engine, agent_ids[message->agent], &message->report, told_ms);
	if (err != expected)
		sim_fail(sim, "S14: the report (%s, %llu, %llu) is answered '%s', not '%s'", agent_ids[message->agent],
			 (unsigned long long)message->report.boot, (unsigned long long)message->report.seq,
			 veer_err_text(err), veer_err_text(expected));
}

static void keep(struct sim *sim, const struct sim_message *message)
{
	struct sim_message *slot = &sim->messages[sim_draw(sim, SIM_MESSAGES)];
	*slot = *message;
	slot->is_used = true;
}

void world_report(struct sim *sim, uint32_t a)
{
	struct sim_agent *agent = &sim->agents[a];
	struct sim_message message = {.agent = a};
	if (agent->is_dead)
		return;
	if (sim_has(sim, SIM_REBOOT) && sim_chance(sim, 40) && agent->boots < SIM_BOOTS) {
		agent->boot++;
		agent->boots++;
		agent->seq = 0;
		agent->is_starting = true;
	} else if (sim_chance(sim, 3)) {
		agent->is_starting = false;
	}
	message.report = (struct report){.assignment_revision = sim->config.revision,
					 .boot = agent->boot,
					 .seq = ++agent->seq,
					 .is_blind = agent->is_blind};
	fill_items(sim, &message);
	if (sim_has(sim, SIM_GARBAGE) && sim_chance(sim, 10))
		spoil(sim, &message);
	if (sim_has(sim, SIM_REPLAY) && sim_chance(sim, 4))
		keep(sim, &message);
	if (sim_has(sim, SIM_LOSE) && sim_chance(sim, 5))
		return;
	if (sim_has(sim, SIM_DELAY) && sim_chance(sim, 5)) {
		keep(sim, &message);
		return;
	}
	arrive(sim, &message);
	if (sim_has(sim, SIM_DOUBLE) && sim_chance(sim, 5))
		arrive(sim, &message);
}

void world_deliver(struct sim *sim)
{
	struct sim_message *message = &sim->messages[sim_draw(sim, SIM_MESSAGES)];
	if (!message->is_used)
		return;
	struct sim_message copy = *message;
	message->is_used = sim_has(sim, SIM_REPLAY) && sim_chance(sim, 2);
	arrive(sim, &copy);
}
