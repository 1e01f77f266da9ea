/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of policies: a tree of nodes, bounded in depth and size. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "zones/model/continent.h"
#include "zones/model/model.h"
#include "zones/model/model_impl.h"

enum { TTL_DEFAULT = 9, TTL_SUSPECT = 6 };

/* The state that the recursive readers share. */
struct tree_reader {
	struct arena *arena;
	struct veer_diag *diag;
	uint32_t nodes; /* read so far, of MODEL_NODES_MAX */
	bool is_new;    /* country codes must exist */
};

static enum veer_err read_node(struct tree_reader *t, const json_t *value, const char *pointer, int depth,
			       struct model_node *out);

/* Make a JSON pointer for messages; a very long one is cut, which is acceptable there. */
__attribute__((format(printf, 3, 4))) static void join_pointer(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(out, size, fmt, ap);
	va_end(ap);
}

static enum veer_err read_child(struct tree_reader *t, const json_t *value, const char *pointer, const char *step,
				size_t i, int depth, struct model_node *out)
{
	char path[192];
	join_pointer(path, sizeof path, "%s%s/%zu", pointer, step, i);
	return read_node(t, value, path, depth + 1, out);
}

static const char *pool_name(struct json_cursor *c, struct tree_reader *t, const char *text)
{
	if (c->err == VEER_OK && !model_is_name(text))
		veer_json_fail(c, NULL, VEER_EINVAL, "\"%s\" is not the name of a pool", text);
	return model_read_copy(c, t->arena, text);
}

/* Children as an array in `key`: at least one, at most MODEL_LIST_MAX. NULL after an error. */
static struct model_node *new_children(struct json_cursor *c, struct tree_reader *t, const char *key,
				       const json_t *array, size_t extra)
{
	if (c->err != VEER_OK)
		return NULL;
	if (json_array_size(array) == 0) {
		veer_json_fail(c, key, VEER_EINVAL, "must not be empty");
		return NULL;
	}
	return model_read_array(c, t->arena, json_array_size(array) + extra, sizeof(struct model_node));
}

static void read_failover(struct json_cursor *c, struct tree_reader *t, int depth, struct model_node *out)
{
	const json_t *array = veer_json_array(c, "failover", MODEL_LIST_MAX, true);
	struct model_node *children = new_children(c, t, "failover", array, 0);
	for (size_t i = 0; c->err == VEER_OK && i < json_array_size(array); i++)
		c->err = read_child(t, json_array_get(array, i), c->pointer, "/failover", i, depth, &children[i]);
	out->kind = MODEL_NODE_FAILOVER;
	out->children = children;
	out->child_count = (uint32_t)json_array_size(array);
}

static enum veer_err read_weighted_child(struct tree_reader *t, const json_t *value, const char *pointer, int depth,
					 uint16_t *weight, struct model_node *out)
{
	char path[224];
	struct json_cursor c;
	veer_json_begin(&c, value, pointer, t->diag);
	*weight = (uint16_t)veer_json_int(&c, "weight", 0, 65535);
	const json_t *node = veer_json_any(&c, "node");
	join_pointer(path, sizeof path, "%s/node", pointer);
	if (c.err == VEER_OK)
		c.err = read_node(t, node, path, depth + 1, out);
	return veer_json_end(&c);
}

static void read_weighted(struct json_cursor *c, struct tree_reader *t, int depth, struct model_node *out)
{
	const json_t *array = veer_json_array(c, "weighted", MODEL_LIST_MAX, true);
	struct model_node *children = new_children(c, t, "weighted", array, 0);
	uint16_t *weights = model_read_array(c, t->arena, json_array_size(array), sizeof *weights);
	uint32_t sum = 0;
	for (size_t i = 0; c->err == VEER_OK && i < json_array_size(array); i++) {
		char path[224];
		join_pointer(path, sizeof path, "%s/weighted/%zu", c->pointer, i);
		c->err = read_weighted_child(t, json_array_get(array, i), path, depth, &weights[i], &children[i]);
		sum += weights[i];
	}
	if (c->err == VEER_OK && sum == 0)
		veer_json_fail(c, "weighted", VEER_EINVAL, "at least one weight must be above 0");
	out->kind = MODEL_NODE_WEIGHTED;
	out->children = children;
	out->weights = weights;
	out->child_count = (uint32_t)json_array_size(array);
}

