/* SPDX-License-Identifier: Apache-2.0 */
/* The model's readers: tables of good and bad objects; for each bad one, the place that the error must name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/model/model.h"

enum { ARENA_BYTES = 4 << 20 };

/* One object: `place` is the beginning of the diag when it is refused; NULL: it is good. */
struct table_case {
	const char *text;
	const char *place;
};

typedef enum veer_err reader_fn(const json_t *object, struct arena *arena, struct veer_diag *diag);

static enum veer_err read_site(const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_site out;
	return model_site_parse(object, arena, &out, diag);
}

static enum veer_err read_check(const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_check out;
	return model_check_parse(object, arena, &out, diag);
}

static enum veer_err read_pool(const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_pool out;
	return model_pool_parse(object, arena, &out, diag);
}

static enum veer_err read_policy(const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_policy out;
	return model_policy_parse(object, arena, &out, diag);
}

static enum veer_err read_verdict(const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_verdict out;
	return model_verdict_parse(object, arena, &out, diag);
}

static json_t *parse(const char *text)
{
	json_t *value = NULL;
	struct veer_diag diag = {""};
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s: %s", text, diag.text);
	return value;
}

static void run_table(reader_fn *reader, const struct table_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct veer_diag diag = {""};
		struct arena *arena = arena_new(ARENA_BYTES);
		json_t *object = parse(cases[i].text);
		enum veer_err err = reader(object, arena, &diag);
		if (cases[i].place == NULL && err != VEER_OK)
			fail_msg("refused: %s: %s", cases[i].text, diag.text);
		if (cases[i].place != NULL && err == VEER_OK)
			fail_msg("taken: %s", cases[i].text);
		if (cases[i].place != NULL && (strncmp(diag.text, cases[i].place, strlen(cases[i].place)) != 0 ||
					       diag.text[strlen(cases[i].place)] != ':'))
			fail_msg("%s: \"%s\" instead of \"%s: …\"", cases[i].text, diag.text, cases[i].place);
		json_decref(object);
		arena_free(&arena);
	}
}

#define RUN(reader, cases) run_table(reader, cases, sizeof(cases) / sizeof(cases)[0])
#define WHOLE "the whole document"

static void sites_are_read_or_refused_by_place(void **state)
{
	static const struct table_case cases[] = {
		{"{\"name\":\"fra\",\"region\":\"eu\"}", NULL},
		{"{\"name\":\"f-1\",\"region\":\"eu\",\"latitude\":50.11,\"longitude\":8,\"state\":\"out\"}", NULL},
		{"{\"name\":\"a\",\"region\":\"eu\",\"latitude\":-90,\"longitude\":-180}", NULL},
		{"{\"name\":\"a\",\"region\":\"eu\",\"failure_domain\":\"north-grid\"}", NULL},
		{"{\"name\":\"a\",\"region\":\"eu\",\"failure_domain\":\"North\"}", "/failure_domain"},
		{"{\"name\":\"a\",\"region\":\"eu\",\"failure_domain\":5}", "/failure_domain"},
		{"[]", WHOLE},
		{"null", WHOLE},
		{"{\"region\":\"eu\"}", "/name"},
		{"{\"name\":\"fra\"}", "/region"},
		{"{\"name\":\"\",\"region\":\"eu\"}", "/name"},
		{"{\"name\":\"Fra\",\"region\":\"eu\"}", "/name"},
		{"{\"name\":\"-fra\",\"region\":\"eu\"}", "/name"},
		{"{\"name\":\"fra-\",\"region\":\"eu\"}", "/name"},
		{"{\"name\":\"f.ra\",\"region\":\"eu\"}", "/name"},
		{"{\"name\":5,\"region\":\"eu\"}", "/name"},
		{"{\"name\":\"a123456789012345678901234567890123456789012345678901234567890123\",\"region\":\"eu\"}",
		 "/name"},
		{"{\"name\":\"fra\",\"region\":\"e u\"}", "/region"},
		{"{\"name\":\"fra\",\"region\":\"eu\",\"latitude\":50}", "/latitude"},
		{"{\"name\":\"fra\",\"region\":\"eu\",\"latitude\":90.1,\"longitude\":0}", "/latitude"},
		{"{\"name\":\"fra\",\"region\":\"eu\",\"latitude\":0,\"longitude\":-181}", "/longitude"},
		{"{\"name\":\"fra\",\"region\":\"eu\",\"latitude\":\"0\",\"longitude\":0}", "/latitude"},
		{"{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"drained\"}", "/state"},
		{"{\"name\":\"fra\",\"region\":\"eu\",\"colour\":1}", "/colour"},
	};
	(void)state;
	RUN(read_site, cases);
}

