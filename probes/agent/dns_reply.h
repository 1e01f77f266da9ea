/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DNS question and the judgement of its reply (RFC 1035 4, RFC 5452 9.1), as bytes.
 *
 * Threads: pure functions. Replies are hostile: names are decompressed with pointers that only go back, nothing is
 * allocated, and the work is linear in the length.
 */
#ifndef VEER_PROBES_AGENT_DNS_REPLY_H
#define VEER_PROBES_AGENT_DNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/dns/message.h"
#include "zones/model/model.h"

#define DNS_QUERY_MAX (DNS_HEADER_LEN + NAME_WIRE_MAX + 4)

/* Write the query, with recursion desired and without EDNS, into `out`; returns its length. */
size_t dns_query_write(const struct model_check_dns *dns, uint16_t id, uint8_t out[DNS_QUERY_MAX]);

enum dns_verdict {
	DNS_OTHER,     /* not a reply to this query: another id or question. Wait for the right one */
	DNS_BROKEN,    /* a reply to this query, but malformed */
	DNS_TRUNCATED, /* ask again over TCP */
	DNS_RCODE,     /* another rcode than expected */
	DNS_MISSING,   /* the expected records are not among the answers */
	DNS_GOOD,
};

/* What was found in the reply; zero where reading did not get so far. */
struct dns_seen {
	uint16_t rcode;
	uint32_t record_count; /* records of the requested type in the answer section */
	uint32_t match_count;  /* how many of the expected records were there */
};

/* Judge a message of `len` bytes. Over TCP the truncation bit is ignored. */
enum dns_verdict dns_reply_judge(const struct model_check_dns *dns, uint16_t id, bool is_tcp, const uint8_t *data,
				 size_t len, struct dns_seen *seen);

#endif