/* Codes that people write by mistake for a country whose code is another one, or that no longer has one. */
static const struct {
	char code[3];
	const char *hint;
} not_countries[] = {
	{"UK", "the United Kingdom is GB"},
	{"EL", "Greece is GR"},
	{"EU", "Europe is a continent: \"continents\": [\"EU\"]"},
	{"AP", "Asia is a continent: \"continents\": [\"AS\"]"},
	{"AN", "the Netherlands Antilles are CW, SX and BQ now; Antarctica is AQ"},
	{"SU", "there are RU and others now"},
	{"YU", "there are RS, ME and others now"},
	{"CS", "there are RS and ME, or CZ and SK, now"},
	{"TP", "Timor-Leste is TL"},
	{"ZR", "the Congo is CD"},
	{"BU", "Myanmar is MM"},
	{"FX", "France is FR"},
	{"DD", "Germany is DE"},
};

/* Refuse a code that no country has, because it would never match a client. */
static void check_country(struct json_cursor *c, const char *key, const char *text, uint16_t code)
{
	if (continent_of_country(code) != CONTINENT_NONE)
		return;
	for (size_t i = 0; i < sizeof not_countries / sizeof not_countries[0]; i++)
		if (strcmp(not_countries[i].code, text) == 0) {
			veer_json_fail(c, key, VEER_EINVAL, "\"%s\" is no country's code (ISO 3166-1): %s", text,
				       not_countries[i].hint);
			return;
		}
	veer_json_fail(c, key, VEER_EINVAL, "\"%s\" is no country's code (ISO 3166-1 alpha-2)", text);
}

static const uint16_t *read_codes(struct json_cursor *c, struct tree_reader *t, const char *key, const char *allowed,
				  uint32_t *count)
{
	const json_t *array = veer_json_array(c, key, MODEL_LIST_MAX, false);
	*count = array != NULL ? (uint32_t)json_array_size(array) : 0;
	uint16_t *codes = model_read_array(c, t->arena, *count, sizeof *codes);
	for (size_t i = 0; i < *count && c->err == VEER_OK; i++) {
		const char *text = model_read_string_at(c, key, array, i, 2);
		if (c->err != VEER_OK)
			break;
		if (strlen(text) != 2 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2 ||
		    (allowed != NULL && strstr(allowed, text) == NULL)) {
			veer_json_fail(c, key, VEER_EINVAL, "\"%s\" is not a code%s%s", text,
				       allowed != NULL ? "; known are " : " of two upper-case letters",
				       allowed != NULL ? allowed : "");
			break;
		}
		codes[i] = (uint16_t)(text[0] << 8 | text[1]);
		if (t->is_new && allowed == NULL)
			check_country(c, key, text, codes[i]);
	}
	return codes;
}

static enum veer_err read_rule(struct tree_reader *t, const json_t *value, const char *pointer, int depth,
			       struct model_rule *rule, struct model_node *out)
{
	char path[224];
	struct json_cursor c;
	veer_json_begin(&c, value, pointer, t->diag);
	rule->countries = read_codes(&c, t, "countries", NULL, &rule->country_count);
	rule->continents = read_codes(&c, t, "continents", "AF AN AS EU NA OC SA", &rule->continent_count);
	if (c.err == VEER_OK && rule->country_count + rule->continent_count == 0)
		veer_json_fail(&c, NULL, VEER_EINVAL, "a rule needs \"countries\" or \"continents\"");
	const json_t *node = veer_json_any(&c, "node");
	join_pointer(path, sizeof path, "%s/node", pointer);
	if (c.err == VEER_OK)
		c.err = read_node(t, node, path, depth + 1, out);
	return veer_json_end(&c);
}

