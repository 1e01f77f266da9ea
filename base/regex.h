/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions from untrusted users, applied to bytes from untrusted servers. Only this module uses RE2.
 *
 * RE2 matches in time linear in the text, whatever the expression; engines that backtrack (PCRE2, or glibc's with back
 * references) need exponential time for some expressions, and PCRE2's match limit starts again at each position in the
 * text. Syntax: POSIX extended (egrep), with \d \s \w \b as well, on bytes (Latin-1); an expression matches anywhere
 * unless it is anchored. No back references.
 *
 * Threads: pure functions; a regex may be used by several threads at once.
 */
#ifndef VEER_BASE_REGEX_H
#define VEER_BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define REGEX_TEXT_MAX 512  /* bytes of an expression */
#define REGEX_STEPS_MAX 200 /* compiled instructions: 64 KiB of text take 60 ms in the worst case, usually 0.2 ms */

struct regex;

/*
 * Compile. Ownership: the caller frees `*out` with regex_free(). Errors: VEER_EINVAL (syntax; the diag says what is
 * wrong), VEER_ERANGE (too long, or too large when compiled), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err regex_new(const char *text, struct regex **out, struct veer_diag *diag);
void regex_free(struct regex **regex);

/* Does it match anywhere in the `len` bytes at `data`? */
bool regex_matches(const struct regex *regex, const void *data, size_t len);

#endif
