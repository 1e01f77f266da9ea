/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One probe: does this endpoint pass this check now? Event-driven, each with a fresh connection (unless the check keeps
 * it), one absolute deadline on the monotonic clock for everything (resolving included), and bounded reading.
 *
 * The address that is connected to is the one that was vetted (target.h): a literal directly, a host name after
 * resolving it once. Host and SNI come from the check and are independent of it. Redirects are not followed unless the
 * check says so; then each hop's address is vetted in the same way.
 *
 * What ends later than it can is held against nobody: the agent itself was held up (stopped, swapped out, its machine
 * paused), and neither a failure nor a success of that time says anything of the endpoint. The outcome is `internal`.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_CHECK_H
#define VEER_PROBES_AGENT_CHECK_H

#include "base/loop.h"
#include "probes/agent/jobs.h"
#include "probes/verdict/report.h"
#include "probes/verdict/target.h"
#include "zones/model/model.h"

#define CHECK_LATE_MS 500          /* so long behind its deadline a probe must have ended, or the agent was held up */
#define CHECK_BODY_MAX_BYTES 65536 /* of a reply; what comes after it is not read, and does not matter */

/* A step of a probe, in a sentence for people: "connected to 192.0.2.1 port 443 after 12.3 ms". */
typedef void check_note_fn(void *ctx, const char *step, const char *text);

/* What probes need from their agent. Made by check_env_open(); borrowed while any probe runs. */
struct check_env {
	struct loop *loop;
	struct jobs *quick; /* threads for names */
	struct jobs *slow;  /* threads for names that were slow before */
	struct resolver *resolver;
	struct tls_trust *trust;
	struct tls_chains *chains;
	struct tls_sessions *sessions;
	struct ssl_ctx_st *tls;
	struct places *places; /* of connections by TLS: each costs some 50 KiB while it is used */
	struct http_kept *kept;
	struct exec_pool *exec;      /* allows nothing until exec_pool_allow() */
	struct target_rules targets; /* set by the owner */
	struct target_own *own;      /* this host's addresses; NULL: they are as any other */
	bool is_by_hand;             /* connect to any address, and only say what an agent would refuse */
	check_note_fn *note;         /* told of each step; NULL: nobody asks */
	void *note_ctx;
};

/* Errors: VEER_ENOMEM; nothing is left then. */
VEER_MUST_CHECK enum veer_err check_env_open(struct check_env *env, struct loop *loop);
/* All probes must have ended or been cancelled. A resolver that hangs is left alone; programs are killed. */
void check_env_close(struct check_env *env);
/* When what was reached, us from the start of the probe; -1: not reached, or the kind has no such stage. */
struct check_timing {
	int64_t resolve_us;    /* the name was resolved */
	int64_t connect_us;    /* the connection stood */
	int64_t tls_us;        /* the handshake was done */
	int64_t first_byte_us; /* the first byte of the reply came; of a program: of its output */
	int64_t total_us;      /* the end */
};

/* How a probe ended. Borrowed for the callback. */
struct check_outcome {
	bool is_success;          /* it passes */
	enum probe_reason reason; /* PROBE_REASON_OK, or why not; of a success that is a warning, why it is one */
	uint32_t rtt_us;          /* from its start to its end; 0 when nothing was asked */
	const char *detail;       /* a phrase for people, "" when there is nothing to add */
	bool lacks_route;         /* PROBE_REASON_INTERNAL, because this host has no route to the address */
	struct check_timing timing;
};

/* Does the outcome say something of the endpoint, or only that the agent cannot tell? */
bool check_is_definite(enum probe_reason reason);

struct check_probe;

/* Called exactly once, from the loop, never before check_start() has returned, unless cancelled. */
typedef void check_done_fn(void *ctx, const struct check_outcome *outcome);

/*
 * Start a probe. `env`, `check` and `address` (a literal or an absolute host name) are borrowed until `done` or cancel.
 * `has_failed`: the one before did, so that this one may take its time too, and stands behind others where room is
 * short. Errors: VEER_ENOMEM. Everything else that goes wrong is an outcome.
 */
VEER_MUST_CHECK enum veer_err check_start(const struct check_env *env, const struct model_check *check,
					  const char *address, bool has_failed, check_done_fn *done, void *ctx,
					  struct check_probe **out);
/* No callback follows. */
void check_cancel(struct check_probe *probe);

#endif