static void read_match(struct json_cursor *c, struct tree_reader *t, int depth, struct model_node *out)
{
	const json_t *array = veer_json_array(c, "match", MODEL_LIST_MAX, true);
	struct model_node *children = new_children(c, t, "match", array, 1);
	struct model_rule *rules = model_read_array(c, t->arena, json_array_size(array) + 1, sizeof *rules);
	size_t count = json_array_size(array);
	for (size_t i = 0; c->err == VEER_OK && i < count; i++) {
		char path[224];
		join_pointer(path, sizeof path, "%s/match/%zu", c->pointer, i);
		c->err = read_rule(t, json_array_get(array, i), path, depth, &rules[i], &children[i]);
	}
	const json_t *otherwise = veer_json_any(c, "else");
	if (c->err == VEER_OK && otherwise != NULL) {
		char path[224];
		join_pointer(path, sizeof path, "%s/else", c->pointer);
		c->err = read_node(t, otherwise, path, depth + 1, &children[count]);
		out->has_else = true;
	}
	out->kind = MODEL_NODE_MATCH;
	out->children = children;
	out->rules = rules;
	out->child_count = (uint32_t)(count + (out->has_else ? 1 : 0));
}

static void read_spread(struct json_cursor *c, struct tree_reader *t, int depth, struct model_node *out)
{
	(void)depth;
	out->kind = MODEL_NODE_SPREAD;
	out->pool = pool_name(c, t, veer_json_str(c, "spread", MODEL_NAME_MAX));
}

/* The kinds of nodes that are objects: the key that tells them, whose value is a pool or a list of nodes. */
static const struct {
	const char *key;
	void (*read)(struct json_cursor *c, struct tree_reader *t, int depth, struct model_node *out);
} node_kinds[MODEL_NODE_KIND_COUNT] = {
	[MODEL_NODE_FAILOVER] = {"failover", read_failover},
	[MODEL_NODE_WEIGHTED] = {"weighted", read_weighted},
	[MODEL_NODE_MATCH] = {"match", read_match},
	[MODEL_NODE_SPREAD] = {"spread", read_spread},
};

static void refuse_node(struct json_cursor *c)
{
	char keys[128] = "";
	size_t len = 0;
	for (size_t i = MODEL_NODE_POOL + 1; i < MODEL_NODE_KIND_COUNT && len < sizeof keys; i++)
		len += (size_t)snprintf(keys + len, sizeof keys - len, "%s%s", len > 0 ? ", " : "", node_kinds[i].key);
	veer_json_fail(c, NULL, VEER_EINVAL, "a node is the name of a pool, or has one of %s", keys);
}

static enum veer_err read_node(struct tree_reader *t, const json_t *value, const char *pointer, int depth,
			       struct model_node *out)
{
	struct json_cursor c;
	size_t kind = MODEL_NODE_POOL + 1;
	if (depth > MODEL_DEPTH_MAX)
		return veer_fail(t->diag, VEER_ERANGE, "%s: deeper than %d nodes", pointer, MODEL_DEPTH_MAX);
	if (++t->nodes > MODEL_NODES_MAX)
		return veer_fail(t->diag, VEER_ERANGE, "%s: more than %d nodes", pointer, MODEL_NODES_MAX);
	if (value == NULL)
		return veer_fail(t->diag, VEER_EINVAL, "%s: is missing", pointer);
	if (json_is_string(value)) {
		c = (struct json_cursor){.diag = t->diag};
		join_pointer(c.pointer, sizeof c.pointer, "%s", pointer);
		out->kind = MODEL_NODE_POOL;
		out->pool = pool_name(&c, t, json_string_value(value));
		return c.err;
	}
	veer_json_begin(&c, value, pointer, t->diag);
	while (kind < MODEL_NODE_KIND_COUNT && !veer_json_has(&c, node_kinds[kind].key))
		kind++;
	if (kind < MODEL_NODE_KIND_COUNT)
		node_kinds[kind].read(&c, t, depth, out);
	else if (c.err == VEER_OK)
		refuse_node(&c);
	return veer_json_end(&c);
}

static void read_all_down(struct json_cursor *c, struct arena *arena, struct model_policy *policy)
{
	static const char *const words[] = {
		[MODEL_ALL_DOWN_ALL] = "all", [MODEL_ALL_DOWN_LAST] = "last", [MODEL_ALL_DOWN_SERVFAIL] = "servfail"};
	static_assert(MODEL_ALL_DOWN_POOL == sizeof words / sizeof words[0], "each word is one that a policy may have");
	const json_t *value = veer_json_any(c, "when_all_down");
	if (value == NULL)
		return;
	if (json_is_string(value)) {
		for (int i = 0; i < MODEL_ALL_DOWN_POOL; i++) {
			if (strcmp(json_string_value(value), words[i]) == 0) {
				policy->when_all_down = (enum model_all_down)i;
				return;
			}
		}
	} else if (json_is_object(value) && json_object_size(value) == 1) {
		const char *pool = json_string_value(json_object_get(value, "pool"));
		if (pool != NULL && model_is_name(pool)) {
			policy->when_all_down = MODEL_ALL_DOWN_POOL;
			policy->fallback_pool = model_read_copy(c, arena, pool);
			return;
		}
	}
	veer_json_fail(c, "when_all_down", VEER_EINVAL, "must be all, last, servfail or {\"pool\": NAME}");
}