#define PUSH "{\"name\":\"alive\",\"kind\":\"push\""
#define CALCULATED "{\"name\":\"both\",\"kind\":\"calculated\",\"of\":"
#define HTTP "{\"name\":\"web\",\"kind\":\"http\""
#define HTTPS "{\"name\":\"web\",\"kind\":\"https\""
#define TCP "{\"name\":\"web\",\"kind\":\"tcp\",\"port\":1"

static void checks_are_read_or_refused_by_place(void **state)
{
	static const struct table_case cases[] = {
		{HTTP "}", NULL},
		{TCP "}", NULL},
		{HTTP ",\"port\":65535,\"method\":\"HEAD\",\"path\":\"/a?b\",\"host\":\"www.example.com\","
		      "\"headers\":{\"X-Probe\":\"veer\"},\"expect_status\":[\"200-299\",\"301\",308]}",
		 NULL},
		{HTTPS
		 ",\"sni\":\"a.b\",\"tls_verify\":false,\"ca_file\":\"/etc/ca.pem\",\"warning\":true,\"quorum\":64}",
		 NULL},
		{TCP ",\"interval_ms\":100,\"timeout_ms\":2000,\"fall\":20,\"rise\":20,\"hold_s\":0}", NULL},
		{"{\"name\":\"web\"}", "/kind"},
		{"{\"name\":\"web\",\"kind\":\"pigeon\"}", "/kind"},
		{"{\"name\":\"web\",\"kind\":\"tcp\"}", "/port"},
		{HTTP ",\"port\":0}", "/port"},
		{HTTP ",\"port\":65536}", "/port"},
		{HTTP ",\"port\":80.5}", "/port"},
		{TCP ",\"path\":\"/\"}", "/path"},
		{TCP ",\"headers\":{}}", "/headers"},
		{HTTP ",\"sni\":\"a\"}", "/sni"},
		{HTTP ",\"method\":\"TRACE\"}", "/method"},
		{HTTP ",\"path\":\"\"}", "/path"},
		{HTTP ",\"path\":\"x\"}", "/path"},
		{HTTP ",\"path\":\"/a b\"}", "/path"},
		{HTTP ",\"path\":\"/a\\r\\nB: c\"}", "/path"},
		{HTTP ",\"host\":\"a/b\"}", "/host"},
		{HTTP ",\"host\":\"\"}", "/host"},
		{HTTP ",\"host\":\"u@b\"}", "/host"},
		{HTTP ",\"headers\":[]}", "/headers"},
		{HTTP ",\"headers\":{\"A\":1}}", "/headers"},
		{HTTP ",\"headers\":{\"A b\":\"x\"}}", "/headers"},
		{HTTP ",\"headers\":{\"A:\":\"x\"}}", "/headers"},
		{HTTP ",\"headers\":{\"A\":\"x\\ny\"}}", "/headers"},
		{HTTP ",\"headers\":{\"Host\":\"x\"}}", "/headers"},
		{HTTP ",\"headers\":{\"\":\"x\"}}", "/headers"},
		{HTTP ",\"expect_status\":[]}", "/expect_status"},
		{HTTP ",\"expect_status\":[99]}", "/expect_status"},
		{HTTP ",\"expect_status\":[200,600]}", "/expect_status"},
		{HTTP ",\"expect_status\":[200.5]}", "/expect_status"},
		{HTTP ",\"expect_status\":[true]}", "/expect_status"},
		{HTTP ",\"expect_status\":[\"99\"]}", "/expect_status"},
		{HTTP ",\"expect_status\":[\"600\"]}", "/expect_status"},
		{HTTP ",\"expect_status\":[\"299-200\"]}", "/expect_status"},
		{HTTP ",\"expect_status\":[\"200 299\"]}", "/expect_status"},
		{HTTP ",\"expect_status\":\"200\"}", "/expect_status"},
		{HTTPS ",\"ca_file\":\"ca.pem\"}", "/ca_file"},
		{HTTPS ",\"tls_verify\":\"no\"}", "/tls_verify"},
		{HTTPS ",\"tls_resume\":true,\"keep_connection\":true,\"http_version\":\"any\"}", NULL},
		{HTTPS ",\"tls_resume\":true,\"cert_warn_days\":9}", "/tls_resume"},
		{HTTPS ",\"http_version\":\"default\"}", NULL},
		{HTTPS ",\"http_version\":\"3\"}", "/http_version"},
		{HTTP ",\"tls_resume\":true}", "/tls_resume"},
		{TCP ",\"interval_ms\":99}", "/interval_ms"},
		{TCP ",\"interval_ms\":3600001}", "/interval_ms"},
		{TCP ",\"timeout_ms\":9}", "/timeout_ms"},
		{TCP ",\"interval_ms\":500,\"fall\":2,\"timeout_ms\":1001}", "/timeout_ms"},
		{TCP ",\"fall\":0}", "/fall"},
		{TCP ",\"rise\":21}", "/rise"},
		{TCP ",\"hold_s\":-1}", "/hold_s"},
		{TCP ",\"quorum\":0}", "/quorum"},
		{TCP ",\"quorum\":65}", "/quorum"},
		{TCP ",\"quorum\":\"majority\",\"regions\":64}", NULL},
		{TCP ",\"quorum\":\"all\"}", "/quorum"},
		{TCP ",\"regions\":0}", "/regions"},
		{TCP ",\"regions\":65}", "/regions"},
		{TCP ",\"of\":[\"a\"]}", "/of"},
		{TCP ",\"ttl_s\":5}", "/ttl_s"},
		{PUSH "}", NULL},
		{PUSH ",\"ttl_s\":86400,\"on_expiry\":\"down\",\"hold_s\":0,\"warning\":true}", NULL},
		{PUSH ",\"ttl_s\":0}", "/ttl_s"},
		{PUSH ",\"ttl_s\":86401}", "/ttl_s"},
		{PUSH ",\"on_expiry\":\"up\"}", "/on_expiry"},
		{PUSH ",\"quorum\":1}", "/quorum"},
		{PUSH ",\"port\":80}", "/port"},
		{PUSH ",\"interval_ms\":1000}", "/interval_ms"},
		{CALCULATED "[\"a\",\"b\"]}", NULL},
		{CALCULATED "[\"a\",\"b\"],\"need\":\"all\",\"hold_s\":3}", NULL},
		{CALCULATED "[\"a\",\"b\"],\"need\":\"any\",\"warning\":true}", NULL},
		{CALCULATED "[\"a\",\"b\"],\"need\":2}", NULL},
		{CALCULATED "[\"a\",\"b\"],\"need\":3}", "/need"},
		{CALCULATED "[\"a\",\"b\"],\"need\":0}", "/need"},
		{CALCULATED "[\"a\",\"b\"],\"need\":\"some\"}", "/need"},
		{CALCULATED "[]}", "/of"},
		{CALCULATED "[\"a\",\"a\"]}", "/of"},
		{CALCULATED "[\"both\"]}", "/of"},
		{CALCULATED "[\"A\"]}", "/of"},
		{CALCULATED "[5]}", "/of"},
		{CALCULATED "\"a\"}", "/of"},
		{CALCULATED "[\"a\"],\"port\":80}", "/port"},
		{"{\"name\":\"both\",\"kind\":\"calculated\"}", "/of"},
		{TCP ",\"warning\":1}", "/warning"},
		{TCP ",\"interval\":5}", "/interval"},
	};
	(void)state;
	RUN(read_check, cases);
}

