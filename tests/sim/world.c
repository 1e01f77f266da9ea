/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration with which a history is played, and how it changes. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static const char *const agent_ids[SIM_AGENTS] = {"ag-0", "ag-1", "ag-2", "ag-3", "ag-4", "ag-5", "ag-6"};
static const char *const regions[SIM_REGIONS] = {"eu", "us", "ap"};
static const char *const check_names[SIM_CHECKS] = {"c0", "c1", "c2", "c3", "c4", "c5"};
static const char *const endpoint_keys[SIM_ENDPOINTS] = {"p/e00", "p/e01", "p/e02", "p/e03", "p/e04", "p/e05",
							 "p/e06", "p/e07", "p/e08", "p/e09", "p/e10", "p/e11"};
static const char *const sites[SIM_ENDPOINTS] = {"s00", "s01", "s02", "s03", "s04", "s05",
						 "s06", "s07", "s08", "s09", "s10", "s11"};
static const char *const domains[SIM_DOMAINS + 1] = {NULL, "d1", "d2", "d3"};

const char *world_agent_id(uint32_t agent)
{
	return agent_ids[agent];
}

const char *world_region(uint32_t region)
{
	return regions[region];
}

const char *world_endpoint_key(uint32_t endpoint)
{
	return endpoint_keys[endpoint];
}

const char *world_check_name(uint32_t check)
{
	return check_names[check];
}

const char *world_domain(const struct sim_config *config, uint32_t endpoint)
{
	uint32_t site = config->endpoints[endpoint].site;
	return config->domain[site] > 0 ? domains[config->domain[site]] : sites[site];
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

/* --- drawing --------------------------------------------------------------------------------------------------- */

static void draw_check(struct sim *sim, uint32_t c)
{
	static const uint32_t intervals[] = {100, 500, 1000, 5000, 30000};
	static const uint32_t holds[] = {0, 0, 2, 10, 60};
	struct sim_check *check = &sim->config.checks[c];
	check->interval_ms = intervals[sim_draw(sim, sim_has(sim, SIM_STEADY) ? 4 : 5)];
	check->timeout_ms = 10 + sim_draw(sim, check->interval_ms);
	check->fall = 1 + sim_draw(sim, 4);
	check->rise = 1 + sim_draw(sim, 4);
	check->hold_s = holds[sim_draw(sim, 5)];
	check->quorum = sim_chance(sim, 3) ? sim_draw(sim, 5) : 0;
	check->regions = sim_chance(sim, 3) ? sim_draw(sim, 5) : 0;
	check->is_warning = sim_chance(sim, 6);
	check->ttl_ms = 1 + sim_draw(sim, 60000);
	check->is_down_on_expiry = sim_chance(sim, 2);
	check->lost = sim_chance(sim, 6) ? 1 : 0;
	check->need = sim_draw(sim, 4);
	for (uint32_t k = 0; k < SIM_CHECKS; k++)
		check->of[k] = c > SIM_PUSH && k < c && sim_chance(sim, 2);
	check->of[0] = check->of[0] || c > SIM_PUSH;
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
		endpoint->listed[c] = c == 0 ? !sim_chance(sim, 8) : sim_chance(sim, 4);
	endpoint->site = sim_draw(sim, sim_chance(sim, 2) ? 3 : SIM_ENDPOINTS);
}

/*
 * The items of the endpoints: the listed checks, then the parts of calculated checks in the order in which they are
 * found.
 */
static void derive(struct sim_config *config)
{
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		struct sim_endpoint *endpoint = &config->endpoints[e];
		endpoint->count = 0;
		for (uint32_t c = 0; c < SIM_CHECKS; c++) {
			bool is_listed = endpoint->is_in && endpoint->listed[c] && config->checks[c].is_in;
			endpoint->items[c] = is_listed ? SIM_ITEM_LISTED : SIM_ITEM_NONE;
			if (is_listed)
				endpoint->order[endpoint->count++] = (uint8_t)c;
		}
		for (uint32_t i = 0; i < endpoint->count; i++) {
			const struct sim_check *check = &config->checks[endpoint->order[i]];
			for (uint32_t k = 0; k < endpoint->order[i] && endpoint->order[i] > SIM_PUSH; k++) {
				if (!check->of[k] || !config->checks[k].is_in || endpoint->items[k] != SIM_ITEM_NONE)
					continue;
				endpoint->items[k] = SIM_ITEM_PART;
				endpoint->order[endpoint->count++] = (uint8_t)k;
			}
		}
	}
}

