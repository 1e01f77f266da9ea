/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internals of the plan builder: its parts, only for plan_build.c (interface and commit) and the files for its kinds of
 * objects: plan_site.c, plan_pool.c, plan_policy.c, plan_slot.c (the policy table), plan_verdict.c (and last sets),
 * plan_zones.c (and RRsets), plan_override.c (and doubts). These kinds hang together, but for overrides: they have a
 * header of their own and keep what they know behind `own`. A new kind does the same, so that nothing is added here.
 */
#ifndef VEER_ZONES_PLAN_PLAN_IMPL_H
#define VEER_ZONES_PLAN_PLAN_IMPL_H

#include "base/arena.h"
#include "base/ptr_list.h"
#include "base/strmap.h"
#include "zones/plan/plan_build.h"

/* A site that exists or is mentioned by a pool. */
struct build_site {
	char name[MODEL_NAME_MAX + 1];
	bool exists;
	bool is_in;            /* true while it does not exist */
	struct ptr_list users; /* pools that mention it */
};

/* A pool that exists or is mentioned by a policy. */
struct build_pool {
	char name[MODEL_NAME_MAX + 1];
	struct arena *arena; /* of `model`; NULL: the pool does not exist */
	struct model_pool model;
	uint8_t *flags;          /* one per endpoint */
	struct policy_pool view; /* the pool as the compiler sees it */
	struct ptr_list users;   /* policies that mention it */
	bool is_dirty;           /* on the list of pools whose flags must be recomputed */
};

/* A policy that exists or that some RRset is bound to. */
struct build_policy {
	char name[MODEL_NAME_MAX + 1];
	struct arena *arena; /* of `model`; NULL: the policy does not exist */
	struct model_policy model;
	struct ptr_list pools; /* that it mentions, each once */
	size_t bindings;       /* RRsets bound to it */
	uint32_t slot;         /* in the policy table, while it has bindings */
	bool is_dirty;         /* on the list of policies to compile */
	bool is_located;       /* it exists, and asks where clients are */
};

/* One version of one zone. */
struct build_version {
	uint64_t version;
	struct trie nodes;            /* working state of struct plan_node */
	struct ready_rrset *negative; /* made from the SOA */
	struct plan_zone *shown;      /* its zone in the trie of zones, or NULL */
	size_t rrsets;
	size_t bound;    /* the number of its RRsets that are bound to a policy */
	bool is_dirty;   /* on the list of versions to be shown again */
	bool is_visible; /* this is the zone's visible version */
	bool is_dropped; /* on the retire list */
	uint8_t name_len;
	uint8_t name[NAME_WIRE_MAX];
};

/* A zone object: which version is visible. */
struct build_zone {
	uint64_t version;
};

/* The last set of a pool: its names, as one block. */
struct build_last {
	unsigned count;
	char names[][MODEL_NAME_MAX + 1];
};

struct plan_builder {
	void *own[MODEL_KIND_COUNT]; /* what the functions of a kind keep, where they alone know its type; NULL: nothing
				      */
	char store_id[PLAN_STORE_ID_SIZE];
	char lineage[PLAN_STORE_ID_SIZE];
	struct strmap sites;    /* name -> struct build_site */
	struct strmap pools;    /* name -> struct build_pool */
	struct strmap policies; /* name -> struct build_policy */
	struct strmap verdicts; /* POOL/NAME -> one of two static states */
	struct strmap lasts;    /* pool -> struct build_last */
	struct strmap zones;    /* apex -> struct build_zone */
	struct strmap versions; /* apex and version -> struct build_version */
	struct trie shown;      /* working state of the zones' trie */
	struct trie_txn txn;
	struct retire_list retired; /* since the last successful commit */
	struct plan *newest;
	struct plan_policy_page **pages; /* working state of the policy table */
	uint64_t *page_txn;              /* transaction that made each page */
	uint32_t page_count;
	uint32_t slot_count;         /* slots ever used */
	struct build_policy **bound; /* by slot */
	uint32_t *free_slots;
	size_t free_slot_count;
	size_t slot_size; /* capacity of `bound` and `free_slots` */
	struct geo_table *geo;
	uint32_t located;             /* policies that ask where clients are */
	struct zone_numbers *numbers; /* borrowed; NULL: zones have none */
	struct ready_builder *ready;
	struct policy_compiler *compiler;
	struct ptr_list dirty_pools;
	struct ptr_list dirty_policies;
	struct ptr_list dirty_versions;
	size_t rrset_count;
	uint64_t compiled;
};

