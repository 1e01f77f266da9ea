/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the acting controller does besides deciding, in a thread of its own so that no verdict ever waits for it: ends
 * overrides whose time is over, drains and releases for maintenance windows, deletes old transitions. All of it by
 * commits of a few operations, each with the election as a condition, and all of it judged anew from what is stored: a
 * commit that fails is simply due again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/controller_impl.h"
#include "api/overrides.h"

enum {
	TICK_MS = 200,
	DELETE_AT_ONCE = 80,
	ARENA_BYTES = 256 << 20,
	WAIT_MS = 2000,
	SOURCE_SIZE = 128,
};

/* A stored override as far as it matters here. In the turn's arena. */
struct known {
	const char *key;
	struct model_override model;
	int64_t revision;
};

struct window {
	struct model_maintenance model;
	bool is_on;
	int64_t ends_ns;
};

/* One turn: everything read at one revision. */
struct turn {
	struct controller *c;
	struct arena *arena;
	int64_t now_ns;
	int64_t due_ns;          /* when something is due again, though nothing changes */
	struct known *overrides; /* by key, as are the pools by name */
	size_t override_count;
	struct window *windows;
	size_t window_count;
	struct model_pool *pools;
	size_t pool_count;
	const char **unusable; /* names of pools that cannot be read: whether an endpoint is theirs is not known */
	size_t unusable_count;
	struct chore_block *blocks;
	size_t block_count;
	bool has_written; /* what was read is old now */
	bool failed;      /* memory is out */
};

static void log_unusable(struct controller *c, const struct directory_entry *entry, const struct veer_diag *diag)
{
	log_error(c->config.log, "an object in the store is unusable", LOG_STR("kind", model_kind_text(entry->kind)),
		  LOG_STR("key", entry->key), LOG_STR("why", diag->text));
}

/* --- reading -------------------------------------------------------------------------------------------------- */

static bool read_override(void *ctx, const struct directory_entry *entry)
{
	struct turn *t = ctx;
	struct veer_diag diag = {""};
	struct known *known = &t->overrides[t->override_count];
	known->key = arena_strdup(t->arena, entry->key);
	t->failed = known->key == NULL;
	if (t->failed)
		return false;
	known->revision = entry->revision;
	if (model_override_parse(entry->object, t->arena, &known->model, &diag) != VEER_OK) {
		log_unusable(t->c, entry, &diag);
		return true;
	}
	if (known->model.expires_ns > t->now_ns && known->model.expires_ns < t->due_ns)
		t->due_ns = known->model.expires_ns;
	t->override_count++;
	return true;
}

static bool read_window(void *ctx, const struct directory_entry *entry)
{
	struct turn *t = ctx;
	struct veer_diag diag = {""};
	struct window *w = &t->windows[t->window_count];
	int64_t starts_ns = INT64_MAX;
	if (model_maintenance_parse(entry->object, t->arena, &w->model, &diag) != VEER_OK) {
		log_unusable(t->c, entry, &diag);
		return true;
	}
	t->window_count++;
	w->is_on = model_maintenance_is_on(&w->model, t->now_ns, &starts_ns, &w->ends_ns);
	int64_t due_ns = w->is_on ? w->ends_ns : starts_ns;
	if (due_ns < t->due_ns)
		t->due_ns = due_ns;
	return true;
}

/* One that is not what it is stored under would also stand in the wrong place among the others. */
static bool read_pool(void *ctx, const struct directory_entry *entry)
{
	struct turn *t = ctx;
	struct model_pool *pool = &t->pools[t->pool_count];
	enum veer_err err = model_pool_parse(entry->object, t->arena, pool, NULL);
	if (err == VEER_OK && strcmp(pool->name, entry->key) == 0) {
		t->pool_count++;
		return true;
	}
	const char *name = err != VEER_ENOMEM ? arena_strdup(t->arena, entry->key) : NULL;
	t->failed = name == NULL;
	if (!t->failed)
		t->unusable[t->unusable_count++] = name;
	return !t->failed;
}

static bool count_entry(void *ctx, const struct directory_entry *entry)
{
	(void)entry;
	++*(size_t *)ctx;
	return true;
}

static size_t count_of(struct directory *d, enum model_kind kind)
{
	size_t count = 0;
	directory_list_locked(d, kind, NULL, count_entry, &count);
	return count;
}

