/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door for every write of the control plane. Who wishes something says so as a list of wishes: objects, RRsets
 * and zones, overrides, settings, credentials. Each wish belongs to a noun (objects.h, zone_edit.h, zone_make.h,
 * override_change.h, settings.h, credentials.h), which knows its rules and turns it into operations of the store;
 * here they are put together, and committed at once under their conditions, or not at all.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_CHANGE_H
#define VEER_API_CONTROL_CHANGE_H

#include "api/control/control.h"
#include "api/control/safety.h"
#include "api/control/token_limits.h"

/* Who wishes it. Borrowed. */
struct change_principal {
	const char *name;  /* for people: the token's name, "local" */
	const char *token; /* the id of the token whose lists of objects bound it; NULL: nothing does */
};

/* What must hold of the object that a wish is about, beside the rules: what a client has seen of it. */
struct change_precondition {
	bool is_absent;   /* it must not be there */
	int64_t revision; /* it must be at this one, or one of what follows */
};
enum { CHANGE_ANY = -3, CHANGE_EXISTS = -1, CHANGE_NEVER = -2 }; /* NEVER: what the client has seen is not ours */

/* What is in the way of a change, as a word for programs. The diag says it to people. */
enum change_problem {
	CHANGE_FAILED,       /* nothing but the error itself */
	CHANGE_INVALID,      /* it is against a rule; the diag begins with the JSON pointer of the place */
	CHANGE_MISSING,      /* what it is about is not there */
	CHANGE_IS_THERE,     /* what was to be new is there already */
	CHANGE_PRECONDITION, /* the precondition does not hold */
	CHANGE_IN_USE,       /* something else depends on it */
	CHANGE_WOULD_EMPTY,  /* the safety rule; result.loss says what would be lost */
	CHANGE_REQUIRED,     /* it must stay, whoever asks */
	CHANGE_UNREADABLE,   /* what is stored and has to be read for it cannot be read */
	CHANGE_FORBIDDEN,    /* the token is for other objects */
	CHANGE_LACKS_SCOPE,  /* the token has not the scopes for it */
	CHANGE_NO_ROOM,      /* there are as many as there may be */
	CHANGE_PROBLEMS,
};

/* What came of it. */
struct change_result {
	int64_t revision; /* of the commit; of what is there, when nothing had to be changed */
	int64_t before;   /* of the object that the last wish is about, 0: it was not there */
	enum change_problem problem;
	struct safety_loss loss;
	struct veer_diag diag;
};

/* How a commit goes in between others, and whether it may use the last room on the disk. */
enum change_haste {
	CHANGE_BY_KIND, /* urgent when all that it touches is: credentials, overrides, settings, deletions */
	CHANGE_ORDINARY,
	CHANGE_URGENT,
};

/* Who else must wait from the moment when a wish is judged until it is committed. */
enum change_gate {
	CHANGE_OPEN,      /* nobody */
	CHANGE_REFERS,    /* all who refer to objects, or delete what may be referred to (control.write_gate) */
	CHANGE_EMERGENCY, /* the same, and this one goes first */
};

/* The operations of a change that is under way, as far as they are known. For the nouns. */
struct change_draft {
	struct control *control;
	const struct change_principal *principal;
	const struct change_precondition *precondition;
	struct arena *arena; /* lives as long as the change */
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t count;
	enum change_haste haste; /* of the wish that is being judged; CHANGE_BY_KIND unless it says otherwise */
	void (*end)(void *ctx);  /* called after the commit, or the failure, of each try; NULL: nothing is to be given
				    back */
	void *end_ctx;
	struct change_result *result;
};

/* Judge the wish by what is stored now, and add its operations to the draft. Called anew for each try. */
typedef enum veer_err change_plan_fn(void *wish, struct change_draft *draft);
/*
 * Look at what takes long before anybody has to wait for it: called once, before turns and gates are taken; the plan
 * judges it again. Adds no operations. Its errors are those of the change.
 */
typedef enum veer_err change_prepare_fn(void *wish, struct change_draft *draft);
/* It is committed. */
typedef void change_done_fn(void *wish, const struct change_draft *draft);

