/* SPDX-License-Identifier: Apache-2.0 */
/* The plan builder: objects by kind, and the commit. See plan_build.h. */
#include "zones/plan/plan_build.h"

#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

#define VALUE_MAX ((size_t)1 << 20) /* of one object's JSON: a feed line is at most that long */

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
	build_free_zones(b);
	build_free_policies(b);
	build_free_overrides(b);
	retire_release(&b->retired);
	ready_builder_free(&b->ready);
	policy_compiler_free(&b->compiler);
	geo_free(&b->geo);
	free(b->newest);
	free(b);
	*builder = NULL;
}

/* A key as text; NULL when it is none or does not fit. Names of zones are the longest. */
static bool copy_key(const char *key, size_t len, char *out, size_t size)
{
	if (len == 0 || len >= size || memchr(key, '\0', len) != NULL)
		return false;
	memcpy(out, key, len);
	out[len] = '\0';
	return true;
}

static enum veer_err read_zone_key(const char *key, uint8_t *name, struct veer_diag *diag)
{
	size_t len;
	enum veer_err err = name_parse(key, strlen(key), NULL, name, &len, diag);
	if (err == VEER_OK)
		name_lower(name, len);
	return err;
}

static enum veer_err put_zone(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	uint8_t name[NAME_WIRE_MAX];
	const json_t *version = json_object_get(object, "version");
	enum veer_err err = read_zone_key(key, name, diag);
	if (err != VEER_OK)
		return err;
	if (!json_is_integer(version) || json_integer_value(version) < 0)
		return veer_fail(diag, VEER_EINVAL, "/version: must be an integer of at least 0");
	return plan_builder_show_zone(b, name, (uint64_t)json_integer_value(version));
}

