/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: everything that a name server answers from, at one revision. Immutable; plans of neighbouring revisions
 * share all that did not change between them. Made by a plan builder (zones/plan/plan_build.h).
 *
 * Lifetime: a reader may use a plan, and whatever it reaches from it, until its next quiescent state
 * (dnsd/serve/rcu.h). Threads: may be read by all.
 */
#ifndef VEER_ZONES_PLAN_PLAN_H
#define VEER_ZONES_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/dns/trie.h"
#include "zones/dns/zone_numbers.h"
#include "zones/plan/geo.h"
#include "zones/plan/policy.h"
#include "zones/plan/ready.h"

#define PLAN_STORE_ID_SIZE 33 /* 32 hex digits and NUL */
#define PLAN_PAGE_SLOTS 64    /* policies in a page of the policy table */

/* The types that can be bound to a policy, as indexes of compiled programs. */
enum plan_bound { PLAN_BOUND_A, PLAN_BOUND_AAAA, PLAN_BOUND_CNAME, PLAN_BOUND_COUNT };

/* One RRset of a name: static, or bound to a policy. */
struct plan_entry {
	uint16_t type;
	bool is_bound;
	uint32_t slot;                /* bound: the policy's place in the policy table */
	const struct ready_rrset *rr; /* static */
};

enum {
	PLAN_NODE_CUT = 1,   /* a delegation: NS below the apex */
	PLAN_NODE_CNAME = 2, /* has a CNAME, static or bound */
	PLAN_NODE_DNAME = 4, /* has a DNAME: what is below it is elsewhere (RFC 6672) */
};

/* A name of a zone with its RRsets; one block of memory. */
struct plan_node {
	uint64_t made_in; /* the builder's transaction: until its commit, no plan has the node */
	uint16_t entry_count;
	uint16_t entries_at; /* where `entries` begin, bytes from the node */
	uint8_t flags;
	uint8_t name_len;
	uint8_t name[]; /* lower-case wire format; the entries follow, aligned */
};

/* One zone at its visible version; one block of memory. */
struct plan_zone {
	struct trie nodes;                  /* of struct plan_node */
	const struct ready_rrset *soa;      /* NULL when missing: the zone cannot be served */
	const struct ready_rrset *negative; /* the SOA with the TTL of negative answers (RFC 2308 5) */
	bool is_servable;                   /* has SOA and NS at its apex */
	uint32_t number;                    /* of its counters; ZONE_NUMBER_NONE: it has none */
	uint8_t labels;                     /* of the name */
	uint8_t name_len;
	uint8_t name[]; /* lower-case wire format */
};

/* Compiled policies, by slot; NULL where a policy is missing or could not be compiled. */
struct plan_policy_page {
	const struct policy_program *programs[PLAN_PAGE_SLOTS][PLAN_BOUND_COUNT];
};

struct plan {
	char store_id[PLAN_STORE_ID_SIZE]; /* "" when made from zone files */
	int64_t revision;
	struct trie zones; /* of struct plan_zone */
	const struct plan_policy_page *const *pages;
	uint32_t page_count;
	const struct geo_table *geo;      /* NULL: nobody's location is known */
	uint32_t located;                 /* policies that ask for it, bound or not */
	size_t rrset_count;               /* of all versions held, visible or not */
	char lineage[PLAN_STORE_ID_SIZE]; /* of the store's history; "" when made from zone files */
};

/* The zone that the name of `key` lies in: the one with the longest apex; NULL when none is served. */
const struct plan_zone *plan_zone_find(const struct plan *plan, const struct trie_key *key);
/* Same, but only zones strictly above the name (who is asked for DS, RFC 4035 3.1.4.1). */
const struct plan_zone *plan_zone_find_above(const struct plan *plan, const struct trie_key *key);

/* The RRset of `type` at a node, or NULL. */
const struct plan_entry *plan_node_entry(const struct plan_node *node, uint16_t type);
/* All of them; node->entry_count. */
const struct plan_entry *plan_node_entries(const struct plan_node *node);

/* The compiled policy of a bound entry for its type; NULL when the policy is missing. */
const struct policy_program *plan_program(const struct plan *plan, const struct plan_entry *entry);

/* A, AAAA, CNAME to plan_bound; PLAN_BOUND_COUNT for any other type. */
enum plan_bound plan_bound_of(uint16_t type);

#endif
