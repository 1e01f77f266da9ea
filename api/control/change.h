/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every write of the control plane goes through change(). The caller describes what it wants as a list of wishes:
 * objects, RRsets and zones, overrides, settings, credentials. Each wish belongs to a noun (objects.h, zone_edit.h,
 * zone_make.h, override_change.h, settings.h, credentials.h), which knows its rules and turns it into operations of the
 * store; change() collects the operations and commits them in one transaction under their conditions, or not at all.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_CHANGE_H
#define VEER_API_CONTROL_CHANGE_H

#include "api/control/control.h"
#include "api/control/safety.h"
#include "api/control/token_limits.h"

/* On whose behalf the change is made. Borrowed. */
struct change_principal {
	const char *name;  /* for people: the token's name, "local" */
	const char *token; /* the id of the token whose lists of objects limit the change; NULL: there is no limit */
};

/* What a client has seen of the object that a wish is about, and what therefore must hold beside the rules. */
struct change_precondition {
	bool is_absent;   /* the object must not exist */
	int64_t revision; /* the object must be at this revision, or one of the values below */
};
enum { CHANGE_ANY = -3, CHANGE_EXISTS = -1, CHANGE_NEVER = -2 }; /* NEVER: the client's entity tag is not one of ours */

/* Why a change was refused, for programs. The diag says it for people. */
enum change_problem {
	CHANGE_FAILED,       /* no reason beside the error itself */
	CHANGE_INVALID,      /* a rule forbids it; the diag begins with the JSON pointer of the place */
	CHANGE_MISSING,      /* the object that it is about does not exist */
	CHANGE_IS_THERE,     /* an object that must be new exists already */
	CHANGE_PRECONDITION, /* the precondition does not hold */
	CHANGE_IN_USE,       /* something else depends on the object */
	CHANGE_WOULD_EMPTY,  /* the safety rule forbids it; result.loss says what would be lost */
	CHANGE_REQUIRED,     /* the object must stay, whoever asks */
	CHANGE_UNREADABLE,   /* a stored object that has to be read for it cannot be read */
	CHANGE_FORBIDDEN,    /* the token may not touch this object */
	CHANGE_LACKS_SCOPE,  /* the token does not have the scopes for it */
	CHANGE_NO_ROOM,      /* the maximum number of objects is reached */
	CHANGE_PROBLEMS,
};

/* The result of a change. */
struct change_result {
	int64_t revision; /* of the commit; when nothing had to be changed, of what is stored */
	int64_t before;   /* revision of the object that the last wish is about; 0: it did not exist */
	enum change_problem problem;
	struct safety_loss loss;
	struct veer_diag diag;
};

/* The priority of a commit, which also says whether it may use the last room on the disk. */
enum change_haste {
	CHANGE_BY_KIND, /* urgent when everything in it is urgent: credentials, overrides, settings, deletions */
	CHANGE_ORDINARY,
	CHANGE_URGENT,
};

/* Which other writers must wait from the moment when a wish is judged until it is committed. */
enum change_gate {
	CHANGE_OPEN,   /* none */
	CHANGE_REFERS, /* all that refer to objects, or delete objects that may be referred to (control.write_gate) */
	CHANGE_EMERGENCY, /* the same writers, and this one goes before those that wait */
};

/* The operations of a change in progress, as far as they are known. Used by the nouns. */
struct change_draft {
	struct control *control;
	const struct change_principal *principal;
	const struct change_precondition *precondition;
	struct arena *arena; /* lives as long as the change */
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t count;
	enum change_haste haste; /* of the wish that is being judged; CHANGE_BY_KIND unless the wish sets another */
	void (*end)(void *ctx);  /* called after each try, committed or failed; NULL: nothing has to be released */
	void *end_ctx;
	struct change_result *result;
};

/* Judge the wish by what is stored now, and add its operations to the draft. Called again for each try. */
typedef enum veer_err change_plan_fn(void *wish, struct change_draft *draft);
/*
 * Do the part of judging that takes long, before others have to wait for it: called once, before turns and gates are
 * taken; the plan judges the wish again. Adds no operations. Its errors are those of the change.
 */
typedef enum veer_err change_prepare_fn(void *wish, struct change_draft *draft);
/* Called after the commit. */
typedef void change_done_fn(void *wish, const struct change_draft *draft);

