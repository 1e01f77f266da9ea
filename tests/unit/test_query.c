/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/zone_plan.h"

#define HEADER "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define HEADER_OPT "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
#define QUESTION "\3wWw\7exAmple\0\0\1\0\1"
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* Parse an exact heap copy, so that the sanitizer detects a read one byte beyond. */
static enum query_verdict parse(struct query *q, const uint8_t *data, size_t len, enum dns_rcode *rcode)
{
	uint8_t *copy = malloc(len + 1);
	memcpy(copy, data, len);
	*rcode = DNS_NOERROR;
	enum query_verdict verdict = query_parse(q, copy, len, rcode);
	free(copy);
	return verdict;
}

static void a_query_is_understood(void **state)
{
	(void)state;
	struct query q;
	enum dns_rcode rcode;
	assert_int_equal(parse(&q, BYTES(HEADER QUESTION), &rcode), QUERY_ANSWER);
	assert_true(q.has_question);
	assert_int_equal(q.qtype, 1);
	assert_int_equal(q.qclass, 1);
	assert_int_equal(q.qname_len, 13);
	assert_memory_equal(q.qname, "\3www\7example", 13);
	assert_false(q.edns.is_present);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	static const char packet[] = HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\x80\0\0\x0b\0\x08\0\7\0\1\x18\0\xc0\0\2";
	struct query q;
	enum dns_rcode rcode;
	assert_int_equal(parse(&q, BYTES(packet), &rcode), QUERY_ANSWER);
	for (size_t len = 0; len < sizeof packet - 1; len++) {
		enum query_verdict verdict = parse(&q, (const uint8_t *)packet, len, &rcode);
		assert_int_equal(verdict, len < 12 ? QUERY_DROP : QUERY_REPLY);
		if (len >= 12)
			assert_int_equal(rcode, DNS_FORMERR);
	}
}

static void verdicts(void **state)
{
	(void)state;
	static const struct {
		const char *data;
		size_t len;
		enum query_verdict verdict;
		enum dns_rcode rcode;
	} cases[] = {
#define CASE(text, verdict_, rcode_) {text, sizeof(text) - 1, verdict_, rcode_}
		CASE("\x12\x34\x81\x00\0\1\0\0\0\0\0\0" QUESTION, QUERY_DROP, 0),                     /* a response */
		CASE("\x12\x34\x08\x00\0\1\0\0\0\0\0\0" QUESTION, QUERY_REPLY, DNS_NOTIMP),           /* opcode 1 */
		CASE("\x12\x34\x28\x00\0\1\0\0\0\0\0\0" QUESTION, QUERY_REPLY, DNS_NOTIMP),           /* UPDATE */
		CASE("\x12\x34\x01\x00\0\0\0\0\0\0\0\0", QUERY_REPLY, DNS_FORMERR),                   /* no question */
		CASE("\x12\x34\x01\x00\0\2\0\0\0\0\0\0" QUESTION QUESTION, QUERY_REPLY, DNS_FORMERR), /* two */
		CASE(HEADER QUESTION "x", QUERY_REPLY, DNS_FORMERR),       /* trailing octet */
		CASE(HEADER "\xc0\x0c\0\1\0\1", QUERY_REPLY, DNS_FORMERR), /* compressed name */
		CASE(HEADER "\x40"
			    "a\0\0\1\0\1",
		     QUERY_REPLY, DNS_FORMERR),                                                     /* label type 01 */
		CASE(HEADER "\3www\7example\0\0\1\0\3", QUERY_REPLY, DNS_REFUSED),                  /* class CH */
		CASE(HEADER "\3www\7example\0\0\xfc\0\1", QUERY_ANSWER, DNS_NOERROR),               /* AXFR */
		CASE(HEADER "\3www\7example\0\0\xff\0\1", QUERY_ANSWER, DNS_NOERROR),               /* ANY */
		CASE(HEADER "\3www\7example\0\0\x29\0\1", QUERY_REPLY, DNS_FORMERR),                /* QTYPE OPT */
		CASE(HEADER "\0\0\2\0\1", QUERY_ANSWER, DNS_NOERROR),                               /* the root */
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\1\0\0\0\0", QUERY_REPLY, DNS_BADVERS), /* version 1 */
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\4\0\xff\0\0", QUERY_ANSWER,
		     0), /* unknown option */
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\4\0\xff\0\1", QUERY_REPLY, DNS_FORMERR),
		CASE(HEADER_OPT QUESTION "\1x\0\0\x29\x04\xd0\0\0\0\0\0\0", QUERY_REPLY,
		     DNS_FORMERR), /* the owner is not the root */
		/* a TSIG without key and algorithm is complete, one that is an octet shorter is not */
		CASE(HEADER_OPT QUESTION "\0\0\xfa\0\xff\0\0\0\0\0\x11\0TTTTTTFF\0\0ii\0\0\0\0", QUERY_REPLY,
		     DNS_NOTAUTH),
		CASE(HEADER_OPT QUESTION "\0\0\xfa\0\xff\0\0\0\0\0\x10\0TTTTTTFF\0\0ii\0\0\0", QUERY_REPLY,
		     DNS_FORMERR),
		CASE("\x12\x34\x01\x00\0\1\0\0\0\0\0\2" QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\0"
		     "\0\0\x29\x04\xd0\0\0\0\0\0\0",
		     QUERY_REPLY, DNS_FORMERR), /* two OPT */
		/* RFC 7871 7.1.2: bits beyond the prefix, a scope, a wrong length, a prefix that is too long */
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x08\0\7\0\1\x14\0\xc0\0\xff", QUERY_REPLY,
		     DNS_FORMERR),
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x08\0\7\0\1\x18\1\xc0\0\2", QUERY_REPLY,
		     DNS_FORMERR),
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x08\0\7\0\1\x10\0\xc0\0\2", QUERY_REPLY,
		     DNS_FORMERR),
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x0d\0\x08\0\x09\0\1\x21\0\1\2\3\4\0", QUERY_REPLY,
		     DNS_FORMERR),
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x08\0\x08\0\4\0\1\0\0", QUERY_ANSWER, 0),
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x08\0\x08\0\4\0\0\0\0", QUERY_ANSWER, 0),
		CASE(HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x0a\0\x08\0\6\0\x09\x10\0\1\2", QUERY_ANSWER, 0),
#undef CASE
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct query q;
		enum dns_rcode rcode;
		enum query_verdict verdict = parse(&q, (const uint8_t *)cases[i].data, cases[i].len, &rcode);
		if (verdict != cases[i].verdict || (verdict == QUERY_REPLY && rcode != cases[i].rcode))
			fail_msg("case %zu: verdict %d, RCODE %d", i, verdict, rcode);
	}
}

