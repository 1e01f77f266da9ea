/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/zone_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 16 };

/* --- what is wanted ----------------------------------------------------------------------------------------------- */

/* The value as the API takes it, with name and type from the request where the value does not have them. */
static json_t *full_value(const struct zone_edit_rrset *r)
{
	json_t *value = json_copy((json_t *)(uintptr_t)r->value);
	if (!json_is_object(value))
		return value;
	(void)json_object_del(value, "revision"); /* added by a read; not part of the object */
	if (r->owner != NULL && json_object_get(value, "name") == NULL)
		(void)json_object_set_new(value, "name", json_string(r->owner));
	if (r->owner != NULL && json_object_get(value, "type") == NULL)
		(void)json_object_set_new(value, "type", json_string(r->type));
	return value;
}

static enum veer_err read_value(struct change_draft *draft, const struct zone_ref *zone, struct zone_edit_rrset *r)
{
	struct rrset_key place;
	json_t *value = full_value(r);
	enum veer_err err =
		rrset_from_api(value, zone->name, (uint64_t)zone->version, &r->key, &r->object, &draft->result->diag);
	json_decref(value);
	if (err != VEER_OK && err != VEER_ENOMEM)
		draft->result->problem = CHANGE_INVALID;
	if (err != VEER_OK || r->owner == NULL)
		return err;
	if (!zone_rrset_place(zone, r->owner, r->type, &place) || !name_equal(place.owner, r->key.owner))
		return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID, "/name: differs from the path's, \"%s\"",
				     r->owner);
	if (place.type != r->key.type)
		return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID, "/type: differs from the path's, \"%s\"",
				     r->type);
	return VEER_OK;
}

static enum veer_err no_such_rrset(struct change_draft *draft, const struct zone_edit_rrset *r)
{
	return change_refuse(draft, VEER_ENOTFOUND, CHANGE_MISSING,
			     "there is no RRset \"%s\" of type \"%s\" in the zone", r->owner, r->type);
}

static enum veer_err read_wish(struct change_draft *draft, const struct zone_ref *zone, struct zone_edit_rrset *r)
{
	if (r->value != NULL)
		return read_value(draft, zone, r);
	return zone_rrset_place(zone, r->owner, r->type, &r->key) ? VEER_OK : no_such_rrset(draft, r);
}

/* --- what exists -------------------------------------------------------------------------------------------------- */

static enum veer_err find_zone(struct change_draft *draft, struct zone_edit *edit)
{
	enum veer_err err = zone_find(draft->control, edit->zone, draft->arena, &edit->ref);
	if (err == VEER_ENOTFOUND || err == VEER_EINVAL || err == VEER_ERANGE)
		return change_refuse(draft, VEER_ENOTFOUND, CHANGE_MISSING, "there is no zone \"%s\"", edit->zone);
	if (err == VEER_OK)
		err = change_may_touch(draft, TOKEN_LIMIT_ZONES, edit->ref.text);
	return err;
}

static bool replaces_soa(const struct zone_edit *edit)
{
	for (size_t i = 0; i < edit->count; i++)
		if (edit->rrsets[i].key.type == RRTYPE_SOA && edit->rrsets[i].object != NULL)
			return true;
	return false;
}

/* Read the SOA. One that cannot be read may be replaced by a good one. */
static enum veer_err read_soa(struct change_draft *draft, struct zone_edit *edit)
{
	enum veer_err err = zone_soa_get(draft->control, &edit->ref, draft->arena, &edit->soa);
	zone_rrset_key(&edit->ref, edit->ref.name, RRTYPE_SOA, edit->soa_key);
	if (err != VEER_ECORRUPT)
		return err;
	if (!replaces_soa(edit))
		return change_refuse(draft, err, CHANGE_UNREADABLE,
				     "the zone's SOA record cannot be read: replace it first, with PUT "
				     ".../rrsets/@/SOA");
	edit->soa.serial = 0;
	return VEER_OK;
}

