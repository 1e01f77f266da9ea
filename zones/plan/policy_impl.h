/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internals of the policy compiler, only for policy.c (groups of clients), policy_tree.c (nodes) and policy_pool.c
 * (endpoints).
 */
#ifndef VEER_ZONES_PLAN_POLICY_IMPL_H
#define VEER_ZONES_PLAN_POLICY_IMPL_H

#include "zones/dns/name.h"
#include "zones/plan/policy.h"
#include "zones/plan/policy_program.h"

#define NO_STEP UINT32_MAX
#define FALLBACK_NODE MODEL_NODES_MAX /* the row of the fallback pool in the cache */
#define RULES_WORDS (MODEL_NODES_MAX / 64)

/* The rules of the tree, in preorder, that match a client. Clients with the same set form one group. */
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
	/* of the present compilation */
	const struct model_policy *policy;
	uint16_t type;
	policy_pool_fn *pools;
	void *ctx;
	enum veer_err err; /* the first failure; sticks */
	enum policy_mode mode;
	struct rule_set rules; /* the rules that match the group being evaluated */
	struct policy_turn turns[MODEL_DEPTH_MAX + 1];
	unsigned turn_count;
	/*
	 * the step of a pool's node + 1; 0: not evaluated. The rows from `cache_count` on are 0, except that of the
	 * fallback pool
	 */
	uint32_t cache[MODEL_NODES_MAX + 1][POLICY_MODE_COUNT];
	uint32_t cache_count;
	struct rule_set group_rules[POLICY_CELLS_MAX];
	uint32_t group_steps[POLICY_CELLS_MAX];
	unsigned group_count;
	/* of the present pool */
	struct candidate candidates[MODEL_ENDPOINTS_MAX];
	uint32_t weights[MODEL_ENDPOINTS_MAX];
	uint32_t children[MODEL_ENDPOINTS_MAX];
	struct rdata_span sorted[MODEL_ENDPOINTS_MAX];
	uint8_t names[MODEL_ENDPOINTS_MAX][NAME_WIRE_MAX];
};

/* Remember a failure. Returns NO_STEP, for the caller to return. */
uint32_t policy_fail(struct policy_compiler *c, enum veer_err err);

/* policy_pool.c: NO_STEP says that there is nothing to answer, or that the compiler has failed (c->err). */

/*
 * The step that answers with a pool, as node `node`, in the compiler's mode. With `spread` it answers with one of the
 * pool's endpoints.
 */
uint32_t policy_pool_step(struct policy_compiler *c, const char *name, unsigned node, bool spread);
/*
 * A step that chooses among `count` steps by weight; they are equal when all weights are 0. With only one step, that
 * step is returned.
 */
uint32_t policy_choice_step(struct policy_compiler *c, const uint32_t *steps, uint32_t *weights, unsigned count);

/* policy_tree.c: the step for clients that match c->rules, whatever is down. */
uint32_t policy_tree_step(struct policy_compiler *c);

#endif