/* Read all that is needed; pools only if there is anything that concerns some. */
static void read_all(struct turn *t)
{
	struct directory *d = t->c->config.directory;
	directory_read_begin(d);
	size_t windows = count_of(d, MODEL_KIND_MAINTENANCE), pools = count_of(d, MODEL_KIND_POOL);
	size_t overrides = count_of(d, MODEL_KIND_OVERRIDE);
	t->windows = arena_calloc(t->arena, windows + 1, sizeof *t->windows);
	t->overrides = arena_calloc(t->arena, overrides + 1, sizeof *t->overrides);
	t->failed = t->windows == NULL || t->overrides == NULL;
	if (!t->failed) {
		directory_list_locked(d, MODEL_KIND_OVERRIDE, NULL, read_override, t);
		directory_list_locked(d, MODEL_KIND_MAINTENANCE, NULL, read_window, t);
	}
	if (!t->failed && (overrides > 0 || windows > 0)) {
		t->pools = arena_calloc(t->arena, pools + 1, sizeof *t->pools);
		t->unusable = arena_calloc(t->arena, pools + 1, sizeof *t->unusable);
		t->failed = t->pools == NULL || t->unusable == NULL;
		if (!t->failed)
			directory_list_locked(d, MODEL_KIND_POOL, NULL, read_pool, t);
	}
	directory_read_end(d);
}

/* --- what is so ------------------------------------------------------------------------------------------------ */

static int compare_known(const void *key, const void *known)
{
	return strcmp(key, ((const struct known *)known)->key);
}

static const struct known *override_of(const struct turn *t, const char *key)
{
	return bsearch(key, t->overrides, t->override_count, sizeof *t->overrides, compare_known);
}

static bool is_among(const char *const *names, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void key_of(const struct model_pool *pool, const struct model_endpoint *e, char *out)
{
	(void)snprintf(out, MODEL_ENDPOINT_KEY_MAX + 1, "%s/%s", pool->name, e->name);
}

static bool is_in_scope(const struct model_maintenance *m, const struct model_pool *pool,
			const struct model_endpoint *e)
{
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	key_of(pool, e, key);
	return is_among(m->pools, m->pool_count, pool->name) || is_among(m->sites, m->site_count, e->site) ||
	       is_among(m->endpoints, m->endpoint_count, key);
}

static void source_of(const struct model_maintenance *m, char *out)
{
	(void)snprintf(out, SOURCE_SIZE, "maintenance/%s", m->name);
}

static int compare_pool(const void *name, const void *pool)
{
	return strcmp(name, ((const struct model_pool *)pool)->name);
}

/* The endpoint behind a key; its pool as well. NULL when it is not there (any more). */
static const struct model_endpoint *endpoint_of(const struct turn *t, const char *key, const struct model_pool **pool)
{
	char name[MODEL_ENDPOINT_KEY_MAX + 1];
	size_t len = strcspn(key, "/");
	(void)snprintf(name, sizeof name, "%.*s", (int)len, key);
	*pool = bsearch(name, t->pools, t->pool_count, sizeof *t->pools, compare_pool);
	for (uint32_t i = 0; *pool != NULL && key[len] == '/' && i < (*pool)->endpoint_count; i++)
		if (strcmp((*pool)->endpoints[i].name, key + len + 1) == 0)
			return &(*pool)->endpoints[i];
	return NULL;
}

static bool is_of_unusable(const struct turn *t, const char *key)
{
	size_t len = strcspn(key, "/");
	for (size_t i = 0; i < t->unusable_count; i++)
		if (strncmp(t->unusable[i], key, len) == 0 && t->unusable[i][len] == '\0')
			return true;
	return false;
}

/* Why an override has to go; NULL when it stays. */
static const char *why_over(const struct turn *t, const struct known *k)
{
	char source[SOURCE_SIZE];
	const struct model_pool *pool = NULL;
	const struct model_endpoint *e = endpoint_of(t, k->key, &pool);
	if (k->model.expires_ns != 0 && k->model.expires_ns <= t->now_ns)
		return "expired";
	if (e == NULL)
		return is_of_unusable(t, k->key) ? NULL : "its endpoint is gone";
	if (k->model.source[0] == '\0')
		return NULL;
	for (size_t i = 0; i < t->window_count; i++) {
		const struct window *w = &t->windows[i];
		source_of(&w->model, source);
		if (strcmp(source, k->model.source) == 0)
			return w->is_on && is_in_scope(&w->model, pool, e) ? NULL : "the maintenance window is over";
	}
	return "the maintenance window is gone";
}

/* What a window wants of the endpoints it covers. The texts are written into the caller's memory. */
static struct override_wish wish_of(const struct turn *t, const struct window *w, char source[SOURCE_SIZE],
				    char created[VEER_RFC3339_SIZE], char expires[VEER_RFC3339_SIZE])
{
	source_of(&w->model, source);
	veer_rfc3339(t->now_ns, created);
	veer_rfc3339(w->ends_ns, expires);
	return (struct override_wish){.action = MODEL_OVERRIDE_DRAIN,
				      .owner = w->model.owner,
				      .reason = w->model.reason,
				      .source = source,
				      .expires_at = expires,
				      .created_at = created,
				      .force = w->model.force,
				      .force_count = w->model.force_count,
				      .expect = STORE_ABSENT, /* what somebody says meanwhile stands */
				      .election_revision = t->c->election_revision};
}

/* --- ending overrides ------------------------------------------------------------------------------------------ */

static struct store_op election_op(const struct controller *c)
{
	return (struct store_op){
		.op = STORE_CHECK, .kind = MODEL_KIND_META, .key = "election", .expect = c->election_revision};
}

/* Commit and wait until what is read next has it. */
static bool commit(struct turn *t, const struct store_op *ops, size_t count)
{
	int64_t revision;
	enum veer_err err = store_commit(t->c->config.store, ops, count, STORE_NORMAL, &revision, NULL);
	t->has_written = true;
	if (err == VEER_OK)
		(void)directory_wait(t->c->config.directory, revision, WAIT_MS);
	else
		log_warn(t->c->config.log, "overrides could not be ended, yet", LOG_STR("why", veer_err_text(err)));
	return err == VEER_OK;
}

/* Is some endpoint of the pool neither drained nor forced down? */
static bool has_endpoint_left(const struct turn *t, const struct model_pool *pool)
{
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		key_of(pool, &pool->endpoints[i], key);
		const struct known *known = override_of(t, key);
		if (known == NULL || known->model.action == MODEL_OVERRIDE_UP)
			return true;
	}
	return false;
}

