/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An edit of a zone: RRsets that are put or deleted in one commit, which raises the zone's serial once. It reads what
 * it depends on (the zone, the SOA, what else is at the names), and is committed on condition that all of that is
 * unchanged; when it is not, it is judged anew. Writers of a zone within this process take turns (zone_turns.h): only
 * others can make a try fail.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_ZONE_EDIT_H
#define VEER_API_CONTROL_ZONE_EDIT_H

#include "api/control/change.h"
#include "api/control/zone_data.h"
#include "zones/model/rrset_object.h"

#define ZONE_EDIT_MAX 48 /* RRsets in one edit, with the conditions that go with them */

/* One RRset of an edit. */
struct zone_edit_rrset {
	/* What is wished. Borrowed. */
	const char *owner;   /* as written, absolute or relative to the zone; NULL: as the value says */
	const char *type;    /* as written; NULL with `owner` */
	const json_t *value; /* as the API takes it (rrset_from_api()); NULL: deletion */
	bool must_be_new;
	/* What came of it. */
	struct rrset_key key;
	char key_text[RRSET_KEY_SIZE];
	char *text;     /* as it is stored now; NULL: deleted. The edit's */
	int64_t before; /* the revision of what was there; 0: nothing was */
	/* While it is judged. */
	json_t *object; /* what is to be stored; NULL: deletion. The edit's */
	bool is_changed;
	int64_t policy_revision; /* 0: it is not bound */
};

/* Filled by zone_edit_wish(). */
struct zone_edit {
	const char *zone; /* its name as written. Borrowed */
	struct zone_edit_rrset *rrsets;
	size_t count;
	char turn[NAME_TEXT_SIZE];
	struct zone_ref ref; /* the zone as it was found; revision 0: it is not there */
	struct zone_soa soa;
	char *soa_text; /* the raised one. The edit's */
	char soa_key[RRSET_KEY_SIZE];
};

/*
 * The wish to edit `zone`: 1 to ZONE_EDIT_MAX RRsets, each of another name or type. `*edit` must outlive the change and
 * goes to zone_edit_deinit(). A precondition of the change is on the one RRset. Problems: CHANGE_MISSING (the zone,
 * edit->ref.revision being 0, or an RRset that is to be deleted), CHANGE_FORBIDDEN, CHANGE_INVALID, CHANGE_IS_THERE,
 * CHANGE_PRECONDITION, CHANGE_REQUIRED, CHANGE_UNREADABLE (the SOA).
 */
struct change_wish zone_edit_wish(struct zone_edit *edit, const char *zone, struct zone_edit_rrset *rrsets,
				  size_t count);
void zone_edit_deinit(struct zone_edit *edit);

/*
 * May the RRset be where it is to be, beside what is there and what else the edit does (RFC 1034 3.6.2, RFC 6672 2.4)?
 * And is the policy that it is bound to there, with something to answer with? For zone_edit.c (zone_rules.c).
 */
VEER_MUST_CHECK enum veer_err zone_rules_judge(struct change_draft *draft, const struct zone_edit *edit,
					       struct zone_edit_rrset *rrset);

#endif
