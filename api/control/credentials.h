/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may talk to us: tokens, and the identities of agents and name servers, which are announced, enrol, and are
 * revoked. Secrets are drawn by the caller; what is stored of them is their hash.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_CREDENTIALS_H
#define VEER_API_CONTROL_CREDENTIALS_H

#include "api/control/change.h"
#include "base/crypto.h"

enum { CREDENTIALS_REPLACED_MAX = 8 };

/* A token that is made, or removed. Borrowed. */
struct token_wish {
	const char *id;
	json_t *token; /* as it is to be stored; NULL: it is removed */
};
/*
 * The wish, judged by token_rules.h; a token that is removed is also noted beside the store (revocations.h). Problems:
 * CHANGE_INVALID, CHANGE_MISSING, CHANGE_LACKS_SCOPE.
 */
struct change_wish token_wish(struct token_wish *w);

/* An agent (its region is needed) or name server that may enrol. Borrowed. */
struct announcement_wish {
	bool is_agent;
	const char *name, *region, *site; /* region and site: NULL, if there is none */
	const char *hash;                 /* of the secret with which it enrols: the key */
	int64_t expires_ns;               /* by the wall clock */
};
/* The wish; some of what has expired or was revoked long ago goes with it. Problems: CHANGE_NO_ROOM. */
struct change_wish announcement_wish(struct announcement_wish *w);

/* An announcement is exchanged for an identity. Borrowed. */
struct enrolment_wish {
	const json_t *announcement; /* as it was read: at that revision */
	int64_t revision;
	const char *hash;            /* its key */
	const char *nonce_hash;      /* NULL: the announcement goes; else it stays, and says for whom it was used */
	const char *id;              /* the new identity's */
	const char *credential_hash; /* likewise */
	/* Earlier identities of the same name: they end with the one that takes their place. */
	const char *replaced[CREDENTIALS_REPLACED_MAX]; /* in the change's arena */
	size_t replaced_count;
};
/* The wish; who is replaced is also noted beside the store. Problems: CHANGE_NO_ROOM. */
struct change_wish enrolment_wish(struct enrolment_wish *w);

/* The end of an identity. Borrowed. */
struct identity_end {
	enum model_kind kind; /* MODEL_KIND_AGENT, MODEL_KIND_NAMESERVER */
	const char *id;
	bool was_revoked; /* becomes true where only the record is removed */
};
/*
 * The wish: the credential stops working with the commit, and a record stays until it is deleted in turn, or for 30
 * days. Whatever was revoked is also noted beside the store. Problems: CHANGE_MISSING.
 */
struct change_wish identity_end_wish(struct identity_end *w);

#endif
