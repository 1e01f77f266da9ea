/* SPDX-License-Identifier: Apache-2.0 */
/* The controller with a real store, directory and hub in this process; the reports are made up here. */
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

#include "api/control/controller.h"
#include "api/control/followers.h"
#include "api/control/hub.h"
#include "probes/verdict/verdict.h"
#include "zones/store/backend.h"

enum { WAIT_MS = 10000, AGENTS_MAX = 80, ITEMS_MAX = 256 };

/* The system's clock, but for a wall clock that somebody sets. */
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

struct fixture {
	struct veer_clock clock;
	atomic_int_fast64_t ahead_s; /* of the true wall clock */
	char dir[64];
	struct logger *log;
	struct store *store;
	struct directory *directory;
	struct assignment_hub *assignments;
	struct hub *hub;
	struct controller *controller;
	struct trail *trail;
	size_t history;
	int64_t campaign_ms;
	uint64_t seq[AGENTS_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
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

static void stop(struct fixture *f)
{
	if (f->hub != NULL)
		hub_stop(f->hub);
	controller_free(&f->controller);
	hub_free(&f->hub);
	assignment_hub_free(&f->assignments);
	directory_free(&f->directory);
	trail_free(&f->trail);
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	stop(f);
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

static void start(struct fixture *f)
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

/* Write one object past everybody, as the API or a vandal would. NULL deletes it. */
static int64_t put(struct fixture *f, enum model_kind kind, const char *key, const char *value)
{
	int64_t revision = 0;
	const struct store_op op = {value != NULL ? STORE_PUT : STORE_DEL, kind,     key, value,
				    value != NULL ? strlen(value) : 0,     STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	if (f->directory != NULL)
		assert_true(directory_wait(f->directory, revision, WAIT_MS));
	return revision;
}

static void put_agents(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++) {
		char id[32], value[160];
		(void)snprintf(id, sizeof id, "ag-%03d", i);
		(void)snprintf(value, sizeof value,
			       "{\"id\":\"%s\",\"name\":\"a%d\",\"region\":\"eu\",\"state\":\"enrolled\"}", id, i);
		(void)put(f, MODEL_KIND_AGENT, id, value);
	}
}

/* One pool "web" of `count` endpoints e0…, watched by the check "tcp". */
static void put_pool(struct fixture *f, const char *name, int count)
{
	char value[ITEMS_MAX * 80];
	int len = snprintf(value, sizeof value, "{\"name\":\"%s\",\"checks\":[\"tcp\"],\"endpoints\":[", name);
	for (int i = 0; i < count; i++)
		len += snprintf(value + len, sizeof value - (size_t)len,
				"%s{\"name\":\"e%d\",\"address\":\"192.0.2.%d\",\"site\":\"fra\"}", i > 0 ? "," : "", i,
				1 + i % 250);
	(void)snprintf(value + len, sizeof value - (size_t)len, "]}");
	(void)put(f, MODEL_KIND_POOL, name, value);
}

static void put_model(struct fixture *f, int agents, int endpoints)
{
	(void)put(f, MODEL_KIND_SITE, "fra", "{\"name\":\"fra\",\"region\":\"eu\"}");
	(void)put(
		f, MODEL_KIND_CHECK, "tcp",
		"{\"name\":\"tcp\",\"kind\":\"tcp\",\"port\":80,\"interval_ms\":1000,\"timeout_ms\":500,\"hold_s\":0}");
	put_pool(f, "web", endpoints);
	put_agents(f, agents);
}

static json_t *status_of(struct fixture *f)
{
	json_t *status = controller_status(f->controller, NULL);
	assert_non_null(status);
	return status;
}

static int64_t number_of(struct fixture *f, const char *key)
{
	json_t *status = status_of(f);
	int64_t number = json_integer_value(json_object_get(status, key));
	json_decref(status);
	return number;
}

/* One report of agent `agent` with a letter an item. */
static enum veer_err report(struct fixture *f, int agent, int64_t revision, const char *letters)
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

/* All agents below `agents` say the same; again when the assignments changed meanwhile. */
static void report_all(struct fixture *f, int agents, const char *letters)
{
	for (int i = 0; i < agents; i++)
		while (report(f, i, number_of(f, "assignment_revision"), letters) == VEER_ECONFLICT)
			continue;
}

struct wanted {
	const char *field;
	const char *text;
	json_t *object;
};

static bool look(void *ctx, const struct directory_entry *entry)
{
	struct wanted *w = ctx;
	const char *text = w->field != NULL ? json_string_value(json_object_get(entry->object, w->field)) : NULL;
	if (w->field == NULL || (text != NULL && strcmp(text, w->text) == 0))
		w->object = json_deep_copy(entry->object);
	return true;
}

static void pause_ms(int ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000L};
	(void)nanosleep(&t, NULL);
}

/* The object once its `field` is `text` (NULL: once it is there). */
static json_t *wait_object(struct fixture *f, enum model_kind kind, const char *key, const char *field,
			   const char *text)
{
	struct wanted w = {field, text, NULL};
	for (int i = 0; i < WAIT_MS / 5 && w.object == NULL; i++) {
		(void)directory_get(f->directory, kind, key, look, &w);
		if (w.object == NULL)
			pause_ms(5);
	}
	if (w.object == NULL)
		fail_msg("%s %s never came", model_kind_text(kind), key);
	return w.object;
}

static bool is_there(struct fixture *f, enum model_kind kind, const char *key)
{
	struct wanted w = {NULL, NULL, NULL};
	(void)directory_get(f->directory, kind, key, look, &w);
	bool found = w.object != NULL;
	json_decref(w.object);
	return found;
}

static void wait_gone(struct fixture *f, enum model_kind kind, const char *key)
{
	for (int i = 0; i < WAIT_MS / 5; i++) {
		if (!is_there(f, kind, key))
			return;
		pause_ms(5);
	}
	fail_msg("%s %s is still there", model_kind_text(kind), key);
}

static void wait_count(struct fixture *f, enum model_kind kind, size_t count)
{
	for (int i = 0; i < WAIT_MS / 5; i++) {
		if (directory_count(f->directory, kind) == count)
			return;
		pause_ms(5);
	}
	fail_msg("%zu of kind %s, not %zu", directory_count(f->directory, kind), model_kind_text(kind), count);
}

static void a_verdict_is_committed_with_its_evidence_and_taken_back(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 2);
	start(f);
	report_all(f, 3, "du");
	json_t *verdict = wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down");
	assert_int_equal(json_integer_value(json_object_get(verdict, "election")), number_of(f, "election"));
	assert_string_equal(json_string_value(json_object_get(verdict, "reason")), "connect_refused");
	const json_t *votes = json_object_get(verdict, "votes");
	assert_true(json_array_size(votes) == 3);
	int down = 0;
	for (size_t i = 0; i < 3; i++)
		down += strcmp(json_string_value(json_object_get(json_array_get(votes, i), "state")), "d") == 0;
	assert_true(down >= 2);
	json_decref(verdict);
	report_all(f, 3, "uu");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "up"));
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e1", "state", "up"));
}

