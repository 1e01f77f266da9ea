/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of a zone: their rules, its serial, and concurrent writers. On a real store, without HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/objects.h"
#include "api/control/zone_edit.h"
#include "api/control/zone_import.h"
#include "api/control/zone_make.h"
#include "tests/unit/control_world.h"

enum { RRSETS_MAX = 4 };
#define ZONE "example.net."

/* A zone with its SOA and one NS. */
static void make_zone(struct control_world *w)
{
	struct zone_make *z = arena_calloc(w->arena, 1, sizeof *z);
	size_t len;
	assert_non_null(z);
	assert_int_equal(zone_name_parse(ZONE, &z->zone, NULL), VEER_OK);
	assert_int_equal(name_parse("ns1", 3, z->zone.name, z->nameservers[0], &len, NULL), VEER_OK);
	assert_int_equal(name_parse("hostmaster", 10, z->zone.name, z->hostmaster, &len, NULL), VEER_OK);
	z->nameserver_count = 1;
	z->soa_ttl = z->ns_ttl = 300;
	assert_int_equal(control_world_change(w, zone_make_wish(z)), VEER_OK);
	assert_int_equal(control_world_change(w, zone_make_wish(z)), VEER_ECONFLICT);
}

static uint32_t serial_of(struct control_world *w)
{
	struct zone_ref zone;
	struct zone_soa soa;
	assert_int_equal(zone_find(&w->control, ZONE, w->arena, &zone), VEER_OK);
	assert_int_equal(zone_soa_get(&w->control, &zone, w->arena, &soa), VEER_OK);
	return soa.serial;
}

/* A wish of an edit: owner and type, and the value as text (NULL: deletion). */
struct step {
	const char *owner, *type, *value;
};

static enum veer_err edit_beside(struct control_world *w, const char *token, const struct step *steps, size_t count,
				 const struct change_wish *other)
{
	struct zone_edit *edit = arena_calloc(w->arena, 1, sizeof *edit);
	struct zone_edit_rrset *rrsets = arena_calloc(w->arena, RRSETS_MAX, sizeof *rrsets);
	json_t *values[RRSETS_MAX] = {NULL};
	assert_true(edit != NULL && rrsets != NULL && count <= RRSETS_MAX);
	for (size_t i = 0; i < count; i++) {
		values[i] = steps[i].value != NULL ? control_world_json(steps[i].value) : NULL;
		rrsets[i] =
			(struct zone_edit_rrset){.owner = steps[i].owner, .type = steps[i].type, .value = values[i]};
	}
	struct change_wish wishes[2] = {zone_edit_wish(edit, "example.net", rrsets, count)};
	if (other != NULL)
		wishes[1] = *other;
	const struct change c = {.principal = {"tester", token},
				 .wishes = wishes,
				 .count = other != NULL ? 2 : 1,
				 .precondition = {.revision = CHANGE_ANY},
				 .arena = w->arena};
	enum veer_err err = change(&w->control, &c, &w->result);
	zone_edit_deinit(edit);
	for (size_t i = 0; i < count; i++)
		json_decref(values[i]);
	return err;
}

static enum veer_err edit(struct control_world *w, const struct step *steps, size_t count)
{
	return edit_beside(w, NULL, steps, count, NULL);
}

static enum veer_err one(struct control_world *w, const char *owner, const char *type, const char *value)
{
	return edit(w, &(struct step){owner, type, value}, 1);
}

#define A(address) "{\"ttl\":60,\"records\":[\"" address "\"]}"
#define TARGET "{\"ttl\":60,\"records\":[\"other.example.org.\"]}"

