/* SPDX-License-Identifier: Apache-2.0 */
#include "dnsd/replica/replica.h"

#include <stdlib.h>
#include <string.h>

#include "dnsd/replica/replica_impl.h"

enum {
	COMMIT_BYTES = 128 << 20,
	PARSED_BYTES = 4 << 20, /* the most text of pending objects that is kept in parsed form */
};

struct plan_builder *replica_new_builder(const struct replica *r)
{
	struct plan_builder *b = plan_builder_new();
	if (b != NULL)
		plan_builder_set_numbers(b, r->config.numbers);
	return b;
}

struct replica *replica_new(const struct replica_config *config)
{
	struct replica *r = calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	r->config = *config;
	r->config.geo = NULL;
	r->arena = arena_new(COMMIT_BYTES);
	r->builder = replica_new_builder(r);
	if (r->arena == NULL || r->builder == NULL || plan_builder_set_geo(r->builder, config->geo) != VEER_OK) {
		replica_free(&r);
		return NULL;
	}
	r->adopts_any = config->adopts_any;
	replica_remember(r);
	return r;
}

static void drop_pending(struct replica *r)
{
	for (const struct pending *p = r->first; p != NULL; p = p->next)
		json_decref((json_t *)(uintptr_t)p->change.object);
	r->first = r->last = NULL;
	r->parsed_bytes = 0;
	r->added = (struct digest_pair){0};
	arena_reset(r->arena);
}

void replica_free(struct replica **replica)
{
	struct replica *r = *replica;
	if (r == NULL)
		return;
	if (r->arena != NULL)
		drop_pending(r);
	plan_builder_free(&r->fresh);
	plan_builder_free(&r->builder);
	arena_free(&r->arena);
	free(r->doubts);
	free(r);
	*replica = NULL;
}

static void free_builder(void *ptr)
{
	struct plan_builder *builder = ptr;
	plan_builder_free(&builder);
}

enum veer_err replica_apply(struct replica *r, struct plan_builder *builder, const struct feed_change *change,
			    struct veer_diag *diag)
{
	enum veer_err err;
	if (change->is_del)
		err = plan_builder_del(builder, change->kind, change->key, change->key_len, diag);
	else if (change->object != NULL)
		err = plan_builder_put_object(builder, change->kind, change->key, change->key_len, change->object,
					      diag);
	else
		err = plan_builder_put(builder, change->kind, change->key, change->key_len, change->value,
				       change->value_len, diag);
	if (err == VEER_OK || err == VEER_ENOMEM)
		return err;
	log_error(r->config.log, "an object of the feed is unusable, what was served under its name stays",
		  LOG_STR("kind", model_kind_text(change->kind)), LOG_STR("key", change->key),
		  LOG_STR("why", diag->text));
	return VEER_OK;
}

/* Tell the builder which endpoints are in doubt. An error here only leaves some TTLs unchanged. */
static bool doubt(const struct replica *r, struct plan_builder *builder)
{
	bool changed = false;
	const char **keys = calloc(r->doubt_count + 1, sizeof *keys);
	for (size_t i = 0; keys != NULL && i < r->doubt_count; i++)
		keys[i] = r->doubts[i];
	if (keys == NULL || plan_builder_set_doubt(builder, keys, r->doubt_count, &changed) != VEER_OK)
		log_error(r->config.log, "memory is out: some answers keep their TTL while in doubt");
	free(keys);
	return changed;
}

/* Give the locations back to the builder in use, and free what the fresh builder has made, which no reader has seen. */
static void undo_switch(struct replica *r, struct retire_list *retired)
{
	(void)plan_builder_set_geo(r->builder, plan_builder_take_geo(r->fresh));
	retire_release(retired);
}

