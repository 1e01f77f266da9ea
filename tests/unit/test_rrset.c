/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "base/crypto.h"
#include "zones/dns/rrtext.h"
#include "zones/model/rrset_object.h"
#include "zones/plan/ready.h"

static const uint8_t zone[] = "\4gslb\7example";

static json_t *json(const char *text)
{
	json_t *value = NULL;
	struct veer_diag diag = {.text = ""};
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s: %s", text, diag.text);
	return value;
}

static void assert_stays(const char *in, const char *out)
{
	struct rrset_key key;
	json_t *object, *api;
	struct veer_diag diag = {.text = ""};
	json_t *given = json(in);
	json_t *expected = json(out);
	if (rrset_from_api(given, zone, 3, &key, &object, &diag) != VEER_OK)
		fail_msg("%s: %s", in, diag.text);
	assert_int_equal(key.version, 3);
	assert_int_equal(rrset_to_api(&key, object, &api, &diag), VEER_OK);
	char *got = veer_json_dump(api);
	char *want = veer_json_dump(expected);
	assert_string_equal(got, want);
	free(got);
	free(want);
	json_decref(api);
	json_decref(object);
	json_decref(given);
	json_decref(expected);
}

static void api_objects_survive_the_store(void **state)
{
	(void)state;
	assert_stays(
		"{\"name\":\"www\",\"type\":\"a\",\"ttl\":300,\"records\":[\"192.0.2.2\",\"192.0.2.1\",\"192.0.2.2\"]}",
		"{\"name\":\"www.gslb.example.\",\"type\":\"A\",\"ttl\":300,\"records\":[\"192.0.2.1\",\"192.0.2.2\"]"
		"}");
	assert_stays("{\"name\":\"@\",\"type\":\"MX\",\"ttl\":0,\"records\":[\"10 Mail\"]}",
		     "{\"name\":\"gslb.example.\",\"type\":\"MX\",\"ttl\":0,\"records\":[\"10 Mail.gslb.example.\"]}");
	assert_stays("{\"name\":\"WWW.gslb.example.\",\"type\":\"AAAA\",\"policy\":\"www\"}",
		     "{\"name\":\"WWW.gslb.example.\",\"type\":\"AAAA\",\"policy\":\"www\"}");
	assert_stays("{\"name\":\"www\",\"type\":\"CNAME\",\"policy\":\"www\"}",
		     "{\"name\":\"www.gslb.example.\",\"type\":\"CNAME\",\"policy\":\"www\"}");
	assert_stays("{\"name\":\"Www\",\"type\":\"NS\",\"ttl\":1,\"records\":[\"b.Example.\",\"A.example.\",\"B."
		     "example.\"]}",
		     "{\"name\":\"Www.gslb.example.\",\"type\":\"NS\",\"ttl\":1,\"records\":[\"A.example.\",\"b."
		     "Example.\"]}");
	assert_stays(
		"{\"name\":\"t\",\"type\":\"TYPE65280\",\"ttl\":5,\"records\":[\"\\\\# 4 c0000201\"]}",
		"{\"name\":\"t.gslb.example.\",\"type\":\"TYPE65280\",\"ttl\":5,\"records\":[\"\\\\# 4 c0000201\"]}");
	assert_stays(
		"{\"name\":\"t\",\"type\":\"TXT\",\"ttl\":5,\"records\":[\"\\\"a;b c\\\" \\\"d\\\"\"]}",
		"{\"name\":\"t.gslb.example.\",\"type\":\"TXT\",\"ttl\":5,\"records\":[\"\\\"a;b c\\\" \\\"d\\\"\"]}");
	assert_stays("{\"name\":\"s\",\"type\":\"SRV\",\"ttl\":5,\"records\":[\"1 2 443 A.Example.\"]}",
		     "{\"name\":\"s.gslb.example.\",\"type\":\"SRV\",\"ttl\":5,\"records\":[\"1 2 443 A.Example.\"]}");
}