void world_init(struct sim *sim)
{
	bool is_big = sim_has(sim, SIM_STEADY) || sim_chance(sim, 2);
	uint32_t agents = is_big ? 3 + sim_draw(sim, SIM_AGENTS - 2) : 1 + sim_draw(sim, SIM_AGENTS);
	uint32_t endpoints = is_big ? SIM_ENDPOINTS : 1 + sim_draw(sim, SIM_ENDPOINTS);
	static const uint32_t percents[] = {0, 0, 10, 50, 100};
	sim->config.report_ms = 1000;
	sim->config.is_brake_off = sim_chance(sim, 3);
	sim->config.percent = percents[sim_draw(sim, 5)];
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		sim->config.agents[a] = a < agents;
		sim->config.region[a] = sim_draw(sim, SIM_REGIONS);
		sim->agents[a] = (struct sim_agent){.boot = 1 + a * 1000, .boots = 1};
	}
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		draw_check(sim, c);
		draw_assigned(sim, &sim->config.checks[c]);
		sim->config.checks[c].is_in = c == 0 || sim_chance(sim, 3);
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		sim->config.domain[e] = sim_chance(sim, 3) ? sim_draw(sim, SIM_DOMAINS + 1) : 0;
		sim->config.endpoints[e].is_in = e < endpoints;
		draw_endpoint(sim, &sim->config.endpoints[e]);
	}
	derive(&sim->config);
}

/* --- what the engine gets ----------------------------------------------------------------------------------------- */

/* The present configuration in the form that the engine takes. */
struct built {
	struct verdict_config config;
	struct verdict_agent agents[SIM_AGENTS];
	struct verdict_check checks[SIM_CHECKS];
	uint32_t numbers[SIM_CHECKS][SIM_AGENTS + SIM_CHECKS];
	struct verdict_endpoint endpoints[SIM_ENDPOINTS];
	uint32_t watched[SIM_ENDPOINTS][SIM_CHECKS];
};

static void build_parts(const struct sim_check *from, const uint32_t *check_index, uint32_t *numbers,
			struct verdict_check *check)
{
	check->source = VERDICT_SOURCE_CALCULATED;
	check->need = from->need;
	check->lost_count = from->lost;
	check->of = numbers;
	for (uint32_t k = 0; k < SIM_CHECKS; k++) {
		if (from->of[k] && check_index[k] < SIM_CHECKS)
			numbers[check->of_count++] = check_index[k];
		else if (from->of[k])
			check->lost_count++;
	}
}

static void build_check(const struct sim_check *from, uint32_t c, const uint32_t *agent_index,
			const uint32_t *check_index, struct built *out)
{
	struct verdict_check *check = &out->checks[out->config.check_count++];
	*check = (struct verdict_check){.name = check_names[c],
					.fingerprint = from->fingerprint,
					.fall = from->fall,
					.rise = from->rise,
					.interval_ms = from->interval_ms,
					.timeout_ms = from->timeout_ms,
					.hold_s = from->hold_s,
					.quorum = from->quorum,
					.regions = from->regions,
					.is_warning = from->is_warning};
	if (c == SIM_PUSH) {
		check->source = VERDICT_SOURCE_PUSH;
		check->ttl_ms = from->ttl_ms;
		check->is_down_on_expiry = from->is_down_on_expiry;
	} else if (c > SIM_PUSH) {
		build_parts(from, check_index, out->numbers[c], check);
	} else {
		check->agents = out->numbers[c];
		for (uint32_t a = 0; a < SIM_AGENTS; a++) {
			if (from->agents[a] && agent_index[a] < SIM_AGENTS)
				out->numbers[c][check->agent_count++] = agent_index[a];
		}
	}
}

static void build_endpoint(const struct sim_config *config, uint32_t e, const uint32_t *check_index, struct built *out)
{
	const struct sim_endpoint *from = &config->endpoints[e];
	struct verdict_endpoint *endpoint = &out->endpoints[out->config.endpoint_count++];
	*endpoint = (struct verdict_endpoint){.key = endpoint_keys[e],
					      .site = sites[from->site],
					      .domain = domains[config->domain[from->site]],
					      .fingerprint = from->fingerprint,
					      .checks = out->watched[e],
					      .check_count = from->count};
	for (uint32_t i = 0; i < from->count; i++) {
		out->watched[e][i] = check_index[from->order[i]];
		endpoint->part_count += from->items[from->order[i]] == SIM_ITEM_PART;
	}
}