static void an_edit_raises_the_serial_once(void **state)
{
	struct control_world *w = *state;
	const struct step steps[] = {{"a", "A", A("192.0.2.1")}, {"b", "A", A("192.0.2.2")}, {"c", "CNAME", TARGET}};
	int64_t revision;
	make_zone(w);
	uint32_t serial = serial_of(w);
	assert_int_equal(edit(w, steps, 3), VEER_OK);
	assert_int_equal(serial_of(w), serial + 1);
	for (const char *const *key = (const char *const[]){"a.example.net./A", "b.example.net./A",
							    "c.example.net./CNAME", "example.net./SOA", NULL};
	     *key != NULL; key++) {
		char full[RRSET_KEY_SIZE];
		(void)snprintf(full, sizeof full, ZONE "/1/%s", *key);
		assert_non_null(control_world_get(w, MODEL_KIND_RRSET, full, &revision));
		assert_int_equal(revision, w->result.revision);
	}
}

static void what_is_so_already_changes_nothing(void **state)
{
	struct control_world *w = *state;
	const struct step steps[] = {{"a", "A", A("192.0.2.1")}, {"b", "A", A("192.0.2.2")}};
	make_zone(w);
	assert_int_equal(edit(w, steps, 1), VEER_OK);
	int64_t revision = w->result.revision;
	assert_int_equal(edit(w, steps, 1), VEER_OK);
	assert_int_equal(w->result.revision, revision);
	assert_int_equal(store_revision(w->control.store), revision);
	assert_int_equal(edit(w, steps, 2), VEER_OK); /* only the changed RRset is written */
	assert_int_equal(w->result.revision, revision + 1);
	int64_t of_a;
	assert_non_null(control_world_get(w, MODEL_KIND_RRSET, ZONE "/1/a.example.net./A", &of_a));
	assert_int_equal(of_a, revision);
}

static void names_are_judged_by_what_will_be_there(void **state)
{
	struct control_world *w = *state;
	const struct step both[] = {{"x", "CNAME", TARGET}, {"x", "A", A("192.0.2.1")}};
	const struct step turned[] = {{"x", "CNAME", NULL}, {"x", "A", A("192.0.2.1")}};
	const struct step below[] = {{"d", "DNAME", TARGET}, {"under.d", "A", A("192.0.2.1")}};
	const struct step moved[] = {{"d", "DNAME", NULL}, {"under.d", "A", A("192.0.2.1")}};
	make_zone(w);
	control_world_must_fail(w, edit(w, both, 2), VEER_EINVAL, CHANGE_INVALID,
				"/type: a CNAME must be alone at its name, and there is an RRset of type A");
	assert_int_equal(edit(w, both, 1), VEER_OK);
	control_world_must_fail(w, edit(w, both + 1, 1), VEER_EINVAL, CHANGE_INVALID,
				"/type: there is a CNAME at this name, which must be alone");
	assert_int_equal(edit(w, turned, 2), VEER_OK);
	control_world_must_fail(w, edit(w, below, 2), VEER_EINVAL, CHANGE_INVALID,
				"/type: there are names below this one");
	assert_int_equal(edit(w, below, 1), VEER_OK);
	control_world_must_fail(w, edit(w, below + 1, 1), VEER_EINVAL, CHANGE_INVALID, "/name: is below a DNAME");
	assert_int_equal(edit(w, moved, 2), VEER_OK);
	control_world_must_fail(w, one(w, "d", "DNAME", TARGET), VEER_EINVAL, CHANGE_INVALID,
				"/type: there are names below this one");
	const struct step back[] = {{"d", "DNAME", TARGET}, {"under.d", "A", NULL}};
	assert_int_equal(edit(w, back, 2), VEER_OK);
	control_world_must_fail(w, one(w, "@", "CNAME", TARGET), VEER_EINVAL, CHANGE_INVALID,
				"/type: no CNAME can stand at the zone's own name");
}

