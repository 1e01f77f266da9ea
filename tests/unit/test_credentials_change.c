/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, announcements, enrolments and their expiry, on a real store and without HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/credentials.h"
#include "probes/verdict/verdict.h"
#include "tests/unit/control_world.h"

#define DAY_NS INT64_C(86400000000000)

static int64_t wall_ns(void)
{
	return veer_clock_wall_ns(veer_clock_system());
}

static enum veer_err announce(struct control_world *w, const char *name, const char *hash)
{
	struct announcement_wish a = {
		.is_agent = true, .name = name, .region = "eu", .hash = hash, .expires_ns = wall_ns() + DAY_NS};
	return control_world_change(w, announcement_wish(&a));
}

/* Exchange the announcement under `hash` for the identity `id`. */
static enum veer_err enrol(struct control_world *w, const char *hash, const char *nonce_hash, const char *id,
			   struct enrolment_wish *e)
{
	int64_t revision = 0;
	json_t *announcement = control_world_json(control_world_get(w, MODEL_KIND_ENROLMENT, hash, &revision));
	*e = (struct enrolment_wish){.announcement = announcement,
				     .revision = revision,
				     .hash = hash,
				     .nonce_hash = nonce_hash,
				     .id = id,
				     .credential_hash = "cc"};
	enum veer_err err = control_world_change(w, enrolment_wish(e));
	json_decref(announcement);
	return err;
}

static const char *field_of(struct control_world *w, enum model_kind kind, const char *key, const char *field)
{
	const char *text = control_world_get(w, kind, key, NULL);
	if (text == NULL)
		return "gone";
	json_t *object = control_world_json(text);
	const char *value = json_string_value(json_object_get(object, field));
	const char *copy = arena_strdup(w->arena, value != NULL ? value : "none");
	json_decref(object);
	return copy;
}

static void a_token_is_made_once_and_removed(void **state)
{
	struct control_world *w = *state;
	json_t *token = control_world_json("{\"id\":\"t-1\",\"name\":\"n\",\"scopes\":[\"zones:read\"]}");
	struct token_wish t = {.id = "t-1", .token = token};
	assert_int_equal(control_world_change(w, token_wish(&t)), VEER_OK);
	assert_int_equal(control_world_change(w, token_wish(&t)), VEER_ECONFLICT);
	t.token = NULL;
	assert_int_equal(control_world_change(w, token_wish(&t)), VEER_OK);
	control_world_must_fail(w, control_world_change(w, token_wish(&t)), VEER_ENOTFOUND, CHANGE_MISSING,
				"there is no such token: \"t-1\"");
	assert_null(control_world_get(w, MODEL_KIND_TOKEN, "t-1", NULL));
	json_decref(token);
}

static enum veer_err token_by(struct control_world *w, const char *asking, const char *id, const char *text)
{
	json_t *token = text != NULL ? control_world_json(text) : NULL;
	struct token_wish t = {.id = id, .token = token};
	enum veer_err err = control_world_change_as(w, asking, (struct change_precondition){.revision = CHANGE_ANY},
						    token_wish(&t));
	json_decref(token);
	return err;
}

