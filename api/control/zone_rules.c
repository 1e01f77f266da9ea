/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for an RRset: what may exist beside it, and what it may be bound to. See zone_edit.h. */
#include <stdio.h>
#include <string.h>

#include "api/control/zone_edit.h"

enum { PARSE_ARENA_BYTES = 4 << 20 };

/* --- the policy it is bound to ------------------------------------------------------------------------------------ */

/* Does a policy lead to an endpoint with an address of the wanted kind? */
struct search {
	struct directory *directory;
	struct arena *arena;
	struct model_policy policy;
	enum veer_err err;
	int64_t revision;
	enum model_address_kind wanted;
	bool is_found;
};

static bool read_policy(void *ctx, const struct directory_entry *entry)
{
	struct search *s = ctx;
	s->revision = entry->revision;
	s->err = model_policy_parse(entry->object, s->arena, &s->policy, NULL);
	return true;
}

static bool look_at_pool(void *ctx, const struct directory_entry *entry)
{
	struct search *s = ctx;
	struct model_pool pool;
	struct arena *arena = arena_new(PARSE_ARENA_BYTES);
	if (arena != NULL && model_pool_parse(entry->object, arena, &pool, NULL) == VEER_OK)
		for (uint32_t i = 0; i < pool.endpoint_count; i++)
			s->is_found |= pool.endpoints[i].kind == s->wanted;
	arena_free(&arena);
	return true;
}

static bool look_into_pool(void *ctx, const char *pool)
{
	struct search *s = ctx;
	(void)directory_get(s->directory, MODEL_KIND_POOL, pool, look_at_pool, s);
	return !s->is_found;
}

/* The policy must exist and have endpoints to answer with. */
static enum veer_err judge_policy(struct change_draft *draft, struct zone_edit_rrset *r, const char *name)
{
	static const char *const words[] = {[MODEL_ADDRESS_IPV4] = "an IPv4 address",
					    [MODEL_ADDRESS_IPV6] = "an IPv6 address",
					    [MODEL_ADDRESS_HOST] = "a host name"};
	struct search s = {.directory = draft->control->directory, .arena = draft->arena};
	s.wanted = r->key.type == RRTYPE_A      ? MODEL_ADDRESS_IPV4
		   : r->key.type == RRTYPE_AAAA ? MODEL_ADDRESS_IPV6
						: MODEL_ADDRESS_HOST;
	if (directory_get(s.directory, MODEL_KIND_POLICY, name, read_policy, &s) != VEER_OK)
		return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID, "/policy: there is no policy \"%s\"", name);
	if (s.err != VEER_OK)
		return s.err;
	r->policy_revision = s.revision;
	model_node_pools(s.policy.tree, look_into_pool, &s);
	if (!s.is_found && s.policy.fallback_pool != NULL)
		(void)look_into_pool(&s, s.policy.fallback_pool);
	if (s.is_found)
		return VEER_OK;
	return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
			     "/policy: no pool of the policy \"%s\" has an endpoint with %s", name, words[s.wanted]);
}

/* --- what else is in the zone ------------------------------------------------------------------------------------- */

/* Search for an RRset that cannot exist beside the one being written. */
struct neighbours {
	const struct zone_edit *edit;
	const struct rrset_key *key;
	uint16_t excluding;  /* type of an RRset that excludes it; 0: none */
	bool has_descendant; /* for a DNAME: something is below it */
};

/* Does the edit delete the RRset? */
static bool is_deleted(const struct zone_edit *edit, const char *key_text)
{
	for (size_t i = 0; i < edit->count; i++)
		if (edit->rrsets[i].object == NULL && strcmp(edit->rrsets[i].key_text, key_text) == 0)
			return true;
	return false;
}

static bool look_at_neighbour(void *ctx, const struct store_object *object)
{
	struct neighbours *n = ctx;
	uint16_t type;
	const char *slash = strrchr(object->key, '/');
	if (slash == NULL || !rrtype_parse(slash + 1, strlen(slash + 1), &type) || type == n->key->type)
		return true;
	if (!rrtype_may_coexist(n->key->type, type) && !is_deleted(n->edit, object->key))
		n->excluding = type;
	return n->excluding == 0;
}

static bool look_for_descendant(void *ctx, const struct store_object *object)
{
	struct neighbours *n = ctx;
	struct rrset_key key;
	if (rrset_key_parse(object->key, strlen(object->key), &key, NULL) == VEER_OK)
		n->has_descendant = key.owner_len > n->key->owner_len && name_is_under(key.owner, n->key->owner) &&
				    !is_deleted(n->edit, object->key);
	return !n->has_descendant;
}

