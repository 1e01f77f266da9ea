/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names to addresses by the system's resolver, in threads of their own: a slow name delays only those who wait for
 * it, and never an endpoint that is an address.
 *
 * A name occupies one thread at a time, however many ask for it. One that was slow is looked up in a pool of its own
 * from then on, so that names whose servers hang delay other slow names only; and names of which nothing is known yet
 * never occupy more than RESOLVE_UNPROVEN_MAX threads of the quick pool.
 *
 * Whose failure it is. "No such name" is the name's. When nobody answers (a timeout, SERVFAIL, REFUSED) it may be the
 * name's own servers, or this host's resolver, of which the endpoints know nothing: it is the name's only if some other
 * name was answered meanwhile, since the attempt before began if that failed as well. So a resolver that dies makes
 * none fail twice, and a name with broken servers fails from its second attempt on, at the latest, while others are
 * answered. Names that the host knows without asking (/etc/hosts) cannot be told from answered ones.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_RESOLVE_H
#define VEER_PROBES_AGENT_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "probes/agent/jobs.h"

#define RESOLVE_ADDRESSES_MAX 16 /* of one name; the rest is ignored */
#define RESOLVE_SLOW_MS 250      /* longer is slow */
#define RESOLVE_UNPROVEN_MAX                                                                                           \
	16                      /* names that were never quick, in the quick pool at a time; the rest go to the slow   \
				 */
#define RESOLVE_ATTEMPT_MS 1000 /* who asks within so long of another takes part in the same attempt */

struct resolve_result {
	/* VEER_OK; VEER_ENOTFOUND: the name's failure; VEER_ETIMEOUT: perhaps this host's resolver; VEER_EIO: this host
	 */
	enum veer_err err;
	struct veer_addr addresses[RESOLVE_ADDRESSES_MAX]; /* in the system's order of preference */
	uint32_t count;
	const char *error; /* a phrase for people when err is set, else "". Static storage */
};

struct resolver;
struct resolve;

/* Asks for a name as getaddrinfo(3) does; the list is freed by freeaddrinfo(). Called in the pools' threads. */
typedef int resolve_ask_fn(const char *name, const struct addrinfo *hints, struct addrinfo **list);
/* Asks the host's own resolver. */
int resolve_ask_system(const char *name, const struct addrinfo *hints, struct addrinfo **list);

/* A resolver that asks so, on two pools (borrowed, must live longer). NULL when memory is out. */
struct resolver *resolver_new(struct loop *loop, resolve_ask_fn *ask, struct jobs *quick, struct jobs *slow);
/* Free it before its pools are; what still runs there is left to end. All that was started must have ended. */
void resolver_free(struct resolver **resolver);

/* Called once, from the loop, unless cancelled. `result` is borrowed for the call. */
typedef void resolve_done_fn(void *ctx, const struct resolve_result *result);

/*
 * Start resolving `name` (copied; with or without its final dot). `*out` is borrowed until `done` or cancel.
 * Errors: those of jobs_add(); VEER_ERANGE (a name over 255 bytes).
 */
VEER_MUST_CHECK enum veer_err resolve_start(struct resolver *resolver, const char *name, resolve_done_fn *done,
					    void *ctx, struct resolve **out);
/* Has a thread come to it? If not, the name is not to blame for the time that has passed. */
bool resolve_has_begun(const struct resolve *resolve);
/* The time for it is over, and a thread has come to it. Is that the name's failure, as far as can be told? */
bool resolve_is_name_late(const struct resolve *resolve);
/* No callback follows. The thread may still be busy with it for a while; what it has not begun it never begins. */
void resolve_cancel(struct resolve *resolve);

#endif
