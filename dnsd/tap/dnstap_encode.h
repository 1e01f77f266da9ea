/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dnstap message (dnstap.info: `message Dnstap`, a protocol buffer), encoded by hand: fifteen fields of three kinds
 * need no library.
 *
 * Threads: pure.
 */
#ifndef VEER_DNSD_TAP_DNSTAP_ENCODE_H
#define VEER_DNSD_TAP_DNSTAP_ENCODE_H

#include "base/buf.h"
#include "dnsd/packet/tap_ring.h"

#define DNSTAP_CONTENT_TYPE "protobuf:dnstap.Dnstap"

/* The types of messages that a server sends. */
enum dnstap_type { DNSTAP_AUTH_QUERY = 1, DNSTAP_AUTH_RESPONSE = 2 };

/*
 * Append the message of `type`, with `message` (the query or the reply) of `len` bytes. `identity` is text. All times
 * are the record's: a reply is sent at the end of its batch, and that time is not recorded.
 */
void dnstap_encode(struct buf *out, enum dnstap_type type, const char *identity, const struct tap_record *record,
		   const uint8_t *message, size_t len);

#endif
