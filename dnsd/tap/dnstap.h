/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnstap: queries and replies to a collector on a Unix socket, as frame streams. A thread that uses libfstrm connects,
 * connects again a second after the connection was lost, and writes; each of its steps ends within a second.
 * Implemented in dnsd/tap/dnstap.c or, in a build without libfstrm, in dnsd/tap/dnstap_none.c.
 *
 * Threads: one, that of the tap; dnstap_stats() from any.
 */
#ifndef VEER_DNSD_TAP_DNSTAP_H
#define VEER_DNSD_TAP_DNSTAP_H

#include "base/err.h"
#include "dnsd/packet/tap_ring.h"

struct dnstap;

/*
 * Send to `where`, "unix:PATH"; a collector need not be there yet. `identity` (text, copied) names this server. Errors:
 * VEER_EUNSUPPORTED (a build without libfstrm), VEER_EINVAL, VEER_ERANGE (the path), VEER_ENOMEM; diag.
 */
VEER_MUST_CHECK enum veer_err dnstap_open(const char *where, const char *identity, struct dnstap **out,
					  struct veer_diag *diag);
/* Send what waits, if a collector is connected, and free everything. */
void dnstap_free(struct dnstap **dnstap);

/* Queue two frames, the query's and the reply's. If there is no room, they are lost and counted. */
void dnstap_add(struct dnstap *dnstap, const struct tap_record *record, const uint8_t *query, const uint8_t *reply);

/* Frames written, and frames lost. */
void dnstap_stats(const struct dnstap *dnstap, uint64_t *written, uint64_t *lost);

#endif
