/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to a name server or a resolver, and what the reply says that a comparison of delegations needs. The only
 * home of ldns.
 *
 * Replies come from strangers: a packet that is not a reply to the question is recognized before anything is allocated,
 * and only a limited number of records of a reply is kept.
 *
 * Threads: pure functions.
 */
#ifndef VEER_API_CONTROL_DELEGATION_MESSAGE_H
#define VEER_API_CONTROL_DELEGATION_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "zones/dns/name.h"

#define DELEGATION_QUESTION_MAX 512 /* bytes of a question: a header, a name, and OPT */
#define DELEGATION_UDP_SIZE 1232    /* largest reply by UDP, to avoid fragments (DNS flag day 2020) */
#define DELEGATION_MESSAGE_MAX 65535
#define DELEGATION_RECORDS_MAX 256 /* records kept from one reply */

struct delegation_question {
	const uint8_t *name; /* in lower case; borrowed */
	uint16_t type;
	bool wants_recursion;
	bool without_edns; /* for servers that refuse OPT */
};

enum delegation_section { DELEGATION_ANSWER, DELEGATION_AUTHORITY, DELEGATION_ADDITIONAL };

/* An NS, A, AAAA, CNAME or SOA record; others are ignored. */
struct delegation_record {
	enum delegation_section section;
	uint16_t type;
	uint32_t ttl;                  /* s */
	uint8_t owner[NAME_WIRE_MAX];  /* in lower case */
	uint8_t target[NAME_WIRE_MAX]; /* NS: the name server, in lower case */
	struct veer_addr addr;         /* A, AAAA */
};

struct delegation_reply {
	unsigned rcode; /* with the upper bits from OPT (RFC 6891 6.1.3) */
	bool is_authoritative;
	bool is_truncated; /* then no records are read: ask by TCP */
	bool is_cut;       /* it has more records than are kept */
	size_t count;
	struct delegation_record records[DELEGATION_RECORDS_MAX];
};

/* Write the question, with an OPT of DELEGATION_UDP_SIZE, into `out` of DELEGATION_QUESTION_MAX bytes. Returns its
 * length; 0 when memory is out. */
size_t delegation_question_write(const struct delegation_question *question, uint16_t id, uint8_t *out);

/*
 * Read a reply. Errors: VEER_EINVAL (it is not a reply to this question: another id, another question, or not a reply),
 * VEER_ECORRUPT (it is one, but cannot be read), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegation_reply_read(const struct delegation_question *question, uint16_t id,
						    const uint8_t *data, size_t len, struct delegation_reply *out);

#endif