static void a_name_of_255_octets_is_a_name(void **state)
{
	(void)state;
	uint8_t packet[12 + 260 + 4] = HEADER;
	struct query q;
	enum dns_rcode rcode;
	for (size_t last = 61; last <= 62; last++) {
		size_t at = 12;
		for (int i = 0; i < 4; i++) {
			size_t len = i < 3 ? 63 : last;
			packet[at++] = (uint8_t)len;
			memset(packet + at, 'A', len);
			at += len;
		}
		memcpy(packet + at, "\0\0\1\0\1", 5);
		at += 5;
		assert_int_equal(parse(&q, packet, at, &rcode), last == 61 ? QUERY_ANSWER : QUERY_REPLY);
		if (last == 61)
			assert_int_equal(q.qname_len, 255);
	}
}

/* --- whole replies ---------------------------------------------------------------------------------------- */

static struct zone_plan *small_zone(void)
{
	struct zone_plan *zp = zone_plan_new();
	zone_plan_add_zone(zp, "example.",
			   "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n");
	zone_plan_commit(zp);
	return zp;
}

static void the_question_comes_back_as_it_was(void **state)
{
	(void)state;
	struct zone_plan *zp = small_zone();
	static const char packet[] = "\xab\xcd\x01\x10\0\1\0\0\0\0\0\0" QUESTION;
	static const char reply[] =
		"\xab\xcd\x85\x10\0\1\0\1\0\0\0\0" QUESTION "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1";
	assert_int_equal(zone_plan_ask(zp, BYTES(packet), false), sizeof reply - 1);
	assert_memory_equal(zp->out, reply, sizeof reply - 1);
	zone_plan_free(zp);
}

static void errors_are_short_and_carry_the_upper_bits_of_rcode(void **state)
{
	(void)state;
	struct zone_plan *zp = small_zone();
	static const char badvers[] = HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\1\x80\0\0\0";
	static const char reply[] = "\x12\x34\x81\x00\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x04\xd0\1\0\x80\0\0\0";
	assert_int_equal(zone_plan_ask(zp, BYTES(badvers), false), sizeof reply - 1);
	assert_memory_equal(zp->out, reply, sizeof reply - 1);
	static const char update[] = "\x12\x34\x28\x00\0\1\0\0\0\0\0\0" QUESTION;
	static const char notimp[] = "\x12\x34\xa8\x04\0\0\0\0\0\0\0\0";
	assert_int_equal(zone_plan_ask(zp, BYTES(update), false), 12);
	assert_memory_equal(zp->out, notimp, 12);
	zone_plan_free(zp);
}

