/* SPDX-License-Identifier: Apache-2.0 */
/* Replies as strangers may send them: to other questions, damaged, or endless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "api/control/delegation_message.h"
#include "api/control/delegation_parent.h"
#include "base/bytes.h"
#include "zones/dns/message.h"
#include "zones/dns/rdata.h"

enum { ID = 0x1234, QUESTION_LEN = 12 + 14 + 4, BIG = 65535 };

static const uint8_t zone[] = "\4gslb\7example";
static const struct delegation_question question = {.name = zone, .type = RRTYPE_NS};

/* A message under construction, and the result of reading it. */
struct world {
	uint8_t data[BIG];
	size_t len;
	struct delegation_reply reply;
	struct delegation_server server;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void put(struct world *w, const void *data, size_t len)
{
	assert_true(w->len + len <= sizeof w->data);
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

static void put_u16(struct world *w, unsigned value)
{
	const uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};
	put(w, octets, 2);
}

/* Begin with header and question; `flags` is 0x8000 with further bits. */
static void begin(struct world *w, unsigned flags, unsigned answers, unsigned authority, unsigned additional)
{
	w->len = 0;
	put_u16(w, ID);
	put_u16(w, flags);
	put_u16(w, 1);
	put_u16(w, answers);
	put_u16(w, authority);
	put_u16(w, additional);
	put(w, zone, sizeof zone);
	put_u16(w, RRTYPE_NS);
	put_u16(w, 1);
}

static void put_record(struct world *w, const void *owner, size_t owner_len, unsigned type, const void *rdata,
		       size_t len)
{
	put(w, owner, owner_len);
	put_u16(w, type);
	put_u16(w, 1);
	put_u16(w, 0);
	put_u16(w, 3600);
	put_u16(w, (unsigned)len);
	put(w, rdata, len);
}

#define OWNER "\xc0\x0c" /* pointer to the name in the question */
#define NS1 "\3ns1\xc0\x0c"

static enum veer_err read_it(struct world *w)
{
	/* exactly that size, so that a sanitizer detects a read beyond the end */
	uint8_t *copy = malloc(w->len > 0 ? w->len : 1);
	assert_non_null(copy);
	memcpy(copy, w->data, w->len);
	enum veer_err err = delegation_reply_read(&question, ID, copy, w->len, &w->reply);
	free(copy);
	return err;
}

static void put_referral(struct world *w)
{
	begin(w, 0x8000, 0, 1, 2);
	put_record(w, OWNER, 2, RRTYPE_NS, NS1, 6);
	put_record(w, NS1, 6, RRTYPE_A, "\xc0\0\2\1", 4);
	put_record(w, NS1, 6, RRTYPE_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
}

static void what_we_ask(void **state)
{
	uint8_t out[DELEGATION_QUESTION_MAX];
	struct delegation_question q = question;
	(void)state;
	size_t len = delegation_question_write(&q, ID, out);
	assert_int_equal(len, QUESTION_LEN + 11);
	assert_memory_equal(out, "\x12\x34\0\0\0\1\0\0\0\0\0\1\4gslb\7example\0\0\2\0\1\0\0\x29\x04\xd0",
			    QUESTION_LEN + 5);
	q.wants_recursion = q.without_edns = true;
	len = delegation_question_write(&q, ID, out);
	assert_int_equal(len, QUESTION_LEN);
	assert_int_equal(out[2], 1); /* RD */
	/* our own question is not a reply */
	struct delegation_reply *reply = malloc(sizeof *reply);
	assert_non_null(reply);
	assert_int_equal(delegation_reply_read(&q, ID, out, len, reply), VEER_EINVAL);
	free(reply);
	/* the longest name */
	uint8_t longest[NAME_WIRE_MAX] = {0};
	for (int i = 0; i < 254; i += 2)
		longest[i] = 1, longest[i + 1] = 'a';
	q = (struct delegation_question){.name = longest, .type = RRTYPE_AAAA};
	assert_int_equal(delegation_question_write(&q, ID, out), 12 + 255 + 4 + 11);
}

static void a_referral(void **state)
{
	struct world *w = *state;
	put_referral(w);
	assert_int_equal(read_it(w), VEER_OK);
	assert_int_equal(w->reply.count, 3);
	delegation_server_take(zone, &w->reply, &w->server);
	assert_int_equal(w->server.result, DELEGATION_REFERRAL);
	assert_int_equal(w->server.set.count, 1);
	assert_int_equal(w->server.set.ttl, 3600);
	assert_memory_equal(w->server.set.hosts[0].name, "\3ns1\4gslb\7example", 18);
	assert_int_equal(w->server.set.hosts[0].addr_count, 2);
}

static void each_octet_less_is_no_reply(void **state)
{
	struct world *w = *state;
	put_referral(w);
	for (size_t whole = w->len, len = 0; len < whole; len++) {
		w->len = len;
		assert_int_equal(read_it(w), len < QUESTION_LEN ? VEER_EINVAL : VEER_ECORRUPT);
	}
}

static void other_questions_and_ids(void **state)
{
	struct world *w = *state;
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {{0, 0x13}, {1, 0}, {2, 0}, {2, 0x88}, {5, 0}, {5, 2}, {12, 63}, {13, 'x'}, {27, 1}, {29, 3}};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		put_referral(w);
		w->data[changes[i].at] = changes[i].value;
		assert_int_equal(read_it(w), VEER_EINVAL);
	}
	put_referral(w);
	w->data[13] = 'G'; /* case makes no difference */
	assert_int_equal(read_it(w), VEER_OK);
}

static void a_reply_cut_by_its_server(void **state)
{
	struct world *w = *state;
	put_referral(w);
	w->data[2] |= 2;
	w->len -= 10;
	assert_int_equal(read_it(w), VEER_OK);
	assert_true(w->reply.is_truncated);
	assert_int_equal(w->reply.count, 0);
}

static void pointers_that_lead_nowhere(void **state)
{
	struct world *w = *state;
	static const char *const owners[] = {"\xc0\x1e" /* points to itself */, "\xff\xff", "\x80\x0c", "\x40\x0c"};
	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
		begin(w, 0x8000, 0, 1, 0);
		put_record(w, owners[i], 2, RRTYPE_NS, NS1, 6);
		assert_int_equal(read_it(w), VEER_ECORRUPT);
		begin(w, 0x8000, 0, 1, 0);
		put_record(w, OWNER, 2, RRTYPE_NS, owners[i], 2);
		if (i == 0)
			w->data[w->len - 1] = (uint8_t)(w->len - 2);
		assert_int_not_equal(read_it(w), VEER_EINVAL); /* the pointer may lead back to a valid name */
	}
	/* a pointer forward: ldns makes a name of it, or refuses it */
	begin(w, 0x8000, 0, 1, 0);
	put_record(w, "\xc0\x20", 2, RRTYPE_NS, NS1, 6);
	if (read_it(w) == VEER_OK)
		assert_int_not_equal(name_check(w->reply.records[0].owner, NAME_WIRE_MAX), 0);
	/* two pointers that lead to each other */
	begin(w, 0x8000, 0, 1, 0);
	put_record(w, "\xc0\x20\xc0\x1e", 4, RRTYPE_NS, NS1, 6);
	assert_int_equal(read_it(w), VEER_ECORRUPT);
}

