/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler of policies: evaluates the tree once for each group of clients. See policy.h and policy_program.h. */
#include "zones/plan/policy.h"

#include <stdlib.h>
#include <string.h>

#include "zones/dns/name.h"
#include "zones/plan/policy_program.h"

#define NO_STEP UINT32_MAX
#define FALLBACK_NODE MODEL_NODES_MAX /* the cache's row for the fallback pool */
#define RULES_WORDS (MODEL_NODES_MAX / 64)

/* Which rules of the tree, in preorder, match a client: clients with the same set are one group. */
struct rule_set {
	uint64_t bits[RULES_WORDS];
};

/* An endpoint that may be given out, as RDATA. */
struct candidate {
	const struct model_endpoint *endpoint;
	struct rdata_span rdata;
	bool is_doubted;
};

struct policy_compiler {
	struct policy_draft draft;
	struct ready_builder *ready;
	/* of the compilation at hand */
	const struct model_policy *policy;
	uint16_t type;
	policy_pool_fn *pools;
	void *ctx;
	enum veer_err err; /* the first failure; sticks */
	enum policy_mode mode;
	struct rule_set rules; /* of the group being evaluated */
	struct policy_turn turns[MODEL_DEPTH_MAX + 1];
	unsigned turn_count;
	uint32_t cache[MODEL_NODES_MAX + 1][POLICY_MODE_COUNT]; /* step of a pool's node + 1; 0: not evaluated */
	struct rule_set group_rules[POLICY_CELLS_MAX];
	uint32_t group_steps[POLICY_CELLS_MAX];
	unsigned group_count;
	/* of the pool at hand */
	struct candidate candidates[MODEL_ENDPOINTS_MAX];
	uint32_t weights[MODEL_ENDPOINTS_MAX];
	uint32_t children[MODEL_ENDPOINTS_MAX];
	struct rdata_span sorted[MODEL_ENDPOINTS_MAX];
	uint8_t names[MODEL_ENDPOINTS_MAX][NAME_WIRE_MAX];
};

struct policy_compiler *policy_compiler_new(void)
{
	struct policy_compiler *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->ready = ready_builder_new();
	if (c->ready == NULL)
		policy_compiler_free(&c);
	return c;
}

void policy_compiler_free(struct policy_compiler **compiler)
{
	if (*compiler == NULL)
		return;
	policy_draft_reset(&(*compiler)->draft);
	ready_builder_free(&(*compiler)->ready);
	free(*compiler);
	*compiler = NULL;
}

/* Remember a failure; NO_STEP for the caller to return. */
static uint32_t fail(struct policy_compiler *c, enum veer_err err)
{
	if (c->err == VEER_OK)
		c->err = err;
	return NO_STEP;
}

static bool has_type(const struct model_endpoint *e, uint16_t type)
{
	switch (e->kind) {
	case MODEL_ADDRESS_IPV4:
		return type == RRTYPE_A;
	case MODEL_ADDRESS_IPV6:
		return type == RRTYPE_AAAA;
	case MODEL_ADDRESS_HOST:
		return true;
	}
	return false;
}

static bool is_eligible(enum policy_mode mode, const struct policy_pool *pool, uint32_t i)
{
	bool out = (pool->flags[i] & POLICY_ENDPOINT_OUT) != 0;
	bool last = !pool->has_last || (pool->flags[i] & POLICY_ENDPOINT_LAST) != 0;
	switch (mode) {
	case POLICY_MODE_NORMAL:
	case POLICY_MODE_ANY:
		return !out && (pool->flags[i] & POLICY_ENDPOINT_DOWN) == 0;
	case POLICY_MODE_LAST_IN:
		return last && !out;
	case POLICY_MODE_LAST:
		return last;
	case POLICY_MODE_ALL_IN:
		return !out;
	case POLICY_MODE_ALL:
	case POLICY_MODE_COUNT:
		return true;
	}
	return true;
}

