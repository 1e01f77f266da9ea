/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of an agent or a name server, as enrolment gave it, kept in DIR/identity.json with mode 0600
 * (docs/formats.md, section 4).
 *
 * Threads: pure functions, except loading and saving, which block on the disk.
 */
#ifndef VEER_BASE_NODE_IDENTITY_H
#define VEER_BASE_NODE_IDENTITY_H

#include <stddef.h>

#include "base/crypto.h"
#include "base/err.h"

#define IDENTITY_TEXT_MAX 16384

struct identity {
	char id[64];
	char credential[128]; /* secret */
	char name[64];
	char region[64];
	char store_id[64]; /* "" until the first stream has told it */
	char api[512];     /* the URL that enrolled it */
	/* SHA-256 in hex of the last token that was exchanged or refused; "": not known */
	char token_sha256[CRYPTO_SHA256_HEX_SIZE];
};

/*
 * Read DIR/identity.json. Errors: VEER_ENOTFOUND (not enrolled yet); VEER_ECORRUPT (the file is not an identity);
 * VEER_EIO …
 */
VEER_MUST_CHECK enum veer_err identity_load(const char *dir, struct identity *out, struct veer_diag *diag);
/* Replace the file atomically. Errors: those of file_write_atomic(). */
VEER_MUST_CHECK enum veer_err identity_save(const char *dir, const struct identity *identity, struct veer_diag *diag);

/* The text of the file, ended by a newline. Ownership: the caller's (free()). NULL when memory is out. */
char *identity_write(const struct identity *identity);
/*
 * The inverse. It also reads an enrolment's answer, whose fields are a subset: `store_id` and `api` are then "".
 * Errors: VEER_EINVAL …
 */
VEER_MUST_CHECK enum veer_err identity_parse(const char *text, size_t len, struct identity *out,
					     struct veer_diag *diag);

/*
 * The body of an enrolment request. `kind`: "agent" or "nameserver". `region` and `nonce` (enrol_nonce.h) may be NULL.
 * Ownership: the caller's (free()). NULL when memory is out.
 */
char *identity_request(const char *token, const char *kind, const char *region, const char *nonce);

#define IDENTITY_BEARER_SIZE 256
/* "ID.SECRET", for Authorization: Bearer. */
void identity_bearer(const struct identity *identity, char out[IDENTITY_BEARER_SIZE]);

#endif