static void bad_api_objects_name_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *place;
	} cases[] = {
		{"{\"name\":\"www\",\"type\":\"A\",\"ttl\":300,\"records\":[\"192.0.2.1\",\"nonsense\"]}",
		 "/records/1"},
		{"{\"name\":\"www\",\"type\":\"A\",\"ttl\":300,\"records\":[7]}", "/records/0"},
		{"{\"name\":\"www\",\"type\":\"A\",\"ttl\":300,\"records\":[]}", "/records"},
		{"{\"name\":\"www\",\"type\":\"A\",\"ttl\":-1,\"records\":[\"192.0.2.1\"]}", "/ttl"},
		{"{\"name\":\"www\",\"type\":\"A\",\"ttl\":2147483648,\"records\":[\"192.0.2.1\"]}", "/ttl"},
		{"{\"name\":\"www\",\"type\":\"A\",\"records\":[\"192.0.2.1\"]}", "/ttl"},
		{"{\"name\":\"www\",\"type\":\"NOPE\",\"ttl\":1,\"records\":[\"x\"]}", "/type"},
		{"{\"name\":\"www\",\"type\":\"ANY\",\"ttl\":1,\"records\":[\"x\"]}", "/type"},
		{"{\"name\":\"www.other.example.\",\"type\":\"A\",\"ttl\":1,\"records\":[\"192.0.2.1\"]}", "/name"},
		{"{\"name\":\"a..b\",\"type\":\"A\",\"ttl\":1,\"records\":[\"192.0.2.1\"]}", "/name"},
		{"{\"name\":\"www\",\"type\":\"CNAME\",\"ttl\":1,\"records\":[\"a.\",\"b.\"]}", "/records"},
		{"{\"name\":\"www\",\"type\":\"TXT\",\"ttl\":1,\"records\":[\"a\\n. 5 IN A 192.0.2.1\"]}",
		 "/records/0"},
		{"{\"name\":\"www\",\"type\":\"MX\",\"policy\":\"www\"}", "/type"},
		{"{\"name\":\"www\",\"type\":\"A\",\"policy\":\"www\",\"ttl\":5}", "/policy"},
		{"{\"name\":\"www\",\"type\":\"A\",\"policy\":\"No Name\"}", "/policy"},
		{"{\"name\":\"www\",\"type\":\"A\",\"ttl\":1,\"records\":[\"192.0.2.1\"],\"x\":1}", "/x"},
		{"{\"name\":\"www\",\"type\":\"MX\",\"ttl\":1,\"records\":[\"70000 a.\"]}", "/records/0"},
		{"[]", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		struct rrset_key key;
		json_t *object = NULL;
		json_t *given = json(cases[i].in);
		enum veer_err err = rrset_from_api(given, zone, 1, &key, &object, &diag);
		assert_true(err == VEER_EINVAL || err == VEER_ERANGE);
		assert_null(object);
		if (strncmp(diag.text, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("%s: got \"%s\"", cases[i].in, diag.text);
		json_decref(given);
	}
}

static void the_golden_feed_objects_are_canonical(void **state)
{
	(void)state;
	struct rrset_key key;
	static const char text[] = "gslb.example./1/gslb.example./SOA";
	assert_int_equal(rrset_key_parse(text, strlen(text), &key, NULL), VEER_OK);
	json_t *given = json(
		"{\"name\":\"@\",\"type\":\"SOA\",\"ttl\":300,\"records\":[\"ns1 hostmaster 1 900 300 604800 60\"]}");
	json_t *object;
	assert_int_equal(rrset_from_api(given, zone, 1, &key, &object, NULL), VEER_OK);
	assert_string_equal(json_string_value(json_object_get(object, "wire")),
			    "BGdzbGIHZXhhbXBsZQAABgABAAABLAA/A25zMQRnc2xiB2V4YW1wbGUACmhvc3RtYXN0ZXIEZ3NsYgdleGFtcGxlAA"
			    "AAAAEAAAOEAAABLAAJOoAAAAA8");
	char printed[RRSET_KEY_SIZE];
	assert_int_equal(rrset_key_print(&key, printed), strlen(text));
	assert_string_equal(printed, text);
	json_decref(object);
	json_decref(given);
}

static void malformed_keys_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"",          "a.",          "a./1/b./A",        "a./1/a.",
					  "a./x/a./A", "a./1/a./ANY", "a./1/A./A",        "a./1/a./A/",
					  "a/1/a./A",  "a.//a./A",    "a./1/a./TYPE70000"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct rrset_key key;
		assert_int_equal(rrset_key_parse(bad[i], strlen(bad[i]), &key, NULL), VEER_EINVAL);
	}
	static const char slash[] = "2.0.192.in-addr.arpa./12/0\\04725.2.0.192.in-addr.arpa./NS";
	struct rrset_key key;
	char printed[RRSET_KEY_SIZE];
	assert_int_equal(rrset_key_parse(slash, strlen(slash), &key, NULL), VEER_OK);
	(void)rrset_key_print(&key, printed);
	assert_string_equal(printed, slash);
}

