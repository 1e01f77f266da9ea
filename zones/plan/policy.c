/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler of policies: evaluates the tree once for each group of clients. See policy.h and policy_program.h. */
#include "zones/plan/policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "zones/plan/policy_impl.h"

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

uint32_t policy_fail(struct policy_compiler *c, enum veer_err err)
{
	if (c->err == VEER_OK)
		c->err = err;
	return NO_STEP;
}

/* Does the rule match? `country` 0 and `continent` CONTINENT_NONE are not looked for. */
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

/* The step for clients of one cell; cells with the same matching rules share a step. */
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
	uint32_t step = policy_tree_step(c);
	assert(c->group_count < POLICY_CELLS_MAX);
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

/*
 * Fill all cells: one row for all countries that no rule names, one row for each country that a rule names, and one
 * column for each continent.
 */
static void fill_cells(struct policy_compiler *c)
{
	struct policy_draft *d = &c->draft;
	d->country_count = 0;
	if (model_node_uses_location(c->policy->tree))
		add_countries(d, c->policy->tree);
	qsort(d->countries, d->country_count, sizeof d->countries[0], compare_u16);
	/* a rule matches by country or by continent, so each is looked up once and not for every cell */
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

/* Clear only the rows that the previous policy used: most policies have few nodes, and the whole cache is large. */
static void clear_cache(struct policy_compiler *c)
{
	memset(c->cache, 0, c->cache_count * sizeof c->cache[0]);
	memset(c->cache[FALLBACK_NODE], 0, sizeof c->cache[FALLBACK_NODE]);
	c->cache_count = 0;
}

enum veer_err policy_compile(struct policy_compiler *compiler, const struct model_policy *policy, uint16_t type,
			     policy_pool_fn *pools, void *ctx, struct policy_program **out)
{
	compiler->policy = policy;
	compiler->type = type;
	compiler->pools = pools;
	compiler->ctx = ctx;
	compiler->err = VEER_OK;
	compiler->group_count = 0;
	clear_cache(compiler);
	fill_cells(compiler);
	if (compiler->err == VEER_OK)
		compiler->err = policy_draft_pack(&compiler->draft, out);
	policy_draft_reset(&compiler->draft);
	return compiler->err;
}
