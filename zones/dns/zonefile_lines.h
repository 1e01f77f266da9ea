/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internals of zone files: logical lines. A logical line has its comments removed and its parentheses joined (RFC
 * 1035 5.1); quoted strings stay as they are. For zones/ only.
 */
#ifndef VEER_ZONES_DNS_ZONEFILE_LINES_H
#define VEER_ZONES_DNS_ZONEFILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Text being read line by line. */
struct line_reader {
	int fd;           /* read from here; -1: from `data` only. Borrowed */
	const char *data; /* bytes that were read but not yet used */
	size_t len;
	char *block;         /* memory behind `data` when reading from `fd` */
	unsigned line;       /* number of the next line to read, from 1 */
	unsigned first_line; /* where the last logical line returned began */
	bool has_comment;    /* a comment was removed from it or before it */
	struct buf text;     /* the logical line */
};

/* Read from a descriptor, or (fd -1) from `len` bytes of `data`. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err line_reader_init(struct line_reader *r, int fd, const char *data, size_t len);
/* Free its memory; the descriptor stays open. */
void line_reader_deinit(struct line_reader *r);

/*
 * The next logical line that is not empty, NUL-terminated in r->text; a blank at its beginning is kept, because it
 * means that the owner is the previous one. VEER_ENOTFOUND at the end. Errors: VEER_EINVAL (open quote or parenthesis,
 * control characters), VEER_ERANGE (too long), VEER_EIO, VEER_ENOMEM; the diag does not say where; r->first_line does.
 */
VEER_MUST_CHECK enum veer_err line_reader_next(struct line_reader *r, struct veer_diag *diag);

#endif
