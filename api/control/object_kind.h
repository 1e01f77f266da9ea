/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is true of the writing of all objects of a kind, in one table (object_kind.c): who reads and judges such an
 * object, which tokens may write it, what the safety rule says of it, and who looks for its users. objects.c does what
 * a row says.
 *
 * A kind without a row does not compile, nor does a row that leaves out a column.
 *
 * Threads: constant data; the functions may be called by any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_OBJECT_KIND_H
#define VEER_API_CONTROL_OBJECT_KIND_H

#include "api/control/control.h"
#include "api/control/policy_users.h"

/*
 * Read an object as it was sent and judge it with its references by what is stored. Errors: VEER_EINVAL, VEER_ERANGE,
 * VEER_ENOTFOUND with a diag that begins with the JSON pointer of the place; VEER_ENOMEM.
 */
typedef enum veer_err object_validate_fn(struct control *control, const json_t *object, struct arena *arena,
					 struct veer_diag *diag);
/* Look for users of an object that is to be deleted where that takes long, before the gate. Errors: VEER_ENOMEM, _EIO.
 */
typedef enum veer_err object_look_fn(struct control *control, const char *name, struct arena *arena,
				     struct policy_users **seen);
/*
 * Does anything name the object that is to be deleted? `seen` is from the object_look_fn of the kind, or NULL. Errors:
 * VEER_EBUSY, and the diag says what; VEER_ENOMEM, VEER_EIO.
 */
typedef enum veer_err object_find_users_fn(struct control *control, const char *name, struct policy_users *seen,
					   struct veer_diag *diag);

/* Which tokens with lists of objects (token_limits.h) may write it? Tokens without lists may write all. */
enum object_writers {
	OBJECT_WRITERS_UNLIMITED = 1, /* none of them */
	OBJECT_WRITERS_OF_CHECK,      /* those whose list of checks has it */
	OBJECT_WRITERS_OF_ENDPOINTS,  /* those whose list of endpoints has all that may be in it, NAME/… */
};

/* What does the safety rule (safety.h) say of a put? */
enum object_safety {
	OBJECT_SAFETY_NONE = 1, /* nothing, because the object does not decide what is answered */
	OBJECT_SAFETY_POOL,     /* the pool as it is to be must leave each policy an endpoint */
	OBJECT_SAFETY_SITE,     /* the same for a site that is to be out */
	OBJECT_SAFETY_GUARD,    /* it is not judged, but drains that were judged before it are judged again */
};

/* One row of the table. */
struct object_kind {
	enum object_writers writers;
	enum object_safety safety;
	const char *checks; /* the member that names checks; the token must be allowed to change these. "": no member */
	const char *urgent; /* the member that may be changed when the disk is nearly full; "": none */
	object_validate_fn *validate;
	object_look_fn *look;             /* NULL: nothing takes long */
	object_find_users_fn *find_users; /* NULL: nothing refers to objects of the kind */
};

/* The row of a kind that is written by object_wish(). It must be one. Static storage. */
const struct object_kind *object_kind(enum model_kind kind);

#endif