static enum veer_err put_json(struct plan_builder *b, enum model_kind kind, const char *key, const json_t *object,
			      struct veer_diag *diag)
{
	switch (kind) {
	case MODEL_KIND_SITE:
		return build_put_site(b, key, object, diag);
	case MODEL_KIND_POOL:
		return build_put_pool(b, key, object, diag);
	case MODEL_KIND_POLICY:
		return build_put_policy(b, key, object, diag);
	case MODEL_KIND_ZONE:
		return put_zone(b, key, object, diag);
	case MODEL_KIND_VERDICT:
		return build_put_verdict(b, key, object, diag);
	case MODEL_KIND_LAST:
		return build_put_last(b, key, object, diag);
	case MODEL_KIND_OVERRIDE:
		return build_put_override(b, key, object, diag);
	case MODEL_KIND_NONE:
	case MODEL_KIND_RRSET:
	case MODEL_KIND_CHECK:
	case MODEL_KIND_AGENT:
	case MODEL_KIND_NAMESERVER:
	case MODEL_KIND_ENROLMENT:
	case MODEL_KIND_TOKEN:
	case MODEL_KIND_META:
	case MODEL_KIND_MAINTENANCE:
	case MODEL_KIND_SETTINGS:
	case MODEL_KIND_TRANSITION:
	case MODEL_KIND_COUNT:
		break;
	}
	return VEER_OK;
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

static enum veer_err put_rrset(struct plan_builder *b, const char *key_text, size_t key_len, const uint8_t *value,
			       size_t len, struct veer_diag *diag)
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

enum veer_err plan_builder_put(struct plan_builder *b, enum model_kind kind, const char *key, size_t key_len,
			       const uint8_t *value, size_t value_len, struct veer_diag *diag)
{
	char text[NAME_TEXT_SIZE];
	json_t *object = NULL;
	if (kind == MODEL_KIND_RRSET)
		return put_rrset(b, key, key_len, value, value_len, diag);
	if (!copy_key(key, key_len, text, sizeof text))
		return veer_fail(diag, VEER_EINVAL, "malformed key");
	enum veer_err err = veer_json_parse((const char *)value, value_len, VALUE_MAX, &object, diag);
	if (err != VEER_OK)
		return err;
	err = put_json(b, kind, text, object, diag);
	json_decref(object);
	return err;
}

enum veer_err plan_builder_del(struct plan_builder *b, enum model_kind kind, const char *key, size_t key_len,
			       struct veer_diag *diag)
{
	char text[NAME_TEXT_SIZE];
	uint8_t name[NAME_WIRE_MAX];
	if (kind == MODEL_KIND_RRSET) {
		struct rrset_key rrset;
		enum veer_err err = rrset_key_parse(key, key_len, &rrset, diag);
		return err == VEER_OK ? build_del_entry(b, rrset.zone, rrset.version, rrset.owner, rrset.type) : err;
	}
	if (!copy_key(key, key_len, text, sizeof text))
		return veer_fail(diag, VEER_EINVAL, "malformed key");
	if (kind != MODEL_KIND_ZONE)
		return build_del_object(b, kind, text);
	enum veer_err err = read_zone_key(text, name, diag);
	return err == VEER_OK ? plan_builder_hide_zone(b, name) : err;
}

static void free_geo(void *geo)
{
	struct geo_table *table = geo;
	geo_free(&table);
}

enum veer_err plan_builder_set_geo(struct plan_builder *b, struct geo_table *geo)
{
	if (retire_reserve(&b->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	retire_add(&b->retired, b->geo, free_geo);
	b->geo = geo;
	return VEER_OK;
}

struct geo_table *plan_builder_take_geo(struct plan_builder *b)
{
	struct geo_table *geo = b->geo;
	b->geo = NULL;
	return geo;
}

void plan_builder_set_numbers(struct plan_builder *b, struct zone_numbers *numbers)
{
	b->numbers = numbers;
}

void plan_builder_set_store_id(struct plan_builder *b, const char *store_id)
{
	memset(b->store_id, 0, sizeof b->store_id);
	memcpy(b->store_id, store_id, strnlen(store_id, sizeof b->store_id - 1));
}

void plan_builder_set_lineage(struct plan_builder *b, const char *lineage)
{
	memset(b->lineage, 0, sizeof b->lineage);
	memcpy(b->lineage, lineage, strnlen(lineage, sizeof b->lineage - 1));
}

const char *plan_builder_store_id(const struct plan_builder *b)
{
	return b->store_id;
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

enum veer_err plan_builder_commit(struct plan_builder *b, int64_t revision, const struct plan **plan,
				  struct retire_list *retired)
{
	enum veer_err err = build_compile(b);
	if (err == VEER_OK)
		err = build_show(b);
	if (err == VEER_OK)
		err = retire_reserve(&b->retired, 1);
	struct plan *next = err == VEER_OK ? new_plan(b, revision) : NULL;
	if (next == NULL)
		return VEER_ENOMEM;
	size_t count = b->retired.count;
	retire_add(&b->retired, b->newest, NULL);
	err = hand_over(&b->retired, retired);
	if (err != VEER_OK) {
		b->retired.count = count;
		free(next);
		return err;
	}
	b->newest = next;
	b->txn.id++;
	*plan = next;
	return VEER_OK;
}

const struct plan *plan_builder_newest(const struct plan_builder *b)
{
	return b->newest;
}

enum veer_err plan_builder_want(struct plan_builder *b, const char *policy)
{
	uint32_t slot;
	return build_bind(b, policy, &slot);
}

void plan_builder_unwant(struct plan_builder *b, const char *policy)
{
	const struct build_policy *p = strmap_get(&b->policies, policy, strlen(policy));
	if (p != NULL && p->bindings > 0)
		build_unbind(b, p->slot);
}

const struct policy_program *plan_builder_program(const struct plan_builder *b, const char *policy,
						  enum plan_bound bound)
{
	const struct build_policy *p = strmap_get(&b->policies, policy, strlen(policy));
	if (p == NULL || p->bindings == 0 || b->newest == NULL || p->slot / PLAN_PAGE_SLOTS >= b->newest->page_count)
		return NULL;
	return b->newest->pages[p->slot / PLAN_PAGE_SLOTS]->programs[p->slot % PLAN_PAGE_SLOTS][bound];
}

void plan_builder_stats(const struct plan_builder *b, struct plan_builder_stats *out)
{
	*out = (struct plan_builder_stats){.sites = b->sites.count,
					   .pools = b->pools.count,
					   .policies = b->policies.count,
					   .zones = b->zones.count,
					   .versions = b->versions.count,
					   .rrsets = b->rrset_count,
					   .slots = b->slot_count - b->free_slot_count,
					   .compiled = b->compiled};
}
