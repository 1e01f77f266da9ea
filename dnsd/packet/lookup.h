/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a question to a decision: which RRsets go into which section, with which RCODE (RFC 1034 4.3.2 with the
 * wildcards of RFC 4592, the redirection of RFC 6672, negative answers of RFC 2308, minimal ANY of RFC 8482). Zone
 * transfers are refused. Nothing is copied: the answer refers to the plan.
 *
 * A lookup begins, takes some steps and is decided. The steps only fetch memory. Between the steps of one query those
 * of others can run, so that the queries of a batch wait for memory together.
 *
 * Threads: pure; the scratch is the caller's.
 */
#ifndef VEER_DNSD_PACKET_LOOKUP_H
#define VEER_DNSD_PACKET_LOOKUP_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "dnsd/packet/client.h"
#include "dnsd/packet/query.h"
#include "zones/plan/plan.h"

#define ANSWER_CHAIN_MAX 12 /* CNAMEs followed, including those made from a DNAME */
#define ANSWER_ITEMS_MAX                                                                                               \
	254               /* RRsets in one answer, an index of them in 8 bits: the chain, an authority, addresses      \
			   */
#define ANSWER_QNAME 0xff /* answer_item.base: the question's name */
#define ANSWER_FOUND 0xff /* answer_item.made_of: the RRset is in the plan */

enum answer_section {
	ANSWER_SECTION_ANSWER,
	ANSWER_SECTION_AUTHORITY,
	ANSWER_SECTION_ADDITIONAL,
	ANSWER_SECTION_COUNT
};

/*
 * One RRset of an answer. Its owner is a name that the message contains already: the question's, or one in the RDATA of
 * an earlier item, without some leading labels.
 */
struct answer_item {
	const struct ready_rrset *rr;
	uint8_t section;   /* enum answer_section */
	uint8_t base;      /* ANSWER_QNAME, or the index of an earlier item */
	uint16_t target;   /* the index of the target among that item's targets */
	uint8_t skip;      /* labels of that name to leave out */
	uint8_t apex_skip; /* labels of the owner before the zone's apex */
	uint8_t made_of;   /* for a CNAME made from a DNAME: the index of the DNAME's item, whose target serves as
			    * this RRset's apex; otherwise ANSWER_FOUND */
	bool is_required;  /* if it does not fit, the reply is truncated (TC); an RRset that is not required is just
			    * left out */
};

/* The decision. Need not be zeroed. */
struct answer {
	enum dns_rcode rcode;
	enum edns_error error;                /* the extended error to send */
	bool is_authoritative;                /* AA */
	bool uses_location;                   /* the client's location could have changed it */
	struct geo_location location;         /* valid if has_location */
	bool has_location;                    /* the location was looked up */
	const struct policy_outcome *outcome; /* the last policy decision in the chain, or NULL */
	unsigned item_count;
	struct answer_item items[ANSWER_ITEMS_MAX];
	unsigned name_count;
	uint8_t names[ANSWER_CHAIN_MAX + 1][NAME_WIRE_MAX]; /* the names of the chain, the question's first */
	struct trie_path path;                              /* the path of the last name */
	struct trie_key key;                                /* the key of the chain's last name, unless that is the
							     * question's name */
	/* CNAMEs made from DNAMEs, at most one per name of the chain */
	alignas(struct ready_rrset) uint8_t cnames[ANSWER_CHAIN_MAX + 1][READY_CNAME_SIZE];
};

/* A lookup under way. Need not be zeroed. */
struct lookup_start {
	const struct plan_zone *zone; /* the zone that answers; NULL: none of our zones does */
	uint16_t qtype;
	bool is_walking;
	bool is_ready; /* nothing is left to fetch */
	struct trie_key key;
	struct trie_walk walk;
	struct trie_path path;
};

/* Begin the lookup of `q`, whose verdict was QUERY_ANSWER; `q` and the plan must stay valid. */
void lookup_begin(const struct plan *plan, const struct query *q, struct lookup_start *start);
/* Take one step; false when further steps are of no use. */
bool lookup_step(struct lookup_start *start);
/* Decide, whether or not all steps were taken. `random` are fresh random bits. */
void lookup_decide(const struct plan *plan, const struct query *q, const struct client *client, uint64_t random,
		   struct lookup_start *start, struct answer *out);

#endif
