/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a reference target, as an agent's operator writes it: "HOST:PORT", "[V6]:PORT" or "icmp:HOST".
 *
 * Threads: pure functions.
 */
#ifndef VEER_PROBES_VERDICT_REFERENCE_ADDRESS_H
#define VEER_PROBES_VERDICT_REFERENCE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REFERENCES_MAX 16       /* of one agent */
#define REFERENCE_HOST_SIZE 256 /* with a final dot and NUL */
#define REFERENCE_TEXT_SIZE 320

struct reference_address {
	char text[REFERENCE_TEXT_SIZE]; /* as it was written */
	char host[REFERENCE_HOST_SIZE]; /* a literal, or an absolute name */
	bool is_icmp;                   /* ICMP echo; otherwise a TCP connection */
	uint16_t port;                  /* host order; 0 for ICMP */
};

/* Read one address. Errors: VEER_EINVAL with the text in the diag; `out` is undefined then. */
VEER_MUST_CHECK enum veer_err reference_address_parse(const char *text, struct reference_address *out,
						      struct veer_diag *diag);
/*
 * Check that all of them can be read, and that there are not too many. Errors: VEER_EINVAL, VEER_ELIMIT (over
 * REFERENCES_MAX).
 */
VEER_MUST_CHECK enum veer_err reference_addresses_check(const char *const *texts, size_t count, struct veer_diag *diag);

#endif
