/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversion of RDATA between the text of zone files and octets, for every type of rdata_form.h, and in the generic
 * form for any type (RFC 3597 5). We use our own reader, so that text from outside is either read as its RFC says, to
 * the last character, or refused.
 *
 * Where RFCs leave it open: names, numbers and encoded octets must be without quotation marks, and a quotation mark
 * within a word is refused, except around the value of a service parameter. Signs before numbers, flags and protocols
 * by name, and IPv4 addresses of fewer than four numbers are refused.
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_DNS_RDATA_TEXT_H
#define VEER_ZONES_DNS_RDATA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define RDATA_MAX 65535 /* octets of one RDATA */

/*
 * Read the RDATA in `text`, one logical line without comments and parentheses (zonefile_lines.h), into `out` of
 * RDATA_MAX bytes; relative names are completed by `origin`. The result has the form of its type (rdata_names(),
 * rdata_check()), also when the text is in the generic form, "\# LENGTH HEX". Errors: VEER_EINVAL, with a phrase for
 * people in `*what` (static storage); VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rdata_from_text(uint16_t type, const char *text, const uint8_t *origin, uint8_t *out,
					      size_t *len, const char **what);

/*
 * Append the text of RDATA, which rdata_from_text() reads as the same octets. It is the generic form where the type has
 * no other form, and where the octets do not have the type's form. Errors: none but buf->failed.
 */
void rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, struct buf *out);

/*
 * Check that the RDATA has its type's form, octet for octet, so that rdata_to_text() has a text for it; RDATA of types
 * without a form passes. Errors: VEER_EINVAL, with a phrase for people in `*what`; VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rdata_check_form(uint16_t type, const uint8_t *rdata, size_t len, const char **what);

/*
 * Seconds as in zone files, "3600" or "1h30m", up to `max`, in `len` bytes of text. False when it is not such a number,
 * or too large.
 */
bool rdata_period(const char *text, size_t len, uint32_t max, uint32_t *out);

#endif