static void fewer_than_the_quorum_change_nothing(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	report_all(f, 1, "d");
	(void)number_of(f, "election"); /* the report has been taken in */
	pause_ms(300);
	assert_false(is_there(f, MODEL_KIND_VERDICT, "web/e0"));
}

static void without_agents_and_without_anything_it_runs(void **state)
{
	struct fixture *f = *state;
	start(f);
	put_model(f, 0, 2);
	json_t *status = status_of(f);
	assert_true(json_is_true(json_object_get(status, "acting")));
	json_decref(status);
}

static void of_more_agents_than_can_vote_the_rest_are_left_out(void **state)
{
	struct fixture *f = *state;
	put_model(f, 70, 1);
	start(f);
	json_t *status = status_of(f);
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "agents")), MODEL_AGENTS_MAX);
	json_decref(status);
}

static void status_shows_every_vote_of_two_checks_and_64_agents(void **state)
{
	struct fixture *f = *state;
	put_model(f, 64, 1);
	(void)put(f, MODEL_KIND_CHECK, "two", "{\"name\":\"two\",\"kind\":\"tcp\",\"port\":81}");
	(void)put(f, MODEL_KIND_POOL, "web",
		  "{\"name\":\"web\",\"checks\":[\"tcp\",\"two\"],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0."
		  "2.1\",\"site\":\"fra\"}]}");
	start(f);
	json_t *status = status_of(f);
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_array_size(json_object_get(e, "votes")), 128);
	json_decref(status);
}

static void verdicts_that_nothing_stands_behind_are_deleted(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	for (int i = 0; i < 250; i++) { /* more than one commit holds */
		char key[32], value[96];
		(void)snprintf(key, sizeof key, "old/e%d", i);
		(void)snprintf(value, sizeof value,
			       "{\"endpoint\":\"%s\",\"state\":\"down\",\"since_revision\":1,\"election\":1}", key);
		(void)put(f, MODEL_KIND_VERDICT, key, value);
	}
	(void)put(f, MODEL_KIND_LAST, "old", "{\"pool\":\"old\",\"endpoints\":[\"e1\"]}");
	start(f);
	wait_count(f, MODEL_KIND_VERDICT, 0);
	wait_count(f, MODEL_KIND_LAST, 0);
}

/* As agents do, report again and again: a report from before a change of the assignments says nothing of what is new.
 */
static void report_until_down(struct fixture *f, int agents, const char *letters, const char *key)
{
	for (int i = 0; i < WAIT_MS / 5 && !is_there(f, MODEL_KIND_VERDICT, key); i++) {
		report_all(f, agents, letters);
		pause_ms(5);
	}
	json_decref(wait_object(f, MODEL_KIND_VERDICT, key, "state", "down"));
}

static void an_endpoint_that_is_removed_while_down_leaves_no_verdict(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 2);
	start(f);
	for (int round = 0; round < 10; round++) {
		report_until_down(f, 3, "ud", "web/e1");
		put_pool(f, "web", 1);
		wait_gone(f, MODEL_KIND_VERDICT, "web/e1");
		put_pool(f, "web", 2);
		report_all(f, 3, "ud");
		put_pool(f, "web", 1); /* perhaps while the verdict is on its way */
		wait_gone(f, MODEL_KIND_VERDICT, "web/e1");
		pause_ms(5 * round);
		put_pool(f, "web", 2);
	}
}

static void a_check_that_is_removed_leaves_no_verdict(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	report_all(f, 3, "d");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	(void)put(f, MODEL_KIND_CHECK, "tcp", NULL);
	wait_gone(f, MODEL_KIND_VERDICT, "web/e0");
}

static void garbage_in_the_store_is_left_out_and_repaired(void **state)
{
	static const char *const garbage[] = {
		"[]", "{}", "7", "\"x\"", "null", "not json", "{\"name\":7}", "{\"endpoint\":[],\"state\":{}}"};
	struct fixture *f = *state;
	put_model(f, 3, 2);
	for (int kind = MODEL_KIND_SITE; kind < MODEL_KIND_COUNT; kind++) {
		for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
			char key[32];
			(void)snprintf(key, sizeof key, "garbage-%zu", i);
			(void)put(f, (enum model_kind)kind, key, garbage[i]);
		}
	}
	(void)put(f, MODEL_KIND_VERDICT, "web/e0", "{\"endpoint\":7,\"state\":\"down\"}");
	(void)put(f, MODEL_KIND_SITE, "a", "{\"name\":\"fra\",\"region\":\"eu\"}"); /* under another's name */
	(void)put(f, MODEL_KIND_CHECK, "a", "{\"name\":\"tcp\",\"kind\":\"tcp\",\"port\":81}");
	(void)put(f, MODEL_KIND_POOL, "zzz",
		  "{\"name\":\"web\",\"checks\":[\"tcp\"],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2.9\","
		  "\"site\":\"fra\"}]}");
	(void)put(f, MODEL_KIND_META, "election", "{\"election\":\"many\"}");
	start(f);
	wait_gone(f, MODEL_KIND_VERDICT, "web/e0");
	report_all(f, 3, "du");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
}

static void elections_rise_whatever_the_store_says(void **state)
{
	static const char *const stored[] = {"{\"election\":9223372036854775807}", "{\"election\":-5}",
					     "{\"election\":41}", "[]", NULL};
	struct fixture *f = *state;
	int64_t last = 0;
	for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++) {
		start(f);
		int64_t election = number_of(f, "election");
		assert_true(election > last || i == 3 || i == 4);
		assert_true(election > 0);
		last = election;
		(void)put(f, MODEL_KIND_META, "election", stored[i]);
		stop(f);
	}
	start(f);
	assert_true(number_of(f, "election") >= 5);
}

static void a_deposed_controller_writes_nothing(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	int64_t revision = put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	report_all(f, 3, "d");
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *status = status_of(f);
		bool is_acting = json_is_true(json_object_get(status, "acting"));
		json_decref(status);
		if (!is_acting)
			break;
		assert_true(i + 1 < WAIT_MS / 5);
		pause_ms(5);
	}
	report_all(f, 3, "u");
	report_all(f, 3, "d");
	pause_ms(300);
	assert_int_equal(store_revision(f->store), revision);
	assert_false(is_there(f, MODEL_KIND_VERDICT, "web/e0"));
}

static size_t last_size(struct fixture *f, const char *pool)
{
	json_t *last = wait_object(f, MODEL_KIND_LAST, pool, NULL, NULL);
	size_t size = json_array_size(json_object_get(last, "endpoints"));
	json_decref(last);
	return size;
}