#define E(name, address) "{\"name\":\"" name "\",\"address\":\"" address "\",\"site\":\"fra\"}"
#define POOL "{\"name\":\"web\",\"endpoints\":["

static void pools_are_read_or_refused_by_place(void **state)
{
	static const struct table_case cases[] = {
		{POOL E("a", "192.0.2.1") "]}", NULL},
		{POOL E("a", "192.0.2.1") "," E("b", "2001:db8::1") "],\"checks\":[\"x\",\"y\"],\"min_up\":2}", NULL},
		{POOL E("a", "a.example.") "," E("b", "_x.B.example.") "]}", NULL},
		{POOL "{\"name\":\"a\",\"address\":\"192.0.2.1\",\"site\":\"fra\",\"weight\":0,\"capacity\":1}]}",
		 NULL},
		{"{\"name\":\"web\"}", "/endpoints"},
		{POOL "]}", "/endpoints"},
		{POOL "5]}", "/endpoints/0"},
		{POOL E("a", "192.0.2.1") "," E("b", "192.0.2") "]}", "/endpoints/1/address"},
		{POOL E("a", "192.0.2.256") "]}", "/endpoints/0/address"},
		{POOL E("a", "2001:db8::g") "]}", "/endpoints/0/address"},
		{POOL E("a", "www.example.com") "]}", "/endpoints/0/address"},
		{POOL E("a", ".") "]}", "/endpoints/0/address"},
		{POOL E("a", "a..b.") "]}", "/endpoints/0/address"},
		{POOL E("a", "a b.") "]}", "/endpoints/0/address"},
		{POOL E("a", "") "]}", "/endpoints/0/address"},
		{POOL E("A", "192.0.2.1") "]}", "/endpoints/0/name"},
		{POOL E("a", "192.0.2.1") "," E("a", "192.0.2.2") "]}", "/endpoints"},
		{POOL E("a", "192.0.2.1") "," E("b", "192.0.2.1") "]}", "/endpoints"},
		{POOL E("a", "2001:db8::1") "," E("b", "2001:DB8:0::1") "]}", "/endpoints"},
		{POOL E("a", "h.test.") "," E("b", "H.test.") "]}", "/endpoints"},
		{POOL E("a", "192.0.2.1") "," E("b", "h.test.") "]}", "/endpoints"},
		{POOL "{\"name\":\"a\",\"address\":\"192.0.2.1\"}]}", "/endpoints/0/site"},
		{POOL "{\"name\":\"a\",\"address\":\"192.0.2.1\",\"site\":\"fra\",\"weight\":65536}]}",
		 "/endpoints/0/weight"},
		{POOL "{\"name\":\"a\",\"address\":\"192.0.2.1\",\"site\":\"fra\",\"weight\":-1}]}",
		 "/endpoints/0/weight"},
		{POOL "{\"name\":\"a\",\"address\":\"192.0.2.1\",\"site\":\"fra\",\"capacity\":0}]}",
		 "/endpoints/0/capacity"},
		{POOL "{\"name\":\"a\",\"address\":\"192.0.2.1\",\"site\":\"fra\",\"port\":1}]}", "/endpoints/0/port"},
		{POOL E("a", "192.0.2.1") "],\"min_up\":0}", "/min_up"},
		{POOL E("a", "192.0.2.1") "],\"min_up\":2}", "/min_up"},
		{POOL E("a", "192.0.2.1") "],\"checks\":\"x\"}", "/checks"},
		{POOL E("a", "192.0.2.1") "],\"checks\":[1]}", "/checks"},
		{POOL E("a", "192.0.2.1") "],\"checks\":[\"X\"]}", "/checks"},
		{POOL E("a", "192.0.2.1") "],\"checks\":[\"x\",\"x\"]}", "/checks"},
		{POOL E("a", "192.0.2.1") "],\"ttl\":1}", "/ttl"},
	};
	(void)state;
	RUN(read_pool, cases);
}

