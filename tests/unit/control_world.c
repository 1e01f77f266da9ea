/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/control/followers.h"
#include "api/control/zone_keeper.h"
#include "zones/store/backend.h"

/*
 * The backend of the world's store. It notes how urgent a commit is. It is static because a backend has no place for
 * the state of a test.
 */
static struct {
	const struct store_backend *real;
	struct store_backend noting;
	_Atomic int last;
} noted;

static enum veer_err noting_commit(void *self, const struct store_op *ops, size_t count, enum store_priority priority,
				   int64_t *revision, size_t *failed)
{
	atomic_store(&noted.last, (int)priority);
	return noted.real->commit(self, ops, count, priority, revision, failed);
}

static void note_commits(struct store *store)
{
	noted.real = store->backend;
	noted.noting = *noted.real;
	noted.noting.commit = noting_commit;
	store->backend = &noted.noting;
}

enum store_priority control_world_last_priority(void)
{
	return (enum store_priority)atomic_load(&noted.last);
}

int control_world_setup(void **state)
{
	struct control_world *w = calloc(1, sizeof *w);
	struct veer_diag diag = {""};
	char url[128];
	assert_non_null(w);
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/veer-world-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", w->dir);
	struct control *c = &w->control;
	if (store_open(url, &c->store, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	note_commits(c->store);
	c->clock = veer_clock_system();
	c->directory = directory_new();
	c->assignments = assignment_hub_new(store_id(c->store));
	write_gate_init(&c->write_gate);
	zone_turns_init(&c->zone_turns);
	if (hub_new(c->store, c->directory, w->dir, NULL, &c->hub, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	followers_add_assignments(c->hub, c->assignments);
	assert_int_equal(hub_start(c->hub), VEER_OK);
	c->zones = zone_keeper_new(c->store, NULL);
	assert_non_null(c->zones);
	w->arena = arena_new(64 << 20);
	*state = w;
	return 0;
}

int control_world_teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct control_world *w = *state;
	struct control *c = &w->control;
	zone_keeper_free(&c->zones);
	hub_free(&c->hub);
	assignment_hub_free(&c->assignments);
	directory_free(&c->directory);
	write_gate_deinit(&c->write_gate);
	zone_turns_deinit(&c->zone_turns);
	store_close(&c->store);
	arena_free(&w->arena);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", w->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

enum veer_err control_world_change_as(struct control_world *w, const char *token,
				      struct change_precondition precondition, struct change_wish wish)
{
	const struct change change_of = {.principal = {"tester", token},
					 .wishes = &wish,
					 .count = 1,
					 .precondition = precondition,
					 .arena = w->arena};
	return change(&w->control, &change_of, &w->result);
}

enum veer_err control_world_change(struct control_world *w, struct change_wish wish)
{
	return control_world_change_as(w, NULL, (struct change_precondition){.revision = CHANGE_ANY}, wish);
}

int64_t control_world_put(struct control_world *w, enum model_kind kind, const char *key, const char *value)
{
	int64_t revision = 0;
	const struct store_op op = {STORE_PUT, kind, key, value, strlen(value), STORE_ANY};
	assert_int_equal(store_commit(w->control.store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	assert_true(directory_wait(w->control.directory, revision, 10000));
	return revision;
}

const char *control_world_get(struct control_world *w, enum model_kind kind, const char *key, int64_t *revision)
{
	struct store_object object;
	enum veer_err err = store_get(w->control.store, kind, key, w->arena, &object);
	if (err == VEER_ENOTFOUND)
		return NULL;
	assert_int_equal(err, VEER_OK);
	if (revision != NULL)
		*revision = object.revision;
	return object.value;
}

json_t *control_world_json(const char *text)
{
	json_t *json = NULL;
	assert_int_equal(veer_json_parse(text, strlen(text), 1 << 20, &json, NULL), VEER_OK);
	return json;
}

void control_world_must_fail(const struct control_world *w, enum veer_err was, enum veer_err err,
			     enum change_problem problem, const char *text)
{
	assert_int_equal(was, err);
	assert_int_equal(w->result.problem, problem);
	if (strncmp(w->result.diag.text, text, strlen(text)) != 0)
		fail_msg("\"%s\" instead of \"%s\"", w->result.diag.text, text);
}
