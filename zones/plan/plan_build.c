/* SPDX-License-Identifier: Apache-2.0 */
/* The plan builder: objects by kind, and the commit. See plan_build.h. */
#include "zones/plan/plan_build.h"

#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"
#include "zones/plan/plan_override.h"

#define VALUE_MAX ((size_t)1 << 20) /* of one object's JSON: a feed line is at most that long */

/* Copy a key as text; NULL when it is not valid text or does not fit. The longest keys are names of zones. */
static bool copy_key(const char *key, size_t len, char *out, size_t size)
{
	if (len == 0 || len >= size || memchr(key, '\0', len) != NULL)
		return false;
	memcpy(out, key, len);
	out[len] = '\0';
	return true;
}

/* What the builder does with objects of a kind. */
struct build_kind {
	build_put_fn *put;
	build_del_fn *del;
	build_free_fn *free;
};

/*
 * One row for each kind that is fed; the rows are counted (__COUNTER__), so that the assertion below notices a missing
 * one.
 */
#define ROW(KIND, NOUN) [MODEL_KIND_##KIND + 0 * __COUNTER__] = {build_put_##NOUN, build_del_##NOUN, build_free_##NOUN}

enum { ROWS_BEFORE = __COUNTER__ };

static const struct build_kind kinds[MODEL_KIND_COUNT] = {
	ROW(SITE, site),       ROW(POOL, pool), ROW(POLICY, policy),     ROW(ZONE, zone),
	ROW(VERDICT, verdict), ROW(LAST, last), ROW(OVERRIDE, override),
};

/* RRsets come in a form of their own and are handled by put_rrset() */
_Static_assert(__COUNTER__ - ROWS_BEFORE - 1 == MODEL_KINDS_FED - 1, "each kind that is fed has a row");

struct plan_builder *plan_builder_new(void)
{
	struct plan_builder *b = calloc(1, sizeof *b);
	if (b == NULL)
		return NULL;
	b->txn = (struct trie_txn){.id = 1, .retired = &b->retired};
	trie_init(&b->shown, offsetof(struct plan_zone, name));
	b->ready = ready_builder_new();
	b->compiler = policy_compiler_new();
	if (b->ready == NULL || b->compiler == NULL)
		plan_builder_free(&b);
	return b;
}

void plan_builder_free(struct plan_builder **builder)
{
	struct plan_builder *b = *builder;
	if (b == NULL)
		return;
	for (int kind = 0; kind < MODEL_KIND_COUNT; kind++)
		if (kinds[kind].free != NULL)
			kinds[kind].free(b);
	build_free_slots(b);
	retire_release(&b->retired);
	ready_builder_free(&b->ready);
	policy_compiler_free(&b->compiler);
	geo_free(&b->geo);
	free(b->newest);
	free(b);
	*builder = NULL;
}

static const struct build_kind *find_kind(enum model_kind kind)
{
	return model_kind_is_known(kind) && kinds[kind].put != NULL ? &kinds[kind] : NULL;
}

static enum veer_err put_bound(struct plan_builder *b, const struct rrset_key *key, const uint8_t *policy, size_t len,
			       struct veer_diag *diag)
{
	char name[MODEL_NAME_MAX + 1];
	struct plan_entry entry = {.type = key->type, .is_bound = true};
	if (!copy_key((const char *)policy, len, name, sizeof name) || !model_is_name(name) ||
	    plan_bound_of(key->type) == PLAN_BOUND_COUNT)
		return veer_fail(diag, VEER_EINVAL,
				 "an RRset bound to a policy needs its name and type A, AAAA or CNAME");
	enum veer_err err = build_bind(b, name, &entry.slot);
	if (err != VEER_OK)
		return err;
	err = build_put_entry(b, key->zone, key->version, key->owner, &entry);
	if (err != VEER_OK)
		build_unbind(b, entry.slot);
	return err;
}