/* A zone of which the feed has sent parts, but not yet the SOA. */
static void a_zone_that_is_not_ready_says_so(void **state)
{
	(void)state;
	struct zone_plan *zp = zone_plan_new();
	static const char packet[] = HEADER_OPT QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	static const char reply[] = "\x12\x34\x81\x02\0\1\0\0\0\0\0\1" QUESTION
				    "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0f\0\2\0\x0e"; /* RFC 8914 4.15 */
	assert_int_equal(plan_builder_show_zone(zp->builder, (const uint8_t *)"\7example", 1), VEER_OK);
	zone_plan_commit(zp);
	assert_int_equal(zone_plan_ask(zp, BYTES(packet), false), sizeof reply - 1);
	assert_memory_equal(zp->out, reply, sizeof reply - 1);
	zone_plan_free(zp);
}

static void limits_follow_the_payload_size(void **state)
{
	(void)state;
	static const struct {
		uint16_t payload;
		size_t limit;
	} cases[] = {{0, 512}, {100, 512}, {512, 512}, {513, 513}, {1232, 1232}, {4096, 1232}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct query q = {.edns = {.is_present = cases[i].payload > 0, .udp_size = cases[i].payload}};
		assert_int_equal(encode_udp_limit(&q), cases[i].limit);
	}
}

/* Every length limit from the header up: complete RRsets or TC, never a byte too many, always readable. */
static void replies_fit_any_limit(void **state)
{
	(void)state;
	struct zone_plan *zp = small_zone();
	uint8_t packet[512];
	size_t len = zone_plan_query("example.", RRTYPE_NS, 1232, packet);
	struct query *q = &zp->responder->request.query;
	struct lookup_start *start = &zp->responder->request.start;
	enum dns_rcode rcode;
	struct client client = {.address = {0}};
	assert_int_equal(query_parse(q, packet, len, &rcode), QUERY_ANSWER);
	lookup_begin(zp->plan, q, start);
	lookup_decide(zp->plan, q, &client, 1, start, &zp->responder->answer);
	size_t whole = encode_answer(q, &zp->responder->answer, zp->out, 512);
	for (size_t limit = 12 + 13 + 11; limit <= whole; limit++) {
		uint8_t *out = malloc(limit);
		size_t reply = encode_answer(q, &zp->responder->answer, out, limit);
		assert_true(reply <= limit);
		bool truncated = (out[2] & 2) != 0;
		const char *text = zone_plan_text(out, reply);
		assert_int_equal(truncated, strstr(text, " NS ") == NULL);
		free(out);
	}
	zone_plan_free(zp);
}

/* --- allocations ------------------------------------------------------------------------------------------ */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static uint64_t allocations; /* since the start of the program */
void *__libc_malloc(size_t size);
void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}
#else
static const uint64_t allocations; /* not counted with a sanitizer, which has its own malloc */
#endif

static void ten_thousand_queries_allocate_nothing(void **state)
{
	(void)state;
	struct zone_plan *zp = small_zone();
	static const char *const names[] = {"www.example.", "example.", "nope.example.", "x.www.example.",
					    "other.test."};
	uint8_t packets[5][512];
	size_t lens[5];
	for (size_t i = 0; i < 5; i++)
		lens[i] = zone_plan_query(names[i], i % 2 == 0 ? RRTYPE_A : RRTYPE_NS, 1232, packets[i]);
	uint64_t before = allocations;
	for (int i = 0; i < 10000; i++)
		assert_true(zone_plan_ask(zp, packets[i % 5], lens[i % 5], i % 3 == 0) > 0);
	assert_int_equal(allocations, before);
	zone_plan_free(zp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_understood),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(a_name_of_255_octets_is_a_name),
		cmocka_unit_test(the_question_comes_back_as_it_was),
		cmocka_unit_test(errors_are_short_and_carry_the_upper_bits_of_rcode),
		cmocka_unit_test(a_zone_that_is_not_ready_says_so),
		cmocka_unit_test(limits_follow_the_payload_size),
		cmocka_unit_test(replies_fit_any_limit),
		cmocka_unit_test(ten_thousand_queries_allocate_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
