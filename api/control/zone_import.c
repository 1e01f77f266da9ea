/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/zone_import.h"
#include "api/control/change.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_peek.h"
#include "zones/dns/zonefile.h"
#include "zones/model/rrset_object.h"

enum {
	SWITCH_TRIES = 8,  /* tries, because the old version may change again and again */
	FOLLOW_EVERY = 16, /* pieces between two waits for the directory, because the feed's backlog is limited */
	BOUND_ARENA_BYTES = 256 << 20,
	SCRATCH_BYTES = 1 << 20,
};

/* One RRset of the old version that is bound to a policy. It lives in the arena of the list. */
struct bound {
	const uint8_t *owner;
	const char *value; /* as stored */
	const char *policy;
	uint16_t type;
};

/* The relevant parts of the old version, read at one revision. */
struct old_zone {
	struct arena *arena;
	struct zone_ref zone; /* revision 0: the zone does not exist */
	char soa_key[RRSET_KEY_SIZE];
	int64_t soa_revision; /* 0: there is no SOA */
	uint32_t serial;
	bool has_serial;
	struct bound *bound; /* sorted by owner */
	size_t count;
	size_t size;
	bool failed;
};

/* Operations that are not committed yet; keys and values are owned. */
struct batch {
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t count;
	unsigned pieces;
};

struct importer {
	struct control *control;
	struct zone_import *import;
	const struct change_precondition *precondition;
	struct zone_ref zone; /* the new zone: its version is the one that is written */
	struct zonefile *file;
	struct old_zone old;
	struct batch batch;
	struct arena *arena; /* for the file's SOA, and for the switch */
	struct zone_soa soa; /* of the file; its serial is set to the one that is written */
	uint32_t file_serial;
	int64_t done, total;
	unsigned tries;    /* of the switch */
	bool is_overtaken; /* the zone was deleted, made, or imported by another request meanwhile */
	struct veer_diag *diag;
};

/* --- the old version ------------------------------------------------------------------------------------------------
 */

static void old_zone_deinit(struct old_zone *old)
{
	arena_free(&old->arena);
	free(old->bound);
	old->bound = NULL;
}

static bool add_bound(struct old_zone *old, const struct store_object *object)
{
	struct rrset_key key;
	json_t *json = NULL;
	if (rrset_key_parse(object->key, strlen(object->key), &key, NULL) != VEER_OK ||
	    veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, &json, NULL) != VEER_OK)
		return true; /* unreadable: not copied */
	const char *policy = json_string_value(json_object_get(json, "policy"));
	if (old->count == old->size) {
		size_t size = old->size > 0 ? 2 * old->size : 64;
		struct bound *grown = reallocarray(old->bound, size, sizeof *grown);
		if (grown == NULL) {
			json_decref(json);
			return false;
		}
		old->bound = grown;
		old->size = size;
	}
	struct bound *b = &old->bound[old->count];
	*b = (struct bound){.type = key.type};
	b->owner = arena_dup(old->arena, key.owner, key.owner_len);
	b->value = arena_dup(old->arena, object->value, object->value_len + 1);
	b->policy = policy != NULL ? arena_strdup(old->arena, policy) : NULL;
	json_decref(json);
	old->count += policy != NULL ? 1 : 0;
	return policy == NULL || (b->owner != NULL && b->value != NULL && b->policy != NULL);
}

/* Does it name a policy? True also for a value that cannot be read, which add_bound() then judges. */
static bool may_be_bound(const struct store_object *object)
{
	char policy[MODEL_NAME_MAX + 1];
	return veer_json_peek(object->value, object->value_len, "policy", policy, sizeof policy) != VEER_ENOTFOUND;
}

static bool look_at_old(void *ctx, const struct store_object *object)
{
	struct old_zone *old = ctx;
	bool ok = true;
	if (strcmp(object->key, old->soa_key) == 0) {
		struct zone_soa soa = {0};
		old->soa_revision = object->revision;
		old->has_serial =
			zone_soa_decode(&old->zone, object->value, object->value_len, old->arena, &soa) == VEER_OK;
		old->serial = soa.serial;
	} else if (may_be_bound(object)) {
		ok = add_bound(old, object);
	}
	old->failed |= !ok;
	return ok;
}