/*
 * For each kind there are three functions: put an object; remove it (no error when it is not there); free everything
 * of the kind, when no reader has a plan. What depends on an object that is put or removed becomes dirty. Errors: those
 * of the model's parser, VEER_EINVAL (the key is not the object's), VEER_ENOMEM.
 */
typedef enum veer_err build_put_fn(struct plan_builder *b, const char *key, const json_t *object,
				   struct veer_diag *diag);
typedef enum veer_err build_del_fn(struct plan_builder *b, const char *key);
typedef void build_free_fn(struct plan_builder *b);

/* plan_site.c */
build_put_fn build_put_site;
build_del_fn build_del_site;
build_free_fn build_free_site;
/* The site of this name, made when it is not there; NULL when memory is out. */
struct build_site *build_need_site(struct plan_builder *b, const char *name);
/* Forget the site unless it exists or is used. */
void build_drop_site(struct plan_builder *b, struct build_site *site);

/* plan_pool.c */
build_put_fn build_put_pool;
build_del_fn build_del_pool;
build_free_fn build_free_pool;
/* The pool of this name, made when it is not there; NULL when memory is out. */
struct build_pool *build_need_pool(struct plan_builder *b, const char *name);
/* Forget the pool unless it exists or is used. */
void build_drop_pool(struct plan_builder *b, struct build_pool *pool);
/* Mark the pool: its flags must be recomputed. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err build_mark_pool(struct plan_builder *b, struct build_pool *pool);
/* Mark all pools. */
VEER_MUST_CHECK enum veer_err build_mark_all_pools(struct plan_builder *b);
/* Mark the pool whose name is the first `len` bytes of `key`, if there is one. */
VEER_MUST_CHECK enum veer_err build_mark_pool_of(struct plan_builder *b, const char *key, size_t len);
/* Recompute the flags of marked pools; their policies become dirty. Errors: VEER_ENOMEM: what is left stays marked. */
VEER_MUST_CHECK enum veer_err build_refresh_pools(struct plan_builder *b);

/* plan_policy.c */
build_put_fn build_put_policy;
build_del_fn build_del_policy;
build_free_fn build_free_policy;
/* The policy of this name, made when it is not there; NULL when memory is out. */
struct build_policy *build_need_policy(struct plan_builder *b, const char *name);
/* Forget the policy unless it exists or is bound. */
void build_drop_policy(struct plan_builder *b, struct build_policy *policy);
/* Mark the policy to be compiled, if something is bound to it. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err build_mark_policy(struct plan_builder *b, struct build_policy *policy);
/* Compile what is dirty. Errors: VEER_ENOMEM: what is left stays dirty. */
VEER_MUST_CHECK enum veer_err build_compile(struct plan_builder *b);

/* plan_slot.c */
/* Count one more RRset bound to the policy `name` and get the policy's slot. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err build_bind(struct plan_builder *b, const char *name, uint32_t *slot);
/* Count one RRset less bound to the policy at `slot`. */
void build_unbind(struct plan_builder *b, uint32_t slot);
/* Set the slot's program for a type; takes the program on success. Errors: VEER_ENOMEM. */
enum veer_err build_set_program(struct plan_builder *b, uint32_t slot, enum plan_bound bound,
				struct policy_program *program);
/* Free the policy table. No reader may have a plan. */
void build_free_slots(struct plan_builder *b);

/* plan_verdict.c */
build_put_fn build_put_verdict, build_put_last;
build_del_fn build_del_verdict, build_del_last;
build_free_fn build_free_verdict, build_free_last;
/*
 * The verdict on this endpoint, POOL/NAME. A verdict that is stored as unknown counts as up; without a verdict the
 * result is unknown.
 */
enum model_state build_verdict(const struct plan_builder *b, const char *key, size_t len);
/* Does the endpoint of this name belong to the last set? */
bool build_is_in_last(const struct build_last *last, const char *name);

/* plan_zones.c */
build_put_fn build_put_zone;
build_del_fn build_del_zone;
build_free_fn build_free_zone; /* with all versions and the trie of zones */
/* Put an RRset into a version of a zone, or bind it to a policy. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err build_put_entry(struct plan_builder *b, const uint8_t *zone, uint64_t version,
					      const uint8_t *owner, const struct plan_entry *entry);
/* Remove an RRset; no error when it is not there. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err build_del_entry(struct plan_builder *b, const uint8_t *zone, uint64_t version,
					      const uint8_t *owner, uint16_t type);
/* Bring the zones' trie up to date. Errors: VEER_ENOMEM: what is left stays dirty. */
VEER_MUST_CHECK enum veer_err build_show(struct plan_builder *b);

#endif
