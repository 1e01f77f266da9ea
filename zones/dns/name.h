/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names in uncompressed wire format (RFC 1035 3.1): each label follows its length byte, and the root's zero byte
 * ends the name.
 *
 * A name here is a `const uint8_t *`; its length follows from its bytes. Functions without "check" in their contract
 * expect a valid name (made by name_parse() or accepted by name_check()) and never read beyond its last byte.
 * Comparison functions expect both names in lower case (name_lower()); stored names always are.
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_ZONES_DNS_NAME_H
#define VEER_ZONES_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NAME_WIRE_MAX 255   /* bytes of a name, the root's zero included (RFC 1035 2.3.4) */
#define NAME_LABEL_MAX 63   /* bytes of a label (RFC 1035 2.3.4) */
#define NAME_LABELS_MAX 127 /* labels of a name, the root not counted */
#define NAME_TEXT_SIZE 1028 /* of a buffer that takes any name in presentation format, NUL included */

/*
 * Read presentation format (RFC 1035 5.1, escapes \X and \DDD) of `len` bytes into `out` (NAME_WIRE_MAX bytes); the
 * case is kept. A name without a final dot is completed by `origin`, and "@" means `origin` itself; with `origin` NULL
 * both are refused. Errors: VEER_EINVAL (empty label, bad escape, not absolute), VEER_ERANGE (label over 63, name over
 * 255 octets).
 */
VEER_MUST_CHECK enum veer_err name_parse(const char *text, size_t len, const uint8_t *origin, uint8_t *out,
					 size_t *out_len, struct veer_diag *diag);

/*
 * Write presentation format, absolute, with a final dot and NUL, into `out` (NAME_TEXT_SIZE bytes suffice for any
 * name). Bytes outside 0x21-0x7e become \DDD; bytes with a special meaning in zone files become \X. Returns the length
 * without the NUL; 0 when it does not fit.
 */
size_t name_print(const uint8_t *name, char *out, size_t size);

/* Same, with "/" written as \047, for keys whose parts are separated by "/". name_parse() reads both. */
size_t name_print_key(const uint8_t *name, char *out, size_t size);

/* The length in bytes of the valid uncompressed name at `data`, reading at most `max` bytes; 0 when there is none. */
size_t name_check(const uint8_t *data, size_t max);

/* The length of a valid name in bytes, the root's zero included: 1 to 255. */
size_t name_len(const uint8_t *name);

/* Labels of a name, the root not counted: 0 to 127. */
unsigned name_label_count(const uint8_t *name);

/* The name without its first `labels` labels, in place. `labels` must not exceed name_label_count(). */
const uint8_t *name_skip(const uint8_t *name, unsigned labels);

/* ASCII letters to lower case, in place (RFC 4343 3). */
void name_lower(uint8_t *name, size_t len);

/* Same, from `name` to `out`. */
void name_lower_copy(uint8_t *out, const uint8_t *name, size_t len);

/* Compare octet for octet: names that are not in lower case may differ only in case. */
bool name_equal(const uint8_t *a, const uint8_t *b);

/* Canonical order (RFC 4034 6.1): negative, zero, positive. */
int name_compare(const uint8_t *a, const uint8_t *b);

/* How many labels, counted from the root, both names share. */
unsigned name_common_labels(const uint8_t *a, const uint8_t *b);

/* Is `name` at or below `ancestor`? */
bool name_is_under(const uint8_t *name, const uint8_t *ancestor);

/* Is the first label "*" alone (RFC 4592 2.1.1)? */
bool name_is_wildcard(const uint8_t *name);

#endif