/* Search among the RRsets that the edit puts. */
static void look_at_edit(struct neighbours *n)
{
	for (size_t i = 0; i < n->edit->count; i++) {
		const struct zone_edit_rrset *r = &n->edit->rrsets[i];
		if (r->object == NULL || &r->key == n->key)
			continue;
		bool is_here = name_equal(r->key.owner, n->key->owner);
		if (is_here && r->key.type != n->key->type && !rrtype_may_coexist(n->key->type, r->key.type))
			n->excluding = r->key.type;
		if (n->key->type == RRTYPE_DNAME && !is_here && name_is_under(r->key.owner, n->key->owner))
			n->has_descendant = true;
	}
}

/* RFC 1034 3.6.2: a CNAME must be alone at its name. */
static enum veer_err judge_name(struct change_draft *draft, struct neighbours *n, const struct zone_edit_rrset *r)
{
	char prefix[RRSET_KEY_SIZE], type[RRSET_TYPE_TEXT_SIZE];
	(void)snprintf(prefix, sizeof prefix, "%s", r->key_text);
	char *slash = strrchr(prefix, '/');
	if (slash != NULL)
		slash[1] = '\0';
	enum veer_err err =
		store_list(draft->control->store, MODEL_KIND_RRSET, prefix, NULL, look_at_neighbour, n, NULL);
	if (err != VEER_OK || n->excluding == 0)
		return err;
	rrtype_print(n->excluding, type);
	if (r->key.type == RRTYPE_CNAME)
		return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
				     "/type: a CNAME must be alone at its name, and there is an RRset of type %s",
				     type);
	return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
			     "/type: there is a CNAME at this name, which must be alone");
}

static enum veer_err judge_dname(struct change_draft *draft, struct neighbours *n)
{
	char prefix[RRSET_KEY_SIZE];
	enum veer_err err = VEER_OK;
	(void)zone_prefix(&n->edit->ref, prefix);
	if (!n->has_descendant)
		err = store_list(draft->control->store, MODEL_KIND_RRSET, prefix, NULL, look_for_descendant, n, NULL);
	if (err != VEER_OK || !n->has_descendant)
		return err;
	return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
			     "/type: there are names below this one, where a DNAME stands nothing may be");
}

/* Is there a DNAME at this name, or will the edit put one? */
static enum veer_err find_dname(struct change_draft *draft, const struct zone_edit *edit, const uint8_t *owner,
				bool *is)
{
	struct store_object found;
	char key[RRSET_KEY_SIZE];
	*is = false;
	for (size_t i = 0; i < edit->count; i++)
		*is = *is || (edit->rrsets[i].object != NULL && edit->rrsets[i].key.type == RRTYPE_DNAME &&
			      name_equal(edit->rrsets[i].key.owner, owner));
	zone_rrset_key(&edit->ref, owner, RRTYPE_DNAME, key);
	if (*is || is_deleted(edit, key))
		return VEER_OK;
	enum veer_err err = store_get(draft->control->store, MODEL_KIND_RRSET, key, draft->arena, &found);
	*is = err == VEER_OK;
	return err == VEER_ENOTFOUND ? VEER_OK : err;
}

/* RFC 6672 2.4: nothing may exist below a DNAME. */
static enum veer_err judge_above(struct change_draft *draft, const struct zone_edit *edit,
				 const struct zone_edit_rrset *r)
{
	unsigned above = name_label_count(r->key.owner) - name_label_count(edit->ref.name);
	for (unsigned i = 1; i <= above; i++) {
		bool is;
		enum veer_err err = find_dname(draft, edit, name_skip(r->key.owner, i), &is);
		if (err != VEER_OK)
			return err;
		if (is)
			return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
					     "/name: is below a DNAME, where nothing may be");
	}
	return VEER_OK;
}

static enum veer_err judge_place(struct change_draft *draft, const struct zone_edit *edit,
				 const struct zone_edit_rrset *r)
{
	struct neighbours n = {.edit = edit, .key = &r->key};
	bool is_apex = name_equal(r->key.owner, edit->ref.name);
	if (r->key.type == RRTYPE_SOA && !is_apex)
		return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
				     "/name: an SOA stands at the zone's own name only");
	if (r->key.type == RRTYPE_CNAME && is_apex)
		return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
				     "/type: no CNAME can stand at the zone's own name; bind A and AAAA to a policy "
				     "instead");
	look_at_edit(&n);
	enum veer_err err = judge_name(draft, &n, r);
	if (err == VEER_OK && r->key.type == RRTYPE_DNAME)
		err = judge_dname(draft, &n);
	return err == VEER_OK ? judge_above(draft, edit, r) : err;
}

enum veer_err zone_rules_judge(struct change_draft *draft, const struct zone_edit *edit, struct zone_edit_rrset *rrset)
{
	enum veer_err err = judge_place(draft, edit, rrset);
	const char *policy = json_string_value(json_object_get(rrset->object, "policy"));
	return err == VEER_OK && policy != NULL ? judge_policy(draft, rrset, policy) : err;
}
