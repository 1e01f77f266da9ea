/* SPDX-License-Identifier: Apache-2.0 */
/* The safety rule. See safety.h. */
#include "api/control/safety.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "zones/model/eligible.h"

/* A pool that was looked at. */
struct pool {
	char name[MODEL_NAME_MAX + 1];
	bool is_concerned; /* by the change */
	bool is_counted;
	bool is_used; /* by a policy */
	struct safety_count counts[SAFETY_FAMILIES];
};

struct judgement {
	struct directory *directory;
	const struct safety_change *change;
	const char *const *force;
	size_t force_count;
	struct arena *arena;
	struct strmap pools; /* that the change concerns, and others of their policies: name to struct pool */
	struct safety_loss *loss;
	enum veer_err err;
	/* the policy at hand: names of its pools, each once, borrowed */
	const char *names[MODEL_NODES_MAX];
	size_t name_count;
};

bool safety_is_lost(const struct safety_count count[SAFETY_FAMILIES], enum safety_family *family)
{
	for (unsigned f = 0; f < SAFETY_FAMILIES; f++) {
		const struct safety_count *c = &count[f];
		*family = (enum safety_family)f;
		/* where all sites are out, what is left when they come back counts */
		if ((c->all > 0 && c->left == 0) || (c->at_in > 0 && c->left_in == 0) ||
		    (c->eligible > 0 && c->left_eligible == 0))
			return true;
	}
	return false;
}

/* --- one endpoint ----------------------------------------------------------------------------------------- */

static bool take_text(void *ctx, const char *value, const char *wanted)
{
	*(bool *)ctx = value != NULL && strcmp(value, wanted) == 0;
	return true;
}

static bool is_site_out(void *ctx, const struct directory_entry *entry)
{
	return take_text(ctx, json_string_value(json_object_get(entry->object, "state")), "out");
}

static bool is_down(void *ctx, const struct directory_entry *entry)
{
	return take_text(ctx, json_string_value(json_object_get(entry->object, "state")), "down");
}

static bool take_action(void *ctx, const struct directory_entry *entry)
{
	const char *action = json_string_value(json_object_get(entry->object, "action"));
	*(enum model_override_action *)ctx = action == NULL || strcmp(action, "drain") == 0 ? MODEL_OVERRIDE_DRAIN
					     : strcmp(action, "up") == 0                    ? MODEL_OVERRIDE_UP
											    : MODEL_OVERRIDE_DOWN;
	return true;
}

/* How one endpoint stands before and after the change. */
struct standing {
	bool is_in, is_in_after;
	bool is_out_after; /* drained or forced down */
	bool is_eligible;
	bool is_eligible_after;
};

static bool has(const struct strmap *map, const char *key)
{
	return map != NULL && strmap_get(map, key, strlen(key)) != NULL;
}

/* The override that is there after the change. What is given back counts as up, whatever its verdict is now. */
static const enum model_override_action *override_after(const struct safety_change *change, const char *key,
							const enum model_override_action *before)
{
	static const enum model_override_action drain = MODEL_OVERRIDE_DRAIN, up = MODEL_OVERRIDE_UP;
	if (has(change->taken_out, key))
		return &drain;
	return has(change->given_back, key) ? &up : before;
}

static struct standing stand(const struct judgement *j, const char *key, const char *site)
{
	bool site_out = false, down = false;
	enum model_override_action said = MODEL_OVERRIDE_UP;
	if (site != NULL)
		(void)directory_get_locked(j->directory, MODEL_KIND_SITE, site, is_site_out, &site_out);
	bool has_override = directory_get_locked(j->directory, MODEL_KIND_OVERRIDE, key, take_action, &said) == VEER_OK;
	(void)directory_get_locked(j->directory, MODEL_KIND_VERDICT, key, is_down, &down);
	const struct model_standing before = {.verdict = down ? MODEL_STATE_DOWN : MODEL_STATE_UNKNOWN,
					      .override = has_override ? &said : NULL,
					      .is_site_in = !site_out};
	struct model_standing after = before;
	after.override = override_after(j->change, key, before.override);
	if (j->change->site != NULL && site != NULL && strcmp(site, j->change->site) == 0)
		after.is_site_in = false;
	return (struct standing){.is_in = before.is_site_in,
				 .is_in_after = after.is_site_in,
				 .is_out_after = after.override != NULL && *after.override != MODEL_OVERRIDE_UP,
				 .is_eligible = model_is_eligible(&before),
				 .is_eligible_after = model_is_eligible(&after)};
}