static void the_last_good_set_is_kept_for_policies_that_need_it(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 3);
	(void)put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"web\"}");
	start(f);
	assert_int_equal(last_size(f, "web"), 3);
	report_all(f, 3, "dud");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e2", "state", "down"));
	for (int i = 0; i < WAIT_MS / 5 && last_size(f, "web") != 1; i++)
		pause_ms(5);
	assert_int_equal(last_size(f, "web"), 1);
	report_all(f, 3, "ddd");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e1", "state", "down"));
	pause_ms(300);
	assert_int_equal(last_size(f, "web"), 1);
	(void)put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"tree\":\"web\"}");
	wait_gone(f, MODEL_KIND_LAST, "web");
}

static void more_last_sets_than_fit_a_commit_are_all_written(void **state)
{
	struct fixture *f = *state;
	put_model(f, 1, 1);
	for (int i = 0; i < 230; i++) {
		char pool[32], policy[128];
		(void)snprintf(pool, sizeof pool, "p%d", i);
		put_pool(f, pool, 1);
		(void)snprintf(policy, sizeof policy, "{\"name\":\"%s\",\"when_all_down\":\"last\",\"tree\":\"%s\"}",
			       pool, pool);
		(void)put(f, MODEL_KIND_POLICY, pool, policy);
	}
	start(f);
	wait_count(f, MODEL_KIND_LAST, 230);
}

static void a_site_taken_out_leaves_the_last_set_and_the_agents_alone(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 2);
	(void)put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"web\"}");
	start(f);
	int64_t before = number_of(f, "assignment_revision");
	(void)put(f, MODEL_KIND_SITE, "fra", "{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"out\"}");
	pause_ms(200);
	assert_int_equal(number_of(f, "assignment_revision"), before); /* nobody's reports were refused for it */
	assert_int_equal(last_size(f, "web"), 2);
	put_pool(f, "web", 3);
	for (int i = 0; i < WAIT_MS / 5 && number_of(f, "assignment_revision") == before; i++)
		pause_ms(5);
	assert_true(number_of(f, "assignment_revision") > before);
}

static void put_weighted(struct fixture *f, int last_octet, int weight)
{
	char value[256];
	(void)snprintf(value, sizeof value,
		       "{\"name\":\"web\",\"checks\":[\"tcp\"],\"endpoints\":[{\"name\":\"e0\",\"address\":"
		       "\"192.0.2.%d\",\"site\":\"fra\",\"weight\":%d}]}",
		       last_octet, weight);
	(void)put(f, MODEL_KIND_POOL, "web", value);
}

/* Whoever changes weights all the time must not have every report refused for it. */
static void a_weight_is_nobodys_assignment(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	int64_t before = number_of(f, "assignment_revision");
	put_weighted(f, 1, 7);
	pause_ms(200);
	assert_int_equal(number_of(f, "assignment_revision"), before);
	put_weighted(f, 2, 7);
	for (int i = 0; i < WAIT_MS / 5 && number_of(f, "assignment_revision") == before; i++)
		pause_ms(5);
	assert_true(number_of(f, "assignment_revision") > before);
}

static void a_restarted_controller_knows_the_verdicts(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	report_all(f, 3, "d");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	int64_t election = number_of(f, "election");
	stop(f);
	memset(f->seq, 0, sizeof f->seq);
	start(f);
	assert_true(number_of(f, "election") > election);
	json_t *status = status_of(f);
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_string_equal(json_string_value(json_object_get(e, "state")), "down");
	json_decref(status);
	report_all(f, 3, "u");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "up"));
}

static void one_agents_flood_leaves_room_for_the_others(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	int64_t revision = number_of(f, "assignment_revision");
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 2 * CONTROLLER_QUEUE_MAX; i++)
			(void)report(f, 0, revision, "u");
		assert_int_equal(report(f, 1, revision, "u"), VEER_OK);
		(void)number_of(f, "election"); /* taken in */
	}
}

static bool count_object(void *ctx, const struct store_object *object)
{
	(void)object;
	++*(size_t *)ctx;
	return true;
}

static size_t history_size(struct fixture *f)
{
	size_t count = 0;
	assert_int_equal(store_list(f->store, MODEL_KIND_TRANSITION, "", NULL, count_object, &count, NULL), VEER_OK);
	return count;
}

static void wait_history(struct fixture *f, size_t count)
{
	for (int i = 0; i < WAIT_MS / 5 && history_size(f) != count; i++)
		pause_ms(5);
	assert_int_equal(history_size(f), count);
}

/* What a list of transitions shows first. */
static bool take_first(void *ctx, const struct store_object *object)
{
	json_t **out = ctx;
	assert_int_equal(veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, out, NULL), VEER_OK);
	return false;
}

static json_t *newest_transition(struct fixture *f)
{
	json_t *t = NULL;
	assert_int_equal(store_list(f->store, MODEL_KIND_TRANSITION, "", NULL, take_first, &t, NULL), VEER_OK);
	assert_non_null(t);
	return t;
}

static void report_until(struct fixture *f, const char *letters, const char *key, const char *state)
{
	report_all(f, 3, letters);
	json_decref(wait_object(f, MODEL_KIND_VERDICT, key, "state", state));
}

static void transitions_are_kept_newest_first_up_to_a_bound_across_restarts(void **state)
{
	struct fixture *f = *state;
	f->history = 5;
	put_model(f, 3, 1);
	for (int round = 0; round < 3; round++) {
		start(f);
		for (int i = 0; i < 2; i++) {
			report_until(f, "d", "web/e0", "down");
			report_until(f, "u", "web/e0", "up");
		}
		json_t *t = newest_transition(f);
		assert_string_equal(json_string_value(json_object_get(t, "to")), "up");
		assert_int_equal(json_integer_value(json_object_get(t, "election")), number_of(f, "election"));
		assert_int_equal(json_array_size(json_object_get(t, "votes")), 3);
		json_decref(t);
		wait_history(f, round == 0 ? 4 : 5);
		stop(f);
		memset(f->seq, 0, sizeof f->seq);
	}
}

static void a_transition_that_is_stored_is_the_one_that_was_decided(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	report_until(f, "d", "web/e0", "down");
	json_t *t = newest_transition(f), *steps = json_object_get(t, "steps");
	int64_t decided = json_integer_value(json_object_get(steps, "decided_us"));
	int64_t commit = json_integer_value(json_object_get(steps, "commit_us"));
	/* Every report back-dates by 10 ms. */
	assert_true(decided >= 10000 && commit >= decided);
	assert_null(json_object_get(steps, "committed_us"));
	trail_merge(f->trail, t);
	for (int i = 0; i < WAIT_MS / 5 && json_object_get(steps, "fed_us") == NULL; i++) {
		pause_ms(5);
		trail_merge(f->trail, t);
	}
	assert_true(json_integer_value(json_object_get(steps, "committed_us")) >= commit);
	assert_true(json_integer_value(json_object_get(steps, "fed_us")) >=
		    json_integer_value(json_object_get(steps, "committed_us")));
	json_decref(t);
}

