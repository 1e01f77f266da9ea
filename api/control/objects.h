/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites, checks, pools and policies: wishes to put or delete them. Each is validated by the model's reader, and its
 * references are checked: an object may only name objects that exist, and an object that another one names cannot be
 * deleted. A change that would leave a policy without endpoints is refused (safety.h). What differs between kinds is in
 * a table (object_kind.h).
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_OBJECTS_H
#define VEER_API_CONTROL_OBJECTS_H

#include "api/control/change.h"
#include "api/control/policy_users.h"

struct object_wish {
	enum model_kind kind;
	const json_t *object; /* the object to store; NULL: delete */
	const char *name;     /* the object to delete; set by a put to the name of the object */
	bool must_be_new;
	const char *force; /* the name of the pool that may be emptied, or of the site whose endpoints may all go; NULL:
			      none */
	const char *text;  /* set to the stored text, which lives in the change's arena */
	struct policy_users *users; /* for deleting a policy: its users as seen before the gate */
};

/*
 * Make the wish, for change(), which `*w` must outlive. Problems: CHANGE_INVALID, CHANGE_FORBIDDEN, CHANGE_IS_THERE,
 * CHANGE_PRECONDITION, CHANGE_WOULD_EMPTY, CHANGE_MISSING, CHANGE_IN_USE.
 */
struct change_wish object_wish(struct object_wish *w);

#endif
