/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden packets: each tests/wire/NAME.txt is one query and the exact reply, as annotated text:
 *
 *     # the reason, with the RFC's section
 *     query udp
 *       1234 0100  0001 0000 0000 0000   ; hex digits; text after a semicolon is a comment
 *       03 "www" 07 "example" 00         ; text in quotes means its octets
 *     reply
 *       ...                              ; empty: there must be no reply
 *
 * The queries come from 192.0.2.99. They ask the zones in tests/wire/ZONE.zone and the objects below.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/file.h"
#include "tests/unit/zone_plan.h"

#define DIRECTORY "tests/wire"

struct golden {
	char name[256];
	bool is_tcp;
	uint8_t query[4096];
	size_t query_len;
	uint8_t reply[65535];
	size_t reply_len;
};

/* Append one line's octets. */
static void read_line(const char *name, const char *line, uint8_t *out, size_t size, size_t *len)
{
	for (const char *c = line; *c != '\0' && *c != ';' && *c != '\n';) {
		if (*c == ' ' || *c == '\t') {
			c++;
		} else if (*c == '"') {
			size_t n = strcspn(c + 1, "\"");
			assert_true(*len + n <= size);
			memcpy(out + *len, c + 1, n);
			*len += n;
			c += n + 2;
		} else {
			assert_true(*len < size);
			if (crypto_hex_decode(c, 2, out + *len, 1) != VEER_OK)
				fail_msg("%s: not hex: %s", name, line);
			(*len)++;
			c += 2;
		}
	}
}

static void read_golden(struct golden *g, char *text)
{
	bool in_reply = false;
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (strncmp(line, "query ", 6) == 0)
			g->is_tcp = strcmp(line + 6, "tcp") == 0;
		else if (strcmp(line, "reply") == 0)
			in_reply = true;
		else if (in_reply)
			read_line(g->name, line, g->reply, sizeof g->reply, &g->reply_len);
		else
			read_line(g->name, line, g->query, sizeof g->query, &g->query_len);
	}
	assert_true(in_reply);
}

static void compare(const struct golden *g, const uint8_t *reply, size_t len)
{
	size_t same = 0;
	while (same < len && same < g->reply_len && reply[same] == g->reply[same])
		same++;
	if (same == len && same == g->reply_len)
		return;
	char *hex = calloc(1, 2 * len + 1);
	crypto_hex_encode(reply, len, hex);
	fail_msg("%s: the reply differs from octet %zu on:\n%s\n%s", g->name, same, hex, zone_plan_text(reply, len));
}

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);
	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static int is_case(const struct dirent *entry)
{
	return ends_in(entry->d_name, ".txt");
}

static int is_zone(const struct dirent *entry)
{
	return ends_in(entry->d_name, ".zone");
}

static char *read_text(const char *name)
{
	char path[512];
	char *text;
	(void)snprintf(path, sizeof path, DIRECTORY "/%s", name);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL, NULL), VEER_OK);
	return text;
}

static void add_zones(struct zone_plan *zp)
{
	struct dirent **entries = NULL;
	int count = scandir(DIRECTORY, &entries, is_zone, alphasort);
	assert_true(count >= 1);
	for (int i = 0; i < count; i++) {
		char *text = read_text(entries[i]->d_name);
		entries[i]->d_name[strlen(entries[i]->d_name) - strlen("zone")] = '\0'; /* "example." */
		zone_plan_add_zone(zp, entries[i]->d_name, text);
		free(text);
		free(entries[i]);
	}
	free(entries);
}