/*
 * The window that goes on where an override ends, NULL without one: another one that overlaps, or the same with a later
 * end. It takes over in one step, so that the endpoint is not answered with in between. It stays out then, which cannot
 * empty a pool; that it is empty already only a window that is forced may prolong.
 */
static const struct window *heir_of(const struct turn *t, const struct known *k)
{
	const struct model_pool *pool = NULL;
	const struct model_endpoint *e = endpoint_of(t, k->key, &pool);
	if (e == NULL || k->model.action == MODEL_OVERRIDE_UP)
		return NULL;
	bool is_empty = !has_endpoint_left(t, pool);
	for (size_t i = 0; i < t->window_count; i++) {
		const struct window *w = &t->windows[i];
		if (w->is_on && is_in_scope(&w->model, pool, e) &&
		    (!is_empty || is_among(w->model.force, w->model.force_count, pool->name)))
			return w;
	}
	return NULL;
}

/* The end of one override, or its change into the drain of the window that goes on. */
static struct store_op end_op(struct turn *t, const struct known *k)
{
	struct store_op op = {.op = STORE_DEL, .kind = MODEL_KIND_OVERRIDE, .key = k->key, .expect = k->revision};
	const struct window *w = heir_of(t, k);
	char source[SOURCE_SIZE], created[VEER_RFC3339_SIZE], expires[VEER_RFC3339_SIZE];
	if (w == NULL)
		return op;
	const struct override_wish wish = wish_of(t, w, source, created, expires);
	t->failed = !overrides_put_op(&wish, k->key, k->revision, t->arena, &op);
	return op;
}

