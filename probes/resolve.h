/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names to addresses by the system's resolver, in threads of their own: a slow name delays only those who wait for
 * it, and never an endpoint that is an address.
 *
 * A name occupies one thread at a time, however many ask for it. One that was slow is looked up in a pool of its own
 * from then on, so that names whose servers hang delay other slow names only.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_RESOLVE_H
#define VEER_PROBES_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "probes/jobs.h"

#define RESOLVE_ADDRESSES_MAX 16 /* of one name; the rest is ignored */
#define RESOLVE_SLOW_MS 250      /* longer is slow */

struct resolve_result {
	enum veer_err err; /* VEER_OK; VEER_ENOTFOUND: the name has no address, or the resolver failed */
	struct veer_addr addresses[RESOLVE_ADDRESSES_MAX]; /* in the system's order of preference */
	uint32_t count;
	const char *error; /* a phrase for people when err is set, else "". Static storage */
};

struct resolver;
struct resolve;

/* A resolver on two pools (borrowed, must live longer). NULL when memory is out. */
struct resolver *resolver_new(struct loop *loop, struct jobs *quick, struct jobs *slow);
/* Free it before its pools are; what still runs there is left to end. All that was started must have ended. */
void resolver_free(struct resolver **resolver);

/* Called once, from the loop, unless cancelled. `result` is borrowed for the call. */
typedef void resolve_done_fn(void *ctx, const struct resolve_result *result);

/*
 * Start resolving `name` (copied; with or without its final dot). `*out` is borrowed until `done` or cancel.
 * Errors: those of jobs_add(); VEER_ERANGE (a name over 255 bytes).
 */
enum veer_err resolve_start(struct resolver *resolver, const char *name, resolve_done_fn *done, void *ctx,
			    struct resolve **out);
/* Has a thread come to it? If not, the name is not to blame for the time that has passed. */
bool resolve_has_begun(const struct resolve *resolve);
/* No callback follows. The thread may still be busy with it for a while; what it has not begun it never begins. */
void resolve_cancel(struct resolve *resolve);

#endif
