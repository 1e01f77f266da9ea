/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/control/followers.h"

/* The system's clock, except that a test can set the wall clock. */
static int64_t test_monotonic_ns(void *ctx)
{
	(void)ctx;
	return veer_clock_monotonic_ns(veer_clock_system());
}

static int64_t test_wall_ns(void *ctx)
{
	return veer_clock_wall_ns(veer_clock_system()) + atomic_load((atomic_int_fast64_t *)ctx) * 1000000000;
}

static void test_boot_id(void *ctx, char out[VEER_BOOT_ID_SIZE])
{
	(void)ctx;
	(void)snprintf(out, VEER_BOOT_ID_SIZE, "this-boot");
}

int stage_setup(void **state)
{
	struct stage *f = calloc(1, sizeof *f);
	char url[128];
	struct veer_diag diag = {""};
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-controller-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", f->dir);
	if (store_open(url, &f->store, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	*state = f;
	return 0;
}

void stage_stop(struct stage *f)
{
	if (f->hub != NULL)
		hub_stop(f->hub);
	controller_free(&f->controller);
	hub_free(&f->hub);
	assignment_hub_free(&f->assignments);
	directory_free(&f->directory);
	trail_free(&f->trail);
}

int stage_teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct stage *f = *state;
	stage_stop(f);
	store_close(&f->store);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

void stage_start(struct stage *f)
{
	struct veer_diag diag = {""};
	f->directory = directory_new();
	f->assignments = assignment_hub_new(store_id(f->store));
	f->trail = trail_new();
	f->clock = (struct veer_clock){test_monotonic_ns, test_wall_ns, test_boot_id, &f->ahead_s};
	assert_non_null(f->directory);
	assert_non_null(f->assignments);
	assert_non_null(f->trail);
	if (hub_new(f->store, f->directory, f->dir, f->log, &f->hub, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	followers_add_trail(f->hub, f->trail);
	const struct controller_config config = {.clock = &f->clock,
						 .store = f->store,
						 .directory = f->directory,
						 .assignments = f->assignments,
						 .log = f->log,
						 .feed = hub_feed(f->hub),
						 .trail = f->trail,
						 .history = f->history,
						 .campaign_ms = f->campaign_ms};
	if (controller_new(&config, &f->controller, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	followers_add_controller(f->hub, f->controller);
	followers_add_assignments(f->hub, f->assignments);
	assert_int_equal(hub_start(f->hub), VEER_OK);
}

int64_t stage_put(struct stage *f, enum model_kind kind, const char *key, const char *value)
{
	int64_t revision = 0;
	const struct store_op op = {value != NULL ? STORE_PUT : STORE_DEL, kind,     key, value,
				    value != NULL ? strlen(value) : 0,     STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	if (f->directory != NULL)
		assert_true(directory_wait(f->directory, revision, WAIT_MS));
	return revision;
}

void stage_put_agents(struct stage *f, int count)
{
	for (int i = 0; i < count; i++) {
		char id[32], value[160];
		(void)snprintf(id, sizeof id, "ag-%03d", i);
		(void)snprintf(value, sizeof value,
			       "{\"id\":\"%s\",\"name\":\"a%d\",\"region\":\"eu\",\"state\":\"enrolled\"}", id, i);
		(void)stage_put(f, MODEL_KIND_AGENT, id, value);
	}
}

void stage_put_pool(struct stage *f, const char *name, int count)
{
	char value[ITEMS_MAX * 80];
	int len = snprintf(value, sizeof value, "{\"name\":\"%s\",\"checks\":[\"tcp\"],\"endpoints\":[", name);
	for (int i = 0; i < count; i++)
		len += snprintf(value + len, sizeof value - (size_t)len,
				"%s{\"name\":\"e%d\",\"address\":\"192.0.2.%d\",\"site\":\"fra\"}", i > 0 ? "," : "", i,
				1 + i % 250);
	(void)snprintf(value + len, sizeof value - (size_t)len, "]}");
	(void)stage_put(f, MODEL_KIND_POOL, name, value);
}

void stage_put_model(struct stage *f, int agents, int endpoints)
{
	(void)stage_put(f, MODEL_KIND_SITE, "fra", "{\"name\":\"fra\",\"region\":\"eu\"}");
	(void)stage_put(
		f, MODEL_KIND_CHECK, "tcp",
		"{\"name\":\"tcp\",\"kind\":\"tcp\",\"port\":80,\"interval_ms\":1000,\"timeout_ms\":500,\"hold_s\":0}");
	stage_put_pool(f, "web", endpoints);
	stage_put_agents(f, agents);
}

json_t *stage_status_of(struct stage *f)
{
	json_t *status = controller_status(f->controller, NULL);
	assert_non_null(status);
	return status;
}

int64_t stage_number_of(struct stage *f, const char *key)
{
	json_t *status = stage_status_of(f);
	int64_t number = json_integer_value(json_object_get(status, key));
	json_decref(status);
	return number;
}

enum veer_err stage_report(struct stage *f, int agent, int64_t revision, const char *letters)
{
	char id[32];
	struct arena *arena = arena_new(1 << 20);
	struct observation *items = arena_calloc(arena, strlen(letters) + 1, sizeof *items);
	struct report r = {.assignment_revision = revision,
			   .boot = 7,
			   .seq = ++f->seq[agent],
			   .items = items,
			   .item_count = (uint32_t)strlen(letters)};
	assert_non_null(items);
	for (uint32_t i = 0; i < r.item_count; i++) {
		bool is_down = letters[i] == 'd';
		items[i] = (struct observation){.state = is_down ? OBSERVATION_DOWN : OBSERVATION_UP,
						.reason = is_down ? PROBE_REASON_CONNECT_REFUSED : PROBE_REASON_OK,
						.age_ms = 10};
	}
	(void)snprintf(id, sizeof id, "ag-%03d", agent);
	return controller_report(f->controller, id, &r, arena);
}

void stage_report_all(struct stage *f, int agents, const char *letters)
{
	for (int i = 0; i < agents; i++)
		while (stage_report(f, i, stage_number_of(f, "assignment_revision"), letters) == VEER_ECONFLICT)
			continue;
}

struct wanted {
	const char *field;
	const char *text;
	json_t *object;
};

static bool take(void *ctx, const struct directory_entry *entry)
{
	struct wanted *w = ctx;
	const char *text = w->field != NULL ? json_string_value(json_object_get(entry->object, w->field)) : NULL;
	if (w->field == NULL || (text != NULL && strcmp(text, w->text) == 0))
		w->object = json_deep_copy(entry->object);
	return true;
}

json_t *stage_look(struct stage *f, enum model_kind kind, const char *key, const char *field, const char *text)
{
	struct wanted w = {field, text, NULL};
	(void)directory_get(f->directory, kind, key, take, &w);
	return w.object;
}

void stage_pause_ms(int ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000L};
	(void)nanosleep(&t, NULL);
}

json_t *stage_wait_object(struct stage *f, enum model_kind kind, const char *key, const char *field, const char *text)
{
	json_t *object = NULL;
	for (int i = 0; i < WAIT_MS / 5 && object == NULL; i++) {
		object = stage_look(f, kind, key, field, text);
		if (object == NULL)
			stage_pause_ms(5);
	}
	if (object == NULL)
		fail_msg("%s %s never came", model_kind_text(kind), key);
	return object;
}

bool stage_is_there(struct stage *f, enum model_kind kind, const char *key)
{
	json_t *object = stage_look(f, kind, key, NULL, NULL);
	json_decref(object);
	return object != NULL;
}

void stage_wait_gone(struct stage *f, enum model_kind kind, const char *key)
{
	for (int i = 0; i < WAIT_MS / 5; i++) {
		if (!stage_is_there(f, kind, key))
			return;
		stage_pause_ms(5);
	}
	fail_msg("%s %s is still there", model_kind_text(kind), key);
}

void stage_wait_count(struct stage *f, enum model_kind kind, size_t count)
{
	for (int i = 0; i < WAIT_MS / 5; i++) {
		if (directory_count(f->directory, kind) == count)
			return;
		stage_pause_ms(5);
	}
	fail_msg("%zu of kind %s, not %zu", directory_count(f->directory, kind), model_kind_text(kind), count);
}

void stage_report_until_down(struct stage *f, int agents, const char *letters, const char *key)
{
	for (int i = 0; i < WAIT_MS / 5 && !stage_is_there(f, MODEL_KIND_VERDICT, key); i++) {
		stage_report_all(f, agents, letters);
		stage_pause_ms(5);
	}
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, key, "state", "down"));
}

static bool count_object(void *ctx, const struct store_object *object)
{
	(void)object;
	++*(size_t *)ctx;
	return true;
}

size_t stage_history_size(struct stage *f)
{
	size_t count = 0;
	assert_int_equal(store_list(f->store, MODEL_KIND_TRANSITION, "", NULL, count_object, &count, NULL), VEER_OK);
	return count;
}

void stage_wait_history(struct stage *f, size_t count)
{
	for (int i = 0; i < WAIT_MS / 5 && stage_history_size(f) != count; i++)
		stage_pause_ms(5);
	assert_int_equal(stage_history_size(f), count);
}

void stage_report_until(struct stage *f, const char *letters, const char *key, const char *state)
{
	stage_report_all(f, 3, letters);
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, key, "state", state));
}
