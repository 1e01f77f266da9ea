/* SPDX-License-Identifier: Apache-2.0 */
/* The pools of a policy: which endpoints may be given out now, and the answers with them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "zones/plan/policy_impl.h"

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

/* May the endpoint be given out in this mode? Normally if it is eligible; when all are down, others too. */
static bool is_wanted(enum policy_mode mode, const struct policy_pool *pool, uint32_t i)
{
	bool out = (pool->flags[i] & POLICY_ENDPOINT_OUT) != 0;
	bool last = !pool->has_last || (pool->flags[i] & POLICY_ENDPOINT_LAST) != 0;
	switch (mode) {
	case POLICY_MODE_NORMAL:
	case POLICY_MODE_ANY:
		return (pool->flags[i] & (POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_OUT)) == 0;
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
 * Collect the endpoints to choose from into c->candidates: eligible, of the type, and with a weight above 0 unless
 * there are no others. Returns their count; 0 when the pool is not available.
 */
static unsigned collect(struct policy_compiler *c, const struct policy_pool *pool)
{
	uint32_t eligible = 0;
	unsigned count = 0;
	bool weighted = false;
	const struct model_pool *m = pool->model;
	for (uint32_t i = 0; i < m->endpoint_count && i < MODEL_ENDPOINTS_MAX; i++) {
		const struct model_endpoint *e = &m->endpoints[i];
		if (!is_wanted(c->mode, pool, i))
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
		return policy_fail(c, err);
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
	return err == VEER_OK ? step : policy_fail(c, err);
}

uint32_t policy_choice_step(struct policy_compiler *c, const uint32_t *steps, uint32_t *weights, unsigned count)
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
	return err == VEER_OK ? step : policy_fail(c, err);
}

static uint32_t spread_step(struct policy_compiler *c, const char *pool, unsigned node, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		c->children[i] = answer_step(c, pool, node, i, 1);
		c->weights[i] = c->candidates[i].endpoint->weight;
		if (c->err != VEER_OK)
			return NO_STEP;
	}
	return policy_choice_step(c, c->children, c->weights, count);
}

uint32_t policy_pool_step(struct policy_compiler *c, const char *name, unsigned node, bool spread)
{
	assert(node <= FALLBACK_NODE && c->mode < POLICY_MODE_COUNT);
	uint32_t *cached = &c->cache[node][c->mode];
	if (*cached != 0)
		return *cached == NO_STEP ? NO_STEP : *cached - 1;
	if (node != FALLBACK_NODE && node >= c->cache_count)
		c->cache_count = node + 1;
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