#define POLICY "{\"name\":\"www\",\"tree\":"

static void policies_are_read_or_refused_by_place(void **state)
{
	static const struct table_case cases[] = {
		{POLICY "\"p\"}", NULL},
		{POLICY "{\"spread\":\"p\"},\"ttl\":1,\"when_all_down\":\"last\"}", NULL},
		{POLICY "{\"failover\":[\"p\",{\"spread\":\"q\"}]},\"when_all_down\":{\"pool\":\"r\"}}", NULL},
		{POLICY "{\"weighted\":[{\"weight\":0,\"node\":\"p\"},{\"weight\":1,\"node\":\"q\"}]}}", NULL},
		{POLICY
		 "{\"match\":[{\"countries\":[\"DE\",\"FR\"],\"continents\":[\"EU\"],\"node\":\"p\"}],\"else\":\"q\"}}",
		 NULL},
		{POLICY "{\"match\":[{\"continents\":[\"EU\"],\"node\":\"p\"}]}}", NULL},
		{"{\"name\":\"www\"}", "/tree"},
		{POLICY "null}", "/tree"},
		{POLICY "5}", "/tree"},
		{POLICY "\"P\"}", "/tree"},
		{POLICY "{}}", "/tree"},
		{POLICY "{\"random\":[\"p\"]}}", "/tree"},
		{POLICY "{\"spread\":[\"p\"]}}", "/tree/spread"},
		{POLICY "{\"failover\":\"p\"}}", "/tree/failover"},
		{POLICY "{\"failover\":[]}}", "/tree/failover"},
		{POLICY "{\"failover\":[\"p\",{\"failover\":[\"q\",7]}]}}", "/tree/failover/1/failover/1"},
		{POLICY "{\"failover\":[\"p\"],\"else\":\"q\"}}", "/tree/else"},
		{POLICY "{\"failover\":[\"p\"],\"spread\":\"q\"}}", "/tree/spread"},
		{POLICY "{\"weighted\":[{\"weight\":0,\"node\":\"p\"}]}}", "/tree/weighted"},
		{POLICY "{\"weighted\":[{\"weight\":-1,\"node\":\"p\"}]}}", "/tree/weighted/0/weight"},
		{POLICY "{\"weighted\":[{\"weight\":65536,\"node\":\"p\"}]}}", "/tree/weighted/0/weight"},
		{POLICY "{\"weighted\":[{\"node\":\"p\"}]}}", "/tree/weighted/0/weight"},
		{POLICY "{\"weighted\":[{\"weight\":1}]}}", "/tree/weighted/0/node"},
		{POLICY "{\"weighted\":[{\"weight\":1,\"node\":\"p\",\"x\":1}]}}", "/tree/weighted/0/x"},
		{POLICY "{\"match\":[{\"node\":\"p\"}]}}", "/tree/match/0"},
		{POLICY "{\"match\":[{\"countries\":[\"de\"],\"node\":\"p\"}]}}", "/tree/match/0/countries"},
		{POLICY "{\"match\":[{\"countries\":[\"DEU\"],\"node\":\"p\"}]}}", "/tree/match/0/countries"},
		{POLICY "{\"match\":[{\"continents\":[\"XX\"],\"node\":\"p\"}]}}", "/tree/match/0/continents"},
		{POLICY "{\"match\":[{\"continents\":[\"F \"],\"node\":\"p\"}]}}", "/tree/match/0/continents"},
		{POLICY "{\"match\":[{\"countries\":[\"DE\"]}]}}", "/tree/match/0/node"},
		{POLICY "{\"match\":[{\"countries\":[\"DE\"],\"node\":\"p\"}],\"else\":{}}}", "/tree/else"},
		{POLICY "\"p\",\"ttl\":0}", "/ttl"},
		{POLICY "\"p\",\"ttl\":86401}", "/ttl"},
		{POLICY "\"p\",\"when_all_down\":\"nothing\"}", "/when_all_down"},
		{POLICY "\"p\",\"when_all_down\":{}}", "/when_all_down"},
		{POLICY "\"p\",\"when_all_down\":{\"pool\":\"p\",\"x\":1}}", "/when_all_down"},
		{POLICY "\"p\",\"when_all_down\":7}", "/when_all_down"},
		{POLICY "\"p\",\"pools\":[]}", "/pools"},
		{"{\"tree\":\"p\"}", "/name"},
	};
	(void)state;
	RUN(read_policy, cases);
}