static bool endpoint_rdata(struct policy_compiler *c, const struct model_endpoint *e, unsigned slot,
			   struct rdata_span *out)
{
	size_t len;
	switch (e->kind) {
	case MODEL_ADDRESS_IPV4:
		*out = (struct rdata_span){.data = e->ip, .len = 4};
		return true;
	case MODEL_ADDRESS_IPV6:
		*out = (struct rdata_span){.data = e->ip, .len = 16};
		return true;
	case MODEL_ADDRESS_HOST:
		if (name_parse(e->address, strlen(e->address), (const uint8_t *)"", c->names[slot], &len, NULL) !=
		    VEER_OK)
			return false;
		name_lower(c->names[slot], len);
		*out = (struct rdata_span){.data = c->names[slot], .len = len};
		return true;
	}
	return false;
}

/*
 * The endpoints to choose among, into c->candidates: eligible, of the type, and with a weight above 0 unless there is
 * nothing else. Their count; 0 when the pool is not available.
 */
static unsigned collect(struct policy_compiler *c, const struct policy_pool *pool)
{
	uint32_t eligible = 0;
	unsigned count = 0;
	bool weighted = false;
	const struct model_pool *m = pool->model;
	for (uint32_t i = 0; i < m->endpoint_count && i < MODEL_ENDPOINTS_MAX; i++) {
		const struct model_endpoint *e = &m->endpoints[i];
		if (!is_eligible(c->mode, pool, i))
			continue;
		eligible++;
		if (!has_type(e, c->type) || (weighted && e->weight == 0))
			continue;
		if (e->weight > 0 && !weighted) {
			weighted = true;
			count = 0;
		}
		if (!endpoint_rdata(c, e, count, &c->candidates[count].rdata))
			continue;
		c->candidates[count].is_doubted = (pool->flags[i] & POLICY_ENDPOINT_DOUBT) != 0;
		c->candidates[count++].endpoint = e;
	}
	return c->mode != POLICY_MODE_NORMAL || eligible >= m->min_up ? count : 0;
}

static int compare_spans(const void *a, const void *b)
{
	const struct rdata_span *x = a;
	const struct rdata_span *y = b;
	return x->len != y->len ? (x->len > y->len) - (x->len < y->len) : memcmp(x->data, y->data, x->len);
}

/* An outcome with the candidates [first, first + count), as one RRset in canonical order without duplicates. */
static uint32_t answer_step(struct policy_compiler *c, const char *pool, unsigned node, unsigned first, unsigned count)
{
	const struct model_endpoint *only = count == 1 ? c->candidates[first].endpoint : NULL;
	uint16_t type = c->candidates[first].endpoint->kind == MODEL_ADDRESS_HOST ? RRTYPE_CNAME : c->type;
	struct ready_rrset *rr = NULL;
	uint32_t ttl = c->policy->ttl;
	for (unsigned i = 0; i < count; i++) {
		c->sorted[i] = c->candidates[first + i].rdata;
		if (c->candidates[first + i].is_doubted && c->policy->ttl_suspect < ttl)
			ttl = c->policy->ttl_suspect;
	}
	qsort(c->sorted, count, sizeof c->sorted[0], compare_spans);
	ready_begin(c->ready, type, ttl, NULL, NULL);
	for (unsigned i = 0; i < count; i++)
		if (i == 0 || compare_spans(&c->sorted[i - 1], &c->sorted[i]) != 0)
			ready_add(c->ready, c->sorted[i].data, c->sorted[i].len);
	enum veer_err err = ready_finish(c->ready, &rr);
	if (err != VEER_OK)
		return fail(c, err);
	struct policy_outcome outcome = {.result = POLICY_ANSWER,
					 .mode = c->mode,
					 .is_fallback = node == FALLBACK_NODE,
					 .rr = rr,
					 .pool = pool,
					 .endpoint = only != NULL ? only->name : NULL,
					 .node = node == FALLBACK_NODE ? 0 : (uint16_t)node,
					 .turn_count = (uint8_t)c->turn_count};
	memcpy(outcome.turns, c->turns, c->turn_count * sizeof c->turns[0]);
	uint32_t step;
	err = policy_draft_outcome(&c->draft, &outcome, &step);
	return err == VEER_OK ? step : fail(c, err);
}

/* A choice among `count` steps by weight; all equal when all weights are 0. One step is itself. */
static uint32_t choice_step(struct policy_compiler *c, const uint32_t *steps, uint32_t *weights, unsigned count)
{
	uint32_t step;
	uint64_t total = 0;
	if (count == 1)
		return steps[0];
	for (unsigned i = 0; i < count; i++)
		total += weights[i];
	for (unsigned i = 0; i < count && total == 0; i++)
		weights[i] = 1;
	enum veer_err err = policy_draft_choice(&c->draft, steps, weights, count, &step);
	return err == VEER_OK ? step : fail(c, err);
}

