/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests of policies: pools by name with settable flags, and a compiled policy over them. */
#ifndef VEER_TESTS_POLICIES_H
#define VEER_TESTS_POLICIES_H

#include "zones/plan/policy.h"

#define POOLS_MAX 8

/* Pools by name with settable flags, and a compiled policy over them. */
struct policies {
	struct arena *arena;
	struct policy_compiler *compiler;
	struct policy_pool pools[POOLS_MAX];
	struct model_pool models[POOLS_MAX];
	uint8_t flags[POOLS_MAX][MODEL_ENDPOINTS_MAX];
	unsigned pool_count;
	struct model_policy policy;
	struct policy_program *program;
};

#define ENDPOINT(name, address) "{\"name\":\"" name "\",\"address\":\"" address "\",\"site\":\"" name "\"}"
#define ENDPOINT_W(name, address, weight)                                                                              \
	"{\"name\":\"" name "\",\"address\":\"" address "\",\"site\":\"" name "\",\"weight\":" weight "}"
#define POOL(name, min_up, endpoints)                                                                                  \
	"{\"name\":\"" name "\",\"checks\":[],\"min_up\":" min_up ",\"endpoints\":[" endpoints "]}"
#define POLICY(tree, down) "{\"name\":\"p\",\"ttl\":5,\"when_all_down\":" down ",\"tree\":" tree "}"

/* Two letters as one number; 0 for NULL. */
uint16_t policies_code(const char *text);
/* Parse text as JSON; the caller owns it. */
json_t *policies_json(const char *text);
/* For cmocka: `*state` has no pools. */
int policies_setup(void **state);
int policies_teardown(void **state);
/* Find a pool by its name for policy_compile(); `ctx` is a struct policies. */
const struct policy_pool *policies_find_pool(void *ctx, const char *name);
/* Add a pool given as its JSON. */
void policies_add_pool(struct policies *w, const char *text);
/* Set the flags of one endpoint, or of all (NULL). */
void policies_flag(struct policies *w, const char *pool, const char *endpoint, uint8_t flags);
/* Compile the policy for a type. */
void policies_compile(struct policies *w, uint16_t type);
/* Set the policy, given as its JSON. */
void policies_set(struct policies *w, const char *text);
/* The answer as text: "A 192.0.2.1 192.0.2.2", "CNAME a.example.", "nodata", "servfail". Valid until the next call. */
const char *policies_answer(struct policies *w, const char *country, enum continent continent, uint64_t random);
/* Add the pools fra, iad and sin. */
void policies_add_three_pools(struct policies *w);

#endif
