/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/model/kind.h"

#include <stddef.h>
#include <string.h>

/*
 * One row, with a value for each column, in this order: a row that leaves one out does not compile. The rows are
 * counted (__COUNTER__), so that the assertion below notices a kind without a row.
 */
#define ROW(KIND, TEXT, PART, FEEDING, MIRRORING, SECRET, ROLLBACK, UNDELETION, CAPABILITY)                            \
	[MODEL_KIND_##KIND + 0 * __COUNTER__] = {                                                                      \
		TEXT,   MODEL_PART_##PART,         MODEL_FEEDING_##FEEDING,       MODEL_MIRRORING_##MIRRORING,         \
		SECRET, MODEL_ROLLBACK_##ROLLBACK, MODEL_UNDELETION_##UNDELETION, CAPABILITY}

enum { ROWS_BEFORE = __COUNTER__ };

/* clang-format off */
static const struct model_kind_row rows[MODEL_KIND_COUNT] = {
	/*  kind         text           part     fed  mirrored secret            back undelete capability */
	ROW(SITE,        "site",        CONTENT, YES, YES, "",                   YES, YES, "health:write"),
	ROW(POOL,        "pool",        CONTENT, YES, YES, "",                   YES, YES, "health:write"),
	ROW(POLICY,      "policy",      CONTENT, YES, YES, "",                   YES, YES, "health:write"),
	ROW(ZONE,        "zone",        CONTENT, YES, YES, "",                   YES, YES, "zones:write"),
	ROW(RRSET,       "rrset",       CONTENT, YES, NO,  "",                   YES, YES, "zones:write"),
	ROW(VERDICT,     "verdict",     STATE,   YES, YES, "",                   NO,  NO,  ""),
	ROW(LAST,        "last",        STATE,   YES, YES, "",                   NO,  NO,  ""),
	ROW(CHECK,       "check",       CONTENT, NO,  YES, "",                   YES, YES, "health:write"),
	ROW(AGENT,       "agent",       CONTENT, NO,  YES, "credential_sha256",  NO,  NO,  "agents"),
	ROW(NAMESERVER,  "nameserver",  CONTENT, NO,  YES, "credential_sha256",  NO,  NO,  "agents"),
	ROW(ENROLMENT,   "enrolment",   CONTENT, NO,  YES, "",                   NO,  NO,  "agents"),
	ROW(TOKEN,       "token",       CONTENT, NO,  YES, "secret_sha256",      NO,  NO,  "tokens"),
	ROW(META,        "meta",        STATE,   NO,  YES, "",                   NO,  NO,  ""),
	ROW(OVERRIDE,    "override",    STATE,   YES, YES, "",                   NO,  NO,  "health:write"),
	ROW(MAINTENANCE, "maintenance", CONTENT, NO,  YES, "",                   NO,  YES, "health:write"),
	ROW(SETTINGS,    "settings",    CONTENT, NO,  YES, "",                   NO,  NO,  "health:write"),
	ROW(TRANSITION,  "transition",  STATE,   NO,  NO,  "",                   NO,  NO,  ""),
};
/* clang-format on */

_Static_assert(__COUNTER__ - ROWS_BEFORE - 1 == MODEL_KIND_COUNT - 1, "each kind has one row");
_Static_assert(MODEL_KIND_COUNT <= 64, "a set of kinds has a bit for each");

bool model_kind_is_known(enum model_kind kind)
{
	return (int)kind > MODEL_KIND_NONE && kind < MODEL_KIND_COUNT;
}

const struct model_kind_row *model_kind_row(enum model_kind kind)
{
	return model_kind_is_known(kind) ? &rows[kind] : NULL;
}

static struct model_kinds with(struct model_kinds kinds, int kind, bool is_in)
{
	kinds.bits |= (uint64_t)is_in << kind;
	return kinds;
}

struct model_kinds model_kinds_all(void)
{
	struct model_kinds kinds = {0};
	for (int kind = MODEL_KIND_NONE + 1; kind < MODEL_KIND_COUNT; kind++)
		kinds = with(kinds, kind, true);
	return kinds;
}

struct model_kinds model_kinds_fed(void)
{
	struct model_kinds kinds = {0};
	for (int kind = MODEL_KIND_NONE + 1; kind < MODEL_KIND_COUNT; kind++)
		kinds = with(kinds, kind, rows[kind].feeding == MODEL_FEEDING_YES);
	return kinds;
}

struct model_kinds model_kinds_mirrored(void)
{
	struct model_kinds kinds = {0};
	for (int kind = MODEL_KIND_NONE + 1; kind < MODEL_KIND_COUNT; kind++)
		kinds = with(kinds, kind, rows[kind].mirroring == MODEL_MIRRORING_YES);
	return kinds;
}

struct model_kinds model_kinds_of(const enum model_kind *kinds, size_t count)
{
	struct model_kinds set = {0};
	for (size_t i = 0; i < count; i++)
		if (model_kind_is_known(kinds[i]))
			set.bits |= UINT64_C(1) << kinds[i];
	return set;
}

struct model_kinds model_kinds_either(struct model_kinds a, struct model_kinds b)
{
	return (struct model_kinds){a.bits | b.bits};
}

struct model_kinds model_kinds_common(struct model_kinds a, struct model_kinds b)
{
	return (struct model_kinds){a.bits & b.bits};
}

bool model_kinds_are_none(struct model_kinds kinds)
{
	return kinds.bits == 0;
}

bool model_kind_is_fed(enum model_kind kind)
{
	return model_kind_is_known(kind) && rows[kind].feeding == MODEL_FEEDING_YES;
}

bool model_kind_is_state(enum model_kind kind)
{
	return model_kind_is_known(kind) && rows[kind].part == MODEL_PART_STATE;
}

const char *model_kind_text(enum model_kind kind)
{
	return model_kind_is_known(kind) ? rows[kind].text : "none";
}

enum model_kind model_kind_from_text(const char *text)
{
	for (int kind = MODEL_KIND_NONE + 1; kind < MODEL_KIND_COUNT; kind++)
		if (strcmp(rows[kind].text, text) == 0)
			return (enum model_kind)kind;
	return MODEL_KIND_NONE;
}