static void types_by_name_and_number(void **state)
{
	(void)state;
	for (uint32_t type = 0; type <= UINT16_MAX; type++) {
		char text[RRSET_TYPE_TEXT_SIZE];
		uint16_t back = 0;
		rrtype_print((uint16_t)type, text);
		if (type == 0)
			continue;
		if (!rrtype_parse(text, strlen(text), &back) || back != type)
			fail_msg("%s is %u, not %u", text, back, type);
	}
	uint16_t type = 0;
	assert_true(rrtype_parse("caa", 3, &type));
	assert_int_equal(type, 257);
	assert_false(rrtype_parse("", 0, &type));
	assert_false(rrtype_parse("TYPE", 4, &type));
	assert_false(rrtype_parse("TYPE-1", 6, &type));
	assert_false(rrtype_parse("A\0A", 3, &type));
}

/* Compose an RRset from text records for the tests below. */
static uint8_t *compose(const char *owner, uint16_t type, const char *const *texts, size_t count, size_t *len)
{
	struct rdata_span records[64];
	uint8_t *data[64];
	uint8_t name[NAME_WIRE_MAX];
	size_t name_len_;
	uint8_t *wire = NULL;
	assert_int_equal(name_parse(owner, strlen(owner), zone, name, &name_len_, NULL), VEER_OK);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(rrtext_parse(type, texts[i], zone, &data[i], &records[i].len, NULL), VEER_OK);
		records[i].data = data[i];
	}
	assert_int_equal(rrset_compose(name, type, 77, records, count, &wire, len, NULL), VEER_OK);
	for (size_t i = 0; i < count; i++)
		free(data[i]);
	return wire;
}