static void a_token_gives_and_takes_what_it_has(void **state)
{
	struct control_world *w = *state;
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-some",
				"{\"scopes\":[\"tokens\",\"zones:read\"],\"expires_s\":5000}");
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-all", "{\"scopes\":[\"admin\"]}");
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-listed", "{\"scopes\":[\"zones:read\"],\"zones\":[\"*\"]}");
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-writer", "{\"scopes\":[\"zones:write\"]}");
	control_world_must_fail(w, token_by(w, "t-some", "t-1", "{\"scopes\":[\"zones:read\",\"zones:write\"]}"),
				VEER_EAUTH, CHANGE_INVALID,
				"/scopes: a token cannot give the scope zones:write that it lacks");
	control_world_must_fail(w, token_by(w, "t-some", "t-1", "{\"scopes\":[\"zones:read\"]}"), VEER_EAUTH,
				CHANGE_INVALID, "/ttl_s: must end before the token does that makes it");
	control_world_must_fail(w, token_by(w, "t-some", "t-1", "{\"scopes\":[\"zones:read\"],\"expires_s\":5001}"),
				VEER_EAUTH, CHANGE_INVALID, "/ttl_s: ");
	assert_int_equal(token_by(w, "t-some", "t-1", "{\"scopes\":[\"zones:read\"],\"expires_s\":5000}"), VEER_OK);
	control_world_must_fail(w, token_by(w, "t-listed", "t-2", "{\"scopes\":[\"zones:read\"]}"), VEER_EAUTH,
				CHANGE_INVALID, "/scopes: a token that is limited to some objects cannot make others");
	control_world_must_fail(w, token_by(w, NULL, "t-2", "{\"scopes\":[\"feed:read\"],\"zones\":[\"*\"]}"),
				VEER_EINVAL, CHANGE_INVALID, "/scopes: admin, tokens, agents and feed:read cannot");
	control_world_must_fail(w, token_by(w, "t-gone", "t-2", "{\"scopes\":[\"zones:read\"]}"), VEER_EAUTH,
				CHANGE_INVALID, "/scopes: ");
	assert_int_equal(token_by(w, "t-all", "t-2", "{\"scopes\":[\"feed:read\"]}"), VEER_OK);
	/* and can remove such tokens */
	control_world_must_fail(w, token_by(w, "t-some", "t-writer", NULL), VEER_EAUTH, CHANGE_LACKS_SCOPE,
				"the token has scopes that the one that asks lacks");
	control_world_must_fail(w, token_by(w, "t-listed", "t-1", NULL), VEER_EAUTH, CHANGE_LACKS_SCOPE, "");
	assert_int_equal(token_by(w, "t-some", "t-1", NULL), VEER_OK);
	assert_int_equal(token_by(w, "t-listed", "t-listed", NULL), VEER_OK);
	assert_int_equal(token_by(w, "t-all", "t-writer", NULL), VEER_OK);
}

static void an_announcement_is_exchanged_once(void **state)
{
	struct control_world *w = *state;
	struct enrolment_wish e;
	assert_int_equal(announce(w, "a1", "h1"), VEER_OK);
	assert_string_equal(field_of(w, MODEL_KIND_ENROLMENT, "h1", "region"), "eu");
	assert_int_equal(enrol(w, "h1", NULL, "ag-1", &e), VEER_OK);
	assert_int_equal(e.replaced_count, 0);
	assert_string_equal(field_of(w, MODEL_KIND_AGENT, "ag-1", "state"), "enrolled");
	assert_string_equal(field_of(w, MODEL_KIND_AGENT, "ag-1", "name"), "a1");
	assert_null(control_world_get(w, MODEL_KIND_ENROLMENT, "h1", NULL));
	/* With a nonce the announcement stays, and records for which identity it was used. */
	assert_int_equal(announce(w, "a2", "h2"), VEER_OK);
	assert_int_equal(enrol(w, "h2", "nn", "ag-2", &e), VEER_OK);
	assert_string_equal(field_of(w, MODEL_KIND_ENROLMENT, "h2", "used_by"), "ag-2");
	assert_string_equal(field_of(w, MODEL_KIND_ENROLMENT, "h2", "nonce_sha256"), "nn");
	/* As it was read before another writer changed it. */
	e.revision--;
	json_t *read = control_world_json(control_world_get(w, MODEL_KIND_ENROLMENT, "h2", NULL));
	e.announcement = read;
	e.id = "ag-3";
	assert_int_equal(control_world_change(w, enrolment_wish(&e)), VEER_ECONFLICT);
	assert_null(control_world_get(w, MODEL_KIND_AGENT, "ag-3", NULL));
	json_decref(read);
}

static void who_takes_a_name_ends_who_had_it(void **state)
{
	struct control_world *w = *state;
	struct enrolment_wish e;
	assert_int_equal(announce(w, "a1", "h1"), VEER_OK);
	assert_int_equal(enrol(w, "h1", NULL, "ag-1", &e), VEER_OK);
	assert_int_equal(announce(w, "a1", "h2"), VEER_OK);
	assert_int_equal(enrol(w, "h2", NULL, "ag-2", &e), VEER_OK);
	assert_int_equal(e.replaced_count, 1);
	assert_string_equal(e.replaced[0], "ag-1");
	assert_null(control_world_get(w, MODEL_KIND_AGENT, "ag-1", NULL));
	assert_string_equal(field_of(w, MODEL_KIND_AGENT, "ag-2", "state"), "enrolled");
}