static void verdicts_are_read_leniently_but_never_wrongly(void **state)
{
	static const struct table_case cases[] = {
		{"{\"endpoint\":\"web/fra\",\"state\":\"down\"}", NULL},
		{"{\"endpoint\":\"web/fra\",\"state\":\"up\",\"since_revision\":5,\"votes\":[],\"anything\":{}}", NULL},
		{"{\"endpoint\":\"web\",\"state\":\"down\"}", "/endpoint"},
		{"{\"endpoint\":\"/fra\",\"state\":\"down\"}", "/endpoint"},
		{"{\"endpoint\":\"web/\",\"state\":\"down\"}", "/endpoint"},
		{"{\"endpoint\":\"web/f/x\",\"state\":\"down\"}", "/endpoint"},
		{"{\"endpoint\":\"web/fra\",\"state\":\"broken\"}", "/state"},
		{"{\"endpoint\":\"web/fra\"}", "/state"},
		{"{\"state\":\"up\"}", "/endpoint"},
		{"{\"endpoint\":\"web/fra\",\"state\":\"up\",\"since_revision\":-1}", "/since_revision"},
	};
	(void)state;
	RUN(read_verdict, cases);
}

static void defaults_are_those_of_the_formats(void **state)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct model_check check;
	struct model_pool pool;
	struct model_policy policy;
	struct model_site site;
	(void)state;
	json_t *a = parse(HTTPS "}"), *b = parse(POOL E("a", "WWW.Example.") "]}"), *c = parse(POLICY "\"p\"}"),
	       *d = parse("{\"name\":\"fra\",\"region\":\"eu\"}");
	assert_int_equal(model_check_parse(a, arena, &check, NULL), VEER_OK);
	assert_int_equal(check.port, 443);
	assert_string_equal(check.http.method, "GET");
	assert_string_equal(check.http.path, "/");
	assert_null(check.http.host);
	assert_null(check.http.headers[0]);
	assert_int_equal(check.http.expect_status_count, 1);
	assert_int_equal(check.http.expect_status[0].first, 200);
	assert_int_equal(check.http.expect_status[0].last, 299);
	assert_true(check.tls.verify && !check.is_warning);
	assert_int_equal(check.interval_ms, 5000);
	assert_int_equal(check.timeout_ms, 2000);
	assert_int_equal(check.fall, 2);
	assert_int_equal(check.rise, 2);
	assert_int_equal(check.hold_s, 10);
	assert_int_equal(check.quorum, 0);
	assert_int_equal(check.regions, 1);
	assert_int_equal(model_pool_parse(b, arena, &pool, NULL), VEER_OK);
	assert_int_equal(pool.min_up, 1);
	assert_int_equal(pool.check_count, 0);
	assert_int_equal(pool.endpoints[0].weight, 100);
	assert_int_equal(pool.endpoints[0].capacity, 0);
	assert_int_equal(pool.endpoints[0].kind, MODEL_ADDRESS_HOST);
	assert_string_equal(pool.endpoints[0].address, "www.example.");
	assert_int_equal(model_policy_parse(c, arena, &policy, NULL), VEER_OK);
	assert_int_equal(policy.ttl, 9);
	assert_int_equal(policy.when_all_down, MODEL_ALL_DOWN_ALL);
	assert_int_equal(model_site_parse(d, arena, &site, NULL), VEER_OK);
	assert_true(site.is_in && !site.has_location);
	json_decref(a);
	json_decref(b);
	json_decref(c);
	json_decref(d);
	arena_free(&arena);
}

