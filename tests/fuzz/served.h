/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the targets around packets share: a plan from the text of zones, and what is true of any reply to any packet.
 * Everything here ends the process when something is not as it must be: for a fuzzer that is a finding.
 */
#ifndef VEER_TESTS_FUZZ_SERVED_H
#define VEER_TESTS_FUZZ_SERVED_H

#include <stdbool.h>

#include "dnsd/packet/respond.h"
#include "zones/plan/plan_build.h"

/* A plan and who answers from it. */
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
/* A zone from text; `origin` in wire form, lower case. */
void served_add_zone(struct served *s, const uint8_t *origin, const char *text);
void served_put(struct served *s, enum model_kind kind, const char *key, const char *value);
void served_commit(struct served *s);

/* Answer; the packet is copied to where one octet read too many is seen. `random` seeds the choice of policies. */
size_t served_ask(struct served *s, const uint8_t *packet, size_t len, const struct client *client, bool is_tcp,
		  uint64_t random);

/* Expand the name at `*at`, in lower case; pointers must lead backwards. Moves `*at` behind it. Returns its length. */
size_t fuzz_name(const uint8_t *message, size_t len, size_t *at, uint8_t *out);
/* The record at `*at`, which moves behind it. */
void fuzz_record_read(const uint8_t *message, size_t len, size_t *at, struct fuzz_record *out);
/* Where the records begin: behind the question. */
size_t fuzz_records_at(const uint8_t *message, size_t len);
/* How many records a section of `message` has by its header. */
unsigned fuzz_count(const uint8_t *message, unsigned section);

/*
 * What holds for each reply to `query`, of which it is the only one: ID, opcode, RD and CD copied (RFC 1035 4.1.1, RFC
 * 4035 3.1.6), RA, Z and AD clear; the question echoed octet by octet or left out; every record whole, every pointer
 * backwards, nothing behind the last one; no record twice, one TTL for an RRset (RFC 2181 5); at most one OPT, owned by
 * the root; over UDP no more octets than the query says that its sender takes (RFC 6891 6.2.5); and ldns
 * reads it.
 */
void served_check_reply(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t reply_len, bool is_tcp);

#endif
