/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled policies: packing, and choosing by them. See policy.h. */
#include "zones/plan/policy_program.h"

#include <stdlib.h>
#include <string.h>

/* Everything that the pointers lead to follows this head in the same block. */
struct policy_program {
	const uint16_t *countries;
	const uint32_t *cells; /* (country_count + 1) x CONTINENT_COUNT steps */
	const struct policy_step *steps;
	const uint32_t *sums;
	const uint32_t *targets;
	const struct policy_outcome *outcomes;
	uint32_t country_count;
	uint32_t outcome_count;
	bool uses_location;
};

static enum veer_err grow(void *array, uint32_t *size, uint32_t need, size_t item)
{
	void *old;
	memcpy(&old, array, sizeof old);
	if (need <= *size)
		return VEER_OK;
	uint32_t wanted = need < 16 ? 16 : need * 2;
	void *grown = realloc(old, wanted * item);
	if (grown == NULL)
		return VEER_ENOMEM;
	memcpy(array, &grown, sizeof grown);
	*size = wanted;
	return VEER_OK;
}

static enum veer_err add_step(struct policy_draft *d, uint32_t first, uint32_t count, uint32_t *step)
{
	enum veer_err err = grow(&d->steps, &d->step_size, d->step_count + 1, sizeof *d->steps);
	if (err != VEER_OK)
		return err;
	d->steps[d->step_count] = (struct policy_step){.first = first, .count = count};
	*step = d->step_count++;
	return VEER_OK;
}

enum veer_err policy_draft_outcome(struct policy_draft *draft, const struct policy_outcome *outcome, uint32_t *step)
{
	enum veer_err err =
		grow(&draft->outcomes, &draft->outcome_size, draft->outcome_count + 1, sizeof *draft->outcomes);
	if (err != VEER_OK) {
		free((void *)(uintptr_t)outcome->rr);
		return err;
	}
	draft->outcomes[draft->outcome_count] = *outcome;
	return add_step(draft, draft->outcome_count++, 0, step);
}

enum veer_err policy_draft_choice(struct policy_draft *draft, const uint32_t *targets, const uint32_t *weights,
				  unsigned count, uint32_t *step)
{
	uint32_t size = draft->entry_size;
	enum veer_err err = grow(&draft->sums, &size, draft->entry_count + count, sizeof *draft->sums);
	if (err == VEER_OK)
		err = grow(&draft->targets, &draft->entry_size, draft->entry_count + count, sizeof *draft->targets);
	if (err != VEER_OK)
		return err;
	uint32_t sum = 0;
	for (unsigned i = 0; i < count; i++) {
		sum += weights[i];
		draft->sums[draft->entry_count + i] = sum;
		draft->targets[draft->entry_count + i] = targets[i];
	}
	err = add_step(draft, draft->entry_count, count, step);
	if (err == VEER_OK)
		draft->entry_count += count;
	return err;
}

void policy_draft_reset(struct policy_draft *draft)
{
	for (uint32_t i = 0; i < draft->outcome_count; i++)
		free((void *)(uintptr_t)draft->outcomes[i].rr);
	free(draft->steps);
	free(draft->sums);
	free(draft->targets);
	free(draft->outcomes);
	draft->steps = NULL;
	draft->sums = NULL;
	draft->targets = NULL;
	draft->outcomes = NULL;
	draft->step_count = draft->step_size = 0;
	draft->entry_count = draft->entry_size = 0;
	draft->outcome_count = draft->outcome_size = 0;
	draft->country_count = 0;
}

/* A block that is being laid out: first it is only measured (base NULL), then filled. */
struct packer {
	uint8_t *base;
	size_t len;
};

static void *pack(struct packer *p, const void *data, size_t len)
{
	uint8_t *at = p->base != NULL ? p->base + p->len : NULL;
	if (at != NULL && len > 0)
		memcpy(at, data, len);
	p->len += (len + 7) & ~(size_t)7;
	return at;
}

static const char *pack_text(struct packer *p, const char *text)
{
	return text != NULL ? pack(p, text, strlen(text) + 1) : NULL;
}

static bool same_outcome(const struct policy_outcome *a, const struct policy_outcome *b)
{
	const struct ready_rrset *x = a->rr;
	const struct ready_rrset *y = b->rr;
	if (a->result != b->result || (x == NULL) != (y == NULL))
		return false;
	return x == NULL ||
	       (x->type == y->type && x->ttl == y->ttl && x->len == y->len && memcmp(x->data, y->data, x->len) == 0);
}

/*
 * Do both steps lead to the same answers with the same probabilities? The recursion is as deep as the tree, at most
 * MODEL_DEPTH_MAX + 1.
 */
