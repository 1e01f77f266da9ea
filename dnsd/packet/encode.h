/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a decision to the bytes of a reply. The question is echoed as it came, letter case included; names are
 * compressed (RFC 1035 4.1.4); RRsets that do not fit are left out completely, and TC is set if one of them was
 * required (RFC 2181 9).
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_DNSD_PACKET_ENCODE_H
#define VEER_DNSD_PACKET_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "dnsd/packet/lookup.h"

#define ENCODE_MAX 65535 /* bytes of a message over TCP */

/* How long a reply over UDP may be (RFC 6891 6.2.5, and our own EDNS_UDP_SIZE). */
size_t encode_udp_limit(const struct query *q);

/*
 * Write the reply to `q` into `out`, which takes `limit` bytes (at least 512). Returns its length.
 */
size_t encode_answer(const struct query *q, const struct answer *answer, uint8_t *out, size_t limit);

/*
 * Write a reply without records: the header, the question and OPT if the query had them, and with NOTAUTH to a signed
 * query a TSIG record, as described in tsig.h. Returns its length.
 */
size_t encode_error(const struct query *q, enum dns_rcode rcode, uint8_t *out, size_t limit);

#endif