static void counts_that_are_not_there(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < 3; i++) {
		put_referral(w);
		w->data[6 + 2 * i] = w->data[7 + 2 * i] = 255;
		assert_int_equal(read_it(w), VEER_ECORRUPT);
	}
}

/* 5,000 records, and then names that are each a long chain of pointers: the result and the time are bounded. */
static void as_much_as_fits(void **state)
{
	struct world *w = *state;
	struct timespec before, after;
	begin(w, 0x8000, 0, 4000, 0);
	for (unsigned i = 0; i < 4000; i++)
		put_record(w, OWNER, 2, RRTYPE_NS, OWNER, 2);
	assert_int_equal(read_it(w), VEER_OK);
	assert_int_equal(w->reply.count, DELEGATION_RECORDS_MAX);
	assert_true(w->reply.is_cut);
	delegation_server_take(zone, &w->reply, &w->server);
	assert_true(w->server.set.is_cut);
	/* RDATA of an unknown type full of pointers, each to the one before */
	begin(w, 0x8000, 0, 2001, 0);
	uint8_t chain[16000];
	size_t at = w->len + 2 + 10;
	for (size_t i = 0; i < sizeof chain; i += 2) {
		size_t to = i == 0 ? 12 : at + i - 2;
		chain[i] = (uint8_t)(0xc0 | to >> 8);
		chain[i + 1] = (uint8_t)to;
	}
	put_record(w, OWNER, 2, 65280, chain, sizeof chain);
	const uint8_t last[] = {(uint8_t)(0xc0 | (at + sizeof chain - 2) >> 8), (uint8_t)(at + sizeof chain - 2)};
	for (unsigned i = 0; i < 2000; i++)
		put_record(w, OWNER, 2, RRTYPE_NS, last, 2);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	(void)read_it(w);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	double ms = (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6;
	assert_true(ms < 2000);
}

static void what_is_no_address_is_none(void **state)
{
	struct world *w = *state;
	begin(w, 0x8000, 0, 1, 2);
	put_record(w, OWNER, 2, RRTYPE_NS, NS1, 6);
	put_record(w, NS1, 6, RRTYPE_A, "\xc0\0\2", 3);
	put_record(w, NS1, 6, RRTYPE_AAAA, "\xc0\0\2\1", 4);
	if (read_it(w) == VEER_OK)
		assert_int_equal(w->reply.count, 1);
}

/* The question for the zone's NS RRset, answered in each way. */
static void what_answers_mean(void **state)
{
	struct world *w = *state;
	static const char soa[] = "\2ns\5other\0\1h\5other\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
	static const char above[] = "\xc0\x11"; /* example. */
	static const struct {
		unsigned flags, type;
		const char *owner;
		enum delegation_section section;
		enum delegation_result result;
	} cases[] = {
		{0x8400, RRTYPE_SOA, above, DELEGATION_AUTHORITY, DELEGATION_ABSENT},    /* no data */
		{0x8403, RRTYPE_SOA, above, DELEGATION_AUTHORITY, DELEGATION_ABSENT},    /* no such name */
		{0x8003, RRTYPE_SOA, above, DELEGATION_AUTHORITY, DELEGATION_ELSEWHERE}, /* from a resolver */
		{0x8400, RRTYPE_SOA, OWNER, DELEGATION_AUTHORITY, DELEGATION_SAME}, /* the zone's SOA, without NS */
		{0x8400, RRTYPE_NS, OWNER, DELEGATION_ANSWER, DELEGATION_SAME},
		{0x8000, RRTYPE_NS, OWNER, DELEGATION_ANSWER, DELEGATION_ELSEWHERE}, /* from a resolver */
		{0x8000, RRTYPE_NS, OWNER, DELEGATION_AUTHORITY, DELEGATION_REFERRAL},
		{0x8000, RRTYPE_NS, above, DELEGATION_AUTHORITY, DELEGATION_ELSEWHERE}, /* upwards */
		{0x8000, RRTYPE_NS, OWNER, DELEGATION_ADDITIONAL, DELEGATION_ELSEWHERE},
		{0x8405, RRTYPE_NS, OWNER, DELEGATION_ANSWER, DELEGATION_FAILED},
		{0x8402, RRTYPE_NS, OWNER, DELEGATION_AUTHORITY, DELEGATION_FAILED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		begin(w, cases[i].flags, cases[i].section == DELEGATION_ANSWER,
		      cases[i].section == DELEGATION_AUTHORITY, cases[i].section == DELEGATION_ADDITIONAL);
		if (cases[i].type == RRTYPE_SOA)
			put_record(w, cases[i].owner, 2, RRTYPE_SOA, soa, sizeof soa - 1);
		else
			put_record(w, cases[i].owner, 2, RRTYPE_NS, NS1, 6);
		assert_int_equal(read_it(w), VEER_OK);
		delegation_server_take(zone, &w->reply, &w->server);
		assert_int_equal(w->server.result, cases[i].result);
	}
	begin(w, 0x8000, 0, 0, 0); /* no records at all */
	assert_int_equal(read_it(w), VEER_OK);
	delegation_server_take(zone, &w->reply, &w->server);
	assert_int_equal(w->server.result, DELEGATION_ELSEWHERE);
}

static void rcodes_of_opt(void **state)
{
	struct world *w = *state;
	char text[DNS_RCODE_TEXT_SIZE];
	begin(w, 0x8000, 0, 0, 1);
	put(w, "\0\0\x29\x04\xd0\1\0\0\0\0\0", 11); /* BADVERS: 16 */
	assert_int_equal(read_it(w), VEER_OK);
	assert_int_equal(w->reply.rcode, 16);
	assert_string_equal(dns_rcode_print(16, text), "BADVERS");
	assert_string_equal(dns_rcode_print(5, text), "REFUSED");
	delegation_server_take(zone, &w->reply, &w->server);
	assert_int_equal(w->server.result, DELEGATION_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_ask),
		cmocka_unit_test_setup_teardown(a_referral, setup, teardown),
		cmocka_unit_test_setup_teardown(each_octet_less_is_no_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(other_questions_and_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reply_cut_by_its_server, setup, teardown),
		cmocka_unit_test_setup_teardown(pointers_that_lead_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_that_are_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(as_much_as_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_address_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(what_answers_mean, setup, teardown),
		cmocka_unit_test_setup_teardown(rcodes_of_opt, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