static int compare_bound(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;
	int diff = name_compare(x->owner, y->owner);
	return diff != 0 ? diff : (x->type > y->type) - (x->type < y->type);
}

/* Read the visible version. A zone that does not exist is treated as empty. */
static enum veer_err old_zone_read(struct control *control, const struct zone_ref *name, struct old_zone *old)
{
	char prefix[RRSET_KEY_SIZE];
	struct arena *scratch = arena_new(SCRATCH_BYTES);
	*old = (struct old_zone){.arena = arena_new(BOUND_ARENA_BYTES)};
	if (old->arena == NULL || scratch == NULL) {
		arena_free(&scratch);
		return VEER_ENOMEM;
	}
	enum veer_err err = zone_find(control, name->text, scratch, &old->zone);
	arena_free(&scratch);
	if (err == VEER_ENOTFOUND)
		return VEER_OK;
	if (err != VEER_OK)
		return err;
	zone_rrset_key(&old->zone, old->zone.name, RRTYPE_SOA, old->soa_key);
	(void)zone_prefix(&old->zone, prefix);
	err = store_list(control->store, MODEL_KIND_RRSET, prefix, NULL, look_at_old, old, NULL);
	if (err == VEER_OK && old->failed)
		err = VEER_ENOMEM;
	if (err == VEER_OK && old->count > 1)
		qsort(old->bound, old->count, sizeof *old->bound, compare_bound);
	return err;
}

/* --- pieces ---------------------------------------------------------------------------------------------------------
 */

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free((void *)(uintptr_t)b->ops[i].key);
		free((void *)(uintptr_t)b->ops[i].value);
	}
	b->count = 0;
}

static enum veer_err flush(struct importer *m)
{
	int64_t revision;
	if (m->batch.count == 0)
		return VEER_OK;
	if (zone_import_must_stop(m->import))
		return VEER_ECLOSED;
	enum veer_err err = change_commit(m->control->store, m->batch.ops, m->batch.count, CHANGE_ORDINARY, &revision);
	m->done += (int64_t)m->batch.count;
	batch_clear(&m->batch);
	if (err == VEER_OK && ++m->batch.pieces % FOLLOW_EVERY == 0)
		change_wait(m->control, revision);
	zone_import_progress(m->import, "writing", m->done < m->total ? m->done : m->total, m->total);
	return err;
}

/* Add an operation. Takes `value` (NULL for a deletion). */
static enum veer_err add_op(struct importer *m, enum store_op_kind op, const uint8_t *owner, uint16_t type, char *value)
{
	char key[RRSET_KEY_SIZE];
	zone_rrset_key(&m->zone, owner, type, key);
	char *copy = strdup(key);
	if (copy == NULL || (op == STORE_PUT && value == NULL)) {
		free(copy);
		free(value);
		return VEER_ENOMEM;
	}
	assert(m->batch.count < STORE_COMMIT_OPS_MAX);
	m->batch.ops[m->batch.count++] =
		(struct store_op){op, MODEL_KIND_RRSET, copy, value, value != NULL ? strlen(value) : 0, STORE_ANY};
	return m->batch.count == STORE_COMMIT_OPS_MAX ? flush(m) : VEER_OK;
}

static char *value_of(const struct rrset_view *rrset)
{
	json_t *object = rrset_object_from_wire(rrset->wire, rrset->len);
	char *text = object != NULL ? veer_json_dump(object) : NULL;
	json_decref(object);
	return text;
}

/* --- first pass: does the file fit? -- */

