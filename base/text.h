/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small text functions: strict numbers, suggestions for misspelt names, and UTF-8.
 *
 * Threads: all functions are pure.
 */
#ifndef VEER_BASE_TEXT_H
#define VEER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A whole decimal integer within [min, max]: an optional '-', digits, nothing else (no blanks, no '+', no leading
 * zeros). False (and `*out` untouched) otherwise.
 */
bool text_to_int(const char *text, int64_t min, int64_t max, int64_t *out);

/*
 * The one of `names[0..count)` that is closest to `text`, or NULL when none is close enough to suggest (more than a
 * third of it, at least one and at most three letters wrong; a transposition counts one). Borrowed from `names`.
 */
const char *text_closest(const char *text, const char *const *names, size_t count);

/*
 * The length of the UTF-8 sequence that NUL-terminated `text` starts with (RFC 3629 section 4: no overlong forms, no
 * surrogates, nothing beyond U+10FFFF) and its code point. The length is 0 when there is no such sequence, or at the
 * end of the text.
 */
size_t text_utf8_decode(const char *text, uint32_t *code);
size_t text_utf8_len(const char *text);

/* Does the UTF-8 text contain a control character (C0, DEL or C1: U+0000 to U+001F, U+007F to U+009F)? */
bool text_has_control(const char *text);

#endif
