/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: tokens, and the identities of agents and name servers, which are announced, enrolled, and revoked. The
 * caller draws secrets; only their hashes are stored.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_CREDENTIALS_H
#define VEER_API_CONTROL_CREDENTIALS_H

#include "api/control/change.h"
#include "base/crypto.h"

enum { CREDENTIALS_REPLACED_MAX = 8 };

/* A token that is made or removed. Borrowed. */
struct token_wish {
	const char *id;
	json_t *token; /* the token to store; NULL: remove it */
};
/*
 * Make the wish, which is judged by token_rules.h; a token that is removed is also noted beside the store
 * (revocations.h). Problems: CHANGE_INVALID, CHANGE_MISSING, CHANGE_LACKS_SCOPE.
 */
struct change_wish token_wish(struct token_wish *w);

/* An agent (its region is needed) or name server that may enrol. Borrowed. */
struct announcement_wish {
	bool is_agent;
	const char *name, *region, *site; /* region and site: NULL if there is none */
	const char *hash;                 /* of the secret with which it enrols; also the key */
	int64_t expires_ns;               /* by the wall clock */
};
/*
 * Make the wish; it also deletes some identities that were revoked long ago and announcements that have expired.
 * Problems: CHANGE_NO_ROOM.
 */
struct change_wish announcement_wish(struct announcement_wish *w);

/* The exchange of an announcement for an identity. Borrowed. */
struct enrolment_wish {
	const json_t *announcement; /* as it was read: at that revision */
	int64_t revision;
	const char *hash;       /* as it was read, at `revision` */
	const char *nonce_hash; /* its key */
	const char *id; /* NULL: delete the announcement; otherwise it stays, and says which identity it was used for */
	const char *credential_hash; /* of the new identity */
	/* of the new identity */
	const char *replaced[CREDENTIALS_REPLACED_MAX]; /* Earlier identities of the same name, which end because the
							   new one replaces them. */
	size_t replaced_count;
};
/* Make the wish; replaced identities are also noted beside the store. Problems: CHANGE_NO_ROOM. */
struct change_wish enrolment_wish(struct enrolment_wish *w);

/* The end of an identity. Borrowed. */
struct identity_end {
	enum model_kind kind; /* MODEL_KIND_AGENT, MODEL_KIND_NAMESERVER */
	const char *id;
	bool was_revoked; /* set when the identity was revoked before and only its record is removed */
};
/*
 * Make the wish. The credential stops working with the commit; a record stays until it is deleted in turn, or for 30
 * days. A revoked identity is also noted beside the store. Problems: CHANGE_MISSING.
 */
struct change_wish identity_end_wish(struct identity_end *w);

#endif
