/* SPDX-License-Identifier: Apache-2.0 */
/* Which configurations the verdict engine refuses. */
#include "probes/verdict/verdict_impl.h"

static enum veer_err agents_are_sound(const struct verdict_config *config, const struct verdict_check *check,
				      struct veer_diag *diag)
{
	if (check->agent_count > MODEL_AGENTS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "check %s: %u agents, at most %d", check->name, check->agent_count,
				 MODEL_AGENTS_MAX);
	if (check->source != VERDICT_SOURCE_AGENTS && check->agent_count > 0)
		return veer_fail(diag, VEER_EINVAL, "check %s: agents, but none are asked", check->name);
	if (check->source == VERDICT_SOURCE_AGENTS && check->interval_ms == 0)
		return veer_fail(diag, VEER_EINVAL, "check %s: interval_ms is 0", check->name);
	for (uint32_t i = 0; i < check->agent_count; i++) {
		if (check->agents[i] >= config->agent_count || (i > 0 && check->agents[i] <= check->agents[i - 1]))
			return veer_fail(diag, VEER_EINVAL, "check %s: agents are not rising indices", check->name);
	}
	return VEER_OK;
}

static enum veer_err parts_are_sound(const struct verdict_config *config, const struct verdict_check *check,
				     struct veer_diag *diag)
{
	uint64_t total = (uint64_t)check->of_count + check->lost_count;
	if (check->source != VERDICT_SOURCE_CALCULATED)
		return total == 0 ? VEER_OK
				  : veer_fail(diag, VEER_EINVAL, "check %s: parts, but is not calculated", check->name);
	if (total == 0 || total > VERDICT_PARTS_MAX)
		return veer_fail(diag, total == 0 ? VEER_EINVAL : VEER_ELIMIT, "check %s: must have 1 to %d parts",
				 check->name, VERDICT_PARTS_MAX);
	for (uint32_t i = 0; i < check->of_count; i++) {
		if (check->of[i] >= config->check_count)
			return veer_fail(diag, VEER_EINVAL, "check %s: no check %u", check->name, check->of[i]);
		for (uint32_t k = 0; k < i; k++) {
			if (check->of[k] == check->of[i])
				return veer_fail(diag, VEER_EINVAL, "check %s: a part twice", check->name);
		}
	}
	return VEER_OK;
}

static enum veer_err check_is_sound(const struct verdict_config *config, uint32_t index, struct veer_diag *diag)
{
	const struct verdict_check *check = &config->checks[index];
	enum veer_err err = agents_are_sound(config, check, diag);
	if (err == VEER_OK)
		err = parts_are_sound(config, check, diag);
	if (err == VEER_OK && check->source == VERDICT_SOURCE_PUSH &&
	    (check->ttl_ms == 0 || check->ttl_ms > VERDICT_TTL_MS_MAX))
		return veer_fail(diag, VEER_EINVAL, "check %s: ttl_ms must be 1 to %d", check->name,
				 VERDICT_TTL_MS_MAX);
	return err;
}

static enum veer_err endpoint_is_sound(const struct verdict_config *config, uint32_t index, struct veer_diag *diag)
{
	const struct verdict_endpoint *endpoint = &config->endpoints[index];
	if (endpoint->check_count > VERDICT_ITEMS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "endpoint %s: %u checks, at most %d", endpoint->key,
				 endpoint->check_count, VERDICT_ITEMS_MAX);
	if (endpoint->part_count > endpoint->check_count)
		return veer_fail(diag, VEER_EINVAL, "endpoint %s: more parts than checks", endpoint->key);
	for (uint32_t i = 0; i < endpoint->check_count; i++) {
		if (endpoint->checks[i] >= config->check_count)
			return veer_fail(diag, VEER_EINVAL, "endpoint %s: no check %u", endpoint->key,
					 endpoint->checks[i]);
		for (uint32_t k = 0; k < i; k++) {
			if (endpoint->checks[k] == endpoint->checks[i])
				return veer_fail(diag, VEER_EINVAL, "endpoint %s: a check twice", endpoint->key);
		}
	}
	return VEER_OK;
}

enum veer_err config_is_sound(const struct verdict_limits *limits, const struct verdict_config *config,
			      struct veer_diag *diag)
{
	if (config->agent_count > limits->agents || config->check_count > limits->checks ||
	    config->endpoint_count > limits->endpoints)
		return veer_fail(diag, VEER_ELIMIT, "too many agents, checks or endpoints: %u, %u, %u",
				 config->agent_count, config->check_count, config->endpoint_count);
	if (config->max_removal_percent > 100)
		return veer_fail(diag, VEER_EINVAL, "max_removal_percent is over 100");
	for (uint32_t i = 0; i < config->check_count; i++) {
		enum veer_err err = check_is_sound(config, i, diag);
		if (err != VEER_OK)
			return err;
	}
	uint64_t items = 0;
	for (uint32_t i = 0; i < config->endpoint_count; i++) {
		enum veer_err err = endpoint_is_sound(config, i, diag);
		if (err != VEER_OK)
			return err;
		items += config->endpoints[i].check_count;
	}
	if (items > limits->items)
		return veer_fail(diag, VEER_ELIMIT, "more than %u pairs of check and endpoint", limits->items);
	return VEER_OK;
}