#define OVERRIDE(action_, rest_)                                                                                       \
	"{\"endpoint\":\"web/e0\",\"action\":\"" action_ "\",\"owner\":\"me\",\"reason\":\"x\"" rest_ "}"

static void wait_last(struct fixture *f, size_t size)
{
	for (int i = 0; i < WAIT_MS / 5 && last_size(f, "web") != size; i++)
		pause_ms(5);
	assert_int_equal(last_size(f, "web"), size);
}

static void overrides_beat_verdicts_in_last_sets(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 3);
	(void)put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"web\"}");
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e0", OVERRIDE("drain", ""));
	start(f);
	wait_last(f, 2);
	report_until(f, "duu", "web/e0", "down");
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e0", OVERRIDE("up", ""));
	wait_last(f, 3);
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e0", NULL);
	wait_last(f, 2);
	json_t *status = status_of(f);
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(status, "endpoints"), 0), "override")));
	json_decref(status);
}

static void an_override_ends_when_the_wall_clock_says_so(void **state)
{
	struct fixture *f = *state;
	char text[VEER_RFC3339_SIZE], value[256];
	put_model(f, 3, 2);
	start(f);
	veer_rfc3339(veer_clock_wall_ns(veer_clock_system()) + INT64_C(3600000000000), text);
	(void)snprintf(value, sizeof value, OVERRIDE("drain", ",\"expires_at\":\"%s\""), text);
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e0", value);
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e1",
		  "{\"endpoint\":\"web/e1\",\"action\":\"up\",\"owner\":\"me\",\"reason\":\"x\"}");
	pause_ms(500);
	assert_true(is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	atomic_store(&f->ahead_s, 3000);
	pause_ms(300);
	assert_true(is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	atomic_store(&f->ahead_s, 3601);
	wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
	assert_true(is_there(f, MODEL_KIND_OVERRIDE, "web/e1")); /* that one has no end */
}

/* What cannot be read may be there all the same: an administrator's word is not forgotten for it (S11). */
static void an_override_outlives_a_pool_that_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 2);
	start(f);
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e0", OVERRIDE("drain", ""));
	json_decref(wait_object(f, MODEL_KIND_OVERRIDE, "web/e0", NULL, NULL));
	/* Under a name that is not its own it would stand in the wrong place, and hide the others. */
	(void)put(f, MODEL_KIND_POOL, "aaa", "{\"name\":\"zzz\",\"checks\":[],\"endpoints\":[]}");
	pause_ms(700);
	assert_true(is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	(void)put(f, MODEL_KIND_POOL, "web", "{\"name\":7}");
	pause_ms(700);
	assert_true(is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	(void)put(f, MODEL_KIND_POOL, "web", NULL);
	wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
}

/* Put a maintenance window of web/e0 that began an hour ago. */
static void put_window(struct fixture *f, const char *name, int64_t ends_s)
{
	char starts[VEER_RFC3339_SIZE], ends[VEER_RFC3339_SIZE], value[512];
	int64_t now_ns = veer_clock_wall_ns(veer_clock_system());
	veer_rfc3339(now_ns - INT64_C(3600000000000), starts);
	veer_rfc3339(now_ns + ends_s * INT64_C(1000000000), ends);
	(void)snprintf(value, sizeof value,
		       "{\"name\":\"%s\",\"endpoints\":[\"web/e0\"],\"starts_at\":\"%s\",\"ends_at\":\"%s\","
		       "\"reason\":\"x\"}",
		       name, starts, ends);
	(void)put(f, MODEL_KIND_MAINTENANCE, name, value);
}

/* The override stays in force all the time, until it is of this source and the clock's present hour. */
static void wait_taken_over(struct fixture *f, const char *source, const char *old_end)
{
	for (int i = 0; i < WAIT_MS / 2; i++) {
		struct wanted w = {NULL, NULL, NULL};
		(void)directory_get(f->directory, MODEL_KIND_OVERRIDE, "web/e0", look, &w);
		if (w.object == NULL)
			fail_msg("the endpoint was answered with for a moment");
		const char *now_of = json_string_value(json_object_get(w.object, "source"));
		bool is_done = now_of != NULL && strcmp(now_of, source) == 0 &&
			       strcmp(json_string_value(json_object_get(w.object, "expires_at")), old_end) != 0;
		json_decref(w.object);
		if (is_done)
			return;
		pause_ms(2);
	}
	fail_msg("%s never took over", source);
}

static void maintenance_that_goes_on_lets_nothing_in_between(void **state)
{
	struct fixture *f = *state;
	char end[VEER_RFC3339_SIZE];
	put_model(f, 3, 2);
	start(f);
	put_window(f, "first", 3600);
	json_t *drain = wait_object(f, MODEL_KIND_OVERRIDE, "web/e0", "source", "maintenance/first");
	(void)snprintf(end, sizeof end, "%s", json_string_value(json_object_get(drain, "expires_at")));
	json_decref(drain);
	put_window(f, "first", 7200); /* takes longer than was thought */
	pause_ms(300);
	atomic_store(&f->ahead_s, 3601);
	wait_taken_over(f, "maintenance/first", end);
	put_window(f, "second", 10800); /* and another overlaps it */
	pause_ms(300);
	atomic_store(&f->ahead_s, 7201);
	wait_taken_over(f, "maintenance/second", end);
	atomic_store(&f->ahead_s, 10801);
	wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
}

/* The other endpoint is at a site that was taken out meanwhile: then it is not what is left. */
static void maintenance_prolongs_no_pool_that_is_empty(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 2);
	(void)put(f, MODEL_KIND_SITE, "iad", "{\"name\":\"iad\",\"region\":\"us\"}");
	(void)put(f, MODEL_KIND_POOL, "web",
		  "{\"name\":\"web\",\"checks\":[\"tcp\"],\"endpoints\":["
		  "{\"name\":\"e0\",\"address\":\"192.0.2.1\",\"site\":\"fra\"},"
		  "{\"name\":\"e1\",\"address\":\"192.0.2.2\",\"site\":\"iad\"}]}");
	start(f);
	put_window(f, "first", 3600);
	json_decref(wait_object(f, MODEL_KIND_OVERRIDE, "web/e0", "source", "maintenance/first"));
	(void)put(f, MODEL_KIND_SITE, "iad", "{\"name\":\"iad\",\"region\":\"us\",\"state\":\"out\"}");
	put_window(f, "first", 7200);
	put_window(f, "second", 10800);
	pause_ms(300);
	atomic_store(&f->ahead_s, 3601);
	wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
}