/* The file must not have an RRset that cannot exist beside a bound RRset at the same name. */
static enum veer_err check_against_bound(struct importer *m, const struct rrset_view *rrset)
{
	const struct old_zone *old = &m->old;
	size_t low = 0, high = old->count;
	while (low < high) { /* find the first with this owner */
		size_t middle = low + (high - low) / 2;
		if (name_compare(old->bound[middle].owner, rrset->owner) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < old->count && name_equal(old->bound[low].owner, rrset->owner); low++) {
		const struct bound *b = &old->bound[low];
		char name[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE], bound_type[RRSET_TYPE_TEXT_SIZE];
		if (b->type != rrset->type && rrtype_may_coexist(b->type, rrset->type))
			continue;
		(void)name_print(rrset->owner, name, sizeof name);
		rrtype_print(rrset->type, type);
		rrtype_print(b->type, bound_type);
		return veer_fail(
			m->diag, VEER_EINVAL,
			"the file has an RRset %s %s, where %s is bound to the policy \"%s\": remove one of the two",
			name, type, bound_type, b->policy);
	}
	return VEER_OK;
}

static enum veer_err read_soa(struct importer *m, const struct rrset_view *rrset)
{
	char *value = value_of(rrset);
	if (value == NULL)
		return VEER_ENOMEM;
	arena_reset(m->arena);
	enum veer_err err = zone_soa_decode(&m->zone, value, strlen(value), m->arena, &m->soa);
	free(value);
	m->file_serial = m->soa.serial;
	return err;
}

static enum veer_err check_rrset(void *ctx, const struct rrset_view *rrset)
{
	struct importer *m = ctx;
	m->total++;
	if (rrset->type == RRTYPE_SOA) {
		enum veer_err err = read_soa(m, rrset);
		if (err != VEER_OK)
			return err;
	}
	if (m->total % 10000 == 0 && zone_import_must_stop(m->import))
		return VEER_ECLOSED;
	return check_against_bound(m, rrset);
}

/* --- second pass: write
 * ------------------------------------------------------------------------------------------------ */

static uint32_t new_serial(const struct importer *m)
{
	return m->old.has_serial ? zone_serial_next(m->old.serial, m->file_serial) : m->file_serial;
}

static enum veer_err write_soa(struct importer *m)
{
	return add_op(m, STORE_PUT, m->zone.name, RRTYPE_SOA, zone_soa_with_serial(&m->soa, new_serial(m)));
}

static enum veer_err write_rrset(void *ctx, const struct rrset_view *rrset)
{
	struct importer *m = ctx;
	return rrset->type == RRTYPE_SOA ? write_soa(m)
					 : add_op(m, STORE_PUT, rrset->owner, rrset->type, value_of(rrset));
}

static enum veer_err write_bound(struct importer *m)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < m->old.count && err == VEER_OK; i++)
		err = add_op(m, STORE_PUT, m->old.bound[i].owner, m->old.bound[i].type, strdup(m->old.bound[i].value));
	return err == VEER_OK ? flush(m) : err;
}

static enum veer_err write_all(struct importer *m)
{
	enum veer_err err = zonefile_each(m->file, write_rrset, m, m->diag);
	return err == VEER_OK ? write_bound(m) : err;
}

/* --- the switch
 * --------------------------------------------------------------------------------------------------------- */

static enum veer_err check_only(void *ctx, const struct rrset_view *rrset)
{
	return check_against_bound(ctx, rrset);
}

/* The old version was changed meanwhile: copy its present bound RRsets, and take a serial above its new one. */
static enum veer_err catch_up(struct importer *m)
{
	struct old_zone now;
	enum veer_err err = old_zone_read(m->control, &m->zone, &now);
	if (err == VEER_OK && now.zone.revision != m->old.zone.revision)
		err = VEER_ECONFLICT; /* deleted, made, or imported by another request */
	for (size_t i = 0; i < m->old.count && err == VEER_OK; i++)
		err = add_op(m, STORE_DEL, m->old.bound[i].owner, m->old.bound[i].type, NULL);
	if (err != VEER_OK) {
		old_zone_deinit(&now);
		return err;
	}
	old_zone_deinit(&m->old);
	m->old = now;
	err = m->old.count > 0 ? zonefile_each(m->file, check_only, m, m->diag) : VEER_OK;
	if (err == VEER_OK)
		err = write_soa(m);
	return err == VEER_OK ? write_bound(m) : err;
}

/* Make the new version visible, if the old one is unchanged since it was read; otherwise catch up first. */
static enum veer_err plan_switch(void *wish, struct change_draft *draft)
{
	struct importer *m = wish;
	int64_t expect = 0;
	enum veer_err err = m->is_overtaken ? VEER_ECONFLICT : VEER_OK;
	if (err == VEER_OK && m->tries++ > 0)
		err = catch_up(m);
	m->is_overtaken = err == VEER_ECONFLICT;
	if (err == VEER_OK)
		err = change_meets(draft, m->old.zone.revision, &expect);
	if (err == VEER_OK)
		err = change_may_touch(draft, TOKEN_LIMIT_ZONES, m->zone.text);
	if (err == VEER_OK)
		err = change_add_json(
			draft, MODEL_KIND_ZONE, m->zone.text,
			json_pack("{s:s, s:I}", "name", m->zone.text, "version", (json_int_t)m->zone.version), expect);
	if (err == VEER_OK && m->old.zone.revision != 0)
		err = change_add(draft, (struct store_op){.op = STORE_CHECK,
							  .kind = MODEL_KIND_RRSET,
							  .key = m->old.soa_key,
							  .expect = m->old.soa_revision});
	draft->haste = CHANGE_ORDINARY;
	return err;
}

