/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's zones. Each version of a zone has its own trie of names; nodes that no plan contains are changed in
 * place; at a commit the visible versions that changed are shown anew, by a path copy in the trie of zones.
 */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

#define VERSION_KEY_SIZE (NAME_WIRE_MAX + 8)
/*
 * An upper bound for what one change can retire: a trie path (at most 512 branches), a node, an RRset, programs and a
 * page.
 */
#define RETIRE_ROOM 600

static size_t version_key(uint8_t *out, const uint8_t *zone, uint64_t version)
{
	size_t len = name_len(zone);
	memcpy(out, zone, len);
	memcpy(out + len, &version, sizeof version);
	return len + sizeof version;
}

static struct build_version *find_version(struct plan_builder *b, const uint8_t *zone, uint64_t version)
{
	uint8_t key[VERSION_KEY_SIZE];
	size_t len = version_key(key, zone, version);
	return strmap_get(&b->versions, key, len);
}

static struct build_version *need_version(struct plan_builder *b, const uint8_t *zone, uint64_t version)
{
	uint8_t key[VERSION_KEY_SIZE];
	size_t len = version_key(key, zone, version);
	struct build_version *v = strmap_get(&b->versions, key, len);
	if (v != NULL)
		return v;
	v = calloc(1, sizeof *v);
	if (v == NULL)
		return NULL;
	v->version = version;
	v->name_len = (uint8_t)name_len(zone);
	memcpy(v->name, zone, v->name_len);
	trie_init(&v->nodes, offsetof(struct plan_node, name));
	if (strmap_put(&b->versions, key, len, v) == VEER_OK)
		return v;
	free(v);
	return NULL;
}

static void forget_version(struct plan_builder *b, const struct build_version *v)
{
	uint8_t key[VERSION_KEY_SIZE];
	size_t len = version_key(key, v->name, v->version);
	(void)strmap_del(&b->versions, key, len);
}

static enum veer_err mark_version(struct plan_builder *b, struct build_version *v)
{
	if (v->is_dirty)
		return VEER_OK;
	enum veer_err err = ptr_list_add(&b->dirty_versions, v);
	v->is_dirty = err == VEER_OK;
	return err;
}

/* --- nodes ------------------------------------------------------------------------------------------------ */

static struct plan_entry *entries_of(struct plan_node *node)
{
	return (struct plan_entry *)(void *)((uint8_t *)node + node->entries_at);
}

static void free_node(void *value)
{
	struct plan_node *node = value;
	for (unsigned i = 0; i < node->entry_count; i++)
		free((void *)(uintptr_t)entries_of(node)[i].rr);
	free(node);
}

static struct plan_node *new_node(const struct plan_builder *b, const uint8_t *owner, unsigned entry_count)
{
	size_t len = name_len(owner);
	size_t align = _Alignof(struct plan_entry);
	size_t entries_at = (offsetof(struct plan_node, name) + len + align - 1) / align * align;
	struct plan_node *node = malloc(entries_at + entry_count * sizeof(struct plan_entry));
	if (node == NULL)
		return NULL;
	*node = (struct plan_node){.made_in = b->txn.id,
				   .entry_count = (uint16_t)entry_count,
				   .entries_at = (uint16_t)entries_at,
				   .name_len = (uint8_t)len};
	memcpy(node->name, owner, len);
	return node;
}

static void set_flags(struct plan_node *node, const struct build_version *v)
{
	bool is_apex = node->name_len == v->name_len;
	node->flags = 0;
	for (unsigned i = 0; i < node->entry_count; i++) {
		uint16_t type = entries_of(node)[i].type;
		if (type == RRTYPE_NS && !is_apex)
			node->flags |= PLAN_NODE_CUT;
		if (type == RRTYPE_CNAME)
			node->flags |= PLAN_NODE_CNAME;
		if (type == RRTYPE_DNAME)
			node->flags |= PLAN_NODE_DNAME;
	}
}

/*
 * A copy of `old` (may be NULL) without its entry of `type`, and with `add` (may be NULL) in its place. `*out` is NULL
 * when nothing is left. `*gone` becomes the removed entry; its type is 0 when there was none.
 */