/* Read {"failover":[ … ]} around "p", nested `depth` times. */
static enum veer_err read_nested(unsigned depth, struct veer_diag *diag)
{
	struct model_policy policy;
	struct arena *arena = arena_new(ARENA_BYTES);
	json_t *node = json_string("p");
	for (unsigned i = 0; i < depth; i++)
		node = json_pack("{s:[o]}", "failover", node);
	json_t *object = json_pack("{s:s, s:o}", "name", "www", "tree", node);
	enum veer_err err = model_policy_parse(object, arena, &policy, diag);
	json_decref(object);
	arena_free(&arena);
	return err;
}

static enum veer_err read_countries(const char *codes, bool is_new, struct veer_diag *diag)
{
	char text[256];
	struct model_policy policy;
	struct arena *arena = arena_new(ARENA_BYTES);
	(void)snprintf(text, sizeof text, POLICY "{\"match\":[{\"countries\":[%s],\"node\":\"p\"}]}}", codes);
	json_t *object = parse(text);
	enum veer_err err = is_new ? model_policy_parse_new(object, arena, &policy, diag)
				   : model_policy_parse(object, arena, &policy, diag);
	json_decref(object);
	arena_free(&arena);
	return err;
}

/*
 * A code that is not a country's never matches: it is refused when it is written, but read when it is stored already.
 */
static void codes_are_countries(void **state)
{
	struct veer_diag diag = {.text = ""};
	(void)state;
	assert_int_equal(read_countries("\"GB\",\"DE\",\"XK\",\"AQ\",\"SX\"", true, &diag), VEER_OK);
	assert_int_equal(read_countries("\"GB\",\"UK\"", true, &diag), VEER_EINVAL);
	assert_string_equal(diag.text, "/tree/match/0/countries: \"UK\" is no country's code (ISO 3166-1): the United "
				       "Kingdom is GB");
	assert_int_equal(read_countries("\"XX\"", true, &diag), VEER_EINVAL);
	assert_int_equal(read_countries("\"EU\"", true, &diag), VEER_EINVAL);
	assert_non_null(strstr(diag.text, "continents"));
	assert_int_equal(read_countries("\"UK\",\"XX\"", false, &diag), VEER_OK);
}

