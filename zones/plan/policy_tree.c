/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a policy: which branch is available, and what is answered when none is. */
#include <string.h>

#include "zones/plan/policy_impl.h"

/* The position of the tree walk: the present preorder numbers of nodes and of rules. */
struct position {
	unsigned node;
	unsigned rule;
};

static uint32_t evaluate(struct policy_compiler *c, const struct model_node *n, struct position *at);

/* Skip a subtree that is not evaluated, so that nodes and rules keep their preorder numbers. */
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
	return count > 0 ? policy_choice_step(c, steps, weights, count) : NO_STEP;
}

static uint32_t evaluate(struct policy_compiler *c, const struct model_node *n, struct position *at)
{
	unsigned self = at->node++;
	if (c->err != VEER_OK || self >= MODEL_NODES_MAX)
		return NO_STEP;
	switch (n->kind) {
	case MODEL_NODE_POOL:
	case MODEL_NODE_SPREAD:
		return policy_pool_step(c, n->pool, self, n->kind == MODEL_NODE_SPREAD);
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
		step = policy_pool_step(c, c->policy->fallback_pool, FALLBACK_NODE, false);
	}
	return step;
}

static uint32_t plain_step(struct policy_compiler *c, enum policy_result result)
{
	struct policy_outcome outcome = {.result = result, .mode = c->mode};
	uint32_t step;
	enum veer_err err = policy_draft_outcome(&c->draft, &outcome, &step);
	return err == VEER_OK ? step : policy_fail(c, err);
}

/*
 * The branches of the present group have no endpoint of the type, so answer from any branch. A name with endpoints is
 * never answered with an empty set.
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

/* Nothing is available for the present group: do what when_all_down says. */
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

uint32_t policy_tree_step(struct policy_compiler *c)
{
	uint32_t step = evaluate_tree(c, POLICY_MODE_NORMAL);
	return step == NO_STEP && c->err == VEER_OK ? all_down(c) : step;
}