static uint32_t spread_step(struct policy_compiler *c, const char *pool, unsigned node, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		c->children[i] = answer_step(c, pool, node, i, 1);
		c->weights[i] = c->candidates[i].endpoint->weight;
		if (c->err != VEER_OK)
			return NO_STEP;
	}
	return choice_step(c, c->children, c->weights, count);
}

static uint32_t pool_step(struct policy_compiler *c, const char *name, unsigned node, bool spread)
{
	uint32_t *cached = &c->cache[node][c->mode];
	if (*cached != 0)
		return *cached == NO_STEP ? NO_STEP : *cached - 1;
	const struct policy_pool *pool = c->pools(c->ctx, name);
	unsigned count = pool != NULL ? collect(c, pool) : 0;
	uint32_t step = NO_STEP;
	if (count > 0 && (spread || c->candidates[0].endpoint->kind == MODEL_ADDRESS_HOST))
		step = spread_step(c, name, node, count);
	else if (count > 0)
		step = answer_step(c, name, node, 0, count);
	*cached = step == NO_STEP ? NO_STEP : step + 1;
	return step;
}

/* Where the tree walk is: preorder numbers of nodes and of rules, both running. */
struct position {
	unsigned node;
	unsigned rule;
};

static uint32_t evaluate(struct policy_compiler *c, const struct model_node *n, struct position *at);

/* Skip a subtree that is not asked, so that numbers stay those of the preorder. */
static void skip_node(const struct model_node *n, struct position *at)
{
	at->node++;
	for (uint32_t i = 0; i < n->child_count; i++) {
		if (n->kind == MODEL_NODE_MATCH)
			at->rule++;
		skip_node(&n->children[i], at);
	}
}

static uint32_t evaluate_child(struct policy_compiler *c, const struct model_node *n, unsigned self, uint32_t i,
			       struct position *at)
{
	if (c->turn_count >= MODEL_DEPTH_MAX)
		return NO_STEP;
	c->turns[c->turn_count++] = (struct policy_turn){.node = (uint16_t)self, .child = (uint16_t)i};
	uint32_t step = evaluate(c, &n->children[i], at);
	c->turn_count--;
	return step;
}

static uint32_t first_available(struct policy_compiler *c, const struct model_node *n, unsigned self,
				struct position *at)
{
	uint32_t found = NO_STEP;
	for (uint32_t i = 0; i < n->child_count; i++) {
		bool asked = true;
		if (n->kind == MODEL_NODE_MATCH) {
			asked = (c->rules.bits[at->rule / 64] >> at->rule % 64 & 1) != 0;
			at->rule++;
		}
		if (asked && found == NO_STEP)
			found = evaluate_child(c, n, self, i, at);
		else
			skip_node(&n->children[i], at);
	}
	return found;
}

static uint32_t weighted(struct policy_compiler *c, const struct model_node *n, unsigned self, struct position *at)
{
	uint32_t steps[MODEL_NODES_MAX];
	uint32_t weights[MODEL_NODES_MAX];
	unsigned count = 0;
	bool above_zero = false;
	for (uint32_t i = 0; i < n->child_count && i < MODEL_NODES_MAX; i++) {
		uint32_t step = evaluate_child(c, n, self, i, at);
		if (step == NO_STEP || (above_zero && n->weights[i] == 0))
			continue;
		if (n->weights[i] > 0 && !above_zero) {
			above_zero = true;
			count = 0;
		}
		steps[count] = step;
		weights[count++] = n->weights[i];
	}
	return count > 0 ? choice_step(c, steps, weights, count) : NO_STEP;
}

static uint32_t evaluate(struct policy_compiler *c, const struct model_node *n, struct position *at)
{
	unsigned self = at->node++;
	if (c->err != VEER_OK || self >= MODEL_NODES_MAX)
		return NO_STEP;
	switch (n->kind) {
	case MODEL_NODE_POOL:
	case MODEL_NODE_SPREAD:
		return pool_step(c, n->pool, self, n->kind == MODEL_NODE_SPREAD);
	case MODEL_NODE_FAILOVER:
	case MODEL_NODE_MATCH:
		return first_available(c, n, self, at);
	case MODEL_NODE_WEIGHTED:
		return weighted(c, n, self, at);
	}
	return NO_STEP;
}

