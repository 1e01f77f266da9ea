/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which resolvers to ask: as options say, or as this host's /etc/resolv.conf does.
 *
 * Threads: pure functions, but for the reading of the file.
 */
#ifndef VEER_BASE_RESOLVERS_H
#define VEER_BASE_RESOLVERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

#define RESOLVERS_MAX 3 /* as many as the C library asks (MAXNS) */

struct resolvers {
	struct veer_listen at[RESOLVERS_MAX]; /* in the order in which they are asked */
	size_t count;
	bool is_off;    /* "none": nobody is to be asked */
	bool is_system; /* nothing was said: those of resolv.conf, read anew each time */
};

/*
 * Read "ADDR" or "ADDR@PORT" (53 without), or "none" alone. No text at all: is_system.
 * Errors: VEER_EINVAL, VEER_ELIMIT (more than RESOLVERS_MAX); the diag quotes what is wrong.
 */
VEER_MUST_CHECK enum veer_err resolvers_parse(const char *const *texts, size_t count, struct resolvers *out,
					      struct veer_diag *diag);

/*
 * Fill `at` with the first nameservers of a file as resolv.conf(5) has them; lines that cannot be used (addresses with
 * a zone index, too) are passed over. A file that cannot be read has none.
 */
void resolvers_read(const char *path, struct resolvers *out);

#endif
