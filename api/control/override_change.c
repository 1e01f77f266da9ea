/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/override_change.h"

#include <stdio.h>

enum { SOURCE_SIZE = 256 };

static enum veer_err plan_put(void *wish, struct change_draft *draft)
{
	struct override_wish *w = wish;
	struct change_result *result = draft->result;
	const struct change_precondition *p = draft->precondition;
	int64_t expect = STORE_ANY;
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < w->count && err == VEER_OK; i++)
		err = change_may_change(draft, TOKEN_LIMIT_ENDPOINTS, w->endpoints[i]);
	for (size_t i = 0; i < w->count && err == VEER_OK; i++)
		err = change_meets(
			draft, directory_revision_of(draft->control->directory, MODEL_KIND_OVERRIDE, w->endpoints[i]),
			&expect);
	if (err != VEER_OK)
		return err;
	if (p->is_absent || (p->revision != CHANGE_ANY && (p->revision != CHANGE_EXISTS || w->count == 1)))
		w->expect = expect;
	size_t count = 0;
	err = draft->count == 0 ? overrides_draft(draft->control->directory, w, draft->arena, draft->ops, &count,
						  &result->loss, &result->diag)
				: VEER_ERANGE;
	draft->count += count;
	if (err == VEER_EBUSY)
		result->problem = CHANGE_WOULD_EMPTY;
	else if (err == VEER_ENOTFOUND)
		result->problem = CHANGE_MISSING;
	return err;
}

static void done_put(void *wish, const struct change_draft *draft)
{
	const struct override_wish *w = wish;
	for (size_t i = 0; i < w->count; i++)
		log_notice(draft->control->log, "override", LOG_STR("endpoint", w->endpoints[i]),
			   LOG_STR("action", model_override_text(w->action)), LOG_STR("owner", w->owner),
			   LOG_STR("reason", w->reason),
			   LOG_STR("expires", w->expires_at != NULL ? w->expires_at : "never"));
}

struct change_wish override_put_wish(struct override_wish *w)
{
	return (struct change_wish){.plan = plan_put,
				    .done = done_put,
				    .wish = w,
				    .gate = CHANGE_EMERGENCY,
				    .tries = OVERRIDES_TRIES,
				    .reads_directory = true};
}

static bool copy_source(void *ctx, const struct directory_entry *entry)
{
	const char *source = json_string_value(json_object_get(entry->object, "source"));
	(void)snprintf(ctx, SOURCE_SIZE, "%s", source != NULL ? source : "");
	return true;
}

static enum veer_err plan_release(void *wish, struct change_draft *draft)
{
	const char *endpoint = wish;
	char source[SOURCE_SIZE] = "";
	int64_t expect = 0;
	struct directory *directory = draft->control->directory;
	(void)directory_get(directory, MODEL_KIND_OVERRIDE, endpoint, copy_source, source);
	int64_t current = directory_revision_of(directory, MODEL_KIND_OVERRIDE, endpoint);
	if (current == 0)
		return change_refuse_missing(draft, MODEL_KIND_OVERRIDE, endpoint);
	if (source[0] != '\0')
		return change_refuse(draft, VEER_EBUSY, CHANGE_IN_USE,
				     "it belongs to %s: end that, or put another override in its place", source);
	enum veer_err err = change_may_change(draft, TOKEN_LIMIT_ENDPOINTS, endpoint);
	if (err == VEER_OK)
		err = change_meets(draft, current, &expect);
	if (err != VEER_OK)
		return err;
	return change_add(
		draft,
		(struct store_op){.op = STORE_DEL, .kind = MODEL_KIND_OVERRIDE, .key = endpoint, .expect = expect});
}

static void done_release(void *wish, const struct change_draft *draft)
{
	log_notice(draft->control->log, "override released", LOG_STR("endpoint", (const char *)wish),
		   LOG_STR("by", draft->principal->name));
}

struct change_wish override_release_wish(const char *endpoint)
{
	return (struct change_wish){.plan = plan_release,
				    .done = done_release,
				    .wish = (void *)(uintptr_t)endpoint,
				    .tries = CHANGE_TRIES,
				    .reads_directory = true};
}