static json_t *leaves(unsigned count)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < count; i++)
		(void)json_array_append_new(array, json_string("p"));
	return array;
}

static enum veer_err read_tree(json_t *tree, struct veer_diag *diag)
{
	struct model_policy policy;
	struct arena *arena = arena_new(ARENA_BYTES);
	json_t *object = json_pack("{s:s, s:o}", "name", "www", "tree", tree);
	enum veer_err err = model_policy_parse(object, arena, &policy, diag);
	json_decref(object);
	arena_free(&arena);
	return err;
}

static void lists_have_at_most_1024_elements(void **state)
{
	struct veer_diag diag;
	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		enum veer_err wanted = extra == 0 ? VEER_OK : VEER_ERANGE;
		json_t *rules = json_array(), *weighted = json_array(), *codes = json_array();
		for (unsigned i = 0; i < 1024 + extra; i++) {
			(void)json_array_append_new(rules, json_pack("{s:[s], s:s}", "countries", "DE", "node", "p"));
			(void)json_array_append_new(weighted, json_pack("{s:i, s:s}", "weight", 1, "node", "p"));
			(void)json_array_append_new(codes, json_string("FR"));
		}
		assert_int_equal(read_tree(json_pack("{s:o}", "failover", leaves(1024 + extra)), &diag), wanted);
		assert_int_equal(read_tree(json_pack("{s:o, s:s}", "match", rules, "else", "q"), &diag), wanted);
		assert_int_equal(read_tree(json_pack("{s:o}", "weighted", weighted), &diag), wanted);
		assert_int_equal(
			read_tree(json_pack("{s:[{s:o, s:s}]}", "match", "countries", codes, "node", "p"), &diag),
			wanted);
	}
}

static void trees_are_at_most_8_deep_and_2048_nodes(void **state)
{
	struct veer_diag diag;
	(void)state;
	assert_int_equal(read_nested(MODEL_DEPTH_MAX - 1, &diag), VEER_OK);
	assert_int_equal(read_nested(MODEL_DEPTH_MAX, &diag), VEER_ERANGE);
	for (unsigned extra = 0; extra < 2; extra++) {
		/* 1 + 2 + 2 x 1022 nodes, then 1 or 2 more */
		json_t *top = leaves(1 + extra);
		for (unsigned i = 0; i < 2; i++)
			(void)json_array_append_new(top, json_pack("{s:o}", "failover", leaves(1022)));
		assert_int_equal(read_tree(json_pack("{s:o}", "failover", top), &diag),
				 extra == 0 ? VEER_OK : VEER_ERANGE);
	}
}

static bool count_pool(void *ctx, const char *pool)
{
	unsigned *left = ctx;
	assert_true(model_is_name(pool));
	return --*left > 0;
}

static void pools_of_a_tree_are_visited_until_told_to_stop(void **state)
{
	struct model_policy policy;
	struct arena *arena = arena_new(ARENA_BYTES);
	json_t *object = parse(
		POLICY "{\"failover\":[\"a\",{\"spread\":\"b\"},{\"match\":[{\"countries\":[\"DE\"],\"node\":\"c\"}],"
		       "\"else\":\"d\"},{\"weighted\":[{\"weight\":1,\"node\":\"e\"}]}]}}");
	(void)state;
	assert_int_equal(model_policy_parse(object, arena, &policy, NULL), VEER_OK);
	unsigned left = 100;
	model_policy_pools(object, count_pool, &left); /* as it is stored */
	assert_int_equal(left, 95);
	left = 3;
	model_policy_pools(object, count_pool, &left);
	assert_int_equal(left, 0);
	left = 100;
	model_node_pools(policy.tree, count_pool, &left);
	assert_int_equal(left, 95);
	left = 3;
	model_node_pools(policy.tree, count_pool, &left);
	assert_int_equal(left, 0);
	json_decref(object);
	arena_free(&arena);
}

