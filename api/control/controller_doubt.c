/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine's thread knows about endpoints beside the verdict engine: overrides, which the verdict engine does
 * not know at all, and episodes, which are doubts and second looks with the times at which they began. Whenever the set
 * of doubts has changed, the whole set is sent to the feed; at most a megabyte a second is sent, which limits the cost
 * of doubts about everything at once.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_engine.h"
#include "base/buf.h"

enum { DOUBT_BYTES_PER_MS = 1024, LINE_MAX_BYTES = 1 << 20 };

static const enum model_override_action actions[] = {MODEL_OVERRIDE_UP, MODEL_OVERRIDE_DOWN, MODEL_OVERRIDE_DRAIN};

static bool take_override(void *ctx, const struct directory_entry *entry)
{
	struct controller_engine *engine = ctx;
	const char *text = json_string_value(json_object_get(entry->object, "action"));
	for (size_t i = 0; text != NULL && i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(model_override_text(actions[i]), text) == 0 &&
		    strmap_put(&engine->overrides, entry->key, strlen(entry->key), (void *)(uintptr_t)&actions[i]) !=
			    VEER_OK)
			log_error(engine->config->log, "memory is out: an override is not seen",
				  LOG_STR("endpoint", entry->key));
	return true;
}

void controller_read_overrides(struct controller_engine *engine)
{
	strmap_free(&engine->overrides);
	directory_list(engine->config->directory, MODEL_KIND_OVERRIDE, NULL, take_override, engine);
	engine->needs_tidying = true; /* the last good sets may have changed */
}

const enum model_override_action *controller_override(const struct controller_engine *engine, const char *endpoint)
{
	return strmap_get(&engine->overrides, endpoint, strlen(endpoint));
}

const struct episode *controller_episode(const struct controller_engine *engine, const char *endpoint)
{
	return strmap_get(&engine->episodes, endpoint, strlen(endpoint));
}

/*
 * The endpoint's episode, which begins now if there is none. NULL when memory is out: then only some times are missing.
 */
static struct episode *episode_of(struct controller_engine *engine, const char *endpoint)
{
	size_t len = strnlen(endpoint, MODEL_ENDPOINT_KEY_MAX);
	struct episode *e = strmap_get(&engine->episodes, endpoint, len);
	if (e != NULL)
		return e;
	e = calloc(1, sizeof *e);
	if (e == NULL || strmap_put(&engine->episodes, endpoint, len, e) != VEER_OK) {
		free(e);
		return NULL;
	}
	memcpy(e->key, endpoint, len);
	e->reported_us = controller_now_us(engine);
	return e;
}

static void end_episode(struct controller_engine *engine, struct episode *e)
{
	engine->doubt_count -= e->is_doubted;
	engine->has_doubt_changed = engine->has_doubt_changed || e->is_doubted;
	(void)strmap_del(&engine->episodes, e->key, strlen(e->key));
	free(e);
}

void controller_note_confirm(struct controller_engine *engine, const char *endpoint)
{
	struct episode *e = episode_of(engine, endpoint);
	if (e == NULL)
		return;
	e->again_us = controller_now_us(engine);
	if (e->confirm_us == 0)
		e->confirm_us = e->again_us;
}

/* End episodes without a doubt: a second look that does not concern the verdict (a warning's) begins no doubt. */
static void drop_loose_episodes(struct controller_engine *engine)
{
	struct episode *e;
	for (size_t at = 0;
	     engine->episodes.count > engine->doubt_count && (e = strmap_next(&engine->episodes, &at)) != NULL;)
		if (!e->is_doubted)
			end_episode(engine, e);
}

void controller_take_doubts(struct controller_engine *engine)
{
	struct verdict_doubt doubt;
	while (verdict_doubt_next(engine->verdicts, &doubt)) {
		struct episode *e = doubt.is_doubted
					    ? episode_of(engine, doubt.endpoint)
					    : strmap_get(&engine->episodes, doubt.endpoint, strlen(doubt.endpoint));
		if (e != NULL && !doubt.is_doubted) {
			end_episode(engine, e);
		} else if (e != NULL && !e->is_doubted) {
			e->is_doubted = true;
			engine->doubt_count++;
			engine->has_doubt_changed = true;
		}
	}
	drop_loose_episodes(engine);
}

/* The line with the whole set; endpoints beyond CONTROLLER_DOUBTS_MAX are left out, and keep their TTL. */
static char *doubt_line(const struct controller_engine *engine, size_t *len)
{
	struct buf out;
	size_t at = 0, count = 0;
	buf_init(&out, LINE_MAX_BYTES);
	buf_puts(&out, "{\"type\":\"doubt\",\"endpoints\":[");
	for (const struct episode *e;
	     count < CONTROLLER_DOUBTS_MAX && (e = strmap_next(&engine->episodes, &at)) != NULL;)
		if (e->is_doubted)
			buf_printf(&out, "%s\"%s\"", count++ > 0 ? "," : "", e->key);
	buf_puts(&out, "]}\n");
	char *line = out.failed ? NULL : buf_take(&out, len);
	buf_deinit(&out);
	return line;
}

void controller_tell_doubts(struct controller_engine *engine)
{
	size_t len = 0;
	int64_t now_ms = controller_now_ms(engine);
	if (!engine->has_doubt_changed || engine->config->feed == NULL || now_ms < engine->doubt_ms)
		return;
	char *line = doubt_line(engine, &len);
	if (line == NULL)
		return; /* memory is out: the next tick tries again */
	engine->has_doubt_changed = false;
	engine->doubt_ms = now_ms + (int64_t)len / DOUBT_BYTES_PER_MS;
	feed_set_doubt(engine->config->feed, line, len, engine->committed_revision);
}

void controller_forget(struct controller_engine *engine)
{
	struct episode *e;
	struct pushed *p;
	size_t at = 0;
	while ((e = strmap_next(&engine->episodes, &at)) != NULL)
		if (verdict_endpoint_index(engine->verdicts, e->key) == UINT32_MAX)
			end_episode(engine, e);
	for (at = 0; (p = strmap_next(&engine->pushes, &at)) != NULL;) {
		char key[sizeof p->check + sizeof p->endpoint];
		if (verdict_is_pushed(engine->verdicts, p->check, p->endpoint))
			continue;
		int len = snprintf(key, sizeof key, "%s %s", p->check, p->endpoint);
		(void)strmap_del(&engine->pushes, key, (size_t)len);
		free(p);
	}
}

void controller_doubt_reset(struct controller_engine *engine)
{
	size_t at = 0;
	for (struct episode *e; (e = strmap_next(&engine->episodes, &at)) != NULL;)
		free(e);
	at = 0;
	for (struct pushed *p; (p = strmap_next(&engine->pushes, &at)) != NULL;)
		free(p);
	strmap_free(&engine->episodes);
	strmap_free(&engine->pushes);
	engine->has_doubt_changed = engine->has_doubt_changed || engine->doubt_count > 0;
	engine->doubt_count = 0;
}

void controller_doubt_deinit(struct controller_engine *engine)
{
	controller_doubt_reset(engine);
	strmap_free(&engine->overrides);
}
