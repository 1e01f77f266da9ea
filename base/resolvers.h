/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which resolvers to ask: those in the options, or those in this host's /etc/resolv.conf.
 *
 * Threads: pure functions, except that resolvers_read() reads a file.
 */
#ifndef VEER_BASE_RESOLVERS_H
#define VEER_BASE_RESOLVERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

#define RESOLVERS_MAX 3 /* as many as the C library uses (MAXNS) */

struct resolvers {
	struct veer_listen at[RESOLVERS_MAX]; /* in the order in which they are asked */
	size_t count;
	bool is_off;    /* "none": no resolver is to be asked */
	bool is_system; /* no option was given: use those of resolv.conf, read anew each time */
};

/*
 * Read texts of the form "ADDR" or "ADDR@PORT" (default port 53), or "none" as the only one. Without any text,
 * is_system is set.
 * Errors: VEER_EINVAL, VEER_ELIMIT (more than RESOLVERS_MAX); the diag quotes what is wrong.
 */
VEER_MUST_CHECK enum veer_err resolvers_parse(const char *const *texts, size_t count, struct resolvers *out,
					      struct veer_diag *diag);

/*
 * Fill `at` with the first nameservers of a file as resolv.conf(5) has them; lines that cannot be used (also addresses
 * with a zone index) are skipped. A file that cannot be read counts as empty.
 */
void resolvers_read(const char *path, struct resolvers *out);

#endif