static void end_overrides(struct turn *t)
{
	struct store_op ops[1 + DELETE_AT_ONCE] = {election_op(t->c)};
	size_t count = 1;
	for (size_t i = 0; i < t->override_count && count < 1 + DELETE_AT_ONCE && !t->failed; i++)
		if (why_over(t, &t->overrides[i]) != NULL)
			ops[count++] = end_op(t, &t->overrides[i]);
	if (t->failed || count == 1 || !commit(t, ops, count))
		return;
	for (size_t i = 1; i < count; i++) {
		const struct known *k = override_of(t, ops[i].key);
		const char *what = ops[i].op == STORE_DEL ? "override ended" : "override taken over by maintenance";
		log_notice(t->c->config.log, what, LOG_STR("endpoint", k->key),
			   LOG_STR("action", model_override_text(k->model.action)), LOG_STR("why", why_over(t, k)));
	}
}

/* --- maintenance windows --------------------------------------------------------------------------------------- */

static void add_block(struct turn *t, const struct window *w, const struct model_pool *pool)
{
	if (t->block_count == CHORE_BLOCKS_MAX)
		return;
	struct chore_block *block = &t->blocks[t->block_count++];
	(void)snprintf(block->maintenance, sizeof block->maintenance, "%s", w->model.name);
	(void)snprintf(block->pool, sizeof block->pool, "%s", pool->name);
}

/* Drain these endpoints of one pool for the window. */
static void drain(struct turn *t, const struct window *w, const struct model_pool *pool, const char *const *keys,
		  size_t count)
{
	char source[SOURCE_SIZE], created[VEER_RFC3339_SIZE], expires[VEER_RFC3339_SIZE];
	struct veer_diag diag = {""};
	int64_t revision;
	struct override_wish wish = wish_of(t, w, source, created, expires);
	for (size_t done = 0; done < count; done += OVERRIDES_AT_ONCE) {
		wish.endpoints = keys + done;
		wish.count = count - done < OVERRIDES_AT_ONCE ? count - done : OVERRIDES_AT_ONCE;
		enum veer_err err =
			overrides_put(t->c->config.store, t->c->config.directory, &wish, t->arena, &revision, &diag);
		t->has_written = true;
		if (err == VEER_OK) {
			(void)directory_wait(t->c->config.directory, revision, WAIT_MS);
			log_notice(t->c->config.log, "drained for maintenance", LOG_STR("maintenance", w->model.name),
				   LOG_STR("pool", pool->name), LOG_INT("endpoints", (int64_t)wish.count));
			continue;
		}
		if (err == VEER_EBUSY)
			add_block(t, w, pool);
		else
			log_warn(t->c->config.log, "cannot drain for maintenance, yet",
				 LOG_STR("maintenance", w->model.name), LOG_STR("why", veer_err_text(err)));
		return;
	}
}

/* Drain what the window wants of one pool: all of that, or, if nothing would be left, none of it. */
static void maintain_pool(struct turn *t, const struct window *w, const struct model_pool *pool)
{
	const char **keys = arena_calloc(t->arena, (size_t)pool->endpoint_count + 1, sizeof *keys);
	size_t count = 0, left = 0;
	for (uint32_t i = 0; keys != NULL && i < pool->endpoint_count; i++) {
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		key_of(pool, &pool->endpoints[i], key);
		const struct known *known = override_of(t, key);
		/* What somebody else has said of an endpoint stands. */
		if (known == NULL && is_in_scope(&w->model, pool, &pool->endpoints[i]))
			keys[count++] = arena_strdup(t->arena, key);
		else
			left += known == NULL || known->model.action == MODEL_OVERRIDE_UP;
		t->failed = t->failed || (count > 0 && keys[count - 1] == NULL);
	}
	if (keys == NULL || t->failed || count == 0)
		return;
	if (left == 0 && !is_among(w->model.force, w->model.force_count, pool->name))
		add_block(t, w, pool);
	else
		drain(t, w, pool, keys, count);
}

static void maintain(struct turn *t)
{
	for (size_t i = 0; i < t->window_count; i++)
		for (size_t p = 0; t->windows[i].is_on && p < t->pool_count && !t->failed; p++)
			maintain_pool(t, &t->windows[i], &t->pools[p]);
}