/* May the stored RRset be changed as wished? */
static enum veer_err may_change(struct change_draft *draft, const struct zone_edit *edit,
				const struct zone_edit_rrset *r)
{
	int64_t expect;
	if (r->must_be_new && r->before != 0)
		return change_refuse(draft, VEER_EEXISTS, CHANGE_IS_THERE,
				     "there is such an RRset already: change it with PUT");
	enum veer_err err = change_meets(draft, r->before, &expect);
	if (err != VEER_OK || r->object != NULL)
		return err;
	if (r->before == 0)
		return no_such_rrset(draft, r);
	if (name_equal(r->key.owner, edit->ref.name) && (r->key.type == RRTYPE_SOA || r->key.type == RRTYPE_NS))
		return change_refuse(draft, VEER_EBUSY, CHANGE_REQUIRED,
				     "a zone keeps its SOA and its NS: replace them with PUT, or delete the zone");
	return VEER_OK;
}

/* Judge one RRset; `r->is_changed` says whether anything has to be written. */
static enum veer_err judge(struct change_draft *draft, const struct zone_edit *edit, struct zone_edit_rrset *r,
			   const struct store_object *current)
{
	enum veer_err err = may_change(draft, edit, r);
	r->is_changed = true;
	if (err != VEER_OK || r->object == NULL)
		return err;
	err = zone_rules_judge(draft, edit, r);
	if (err != VEER_OK)
		return err;
	r->text = veer_json_dump(r->object);
	if (r->text == NULL)
		return VEER_ENOMEM;
	r->is_changed = r->before == 0 || strcmp(current->value, r->text) != 0;
	return VEER_OK;
}

static enum veer_err read_and_judge(struct change_draft *draft, struct zone_edit *edit)
{
	struct store_object *current = arena_calloc(draft->arena, edit->count, sizeof *current);
	enum veer_err err = current != NULL ? VEER_OK : VEER_ENOMEM;
	for (size_t i = 0; i < edit->count && err == VEER_OK; i++)
		err = read_wish(draft, &edit->ref, &edit->rrsets[i]);
	for (size_t i = 0; i < edit->count && err == VEER_OK; i++) {
		struct zone_edit_rrset *r = &edit->rrsets[i];
		(void)rrset_key_print(&r->key, r->key_text);
		err = store_get(draft->control->store, MODEL_KIND_RRSET, r->key_text, draft->arena, &current[i]);
		r->before = err == VEER_OK ? current[i].revision : 0;
		err = err == VEER_ENOTFOUND ? VEER_OK : err;
	}
	if (err == VEER_OK)
		err = read_soa(draft, edit);
	for (size_t i = 0; i < edit->count && err == VEER_OK; i++)
		err = judge(draft, edit, &edit->rrsets[i], &current[i]);
	return err;
}

/* --- what has to be written --------------------------------------------------------------------------------------- */

/* Take the stored SOA, or that of the edit, and raise its serial: fills `soa_text`. */
static enum veer_err raise_serial(struct change_draft *draft, struct zone_edit *edit)
{
	struct zone_soa soa = edit->soa;
	for (size_t i = 0; i < edit->count; i++) {
		const struct zone_edit_rrset *r = &edit->rrsets[i];
		if (r->key.type != RRTYPE_SOA)
			continue;
		enum veer_err err = zone_soa_decode(&edit->ref, r->text, strlen(r->text), draft->arena, &soa);
		if (err != VEER_OK)
			return err;
	}
	edit->soa_text = zone_soa_with_serial(&soa, zone_serial_next(edit->soa.serial, soa.serial));
	return edit->soa_text != NULL ? VEER_OK : VEER_ENOMEM;
}

static enum veer_err add_rrset(struct change_draft *draft, struct zone_edit_rrset *r)
{
	enum veer_err err = VEER_OK;
	if (!r->is_changed)
		return VEER_OK;
	if (r->policy_revision != 0)
		err = change_add(draft,
				 (struct store_op){.op = STORE_CHECK,
						   .kind = MODEL_KIND_POLICY,
						   .key = json_string_value(json_object_get(r->object, "policy")),
						   .expect = r->policy_revision});
	if (err != VEER_OK || (r->object != NULL && r->key.type == RRTYPE_SOA)) /* the SOA is written with its serial */
		return err;
	return change_add(draft, (struct store_op){.op = r->object != NULL ? STORE_PUT : STORE_DEL,
						   .kind = MODEL_KIND_RRSET,
						   .key = r->key_text,
						   .value = r->text,
						   .value_len = r->text != NULL ? strlen(r->text) : 0,
						   .expect = r->before});
}

