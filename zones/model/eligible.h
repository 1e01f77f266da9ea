/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is an endpoint answered with? One rule for everybody: name servers when they make the plan, the controller when it
 * keeps last sets, the safety rule when it judges a change, and replies that tell people how an endpoint stands.
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
	bool is_site_in;                            /* a site that is not there counts as in */
};

/* Why an endpoint is not eligible; bits. */
enum {
	MODEL_LOST_BY_VERDICT = 1, /* its verdict is down, and nobody forces it up */
	MODEL_LOST_BY_WORD = 2,    /* an administrator took it out: its site, or itself by a drain or forced down */
};

/* The reasons together; 0 when the endpoint is eligible. A verdict that is unknown is no reason. */
unsigned model_losses(const struct model_standing *standing);
/* Verdict not down or forced up, neither drained nor forced down, its site in. */
bool model_is_eligible(const struct model_standing *standing);

#endif