/* Names whose answers depend on the client's location: clients in SE get 192.0.2.101, in JP ...:101, others .102. */
static void add_policies(struct zone_plan *zp)
{
	static const char *const database[] = {"tests/data/mmdb/GeoLite2-Country-Test.mmdb"};
	struct geo_table *geo = NULL;
	assert_int_equal(geo_load(database, 1, &geo, NULL), VEER_OK);
	assert_int_equal(plan_builder_set_geo(zp->builder, geo), VEER_OK);
	zone_plan_put(zp, MODEL_KIND_POOL, "near",
		      "{\"name\":\"near\",\"checks\":[],\"endpoints\":["
		      "{\"name\":\"a\",\"address\":\"192.0.2.101\",\"site\":\"s\"},"
		      "{\"name\":\"b\",\"address\":\"2001:db8::101\",\"site\":\"s\"}]}");
	zone_plan_put(zp, MODEL_KIND_POOL, "far",
		      "{\"name\":\"far\",\"checks\":[],\"endpoints\":["
		      "{\"name\":\"a\",\"address\":\"192.0.2.102\",\"site\":\"s\"},"
		      "{\"name\":\"b\",\"address\":\"2001:db8::102\",\"site\":\"s\"}]}");
	zone_plan_put(zp, MODEL_KIND_POLICY, "where",
		      "{\"name\":\"where\",\"ttl\":20,\"tree\":{\"match\":[{\"countries\":[\"SE\",\"JP\"],"
		      "\"node\":\"near\"}],\"else\":\"far\"}}");
	zone_plan_put(zp, MODEL_KIND_POLICY, "all", "{\"name\":\"all\",\"ttl\":20,\"tree\":\"far\"}");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/geo.example./A", "pwhere");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/geo.example./AAAA", "pwhere");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/all.example./A", "pall");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/missing.example./A", "pnone");
}

static struct zone_plan *make_plan(void)
{
	struct zone_plan *zp = zone_plan_new();
	add_zones(zp);
	add_policies(zp);
	zone_plan_commit(zp);
	/* the secret and the time of RFC 9018 A.1 */
	struct responder_config *config = &zp->responder->config;
	*config = (struct responder_config){.secrets = {.count = 1}, .nsid_len = 3, .nsid = "ns1"};
	assert_int_equal(crypto_hex_decode("e5e973e5a6b2a43f48e7dc849e37bfcf", 32, config->secrets.keys[0], 16),
			 VEER_OK);
	zp->responder->now_s = 1559731985;
	return zp;
}

static void replies_are_the_golden_packets(void **state)
{
	(void)state;
	struct zone_plan *zp = make_plan();
	struct dirent **entries = NULL;
	int count = scandir(DIRECTORY, &entries, is_case, alphasort);
	assert_true(count >= 120);
	for (int i = 0; i < count; i++) {
		struct golden *g = calloc(1, sizeof *g);
		char *text = read_text(entries[i]->d_name);
		assert_non_null(g);
		(void)snprintf(g->name, sizeof g->name, "%s", entries[i]->d_name);
		read_golden(g, text);
		compare(g, zp->out, zone_plan_ask(zp, g->query, g->query_len, g->is_tcp));
		free(text);
		free(g);
		free(entries[i]);
	}
	free(entries);
	zone_plan_free(zp);
}

/* RFC 1035 4.2.2: two octets of length. Over UDP the reply to the same question has only TC. */
static void the_largest_rrset_is_whole_over_tcp(void **state)
{
	enum { RECORDS = 231 }; /* each of 276 octets, together nearly RRSET_WIRE_MAX */
	struct zone_plan *zp = zone_plan_new();
	struct buf text;
	uint8_t query[512];
	(void)state;
	buf_init(&text, 1 << 20);
	buf_puts(&text, "$TTL 1\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\n");
	for (int i = 0; i < RECORDS; i++)
		buf_printf(&text, "big TXT \"%0255d\"\n", i);
	zone_plan_add_zone(zp, "test.", text.data);
	zone_plan_commit(zp);
	size_t query_len = zone_plan_query("big.test.", RRTYPE_TXT, 4096, query);
	size_t len = zone_plan_ask(zp, query, query_len, true);
	assert_int_equal(len, 12 + 14 + RECORDS * (12 + 256) + 11);
	assert_int_equal(zp->out[2], 0x84);
	assert_int_equal(zp->out[7], RECORDS);
	len = zone_plan_ask(zp, query, query_len, false);
	assert_int_equal(len, 12 + 14 + 11);
	assert_int_equal(zp->out[2], 0x86);
	buf_deinit(&text);
	zone_plan_free(zp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_the_golden_packets),
		cmocka_unit_test(the_largest_rrset_is_whole_over_tcp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
