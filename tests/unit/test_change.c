/* SPDX-License-Identifier: Apache-2.0 */
/* The only way to write: wishes become one commit, on a real store and without HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/credentials.h"
#include "api/control/objects.h"
#include "api/control/override_change.h"
#include "api/control/settings.h"
#include "tests/unit/control_world.h"

#define POOL(endpoint, site)                                                                                           \
	"{\"name\":\"web\",\"checks\":[],\"endpoints\":[{\"name\":\"" endpoint                                         \
	"\",\"address\":\"192.0.2.1\",\"site\":\"" site "\"}]}"

static enum veer_err put_when(struct control_world *w, const char *token, struct change_precondition p,
			      enum model_kind kind, const char *text)
{
	json_t *object = control_world_json(text);
	struct object_wish wish = {.kind = kind, .object = object};
	enum veer_err err = control_world_change_as(w, token, p, object_wish(&wish));
	if (err == VEER_OK)
		assert_non_null(wish.text);
	json_decref(object);
	return err;
}

static enum veer_err put(struct control_world *w, enum model_kind kind, const char *text)
{
	return put_when(w, NULL, (struct change_precondition){.revision = CHANGE_ANY}, kind, text);
}

static enum veer_err del(struct control_world *w, enum model_kind kind, const char *name)
{
	struct object_wish wish = {.kind = kind, .name = name};
	return control_world_change(w, object_wish(&wish));
}

static void what_is_written_is_read_at_once(void **state)
{
	struct control_world *w = *state;
	int64_t revision;
	assert_int_equal(put(w, MODEL_KIND_SITE, "{\"name\":\"fra\",\"region\":\"eu\"}"), VEER_OK);
	assert_int_equal(w->result.before, 0);
	assert_string_equal(control_world_get(w, MODEL_KIND_SITE, "fra", &revision),
			    "{\"name\":\"fra\",\"region\":\"eu\"}");
	assert_int_equal(revision, w->result.revision);
	assert_int_equal(directory_revision_of(w->control.directory, MODEL_KIND_SITE, "fra"), revision);
	assert_int_equal(put(w, MODEL_KIND_SITE, "{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"in\"}"), VEER_OK);
	assert_int_equal(w->result.before, revision);
}

static void several_wishes_are_one_commit_or_none(void **state)
{
	struct control_world *w = *state;
	json_t *a = control_world_json("{\"name\":\"a\"}"),
	       *b = control_world_json("{\"name\":\"b\",\"region\":\"eu\"}"),
	       *bad = control_world_json("{\"name\":7,\"region\":\"eu\"}");
	struct object_wish wa = {.kind = MODEL_KIND_CHECK, .object = a};
	struct object_wish wb = {.kind = MODEL_KIND_SITE, .object = b}, wbad = {.kind = MODEL_KIND_SITE, .object = bad};
	(void)json_object_set_new(a, "kind", json_string("push"));
	struct change_wish wishes[] = {object_wish(&wa), object_wish(&wb), object_wish(&wbad)};
	struct change c = {.principal = {"tester", NULL},
			   .wishes = wishes,
			   .count = 3,
			   .precondition = {.revision = CHANGE_ANY},
			   .arena = w->arena};
	int64_t before = store_revision(w->control.store), of_a, of_b;
	control_world_must_fail(w, change(&w->control, &c, &w->result), VEER_EINVAL, CHANGE_INVALID, "/name");
	assert_int_equal(store_revision(w->control.store), before);
	c.count = 2;
	assert_int_equal(change(&w->control, &c, &w->result), VEER_OK);
	assert_non_null(control_world_get(w, MODEL_KIND_CHECK, "a", &of_a));
	assert_non_null(control_world_get(w, MODEL_KIND_SITE, "b", &of_b));
	assert_int_equal(of_a, of_b);
	assert_int_equal(of_a, w->result.revision);
	json_decref(a);
	json_decref(b);
	json_decref(bad);
}

static void a_rule_that_is_broken_is_named_with_its_place(void **state)
{
	struct control_world *w = *state;
	control_world_must_fail(w, put(w, MODEL_KIND_POOL, POOL("e0", "fra")), VEER_EINVAL, CHANGE_INVALID,
				"/endpoints/0/site: there is no site \"fra\"");
	assert_int_equal(put(w, MODEL_KIND_SITE, "{\"name\":\"fra\",\"region\":\"eu\"}"), VEER_OK);
	assert_int_equal(put(w, MODEL_KIND_POOL, POOL("e0", "fra")), VEER_OK);
	control_world_must_fail(w, del(w, MODEL_KIND_SITE, "fra"), VEER_EBUSY, CHANGE_IN_USE,
				"the pool \"web\" has endpoints at the site \"fra\"");
	control_world_must_fail(w, del(w, MODEL_KIND_SITE, "ams"), VEER_ENOTFOUND, CHANGE_MISSING,
				"there is no such site: \"ams\"");
	assert_int_equal(del(w, MODEL_KIND_POOL, "web"), VEER_OK);
	assert_int_equal(del(w, MODEL_KIND_SITE, "fra"), VEER_OK);
	assert_null(control_world_get(w, MODEL_KIND_SITE, "fra", NULL));
}

static void preconditions_are_on_what_is_there(void **state)
{
	static const char site[] = "{\"name\":\"fra\",\"region\":\"eu\"}",
			  text[] = "{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"in\"}";
	struct control_world *w = *state;
	const struct change_precondition absent = {.is_absent = true, .revision = CHANGE_ANY},
					 exists = {.revision = CHANGE_EXISTS}, never = {.revision = CHANGE_NEVER};
	control_world_must_fail(w, put_when(w, NULL, exists, MODEL_KIND_SITE, site), VEER_ECONFLICT,
				CHANGE_PRECONDITION, "it does not exist");
	assert_int_equal(put_when(w, NULL, absent, MODEL_KIND_SITE, site), VEER_OK);
	int64_t revision = w->result.revision;
	control_world_must_fail(w, put_when(w, NULL, absent, MODEL_KIND_SITE, site), VEER_ECONFLICT,
				CHANGE_PRECONDITION, "it exists already, at revision ");
	control_world_must_fail(w, put_when(w, NULL, never, MODEL_KIND_SITE, site), VEER_ECONFLICT, CHANGE_PRECONDITION,
				"it was changed meanwhile: it is at revision ");
	const struct change_precondition seen = {.revision = revision};
	assert_int_equal(put_when(w, NULL, seen, MODEL_KIND_SITE, text), VEER_OK);
	control_world_must_fail(w, put_when(w, NULL, seen, MODEL_KIND_SITE, site), VEER_ECONFLICT, CHANGE_PRECONDITION,
				"it was changed meanwhile");
	assert_string_equal(control_world_get(w, MODEL_KIND_SITE, "fra", NULL), text);
}

static void what_is_to_be_new_must_not_be_there(void **state)
{
	struct control_world *w = *state;
	json_t *object = control_world_json("{\"name\":\"fra\",\"region\":\"eu\"}");
	struct object_wish wish = {.kind = MODEL_KIND_SITE, .object = object, .must_be_new = true};
	assert_int_equal(control_world_change(w, object_wish(&wish)), VEER_OK);
	control_world_must_fail(w, control_world_change(w, object_wish(&wish)), VEER_EEXISTS, CHANGE_IS_THERE,
				"there is a site \"fra\" already");
	json_decref(object);
}

static void a_token_changes_what_it_is_for(void **state)
{
	static const char mine[] = "{\"name\":\"mine-1\",\"kind\":\"push\"}",
			  other[] = "{\"name\":\"x\",\"kind\":\"push\"}";
	struct control_world *w = *state;
	const struct change_precondition any = {.revision = CHANGE_ANY};
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-1",
				"{\"id\":\"t-1\",\"name\":\"n\",\"scopes\":[],\"checks\":[\"mine-*\"]}");
	assert_int_equal(put_when(w, "t-1", any, MODEL_KIND_CHECK, mine), VEER_OK);
	control_world_must_fail(w, put_when(w, "t-1", any, MODEL_KIND_CHECK, other), VEER_EAUTH, CHANGE_FORBIDDEN,
				"the token is for other checks than \"x\"");
	control_world_must_fail(w, put_when(w, "t-1", any, MODEL_KIND_SITE, "{\"name\":\"fra\",\"region\":\"eu\"}"),
				VEER_EAUTH, CHANGE_FORBIDDEN, "the token is limited to some endpoints or checks");
	control_world_must_fail(w, put_when(w, "t-2", any, MODEL_KIND_CHECK, mine), VEER_EAUTH, CHANGE_FORBIDDEN, "");
	assert_null(control_world_get(w, MODEL_KIND_CHECK, "x", NULL));
}

static void what_would_empty_a_policy_is_refused_unless_forced(void **state)
{
	struct control_world *w = *state;
	const char *endpoint = "web/e0", *force = "web";
	struct override_wish wish = {.endpoints = &endpoint,
				     .count = 1,
				     .action = MODEL_OVERRIDE_DRAIN,
				     .owner = "me",
				     .reason = "test",
				     .created_at = "2026-11-22T20:36:01.123Z",
				     .expect = STORE_ANY};
	assert_int_equal(put(w, MODEL_KIND_SITE, "{\"name\":\"fra\",\"region\":\"eu\"}"), VEER_OK);
	assert_int_equal(put(w, MODEL_KIND_POOL, POOL("e0", "fra")), VEER_OK);
	control_world_must_fail(w, control_world_change(w, override_put_wish(&wish)), VEER_EBUSY, CHANGE_WOULD_EMPTY,
				"");
	assert_string_equal(w->result.loss.pool, "web");
	assert_null(control_world_get(w, MODEL_KIND_OVERRIDE, endpoint, NULL));
	wish.force = &force;
	wish.force_count = 1;
	assert_int_equal(control_world_change(w, override_put_wish(&wish)), VEER_OK);
	assert_non_null(control_world_get(w, MODEL_KIND_OVERRIDE, endpoint, NULL));
	endpoint = "web/none";
	control_world_must_fail(w, control_world_change(w, override_put_wish(&wish)), VEER_ENOTFOUND, CHANGE_MISSING,
				"there is no endpoint \"web/none\"");
	assert_int_equal(control_world_change(w, override_release_wish("web/e0")), VEER_OK);
	control_world_must_fail(w, control_world_change(w, override_release_wish("web/e0")), VEER_ENOTFOUND,
				CHANGE_MISSING, "");
}

static void settings_are_filled_in(void **state)
{
	struct control_world *w = *state;
	json_t *object = control_world_json("{\"freeze\":{\"on\":true,\"reason\":\"x\"}}");
	struct settings_wish wish = {.object = object};
	assert_int_equal(control_world_change(w, settings_wish(&wish)), VEER_OK);
	assert_string_equal(wish.settings.freeze_owner, "tester");
	json_t *now = settings_now(w->control.directory), *freeze = json_object_get(now, "freeze");
	assert_string_equal(json_string_value(json_object_get(freeze, "owner")), "tester");
	assert_non_null(json_object_get(freeze, "since"));
	assert_int_equal(json_integer_value(json_object_get(now, "revision")), w->result.revision);
	json_decref(now);
	json_decref(object);
}

/* A wish of the test's own, which another writer overtakes several times. */
struct raced {
	struct control_world *world;
	unsigned others; /* writes of the other writer, one for each try */
	unsigned tries, ends, dones;
};