enum {
	CHANGE_TRIES = 8,          /* enough for one object that several write */
	CHANGE_TRIES_REVOKING = 64 /* ending a credential must succeed, however often others write */
};

struct change_wish {
	change_prepare_fn *prepare; /* NULL: nothing that takes long */
	change_plan_fn *plan;
	change_done_fn *done; /* NULL: nothing to do after the commit */
	void *wish;           /* belongs to the noun; borrowed */
	const char *zone;     /* the zone whose writers take turns (zone_turns.h); NULL: none */
	enum change_gate gate;
	unsigned tries; /* tries after a conflict with another writer; 0: only one, and the caller gets the conflict */
	bool reads_directory; /* a new try waits until the directory has caught up; if it does not, the change fails */
};

struct change {
	struct change_principal principal;
	const char *reason; /* as the client gave it; NULL: none */
	const struct change_wish *wishes;
	size_t count;
	struct change_precondition precondition; /* for the object of the only wish; with several wishes CHANGE_ANY */
	struct arena *arena;                     /* for what the wishes need until the caller has replied */
};

/*
 * Make a change: all wishes in one commit, or none. Each wish is judged by what is stored before the change, not by
 * what other wishes of the same change do; so there is only one wish for each zone or object. When VEER_OK is returned,
 * the directory has caught up (waiting 2 s at most), so that the caller reads what it wrote.
 * Errors: VEER_EINVAL, VEER_ENOTFOUND, VEER_EEXISTS, VEER_ECONFLICT, VEER_EBUSY, VEER_EAUTH, VEER_ECORRUPT, VEER_ELIMIT
 * with result->problem and the diag; those of store_commit() with CHANGE_FAILED; VEER_ENOMEM. After an error nothing is
 * written.
 */
enum veer_err change(struct control *control, const struct change *wished, struct change_result *result);

/* --- functions for the nouns ------------------------------------------------------------------------------------ */

/* Add one operation; what it points to must live in the arena or in the wish. Errors: VEER_ERANGE (too many). */
VEER_MUST_CHECK enum veer_err change_add(struct change_draft *draft, struct store_op op);
/* Add a put of `value` (taken; NULL: VEER_ENOMEM), which becomes text in the arena. Errors: as change_add(). */
VEER_MUST_CHECK enum veer_err change_add_json(struct change_draft *draft, enum model_kind kind, const char *key,
					      json_t *value, int64_t expect);
/* Refuse the change for this reason. Returns `err`. */
VEER_MUST_CHECK enum veer_err change_refuse(struct change_draft *draft, enum veer_err err, enum change_problem problem,
					    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Refuse the change because the object does not exist. Returns VEER_ENOTFOUND. */
VEER_MUST_CHECK enum veer_err change_refuse_missing(struct change_draft *draft, enum model_kind kind, const char *key);
/*
 * Does the precondition hold for an object at revision `current` (0: it does not exist)? Stores it as result.before;
 * `*expect` is for the operation. Errors: VEER_ECONFLICT with CHANGE_PRECONDITION.
 */
VEER_MUST_CHECK enum veer_err change_meets(struct change_draft *draft, int64_t current, int64_t *expect);
/* The same, without a draft. Errors: VEER_ECONFLICT; the diag says why. */
VEER_MUST_CHECK enum veer_err change_judge_precondition(const struct change_precondition *p, int64_t current,
							struct veer_diag *diag);
/*
 * May the principal touch or change the object of this name, or (NULL) what concerns all objects? Errors: VEER_EAUTH.
 */
VEER_MUST_CHECK enum veer_err change_may_touch(struct change_draft *draft, enum token_limit limit, const char *name);
VEER_MUST_CHECK enum veer_err change_may_change(struct change_draft *draft, enum token_limit limit, const char *name);
VEER_MUST_CHECK enum veer_err change_may_change_all(struct change_draft *draft);

/* --- for the control plane's own upkeep --------------------------------------------------------------------------- */

/*
 * Commit operations that the control plane itself has decided on: only their own conditions apply, no other rules. Does
 * not wait for the directory (change_wait()). Errors: those of store_commit().
 */
enum veer_err change_commit(struct store *store, const struct store_op *ops, size_t count, enum change_haste haste,
			    int64_t *revision);
/* Wait until the directory has reached `revision`, for 2 s at most. */
void change_wait(struct control *control, int64_t revision);

#endif
