/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites, checks, pools and policies: wishes to put or delete them. Each is validated by the model's reader, and so are
 * its references: nothing may name what is not there, and nothing may be deleted that something else names. What would
 * leave a policy without endpoints is refused (safety.h). What differs between kinds is in a table (object_kind.h).
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_OBJECTS_H
#define VEER_API_CONTROL_OBJECTS_H

#include "api/control/change.h"
#include "api/control/policy_users.h"

struct object_wish {
	enum model_kind kind;
	const json_t *object; /* as it is to be stored; NULL: deletion */
	const char *name;     /* of a deletion; of a put it becomes the object's */
	bool must_be_new;
	const char
		*force; /* the name of the pool that may be emptied, or of the site with which all may go; NULL: none */
	const char *text;           /* becomes what is stored; the change's arena holds it */
	struct policy_users *users; /* of a policy that is deleted, as seen before the gate */
};

/*
 * The wish, for change(); `*w` must outlive that. Problems: CHANGE_INVALID, CHANGE_FORBIDDEN, CHANGE_IS_THERE,
 * CHANGE_PRECONDITION, CHANGE_WOULD_EMPTY, CHANGE_MISSING, CHANGE_IN_USE.
 */
struct change_wish object_wish(struct object_wish *w);

#endif
