/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An edit of a zone: RRsets that are put or deleted in one commit, which raises the zone's serial once. It reads what
 * it depends on (the zone, the SOA, the other RRsets at the names), and is committed on condition that all of that is
 * unchanged; otherwise it is judged again. Writers of a zone within this process take turns (zone_turns.h), so only
 * other processes can make a try fail.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_ZONE_EDIT_H
#define VEER_API_CONTROL_ZONE_EDIT_H

#include "api/control/change.h"
#include "api/control/zone_data.h"
#include "zones/model/rrset_object.h"

#define ZONE_EDIT_MAX 48 /* RRsets in one edit; the commit also contains their conditions */

/* One RRset of an edit. */
struct zone_edit_rrset {
	/* The wish. Borrowed. */
	const char *owner;   /* as written, absolute or relative to the zone; NULL: the value has it */
	const char *type;    /* as written; NULL when `owner` is NULL */
	const json_t *value; /* as the API takes it (rrset_from_api()); NULL: delete */
	bool must_be_new;
	/* The result. */
	struct rrset_key key;
	char key_text[RRSET_KEY_SIZE];
	char *text;     /* as it is stored now; NULL: deleted. Owned by the edit */
	int64_t before; /* the revision of the previous RRset; 0: there was none */
	/* Used while it is judged. */
	json_t *object; /* what has to be stored; NULL: delete. Owned by the edit */
	bool is_changed;
	int64_t policy_revision; /* 0: it is not bound to a policy */
};

/* Filled by zone_edit_wish(). */
struct zone_edit {
	const char *zone; /* its name as written. Borrowed */
	struct zone_edit_rrset *rrsets;
	size_t count;
	char turn[NAME_TEXT_SIZE];
	struct zone_ref ref; /* the zone as it was found; revision 0: it does not exist */
	struct zone_soa soa;
	char *soa_text; /* the SOA with the raised serial. Owned by the edit */
	char soa_key[RRSET_KEY_SIZE];
};

/*
 * Make the wish to edit `zone`: 1 to ZONE_EDIT_MAX RRsets, each of another name or type. `*edit` must outlive the
 * change and be released with zone_edit_deinit(). A precondition of the change applies to the only RRset. Problems:
 * CHANGE_MISSING (the zone, if edit->ref.revision is 0, or an RRset to delete), CHANGE_FORBIDDEN, CHANGE_INVALID,
 * CHANGE_IS_THERE, CHANGE_PRECONDITION, CHANGE_REQUIRED, CHANGE_UNREADABLE (the SOA).
 */
struct change_wish zone_edit_wish(struct zone_edit *edit, const char *zone, struct zone_edit_rrset *rrsets,
				  size_t count);
void zone_edit_deinit(struct zone_edit *edit);

/*
 * May the RRset exist beside what is stored and what else the edit does (RFC 1034 3.6.2, RFC 6672 2.4)? Does the policy
 * that it is bound to exist, and does it have endpoints to answer with? Used by zone_edit.c; in zone_rules.c.
 */
VEER_MUST_CHECK enum veer_err zone_rules_judge(struct change_draft *draft, const struct zone_edit *edit,
					       struct zone_edit_rrset *rrset);

#endif