static uint32_t evaluate_tree(struct policy_compiler *c, enum policy_mode mode)
{
	struct position at = {0};
	c->mode = mode;
	c->turn_count = 0;
	return evaluate(c, c->policy->tree, &at);
}

static uint32_t evaluate_fallback(struct policy_compiler *c)
{
	static const enum policy_mode modes[] = {POLICY_MODE_NORMAL, POLICY_MODE_ALL_IN, POLICY_MODE_ALL};
	uint32_t step = NO_STEP;
	c->turn_count = 0;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0] && step == NO_STEP; i++) {
		c->mode = modes[i];
		step = pool_step(c, c->policy->fallback_pool, FALLBACK_NODE, false);
	}
	return step;
}

static uint32_t plain_step(struct policy_compiler *c, enum policy_result result)
{
	struct policy_outcome outcome = {.result = result, .mode = c->mode};
	uint32_t step;
	enum veer_err err = policy_draft_outcome(&c->draft, &outcome, &step);
	return err == VEER_OK ? step : fail(c, err);
}

/*
 * The branches of the group at hand have no endpoint of the type: what any branch has. A name with endpoints is never
 * answered empty.
 */
static uint32_t evaluate_any(struct policy_compiler *c)
{
	static const enum policy_mode modes[] = {POLICY_MODE_ANY, POLICY_MODE_ALL_IN, POLICY_MODE_ALL};
	const struct rule_set own = c->rules;
	uint32_t step = NO_STEP;
	memset(&c->rules, 0xff, sizeof c->rules);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0] && step == NO_STEP; i++)
		step = evaluate_tree(c, modes[i]);
	c->rules = own;
	return step;
}

/* Nothing is available for the group at hand: what when_all_down says. */
static uint32_t all_down(struct policy_compiler *c)
{
	uint32_t step = NO_STEP;
	switch (c->policy->when_all_down) {
	case MODEL_ALL_DOWN_ALL:
		break;
	case MODEL_ALL_DOWN_LAST:
		step = evaluate_tree(c, POLICY_MODE_LAST_IN);
		if (step == NO_STEP)
			step = evaluate_tree(c, POLICY_MODE_LAST);
		break;
	case MODEL_ALL_DOWN_SERVFAIL:
		step = evaluate_any(c);
		return plain_step(c, step != NO_STEP ? POLICY_SERVFAIL : POLICY_NODATA);
	case MODEL_ALL_DOWN_POOL:
		step = evaluate_fallback(c);
		break;
	}
	if (step == NO_STEP)
		step = evaluate_tree(c, POLICY_MODE_ALL_IN);
	if (step == NO_STEP)
		step = evaluate_tree(c, POLICY_MODE_ALL);
	if (step == NO_STEP)
		step = evaluate_any(c);
	return step != NO_STEP ? step : plain_step(c, POLICY_NODATA);
}

/* `country` 0: none is asked for; `continent` CONTINENT_NONE: likewise. */
static bool rule_matches(const struct model_rule *rule, uint16_t country, unsigned continent)
{
	for (uint32_t i = 0; i < rule->country_count; i++)
		if (rule->countries[i] == country)
			return true;
	for (uint32_t i = 0; i < rule->continent_count; i++)
		if (continent != CONTINENT_NONE && continent_from_code(rule->continents[i]) == continent)
			return true;
	return false;
}

/* Mark the rules that match a client, in preorder; the `else` branch matches everybody. */
static void mark_rules(const struct model_node *n, uint16_t country, unsigned continent, unsigned *rule,
		       struct rule_set *set)
{
	for (uint32_t i = 0; i < n->child_count; i++) {
		if (n->kind == MODEL_NODE_MATCH && *rule < MODEL_NODES_MAX) {
			bool is_else = n->has_else && i == n->child_count - 1;
			if (is_else || rule_matches(&n->rules[i], country, continent))
				set->bits[*rule / 64] |= UINT64_C(1) << *rule % 64;
			(*rule)++;
		}
		mark_rules(&n->children[i], country, continent, rule, set);
	}
}