static enum veer_err parse_policy(const json_t *object, struct arena *arena, bool is_new, struct model_policy *out,
				  struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_policy policy = {0};
	policy.name = model_read_name(&c, arena, "name");
	policy.ttl = (uint32_t)veer_json_int_or(&c, "ttl", 1, 86400, TTL_DEFAULT);
	policy.ttl_suspect = (uint32_t)veer_json_int_or(&c, "ttl_suspect", 1, 86400,
							policy.ttl < TTL_SUSPECT ? policy.ttl : TTL_SUSPECT);
	if (c.err == VEER_OK && policy.ttl_suspect > policy.ttl)
		veer_json_fail(&c, "ttl_suspect", VEER_EINVAL, "must not be above \"ttl\", which is %u", policy.ttl);
	read_all_down(&c, arena, &policy);
	struct model_node *tree = model_read_array(&c, arena, 1, sizeof *tree);
	const json_t *value = veer_json_any(&c, "tree");
	if (tree != NULL) {
		struct tree_reader t = {.arena = arena, .diag = diag, .is_new = is_new};
		c.err = read_node(&t, value, "/tree", 1, tree);
	}
	policy.tree = tree;
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = policy;
	return err;
}

enum veer_err model_policy_parse(const json_t *object, struct arena *arena, struct model_policy *out,
				 struct veer_diag *diag)
{
	return parse_policy(object, arena, false, out, diag);
}

enum veer_err model_policy_parse_new(const json_t *object, struct arena *arena, struct model_policy *out,
				     struct veer_diag *diag)
{
	return parse_policy(object, arena, true, out, diag);
}

bool model_node_uses_location(const struct model_node *node)
{
	if (node->kind == MODEL_NODE_MATCH)
		return true;
	for (uint32_t i = 0; i < node->child_count; i++)
		if (model_node_uses_location(&node->children[i]))
			return true;
	return false;
}

static bool visit_pools(const struct model_node *node, bool (*fn)(void *ctx, const char *pool), void *ctx)
{
	if (node->pool != NULL && !fn(ctx, node->pool))
		return false;
	for (uint32_t i = 0; i < node->child_count; i++)
		if (!visit_pools(&node->children[i], fn, ctx))
			return false;
	return true;
}

void model_node_pools(const struct model_node *node, bool (*fn)(void *ctx, const char *pool), void *ctx)
{
	(void)visit_pools(node, fn, ctx);
}

/* False when `fn` has ended the walk. */
static bool visit_stored(const json_t *node, unsigned depth, bool (*fn)(void *ctx, const char *pool), void *ctx)
{
	size_t i;
	json_t *child;
	if (json_is_string(node))
		return fn(ctx, json_string_value(node));
	for (size_t kind = MODEL_NODE_POOL + 1; kind < MODEL_NODE_KIND_COUNT && depth <= MODEL_DEPTH_MAX; kind++) {
		const json_t *value = json_object_get(node, node_kinds[kind].key);
		if (json_is_string(value) && !fn(ctx, json_string_value(value)))
			return false;
		json_array_foreach(value, i, child)
		{
			const json_t *inner = json_object_get(child, "node");
			if (!visit_stored(inner != NULL ? inner : child, depth + 1, fn, ctx))
				return false;
		}
	}
	const json_t *otherwise = json_object_get(node, "else");
	return depth > MODEL_DEPTH_MAX || otherwise == NULL || visit_stored(otherwise, depth + 1, fn, ctx);
}

void model_policy_pools(const json_t *policy, bool (*fn)(void *ctx, const char *pool), void *ctx)
{
	(void)visit_stored(json_object_get(policy, "tree"), 1, fn, ctx);
}
