/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/model/eligible.h"

#include <stddef.h>

unsigned model_losses(const struct model_standing *standing)
{
	unsigned losses = 0;
	bool is_forced_up = standing->override != NULL && *standing->override == MODEL_OVERRIDE_UP;
	if (standing->verdict == MODEL_STATE_DOWN && !is_forced_up)
		losses |= MODEL_LOST_BY_VERDICT;
	if (!standing->is_site_in || (standing->override != NULL && !is_forced_up))
		losses |= MODEL_LOST_BY_WORD;
	return losses;
}

bool model_is_eligible(const struct model_standing *standing)
{
	return model_losses(standing) == 0;
}