/* Say what is blocked now, and log what was not before. */
static void publish_blocks(struct turn *t)
{
	struct chores *chores = &t->c->chores;
	(void)pthread_mutex_lock(&chores->lock);
	for (size_t i = 0; i < t->block_count; i++) {
		bool is_known = false;
		for (size_t j = 0; j < chores->block_count && !is_known; j++)
			is_known = memcmp(&chores->blocks[j], &t->blocks[i], sizeof t->blocks[i]) == 0;
		if (!is_known)
			log_warn(t->c->config.log, "maintenance would leave a pool without endpoints: not drained",
				 LOG_STR("maintenance", t->blocks[i].maintenance), LOG_STR("pool", t->blocks[i].pool));
	}
	memcpy(chores->blocks, t->blocks, t->block_count * sizeof t->blocks[0]);
	chores->block_count = t->block_count;
	(void)pthread_mutex_unlock(&chores->lock);
}

/* --- the thread ------------------------------------------------------------------------------------------------ */

static void take_turn(struct controller *c, int64_t now_ns, int64_t *due_ns)
{
	struct turn t = {.c = c, .arena = arena_new(ARENA_BYTES), .now_ns = now_ns, .due_ns = INT64_MAX};
	t.blocks = t.arena != NULL ? arena_calloc(t.arena, CHORE_BLOCKS_MAX, sizeof *t.blocks) : NULL;
	t.failed = t.blocks == NULL;
	if (!t.failed)
		read_all(&t);
	if (!t.failed)
		end_overrides(&t);
	/* What was ended is still among what was read: draining waits for the next turn. */
	if (!t.failed && !t.has_written) {
		maintain(&t);
		publish_blocks(&t);
	}
	if (t.failed)
		log_error(c->config.log, "memory is out: overrides and maintenance windows are late");
	*due_ns = t.failed || t.has_written ? now_ns : t.due_ns;
	arena_free(&t.arena);
}

/* False when closing. */
static bool wait_a_while(struct controller *c)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&c->chores.lock);
	if (!c->chores.is_closing)
		(void)pthread_cond_timedwait(&c->chores.wake, &c->chores.lock, &until);
	bool goes_on = !c->chores.is_closing;
	(void)pthread_mutex_unlock(&c->chores.lock);
	return goes_on;
}

static void *chores_main(void *ctx)
{
	struct controller *c = ctx;
	int64_t due_ns = 0, before_ns = 0;
	while (wait_a_while(c)) {
		if (c->is_deposed)
			continue;
		bool is_dirty = atomic_exchange(&c->chores.is_dirty, false);
		int64_t now_ns = veer_clock_wall_ns(c->config.clock);
		/* Nothing has changed, nothing is due, and nobody has set the clock back. */
		if (is_dirty || now_ns >= due_ns || now_ns < before_ns)
			take_turn(c, now_ns, &due_ns);
		before_ns = now_ns;
		controller_history_prune(c);
	}
	return NULL;
}

void controller_chores_changed(struct controller *c)
{
	atomic_store(&c->chores.is_dirty, true);
	(void)pthread_mutex_lock(&c->chores.lock);
	(void)pthread_cond_signal(&c->chores.wake);
	(void)pthread_mutex_unlock(&c->chores.lock);
}

bool controller_chores_start(struct controller *c)
{
	atomic_store(&c->chores.is_dirty, true);
	c->chores.has_thread = pthread_create(&c->chores.thread, NULL, chores_main, c) == 0;
	return c->chores.has_thread;
}

void controller_chores_init(struct controller *c)
{
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->chores.wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&c->chores.lock, NULL);
}

void controller_chores_stop(struct controller *c)
{
	(void)pthread_mutex_lock(&c->chores.lock);
	c->chores.is_closing = true;
	(void)pthread_cond_signal(&c->chores.wake);
	(void)pthread_mutex_unlock(&c->chores.lock);
	if (c->chores.has_thread)
		(void)pthread_join(c->chores.thread, NULL);
	c->chores.has_thread = false;
}

void controller_chores_deinit(struct controller *c)
{
	(void)pthread_cond_destroy(&c->chores.wake);
	(void)pthread_mutex_destroy(&c->chores.lock);
	free(c->chores.keys);
}

json_t *controller_blocked(struct controller *c)
{
	json_t *list = json_array();
	(void)pthread_mutex_lock(&c->chores.lock);
	for (size_t i = 0; i < c->chores.block_count; i++)
		(void)json_array_append_new(list,
					    json_pack("{s:s, s:s}", "maintenance", c->chores.blocks[i].maintenance,
						      "pool", c->chores.blocks[i].pool));
	(void)pthread_mutex_unlock(&c->chores.lock);
	return list;
}