static void text_is_read_as_zone_files_are(void **state)
{
	(void)state;
	static const struct {
		uint16_t type;
		const char *text, *plain; /* plain NULL: the text is refused */
	} cases[] = {
		{RRTYPE_TXT, "\"a;b\"", "a\\;b"},
		{RRTYPE_TXT, "(\"a\" \"b\" )", "\"a\" \"b\""},
		/* no data is lost, neither because of a comment nor because of blanks between words */
		{RRTYPE_TXT, "\"a;b\" ; a comment", NULL},
		{RRTYPE_TXT, "v=DMARC1; p=none", NULL},
		{RRTYPE_TXT, "v=spf1 -all", NULL},
		{RRTYPE_TXT, "v=DMARC1\\; p=none", NULL},
		{RRTYPE_TXT, "\"a\" b", NULL},
		{RRTYPE_MX, "10 mail ; primary", NULL},
		{257, "0 issue letsencrypt.org; account=1", NULL},
		{RRTYPE_TXT, "\"a\" ", "\"a\""},
		{RRTYPE_HTTPS, "1 . alpn=h2 ; alpn=h3 is not yet there", NULL},
		{RRTYPE_DS, "1 8 2 ( 9999 9999 99999999999999999999999999999999999999999999999999999999 )",
		 "1 8 2 9999999999999999999999999999999999999999999999999999999999999999"},
		{257, "0 issue \"x\" ", "0 issue \"x\""},
		{65280, "\\# 2 ab cd", "\\# 2 abcd"},
		{65280, "\\# 2 abcd ; a comment", NULL},
		{RRTYPE_A, "; nothing", NULL},
		{RRTYPE_A, "192.0.2.1 (", NULL},
		{RRTYPE_HTTPS, "1 . mandatory=port alpn=h2", NULL},
		{RRTYPE_HTTPS, "\\# 7 0001 00 0002 0000", NULL},
		{RRTYPE_LOC, "91 N 4 E 0m", NULL},
		{RRTYPE_APL, "1:192.0.2.0/33", NULL},
		{RRTYPE_IPSECKEY, "10 3 2 gw AQNR", "10 3 2 gw.gslb.example. AQNR"},
		{RRTYPE_LOC, "42 21 54 N 71 6 W 10m", "42 21 54.000 N 71 6 0.000 W 10.00m 1m 10000m 10m"},
		{RRTYPE_CNAME, "\"b.example.org.\"", NULL},
		{257, "0 issue letsencrypt.org", "0 issue \"letsencrypt.org\""},
		{RRTYPE_SVCB, "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
		 "\\# 19 0001 00 0001 000c 08665c6f6f2c626172 026832"},
		/* RFC 3597 5: the generic form of a known type is checked as that type */
		{RRTYPE_TXT, "\\# 2 0541", NULL},
		{RRTYPE_TXT, "\\# 0", NULL},
		{RRTYPE_TXT, "\\# 3 024142", "AB"},
		{99, "\\# 2 0541", NULL},
		{RRTYPE_HINFO, "\\# 2 0141", NULL},
		{257, "\\# 2 00ff", NULL},
		{RRTYPE_DS, "\\# 1 00", NULL},
		{256, "\\# 1 00", NULL},
		{44, "\\# 0", NULL},
		{52, "\\# 1 00", NULL},
		{48, "\\# 2 0100", NULL},
		{RRTYPE_NSEC, "\\# 5 00 00 02 4000", NULL},
		{RRTYPE_NAPTR, "\\# 9 0001 0001 00 00 00 0161", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		uint8_t *data = NULL, *plain = NULL;
		size_t len = 0, plain_len = 0;
		enum veer_err err = rrtext_parse(cases[i].type, cases[i].text, zone, &data, &len, &diag);
		if (err != (cases[i].plain != NULL ? VEER_OK : VEER_EINVAL))
			fail_msg("%s: %s %s", cases[i].text, veer_err_text(err), diag.text);
		if (cases[i].plain == NULL)
			continue;
		assert_int_equal(rrtext_parse(cases[i].type, cases[i].plain, zone, &plain, &plain_len, NULL), VEER_OK);
		assert_int_equal(len, plain_len);
		assert_memory_equal(data, plain, len);
		free(plain);
		free(data);
	}
}

static void wire_is_checked_at_every_length_and_bit(void **state)
{
	(void)state;
	size_t len;
	uint8_t *wire = compose("www", RRTYPE_MX, (const char *const[]){"1 a", "2 b.example."}, 2, &len);
	struct rrset_view view;
	assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
	assert_int_equal(view.count, 2);
	assert_int_equal(view.ttl, 77);
	size_t first = len;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut + 1);
		memcpy(copy, wire, cut);
		enum veer_err err = rrset_check(copy, cut, &view, NULL);
		if (err == VEER_OK)
			first = cut; /* the first record alone is also an RRset */
		free(copy);
	}
	assert_true(first < len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		struct rdata_span rdata;
		if (rrset_check(wire, len, &view, NULL) == VEER_OK)
			for (size_t pos = 0; rrset_next(&view, &pos, &rdata);)
				assert_true(rdata.data + rdata.len <= wire + len);
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(wire);
}