static void end_raced(void *ctx)
{
	((struct raced *)ctx)->ends++;
}

static enum veer_err plan_raced(void *wish, struct change_draft *draft)
{
	struct raced *r = wish;
	int64_t revision = 0;
	(void)control_world_get(r->world, MODEL_KIND_SITE, "raced", &revision);
	draft->end = end_raced;
	draft->end_ctx = r;
	if (r->tries++ < r->others)
		(void)control_world_put(r->world, MODEL_KIND_SITE, "raced", "{\"name\":\"raced\",\"region\":\"eu\"}");
	return change_add(draft, (struct store_op){STORE_PUT, MODEL_KIND_SITE, "raced", "{}", 2, revision});
}

static void done_raced(void *wish, const struct change_draft *draft)
{
	((struct raced *)wish)->dones++;
	assert_int_equal(draft->count, 1);
}

static void who_was_slower_is_judged_anew(void **state)
{
	struct control_world *w = *state;
	struct raced r = {.world = w, .others = 2};
	struct change_wish wish = {
		.plan = plan_raced, .done = done_raced, .wish = &r, .tries = 3, .reads_directory = true};
	assert_int_equal(control_world_change(w, wish), VEER_OK);
	assert_true(r.tries == 3 && r.ends == 3 && r.dones == 1);
	assert_string_equal(control_world_get(w, MODEL_KIND_SITE, "raced", NULL), "{}");
	r = (struct raced){.world = w, .others = 3};
	control_world_must_fail(w, control_world_change(w, wish), VEER_ECONFLICT, CHANGE_FAILED, "");
	assert_true(r.tries == 3 && r.ends == 3 && r.dones == 0);
	wish.tries = 0;
	r = (struct raced){.world = w, .others = 1};
	control_world_must_fail(w, control_world_change(w, wish), VEER_ECONFLICT, CHANGE_FAILED, "");
	assert_true(r.tries == 1 && r.ends == 1 && r.dones == 0);
}

