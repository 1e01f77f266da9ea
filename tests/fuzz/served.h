/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the targets that test packets: a plan from the text of zones, and what must hold for any reply to any
 * packet. All functions here end the process when a condition does not hold, which a fuzzer reports as a finding.
 */
#ifndef VEER_TESTS_FUZZ_SERVED_H
#define VEER_TESTS_FUZZ_SERVED_H

#include <stdbool.h>

#include "dnsd/packet/respond.h"
#include "zones/plan/plan_build.h"

/* A plan and the server that answers from it. */
struct served {
	struct plan_builder *builder;
	const struct plan *plan;
	struct responder *responder;
	uint8_t out[ENCODE_MAX]; /* the last reply */
};

/* One record of a message; offsets and lengths in octets. */
struct fuzz_record {
	unsigned section;             /* 0 answer, 1 authority, 2 additional */
	uint8_t owner[NAME_WIRE_MAX]; /* expanded, in lower case */
	uint16_t type;
	uint16_t rclass;
	uint32_t ttl;
	size_t rdata_at;
	size_t rdata_len;
};

/* Abort unless `ok`. */
void fuzz_check(bool ok);

struct served *served_new(void);
void served_free(struct served *s);
/* Add a zone from text; `origin` in wire form, lower case. */
void served_add_zone(struct served *s, const uint8_t *origin, const char *text);
void served_put(struct served *s, enum model_kind kind, const char *key, const char *value);
void served_commit(struct served *s);

/*
 * Get the answer. The packet is copied to memory where a read of one octet too many is detected. `random` seeds the
 * choice of policies.
 */
size_t served_ask(struct served *s, const uint8_t *packet, size_t len, const struct client *client, bool is_tcp,
		  uint64_t random);

/*
 * Expand the name at `*at` in lower case; pointers must lead backwards. Moves `*at` to after the name. Returns its
 * length.
 */
size_t fuzz_name(const uint8_t *message, size_t len, size_t *at, uint8_t *out);
/* Read the record at `*at` and move `*at` to after it. */
void fuzz_record_read(const uint8_t *message, size_t len, size_t *at, struct fuzz_record *out);
/* The offset of the first record, after the question. */
size_t fuzz_records_at(const uint8_t *message, size_t len);
/* How many records a section of `message` has by its header. */
unsigned fuzz_count(const uint8_t *message, unsigned section);

/*
 * Check what must hold for the only reply to `query`: ID, opcode, RD and CD copied (RFC 1035 4.1.1, RFC 4035 3.1.6),
 * RA, Z and AD clear; the question echoed octet by octet or left out; every record complete, every pointer backwards,
 * nothing after the last record; no record twice, one TTL per RRset (RFC 2181 5); at most one OPT, owned by the root;
 * over UDP no more octets than the query says that its sender accepts (RFC 6891 6.2.5); and ldns reads it.
 */
void served_check_reply(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t reply_len, bool is_tcp);

#endif
