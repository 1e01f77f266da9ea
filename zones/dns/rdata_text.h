/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RDATA between the text of zone files and octets, for every type of rdata_form.h and the generic form of any (RFC 3597
 * 5). Our own reader: text from outside is either read as its RFC says, to the last character, or refused.
 *
 * Where RFCs leave it open: names, numbers and encoded octets stand without quotation marks, and none stands within a
 * word (but around the value of a service parameter); the sign of a number, flags and protocols by name, and addresses
 * of fewer than four numbers are refused.
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
 * rdata_check()), also when the text is the generic form, "\# LENGTH HEX". Errors: VEER_EINVAL, `*what` then is a
 * phrase for people (static storage); VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rdata_from_text(uint16_t type, const char *text, const uint8_t *origin, uint8_t *out,
					      size_t *len, const char **what);

/*
 * Append the text of RDATA, which rdata_from_text() reads as the same octets: the generic form where the type has no
 * other, and where the octets are not of that type's form. Errors: none but buf->failed.
 */
void rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, struct buf *out);

/*
 * Is the RDATA of its type's form, octet for octet, so that rdata_to_text() has a text for it? True for types without a
 * form. Errors: `*what` is a phrase for people. VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rdata_check_form(uint16_t type, const uint8_t *rdata, size_t len, const char **what);

/*
 * Seconds as in zone files, "3600" or "1h30m", up to `max`, in `len` bytes of text. False when it is no such number or
 * too big.
 */
bool rdata_period(const char *text, size_t len, uint32_t max, uint32_t *out);

#endif