static bool same_step(const struct policy_draft *d, uint32_t a, uint32_t b)
{
	const struct policy_step *x = &d->steps[a];
	const struct policy_step *y = &d->steps[b];
	if (a == b)
		return true;
	if (x->count != y->count)
		return false;
	if (x->count == 0)
		return same_outcome(&d->outcomes[x->first], &d->outcomes[y->first]);
	for (uint32_t i = 0; i < x->count; i++)
		if (d->sums[x->first + i] != d->sums[y->first + i] ||
		    !same_step(d, d->targets[x->first + i], d->targets[y->first + i]))
			return false;
	return true;
}

static bool cells_differ(const struct policy_draft *d, size_t cells)
{
	for (size_t i = 1; i < cells; i++)
		if (d->cells[i] != d->cells[i - 1] && !same_step(d, d->cells[i], d->cells[0]))
			return true;
	return false;
}

static void pack_all(struct packer *p, const struct policy_draft *d)
{
	size_t cells = ((size_t)d->country_count + 1) * CONTINENT_COUNT;
	struct policy_program head = {.country_count = d->country_count,
				      .outcome_count = d->outcome_count,
				      .uses_location = cells_differ(d, cells)};
	struct policy_program *program = pack(p, &head, sizeof head);
	struct policy_outcome *outcomes = pack(p, d->outcomes, d->outcome_count * sizeof *d->outcomes);
	for (uint32_t i = 0; i < d->outcome_count; i++) {
		const struct policy_outcome *from = &d->outcomes[i];
		const struct ready_rrset *rr = from->rr != NULL ? pack(p, from->rr, ready_bytes(from->rr)) : NULL;
		const char *pool = pack_text(p, from->pool);
		const char *endpoint = pack_text(p, from->endpoint);
		if (outcomes == NULL)
			continue;
		outcomes[i].rr = rr;
		outcomes[i].pool = pool;
		outcomes[i].endpoint = endpoint;
	}
	const void *steps = pack(p, d->steps, d->step_count * sizeof *d->steps);
	const void *sums = pack(p, d->sums, d->entry_count * sizeof *d->sums);
	const void *targets = pack(p, d->targets, d->entry_count * sizeof *d->targets);
	const void *packed_cells = pack(p, d->cells, cells * sizeof *d->cells);
	const void *countries = pack(p, d->countries, d->country_count * sizeof *d->countries);
	if (program == NULL)
		return;
	program->outcomes = outcomes;
	program->steps = steps;
	program->sums = sums;
	program->targets = targets;
	program->cells = packed_cells;
	program->countries = countries;
}

enum veer_err policy_draft_pack(const struct policy_draft *draft, struct policy_program **out)
{
	struct packer p = {0};
	pack_all(&p, draft);
	p.base = malloc(p.len);
	if (p.base == NULL)
		return VEER_ENOMEM;
	p.len = 0;
	pack_all(&p, draft);
	*out = (struct policy_program *)(void *)p.base;
	return VEER_OK;
}

/* The row of a country in the cells: 0 when no rule names it. */
static uint32_t country_row(const struct policy_program *p, uint16_t country)
{
	uint32_t low = 0;
	uint32_t high = p->country_count;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (p->countries[mid] < country)
			low = mid + 1;
		else
			high = mid;
	}
	return low < p->country_count && p->countries[low] == country ? low + 1 : 0;
}

/* The entry of a choice that a number below the total of weights falls into. */
static uint32_t entry_for(const uint32_t *sums, uint32_t count, uint32_t number)
{
	uint32_t low = 0;
	uint32_t high = count - 1;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (sums[mid] <= number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct policy_outcome *policy_choose(const struct policy_program *program, struct geo_location location,
					   uint64_t random)
{
	uint32_t cell = location.continent < CONTINENT_COUNT ? location.continent : 0;
	if (program->country_count > 0)
		cell += country_row(program, location.country) * CONTINENT_COUNT;
	const struct policy_step *step = &program->steps[program->cells[cell]];
	while (step->count > 0) {
		const uint32_t *sums = program->sums + step->first;
		/* multiply-shift maps 32 random bits to [0, total); the bias is below total / 2^32 */
		uint32_t number = (uint32_t)((random >> 32) * sums[step->count - 1] >> 32);
		step = &program->steps[program->targets[step->first + entry_for(sums, step->count, number)]];
		/* fresh bits for the next choice: the finaliser of SplitMix64 */
		random += UINT64_C(0x9e3779b97f4a7c15);
		random = (random ^ random >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		random = (random ^ random >> 27) * UINT64_C(0x94d049bb133111eb);
		random ^= random >> 31;
	}
	return &program->outcomes[step->first];
}

bool policy_uses_location(const struct policy_program *program)
{
	return program->uses_location;
}

void policy_outcomes(const struct policy_program *program, bool (*fn)(void *ctx, const struct policy_outcome *outcome),
		     void *ctx)
{
	for (uint32_t i = 0; i < program->outcome_count; i++)
		if (!fn(ctx, &program->outcomes[i]))
			return;
}