static enum veer_err change_node(const struct plan_builder *b, const struct build_version *v,
				 const struct plan_node *old, const uint8_t *owner, uint16_t type,
				 const struct plan_entry *add, struct plan_node **out, struct plan_entry *gone)
{
	const struct plan_entry *before = old != NULL ? plan_node_entry(old, type) : NULL;
	unsigned count = (old != NULL ? old->entry_count : 0U) - (before != NULL) + (add != NULL);
	*gone = before != NULL ? *before : (struct plan_entry){.type = 0};
	*out = NULL;
	if (count == 0)
		return VEER_OK;
	struct plan_node *node = count <= UINT16_MAX ? new_node(b, owner, count) : NULL;
	if (node == NULL)
		return VEER_ENOMEM;
	unsigned n = 0;
	/* the most requested type comes first, because entries are searched linearly */
	if (add != NULL && (type == RRTYPE_A || old == NULL))
		entries_of(node)[n++] = *add;
	for (unsigned i = 0; old != NULL && i < old->entry_count; i++)
		if (&plan_node_entries(old)[i] != before)
			entries_of(node)[n++] = plan_node_entries(old)[i];
	if (n < count && add != NULL)
		entries_of(node)[n] = *add;
	set_flags(node, v);
	*out = node;
	return VEER_OK;
}

/* Retire an entry that the working state no longer has. Room on the retire list was reserved. */
static void drop_entry(struct plan_builder *b, struct build_version *v, const struct plan_entry *gone)
{
	if (gone->type == 0)
		return;
	if (gone->is_bound) {
		build_unbind(b, gone->slot);
		v->bound--;
	} else {
		retire_add(&b->retired, (void *)(uintptr_t)gone->rr, NULL);
	}
	v->rrsets--;
	b->rrset_count--;
}

static enum veer_err replace_node(struct plan_builder *b, struct build_version *v, const uint8_t *owner,
				  struct plan_node *node)
{
	void *replaced = NULL;
	enum veer_err err;
	if (node != NULL)
		err = trie_set(&v->nodes, &b->txn, node, &replaced);
	else
		err = trie_del(&v->nodes, &b->txn, owner, &replaced);
	if (err != VEER_OK)
		return err;
	/*
	 * A node that no plan contains is freed at once. Otherwise the memory for a name with many types would grow
	 * with the square of their number until the commit.
	 */
	if (replaced != NULL && ((const struct plan_node *)replaced)->made_in == b->txn.id)
		free(replaced);
	else
		retire_add(&b->retired, replaced, NULL);
	return VEER_OK;
}