/* A wish about an object; while it is judged, another writer changes that object, several times. */
struct raced_noun {
	struct control_world *world;
	struct change_wish wish;
	enum model_kind kind;
	const char *key, *others_value;
	unsigned others;
};

static enum veer_err plan_raced_noun(void *wish, struct change_draft *draft)
{
	struct raced_noun *r = wish;
	enum veer_err err = r->wish.plan(r->wish.wish, draft);
	if (err == VEER_OK && r->others > 0) {
		r->others--;
		(void)control_world_put(r->world, r->kind, r->key, r->others_value);
	}
	return err;
}

static enum veer_err change_raced(struct raced_noun r, struct change_precondition precondition)
{
	struct change_wish wish = r.wish;
	wish.prepare = NULL;
	wish.plan = plan_raced_noun;
	wish.done = NULL;
	wish.wish = &r;
	return control_world_change_as(r.world, NULL, precondition, wish);
}

static void no_noun_fails_only_because_somebody_was_faster(void **state)
{
	static const char window[] = "{\"name\":\"m\",\"sites\":[\"fra\"],\"starts_at\":\"2027-12-01T02:00:00Z\","
				     "\"ends_at\":\"2027-12-01T03:00:00Z\",\"reason\":\"x\"}",
			  site[] = "{\"name\":\"fra\",\"region\":\"eu\"}",
			  agent[] = "{\"id\":\"ag-1\",\"name\":\"a\",\"state\":\"enrolled\"}",
			  token[] = "{\"id\":\"t-1\",\"name\":\"n\",\"scopes\":[]}";
	struct control_world *w = *state;
	json_t *objects[] = {control_world_json("{}"), control_world_json(window), control_world_json(site)};
	struct settings_wish settings = {.object = objects[0]};
	struct maintenance_wish put_window = {.name = "m", .object = objects[1]}, end_window = {.name = "m"};
	struct object_wish put_site = {.kind = MODEL_KIND_SITE, .object = objects[2]},
			   del_site = {.kind = MODEL_KIND_SITE, .name = "fra"};
	struct token_wish remove = {.id = "t-1"};
	struct identity_end revoke = {.kind = MODEL_KIND_AGENT, .id = "ag-1"};
	const struct raced_noun nouns[] = {
		{w, object_wish(&put_site), MODEL_KIND_SITE, "fra", site, 3},
		{w, settings_wish(&settings), MODEL_KIND_SETTINGS, "settings", "{}", 3},
		{w, maintenance_wish(&put_window), MODEL_KIND_MAINTENANCE, "m", window, 3},
		{w, maintenance_wish(&end_window), MODEL_KIND_MAINTENANCE, "m", window, 3},
		{w, override_release_wish("web/a"), MODEL_KIND_OVERRIDE, "web/a", "{}", 3},
		{w, token_wish(&remove), MODEL_KIND_TOKEN, "t-1", token, 20},
		{w, identity_end_wish(&revoke), MODEL_KIND_AGENT, "ag-1", agent, 20},
		{w, object_wish(&del_site), MODEL_KIND_SITE, "fra", site, 3},
	};
	for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++) {
		(void)control_world_put(w, nouns[i].kind, nouns[i].key, nouns[i].others_value);
		assert_int_equal(change_raced(nouns[i], (struct change_precondition){.revision = CHANGE_ANY}), VEER_OK);
	}
	assert_null(control_world_get(w, MODEL_KIND_TOKEN, "t-1", NULL));
	assert_non_null(strstr(control_world_get(w, MODEL_KIND_AGENT, "ag-1", NULL), "\"revoked\""));
	/* A client that states which version it has seen is told of the conflict. */
	for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++) {
		int64_t seen = control_world_put(w, nouns[i].kind, nouns[i].key, nouns[i].others_value);
		control_world_must_fail(w, change_raced(nouns[i], (struct change_precondition){.revision = seen}),
					VEER_ECONFLICT, CHANGE_PRECONDITION, "it was changed meanwhile");
	}
	for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
		json_decref(objects[i]);
}