enum veer_err replica_switch(struct replica *r, const struct history_position *at, bool is_offered,
			     struct veer_diag *diag)
{
	const struct plan *plan;
	struct retire_list retired = {0};
	if (retire_reserve(&retired, 1) != VEER_OK)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	plan_builder_set_store_id(r->fresh, at->store_id);
	plan_builder_set_lineage(r->fresh, at->lineage);
	(void)doubt(r, r->fresh);
	struct geo_table *geo = plan_builder_take_geo(r->builder);
	enum veer_err err = plan_builder_set_geo(r->fresh, geo);
	if (err == VEER_OK)
		err = plan_builder_commit(r->fresh, at->revision, &plan, &retired);
	if (err != VEER_OK)
		(void)veer_fail(diag, err, "the full state cannot be applied: %s", veer_err_text(err));
	else if (is_offered)
		err = replica_check_zones(r, plan_builder_newest(r->builder), plan, at->revision, diag);
	if (err != VEER_OK) {
		undo_switch(r, &retired);
		return err;
	}
	if (is_offered && !r->stream.is_continuation)
		replica_note_serials(r, plan_builder_newest(r->builder), plan);
	/* Reserve again, because the commit may have used the reserved place. */
	struct plan_builder *old = r->builder;
	if (retire_reserve(&retired, 1) == VEER_OK)
		retire_add(&retired, old, free_builder);
	else
		log_error(r->config.log, "memory is out: an old plan is not released");
	r->builder = r->fresh;
	r->fresh = NULL;
	r->is_half = false;
	replica_set_position(r, at);
	r->config.publish(r->config.ctx, plan, &retired);
	return VEER_OK;
}

static enum veer_err on_hello(void *ctx, const struct feed_hello *hello, struct veer_diag *diag)
{
	return replica_hear_hello(ctx, hello, diag);
}

static void on_counted(void *ctx, const struct digest_pair *added)
{
	struct replica *r = ctx;
	digest_pair_add(&r->added, added);
}

/* Drop what was not committed. */
static void drop_stream(struct replica *r)
{
	if (r->fresh != NULL && r->config.disk != NULL)
		plan_disk_base_abort(r->config.disk);
	plan_builder_free(&r->fresh);
	r->is_fresh_behind = false;
	drop_pending(r);
}