static void count_family(struct safety_count *c, const struct standing *s, bool with_verdict)
{
	c->all++;
	c->at_in += s->is_in;
	c->left += !s->is_out_after;
	c->left_in += !s->is_out_after && s->is_in_after;
	c->eligible += with_verdict && s->is_eligible;
	c->left_eligible += s->is_eligible_after;
}

/* Count an endpoint in the families that it can be answered in. */
static void count_endpoint(const struct judgement *j, struct pool *pool, const char *name, const char *site,
			   const char *address)
{
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	struct veer_addr addr;
	(void)snprintf(key, sizeof key, "%s/%s", pool->name, name);
	const struct standing s = stand(j, key, site);
	bool is_host = address == NULL || veer_addr_parse(address, &addr) != VEER_OK;
	bool with_verdict = j->change->pool == NULL;
	if (is_host || addr.family == VEER_FAMILY_V4)
		count_family(&pool->counts[SAFETY_IPV4], &s, with_verdict);
	if (is_host || addr.family == VEER_FAMILY_V6)
		count_family(&pool->counts[SAFETY_IPV6], &s, with_verdict);
}

/* --- one pool --------------------------------------------------------------------------------------------- */

struct counting {
	const struct judgement *j;
	struct pool *pool;
};

static bool count_stored(void *ctx, const struct directory_entry *entry)
{
	struct counting *c = ctx;
	size_t i;
	json_t *e;
	json_array_foreach(json_object_get(entry->object, "endpoints"), i, e)
	{
		const char *name = json_string_value(json_object_get(e, "name"));
		if (name != NULL)
			count_endpoint(c->j, c->pool, name, json_string_value(json_object_get(e, "site")),
				       json_string_value(json_object_get(e, "address")));
	}
	return true;
}

static void count_pool(const struct judgement *j, struct pool *pool)
{
	const struct model_pool *changed = j->change->pool;
	if (pool->is_counted)
		return;
	pool->is_counted = true;
	if (changed == NULL || strcmp(changed->name, pool->name) != 0) {
		struct counting c = {j, pool};
		(void)directory_get_locked(j->directory, MODEL_KIND_POOL, pool->name, count_stored, &c);
		return;
	}
	for (uint32_t i = 0; i < changed->endpoint_count; i++)
		count_endpoint(j, pool, changed->endpoints[i].name, changed->endpoints[i].site,
			       changed->endpoints[i].address);
}

/* The pool, not counted yet; NULL when memory is out. */
static struct pool *pool_of(struct judgement *j, const char *name, size_t len)
{
	struct pool *pool = strmap_get(&j->pools, name, len);
	if (pool != NULL || len > MODEL_NAME_MAX)
		return pool;
	pool = arena_calloc(j->arena, 1, sizeof *pool);
	if (pool == NULL || strmap_put(&j->pools, name, len, pool) != VEER_OK) {
		j->err = VEER_ENOMEM;
		return NULL;
	}
	memcpy(pool->name, name, len);
	return pool;
}

/* --- what the change concerns ----------------------------------------------------------------------------- */

static void concern(struct judgement *j, const char *name, size_t len)
{
	struct pool *pool = pool_of(j, name, len);
	if (pool != NULL)
		pool->is_concerned = true;
}

static void concern_keys(struct judgement *j, const struct strmap *keys)
{
	size_t at = 0;
	if (keys == NULL)
		return;
	for (const char *key; (key = strmap_next(keys, &at)) != NULL;)
		concern(j, key, strcspn(key, "/"));
}

static bool concern_site(void *ctx, const struct directory_entry *entry)
{
	struct judgement *j = ctx;
	size_t i;
	json_t *e;
	json_array_foreach(json_object_get(entry->object, "endpoints"), i, e)
	{
		const char *site = json_string_value(json_object_get(e, "site"));
		if (site != NULL && strcmp(site, j->change->site) == 0) {
			concern(j, entry->key, strlen(entry->key));
			break;
		}
	}
	return j->err == VEER_OK;
}

static void find_concerned(struct judgement *j)
{
	concern_keys(j, j->change->taken_out);
	if (j->change->pool != NULL)
		concern(j, j->change->pool->name, strlen(j->change->pool->name));
	if (j->change->site != NULL)
		directory_list_locked(j->directory, MODEL_KIND_POOL, NULL, concern_site, j);
}

static bool is_forced(const struct judgement *j, const char *pool)
{
	for (size_t i = 0; i < j->force_count; i++)
		if (strcmp(j->force[i], pool) == 0)
			return true;
	return false;
}