static enum veer_err set_negative(struct plan_builder *b, struct build_version *v, struct ready_rrset *negative)
{
	if (retire_reserve(&b->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	retire_add(&b->retired, v->negative, NULL);
	v->negative = negative;
	return VEER_OK;
}

static enum veer_err change_entry(struct plan_builder *b, struct build_version *v, const uint8_t *owner, uint16_t type,
				  const struct plan_entry *add)
{
	struct plan_node *node = NULL;
	struct plan_entry gone;
	if (retire_reserve(&b->retired, RETIRE_ROOM) != VEER_OK)
		return VEER_ENOMEM;
	const struct plan_node *old = trie_get(&v->nodes, owner);
	if (old == NULL && add == NULL)
		return VEER_OK;
	enum veer_err err = mark_version(b, v);
	if (err == VEER_OK)
		err = change_node(b, v, old, owner, type, add, &node, &gone);
	if (err != VEER_OK)
		return err;
	err = replace_node(b, v, owner, node);
	if (err != VEER_OK) {
		free(node);
		return err;
	}
	drop_entry(b, v, &gone);
	v->bound += add != NULL && add->is_bound;
	v->rrsets += add != NULL;
	b->rrset_count += add != NULL;
	return VEER_OK;
}

enum veer_err build_put_entry(struct plan_builder *b, const uint8_t *zone, uint64_t version, const uint8_t *owner,
			      const struct plan_entry *entry)
{
	struct build_version *v = need_version(b, zone, version);
	return v != NULL ? change_entry(b, v, owner, entry->type, entry) : VEER_ENOMEM;
}

enum veer_err build_del_entry(struct plan_builder *b, const uint8_t *zone, uint64_t version, const uint8_t *owner,
			      uint16_t type)
{
	struct build_version *v = find_version(b, zone, version);
	if (v == NULL)
		return VEER_OK;
	enum veer_err err = change_entry(b, v, owner, type, NULL);
	if (err == VEER_OK && type == RRTYPE_SOA && name_equal(owner, zone))
		err = set_negative(b, v, NULL);
	return err;
}

/* Make the SOA for negative answers: its TTL is the lesser of its own TTL and its MINIMUM (RFC 2308 5). */
static enum veer_err make_negative(struct plan_builder *b, struct build_version *v, const struct rrset_view *rrset)
{
	struct rdata_span rdata = {0};
	size_t pos = 0;
	struct ready_rrset *negative = NULL;
	if (!rrset_next(rrset, &pos, &rdata) || rdata.len < 4)
		return VEER_EINVAL;
	const uint8_t *m = rdata.data + rdata.len - 4;
	uint32_t ttl = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
	enum veer_err err = ready_from_view(b->ready, rrset, ttl < rrset->ttl ? ttl : rrset->ttl, v->name, &negative);
	if (err == VEER_OK)
		err = set_negative(b, v, negative);
	if (err != VEER_OK)
		free(negative);
	return err;
}

enum veer_err plan_builder_put_rrset(struct plan_builder *builder, const uint8_t *zone, uint64_t version,
				     const struct rrset_view *rrset)
{
	struct build_version *v = need_version(builder, zone, version);
	struct ready_rrset *rr = NULL;
	if (v == NULL)
		return VEER_ENOMEM;
	enum veer_err err = ready_from_view(builder->ready, rrset, rrset->ttl, v->name, &rr);
	if (err != VEER_OK)
		return err;
	struct plan_entry entry = {.type = rrset->type, .rr = rr};
	if (rrset->type == RRTYPE_SOA && name_equal(rrset->owner, v->name))
		err = make_negative(builder, v, rrset);
	if (err == VEER_OK)
		err = change_entry(builder, v, rrset->owner, rrset->type, &entry);
	if (err != VEER_OK)
		free(rr);
	return err;
}

/* --- versions --------------------------------------------------------------------------------------------- */

static enum veer_err set_visible(struct plan_builder *b, struct build_version *v, bool visible)
{
	enum veer_err err = mark_version(b, v);
	if (err == VEER_OK)
		v->is_visible = visible;
	return err;
}

enum veer_err plan_builder_show_zone(struct plan_builder *b, const uint8_t *name, uint64_t version)
{
	size_t len = name_len(name);
	struct build_zone *zone = strmap_get(&b->zones, name, len);
	struct build_version *v = need_version(b, name, version);
	if (v == NULL)
		return VEER_ENOMEM;
	if (zone != NULL && zone->version == version && v->is_visible)
		return VEER_OK;
	struct build_version *old = zone != NULL ? find_version(b, name, zone->version) : NULL;
	if (zone == NULL) {
		zone = calloc(1, sizeof *zone);
		if (zone == NULL || strmap_put(&b->zones, name, len, zone) != VEER_OK) {
			free(zone);
			return VEER_ENOMEM;
		}
	}
	enum veer_err err = set_visible(b, v, true);
	if (err != VEER_OK)
		return err;
	zone->version = version;
	return old != NULL && old != v ? set_visible(b, old, false) : VEER_OK;
}

enum veer_err plan_builder_hide_zone(struct plan_builder *b, const uint8_t *name)
{
	size_t len = name_len(name);
	struct build_zone *zone = strmap_get(&b->zones, name, len);
	if (zone == NULL)
		return VEER_OK;
	struct build_version *v = find_version(b, name, zone->version);
	enum veer_err err = v != NULL ? set_visible(b, v, false) : VEER_OK;
	if (err == VEER_OK)
		free(strmap_del(&b->zones, name, len));
	return err;
}

static bool unbind_node(void *ctx, void *value)
{
	struct plan_builder *b = ctx;
	struct plan_node *node = value;
	for (unsigned i = 0; i < node->entry_count; i++)
		if (entries_of(node)[i].is_bound)
			build_unbind(b, entries_of(node)[i].slot);
	return true;
}

static void free_version(void *value)
{
	struct build_version *v = value;
	trie_free(&v->nodes, free_node);
	free(v->negative);
	free(v);
}

enum veer_err plan_builder_drop_version(struct plan_builder *builder, const uint8_t *zone, uint64_t version)
{
	struct build_version *v = find_version(builder, zone, version);
	if (v == NULL)
		return VEER_OK;
	enum veer_err err = v->is_visible ? plan_builder_hide_zone(builder, zone) : VEER_OK;
	if (err != VEER_OK)
		return err;
	if (v->bound > 0)
		(void)trie_each(&v->nodes, unbind_node, builder);
	v->bound = 0;
	builder->rrset_count -= v->rrsets;
	v->rrsets = 0;
	forget_version(builder, v);
	v->is_dropped = true;
	if (retire_reserve(&builder->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	retire_add(&builder->retired, v, free_version);
	return VEER_OK;
}

/* --- showing ---------------------------------------------------------------------------------------------- */

static struct plan_zone *new_plan_zone(const struct plan_builder *b, const struct build_version *v)
{
	struct plan_zone *z = malloc(sizeof *z + v->name_len);
	if (z == NULL)
		return NULL;
	const struct plan_node *apex = trie_get(&v->nodes, v->name);
	const struct plan_entry *soa = apex != NULL ? plan_node_entry(apex, RRTYPE_SOA) : NULL;
	*z = (struct plan_zone){.nodes = v->nodes,
				.soa = soa != NULL ? soa->rr : NULL,
				.negative = v->negative,
				.number = b->numbers != NULL ? zone_numbers_get(b->numbers, v->name, v->name_len)
							     : ZONE_NUMBER_NONE,
				.labels = (uint8_t)name_label_count(v->name),
				.name_len = v->name_len};
	z->is_servable = z->soa != NULL && z->negative != NULL && plan_node_entry(apex, RRTYPE_NS) != NULL;
	memcpy(z->name, v->name, v->name_len);
	return z;
}

static enum veer_err show_version(struct plan_builder *b, struct build_version *v)
{
	void *replaced = NULL;
	struct plan_zone *z = v->is_visible ? new_plan_zone(b, v) : NULL;
	if ((v->is_visible && z == NULL) || retire_reserve(&b->retired, RETIRE_ROOM) != VEER_OK) {
		free(z);
		return VEER_ENOMEM;
	}
	enum veer_err err = VEER_OK;
	if (z != NULL)
		err = trie_set(&b->shown, &b->txn, z, &replaced);
	else if (v->shown != NULL)
		err = trie_del(&b->shown, &b->txn, v->name, &replaced);
	if (err != VEER_OK) {
		free(z);
		return err;
	}
	retire_add(&b->retired, replaced, NULL);
	v->shown = z;
	return VEER_OK;
}

/* Handle the versions that are no longer visible first, because the new visible version of a zone has the same name. */
static enum veer_err show_all(struct plan_builder *b, bool visible)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < b->dirty_versions.count && err == VEER_OK; i++) {
		struct build_version *v = b->dirty_versions.items[i];
		if (v->is_visible == visible && (visible || v->shown != NULL))
			err = show_version(b, v);
	}
	return err;
}

enum veer_err build_show(struct plan_builder *b)
{
	enum veer_err err = show_all(b, false);
	if (err == VEER_OK)
		err = show_all(b, true);
	if (err != VEER_OK)
		return err;
	for (size_t i = 0; i < b->dirty_versions.count; i++) {
		struct build_version *v = b->dirty_versions.items[i];
		v->is_dirty = false;
		if (!v->is_visible && !v->is_dropped && v->rrsets == 0) {
			forget_version(b, v);
			free_version(v); /* the version is empty, so no plan contains any part of it */
		}
	}
	b->dirty_versions.count = 0;
	return VEER_OK;
}

static enum veer_err read_zone_key(const char *key, uint8_t *name, struct veer_diag *diag)
{
	size_t len;
	enum veer_err err = name_parse(key, strlen(key), NULL, name, &len, diag);
	if (err == VEER_OK)
		name_lower(name, len);
	return err;
}

enum veer_err build_put_zone(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
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

enum veer_err build_del_zone(struct plan_builder *b, const char *key)
{
	uint8_t name[NAME_WIRE_MAX];
	enum veer_err err = read_zone_key(key, name, NULL);
	return err == VEER_OK ? plan_builder_hide_zone(b, name) : err;
}

void build_free_zone(struct plan_builder *b)
{
	size_t at = 0;
	struct build_version *v;
	struct build_zone *zone;
	while ((v = strmap_next(&b->versions, &at)) != NULL)
		free_version(v);
	for (at = 0; (zone = strmap_next(&b->zones, &at)) != NULL;)
		free(zone);
	trie_free(&b->shown, free);
	strmap_free(&b->versions);
	strmap_free(&b->zones);
	ptr_list_free(&b->dirty_versions);
}