/* The step for clients of one cell; cells with the same matching rules share it. */
static uint32_t group_step(struct policy_compiler *c, const struct rule_set *of_country,
			   const struct rule_set *of_continent)
{
	struct rule_set set;
	for (unsigned i = 0; i < RULES_WORDS; i++)
		set.bits[i] = of_country->bits[i] | of_continent->bits[i];
	for (unsigned i = 0; i < c->group_count; i++)
		if (memcmp(&c->group_rules[i], &set, sizeof set) == 0)
			return c->group_steps[i];
	c->rules = set;
	uint32_t step = evaluate_tree(c, POLICY_MODE_NORMAL);
	if (step == NO_STEP && c->err == VEER_OK)
		step = all_down(c);
	c->group_rules[c->group_count] = set;
	c->group_steps[c->group_count++] = step;
	return step;
}

static int compare_u16(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void add_countries(struct policy_draft *d, const struct model_node *n)
{
	for (uint32_t i = 0; i < n->child_count; i++) {
		for (uint32_t k = 0; n->kind == MODEL_NODE_MATCH && k < n->rules[i].country_count; k++) {
			bool known = false;
			for (unsigned j = 0; j < d->country_count && !known; j++)
				known = d->countries[j] == n->rules[i].countries[k];
			if (!known && d->country_count < POLICY_COUNTRIES_MAX)
				d->countries[d->country_count++] = n->rules[i].countries[k];
		}
		add_countries(d, &n->children[i]);
	}
}

static bool has_match(const struct model_node *n)
{
	if (n->kind == MODEL_NODE_MATCH)
		return true;
	for (uint32_t i = 0; i < n->child_count; i++)
		if (has_match(&n->children[i]))
			return true;
	return false;
}

/* All cells: one row for countries that no rule names, one for each that some rule does; one column a continent. */
static void fill_cells(struct policy_compiler *c)
{
	struct policy_draft *d = &c->draft;
	d->country_count = 0;
	if (has_match(c->policy->tree))
		add_countries(d, c->policy->tree);
	qsort(d->countries, d->country_count, sizeof d->countries[0], compare_u16);
	/* a rule matches by country or by continent: each is looked for once, not once a cell */
	struct rule_set of_continent[CONTINENT_COUNT] = {{{0}}};
	for (unsigned continent = 0; continent < CONTINENT_COUNT; continent++)
		mark_rules(c->policy->tree, 0, continent, &(unsigned){0}, &of_continent[continent]);
	for (unsigned row = 0; row <= d->country_count && c->err == VEER_OK; row++) {
		struct rule_set of_country = {{0}};
		uint16_t country = row > 0 ? d->countries[row - 1] : 0;
		mark_rules(c->policy->tree, country, CONTINENT_NONE, &(unsigned){0}, &of_country);
		for (unsigned continent = 0; continent < CONTINENT_COUNT; continent++)
			d->cells[row * CONTINENT_COUNT + continent] =
				group_step(c, &of_country, &of_continent[continent]);
	}
}

enum veer_err policy_compile(struct policy_compiler *c, const struct model_policy *policy, uint16_t type,
			     policy_pool_fn *pools, void *ctx, struct policy_program **out)
{
	c->policy = policy;
	c->type = type;
	c->pools = pools;
	c->ctx = ctx;
	c->err = VEER_OK;
	c->group_count = 0;
	memset(c->cache, 0, sizeof c->cache);
	fill_cells(c);
	if (c->err == VEER_OK)
		c->err = policy_draft_pack(&c->draft, out);
	policy_draft_reset(&c->draft);
	return c->err;
}

const char *policy_mode_text(enum policy_mode mode)
{
	switch (mode) {
	case POLICY_MODE_NORMAL:
		return "normal";
	case POLICY_MODE_LAST_IN:
		return "last, without what was taken out";
	case POLICY_MODE_LAST:
		return "last";
	case POLICY_MODE_ALL_IN:
		return "all, without what was taken out";
	case POLICY_MODE_ANY:
		return "any branch";
	case POLICY_MODE_ALL:
	case POLICY_MODE_COUNT:
		return "all";
	}
	return "all";
}