static void what_must_stay_stays(void **state)
{
	struct control_world *w = *state;
	control_world_must_fail(w, one(w, "a", "A", A("192.0.2.1")), VEER_ENOTFOUND, CHANGE_MISSING,
				"there is no zone \"example.net\"");
	make_zone(w);
	control_world_must_fail(w, one(w, "@", "NS", NULL), VEER_EBUSY, CHANGE_REQUIRED, "a zone keeps its SOA and");
	control_world_must_fail(w, one(w, "@", "SOA", NULL), VEER_EBUSY, CHANGE_REQUIRED, "a zone keeps its SOA and");
	control_world_must_fail(w, one(w, "a", "A", NULL), VEER_ENOTFOUND, CHANGE_MISSING,
				"there is no RRset \"a\" of type \"A\"");
	control_world_must_fail(w, one(w, "a", "NOTYPE", NULL), VEER_ENOTFOUND, CHANGE_MISSING, "there is no RRset");
	control_world_must_fail(w, one(w, "a", "A", "{\"ttl\":60,\"records\":[\"x\"]}"), VEER_EINVAL, CHANGE_INVALID,
				"/records/0: ");
	control_world_must_fail(w, one(w, "a", "A", "{\"name\":\"b\",\"ttl\":60,\"records\":[\"192.0.2.1\"]}"),
				VEER_EINVAL, CHANGE_INVALID, "/name: differs from the path's, \"a\"");
	control_world_must_fail(w, edit(w, NULL, 0), VEER_ERANGE, CHANGE_FAILED, "");
}

#define SOA(serial)                                                                                                    \
	"{\"ttl\":300,\"records\":[\"ns1.example.net. hostmaster.example.net. " serial " 3600 600 1209600 60\"]}"

static void a_serial_never_goes_back(void **state)
{
	struct control_world *w = *state;
	const struct step steps[] = {{"@", "SOA", SOA("7")}, {"a", "A", A("192.0.2.1")}};
	make_zone(w);
	uint32_t serial = serial_of(w);
	assert_int_equal(edit(w, steps, 2), VEER_OK);
	assert_int_equal(serial_of(w), serial + 1);
	assert_int_equal(one(w, "@", "SOA", SOA("2500000000")), VEER_OK);
	assert_int_equal(serial_of(w), 2500000000u);
	(void)control_world_put(w, MODEL_KIND_RRSET, ZONE "/1/" ZONE "/SOA", "{\"wire\":\"AAAA\"}");
	control_world_must_fail(w, one(w, "b", "A", A("192.0.2.1")), VEER_ECORRUPT, CHANGE_UNREADABLE,
				"the zone's SOA record cannot be read");
	assert_int_equal(edit(w, steps, 2), VEER_OK);
	assert_int_equal(serial_of(w), 7);
}

/* Another writer changes the zone between the judgement and the commit, `others` times. */
struct rival {
	struct control_world *world;
	unsigned others, tries;
};

static enum veer_err plan_rival(void *wish, struct change_draft *draft)
{
	struct rival *r = wish;
	(void)draft;
	if (r->tries++ < r->others) {
		const char *key = ZONE "/1/" ZONE "/SOA";
		(void)control_world_put(r->world, MODEL_KIND_RRSET, key,
					control_world_get(r->world, MODEL_KIND_RRSET, key, NULL));
	}
	return VEER_OK;
}

static void who_met_another_writer_is_judged_anew(void **state)
{
	struct control_world *w = *state;
	struct rival r = {.world = w, .others = 3};
	const struct change_wish rival = {.plan = plan_rival, .wish = &r};
	const struct step step = {"a", "A", A("192.0.2.1")};
	make_zone(w);
	uint32_t serial = serial_of(w);
	assert_int_equal(edit_beside(w, NULL, &step, 1, &rival), VEER_OK);
	assert_int_equal(r.tries, 4);
	assert_int_equal(serial_of(w), serial + 1);
	r = (struct rival){.world = w, .others = 1000};
	assert_int_equal(edit_beside(w, NULL, &(struct step){"a", "A", NULL}, 1, &rival), VEER_ECONFLICT);
	assert_int_equal(r.tries, 16);
	assert_non_null(control_world_get(w, MODEL_KIND_RRSET, ZONE "/1/a.example.net./A", NULL));
}