static void a_full_arena_is_an_error_and_no_crash(void **state)
{
	static const char *const texts[] = {"{\"name\":\"fra\",\"region\":\"eu\"}", HTTP "}",
					    POOL E("a", "192.0.2.1") "]}", POLICY "{\"failover\":[\"a\",\"b\"]}}"};
	reader_fn *readers[] = {read_site, read_check, read_pool, read_policy};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		json_t *object = parse(texts[i]);
		for (size_t limit = 1; limit < 4096; limit += 37) {
			struct arena *arena = arena_new(limit);
			struct veer_diag diag;
			if (arena != NULL) {
				enum veer_err err = readers[i](object, arena, &diag);
				assert_true(err == VEER_OK || err == VEER_ENOMEM);
			}
			arena_free(&arena);
		}
		json_decref(object);
	}
}

static void kinds_have_names_both_ways(void **state)
{
	(void)state;
	for (int kind = 1; kind < MODEL_KIND_COUNT; kind++)
		assert_int_equal(model_kind_from_text(model_kind_text((enum model_kind)kind)), kind);
	assert_int_equal(model_kind_from_text("nothing"), MODEL_KIND_NONE);
	assert_string_equal(model_kind_text(MODEL_KIND_NONE), "none");
	assert_string_equal(model_kind_text((enum model_kind)99), "none");
}

static void each_kind_has_a_row_of_its_own(void **state)
{
	unsigned fed = 0;
	(void)state;
	assert_null(model_kind_row(MODEL_KIND_NONE));
	assert_null(model_kind_row(MODEL_KIND_COUNT));
	for (int kind = 1; kind < MODEL_KIND_COUNT; kind++) {
		const struct model_kind_row *row = model_kind_row((enum model_kind)kind);
		assert_true(row->text[0] != '\0');
		fed += row->feeding == MODEL_FEEDING_YES;
		/* states that are observed or decided are not rolled back */
		assert_true(row->part == MODEL_PART_CONTENT || row->rollback == MODEL_ROLLBACK_NO);
		assert_true(row->part == MODEL_PART_CONTENT || row->undeletion == MODEL_UNDELETION_NO);
		/* a secret is not in the feed, and an old one is not restored */
		assert_true(row->secret[0] == '\0' || row->feeding == MODEL_FEEDING_NO);
		assert_true(row->secret[0] == '\0' || row->rollback == MODEL_ROLLBACK_NO);
	}
	assert_int_equal(fed, MODEL_KINDS_FED);
}

static void sets_of_kinds_hold_what_the_rows_say(void **state)
{
	(void)state;
	for (int i = -1; i <= 70; i++) {
		enum model_kind kind = (enum model_kind)i;
		const struct model_kind_row *row = model_kind_row(kind);
		assert_int_equal(row != NULL, i > 0 && i < MODEL_KIND_COUNT);
		assert_int_equal(model_kinds_have(model_kinds_all(), kind), row != NULL);
		assert_int_equal(model_kinds_have(model_kinds_fed(), kind), model_kind_is_fed(kind));
		assert_int_equal(model_kinds_have(model_kinds_mirrored(), kind),
				 row != NULL && row->mirroring == MODEL_MIRRORING_YES);
	}
	assert_true(model_kind_is_fed(MODEL_KIND_OVERRIDE));
	assert_false(model_kind_is_fed(MODEL_KIND_CHECK));
	assert_true(model_kind_is_state(MODEL_KIND_LAST));
	assert_false(model_kind_is_state(MODEL_KIND_ZONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sites_are_read_or_refused_by_place),
		cmocka_unit_test(checks_are_read_or_refused_by_place),
		cmocka_unit_test(pools_are_read_or_refused_by_place),
		cmocka_unit_test(policies_are_read_or_refused_by_place),
		cmocka_unit_test(verdicts_are_read_leniently_but_never_wrongly),
		cmocka_unit_test(defaults_are_those_of_the_formats),
		cmocka_unit_test(trees_are_at_most_8_deep_and_2048_nodes),
		cmocka_unit_test(lists_have_at_most_1024_elements),
		cmocka_unit_test(codes_are_countries),
		cmocka_unit_test(pools_of_a_tree_are_visited_until_told_to_stop),
		cmocka_unit_test(a_full_arena_is_an_error_and_no_crash),
		cmocka_unit_test(kinds_have_names_both_ways),
		cmocka_unit_test(each_kind_has_a_row_of_its_own),
		cmocka_unit_test(sets_of_kinds_hold_what_the_rows_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