static enum veer_err add_all(struct change_draft *draft, struct zone_edit *edit)
{
	bool makes_room = true; /* an edit that makes room must not be refused for lack of it */
	enum veer_err err = raise_serial(draft, edit);
	if (err == VEER_OK)
		err = change_add(draft, (struct store_op){.op = STORE_CHECK,
							  .kind = MODEL_KIND_ZONE,
							  .key = edit->ref.text,
							  .expect = edit->ref.revision});
	if (err == VEER_OK)
		err = change_add(draft, (struct store_op){STORE_PUT, MODEL_KIND_RRSET, edit->soa_key, edit->soa_text,
							  strlen(edit->soa_text), edit->soa.revision});
	for (size_t i = 0; i < edit->count && err == VEER_OK; i++) {
		err = add_rrset(draft, &edit->rrsets[i]);
		makes_room = makes_room && edit->rrsets[i].object == NULL;
	}
	draft->haste = makes_room ? CHANGE_URGENT : CHANGE_ORDINARY;
	return err;
}

/* Release what a try has allocated. */
static void forget(struct zone_edit *edit)
{
	for (size_t i = 0; i < edit->count; i++) {
		struct zone_edit_rrset *r = &edit->rrsets[i];
		json_decref(r->object);
		free(r->text);
		r->object = NULL;
		r->text = NULL;
		r->policy_revision = 0;
	}
	free(edit->soa_text);
	edit->soa_text = NULL;
}

static enum veer_err plan(void *wish, struct change_draft *draft)
{
	struct zone_edit *edit = wish;
	bool is_changed = false;
	forget(edit);
	if (edit->count == 0 || edit->count > ZONE_EDIT_MAX)
		return VEER_ERANGE;
	enum veer_err err = find_zone(draft, edit);
	if (err == VEER_OK)
		err = read_and_judge(draft, edit);
	for (size_t i = 0; i < edit->count; i++)
		is_changed = is_changed || edit->rrsets[i].is_changed;
	if (err != VEER_OK || is_changed)
		return err == VEER_OK ? add_all(draft, edit) : err;
	draft->result->revision = edit->rrsets[0].before; /* nothing changes, not even the serial */
	return VEER_OK;
}

/* Log when an SOA is stored with another serial than was wished. */
static void done(void *wish, const struct change_draft *draft)
{
	struct zone_edit *edit = wish;
	(void)draft;
	for (size_t i = 0; i < edit->count; i++) {
		struct zone_edit_rrset *r = &edit->rrsets[i];
		if (r->key.type != RRTYPE_SOA || edit->soa_text == NULL)
			continue;
		free(r->text);
		r->text = edit->soa_text;
		edit->soa_text = NULL;
	}
}

struct change_wish zone_edit_wish(struct zone_edit *edit, const char *zone, struct zone_edit_rrset *rrsets,
				  size_t count)
{
	bool is_binding = false;
	*edit = (struct zone_edit){.zone = zone, .rrsets = rrsets, .count = count};
	if (zone_name_parse(zone, &edit->ref, NULL) == VEER_OK) /* otherwise every try fails early */
		memcpy(edit->turn, edit->ref.text, sizeof edit->turn);
	for (size_t i = 0; i < count; i++)
		is_binding = is_binding || json_object_get(rrsets[i].value, "policy") != NULL;
	/* The gate keeps others from deleting the policy between judging the binding and committing it. */
	return (struct change_wish){.plan = plan,
				    .done = done,
				    .wish = edit,
				    .zone = edit->turn,
				    .gate = is_binding ? CHANGE_REFERS : CHANGE_OPEN,
				    .tries = TRIES};
}

void zone_edit_deinit(struct zone_edit *edit)
{
	forget(edit);
}
