/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record as text: RDATA between text and octets (rdata_text.h has the reader).
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_DNS_RRTEXT_H
#define VEER_ZONES_DNS_RRTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/dns/rrset.h"

#define RRTEXT_MAX 65536 /* bytes of one record's text */

/*
 * Read one record's RDATA, as "10 mail.example." for MX or "\# 4 c0000201" (RFC 3597 5) for any type; relative names
 * are completed by `origin`. No part of the text is lost: comments, and character-strings of several words without
 * quotation marks, are refused. Ownership: `*rdata` is the caller's (free). Errors: VEER_EINVAL, VEER_ERANGE,
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rrtext_parse(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata,
					   size_t *rdata_len, struct veer_diag *diag);

/*
 * The same by the rules of zone files: a comment ends the record, and each word of text is a string of its own. For
 * records that are stored already.
 */
VEER_MUST_CHECK enum veer_err rrtext_parse_line(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata,
						size_t *rdata_len, struct veer_diag *diag);

/*
 * The inverse: text that rrtext_parse() reads as the same octets, "\# ..." where there is no other form.
 * Ownership: `*text` is the caller's (free). Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rrtext_print(uint16_t type, const uint8_t *rdata, size_t rdata_len, char **text);

#endif