static void a_policy_that_is_bound_stays(void **state)
{
	struct control_world *w = *state;
	struct object_wish gone = {.kind = MODEL_KIND_POLICY, .name = "www"};
	(void)control_world_put(w, MODEL_KIND_POOL, "web",
				"{\"name\":\"web\",\"checks\":[],\"endpoints\":[{\"name\":\"e0\",\"address\":"
				"\"192.0.2.1\",\"site\":\"fra\"}]}");
	make_zone(w);
	control_world_must_fail(w, one(w, "www", "A", "{\"policy\":\"www\"}"), VEER_EINVAL, CHANGE_INVALID,
				"/policy: there is no policy \"www\"");
	(void)control_world_put(w, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"tree\":\"web\"}");
	control_world_must_fail(w, one(w, "www", "AAAA", "{\"policy\":\"www\"}"), VEER_EINVAL, CHANGE_INVALID,
				"/policy: no pool of the policy \"www\" has an endpoint with an IPv6 address");
	assert_int_equal(one(w, "WWW", "A", "{\"policy\":\"www\"}"),
			 VEER_OK); /* the case of the owner is stored first */
	control_world_must_fail(w, control_world_change(w, object_wish(&gone)), VEER_EBUSY, CHANGE_IN_USE,
				"the RRset www.example.net. A is bound to the policy \"www\"");
	assert_int_equal(one(w, "www", "A", NULL), VEER_OK);
	assert_int_equal(control_world_change(w, object_wish(&gone)), VEER_OK);
}

/* The deletion of a policy; another write happens after it has looked at all RRsets and before it passes the gate. */
struct delayed {
	struct control_world *world;
	struct object_wish object;
	enum model_kind kind;
	const char *key, *value;
	bool was_gate_free;
};

static enum veer_err prepare_delayed(void *wish, struct change_draft *draft)
{
	struct delayed *d = wish;
	struct change_wish inner = object_wish(&d->object);
	enum veer_err err = inner.prepare(inner.wish, draft);
	d->was_gate_free = !d->world->control.write_gate.is_taken;
	if (err == VEER_OK)
		(void)control_world_put(d->world, d->kind, d->key, d->value);
	return err;
}

static enum veer_err plan_delayed(void *wish, struct change_draft *draft)
{
	struct change_wish inner = object_wish(&((struct delayed *)wish)->object);
	return inner.plan(inner.wish, draft);
}

static enum veer_err delete_delayed(struct control_world *w, enum model_kind kind, const char *key, const char *value)
{
	struct delayed d = {w, {.kind = MODEL_KIND_POLICY, .name = "www"}, kind, key, value, false};
	const struct change_wish wish = {
		.prepare = prepare_delayed, .plan = plan_delayed, .wish = &d, .gate = CHANGE_REFERS};
	enum veer_err err = control_world_change(w, wish);
	assert_true(d.was_gate_free);
	return err;
}

static void a_policy_that_is_bound_while_it_is_looked_for_stays(void **state)
{
	static const char bound[] = "{\"owner\":\"www.example.net.\",\"policy\":\"www\"}",
			  in_the_way[] = "the RRset www.example.net. A is bound to the policy \"www\"",
			  key[] = ZONE "/1/www.example.net./A";
	struct control_world *w = *state;
	char many[64];
	make_zone(w);
	(void)control_world_put(w, MODEL_KIND_POLICY, "www", "{\"name\":\"www\"}");
	control_world_must_fail(w, delete_delayed(w, MODEL_KIND_RRSET, key, bound), VEER_EBUSY, CHANGE_IN_USE,
				in_the_way);
	/* bound before, but no longer */
	assert_int_equal(delete_delayed(w, MODEL_KIND_RRSET, key, "{\"owner\":\"www.example.net.\"}"), VEER_OK);
	(void)control_world_put(w, MODEL_KIND_POLICY, "www", "{\"name\":\"www\"}");
	/* more than are noted, of a version that becomes visible later */
	for (int i = 0; i < POLICY_USERS_MAX + 2; i++) {
		(void)snprintf(many, sizeof many, ZONE "/2/www.example.net./TYPE%d", 1000 + i);
		(void)control_world_put(w, MODEL_KIND_RRSET, many, bound);
		if (i != 0 && i != POLICY_USERS_MAX + 1)
			continue;
		control_world_must_fail(
			w, delete_delayed(w, MODEL_KIND_ZONE, ZONE, "{\"name\":\"" ZONE "\",\"version\":2}"),
			VEER_EBUSY, CHANGE_IN_USE, "the RRset www.example.net. TYPE1000 is bound");
		(void)control_world_put(w, MODEL_KIND_ZONE, ZONE, "{\"name\":\"" ZONE "\",\"version\":1}");
	}
	assert_int_equal(delete_delayed(w, MODEL_KIND_SITE, "x", "{\"name\":\"x\",\"region\":\"eu\"}"), VEER_OK);
	assert_null(control_world_get(w, MODEL_KIND_POLICY, "www", NULL));
}

