/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/settings.h"

#include <stdio.h>
#include <string.h>

static const char settings_key[] = "settings";

struct found {
	json_t *object;
	int64_t revision;
};

static bool copy_found(void *ctx, const struct directory_entry *entry)
{
	struct found *found = ctx;
	found->object = json_deep_copy(entry->object);
	found->revision = entry->revision;
	return true;
}

json_t *settings_now(struct directory *directory)
{
	struct found found = {0};
	(void)directory_get(directory, MODEL_KIND_SETTINGS, settings_key, copy_found, &found);
	json_t *object = found.object != NULL ? found.object : json_object();
	if (json_object_get(object, "freeze") == NULL)
		(void)json_object_set_new(object, "freeze", json_pack("{s:b}", "on", 0));
	if (json_object_get(object, "brake") == NULL)
		(void)json_object_set_new(object, "brake", json_string("on"));
	if (json_object_get(object, "max_removal_percent") == NULL)
		(void)json_object_set_new(object, "max_removal_percent", json_integer(25));
	(void)json_object_set_new(object, "revision", json_integer(found.revision));
	return object;
}

static json_t *now_json(const struct change_draft *draft)
{
	char text[VEER_RFC3339_SIZE];
	veer_rfc3339(veer_clock_wall_ns(draft->control->clock), text);
	return json_string(text);
}

/* Add the put of `object`, under the change's precondition; `*text` is set to what is stored. */
static enum veer_err add_put(struct change_draft *draft, enum model_kind kind, const char *key, json_t *object,
			     const char **text)
{
	int64_t expect = 0;
	enum veer_err err = change_meets(draft, directory_revision_of(draft->control->directory, kind, key), &expect);
	if (err == VEER_OK)
		err = change_add_json(draft, kind, key, json_incref(object), expect);
	if (err == VEER_OK)
		*text = draft->ops[draft->count - 1].value;
	return err;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

/* Give a freeze its owner, unless it has one, and the time when it began. */
static void dress_freeze(const struct change_draft *draft, json_t *object)
{
	json_t *freeze = json_object_get(object, "freeze");
	if (!json_is_object(freeze) || json_is_false(json_object_get(freeze, "on")))
		return;
	if (json_object_get(freeze, "owner") == NULL)
		(void)json_object_set_new(freeze, "owner", json_string(draft->principal->name));
	if (json_object_get(freeze, "since") == NULL)
		(void)json_object_set_new(freeze, "since", now_json(draft));
}

static enum veer_err plan_settings(void *wish, struct change_draft *draft)
{
	struct settings_wish *w = wish;
	enum veer_err err = change_may_change_all(draft);
	if (err != VEER_OK)
		return err;
	dress_freeze(draft, w->object);
	err = model_settings_parse(w->object, draft->arena, &w->settings, &draft->result->diag);
	if (err == VEER_OK)
		return add_put(draft, MODEL_KIND_SETTINGS, settings_key, w->object, &w->text);
	draft->result->problem = CHANGE_INVALID;
	return err;
}

static void done_settings(void *wish, const struct change_draft *draft)
{
	const struct model_settings *s = &((const struct settings_wish *)wish)->settings;
	log_notice(draft->control->log, "settings", LOG_STR("freeze", s->is_frozen ? "on" : "off"),
		   LOG_STR("owner", s->freeze_owner), LOG_STR("reason", s->freeze_reason),
		   LOG_STR("brake", s->is_brake_off ? "off" : "on"),
		   LOG_INT("max_removal_percent", s->max_removal_percent), LOG_STR("by", draft->principal->name));
}

struct change_wish settings_wish(struct settings_wish *w)
{
	return (struct change_wish){.plan = plan_settings,
				    .done = done_settings,
				    .wish = w,
				    .tries = CHANGE_TRIES,
				    .reads_directory = true};
}

/* --- maintenance windows ------------------------------------------------------------------------------------------ */

static bool is_there(const struct change_draft *draft, enum model_kind kind, const char *name)
{
	return directory_revision_of(draft->control->directory, kind, name) != 0;
}

/* The pools and sites that it names must exist now; later they may be deleted, and then have no effect. */
static enum veer_err judge_scope(struct change_draft *draft, const struct model_maintenance *m)
{
	for (uint32_t i = 0; i < m->pool_count; i++)
		if (!is_there(draft, MODEL_KIND_POOL, m->pools[i]))
			return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID, "/pools/%u: there is no pool \"%s\"",
					     i, m->pools[i]);
	for (uint32_t i = 0; i < m->site_count; i++)
		if (!is_there(draft, MODEL_KIND_SITE, m->sites[i]))
			return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID, "/sites/%u: there is no site \"%s\"",
					     i, m->sites[i]);
	for (uint32_t i = 0; i < m->endpoint_count; i++) {
		char pool[MODEL_NAME_MAX + 1];
		(void)snprintf(pool, sizeof pool, "%.*s", (int)strcspn(m->endpoints[i], "/"), m->endpoints[i]);
		if (!is_there(draft, MODEL_KIND_POOL, pool))
			return change_refuse(draft, VEER_EINVAL, CHANGE_INVALID,
					     "/endpoints/%u: there is no pool \"%s\"", i, pool);
	}
	return VEER_OK;
}

