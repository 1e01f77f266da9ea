/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of a probe: find the address, vet it, hand over to the code of the kind, end at the deadline. */
#include "probes/agent/check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes/agent/check_impl.h"
#include "probes/agent/exec.h"
#include "probes/agent/http_conn.h"
#include "probes/agent/places.h"
#include "probes/verdict/target.h"

#define QUICK_THREADS 32
#define SLOW_THREADS 32
#define JOBS_WAITING 4096
#define KEPT_CONNECTIONS 1024
#define SESSIONS 1024
#define TLS_CONNECTIONS 2048 /* at the same time; each costs some 50 KiB */

/* --- what all probes share ------------------------------------------------------------------------------------- */

enum veer_err check_env_open(struct check_env *env, struct loop *loop)
{
	*env = (struct check_env){.loop = loop};
	env->quick = jobs_new(loop, QUICK_THREADS, JOBS_WAITING);
	env->slow = jobs_new(loop, SLOW_THREADS, JOBS_WAITING);
	if (env->quick != NULL && env->slow != NULL)
		env->resolver = resolver_new(loop, resolve_ask_system, env->quick, env->slow);
	env->exec = exec_pool_new(loop);
	env->own = target_own_new();
	env->trust = tls_trust_new();
	env->chains = tls_chains_new();
	env->sessions = tls_sessions_new(SESSIONS);
	env->tls = tls_context_new();
	env->kept = http_kept_new(loop, KEPT_CONNECTIONS);
	env->places = calloc(1, sizeof *env->places);
	if (env->resolver == NULL || env->exec == NULL || env->own == NULL || env->trust == NULL ||
	    env->chains == NULL || env->sessions == NULL || env->tls == NULL || env->kept == NULL ||
	    env->places == NULL) {
		check_env_close(env);
		return VEER_ENOMEM;
	}
	*env->places = (struct places){.loop = loop, .max = TLS_CONNECTIONS};
	/* TLS may write to a connection that the other side has closed, which would raise this signal. */
	(void)signal(SIGPIPE, SIG_IGN);
	return VEER_OK;
}