static size_t pushes_shown(struct fixture *f)
{
	json_t *status = controller_status(f->controller, "web/e0");
	assert_non_null(status);
	size_t count =
		json_array_size(json_object_get(json_array_get(json_object_get(status, "endpoints"), 0), "pushes"));
	json_decref(status);
	return count;
}

/* A store that holds more than the engine takes: the rest is watched, and what is known of the excess is not forgotten.
 */
static void what_the_engine_has_no_room_for_is_left_out(void **state)
{
	enum { POOL_TEXT = 1 << 17 };
	struct fixture *f = *state;
	char name[16], check[160], checks[256] = "", *pool = malloc(POOL_TEXT);
	assert_non_null(pool);
	put_model(f, 3, 1);
	for (int i = 0; i < 16; i++) {
		(void)snprintf(name, sizeof name, "c%d", i);
		(void)snprintf(check, sizeof check, "{\"name\":\"%s\",\"kind\":\"icmp\"}", name);
		(void)put(f, MODEL_KIND_CHECK, name, check);
		(void)snprintf(checks + strlen(checks), sizeof checks - strlen(checks), "%s\"%s\"", i > 0 ? "," : "",
			       name);
	}
	for (int p = 0; p < 5; p++) {
		(void)snprintf(name, sizeof name, "big%d", p);
		int len = snprintf(pool, POOL_TEXT, "{\"name\":\"%s\",\"checks\":[%s],\"endpoints\":[", name, checks);
		for (int i = 0; i < 1000; i++)
			len += snprintf(pool + len, POOL_TEXT - (size_t)len,
					"%s{\"name\":\"e%d\",\"address\":\"10.0.%d.%d\",\"site\":\"fra\"}",
					i > 0 ? "," : "", i, i / 250, i % 250);
		(void)snprintf(pool + len, POOL_TEXT - (size_t)len, "]}");
		(void)put(f, MODEL_KIND_POOL, name, pool);
	}
	free(pool);
	(void)put(f, MODEL_KIND_VERDICT, "web/e0",
		  "{\"endpoint\":\"web/e0\",\"state\":\"down\",\"since_revision\":1,\"election\":1}");
	(void)put(f, MODEL_KIND_VERDICT, "big4/e0",
		  "{\"endpoint\":\"big4/e0\",\"state\":\"down\",\"decided_by\":\"x\"}");
	(void)put(f, MODEL_KIND_LAST, "big4", "{\"pool\":\"big4\",\"endpoints\":[\"e1\"]}");
	(void)put(f, MODEL_KIND_POLICY, "p",
		  "{\"name\":\"p\",\"when_all_down\":\"last\",\"tree\":{\"failover\":[\"web\",\"big4\"]}}");
	start(f);
	(void)put(f, MODEL_KIND_OVERRIDE, "web/e0",
		  "{\"endpoint\":\"web/e0\",\"action\":\"drain\",\"owner\":\"me\",\"reason\":\"x\","
		  "\"created_at\":\"2026-01-01T00:00:00Z\"}");
	pause_ms(600);
	assert_true(is_there(f, MODEL_KIND_VERDICT, "web/e0"));
	assert_true(is_there(f, MODEL_KIND_VERDICT, "big4/e0"));
	json_t *last = wait_object(f, MODEL_KIND_LAST, "big4", NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(last, "endpoints")), 1);
	json_decref(last);
	json_t *status = controller_status(f->controller, "web/e0");
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "agents")), 3);
	assert_string_equal(json_string_value(json_object_get(e, "state")), "down");
	json_decref(status);
}

static void of_more_agents_than_the_engine_takes_the_rest_is_left_out(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	for (int i = 0; i < VERDICT_AGENTS_MAX / 64; i++) {
		int64_t revision;
		char ids[64][32];
		struct store_op ops[64];
		static const char agent[] = "{\"name\":\"x\",\"region\":\"eu\",\"state\":\"enrolled\"}";
		for (int k = 0; k < 64; k++) {
			(void)snprintf(ids[k], sizeof ids[k], "more-%d-%d", i, k);
			ops[k] =
				(struct store_op){STORE_PUT, MODEL_KIND_AGENT, ids[k], agent, strlen(agent), STORE_ANY};
		}
		assert_int_equal(store_commit(f->store, ops, 64, STORE_NORMAL, &revision, NULL), VEER_OK);
	}
	start(f);
	json_t *status = controller_status(f->controller, "web/e0");
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "agents")), MODEL_AGENTS_MAX);
	json_decref(status);
}

/* A calculated check of seven that are probed, all with the longest names. */
static void put_calculated(struct fixture *f, int number)
{
	char value[256], part[64], name[16], of[1024] = "", calculated[1200];
	for (int i = 0; i < 7; i++) {
		(void)snprintf(part, sizeof part, "%063d", 10 * number + i);
		(void)snprintf(value, sizeof value,
			       "{\"name\":\"%s\",\"kind\":\"icmp\",\"interval_ms\":1000,\"timeout_ms\":500}", part);
		(void)put(f, MODEL_KIND_CHECK, part, value);
		(void)snprintf(of + strlen(of), sizeof of - strlen(of), "%s\"%s\"", i > 0 ? "," : "", part);
	}
	(void)snprintf(name, sizeof name, "calc%d", number);
	(void)snprintf(calculated, sizeof calculated, "{\"name\":\"%s\",\"kind\":\"calculated\",\"of\":[%s]}", name,
		       of);
	(void)put(f, MODEL_KIND_CHECK, name, calculated);
}

static void put_long_agents(struct fixture *f, int count)
{
	char id[32], value[256];
	for (int i = 0; i < count; i++) {
		(void)snprintf(id, sizeof id, "ag-%03d", i);
		(void)snprintf(value, sizeof value,
			       "{\"id\":\"%s\",\"name\":\"%063d\",\"region\":\"%063d\",\"state\":\"enrolled\"}", id, i,
			       1);
		(void)put(f, MODEL_KIND_AGENT, id, value);
	}
}

/* More evidence than a value of the store can hold must keep neither this endpoint nor the others from going down. */
static void evidence_without_end_holds_nothing_up(void **state)
{
	struct fixture *f = *state;
	char letters[64] = "";
	put_model(f, 0, 1);
	put_long_agents(f, MODEL_AGENTS_MAX);
	for (int i = 0; i < 8; i++)
		put_calculated(f, i);
	(void)put(f, MODEL_KIND_POOL, "big",
		  "{\"name\":\"big\",\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2.9\",\"site\":\"fra\"}],"
		  "\"checks\":"
		  "[\"calc0\",\"calc1\",\"calc2\",\"calc3\",\"calc4\",\"calc5\",\"calc6\",\"calc7\"]}");
	start(f);
	memset(letters, 'd', 57);
	report_until_down(f, MODEL_AGENTS_MAX, letters, "web/e0");
	report_until_down(f, MODEL_AGENTS_MAX, letters, "big/e0");
}

