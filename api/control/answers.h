/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each policy answers now, computed by the code that name servers use: a plan builder that follows the directory,
 * and the outcomes of the policies that it compiles. A verdict says whether an endpoint is up; this says whether it is
 * handed out although it is down, because nothing else is left.
 *
 * A thread of its own looks at the directory four times a second and compiles what has changed; each call of the
 * functions below does the same. A policy that starts or stops answering with anything other than eligible endpoints is
 * logged. Locations are not loaded: a policy with `match` is judged for all clients at once, and its state is the worst
 * of them.
 *
 * Threads: the functions below may be called from any thread.
 */
#ifndef VEER_API_CONTROL_ANSWERS_H
#define VEER_API_CONTROL_ANSWERS_H

#include "api/control/directory.h"
#include "base/json.h"
#include "base/log.h"

struct answers;

/* How a policy answers, from good to bad. */
enum answers_state {
	ANSWERS_NORMAL,    /* with eligible endpoints */
	ANSWERS_FALLBACK,  /* some clients get the fallback pool */
	ANSWERS_FAIL_OPEN, /* some clients get endpoints that are down or taken out, because nothing else is left */
	ANSWERS_SERVFAIL,  /* some clients get SERVFAIL */
	ANSWERS_STATES
};

/* "normal", "fallback", "fail_open", "servfail". Static storage. */
const char *answers_state_text(enum answers_state state);

/* Start following `directory` (borrowed, as is `log`). NULL when memory or threads are out. Caller frees. */
struct answers *answers_new(struct directory *directory, struct logger *log);
/* End the thread and wait for it. `*answers` may be NULL. */
void answers_free(struct answers **answers);

/* Count the policies in each state. */
void answers_count(struct answers *answers, uint64_t counts[ANSWERS_STATES]);

/*
 * The policies that do not answer normally, at most `max`, by name: [{"policy", "state", "types": [{"type", "state",
 * "endpoints": […]}]}]; at most 32 endpoints of each type. Ownership: the caller's. NULL when memory is out.
 */
json_t *answers_abnormal(struct answers *answers, size_t max);

/*
 * The policies that hand out this endpoint (POOL/NAME) now: [{"policy", "type", "state"}], at most 100. Ownership: the
 * caller's. NULL when memory is out.
 */
json_t *answers_with(struct answers *answers, const char *endpoint);

#endif
