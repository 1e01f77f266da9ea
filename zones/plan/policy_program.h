/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internals of compiled policies: the draft that the compiler fills, and packing it into one block of memory. Only for
 * the compiler (policy_impl.h) and policy_program.c.
 */
#ifndef VEER_ZONES_PLAN_POLICY_PROGRAM_H
#define VEER_ZONES_PLAN_POLICY_PROGRAM_H

#include <stdint.h>

#include "zones/plan/policy.h"

#define POLICY_COUNTRIES_MAX 700 /* 26 x 26 codes, and a few to spare */
#define POLICY_CELLS_MAX ((POLICY_COUNTRIES_MAX + 1) * CONTINENT_COUNT)

/* A step of a compiled policy: an outcome, or a choice among other steps. */
struct policy_step {
	uint32_t first; /* choice: of its entries in `sums` and `targets`; outcome: its number */
	uint32_t count; /* choice: entries; outcome: 0 */
};

/* A compiled policy while it is being built. Zero it before the first use. */
struct policy_draft {
	struct policy_step *steps;
	uint32_t step_count;
	uint32_t step_size;
	uint32_t *sums;    /* running sums of the weights of each choice */
	uint32_t *targets; /* the step that each entry leads to */
	uint32_t entry_count;
	uint32_t entry_size;
	struct policy_outcome *outcomes; /* each owns its `rr` until packed; pool and endpoint are borrowed */
	uint32_t outcome_count;
	uint32_t outcome_size;
	uint16_t countries[POLICY_COUNTRIES_MAX]; /* the countries that rules name, sorted */
	uint32_t country_count;
	uint32_t cells[POLICY_CELLS_MAX]; /* the step for each (country's row, continent) */
};

/* Add an outcome as a step. Ownership: takes outcome->rr, also on failure. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err policy_draft_outcome(struct policy_draft *draft, const struct policy_outcome *outcome,
						   uint32_t *step);
/* Add a choice; at least one weight is above 0. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err policy_draft_choice(struct policy_draft *draft, const uint32_t *targets,
						  const uint32_t *weights, unsigned count, uint32_t *step);
/* Pack the draft into one block. The draft keeps its content. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err policy_draft_pack(const struct policy_draft *draft, struct policy_program **out);
/* Release everything; the draft is then empty and can be used again. */
void policy_draft_reset(struct policy_draft *draft);

#endif
