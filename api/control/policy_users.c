/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/policy_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/zone_data.h"
#include "base/json_peek.h"
#include "zones/dns/rrset.h"

enum { WATCH_MS = 1000 }; /* changes that are committed already are returned at once */

struct policy_users {
	struct control *control;
	struct arena *arena;
	const char *name;
	int64_t revision; /* `keys` are complete up to this revision */
	const char *keys[POLICY_USERS_MAX];
	size_t count;
	bool is_whole; /* false: there are, or may be, others that were not noted */
	enum veer_err err;
};

static bool is_bound(const struct store_object *object, const char *name)
{
	char policy[MODEL_NAME_MAX + 1];
	return veer_json_peek(object->value, object->value_len, "policy", policy, sizeof policy) == VEER_OK &&
	       strcmp(policy, name) == 0;
}

/* --- all of them, under the gate ---------------------------------------------------------------------------------- */

struct walk {
	struct control *control;
	struct veer_diag *diag;
	const char *name; /* of the policy */
	json_t *versions; /* by the name of the zone: its visible version */
	enum veer_err err;
};

static bool add_version(void *ctx, const struct directory_entry *entry)
{
	struct walk *r = ctx;
	json_int_t version = json_integer_value(json_object_get(entry->object, "version"));
	if (json_object_set_new(r->versions, entry->key, json_integer(version)) != 0)
		r->err = VEER_ENOMEM;
	return r->err == VEER_OK;
}

/* RRsets that an import is writing, or that are being removed, do not count. */
static bool is_visible(const struct walk *r, const char *key)
{
	char start[STORE_KEY_MAX + 1], *slash;
	(void)snprintf(start, sizeof start, "%s", key);
	slash = strchr(start, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return strtoll(slash + 1, NULL, 10) == json_integer_value(json_object_get(r->versions, start));
}

/* Name the RRset that prevents the deletion by its name and type, because zone and version in its key are internal. */
static enum veer_err fail_bound(const char *policy, const char *key_text, struct veer_diag *diag)
{
	struct rrset_key key;
	char name[NAME_TEXT_SIZE] = "", type[RRSET_TYPE_TEXT_SIZE] = "";
	if (rrset_key_parse(key_text, strlen(key_text), &key, NULL) == VEER_OK) {
		(void)name_print(key.owner, name, sizeof name);
		rrtype_print(key.type, type);
	}
	return veer_fail(diag, VEER_EBUSY, "the RRset %.300s %s is bound to the policy \"%s\"", name, type, policy);
}

static bool find_policy_in_rrset(void *ctx, const struct store_object *object)
{
	struct walk *r = ctx;
	if (is_bound(object, r->name) && is_visible(r, object->key))
		r->err = fail_bound(r->name, object->key, r->diag);
	return r->err == VEER_OK;
}

static void find_bound(struct walk *r)
{
	r->versions = json_object();
	if (r->versions == NULL) {
		r->err = VEER_ENOMEM;
		return;
	}
	directory_list(r->control->directory, MODEL_KIND_ZONE, NULL, add_version, r);
	if (r->err == VEER_OK) {
		enum veer_err err =
			store_list(r->control->store, MODEL_KIND_RRSET, "", NULL, find_policy_in_rrset, r, NULL);
		r->err = r->err == VEER_OK ? err : r->err;
	}
	json_decref(r->versions);
}

/* --- all of them, without the gate -------------------------------------------------------------------------------- */

/* Note a bound RRset, even of a version that is not visible, because that version may become visible. */
static bool note(void *ctx, const struct store_object *object)
{
	struct policy_users *u = ctx;
	if (object->kind != MODEL_KIND_RRSET || object->value == NULL || !u->is_whole || !is_bound(object, u->name))
		return true;
	u->is_whole = u->count < POLICY_USERS_MAX;
	if (!u->is_whole)
		return false;
	u->keys[u->count] = arena_strdup(u->arena, object->key);
	u->err = u->keys[u->count] != NULL ? VEER_OK : VEER_ENOMEM;
	u->count += u->err == VEER_OK;
	return u->err == VEER_OK;
}

enum veer_err policy_users_look(struct control *control, const char *name, struct arena *arena,
				struct policy_users **out)
{
	struct policy_users *u = arena_alloc(arena, sizeof *u);
	*out = u;
	if (u == NULL)
		return VEER_ENOMEM;
	*u = (struct policy_users){.control = control, .arena = arena, .name = name, .is_whole = true};
	enum veer_err err = store_list(control->store, MODEL_KIND_RRSET, "", NULL, note, u, &u->revision);
	return err == VEER_OK ? u->err : err;
}

/* --- what has come since ------------------------------------------------------------------------------------------ */

static enum veer_err catch_up(struct policy_users *u)
{
	struct store_watch *watch = NULL;
	int64_t now = store_revision(u->control->store);
	if (u->revision >= now)
		return VEER_OK;
	enum veer_err err = store_watch_open(u->control->store, u->revision, &watch);
	while (err == VEER_OK && u->err == VEER_OK && u->is_whole && u->revision < now)
		err = store_watch_next(watch, WATCH_MS, note, u, &u->revision);
	store_watch_close(&watch);
	return err == VEER_OK ? u->err : err;
}

/* If the RRset is still bound, and belongs to the version that is visible now: VEER_EBUSY. */
static enum veer_err judge_key(const struct policy_users *u, const char *key, struct veer_diag *diag)
{
	char zone[STORE_KEY_MAX + 1];
	struct zone_ref ref;
	struct store_object object;
	(void)snprintf(zone, sizeof zone, "%s", key);
	char *slash = strchr(zone, '/');
	if (slash == NULL)
		return VEER_OK;
	*slash = '\0';
	enum veer_err err = zone_find(u->control, zone, u->arena, &ref);
	if (err == VEER_OK && strtoll(slash + 1, NULL, 10) == ref.version)
		err = store_get(u->control->store, MODEL_KIND_RRSET, key, u->arena, &object);
	else if (err == VEER_OK)
		return VEER_OK;
	if (err == VEER_OK && is_bound(&object, u->name))
		err = fail_bound(u->name, key, diag);
	return err == VEER_ENOTFOUND ? VEER_OK : err;
}

enum veer_err policy_users_judge(struct policy_users *users, struct veer_diag *diag)
{
	enum veer_err err = users->is_whole ? catch_up(users) : VEER_OK;
	if (err == VEER_ENOMEM)
		return err;
	users->is_whole = users->is_whole && err == VEER_OK;
	err = VEER_OK;
	for (size_t i = 0; i < users->count && err == VEER_OK; i++)
		err = judge_key(users, users->keys[i], diag);
	if (err != VEER_OK || users->is_whole)
		return err;
	struct walk r = {.control = users->control, .diag = diag, .name = users->name};
	find_bound(&r);
	return r.err;
}
