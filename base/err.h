/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error codes of all programs, and the text that goes with a failure.
 *
 * A function that can fail returns `enum veer_err`: 0 is success, negatives are failures; results
 * travel through out-parameters, which are untouched on failure. Where a person has to act on the
 * failure, the function also takes a `struct veer_diag *` (may be NULL) and writes one line into it that names the
 * place (file:line, JSON pointer, argument).
 */
#ifndef VEER_BASE_ERR_H
#define VEER_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/*
 * For functions whose failure must not be overlooked: a caller that drops the result does not compile with WERROR=1.
 * Functions without this mark have callers that may go on after a failure; such a caller casts the result to (void).
 */
#define VEER_MUST_CHECK __attribute__((warn_unused_result))

enum veer_err {
	VEER_OK = 0,
	VEER_ENOMEM = -1,        /* an allocation failed */
	VEER_EINVAL = -2,        /* input is malformed: text, JSON, packet, argument */
	VEER_ERANGE = -3,        /* a number or length is outside its limits */
	VEER_ENOTFOUND = -4,     /* no such object, file or key */
	VEER_EEXISTS = -5,       /* the object is there already */
	VEER_ECONFLICT = -6,     /* a condition on a revision did not hold */
	VEER_ELIMIT = -7,        /* a queue, table or connection limit is reached */
	VEER_EIO = -8,           /* the system failed: disk, network, a full device */
	VEER_ETIMEOUT = -9,      /* a deadline passed */
	VEER_EAUTH = -10,        /* not authenticated, or not allowed */
	VEER_ECORRUPT = -11,     /* stored data fails its checksum or its structure */
	VEER_ECLOSED = -12,      /* the other side, or the owner, has closed the connection or object */
	VEER_ESTALE = -13,       /* an older revision, an earlier election, a replayed report */
	VEER_EUNSUPPORTED = -14, /* known, but not supported here */
	VEER_EBUSY = -15,        /* try again later */
	VEER_ESPACE = -16,       /* the disk is (nearly) full */
	VEER_ERR_LAST = -16,
};

/* A short lower-case English phrase for `err`; never NULL, also for unknown values. Static storage. */
const char *veer_err_text(enum veer_err err);

/* The code that fits an errno value (VEER_EIO where nothing fits better). Never VEER_OK. */
VEER_MUST_CHECK enum veer_err veer_err_from_errno(int errnum);

#define VEER_DIAG_SIZE 512

/* One line of explanation, NUL-terminated, cut (never overrun) at VEER_DIAG_SIZE. Caller's memory. */
struct veer_diag {
	char text[VEER_DIAG_SIZE];
};

/*
 * Write the line and return `err`, so that a failure reads `return veer_fail(diag, VEER_EINVAL, "...")`.
 * `diag` may be NULL: then only the code travels.
 */
enum veer_err veer_fail(struct veer_diag *diag, enum veer_err err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
