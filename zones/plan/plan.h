/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: all data that a name server answers from, at one revision. A plan is immutable; plans of successive
 * revisions share everything that did not change between them. Plans are made by a plan builder
 * (zones/plan/plan_build.h).
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
	uint32_t slot;                /* bound: the policy's index in the policy table */
	const struct ready_rrset *rr; /* static: the RRset */
};

enum {
	PLAN_NODE_CUT = 1,   /* a delegation: NS below the apex */
	PLAN_NODE_CNAME = 2, /* has a CNAME, static or bound */
	PLAN_NODE_DNAME = 4, /* has a DNAME: names below it are redirected (RFC 6672) */
};

/* A name of a zone with its RRsets; one block of memory. */
struct plan_node {
	uint64_t made_in; /* the builder's transaction that made it: until that commit, no plan contains the node */
	uint16_t entry_count;
	uint16_t entries_at; /* where the entries begin, in bytes from the node */
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
	uint32_t number;                    /* index of its counters; ZONE_NUMBER_NONE: it has none */
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
	const struct geo_table *geo;      /* NULL: clients' locations are not known */
	uint32_t located;                 /* policies that use the location, whether RRsets are bound to them or not */
	size_t rrset_count;               /* of all versions held, visible or not */
	char lineage[PLAN_STORE_ID_SIZE]; /* of the store's history; "" when made from zone files */
};

/* The zone that contains the name of `key`: the one with the longest apex; NULL when no such zone is served. */
const struct plan_zone *plan_zone_find(const struct plan *plan, const struct trie_key *key);
/* The same, but only zones strictly above the name, which answer for DS (RFC 4035 3.1.4.1). */
const struct plan_zone *plan_zone_find_above(const struct plan *plan, const struct trie_key *key);

/* The RRset of `type` at a node, or NULL. */
const struct plan_entry *plan_node_entry(const struct plan_node *node, uint16_t type);
/* All entries of a node; there are node->entry_count of them. */
const struct plan_entry *plan_node_entries(const struct plan_node *node);

/* The compiled policy of a bound entry for its type; NULL when the policy is missing. */
const struct policy_program *plan_program(const struct plan *plan, const struct plan_entry *entry);

/* Map A, AAAA and CNAME to plan_bound; PLAN_BOUND_COUNT for any other type. */
enum plan_bound plan_bound_of(uint16_t type);

#endif
