/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a control plane that changes need, on a real store in its own directory, without HTTP and controller. */
#ifndef VEER_TESTS_CONTROL_WORLD_H
#define VEER_TESTS_CONTROL_WORLD_H

#include "api/control/change.h"

struct control_world {
	char dir[64];
	struct control control;
	struct arena *arena; /* for the changes; it grows until the end of the test */
	struct change_result result;
};

/* Fixture functions of cmocka: `*state` is a struct control_world. */
int control_world_setup(void **state);
int control_world_teardown(void **state);

/* Make one change as the owner, without a precondition. The result is in the world. */
enum veer_err control_world_change(struct control_world *w, struct change_wish wish);
/* The same with a precondition, by the token with this id (NULL: the owner). */
enum veer_err control_world_change_as(struct control_world *w, const char *token,
				      struct change_precondition precondition, struct change_wish wish);
/*
 * Write into the store without any checks, and wait until the directory has the object. Returns the object's revision.
 */
int64_t control_world_put(struct control_world *w, enum model_kind kind, const char *key, const char *value);
/* The stored value, in the world's arena; NULL when there is none. */
const char *control_world_get(struct control_world *w, enum model_kind kind, const char *key, int64_t *revision);
/* How urgent the last commit was. */
enum store_priority control_world_last_priority(void);
/* Parse text as JSON; the caller owns it. */
json_t *control_world_json(const char *text);
/* Check that the change failed as `err` with this problem, and that the diag begins like this. */
void control_world_must_fail(const struct control_world *w, enum veer_err was, enum veer_err err,
			     enum change_problem problem, const char *text);

#endif