static void a_token_edits_its_zones(void **state)
{
	struct control_world *w = *state;
	const struct step step = {"a", "A", A("192.0.2.1")};
	make_zone(w);
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-1", "{\"id\":\"t-1\",\"zones\":[\"*.org.\"]}");
	(void)control_world_put(w, MODEL_KIND_TOKEN, "t-2", "{\"id\":\"t-2\",\"zones\":[\"example.net.\"]}");
	control_world_must_fail(w, edit_beside(w, "t-1", &step, 1, NULL), VEER_EAUTH, CHANGE_FORBIDDEN,
				"the token is for other zones than \"example.net.\"");
	assert_int_equal(edit_beside(w, "t-2", &step, 1, NULL), VEER_OK);
}

/* An import keeps the bound RRsets that it finds, wherever the binding is in the stored text. */
static void an_import_carries_bound_rrsets_over(void **state)
{
	static const char file[] = "@ 300 SOA ns1 hostmaster 5 3600 600 1209600 60\n@ 300 NS ns1\nb 60 A 192.0.2.7\n";
	struct control_world *w = *state;
	const struct change_principal owner = {"tester", NULL}, other = {"tester", "t-none"};
	struct zone_import_result result;
	struct zone_ref zone = {.revision = 0};
	struct veer_diag diag = {""};
	make_zone(w);
	uint32_t serial = serial_of(w);
	(void)control_world_put(w, MODEL_KIND_RRSET, ZONE "/1/www.example.net./A",
				"{ \"owner\":\"WWW.example.net.\", \"policy\":\"www\"}");
	assert_int_equal(zone_name_parse(ZONE, &zone, NULL), VEER_OK);
	const struct change_precondition any = {.revision = CHANGE_ANY};
	assert_int_equal(zone_import_run(&w->control, &other, &any, &zone, file, strlen(file), &result, &diag),
			 VEER_EAUTH);
	assert_int_equal(zone_import_run(&w->control, &owner, &any, &zone, file, strlen(file), &result, &diag),
			 VEER_OK);
	assert_int_equal(result.rrsets, 4);
	assert_int_equal(result.serial, serial + 1);
	assert_int_equal(serial_of(w), serial + 1);
	assert_non_null(control_world_get(w, MODEL_KIND_RRSET, ZONE "/2/www.example.net./A", NULL));
	assert_non_null(control_world_get(w, MODEL_KIND_RRSET, ZONE "/2/b.example.net./A", NULL));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, control_world_setup, control_world_teardown)
	const struct CMUnitTest tests[] = {
		T(an_edit_raises_the_serial_once),
		T(what_is_so_already_changes_nothing),
		T(names_are_judged_by_what_will_be_there),
		T(what_must_stay_stays),
		T(a_serial_never_goes_back),
		T(who_met_another_writer_is_judged_anew),
		T(a_policy_that_is_bound_stays),
		T(a_policy_that_is_bound_while_it_is_looked_for_stays),
		T(a_token_edits_its_zones),
		T(an_import_carries_bound_rrsets_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