/* A store whose commits go wrong as told. */
static struct {
	const struct store_backend *real;
	struct store_backend faulty;
	atomic_bool is_ambiguous; /* they happen, and an error is returned */
	const char *poison;       /* a key that it refuses */
} fault;

static enum veer_err faulty_commit(void *self, const struct store_op *ops, size_t count, enum store_priority priority,
				   int64_t *revision, size_t *failed)
{
	for (size_t i = 0; fault.poison != NULL && i < count; i++)
		if (ops[i].kind == MODEL_KIND_VERDICT && strcmp(ops[i].key, fault.poison) == 0)
			return VEER_EINVAL;
	if (!atomic_load(&fault.is_ambiguous))
		return fault.real->commit(self, ops, count, priority, revision, failed);
	int64_t lost;
	enum veer_err err = fault.real->commit(self, ops, count, priority, &lost, failed);
	return err == VEER_OK ? VEER_EIO : err;
}

static void make_faulty(struct fixture *f, const char *poison)
{
	fault.real = f->store->backend;
	fault.faulty = *fault.real;
	fault.faulty.commit = faulty_commit;
	fault.poison = poison;
	atomic_store(&fault.is_ambiguous, false);
	f->store->backend = &fault.faulty;
}

static void a_verdict_that_the_store_refuses_holds_up_no_other(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 4);
	make_faulty(f, "web/e1");
	start(f);
	report_all(f, 3, "dddu");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e2", "state", "down"));
	assert_false(is_there(f, MODEL_KIND_VERDICT, "web/e1"));
	/* And while it is refused again and again, another is not late by that. */
	int64_t began_ms = veer_clock_monotonic_ms(veer_clock_system());
	report_all(f, 3, "dddd");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e3", "state", "down"));
	assert_in_range(veer_clock_monotonic_ms(veer_clock_system()) - began_ms, 0, 700);
	assert_false(is_there(f, MODEL_KIND_VERDICT, "web/e1"));
}

static void a_commit_whose_answer_was_lost_has_its_revision(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	make_faulty(f, NULL);
	start(f);
	atomic_store(&fault.is_ambiguous, true);
	report_all(f, 3, "d");
	json_decref(wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	/* Its trail is found by the revision. */
	json_t *t = newest_transition(f), *steps = json_object_get(t, "steps");
	for (int i = 0; i < WAIT_MS / 5 && json_object_get(steps, "fed_us") == NULL; i++) {
		pause_ms(5);
		trail_merge(f->trail, t);
	}
	assert_non_null(json_object_get(steps, "committed_us"));
	assert_non_null(json_object_get(steps, "fed_us"));
	json_decref(t);
	atomic_store(&fault.is_ambiguous, false);
	wait_history(f, 1); /* and it was committed once */
}

/* Words are kept for what is configured: checks that come and go leave nothing behind (S21). */
static void words_of_checks_that_are_gone_are_forgotten(void **state)
{
	struct fixture *f = *state;
	static const char pool[] = "{\"name\":\"web\",\"checks\":[%s],\"endpoints\":[{\"name\":\"e0\",\"address\":"
				   "\"192.0.2.1\",\"site\":\"fra\"}]}";
	struct controller_push push = {.check = "word", .state = MODEL_STATE_UP, .reason = "fine", .by = "me"};
	char value[256];
	put_model(f, 3, 1);
	(void)put(f, MODEL_KIND_CHECK, "word", "{\"name\":\"word\",\"kind\":\"push\"}");
	(void)snprintf(value, sizeof value, pool, "\"tcp\",\"word\"");
	(void)put(f, MODEL_KIND_POOL, "web", value);
	start(f);
	assert_int_equal(controller_push_state(f->controller, "web/e0", &push), VEER_OK);
	assert_int_equal(pushes_shown(f), 1);
	(void)snprintf(value, sizeof value, pool, "\"tcp\"");
	(void)put(f, MODEL_KIND_POOL, "web", value);
	for (int i = 0; i < WAIT_MS / 5 && pushes_shown(f) > 0; i++)
		pause_ms(5);
	assert_int_equal(pushes_shown(f), 0);
}

/* A commit under way when the controller ends comes back, and is taken down in a history that must be there still. */
static void ending_while_verdicts_are_committed_is_safe(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 40);
	for (int i = 0; i < 8; i++) {
		char letters[41] = {0};
		start(f);
		memset(letters, i % 2 == 0 ? 'd' : 'u', 40);
		report_all(f, 3, letters);
		pause_ms(i);
		stop(f);
		memset(f->seq, 0, sizeof f->seq);
	}
}

/* Does an endpoint that was removed `ago_ms` ago, with a hold of 5 s, come back within a second of a start? */
static bool returns_at_once(struct fixture *f, const char *boot, int64_t ago_ms, const char *more)
{
	char value[256];
	(void)snprintf(value, sizeof value,
		       "{\"endpoint\":\"web/e0\",\"state\":\"down\",\"boot\":%s,\"monotonic_ms\":%lld%s}", boot,
		       (long long)(veer_clock_monotonic_ms(veer_clock_system()) - ago_ms), more);
	(void)put(f, MODEL_KIND_VERDICT, "web/e0", value);
	start(f);
	bool is_up = false;
	for (int i = 0; i < 20 && !is_up; i++) {
		struct wanted w = {"state", "up", NULL};
		report_all(f, 3, "u");
		pause_ms(50);
		(void)directory_get(f->directory, MODEL_KIND_VERDICT, "web/e0", look, &w);
		is_up = w.object != NULL;
		json_decref(w.object);
	}
	stop(f);
	memset(f->seq, 0, sizeof f->seq);
	return is_up;
}

static void a_hold_goes_on_over_a_restart_on_the_same_boot(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	(void)put(
		f, MODEL_KIND_CHECK, "tcp",
		"{\"name\":\"tcp\",\"kind\":\"tcp\",\"port\":80,\"interval_ms\":1000,\"timeout_ms\":500,\"hold_s\":5}");
	atomic_store(&f->ahead_s, -1000000); /* no matter */
	assert_true(returns_at_once(f, "\"this-boot\"", 6000, ""));
	assert_false(returns_at_once(f, "\"this-boot\"", 1000, ""));
	assert_false(returns_at_once(f, "\"another\"", 6000, ""));
	assert_false(returns_at_once(f, "7", 6000, ""));
	assert_false(returns_at_once(f, "\"this-boot\"", -6000, ""));
	assert_false(returns_at_once(f, "\"this-boot\"", 0, ",\"at\":\"1990-01-01T00:00:00Z\""));
}

static void a_verdict_says_on_which_boot_it_was_committed_and_when(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	int64_t before = veer_clock_monotonic_ms(veer_clock_system());
	start(f);
	report_all(f, 3, "d");
	json_t *verdict = wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down");
	int64_t at = json_integer_value(json_object_get(verdict, "monotonic_ms"));
	assert_string_equal(json_string_value(json_object_get(verdict, "boot")), "this-boot");
	assert_true(at >= before && at <= veer_clock_monotonic_ms(veer_clock_system()));
	json_decref(verdict);
}

