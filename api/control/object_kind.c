/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/object_kind.h"

#include <assert.h>

#include "api/control/object_rules.h"
#include "api/control/object_users.h"

/*
 * One row for each kind, with a value for each column, in this order. The rows are counted (__COUNTER__), so that the
 * assertion below notices a kind without a row. ELSEWHERE: objects of the kind are written by another wish, or by the
 * control plane itself.
 */
#define ROW(KIND, WRITERS, SAFETY, CHECKS, URGENT, VALIDATE, LOOK, FIND_USERS)                                         \
	[MODEL_KIND_##KIND + 0 * __COUNTER__] = {                                                                      \
		OBJECT_WRITERS_##WRITERS, OBJECT_SAFETY_##SAFETY, CHECKS, URGENT, VALIDATE, LOOK, FIND_USERS}
#define ELSEWHERE(KIND) [MODEL_KIND_##KIND + 0 * __COUNTER__] = {.validate = NULL}

enum { ROWS_BEFORE = __COUNTER__ };

/* clang-format off */
static const struct object_kind rows[MODEL_KIND_COUNT] = {
	/*  kind    writers       safety checks    urgent   validate                looks first      looks for users */
	ROW(SITE,   UNLIMITED,    SITE,  "",       "state", object_validate_site,   NULL,            object_find_site),
	ROW(CHECK,  OF_CHECK,     NONE,  "of",     "",      object_validate_check,  NULL,            object_find_check),
	ROW(POOL,   OF_ENDPOINTS, POOL,  "checks", "",      object_validate_pool,   NULL,            object_find_pool),
	ROW(POLICY, UNLIMITED,    GUARD, "",       "",      object_validate_policy, policy_users_look,
	    object_find_policy),
	ELSEWHERE(ZONE),
	ELSEWHERE(RRSET),
	ELSEWHERE(VERDICT),
	ELSEWHERE(LAST),
	ELSEWHERE(AGENT),
	ELSEWHERE(NAMESERVER),
	ELSEWHERE(ENROLMENT),
	ELSEWHERE(TOKEN),
	ELSEWHERE(META),
	ELSEWHERE(OVERRIDE),
	ELSEWHERE(MAINTENANCE),
	ELSEWHERE(SETTINGS),
	ELSEWHERE(TRANSITION),
};
/* clang-format on */

_Static_assert(__COUNTER__ - ROWS_BEFORE - 1 == MODEL_KIND_COUNT - 1, "each kind has one row");

const struct object_kind *object_kind(enum model_kind kind)
{
	assert(model_kind_is_known(kind) && rows[kind].validate != NULL);
	return &rows[kind];
}