void check_env_close(struct check_env *env)
{
	exec_pool_free(&env->exec);
	resolver_free(&env->resolver);
	http_kept_free(&env->kept);
	jobs_free(&env->quick, false); /* without waiting for a resolver that may be slow */
	jobs_free(&env->slow, false);
	target_own_free(&env->own);
	tls_context_free(&env->tls);
	tls_sessions_free(&env->sessions);
	tls_chains_free(&env->chains);
	tls_trust_free(&env->trust);
	if (env->places != NULL)
		places_deinit(env->places);
	free(env->places);
	env->places = NULL;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void release(struct check_probe *probe)
{
	loop_timer_cancel(probe->env->loop, &probe->deadline);
	if (probe->resolve != NULL)
		resolve_cancel(probe->resolve);
	if (probe->own != NULL)
		probe->free_own(probe);
	if (probe->fd >= 0) {
		loop_unwatch(probe->env->loop, probe->fd);
		(void)close(probe->fd);
	}
	if (probe->place.of != NULL)
		places_give(&probe->place);
	probe->resolve = NULL;
	probe->own = NULL;
	probe->fd = -1;
}

int64_t probe_now_us(const struct check_probe *probe)
{
	int64_t us = (veer_clock_monotonic_ns(loop_clock(probe->env->loop)) - probe->started_ns) / 1000;
	return us > 0 ? us : 1;
}

bool check_is_definite(enum probe_reason reason)
{
	return !probe_reason_is_refusal(reason) && reason != PROBE_REASON_INTERNAL;
}

/* Turn how the probe ended into what that means for this check. */
static void judge(struct check_probe *probe, struct check_outcome *outcome)
{
	const struct model_check *check = probe->check;
	if (outcome->reason == PROBE_REASON_OK && check->max_latency_ms > 0 &&
	    outcome->timing.total_us > (int64_t)check->max_latency_ms * 1000) {
		outcome->reason = PROBE_REASON_SLOW;
		outcome->detail = probe_detail(probe, "took %lld ms, at most %u are wanted",
					       (long long)(outcome->timing.total_us / 1000), check->max_latency_ms);
	}
	outcome->is_success = outcome->reason == PROBE_REASON_OK;
	if (outcome->is_success && check->is_inverted) {
		outcome->is_success = false;
		outcome->reason = PROBE_REASON_INVERTED;
		outcome->detail = "succeeds, which this check counts as a failure";
	} else if (check->is_inverted && check_is_definite(outcome->reason)) {
		outcome->is_success = true;
		outcome->reason = PROBE_REASON_OK;
	} else if (outcome->is_success && probe->has_warning) {
		outcome->reason = PROBE_REASON_TLS_EXPIRES_SOON;
		outcome->detail = probe->detail;
	}
}

void probe_finish(struct check_probe *probe, enum probe_reason reason, const char *detail)
{
	struct check_outcome outcome = {.reason = reason, .detail = detail, .timing = probe->timing};
	outcome.timing.total_us = probe_now_us(probe);
	/* A probe can only end so late if this process did not run. */
	if (!probe_reason_is_refusal(reason) &&
	    outcome.timing.total_us / 1000 > (int64_t)probe->check->timeout_ms + CHECK_LATE_MS) {
		outcome.reason = PROBE_REASON_INTERNAL;
		outcome.detail = "the agent itself was held up";
	}
	if (outcome.reason == PROBE_REASON_CONNECT_FAILED && !probe_has_route(probe)) {
		outcome.reason = PROBE_REASON_INTERNAL;
		outcome.detail = "this host has no route there";
		outcome.lacks_route = true;
	}
	judge(probe, &outcome);
	if (check_is_definite(outcome.reason))
		outcome.rtt_us = outcome.timing.total_us < REPORT_RTT_US_MAX ? (uint32_t)outcome.timing.total_us
									     : REPORT_RTT_US_MAX;
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
	/* The deadline's timer is set already, so setting it again needs no memory. */
	(void)loop_timer_set(probe->env->loop, &probe->deadline, 0, on_later, probe);
}

const char *probe_detail(struct check_probe *probe, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(probe->detail, sizeof probe->detail, fmt, ap);
	va_end(ap);
	return probe->detail;
}

void probe_note(const struct check_probe *probe, const char *step, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	if (probe->env->note == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	probe->env->note(probe->env->note_ctx, step, text);
}

/* --- the deadline ----------------------------------------------------------------------------------------------- */

static void on_deadline(void *ctx)
{
	struct check_probe *probe = ctx;
	if (probe->resolve != NULL && !resolve_has_begun(probe->resolve))
		probe_finish(probe, PROBE_REASON_INTERNAL, "other names keep the resolver busy");
	else if (probe->resolve != NULL && !resolve_is_name_late(probe->resolve))
		probe_finish(probe, PROBE_REASON_INTERNAL,
			     "this host's resolver does not answer, for no other name either");
	else if (probe->resolve != NULL)
		probe_finish(probe, PROBE_REASON_DNS_FAILED, "the name was not resolved in time");
	else if (probe->place.is_waiting)
		probe_finish(probe, PROBE_REASON_INTERNAL, "too many connections by TLS are under way");
	else if (probe->is_connected && probe->doing != NULL)
		probe_finish(probe, PROBE_REASON_TIMEOUT,
			     probe_detail(probe, "not done after %u ms, %s", probe->check->timeout_ms, probe->doing));
	else
		probe_finish(probe, probe->is_connected ? PROBE_REASON_TIMEOUT : PROBE_REASON_CONNECT_TIMEOUT,
			     probe->is_connected ? "no answer in time" : "no connection in time");
}

bool probe_take_place(struct check_probe *probe, void (*granted)(void *ctx), void *ctx)
{
	if (places_take(probe->env->places, &probe->place, probe->has_failed ? PLACE_SLOW : PLACE_ORDINARY, granted,
			ctx))
		return true;
	probe->waits_us = probe_now_us(probe);
	return false;
}

void probe_has_place(struct check_probe *probe)
{
	int64_t us = probe_now_us(probe) - probe->waits_us;
	probe->started_ns += us * 1000;
	/* The timer is set already, so this needs no memory. */
	(void)loop_timer_set_at(probe->env->loop, &probe->deadline, probe->deadline.due_ms + us / 1000, on_deadline,
				probe);
}

/* --- the address ------------------------------------------------------------------------------------------------ */

static void connect_to(struct check_probe *probe)
{
	switch (probe->check->kind) {
	case MODEL_CHECK_HTTP:
	case MODEL_CHECK_HTTPS:
		probe_http(probe);
		return;
	case MODEL_CHECK_PUSH:
	case MODEL_CHECK_CALCULATED:
		break; /* such a check is never assigned to an agent */
	case MODEL_CHECK_TCP:
	case MODEL_CHECK_TLS:
		probe_stream(probe);
		return;
	case MODEL_CHECK_ICMP:
		probe_icmp(probe);
		return;
	case MODEL_CHECK_DNS:
		probe_dns(probe);
		return;
	case MODEL_CHECK_GRPC:
		probe_grpc(probe);
		return;
	case MODEL_CHECK_UDP:
		probe_udp(probe);
		return;
	case MODEL_CHECK_EXEC:
		probe_exec(probe);
		return;
	case MODEL_CHECK_KIND_COUNT:
		break;
	}
	probe_finish_later(probe, PROBE_REASON_INTERNAL, "this version cannot carry out such a check");
}

bool probe_vet(struct check_probe *probe, const struct veer_addr *addr, const char *name)
{
	char text[VEER_ADDR_TEXT_SIZE];
	struct target_own *own = probe->env->own;
	bool is_own = own != NULL && target_own_has(own, addr, loop_now_ms(probe->env->loop));
	bool is_loopback = veer_addr_is_loopback(addr);
	bool is_allowed = target_is_allowed(addr, &probe->env->targets, is_own);
	const char *class = is_own && !is_loopback ? "an address of this host, which counts as loopback"
						   : veer_addr_class_text(veer_addr_classify(addr));
	veer_addr_print(addr, text);
	if (!is_allowed)
		(void)probe_detail(probe, "%s is %s, which this agent does not allow", text, class);
	probe_note(probe, "address", "%s%s%s: %s, %s", name != NULL ? name : "", name != NULL ? " resolves to " : "",
		   text, class, is_allowed ? "which the agent may probe" : "which the agent would refuse");
	return is_allowed || probe->env->is_by_hand;
}

static void on_resolved(void *ctx, const struct resolve_result *result)
{
	struct check_probe *probe = ctx;
	probe->resolve = NULL;
	if (result->err != VEER_OK) {
		probe_finish(probe, result->err == VEER_ENOTFOUND ? PROBE_REASON_DNS_FAILED : PROBE_REASON_INTERNAL,
			     result->error);
		return;
	}
	probe->timing.resolve_us = probe_now_us(probe);
	for (uint32_t i = 0; i < result->count; i++) {
		if (probe_vet(probe, &result->addresses[i], probe->address)) {
			probe->target = result->addresses[i];
			connect_to(probe);
			return;
		}
	}
	probe_finish_later(probe, PROBE_REASON_REFUSED_TARGET, probe->detail);
}

static void begin(struct check_probe *probe)
{
	if (veer_addr_parse(probe->address, &probe->target) == VEER_OK) {
		if (probe_vet(probe, &probe->target, NULL))
			connect_to(probe);
		else
			probe_finish_later(probe, PROBE_REASON_REFUSED_TARGET, probe->detail);
		return;
	}
	enum veer_err err = resolve_start(probe->env->resolver, probe->address, on_resolved, probe, &probe->resolve);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
}

enum veer_err check_start(const struct check_env *env, const struct model_check *check, const char *address,
			  bool has_failed, check_done_fn *done, void *ctx, struct check_probe **out)
{
	struct check_probe *probe = calloc(1, sizeof *probe);
	if (probe == NULL)
		return VEER_ENOMEM;
	*probe = (struct check_probe){.env = env,
				      .check = check,
				      .address = address,
				      .has_failed = has_failed,
				      .done = done,
				      .ctx = ctx,
				      .fd = -1};
	probe->timing = (struct check_timing){-1, -1, -1, -1, -1};
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