static enum veer_err on_reset(void *ctx, struct veer_diag *diag)
{
	struct replica *r = ctx;
	drop_stream(r);
	r->fresh = replica_new_builder(r);
	if (r->fresh == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	if (r->config.disk != NULL)
		plan_disk_base_begin(r->config.disk);
	return VEER_OK;
}

/*
 * Keep the parsed object of a change while it is pending. In a large commit not all of them are kept, because a parsed
 * object takes many times the memory of its text, and the text can be parsed again.
 */
static const json_t *keep_parsed(struct replica *r, const struct feed_change *change)
{
	if (change->object == NULL || change->value_len > PARSED_BYTES - r->parsed_bytes)
		return NULL;
	r->parsed_bytes += change->value_len;
	return json_incref((json_t *)(uintptr_t)change->object);
}

/* Keep a change until its commit. */
static enum veer_err hold(struct replica *r, const struct feed_change *change, struct veer_diag *diag)
{
	struct pending *p = arena_alloc(r->arena, sizeof *p);
	char *key = arena_dup(r->arena, change->key, change->key_len + 1);
	uint8_t *value = change->is_del
				 ? NULL
				 : arena_dup(r->arena, change->value, change->value_len > 0 ? change->value_len : 1);
	if (p == NULL || key == NULL || (value == NULL && !change->is_del))
		return veer_fail(diag, VEER_ENOMEM, "a commit of more than %d bytes, or out of memory", COMMIT_BYTES);
	p->change = *change;
	p->change.key = key;
	p->change.value = value;
	p->change.object = keep_parsed(r, change);
	if (r->last != NULL)
		r->last->next = p;
	else
		r->first = p;
	r->last = p;
	return VEER_OK;
}

static enum veer_err on_change(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	struct replica *r = ctx;
	if (r->fresh == NULL)
		return r->at.revision > 0 && !r->is_half
			       ? hold(r, change, diag)
			       : veer_fail(diag, VEER_EINVAL, "a change before any full state");
	if (change->is_del && !r->is_fresh_behind)
		return veer_fail(diag, VEER_EINVAL, "a del within a full state");
	if (r->config.disk != NULL && !r->is_fresh_behind)
		plan_disk_base_put(r->config.disk, change);
	return replica_apply(r, r->fresh, change, diag);
}

static enum veer_err commit_pending(struct replica *r, int64_t revision, struct veer_diag *diag)
{
	const struct plan *plan;
	struct retire_list retired = {0};
	struct history_position next;
	enum veer_err err = VEER_OK;
	replica_next(r, revision, &r->at, &next);
	plan_builder_set_lineage(r->builder, next.lineage);
	for (const struct pending *p = r->first; p != NULL && err == VEER_OK; p = p->next)
		err = replica_apply(r, r->builder, &p->change, diag);
	if (err == VEER_OK)
		err = plan_builder_commit(r->builder, revision, &plan, &retired);
	if (err != VEER_OK) {
		r->is_half = true; /* stays set until the next full state; this error ends the stream, so that one is
				    * requested */
		return veer_fail(diag, err, "revision %lld cannot be applied: %s", (long long)revision,
				 veer_err_text(err));
	}
	replica_set_position(r, &next);
	r->config.publish(r->config.ctx, plan, &retired);
	for (const struct pending *p = r->first; p != NULL && r->config.disk != NULL; p = p->next)
		plan_disk_journal_add(r->config.disk, &p->change);
	if (r->config.disk != NULL)
		plan_disk_journal_commit(r->config.disk, &r->at);
	drop_pending(r);
	return VEER_OK;
}

/* Apply a commit on top of what is served. */
static enum veer_err go_on(struct replica *r, int64_t revision, struct veer_diag *diag)
{
	if (!r->stream.is_continuation)
		return veer_fail(diag, VEER_EINVAL, "another history than what is served, but no reset");
	if (r->is_half)
		return veer_fail(diag, VEER_EINVAL, "a commit on top of one that could not be applied");
	return revision > r->at.revision ? commit_pending(r, revision, diag)
					 : veer_fail(diag, VEER_ESTALE, "revision %lld after %lld", (long long)revision,
						     (long long)r->at.revision);
}

/*
 * The commits after an older full state, up to the revision in the hello, count as a part of it: no plan is published
 * before. The disk cannot store a full state of that form and waits for the next one.
 */
static void wait_for_more(struct replica *r)
{
	if (r->config.disk != NULL && !r->is_fresh_behind)
		plan_disk_base_abort(r->config.disk);
	r->is_fresh_behind = true;
}

/* The full state is complete at `revision`. */
static enum veer_err take_full_state(struct replica *r, int64_t revision, struct veer_diag *diag)
{
	struct history_position next;
	replica_next(r, revision, NULL, &next);
	bool is_behind = r->is_fresh_behind;
	enum veer_err err = replica_switch(r, &next, true, diag);
	if (err != VEER_OK)
		return err;
	drop_pending(r);
	r->is_fresh_behind = false;
	if (r->config.disk != NULL && is_behind)
		plan_disk_lose(r->config.disk);
	else if (r->config.disk != NULL)
		plan_disk_base_commit(r->config.disk, &r->at);
	return VEER_OK;
}

static enum veer_err on_commit(void *ctx, int64_t revision, struct veer_diag *diag)
{
	struct replica *r = ctx;
	enum veer_err err = VEER_OK;
	if (r->fresh == NULL)
		err = go_on(r, revision, diag);
	else if (revision >= r->stream.revision)
		err = take_full_state(r, revision, diag);
	else
		wait_for_more(r);
	if (err == VEER_OK && r->fresh == NULL && revision >= r->stream.revision)
		r->stream.is_reached = true;
	return err;
}

/*
 * The revision in the hello may be one that changed nothing that is fed. Then no commit shows that it was reached, but
 * a heartbeat does.
 */
static enum veer_err on_heartbeat(void *ctx, int64_t revision, struct veer_diag *diag)
{
	struct replica *r = ctx;
	if (r->is_fresh_behind && revision >= r->stream.revision)
		return take_full_state(r, revision, diag);
	if (r->fresh == NULL && r->stream.is_continuation && revision >= r->stream.revision)
		r->stream.is_reached = true;
	return VEER_OK;
}

/*
 * Put shorter TTLs into force at once by publishing another plan of the same revision. While a full state comes in,
 * this changes the old plan, which is still in use; the new plan gets the set when it is made.
 */
static enum veer_err on_doubt(void *ctx, const char *const *endpoints, size_t count, struct veer_diag *diag)
{
	struct replica *r = ctx;
	const struct plan *plan;
	struct retire_list retired = {0};
	void *copy = calloc(count + 1, sizeof *r->doubts);
	if (copy == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	free(r->doubts);
	r->doubts = copy;
	r->doubt_count = count;
	for (size_t i = 0; i < count; i++)
		memcpy(r->doubts[i], endpoints[i], strnlen(endpoints[i], MODEL_ENDPOINT_KEY_MAX));
	if (r->at.revision == 0 || r->is_half || !doubt(r, r->builder))
		return VEER_OK;
	if (plan_builder_commit(r->builder, r->at.revision, &plan, &retired) == VEER_OK)
		r->config.publish(r->config.ctx, plan, &retired);
	else /* then it takes effect with the next commit */
		log_error(r->config.log, "memory is out: some answers keep their TTL while in doubt");
	return VEER_OK;
}

size_t replica_doubts(const struct replica *replica)
{
	return replica->doubt_count;
}

const struct feed_sink *replica_sink(void)
{
	static const struct feed_sink sink = {on_hello, on_reset,     on_change, on_commit,
					      on_doubt, on_heartbeat, on_counted};
	return &sink;
}

void replica_stream_ended(struct replica *replica)
{
	drop_stream(replica);
	replica->stream.is_reached = false;
}

bool replica_is_current(const struct replica *replica)
{
	return replica->stream.is_reached && !replica->is_half;
}

/* When memory is out, some answers keep the short TTL until their policy is compiled for another reason. */
void replica_trust(struct replica *replica)
{
	const struct plan *plan;
	struct retire_list retired = {0};
	if (!replica->is_saved_in_doubt)
		return;
	replica->is_saved_in_doubt = false;
	if (replica->at.revision == 0 || replica->is_half ||
	    plan_builder_set_all_in_doubt(replica->builder, false) != VEER_OK)
		return;
	if (plan_builder_commit(replica->builder, replica->at.revision, &plan, &retired) == VEER_OK)
		replica->config.publish(replica->config.ctx, plan, &retired);
}

bool replica_needs_base(const struct replica *replica)
{
	return replica->config.disk != NULL && replica->fresh == NULL && replica->at.revision > 0 &&
	       plan_disk_needs_base(replica->config.disk);
}

bool replica_has_room(const struct replica *replica)
{
	return replica->config.disk != NULL && plan_disk_has_room(replica->config.disk);
}

void replica_serving(const struct replica *replica, struct history_position *at, size_t *zones)
{
	struct plan_builder_stats stats;
	plan_builder_stats(replica->builder, &stats);
	*at = replica->at;
	*zones = stats.zones;
}

enum veer_err replica_set_geo(struct replica *replica, struct geo_table *geo)
{
	const struct plan *plan;
	struct retire_list retired = {0};
	enum veer_err err = plan_builder_set_geo(replica->builder, geo);
	if (err != VEER_OK || replica->at.revision == 0 || replica->is_half)
		return err;
	/* The locations take effect now if there is enough memory, and otherwise with the next commit. */
	if (plan_builder_commit(replica->builder, replica->at.revision, &plan, &retired) == VEER_OK)
		replica->config.publish(replica->config.ctx, plan, &retired);
	return VEER_OK;
}
