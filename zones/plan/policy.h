/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies, compiled for one record type: what can be known before a query comes (who is eligible, which branch is
 * available for which clients, what all-down means now) is decided at compile time; only the client's location and a
 * random choice are left for the query.
 *
 * A compiled policy maps (country, continent) to a group of clients that the policy treats alike, and each group to a
 * chain of weighted choices that ends in an outcome: a finished RRset, "no data" or SERVFAIL, with the path to it as
 * the reason. Choosing allocates nothing, takes no lock and is a pure function of (compiled policy, location, random
 * bits).
 *
 * For the meaning of the parts see docs/formats.md, section 1, "policy". Details that are not settled there:
 *   - `all` (as if all endpoints were up) first leaves out endpoints that an administrator took out, as long as others
 *     remain.
 *   - `last` uses each pool's stored last set, again first without endpoints that were taken out; then it continues
 *     like `all`.
 *   - The TTL is the policy's `ttl`, or `ttl_suspect` in answers that hold an endpoint in doubt: never more.
 *   - A fallback pool that is itself not available is answered as if it were up; if it has no endpoint of the type, the
 *     answer is that of `all`.
 *   - A type that no endpoint of the tree has is "no data" (RFC 2308 2.2), whatever `when_all_down` says.
 *   - A client whose branches have no endpoint of the type at all (no rule matches and there is no `else`, or only
 *     other branches have the type) is answered from any branch, as if every rule matched: eligible endpoints first.
 *   - An endpoint with a host name has every type that can be bound, and is answered with a CNAME.
 *
 * Threads: compiled policies are immutable and read by all; a compiler belongs to one thread.
 */
#ifndef VEER_ZONES_PLAN_POLICY_H
#define VEER_ZONES_PLAN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/model/eligible.h"
#include "zones/plan/geo.h"
#include "zones/plan/ready.h"

/*
 * What is known about an endpoint now, as bits. With either of the first two it is not eligible
 * (zones/model/eligible.h).
 */
enum {
	POLICY_ENDPOINT_DOWN = MODEL_LOST_BY_VERDICT,
	POLICY_ENDPOINT_OUT = MODEL_LOST_BY_WORD,
	POLICY_ENDPOINT_LAST = 4,  /* it belongs to the pool's last set */
	POLICY_ENDPOINT_DOUBT = 8, /* an agent reports that it fails, but there is no verdict yet: answers get a
				    * shorter TTL */
};

/* A pool with what is known about its endpoints. Borrowed. */
struct policy_pool {
	const struct model_pool *model;
	const uint8_t *flags; /* one per endpoint */
	bool has_last;        /* there is a last set; otherwise every endpoint counts as a member */
};

/* How the outcome came about. */
enum policy_mode {
	POLICY_MODE_NORMAL,  /* eligible endpoints, at least min_up of them */
	POLICY_MODE_LAST_IN, /* all down: the last set, without endpoints that were taken out */
	POLICY_MODE_LAST,    /* all down: the last set */
	POLICY_MODE_ALL_IN,  /* all down: as if all were up, without endpoints that were taken out */
	POLICY_MODE_ALL,     /* all down: as if all were up */
	POLICY_MODE_ANY,     /* the client's branches have no endpoint of the type: those eligible in any branch */
	POLICY_MODE_COUNT
};

enum policy_result { POLICY_ANSWER, POLICY_NODATA, POLICY_SERVFAIL };

/* One decision on the path from the root of the tree: node `node` (counted in preorder from 0) took child `child`. */
struct policy_turn {
	uint16_t node;
	uint16_t child;
};

/* An end of the compiled policy, with its reason. Lives as long as the compiled policy. */
struct policy_outcome {
	enum policy_result result;
	enum policy_mode mode;
	bool is_fallback;             /* the fallback pool of when_all_down, not a node of the tree */
	const struct ready_rrset *rr; /* what to answer; NULL unless POLICY_ANSWER. Its type may be CNAME */
	const char *pool;             /* NULL unless POLICY_ANSWER */
	const char *endpoint;         /* the one endpoint in the answer; NULL for a set */
	uint16_t node;                /* the pool's node, in preorder; 0 for the fallback */
	uint8_t turn_count;           /* of `turns` */
	struct policy_turn turns[MODEL_DEPTH_MAX]; /* from the root downwards */
};

/* A compiled policy for one type: one block of memory, released with free(). */
struct policy_program;

/* Scratch for compiling; reused. */
struct policy_compiler;
/* Make a compiler. NULL when memory is out. Caller frees. */
struct policy_compiler *policy_compiler_new(void);
void policy_compiler_free(struct policy_compiler **compiler);

/*
 * The compiler's way to look up a pool; returns NULL for a pool that does not exist (it then has no endpoints). The
 * result is borrowed for the compilation.
 */
typedef const struct policy_pool *policy_pool_fn(void *ctx, const char *name);

/*
 * Compile `policy` for `type` (A, AAAA or CNAME). Ownership: `*out` is the caller's (free()).
 * Errors: VEER_ENOMEM, VEER_ERANGE (an RRset beyond its limits).
 */
VEER_MUST_CHECK enum veer_err policy_compile(struct policy_compiler *compiler, const struct model_policy *policy,
					     uint16_t type, policy_pool_fn *pools, void *ctx,
					     struct policy_program **out);

/* The answer for a client at `location` with `random` bits. Never NULL. */
const struct policy_outcome *policy_choose(const struct policy_program *program, struct geo_location location,
					   uint64_t random);

/* Can the location change the answer? If not, the answer holds for every client (scope 0, RFC 7871 7.2.1). */
bool policy_uses_location(const struct policy_program *program);

/* Call `fn` for every outcome until it returns false. For explain and tests. */
void policy_outcomes(const struct policy_program *program, bool (*fn)(void *ctx, const struct policy_outcome *outcome),
		     void *ctx);

#endif
