/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One probe: does this endpoint pass this check now? A probe is event-driven, uses a fresh connection (unless the check
 * keeps connections), has one absolute deadline on the monotonic clock for everything (including resolving), and limits
 * how much it reads.
 *
 * The address that is connected to is the one that was vetted (target.h): a literal directly, a host name after it was
 * resolved once. Host and SNI come from the check and do not depend on the address. Redirects are not followed unless
 * the check says so; then each hop's address is vetted in the same way.
 *
 * A probe that ends impossibly late shows that the agent itself was held up (stopped, swapped out, its machine paused).
 * Neither its failure nor its success says anything about the endpoint, so the outcome is `internal`.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_CHECK_H
#define VEER_PROBES_AGENT_CHECK_H

#include "base/loop.h"
#include "probes/agent/jobs.h"
#include "probes/verdict/report.h"
#include "probes/verdict/target.h"
#include "zones/model/model.h"

#define CHECK_LATE_MS 500          /* a probe that ends so long after its deadline shows that the agent was held up */
#define CHECK_BODY_MAX_BYTES 65536 /* of a reply; bytes after these are not read, and do not matter */

/* Called for each step of a probe, with a sentence for people: "connected to 192.0.2.1 port 443 after 12.3 ms". */
typedef void check_note_fn(void *ctx, const char *step, const char *text);

/* What probes need from their agent. Made by check_env_open(); borrowed while any probe runs. */
struct check_env {
	struct loop *loop;
	struct jobs *quick; /* threads that resolve names */
	struct jobs *slow;  /* threads that resolve names that were slow before */
	struct resolver *resolver;
	struct tls_trust *trust;
	struct tls_chains *chains;
	struct tls_sessions *sessions;
	struct ssl_ctx_st *tls;
	struct places *places; /* limits connections by TLS, because each costs some 50 KiB while it is used */
	struct http_kept *kept;
	struct exec_pool *exec;      /* allows nothing until exec_pool_allow() */
	struct target_rules targets; /* set by the owner */
	struct target_own *own;      /* this host's addresses; NULL: they are treated like others */
	bool is_by_hand;             /* connect to any address, and only note what an agent would refuse */
	check_note_fn *note;         /* called for each step; NULL: steps are not noted */
	void *note_ctx;
};

/* Errors: VEER_ENOMEM; nothing has to be closed then. */
VEER_MUST_CHECK enum veer_err check_env_open(struct check_env *env, struct loop *loop);
/* All probes must have ended or been cancelled. A resolver that hangs is left running; programs are killed. */
void check_env_close(struct check_env *env);
/* When each stage was reached, in us since the start of the probe; -1: not reached, or the kind has no such stage. */
struct check_timing {
	int64_t resolve_us;    /* the name was resolved */
	int64_t connect_us;    /* the connection was established */
	int64_t tls_us;        /* the handshake was complete */
	int64_t first_byte_us; /* the first byte of the reply, or of a program's output, was read */
	int64_t total_us;      /* the probe ended */
};

/* How a probe ended. Borrowed for the callback. */
struct check_outcome {
	bool is_success;          /* the probe passes */
	enum probe_reason reason; /* PROBE_REASON_OK, why it failed, or why a success has a warning */
	uint32_t rtt_us;          /* from its start to its end; 0 when nothing was sent */
	const char *detail;       /* a phrase for people; "": nothing to add */
	bool lacks_route; /* the reason is PROBE_REASON_INTERNAL because this host has no route to the address */
	struct check_timing timing;
};

/* Does the outcome say something about the endpoint, or only that the agent cannot tell? */
bool check_is_definite(enum probe_reason reason);

struct check_probe;

/* Called exactly once, from the loop, never before check_start() has returned, unless cancelled. */
typedef void check_done_fn(void *ctx, const struct check_outcome *outcome);

/*
 * Start a probe. `env`, `check` and `address` (a literal or an absolute host name) are borrowed until `done` or cancel.
 * `has_failed`: the previous probe failed, so this one may be slow, too, and has to wait behind others when places are
 * scarce. Errors: VEER_ENOMEM. Every other failure is an outcome.
 */
VEER_MUST_CHECK enum veer_err check_start(const struct check_env *env, const struct model_check *check,
					  const char *address, bool has_failed, check_done_fn *done, void *ctx,
					  struct check_probe **out);
/* Cancel a probe; `done` is not called. */
void check_cancel(struct check_probe *probe);

#endif