/* --- one policy ------------------------------------------------------------------------------------------- */

static bool add_name(void *ctx, const char *name)
{
	struct judgement *j = ctx;
	for (size_t i = 0; i < j->name_count; i++)
		if (strcmp(j->names[i], name) == 0)
			return true;
	if (j->name_count < MODEL_NODES_MAX)
		j->names[j->name_count++] = name;
	return true;
}

static void add_counts(struct safety_count *sum, const struct safety_count *more)
{
	sum->all += more->all;
	sum->at_in += more->at_in;
	sum->left += more->left;
	sum->left_in += more->left_in;
	sum->eligible += more->eligible;
	sum->left_eligible += more->left_eligible;
}

/* Judge what `pools` have together, in the name of `policy`. */
static void judge_together(struct judgement *j, const char *policy, struct pool *const *pools, size_t count)
{
	struct safety_count sum[SAFETY_FAMILIES] = {0};
	const struct pool *concerned = NULL;
	enum safety_family family;
	for (size_t i = 0; i < count; i++) {
		for (unsigned f = 0; f < SAFETY_FAMILIES; f++)
			add_counts(&sum[f], &pools[i]->counts[f]);
		if (pools[i]->is_concerned && is_forced(j, pools[i]->name))
			return;
		concerned = pools[i]->is_concerned ? pools[i] : concerned;
	}
	if (concerned == NULL || j->err != VEER_OK || !safety_is_lost(sum, &family))
		return;
	j->err = VEER_EBUSY;
	(void)snprintf(j->loss->policy, sizeof j->loss->policy, "%s", policy);
	(void)snprintf(j->loss->pool, sizeof j->loss->pool, "%s", concerned->name);
	j->loss->family = family;
}

static bool is_concerned(const struct judgement *j)
{
	for (size_t i = 0; i < j->name_count; i++) {
		const struct pool *pool = strmap_get(&j->pools, j->names[i], strlen(j->names[i]));
		if (pool != NULL && pool->is_concerned)
			return true;
	}
	return false;
}

static bool judge_policy(void *ctx, const struct directory_entry *entry)
{
	struct judgement *j = ctx;
	struct pool *pools[MODEL_NODES_MAX];
	size_t count = 0;
	j->name_count = 0;
	model_policy_pools(entry->object, add_name, j);
	if (!is_concerned(j))
		return true;
	for (size_t i = 0; i < j->name_count && j->err == VEER_OK; i++) {
		struct pool *pool = pool_of(j, j->names[i], strlen(j->names[i]));
		if (pool == NULL)
			continue;
		count_pool(j, pool);
		pool->is_used = true;
		pools[count++] = pool;
	}
	judge_together(j, entry->key, pools, count);
	return j->err == VEER_OK;
}

/* Pools that no policy uses. A site that is out is no word about any of them. */
static void judge_rest(struct judgement *j)
{
	size_t at = 0;
	if (j->change->site != NULL)
		return;
	for (struct pool *pool; j->err == VEER_OK && (pool = strmap_next(&j->pools, &at)) != NULL;) {
		if (pool->is_used)
			continue;
		count_pool(j, pool);
		judge_together(j, "", &pool, 1);
	}
}

/* --- interface -------------------------------------------------------------------------------------------- */

enum veer_err safety_judge(struct directory *directory, const struct safety_change *change, const char *const *force,
			   size_t force_count, struct arena *arena, struct safety_loss *loss)
{
	struct judgement *j = arena_calloc(arena, 1, sizeof *j);
	if (j == NULL)
		return VEER_ENOMEM;
	*j = (struct judgement){.directory = directory,
				.change = change,
				.force = force,
				.force_count = force_count,
				.arena = arena,
				.loss = loss};
	find_concerned(j);
	if (j->err == VEER_OK)
		directory_list_locked(directory, MODEL_KIND_POLICY, NULL, judge_policy, j);
	judge_rest(j);
	strmap_free(&j->pools);
	return j->err;
}

const char *safety_text(const struct safety_loss *loss, struct arena *arena)
{
	const char *family = loss->family == SAFETY_IPV4 ? "IPv4" : "IPv6";
	if (loss->policy[0] == '\0')
		return arena_printf(arena,
				    "the pool \"%s\" would have no endpoint left that is in, and neither drained nor "
				    "forced down (%s)",
				    loss->pool, family);
	return arena_printf(arena, "the policy \"%s\" would have no endpoint left to answer with (%s)", loss->policy,
			    family);
}