enum {
	CHANGE_TRIES = 8,          /* enough for one object that several write */
	CHANGE_TRIES_REVOKING = 64 /* the end of a credential stands, whoever else writes */
};

struct change_wish {
	change_prepare_fn *prepare; /* NULL: nothing takes long */
	change_plan_fn *plan;
	change_done_fn *done; /* NULL: nothing is left to do */
	void *wish;           /* of the noun; borrowed */
	const char *zone;     /* whose writers take turns (zone_turns.h); NULL: none */
	enum change_gate gate;
	unsigned tries; /* how often it is judged anew when somebody else was faster; 0: once, and the writer is told */
	bool reads_directory; /* a new try waits until the directory has caught up, and is given up if it does not */
};

struct change {
	struct change_principal principal;
	const char *reason; /* as it was given; NULL: none was */
	const struct change_wish *wishes;
	size_t count;
	struct change_precondition precondition; /* on the object of the one wish; of several, CHANGE_ANY */
	struct arena *arena;                     /* for what the wishes need until the caller has replied */
};

/*
 * Make it so: all wishes in one commit, or none. Each wish is judged by what is stored before the change, not by what
 * another wish of it does; of one zone, or one object, there is one wish. When VEER_OK is returned, the directory has
 * caught up (2 s at most), so that whoever wrote reads what was written.
 * Errors: VEER_EINVAL, VEER_ENOTFOUND, VEER_EEXISTS, VEER_ECONFLICT, VEER_EBUSY, VEER_EAUTH, VEER_ECORRUPT, VEER_ELIMIT
 * with result->problem and the diag; those of store_commit() with CHANGE_FAILED; VEER_ENOMEM. Nothing is written then.
 */
enum veer_err change(struct control *control, const struct change *wished, struct change_result *result);

/* --- for the nouns ---------------------------------------------------------------------------------------------- */

/* Add one operation; what it points to lives in the arena, or in the wish. Errors: VEER_ERANGE (too many). */
VEER_MUST_CHECK enum veer_err change_add(struct change_draft *draft, struct store_op op);
/* The same for a put of `value` (taken; NULL: VEER_ENOMEM) as text in the arena. */
VEER_MUST_CHECK enum veer_err change_add_json(struct change_draft *draft, enum model_kind kind, const char *key,
					      json_t *value, int64_t expect);
/* Say what is in the way. Returns `err`. */
VEER_MUST_CHECK enum veer_err change_refuse(struct change_draft *draft, enum veer_err err, enum change_problem problem,
					    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same of an object that is not there. Returns VEER_ENOTFOUND. */
VEER_MUST_CHECK enum veer_err change_refuse_missing(struct change_draft *draft, enum model_kind kind, const char *key);
/*
 * Does the precondition hold of an object at `current` (0: it is not there)? Notes it as result.before; `*expect` is
 * for the operation. Errors: VEER_ECONFLICT with CHANGE_PRECONDITION.
 */
VEER_MUST_CHECK enum veer_err change_meets(struct change_draft *draft, int64_t current, int64_t *expect);
/* The same, without a draft. Errors: VEER_ECONFLICT; the diag says why. */
VEER_MUST_CHECK enum veer_err change_judge_precondition(const struct change_precondition *p, int64_t current,
							struct veer_diag *diag);
/* May the principal touch, or change, the object of this name, or what concerns all? Errors: VEER_EAUTH. */
VEER_MUST_CHECK enum veer_err change_may_touch(struct change_draft *draft, enum token_limit limit, const char *name);
VEER_MUST_CHECK enum veer_err change_may_change(struct change_draft *draft, enum token_limit limit, const char *name);
VEER_MUST_CHECK enum veer_err change_may_change_all(struct change_draft *draft);

/* --- for the control plane's own upkeep --------------------------------------------------------------------------- */

/*
 * Commit what the control plane itself has found to be due: its conditions are all the rules there are. Does not wait
 * for the directory (change_wait()). Errors: those of store_commit().
 */
enum veer_err change_commit(struct store *store, const struct store_op *ops, size_t count, enum change_haste haste,
			    int64_t *revision);
/* Wait until the directory has `revision`, 2 s at most. */
void change_wait(struct control *control, int64_t revision);

#endif