/* Write a ready RRset after a question and read the message with ldns: the records must be the same. */
static void assert_message(const uint8_t *wire, size_t len, const char *qname, const char *owner)
{
	struct ready_builder *builder = ready_builder_new();
	struct ready_rrset *rr = NULL;
	struct rrset_view view;
	uint8_t message[65535] = {0};
	uint8_t q[NAME_WIRE_MAX];
	size_t q_len;
	bool far;
	assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
	assert_int_equal(ready_from_view(builder, &view, 77, zone, &rr), VEER_OK);
	uint8_t *again = malloc(RRSET_WIRE_MAX);
	assert_int_equal(ready_expand(rr, view.owner, zone, again, RRSET_WIRE_MAX), len);
	assert_memory_equal(again, wire, len);
	assert_int_equal(name_parse(qname, strlen(qname), zone, q, &q_len, NULL), VEER_OK);
	struct byte_writer w;
	byte_writer_init(&w, message, sizeof message);
	byte_write_u32(&w, 0x00018400);
	byte_write_u16(&w, 1);
	byte_write_u16(&w, (uint16_t)view.count);
	byte_write_u32(&w, 0);
	byte_write_span(&w, q, q_len);
	byte_write_u32(&w, 0x00ff0001);
	unsigned owner_at = 12 + (unsigned)(q_len - view.owner_len);
	unsigned apex_at = 12 + (unsigned)(q_len - sizeof zone);
	assert_true(ready_write(rr, &w, owner_at, apex_at, &far));
	ldns_pkt *pkt = NULL;
	assert_int_equal(ldns_wire2pkt(&pkt, message, byte_writer_len(&w)), LDNS_STATUS_OK);
	ldns_rr_list *answer = ldns_pkt_answer(pkt);
	assert_int_equal(ldns_rr_list_rr_count(answer), view.count);
	size_t pos = 0;
	struct rdata_span rdata;
	for (size_t i = 0; rrset_next(&view, &pos, &rdata); i++) {
		ldns_rr *got = ldns_rr_list_rr(answer, i);
		ldns_buffer *buffer = ldns_buffer_new(512);
		assert_int_equal(ldns_rr_rdata2buffer_wire(buffer, got), LDNS_STATUS_OK);
		assert_int_equal(ldns_buffer_position(buffer), rdata.len);
		assert_memory_equal(ldns_buffer_begin(buffer), rdata.data, rdata.len);
		ldns_buffer_free(buffer);
		char *name = ldns_rdf2str(ldns_rr_owner(got));
		assert_string_equal(name, owner);
		free(name);
	}
	ldns_pkt_free(pkt);
	free(again);
	free(rr);
	ready_builder_free(&builder);
}

