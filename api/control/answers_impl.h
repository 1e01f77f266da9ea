/* SPDX-License-Identifier: Apache-2.0 */
/* Private to answers*.c. */
#ifndef VEER_API_CONTROL_ANSWERS_IMPL_H
#define VEER_API_CONTROL_ANSWERS_IMPL_H

#include <pthread.h>

#include "api/control/answers.h"
#include "base/strmap.h"
#include "zones/plan/plan_build.h"

enum { ANSWERS_TYPES = 2 };

/* The record types for which a policy is judged. A host name is in both, as a CNAME. */
struct answers_type {
	enum plan_bound bound;
	const char *text;
};
extern const struct answers_type answers_types[ANSWERS_TYPES];

/* An object that the builder has read. */
struct known {
	uint64_t round; /* the last sweep that found it */
	char key[];
};

/* How a policy answered at the last look. */
struct policy_state {
	enum answers_state state;
	char name[MODEL_NAME_MAX + 1];
};

struct answers {
	struct directory *directory;
	struct logger *log;
	pthread_mutex_t lock; /* guards everything except the first two members and the thread */
	pthread_cond_t wake;
	bool is_closing;
	struct plan_builder *builder;
	int64_t revision;                      /* the directory's revision at the last look */
	struct strmap known[MODEL_KIND_COUNT]; /* key to struct known */
	uint64_t round;
	bool failed;            /* memory was out, so everything must be read again */
	struct strmap policies; /* name to struct policy_state */
	pthread_t thread;
	bool has_thread;
};

/* Follow the directory, if it has changed. The lock is held, here and in the next function. */
void answers_look(struct answers *a);
/* The worst of the policy's outcomes for clients that ask for this type. */
enum answers_state answers_state_of(const struct answers *a, const char *policy, enum plan_bound bound);
/* Take one outcome into account: `ctx` is the worst state (enum answers_state) so far. Returns true. */
bool answers_take_worst(void *ctx, const struct policy_outcome *outcome);

#endif