/* Inlined into its only caller: there is one call for each RRset of a cold start. */
static inline __attribute__((always_inline)) enum veer_err put_rrset(struct plan_builder *b, const char *key_text,
								     size_t key_len, const uint8_t *value, size_t len,
								     struct veer_diag *diag)
{
	struct rrset_key key;
	struct rrset_view view;
	enum veer_err err = rrset_key_parse(key_text, key_len, &key, diag);
	if (err != VEER_OK)
		return err;
	if (len > 0 && value[0] == 'p')
		return put_bound(b, &key, value + 1, len - 1, diag);
	if (len == 0 || value[0] != 'w')
		return veer_fail(diag, VEER_EINVAL, "an RRset must be in wire form or bound to a policy");
	err = rrset_check(value + 1, len - 1, &view, diag);
	if (err != VEER_OK)
		return err;
	if (view.type != key.type || view.owner_len != key.owner_len ||
	    memcmp(view.owner, key.owner, key.owner_len) != 0)
		return veer_fail(diag, VEER_EINVAL, "an RRset's key and records differ in owner or type");
	return plan_builder_put_rrset(b, key.zone, key.version, &view);
}

enum veer_err plan_builder_put(struct plan_builder *builder, enum model_kind kind, const char *key, size_t key_len,
			       const uint8_t *value, size_t value_len, struct veer_diag *diag)
{
	json_t *object = NULL;
	if (kind == MODEL_KIND_RRSET)
		return put_rrset(builder, key, key_len, value, value_len, diag);
	enum veer_err err = veer_json_parse((const char *)value, value_len, VALUE_MAX, &object, diag);
	if (err == VEER_OK)
		err = plan_builder_put_object(builder, kind, key, key_len, object, diag);
	json_decref(object);
	return err;
}

enum veer_err plan_builder_put_object(struct plan_builder *builder, enum model_kind kind, const char *key,
				      size_t key_len, const json_t *object, struct veer_diag *diag)
{
	char text[NAME_TEXT_SIZE];
	const struct build_kind *row = find_kind(kind);
	if (!copy_key(key, key_len, text, sizeof text))
		return veer_fail(diag, VEER_EINVAL, "malformed key");
	return row != NULL ? row->put(builder, text, object, diag) : VEER_OK;
}

enum veer_err plan_builder_del(struct plan_builder *builder, enum model_kind kind, const char *key, size_t key_len,
			       struct veer_diag *diag)
{
	char text[NAME_TEXT_SIZE];
	const struct build_kind *row = find_kind(kind);
	if (kind == MODEL_KIND_RRSET) {
		struct rrset_key rrset;
		enum veer_err err = rrset_key_parse(key, key_len, &rrset, diag);
		return err == VEER_OK ? build_del_entry(builder, rrset.zone, rrset.version, rrset.owner, rrset.type)
				      : err;
	}
	if (!copy_key(key, key_len, text, sizeof text))
		return veer_fail(diag, VEER_EINVAL, "malformed key");
	enum veer_err err = row != NULL ? row->del(builder, text) : VEER_OK;
	return err == VEER_EINVAL ? veer_fail(diag, err, "malformed key") : err;
}

static void free_geo(void *geo)
{
	struct geo_table *table = geo;
	geo_free(&table);
}