/* Was the zone that the client has seen replaced, deleted or made while the file was being written? */
static bool is_refused(const struct importer *m, const struct change_result *result)
{
	const struct change_precondition *p = m->precondition;
	return result->problem == CHANGE_PRECONDITION ||
	       (m->is_overtaken && (p->is_absent || p->revision != CHANGE_ANY));
}

/*
 * Make the written version visible; writers of single RRsets wait meanwhile. Deletions of policies wait too: they look
 * for visible RRsets that are bound to the policy, so what is visible must not change meanwhile.
 */
static enum veer_err switch_over(struct importer *m, const struct change_principal *principal,
				 struct zone_import_result *out)
{
	struct change_result result;
	const struct change_wish wish = {
		.plan = plan_switch, .wish = m, .zone = m->zone.text, .gate = CHANGE_REFERS, .tries = 1 + SWITCH_TRIES};
	const struct change wished = {.principal = *principal,
				      .wishes = &wish,
				      .count = 1,
				      .precondition = *m->precondition,
				      .arena = m->arena};
	enum veer_err err = change(m->control, &wished, &result);
	out->revision = result.revision;
	out->is_refused = err == VEER_ECONFLICT && is_refused(m, &result);
	if (out->is_refused && result.diag.text[0] == '\0')
		(void)veer_fail(&result.diag, err, "it was imported, deleted or made meanwhile");
	if (err == VEER_EAUTH || out->is_refused)
		*m->diag = result.diag;
	return err;
}

static enum veer_err import(struct importer *m, const struct change_principal *principal, const char *text, size_t len,
			    struct zone_import_result *out)
{
	enum veer_err err = zonefile_read_text(text, len, ZONE_IMPORT_LABEL, m->zone.name, &m->file, m->diag);
	if (err == VEER_OK)
		err = zone_import_allocate(m->import, &m->zone.version);
	if (err == VEER_OK)
		err = old_zone_read(m->control, &m->zone, &m->old);
	if (err == VEER_OK) {
		err = change_judge_precondition(m->precondition, m->old.zone.revision, m->diag);
		out->is_refused = err != VEER_OK;
	}
	if (err == VEER_OK)
		err = zonefile_each(m->file, check_rrset, m, m->diag);
	if (err != VEER_OK)
		return err;
	m->total += (int64_t)m->old.count;
	zone_import_progress(m->import, "writing", 0, m->total);
	int64_t static_count = m->total - (int64_t)m->old.count;
	err = write_all(m);
	if (err == VEER_OK)
		err = switch_over(m, principal, out);
	out->rrsets = static_count + (int64_t)m->old.count;
	out->serial = new_serial(m);
	return err;
}

enum veer_err zone_import_run(struct control *control, const struct change_principal *principal,
			      const struct change_precondition *precondition, const struct zone_ref *zone,
			      const char *text, size_t len, struct zone_import_result *out, struct veer_diag *diag)
{
	enum veer_err err =
		token_judge_touch(control->directory, principal->token, TOKEN_LIMIT_ZONES, zone->text, diag);
	if (err != VEER_OK)
		return err;
	struct importer *m = calloc(1, sizeof *m);
	if (m == NULL)
		return VEER_ENOMEM;
	m->control = control;
	m->precondition = precondition;
	m->zone = *zone;
	m->diag = diag;
	m->arena = arena_new(SCRATCH_BYTES);
	err = m->arena != NULL ? zone_import_begin(control->zones, zone, &m->import) : VEER_ENOMEM;
	if (err == VEER_OK)
		err = import(m, principal, text, len, out);
	zone_import_end(&m->import);
	batch_clear(&m->batch);
	old_zone_deinit(&m->old);
	zonefile_free(&m->file);
	arena_free(&m->arena);
	free(m);
	return err;
}