static void build(const struct sim *sim, struct built *out)
{
	const struct sim_config *from = &sim->config;
	uint32_t agent_index[SIM_AGENTS];
	uint32_t check_index[SIM_CHECKS];
	uint32_t checks = 0;
	memset(out, 0, sizeof *out);
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		agent_index[a] = from->agents[a] ? out->config.agent_count : SIM_AGENTS;
		if (from->agents[a])
			out->agents[out->config.agent_count++] =
				(struct verdict_agent){.id = agent_ids[a],
						       .region = regions[from->region[a]],
						       .is_revoked = sim->known[a].is_revoked};
	}
	for (uint32_t c = 0; c < SIM_CHECKS; c++)
		check_index[c] = from->checks[c].is_in ? checks++ : SIM_CHECKS;
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (from->checks[c].is_in)
			build_check(&from->checks[c], c, agent_index, check_index, out);
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (from->endpoints[e].is_in)
			build_endpoint(from, e, check_index, out);
	}
	out->config.assignment_revision = from->revision;
	out->config.report_ms = from->report_ms;
	out->config.is_frozen = from->is_frozen;
	out->config.is_brake_off = from->is_brake_off;
	out->config.max_removal_percent = from->percent;
	out->config.agents = out->agents;
	out->config.checks = out->checks;
	out->config.endpoints = out->endpoints;
}

void world_configure(struct sim *sim)
{
	struct built built;
	struct veer_diag diag = {""};
	build(sim, &built);
	sim->has_values = false;
	if (verdict_configure(sim->engine, &built.config, sim->now_ms, &diag) != VEER_OK)
		sim_fail(sim, "configuration refused: %s", diag.text);
}

void world_configure_badly(struct sim *sim)
{
	struct built built;
	build(sim, &built);
	built.config.assignment_revision += 1000;
	struct verdict_check *check = &built.checks[0]; /* always probed */
	uint32_t itself = 0;
	switch (sim_draw(sim, 4)) {
	case 0:
		built.config.max_removal_percent = 101;
		break;
	case 1:
		check->interval_ms = 0;
		break;
	case 2:
		check->source = VERDICT_SOURCE_CALCULATED;
		check->agent_count = 0;
		check->of = &itself;
		check->of_count = 1;
		break;
	default:
		if (built.config.endpoint_count < 2)
			return;
		built.endpoints[1].key = built.endpoints[0].key;
		break;
	}
	if (verdict_configure(sim->engine, &built.config, sim->now_ms, NULL) == VEER_OK)
		sim_fail(sim, "a bad configuration is taken");
}

static void change_something(struct sim *sim)
{
	struct sim_config *config = &sim->config;
	uint32_t c = sim_draw(sim, SIM_CHECKS);
	struct sim_endpoint *endpoint = &config->endpoints[sim_draw(sim, SIM_ENDPOINTS)];
	uint32_t a = sim_draw(sim, SIM_AGENTS);
	switch (sim_draw(sim, 12)) {
	case 0:
		config->agents[a] = !config->agents[a];
		break;
	case 1:
		if (c > 0)
			config->checks[c].is_in = !config->checks[c].is_in;
		break;
	case 2:
		draw_check(sim, c);
		break;
	case 3:
		draw_assigned(sim, &config->checks[c]);
		break;
	case 4:
		config->checks[c].fingerprint++;
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
	case 8:
		config->region[a] = sim_draw(sim, SIM_REGIONS);
		break;
	case 9:
		config->domain[endpoint->site] = sim_draw(sim, SIM_DOMAINS + 1);
		break;
	case 10:
		config->percent = sim_draw(sim, 101);
		break;
	default:
		config->is_brake_off = !config->is_brake_off;
		break;
	}
}

void world_reconfigure(struct sim *sim)
{
	struct sim_config before = sim->config;
	change_something(sim);
	derive(&sim->config);
	sim->config.revision++;
	oracle_configure(sim, &before);
	world_configure(sim);
}
