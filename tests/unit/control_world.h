/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a control plane that changes need, on a real store in a directory of its own: no HTTP, no controller. */
#ifndef VEER_TESTS_CONTROL_WORLD_H
#define VEER_TESTS_CONTROL_WORLD_H

#include "api/control/change.h"

struct control_world {
	char dir[64];
	struct control control;
	struct arena *arena; /* of the changes; grows until the end of the test */
	struct change_result result;
};

/* Fixture functions of cmocka: `*state` is a struct control_world. */
int control_world_setup(void **state);
int control_world_teardown(void **state);

/* One wish by the owner, without a precondition. The result is in the world. */
enum veer_err control_world_change(struct control_world *w, struct change_wish wish);
/* The same on a precondition, by whoever has the token of this id (NULL: the owner). */
enum veer_err control_world_change_as(struct control_world *w, const char *token,
				      struct change_precondition precondition, struct change_wish wish);
/* Write into the store without asking anybody, and wait until the directory has it. The object's revision. */
int64_t control_world_put(struct control_world *w, enum model_kind kind, const char *key, const char *value);
/* What is stored; NULL: nothing is. In the world's arena. */
const char *control_world_get(struct control_world *w, enum model_kind kind, const char *key, int64_t *revision);
/* How urgent the last commit was. */
enum store_priority control_world_last_priority(void);
/* Text as JSON; the caller's. */
json_t *control_world_json(const char *text);
/* It failed as `err`, with this problem, and the diag begins so. */
void control_world_must_fail(const struct control_world *w, enum veer_err was, enum veer_err err,
			     enum change_problem problem, const char *text);

#endif
