/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One probe: does this endpoint pass this check now? HTTP, HTTPS and TCP, event-driven, each with a fresh connection,
 * one absolute deadline on the monotonic clock for everything (resolving included), and bounded reading. Redirects
 * are not followed: the endpoint is what is asked, nobody else.
 *
 * The address that is connected to is the one that was vetted (target.h): a literal directly, a host name after
 * resolving it once. Host and SNI come from the check and are independent of it.
 *
 * What ends later than it can is held against nobody: the agent itself was held up (stopped, swapped out, its machine
 * paused), and neither a failure nor a success of that time says anything of the endpoint. The outcome is `internal`.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_CHECK_H
#define VEER_PROBES_CHECK_H

#include "base/http.h"
#include "base/loop.h"
#include "probes/jobs.h"
#include "probes/report.h"
#include "zones/model.h"

#define CHECK_LATE_MS 500          /* so long behind its deadline a probe must have ended, or the agent was held up */
#define CHECK_BODY_MAX_BYTES 65536 /* of a reply; what comes after it is not read, and does not matter */

/* What probes need from their agent. Borrowed while any probe runs. */
struct check_env {
	struct loop *loop;
	struct http_client *http;
	struct jobs *resolver;
	unsigned allowed_targets; /* a mask of enum target_class */
};

/* How a probe ended. Borrowed for the callback. */
struct check_outcome {
	enum probe_reason reason; /* PROBE_REASON_OK: it passes */
	uint32_t rtt_us;          /* from its start to its end; 0 when nothing was asked */
	const char *detail;       /* a phrase for people, "" when there is nothing to add */
};

struct check_probe;

/* Called exactly once, from the loop, never before check_start() has returned, unless cancelled. */
typedef void check_done_fn(void *ctx, const struct check_outcome *outcome);

/*
 * Start a probe. `env`, `check` and `address` (a literal or an absolute host name) are borrowed until `done` or cancel.
 * Errors: VEER_ENOMEM. Everything else that goes wrong is an outcome.
 */
enum veer_err check_start(const struct check_env *env, const struct model_check *check, const char *address,
			  check_done_fn *done, void *ctx, struct check_probe **out);
/* No callback follows. */
void check_cancel(struct check_probe *probe);

#endif