static void ready_rrsets_read_back_from_a_message(void **state)
{
	(void)state;
	static const struct {
		const char *owner, *qname, *full;
		uint16_t type;
		const char *records[4];
	} cases[] = {
		{"www", "www", "www.gslb.example.", RRTYPE_A, {"192.0.2.1", "192.0.2.2"}},
		{"@", "x.y", "gslb.example.", RRTYPE_SOA, {"ns1 host.ns1 1 2 3 4 5"}},
		{"@", "@", "gslb.example.", RRTYPE_NS, {"ns1", "ns2", "a.other.test.", "b.other.test."}},
		{"sub",
		 "deep.sub",
		 "sub.gslb.example.",
		 RRTYPE_NS,
		 {"ns1.sub", "sub", "ns.other.test.", "other.test."}},
		{"m", "m", "m.gslb.example.", RRTYPE_MX, {"1 m", "2 @", "3 .", "4 a.b.c.d.e."}},
		{"s", "s", "s.gslb.example.", RRTYPE_SRV, {"1 2 3 s", "2 2 2 gslb.example."}},
		{"c", "c", "c.gslb.example.", RRTYPE_CNAME, {"a.c"}},
		{"n", "n", "n.gslb.example.", RRTYPE_NAPTR, {"1 2 \"u\" \"s\" \"!a!b!\" r.n"}},
		{"t", "t", "t.gslb.example.", RRTYPE_TXT, {"\"\"", "hello"}},
		{"d", "d", "d.gslb.example.", RRTYPE_DNAME, {"gslb.example."}},
		{"h", "h", "h.gslb.example.", RRTYPE_HTTPS, {"1 . alpn=h2", "0 svc"}},
		{"p", "p", "p.gslb.example.", RRTYPE_RP, {"a.gslb.example. b"}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t count = 0, len;
		while (count < 4 && cases[i].records[count] != NULL)
			count++;
		uint8_t *wire = compose(cases[i].owner, cases[i].type, cases[i].records, count, &len);
		assert_message(wire, len, cases[i].qname, cases[i].full);
		free(wire);
	}
}

static void large_sets_compress_within_limits(void **state)
{
	(void)state;
	enum { COUNT = 1500 };
	struct rdata_span *records = calloc(COUNT, sizeof *records);
	uint8_t(*data)[64] = calloc(COUNT, sizeof *data);
	uint8_t *wire;
	size_t len;
	for (unsigned i = 0; i < COUNT; i++) {
		char text[64];
		(void)snprintf(text, sizeof text, "ns%u.host.test.", i);
		assert_int_equal(name_parse(text, strlen(text), NULL, data[i], &records[i].len, NULL), VEER_OK);
		records[i].data = data[i];
	}
	assert_int_equal(rrset_compose(zone, RRTYPE_NS, 77, records, COUNT, &wire, &len, NULL), VEER_OK);
	assert_message(wire, len, "@", "gslb.example.");
	/* far into a message pointers cannot reach: the writer reports that */
	struct ready_builder *builder = ready_builder_new();
	struct ready_rrset *rr;
	struct rrset_view view;
	uint8_t *message = malloc(65535);
	struct byte_writer w;
	bool far;
	assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
	assert_int_equal(ready_from_view(builder, &view, 1, zone, &rr), VEER_OK);
	byte_writer_init(&w, message, 65535);
	w.pos += 0x4000;
	assert_false(ready_write(rr, &w, 12, 12, &far));
	assert_true(far);
	assert_int_equal(byte_writer_len(&w), 0x4000);
	byte_writer_init(&w, message, rr->len - 1);
	assert_false(ready_write(rr, &w, 12, 12, &far));
	assert_false(far);
	free(message);
	free(rr);
	ready_builder_free(&builder);
	free(wire);
	free(records);
	free(data);
}

static void limits_are_errors_not_overruns(void **state)
{
	(void)state;
	uint8_t *data = calloc(1, 65535);
	struct rdata_span one = {data, 65000};
	uint8_t *wire = NULL;
	size_t len;
	assert_int_equal(rrset_compose(zone, RRTYPE_TXT, 1, &one, 1, &wire, &len, NULL), VEER_ERANGE);
	struct rdata_span *many = calloc(RRSET_RECORDS_MAX + 1, sizeof *many);
	for (size_t i = 0; i <= RRSET_RECORDS_MAX; i++)
		many[i] = (struct rdata_span){data, 4};
	assert_int_equal(rrset_compose(zone, RRTYPE_A, 1, many, RRSET_RECORDS_MAX + 1, &wire, &len, NULL), VEER_ERANGE);
	assert_int_equal(rrset_compose(zone, RRTYPE_A, 0x80000000, many, 1, &wire, &len, NULL), VEER_ERANGE);
	assert_int_equal(rrset_compose(zone, RRTYPE_A, 1, many, 0, &wire, &len, NULL), VEER_EINVAL);
	many[0].len = 5;
	assert_int_equal(rrset_compose(zone, RRTYPE_A, 1, many, 1, &wire, &len, NULL), VEER_EINVAL);
	assert_null(wire);
	free(many);
	free(data);
}

static void cname_stands_alone(void **state)
{
	(void)state;
	assert_false(rrtype_may_coexist(RRTYPE_CNAME, RRTYPE_A));
	assert_false(rrtype_may_coexist(RRTYPE_TXT, RRTYPE_CNAME));
	assert_true(rrtype_may_coexist(RRTYPE_CNAME, RRTYPE_RRSIG));
	assert_true(rrtype_may_coexist(RRTYPE_NSEC, RRTYPE_CNAME));
	assert_true(rrtype_may_coexist(RRTYPE_A, RRTYPE_AAAA));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(api_objects_survive_the_store),
		cmocka_unit_test(bad_api_objects_name_the_place),
		cmocka_unit_test(the_golden_feed_objects_are_canonical),
		cmocka_unit_test(malformed_keys_are_refused),
		cmocka_unit_test(types_by_name_and_number),
		cmocka_unit_test(text_is_read_as_zone_files_are),
		cmocka_unit_test(wire_is_checked_at_every_length_and_bit),
		cmocka_unit_test(ready_rrsets_read_back_from_a_message),
		cmocka_unit_test(large_sets_compress_within_limits),
		cmocka_unit_test(limits_are_errors_not_overruns),
		cmocka_unit_test(cname_stands_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