enum veer_err plan_builder_set_geo(struct plan_builder *builder, struct geo_table *geo)
{
	if (retire_reserve(&builder->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	retire_add(&builder->retired, builder->geo, free_geo);
	builder->geo = geo;
	return VEER_OK;
}

struct geo_table *plan_builder_take_geo(struct plan_builder *builder)
{
	struct geo_table *geo = builder->geo;
	builder->geo = NULL;
	return geo;
}

void plan_builder_set_numbers(struct plan_builder *builder, struct zone_numbers *numbers)
{
	builder->numbers = numbers;
}

void plan_builder_set_store_id(struct plan_builder *builder, const char *store_id)
{
	memset(builder->store_id, 0, sizeof builder->store_id);
	memcpy(builder->store_id, store_id, strnlen(store_id, sizeof builder->store_id - 1));
}

void plan_builder_set_lineage(struct plan_builder *builder, const char *lineage)
{
	memset(builder->lineage, 0, sizeof builder->lineage);
	memcpy(builder->lineage, lineage, strnlen(lineage, sizeof builder->lineage - 1));
}

/* The plan and its array of pages, one block. */
static struct plan *new_plan(const struct plan_builder *b, int64_t revision)
{
	struct plan *plan = malloc(sizeof *plan + b->page_count * sizeof *b->pages);
	if (plan == NULL)
		return NULL;
	const struct plan_policy_page **pages = (const struct plan_policy_page **)(void *)(plan + 1);
	for (uint32_t i = 0; i < b->page_count; i++)
		pages[i] = b->pages[i];
	*plan = (struct plan){.revision = revision,
			      .zones = b->shown,
			      .pages = pages,
			      .page_count = b->page_count,
			      .geo = b->geo,
			      .located = b->located,
			      .rrset_count = b->rrset_count};
	memcpy(plan->store_id, b->store_id, sizeof plan->store_id);
	memcpy(plan->lineage, b->lineage, sizeof plan->lineage);
	return plan;
}

static enum veer_err hand_over(struct retire_list *from, struct retire_list *to)
{
	if (to->items == NULL) {
		*to = *from;
		*from = (struct retire_list){0};
		return VEER_OK;
	}
	if (retire_reserve(to, from->count) != VEER_OK)
		return VEER_ENOMEM;
	for (size_t i = 0; i < from->count; i++)
		retire_add(to, from->items[i].ptr, from->items[i].fn);
	from->count = 0;
	return VEER_OK;
}

enum veer_err plan_builder_commit(struct plan_builder *builder, int64_t revision, const struct plan **plan,
				  struct retire_list *retired)
{
	enum veer_err err = build_compile(builder);
	if (err == VEER_OK)
		err = build_show(builder);
	if (err == VEER_OK)
		err = retire_reserve(&builder->retired, 1);
	struct plan *next = err == VEER_OK ? new_plan(builder, revision) : NULL;
	if (next == NULL)
		return VEER_ENOMEM;
	size_t count = builder->retired.count;
	retire_add(&builder->retired, builder->newest, NULL);
	err = hand_over(&builder->retired, retired);
	if (err != VEER_OK) {
		builder->retired.count = count;
		free(next);
		return err;
	}
	builder->newest = next;
	builder->txn.id++;
	*plan = next;
	return VEER_OK;
}

const struct plan *plan_builder_newest(const struct plan_builder *builder)
{
	return builder->newest;
}

enum veer_err plan_builder_want(struct plan_builder *builder, const char *policy)
{
	uint32_t slot;
	return build_bind(builder, policy, &slot);
}

void plan_builder_unwant(struct plan_builder *builder, const char *policy)
{
	const struct build_policy *p = strmap_get(&builder->policies, policy, strlen(policy));
	if (p != NULL && p->bindings > 0)
		build_unbind(builder, p->slot);
}

const struct policy_program *plan_builder_program(const struct plan_builder *builder, const char *policy,
						  enum plan_bound bound)
{
	const struct build_policy *p = strmap_get(&builder->policies, policy, strlen(policy));
	if (p == NULL || p->bindings == 0 || builder->newest == NULL ||
	    p->slot / PLAN_PAGE_SLOTS >= builder->newest->page_count)
		return NULL;
	return builder->newest->pages[p->slot / PLAN_PAGE_SLOTS]->programs[p->slot % PLAN_PAGE_SLOTS][bound];
}

void plan_builder_stats(const struct plan_builder *builder, struct plan_builder_stats *out)
{
	*out = (struct plan_builder_stats){.sites = builder->sites.count,
					   .pools = builder->pools.count,
					   .policies = builder->policies.count,
					   .zones = builder->zones.count,
					   .versions = builder->versions.count,
					   .rrsets = builder->rrset_count,
					   .slots = builder->slot_count - builder->free_slot_count,
					   .compiled = builder->compiled};
}
