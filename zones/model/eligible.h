/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an endpoint may be given out in answers. The same rule is used by name servers when they make the plan, by
 * the controller when it keeps last sets, by the safety rule when it judges a change, and by API replies that show the
 * state of an endpoint.
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_MODEL_ELIGIBLE_H
#define VEER_ZONES_MODEL_ELIGIBLE_H

#include <stdbool.h>

#include "zones/model/model.h"

/* What is known of one endpoint. */
struct model_standing {
	enum model_state verdict;
	const enum model_override_action *override; /* borrowed; NULL: there is none */
	bool is_site_in;                            /* a site that does not exist counts as in */
};

/* Why an endpoint is not eligible; bits. */
enum {
	MODEL_LOST_BY_VERDICT = 1, /* its verdict is down, and it is not forced up */
	MODEL_LOST_BY_WORD = 2,    /* an administrator took it out: its site is out, or the endpoint is drained or
				    * forced down */
};

/* All reasons together; 0 when the endpoint is eligible. An unknown verdict is not a reason. */
unsigned model_losses(const struct model_standing *standing);
/*
 * Eligible: the verdict is not down (or the endpoint is forced up), it is neither drained nor forced down, and its site
 * is in.
 */
bool model_is_eligible(const struct model_standing *standing);

#endif
