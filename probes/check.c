/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a probe: find the address, vet it, hand over to the kind, end at the deadline. */
#include "probes/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes/check_internal.h"
#include "probes/target.h"

static void release(struct check_probe *probe)
{
	loop_timer_cancel(probe->env->loop, &probe->deadline);
	if (probe->resolve != NULL)
		resolve_cancel(probe->resolve);
	if (probe->request != NULL)
		http_request_cancel(probe->request);
	if (probe->fd >= 0) {
		loop_unwatch(probe->env->loop, probe->fd);
		(void)close(probe->fd);
	}
	probe->resolve = NULL;
	probe->request = NULL;
	probe->fd = -1;
}

static uint32_t elapsed_us(const struct check_probe *probe)
{
	int64_t us = (veer_clock_monotonic_ns(loop_clock(probe->env->loop)) - probe->started_ns) / 1000;
	if (us > REPORT_RTT_US_MAX)
		return REPORT_RTT_US_MAX;
	return us > 0 ? (uint32_t)us : 1;
}

/* Nothing of ours can end so late, but that we did not run. */
static bool was_held_up(const struct check_probe *probe)
{
	int64_t took_ns = veer_clock_monotonic_ns(loop_clock(probe->env->loop)) - probe->started_ns;
	return took_ns / 1000000 > (int64_t)probe->check->timeout_ms + CHECK_LATE_MS;
}

void probe_finish(struct check_probe *probe, enum probe_reason reason, const char *detail)
{
	if (reason != PROBE_REASON_REFUSED_TARGET && was_held_up(probe)) {
		reason = PROBE_REASON_INTERNAL;
		detail = "the agent itself was held up";
	}
	bool was_asked = reason != PROBE_REASON_REFUSED_TARGET && reason != PROBE_REASON_INTERNAL;
	struct check_outcome outcome = {.reason = reason, .detail = detail};
	if (was_asked)
		outcome.rtt_us = elapsed_us(probe);
	release(probe);
	probe->done(probe->ctx, &outcome);
	free(probe);
}

static void on_later(void *ctx)
{
	struct check_probe *probe = ctx;
	probe_finish(probe, probe->early, probe->detail);
}

void probe_finish_later(struct check_probe *probe, enum probe_reason reason, const char *detail)
{
	probe->early = reason;
	if (detail != probe->detail)
		(void)snprintf(probe->detail, sizeof probe->detail, "%s", detail);
	/* The deadline's timer is set already, so that setting it anew needs no memory. */
	(void)loop_timer_set(probe->env->loop, &probe->deadline, 0, on_later, probe);
}

static void on_deadline(void *ctx)
{
	struct check_probe *probe = ctx;
	if (probe->resolve != NULL && !resolve_has_begun(probe->resolve))
		probe_finish(probe, PROBE_REASON_INTERNAL, "other names keep the resolver busy");
	else if (probe->resolve != NULL)
		probe_finish(probe, PROBE_REASON_DNS_FAILED, "the name was not resolved in time");
	else
		probe_finish(probe, probe->is_connected ? PROBE_REASON_TIMEOUT : PROBE_REASON_CONNECT_TIMEOUT,
			     "no answer in time");
}

void probe_extend(struct check_probe *probe, int64_t more_ms)
{
	/* Set already, so that it needs no memory. */
	(void)loop_timer_set_at(probe->env->loop, &probe->deadline, probe->deadline.due_ms + more_ms, on_deadline,
				probe);
}

static void connect_to(struct check_probe *probe)
{
	switch (probe->check->kind) {
	case MODEL_CHECK_HTTP:
	case MODEL_CHECK_HTTPS:
		probe_http(probe);
		return;
	case MODEL_CHECK_PUSH:
	case MODEL_CHECK_CALCULATED:
		break; /* never assigned to an agent */
	case MODEL_CHECK_TCP:
		probe_tcp(probe);
		return;
	}
}

static void refuse(struct check_probe *probe, const struct veer_addr *addr)
{
	char text[VEER_ADDR_TEXT_SIZE];
	veer_addr_print(addr, text);
	(void)snprintf(probe->detail, sizeof probe->detail, "%s is %s, which this agent does not allow", text,
		       veer_addr_class_text(veer_addr_classify(addr)));
	probe_finish_later(probe, PROBE_REASON_REFUSED_TARGET, probe->detail);
}

static void on_resolved(void *ctx, const struct resolve_result *result)
{
	struct check_probe *probe = ctx;
	probe->resolve = NULL;
	if (result->err != VEER_OK) {
		probe_finish(probe, PROBE_REASON_DNS_FAILED, result->error);
		return;
	}
	for (uint32_t i = 0; i < result->count; i++) {
		if (target_is_allowed(&result->addresses[i], probe->env->allowed_targets)) {
			probe->target = result->addresses[i];
			connect_to(probe);
			return;
		}
	}
	refuse(probe, &result->addresses[0]);
}

static void begin(struct check_probe *probe)
{
	if (veer_addr_parse(probe->address, &probe->target) == VEER_OK) {
		if (target_is_allowed(&probe->target, probe->env->allowed_targets))
			connect_to(probe);
		else
			refuse(probe, &probe->target);
		return;
	}
	enum veer_err err = resolve_start(probe->env->resolver, probe->address, on_resolved, probe, &probe->resolve);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
}

enum veer_err check_start(const struct check_env *env, const struct model_check *check, const char *address,
			  check_done_fn *done, void *ctx, struct check_probe **out)
{
	struct check_probe *probe = calloc(1, sizeof *probe);
	if (probe == NULL)
		return VEER_ENOMEM;
	*probe = (struct check_probe){
		.env = env, .check = check, .address = address, .done = done, .ctx = ctx, .fd = -1};
	probe->started_ns = veer_clock_monotonic_ns(loop_clock(env->loop));
	if (loop_timer_set(env->loop, &probe->deadline, check->timeout_ms, on_deadline, probe) != VEER_OK) {
		free(probe);
		return VEER_ENOMEM;
	}
	begin(probe);
	*out = probe;
	return VEER_OK;
}

void check_cancel(struct check_probe *probe)
{
	release(probe);
	free(probe);
}

enum probe_reason reason_of_errno(long errnum)
{
	switch (errnum) {
	case ECONNREFUSED:
		return PROBE_REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
		return PROBE_REASON_CONNECT_TIMEOUT;
	case ECONNRESET:
	case EPIPE:
		return PROBE_REASON_RESET;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return PROBE_REASON_INTERNAL; /* ours, not the endpoint's */
	default:
		return PROBE_REASON_CONNECT_FAILED;
	}
}
