/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves host names by the system's resolver, in threads: a slow name delays only requests for that name, and never
 * an endpoint that is an address.
 *
 * A name occupies one thread at a time, however many requests wait for it. Names that were slow are looked up in a
 * separate pool, so that names whose servers hang delay only other slow names. Names of which nothing is known yet
 * never occupy more than RESOLVE_UNPROVEN_MAX threads of the quick pool.
 *
 * Who has failed? "No such name" is a failure of the name. When there is no answer (a timeout, SERVFAIL, REFUSED), the
 * fault may be with the name's own servers, or with this host's resolver, which says nothing about endpoints. It counts
 * as the name's failure only if some other name was answered meanwhile (if the previous attempt failed as well: since
 * that one began). So a resolver that dies makes no name fail twice, and a name with broken servers fails from its
 * second attempt on at the latest, while other names are answered. Names that the host knows without asking
 * (/etc/hosts) cannot be told apart from answered ones.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_RESOLVE_H
#define VEER_PROBES_AGENT_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "probes/agent/jobs.h"

#define RESOLVE_ADDRESSES_MAX 16 /* addresses of one name; the rest is ignored */
#define RESOLVE_SLOW_MS 250      /* a name that takes longer is slow */
#define RESOLVE_UNPROVEN_MAX                                                                                           \
	16                      /* names that were never quick, in the quick pool at a time; the rest go to the slow   \
				 */
#define RESOLVE_ATTEMPT_MS 1000 /* a request so soon after another one belongs to the same attempt */

struct resolve_result {
	/* VEER_OK; VEER_ENOTFOUND: the name's failure; VEER_ETIMEOUT: perhaps this host's resolver; VEER_EIO: this host
	 */
	enum veer_err err;
	struct veer_addr addresses[RESOLVE_ADDRESSES_MAX]; /* in the system's order of preference */
	uint32_t count;
	const char *error; /* a phrase for people when `err` is set, otherwise "". Static storage */
};

struct resolver;
struct resolve;

/* Asks for a name as getaddrinfo(3) does; freeaddrinfo() frees the list. Called in the pools' threads. */
typedef int resolve_ask_fn(const char *name, const struct addrinfo *hints, struct addrinfo **list);
/* Asks the host's own resolver. */
int resolve_ask_system(const char *name, const struct addrinfo *hints, struct addrinfo **list);

/* Make a resolver that uses `ask` on two pools (borrowed, must live longer). NULL when memory is out. */
struct resolver *resolver_new(struct loop *loop, resolve_ask_fn *ask, struct jobs *quick, struct jobs *slow);
/* Free the resolver before its pools are freed; running lookups are left to end. All requests must have ended. */
void resolver_free(struct resolver **resolver);

/* Called once, from the loop, unless the request is cancelled. `result` is borrowed for the call. */
typedef void resolve_done_fn(void *ctx, const struct resolve_result *result);

/*
 * Start resolving `name` (copied; with or without its final dot). `*out` is borrowed until `done` or cancel.
 * Errors: those of jobs_add(); VEER_ERANGE (a name over 255 bytes).
 */
VEER_MUST_CHECK enum veer_err resolve_start(struct resolver *resolver, const char *name, resolve_done_fn *done,
					    void *ctx, struct resolve **out);
/* Has a thread begun the lookup? If not, the name has not caused the time that has passed. */
bool resolve_has_begun(const struct resolve *resolve);
/*
 * Judge a request whose time is over, and that a thread has begun: is that the name's failure, as far as can be told?
 */
bool resolve_is_name_late(const struct resolve *resolve);
/*
 * Cancel a request; `done` is not called. A thread may still be busy with the name for a while; a lookup that has not
 * begun never begins.
 */
void resolve_cancel(struct resolve *resolve);

#endif