/* The mark of what the verdict on web/e0 was decided by, once it is there or gone, as wanted. */
static void wait_mark(struct fixture *f, bool wanted, char out[32])
{
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *verdict = wait_object(f, MODEL_KIND_VERDICT, "web/e0", NULL, NULL);
		const char *mark = json_string_value(json_object_get(verdict, "decided_by"));
		bool is_so = (mark != NULL) == wanted;
		(void)snprintf(out, 32, "%s", mark != NULL ? mark : "");
		json_decref(verdict);
		if (is_so)
			return;
		pause_ms(5);
	}
	fail_msg("the mark is%s there", wanted ? " not" : "");
}

static void a_verdict_is_of_those_checks_by_which_it_was_decided(void **state)
{
	static const char pool[] =
		"{\"name\":\"web\",\"checks\":[\"tcp\"%s],\"endpoints\":[{\"name\":\"e0\",\"address\":"
		"\"192.0.2.1\",\"site\":\"fra\",\"weight\":%d}]}";
	struct fixture *f = *state;
	char value[256], mark[32], other[32];
	put_model(f, 3, 1);
	start(f);
	report_until(f, "u", "web/e0", "up");
	wait_mark(f, true, mark);
	(void)snprintf(value, sizeof value, pool, "", 7); /* a weight decides nothing */
	(void)put(f, MODEL_KIND_POOL, "web", value);
	pause_ms(400);
	wait_mark(f, true, other);
	assert_string_equal(other, mark);
	/* A check that comes, or leaves and comes back, has not been heard. */
	(void)put(f, MODEL_KIND_CHECK, "app", "{\"name\":\"app\",\"kind\":\"push\",\"on_expiry\":\"down\"}");
	(void)snprintf(value, sizeof value, pool, ",\"app\"", 7);
	(void)put(f, MODEL_KIND_POOL, "web", value);
	wait_mark(f, false, other);
	(void)snprintf(value, sizeof value, pool, "", 7);
	(void)put(f, MODEL_KIND_POOL, "web", value);
	pause_ms(400);
	wait_mark(f, false, other);
	report_until(f, "d", "web/e0", "down");
	wait_mark(f, true, other);
	assert_string_equal(other, mark);
}

static void a_clock_that_is_set_changes_no_verdict(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	report_until(f, "u", "web/e0", "up");
	int64_t revision = store_revision(f->store);
	for (int64_t ahead = -100000000; ahead <= 100000000; ahead += 50000000) {
		atomic_store(&f->ahead_s, ahead);
		report_all(f, 3, "u");
		pause_ms(50);
	}
	assert_int_equal(store_revision(f->store), revision);
}

static void frozen_nothing_changes_until_it_is_taken_off(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	(void)put(f, MODEL_KIND_SETTINGS, "settings", "{\"freeze\":{\"on\":true,\"owner\":\"me\",\"reason\":\"x\"}}");
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *status = status_of(f);
		bool is_frozen = json_is_true(json_object_get(status, "frozen"));
		json_decref(status);
		if (is_frozen)
			break;
		pause_ms(5);
	}
	report_all(f, 3, "d");
	pause_ms(400);
	assert_false(is_there(f, MODEL_KIND_VERDICT, "web/e0"));
	struct controller_counts counts;
	assert_true(controller_counts_read(f->controller, &counts));
	assert_int_equal(counts.waits[VERDICT_WAIT_FROZEN], 1);
	stop(f); /* it survives a restart */
	memset(f->seq, 0, sizeof f->seq);
	start(f);
	report_all(f, 3, "d");
	pause_ms(400);
	assert_false(is_there(f, MODEL_KIND_VERDICT, "web/e0"));
	(void)put(f, MODEL_KIND_SETTINGS, "settings", "{}");
	report_until(f, "d", "web/e0", "down");
}