static void the_least_urgent_wish_decides(void **state)
{
	struct control_world *w = *state;
	json_t *object = control_world_json("{\"name\":\"fra\",\"region\":\"eu\"}"), *freeze = json_object();
	struct object_wish site = {.kind = MODEL_KIND_SITE, .object = object};
	struct settings_wish settings = {.object = freeze};
	const struct change_wish wishes[] = {settings_wish(&settings), object_wish(&site), settings_wish(&settings)};
	struct change c = {.wishes = wishes,
			   .principal = {"tester", NULL},
			   .precondition = {.revision = CHANGE_ANY},
			   .arena = w->arena};
	c.count = 1;
	assert_int_equal(change(&w->control, &c, &w->result), VEER_OK);
	assert_int_equal(control_world_last_priority(), STORE_URGENT);
	c.count = 2;
	assert_int_equal(change(&w->control, &c, &w->result), VEER_OK);
	assert_int_equal(control_world_last_priority(), STORE_NORMAL);
	c.wishes = wishes + 2;
	c.count = 1;
	assert_int_equal(change(&w->control, &c, &w->result), VEER_OK);
	assert_int_equal(control_world_last_priority(), STORE_URGENT);
	json_decref(object);
	json_decref(freeze);
}

static void more_than_a_commit_holds_is_refused(void **state)
{
	struct control_world *w = *state;
	struct change_draft *draft = arena_calloc(w->arena, 1, sizeof *draft);
	assert_non_null(draft);
	for (int i = 0; i < STORE_COMMIT_OPS_MAX; i++)
		assert_int_equal(change_add(draft, (struct store_op){.op = STORE_CHECK}), VEER_OK);
	assert_int_equal(change_add(draft, (struct store_op){.op = STORE_CHECK}), VEER_ERANGE);
	assert_int_equal(draft->count, STORE_COMMIT_OPS_MAX);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, control_world_setup, control_world_teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_read_at_once),
		T(several_wishes_are_one_commit_or_none),
		T(a_rule_that_is_broken_is_named_with_its_place),
		T(preconditions_are_on_what_is_there),
		T(what_is_to_be_new_must_not_be_there),
		T(a_token_changes_what_it_is_for),
		T(what_would_empty_a_policy_is_refused_unless_forced),
		T(settings_are_filled_in),
		T(who_was_slower_is_judged_anew),
		T(no_noun_fails_only_because_somebody_was_faster),
		T(the_least_urgent_wish_decides),
		T(more_than_a_commit_holds_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