static void dress_window(const struct change_draft *draft, json_t *object)
{
	if (!json_is_object(object))
		return;
	if (json_object_get(object, "owner") == NULL)
		(void)json_object_set_new(object, "owner", json_string(draft->principal->name));
	(void)json_object_set_new(object, "created_at", now_json(draft));
}

static enum veer_err plan_window(void *wish, struct change_draft *draft)
{
	struct maintenance_wish *w = wish;
	enum veer_err err = change_may_change_all(draft);
	if (err != VEER_OK)
		return err;
	dress_window(draft, w->object);
	err = model_maintenance_parse(w->object, draft->arena, &w->window, &draft->result->diag);
	if (err != VEER_OK) {
		draft->result->problem = CHANGE_INVALID;
		return err;
	}
	err = judge_scope(draft, &w->window);
	return err == VEER_OK ? add_put(draft, MODEL_KIND_MAINTENANCE, w->window.name, w->object, &w->text) : err;
}

static void done_window(void *wish, const struct change_draft *draft)
{
	const struct model_maintenance *m = &((const struct maintenance_wish *)wish)->window;
	log_notice(draft->control->log, "maintenance", LOG_STR("name", m->name), LOG_STR("owner", m->owner),
		   LOG_STR("reason", m->reason));
}

static enum veer_err plan_end(void *wish, struct change_draft *draft)
{
	const struct maintenance_wish *w = wish;
	int64_t expect = 0;
	int64_t current = directory_revision_of(draft->control->directory, MODEL_KIND_MAINTENANCE, w->name);
	if (current == 0)
		return change_refuse_missing(draft, MODEL_KIND_MAINTENANCE, w->name);
	enum veer_err err = change_may_change_all(draft);
	if (err == VEER_OK)
		err = change_meets(draft, current, &expect);
	if (err != VEER_OK)
		return err;
	return change_add(
		draft,
		(struct store_op){.op = STORE_DEL, .kind = MODEL_KIND_MAINTENANCE, .key = w->name, .expect = expect});
}

static void done_end(void *wish, const struct change_draft *draft)
{
	log_notice(draft->control->log, "maintenance ended",
		   LOG_STR("name", ((const struct maintenance_wish *)wish)->name),
		   LOG_STR("by", draft->principal->name));
}

struct change_wish maintenance_wish(struct maintenance_wish *w)
{
	if (w->object == NULL)
		return (struct change_wish){
			.plan = plan_end, .done = done_end, .wish = w, .tries = CHANGE_TRIES, .reads_directory = true};
	return (struct change_wish){
		.plan = plan_window, .done = done_window, .wish = w, .tries = CHANGE_TRIES, .reads_directory = true};
}