static void a_deposed_controller_ends_no_override(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	(void)put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	int64_t revision =
		put(f, MODEL_KIND_OVERRIDE, "web/e0", OVERRIDE("drain", ",\"expires_at\":\"2001-01-01T00:00:00Z\""));
	pause_ms(700);
	assert_int_equal(store_revision(f->store), revision);
	assert_true(is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
}

static bool is_acting(struct fixture *f)
{
	json_t *status = status_of(f);
	bool is = json_is_true(json_object_get(status, "acting"));
	json_decref(status);
	return is;
}

static void wait_acting(struct fixture *f, bool is)
{
	for (int i = 0; i < WAIT_MS / 5 && is_acting(f) != is; i++)
		pause_ms(5);
	assert_true(is_acting(f) == is);
}

/* The stored transitions: how many there are, of which elections, and whether one says what the one before it said. */
struct told {
	size_t count, of_first, of_second;
	int64_t first, second;
	bool is_double;
	char to[2][16]; /* of web/e0 and web/e1: the one that was looked at last */
};

static bool take_told(void *ctx, const struct store_object *object)
{
	struct told *told = ctx;
	json_t *t = NULL;
	assert_int_equal(veer_json_parse(object->value, object->value_len, 1 << 20, &t, NULL), VEER_OK);
	int64_t election = json_integer_value(json_object_get(t, "election"));
	const char *endpoint = json_string_value(json_object_get(t, "endpoint"));
	const char *to = json_string_value(json_object_get(t, "to"));
	char *later = told->to[strcmp(endpoint, "web/e1") == 0];
	told->count++;
	told->of_first += election == told->first;
	told->of_second += election == told->second;
	told->is_double = told->is_double || strcmp(later, to) == 0;
	(void)snprintf(later, sizeof told->to[0], "%s", to);
	json_decref(t);
	return true;
}

static struct told told_of(struct fixture *f, int64_t first, int64_t second)
{
	struct told told = {.first = first, .second = second};
	assert_int_equal(store_list(f->store, MODEL_KIND_TRANSITION, "", NULL, take_told, &told, NULL), VEER_OK);
	return told;
}

static void a_deposed_controller_is_elected_again_and_writes_nothing_twice(void **state)
{
	struct fixture *f = *state;
	f->campaign_ms = 1500;
	put_model(f, 3, 2);
	start(f);
	report_until(f, "uu", "web/e1", "up");
	report_until(f, "du", "web/e0", "down");
	wait_history(f, 3);
	const int64_t first = number_of(f, "election");
	/* Another one is elected, and takes web/e1 out. */
	(void)put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	(void)put(f, MODEL_KIND_TRANSITION, "1fffffffffff9d-fffffffe",
		  "{\"id\":\"1fffffffffff9d-fffffffe\",\"endpoint\":\"web/e1\",\"to\":\"down\",\"election\":99}");
	const int64_t revision = put(f, MODEL_KIND_VERDICT, "web/e1",
				     "{\"endpoint\":\"web/e1\",\"state\":\"down\",\"since_revision\":1,\"election\":99,"
				     "\"at\":\"2026-01-01T00:00:00Z\",\"check\":\"tcp\",\"reason\":\"timeout\"}");
	report_all(f, 3, "dd");
	wait_acting(f, false);
	report_all(f, 3, "dd");
	assert_int_equal(number_of(f, "election"), first);
	assert_int_equal(store_revision(f->store), revision);
	wait_acting(f, true);
	assert_int_equal(number_of(f, "election"), 100);
	struct controller_stats stats;
	controller_stats_read(f->controller, &stats);
	assert_true(stats.is_acting && stats.election == 100);
	/* What the other one has said stands, and is not said again. */
	for (int i = 0; i < 10; i++) {
		report_all(f, 3, "dd");
		pause_ms(50);
	}
	assert_int_equal(told_of(f, first, 100).count, 4);
	report_until(f, "uu", "web/e0", "up");
	report_until(f, "uu", "web/e1", "up");
	report_until(f, "du", "web/e0", "down");
	wait_history(f, 7);
	const struct told told = told_of(f, first, 100);
	assert_int_equal(told.of_first, 3);
	assert_int_equal(told.of_second, 3);
	assert_false(told.is_double);
}

static void a_controller_that_is_deposed_again_waits_longer(void **state)
{
	struct fixture *f = *state;
	f->campaign_ms = 300;
	put_model(f, 3, 1);
	start(f);
	int64_t took_ms[3];
	const char *letters[] = {"d", "u", "d"};
	for (int i = 0; i < 3; i++) {
		(void)put(f, MODEL_KIND_META, "election", "{\"election\":99}");
		int64_t since_ms = veer_clock_monotonic_ms(veer_clock_system());
		for (int j = 0; j < WAIT_MS / 5 && is_acting(f); j++) {
			report_all(f, 3, letters[i]);
			pause_ms(5);
		}
		wait_acting(f, true);
		took_ms[i] = veer_clock_monotonic_ms(veer_clock_system()) - since_ms;
		report_until(f, letters[i], "web/e0", letters[i][0] == 'd' ? "down" : "up");
	}
	assert_true(took_ms[0] >= 300);
	assert_true(took_ms[1] >= 600);
	assert_true(took_ms[2] >= 1200);
}

static void chores_notice_a_lost_election_and_go_on_after_the_next(void **state)
{
	struct fixture *f = *state;
	f->campaign_ms = 700;
	f->history = 3;
	put_model(f, 3, 1);
	start(f);
	(void)put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	for (int i = 0; i < 6; i++) { /* of the other one */
		char id[32];
		(void)snprintf(id, sizeof id, "001fffffffffff9c-%08x", 0xffffffffu - (unsigned)i);
		(void)put(f, MODEL_KIND_TRANSITION, id, "{}");
	}
	int64_t revision =
		put(f, MODEL_KIND_OVERRIDE, "web/e0", OVERRIDE("drain", ",\"expires_at\":\"2001-01-01T00:00:00Z\""));
	wait_acting(f, false); /* though no verdict was to be written */
	assert_int_equal(store_revision(f->store), revision);
	wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
	wait_acting(f, true);
	assert_int_equal(number_of(f, "election"), 100);
	wait_history(f, 3); /* what the other one stored is counted */
}

static void a_revoked_agent_is_out_at_once(void **state)
{
	struct fixture *f = *state;
	put_model(f, 3, 1);
	start(f);
	report_until(f, "u", "web/e0", "up");
	(void)put(f, MODEL_KIND_AGENT, "ag-000",
		  "{\"id\":\"ag-000\",\"name\":\"a0\",\"region\":\"eu\",\"state\":\"revoked\"}");
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *status = status_of(f);
		bool is_revoked =
			json_is_true(json_object_get(json_array_get(json_object_get(status, "agents"), 0), "revoked"));
		json_decref(status);
		if (is_revoked)
			return;
		pause_ms(5);
	}
	fail_msg("still believed");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_verdict_is_committed_with_its_evidence_and_taken_back),
		T(fewer_than_the_quorum_change_nothing),
		T(without_agents_and_without_anything_it_runs),
		T(of_more_agents_than_can_vote_the_rest_are_left_out),
		T(status_shows_every_vote_of_two_checks_and_64_agents),
		T(verdicts_that_nothing_stands_behind_are_deleted),
		T(an_endpoint_that_is_removed_while_down_leaves_no_verdict),
		T(a_check_that_is_removed_leaves_no_verdict),
		T(garbage_in_the_store_is_left_out_and_repaired),
		T(elections_rise_whatever_the_store_says),
		T(a_deposed_controller_writes_nothing),
		cmocka_unit_test_setup_teardown(transitions_are_kept_newest_first_up_to_a_bound_across_restarts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_transition_that_is_stored_is_the_one_that_was_decided, setup,
						teardown),
		cmocka_unit_test_setup_teardown(overrides_beat_verdicts_in_last_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(an_override_ends_when_the_wall_clock_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(an_override_outlives_a_pool_that_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(maintenance_that_goes_on_lets_nothing_in_between, setup, teardown),
		cmocka_unit_test_setup_teardown(words_of_checks_that_are_gone_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(ending_while_verdicts_are_committed_is_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(a_weight_is_nobodys_assignment, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_that_is_set_changes_no_verdict, setup, teardown),
		cmocka_unit_test_setup_teardown(maintenance_prolongs_no_pool_that_is_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(a_verdict_is_of_those_checks_by_which_it_was_decided, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hold_goes_on_over_a_restart_on_the_same_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(a_verdict_says_on_which_boot_it_was_committed_and_when, setup,
						teardown),
		cmocka_unit_test_setup_teardown(frozen_nothing_changes_until_it_is_taken_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deposed_controller_ends_no_override, setup, teardown),
		T(a_deposed_controller_is_elected_again_and_writes_nothing_twice),
		T(a_controller_that_is_deposed_again_waits_longer),
		T(chores_notice_a_lost_election_and_go_on_after_the_next),
		cmocka_unit_test_setup_teardown(a_revoked_agent_is_out_at_once, setup, teardown),
		T(the_last_good_set_is_kept_for_policies_that_need_it),
		T(more_last_sets_than_fit_a_commit_are_all_written),
		T(a_site_taken_out_leaves_the_last_set_and_the_agents_alone),
		T(a_restarted_controller_knows_the_verdicts),
		T(evidence_without_end_holds_nothing_up),
		T(a_verdict_that_the_store_refuses_holds_up_no_other),
		T(a_commit_whose_answer_was_lost_has_its_revision),
		T(what_the_engine_has_no_room_for_is_left_out),
		T(of_more_agents_than_the_engine_takes_the_rest_is_left_out),
		T(one_agents_flood_leaves_room_for_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