static void there_are_as_many_agents_as_the_engine_takes(void **state)
{
	struct control_world *w = *state;
	struct enrolment_wish e;
	assert_int_equal(announce(w, "late", "h1"), VEER_OK);
	for (int i = 0; i < VERDICT_AGENTS_MAX; i++) {
		char id[16], value[96];
		(void)snprintf(id, sizeof id, "ag-%03d", i);
		(void)snprintf(value, sizeof value, "{\"id\":\"%s\",\"name\":\"a%d\",\"state\":\"enrolled\"}", id, i);
		(void)control_world_put(w, MODEL_KIND_AGENT, id, value);
	}
	control_world_must_fail(w, announce(w, "more", "h2"), VEER_ELIMIT, CHANGE_NO_ROOM, "there are ");
	control_world_must_fail(w, enrol(w, "h1", NULL, "ag-x", &e), VEER_ELIMIT, CHANGE_NO_ROOM, "there are ");
	assert_int_equal(announce(w, "a7", "h3"), VEER_OK); /* it replaces one */
	assert_int_equal(enrol(w, "h3", NULL, "ag-y", &e), VEER_OK);
	assert_string_equal(e.replaced[0], "ag-007");
}

static void an_identity_is_revoked_and_then_forgotten(void **state)
{
	struct control_world *w = *state;
	struct identity_end end = {.kind = MODEL_KIND_AGENT, .id = "ag-1"};
	control_world_must_fail(w, control_world_change(w, identity_end_wish(&end)), VEER_ENOTFOUND, CHANGE_MISSING,
				"there is no such agent: \"ag-1\"");
	(void)control_world_put(w, MODEL_KIND_AGENT, "ag-1", "{\"id\":\"ag-1\",\"name\":\"a\",\"state\":\"enrolled\"}");
	assert_int_equal(control_world_change(w, identity_end_wish(&end)), VEER_OK);
	assert_false(end.was_revoked);
	assert_string_equal(field_of(w, MODEL_KIND_AGENT, "ag-1", "state"), "revoked");
	assert_int_equal(control_world_change(w, identity_end_wish(&end)), VEER_OK);
	assert_true(end.was_revoked);
	assert_string_equal(field_of(w, MODEL_KIND_AGENT, "ag-1", "state"), "gone");
}

/* Expired announcements are removed with a new one, ten at a time. */
static void what_has_expired_goes_with_a_new_announcement(void **state)
{
	struct control_world *w = *state;
	for (int i = 0; i < 12; i++) {
		char hash[16];
		(void)snprintf(hash, sizeof hash, "old-%02d", i);
		(void)control_world_put(w, MODEL_KIND_ENROLMENT, hash, "{\"kind\":\"agent\",\"expires_s\":1000}");
	}
	(void)control_world_put(w, MODEL_KIND_AGENT, "ag-old", "{\"state\":\"revoked\",\"revoked_s\":1000}");
	assert_int_equal(announce(w, "a1", "new-1"), VEER_OK);
	assert_int_equal(directory_count(w->control.directory, MODEL_KIND_ENROLMENT), 3);
	assert_int_equal(announce(w, "a2", "new-2"), VEER_OK);
	assert_int_equal(directory_count(w->control.directory, MODEL_KIND_ENROLMENT), 2);
	assert_string_equal(field_of(w, MODEL_KIND_AGENT, "ag-old", "state"), "gone");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, control_world_setup, control_world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_token_is_made_once_and_removed),
		T(a_token_gives_and_takes_what_it_has),
		T(an_announcement_is_exchanged_once),
		T(who_takes_a_name_ends_who_had_it),
		T(there_are_as_many_agents_as_the_engine_takes),
		T(an_identity_is_revoked_and_then_forgotten),
		T(what_has_expired_goes_with_a_new_announcement),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
