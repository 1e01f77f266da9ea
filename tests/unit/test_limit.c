/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/packet/limit.h"
#include "dnsd/packet/prefix.h"
#include "tests/unit/zone_plan.h"

#define START_MS 5000

static struct limit *made(unsigned rate, unsigned slip)
{
	struct limit_config config = {.rate = rate, .slip = slip};
	struct limit *limit = NULL;
	assert_int_equal(limit_new(&config, START_MS, &limit), VEER_OK);
	return limit;
}

static struct client client(const char *text)
{
	struct veer_addr address;
	assert_int_equal(veer_addr_parse(text, &address), VEER_OK);
	struct client c = {.is_ipv6 = address.family == VEER_FAMILY_V6};
	memcpy(c.address, address.bytes, sizeof c.address);
	return c;
}

static uint64_t prefix(const char *text)
{
	struct client c = client(text);
	return prefix_of(&c);
}

/* How many of `tries` at one moment are admitted. */
static unsigned admitted(struct limit *limit, uint64_t of, int64_t now_ms, unsigned tries)
{
	unsigned count = 0;
	while (tries-- > 0)
		count += limit_take(limit, of, now_ms);
	return count;
}

static void a_prefix_is_a_24_or_a_56(void **state)
{
	(void)state;
	char text[VEER_PREFIX_TEXT_SIZE];
	assert_int_equal(prefix("192.0.2.1"), prefix("192.0.2.255"));
	assert_int_not_equal(prefix("192.0.2.1"), prefix("192.0.3.1"));
	assert_int_equal(prefix("2001:db8:1:200::1"), prefix("2001:db8:1:2ff:ffff::9"));
	assert_int_not_equal(prefix("2001:db8:1:200::1"), prefix("2001:db8:1:300::1"));
	assert_int_not_equal(prefix("0.0.0.0"), prefix("::"));
	assert_int_not_equal(prefix("0.0.0.0"), 0);
	prefix_print(prefix("198.51.100.77"), text);
	assert_string_equal(text, "198.51.100.0/24");
	prefix_print(prefix("2001:db8:1:2ff::9"), text);
	assert_string_equal(text, "2001:db8:1:200::/56");
}

static void a_prefix_gets_its_burst_and_then_its_rate(void **state)
{
	(void)state;
	static const unsigned rates[] = {1, 3, 100, 2000, 99999, LIMIT_RATE_MAX};
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		struct limit *limit = made(rates[i], 2);
		uint64_t p = prefix("192.0.2.1");
		unsigned rate = rates[i];
		unsigned count = 0;
		assert_int_equal(admitted(limit, p, START_MS, 2 * LIMIT_BURST_S * rate), LIMIT_BURST_S * rate);
		for (int64_t now_ms = START_MS; now_ms <= START_MS + 10000; now_ms += 10)
			count += admitted(limit, p, now_ms, 1 + rate / 50);
		assert_in_range(count, 10 * rate - rate / 20, 10 * rate + rate / 20 + 1);
		/* after a silence the burst is allowed again, and no more */
		assert_int_equal(admitted(limit, p, START_MS + 3600000, 3 * LIMIT_BURST_S * rate),
				 LIMIT_BURST_S * rate);
		limit_free(&limit);
	}
}

static void long_replies_count_by_their_octets(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		unsigned units;
	} cases[] = {{12, 1}, {LIMIT_UNIT, 1}, {LIMIT_UNIT + 1, 2}, {1232, 10}};
	for (size_t i = 0; i < 4; i++) {
		struct limit *limit = made(1000, 2);
		uint64_t p = prefix("192.0.2.1");
		unsigned count = 0;
		while (limit_take(limit, p, START_MS)) {
			limit_charge(limit, p, cases[i].len, START_MS);
			count++;
		}
		assert_int_equal(count, LIMIT_BURST_S * 1000 / cases[i].units);
		limit_free(&limit);
	}
}

static void a_clock_that_is_behind_another_workers_gains_nothing(void **state)
{
	(void)state;
	struct limit *limit = made(100, 2);
	uint64_t p = prefix("192.0.2.1");
	assert_int_equal(admitted(limit, p, START_MS + 1000, 1000), 200);
	assert_int_equal(admitted(limit, p, START_MS + 900, 1000), 0);
	assert_int_equal(admitted(limit, p, START_MS, 1000), 0);
	assert_int_equal(admitted(limit, p, START_MS - 1, 1000), 0);
	assert_int_equal(admitted(limit, p, START_MS + 1100, 1000), 10);
	limit_free(&limit);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A source that is made up anew for each packet: any IPv4 /24. */
static uint64_t random_prefix(uint64_t *state)
{
	struct client c = {.is_ipv6 = false};
	uint64_t bits = next_random(state) >> 20;
	memcpy(c.address, &bits, 4);
	return prefix_of(&c);
}

/* One second of 200,000 packets from random prefixes, twice as many prefixes as the table has places. */
static void a_flood_from_everywhere_frees_nobody_and_holds_up_nobody(void **state)
{
	(void)state;
	struct limit *limit = made(LIMIT_RATE_DEFAULT, 2);
	uint64_t victim = prefix("192.0.2.1");
	uint64_t resolver = prefix("198.51.100.1");
	uint64_t seed = 7;
	unsigned victims = 0;
	unsigned resolvers = 0;
	unsigned others = 0;
	assert_int_equal(admitted(limit, victim, START_MS, 10000), LIMIT_BURST_S * LIMIT_RATE_DEFAULT);
	for (int64_t ms = 0; ms < 1000; ms++) {
		for (int i = 0; i < 200; i++)
			others += limit_take(limit, random_prefix(&seed), START_MS + ms);
		victims += admitted(limit, victim, START_MS + ms, 20);
		resolvers += admitted(limit, resolver, START_MS + ms, 2); /* the whole rate, all the time */
	}
	assert_int_equal(others, 200000);
	assert_int_equal(resolvers, 2000);
	assert_in_range(victims, LIMIT_RATE_DEFAULT - 10, LIMIT_RATE_DEFAULT + 10);
	limit_free(&limit);
}

/* Fill one set until every prefix in it is limited: a new prefix gets the allowance that is there, not a new burst. */
static void who_displaces_another_inherits_its_allowance(void **state)
{
	(void)state;
	struct limit *limit = made(1, 2);
	uint64_t seed = 99;
	uint64_t count = 0;
	for (int i = 0; i < 1000000; i++)
		count += limit_take(limit, random_prefix(&seed), START_MS);
	assert_in_range(count, 1, (uint64_t)LIMIT_SETS * LIMIT_WAYS * LIMIT_BURST_S);
	limit_free(&limit);
}

static void exempt_prefixes_are_told_apart(void **state)
{
	(void)state;
	struct veer_prefix exempt[3];
	struct limit *limit = NULL;
	assert_int_equal(veer_prefix_parse("127.0.0.0/8", &exempt[0]), VEER_OK);
	assert_int_equal(veer_prefix_parse("::1", &exempt[1]), VEER_OK);
	assert_int_equal(veer_prefix_parse("2001:db8:8000::/33", &exempt[2]), VEER_OK);
	struct limit_config config = {.rate = 1, .exempt = exempt, .exempt_count = 3};
	assert_int_equal(limit_new(&config, 0, &limit), VEER_OK);
	static const struct {
		const char *address;
		bool is_exempt;
	} cases[] = {{"127.0.0.1", true},
		     {"127.255.255.255", true},
		     {"128.0.0.1", false},
		     {"126.255.255.255", false},
		     {"::1", true},
		     {"::2", false},
		     {"7f00::", false},
		     {"2001:db8:ffff::1", true},
		     {"2001:db8:7fff::1", false}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c = client(cases[i].address);
		if (limit_is_exempt(limit, &c) != cases[i].is_exempt)
			fail_msg("%s", cases[i].address);
	}
	limit_free(&limit);
	config.exempt_count = LIMIT_EXEMPT_MAX + 1;
	assert_int_equal(limit_new(&config, 0, &limit), VEER_EINVAL);
	config = (struct limit_config){.rate = 0};
	assert_int_equal(limit_new(&config, 0, &limit), VEER_EINVAL);
	config.rate = LIMIT_RATE_MAX + 1;
	assert_int_equal(limit_new(&config, 0, &limit), VEER_EINVAL);
}

static void who_is_over_the_limit_is_noted(void **state)
{
	(void)state;
	struct limit *limit = made(1, 2);
	uint64_t p = prefix("192.0.2.1");
	uint64_t noted = 0;
	assert_false(limit_next_note(limit, &noted));
	assert_int_equal(admitted(limit, p, START_MS, LIMIT_BURST_S), LIMIT_BURST_S);
	assert_false(limit_next_note(limit, &noted));
	assert_int_equal(admitted(limit, p, START_MS, 5), 0);
	assert_true(limit_next_note(limit, &noted));
	assert_int_equal(noted, p);
	assert_false(limit_next_note(limit, &noted));
	limit_free(&limit);
}

/* --- threads ---------------------------------------------------------------------------------------------- */

enum { THREADS = 4, TRIES = 20000 };

struct hammer {
	struct limit *limit;
	pthread_t thread;
	unsigned admitted;
};

static void *hammer(void *ctx)
{
	struct hammer *h = ctx;
	uint64_t seed = (uintptr_t)h;
	for (int i = 0; i < TRIES; i++) {
		h->admitted += limit_take(h->limit, prefix("192.0.2.1"), START_MS);
		(void)limit_take(h->limit, random_prefix(&seed), START_MS);
	}
	return NULL;
}

static void all_workers_together_have_one_rate(void **state)
{
	(void)state;
	struct limit *limit = made(10000, 2);
	struct hammer all[THREADS] = {{.limit = NULL}};
	unsigned sum = 0;
	for (int i = 0; i < THREADS; i++) {
		all[i].limit = limit;
		assert_int_equal(pthread_create(&all[i].thread, NULL, hammer, &all[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(all[i].thread, NULL), 0);
		sum += all[i].admitted;
	}
	assert_int_equal(sum, LIMIT_BURST_S * 10000);
	limit_free(&limit);
}

/* --- with answers ----------------------------------------------------------------------------------------- */

static struct zone_plan *served(unsigned rate, unsigned slip)
{
	struct zone_plan *zp = zone_plan_new();
	char zone[8192] = "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n";
	for (int i = 0; i < 5; i++) {
		size_t len = strlen(zone);
		(void)snprintf(zone + len, sizeof zone - len, "txt TXT \"%d%0200d\"\n", i, 0);
	}
	zone_plan_add_zone(zp, "example.", zone);
	zone_plan_commit(zp);
	zp->responder->config.limit = made(rate, slip);
	zp->responder->config.secrets = (struct cookie_secrets){.count = 1, .keys = {{1}}};
	zp->responder->now_ms = START_MS;
	return zp;
}

static void served_free(struct zone_plan *zp)
{
	limit_free(&zp->responder->config.limit);
	zone_plan_free(zp);
}

/* Make a query with a cookie of 8 or 24 octets. Returns its length. */
static size_t with_cookie(const char *name, const uint8_t *cookie, uint8_t cookie_len, uint8_t *out)
{
	size_t len = zone_plan_query(name, RRTYPE_A, 1232, out);
	const uint8_t option[] = {0, (uint8_t)(cookie_len + 4), 0, 10, 0, cookie_len};
	memcpy(out + len - 2, option, sizeof option);
	memcpy(out + len - 2 + sizeof option, cookie, cookie_len);
	return len + 4 + cookie_len;
}

static uint64_t counted(const struct zone_plan *zp, unsigned at)
{
	struct count_totals totals = {0};
	count_sum(&zp->responder->counters, &totals);
	return totals.values[at];
}

static void over_the_limit_every_second_reply_is_truncated_and_the_others_dropped(void **state)
{
	(void)state;
	struct zone_plan *zp = served(5, 2);
	uint8_t packet[512];
	size_t len = zone_plan_query("www.example.", RRTYPE_A, 0, packet);
	for (int i = 0; i < 10; i++)
		assert_string_equal(zone_plan_text(zp->out, zone_plan_ask(zp, packet, len, false)),
				    "NOERROR aa | www.example. 300 A 192.0.2.1 | |");
	for (int i = 0; i < 10; i++) {
		assert_int_equal(zone_plan_ask(zp, packet, len, false), 0);
		size_t reply = zone_plan_ask(zp, packet, len, false);
		assert_string_equal(zone_plan_text(zp->out, reply), "NOERROR tc | | |");
		assert_int_equal(reply, len);
		assert_memory_equal(zp->out + 12, packet + 12, len - 12);
		assert_memory_equal(zp->out, packet, 2);
	}
	assert_int_equal(counted(zp, COUNT_DROPPED + COUNT_DROP_LIMIT), 10);
	assert_int_equal(counted(zp, COUNT_SLIPPED), 10);
	assert_int_equal(counted(zp, COUNT_TRUNCATED), 10);
	assert_int_equal(counted(zp, COUNT_RESPONSES + DNS_NOERROR), 20);
	/* TCP is not limited, because a client over TCP has proved its address */
	assert_true(zone_plan_ask(zp, packet, len, true) > len);
	/* nor are other prefixes */
	struct client other = client("198.51.100.1");
	assert_true(respond(zp->responder, zp->plan, packet, len, &other, false, zp->out, EDNS_UDP_SIZE) > len);
	zp->responder->now_ms += 1000;
	assert_true(zone_plan_ask(zp, packet, len, false) > len);
	served_free(zp);
}

static void slip_says_how_many_are_truncated(void **state)
{
	(void)state;
	static const unsigned slips[] = {0, 1, 3};
	for (size_t i = 0; i < 3; i++) {
		struct zone_plan *zp = served(1, slips[i]);
		uint8_t packet[512];
		size_t len = zone_plan_query("www.example.", RRTYPE_A, 0, packet);
		unsigned replies = 0;
		for (int j = 0; j < LIMIT_BURST_S + 30; j++)
			replies += zone_plan_ask(zp, packet, len, false) > 0;
		assert_int_equal(replies, LIMIT_BURST_S + (slips[i] > 0 ? 30 / slips[i] : 0));
		served_free(zp);
	}
}

static void errors_are_limited_like_answers(void **state)
{
	(void)state;
	struct zone_plan *zp = served(1, 2);
	uint8_t packet[512];
	size_t len = zone_plan_query("www.example.", RRTYPE_A, 0, packet);
	unsigned replies = 0;
	for (int i = 0; i < 100; i++)
		replies += zone_plan_ask(zp, packet, len - 1, false) > 0;
	assert_int_equal(replies, LIMIT_BURST_S + (100 - LIMIT_BURST_S) / 2);
	assert_int_equal(zp->out[3] & 15, DNS_FORMERR);
	served_free(zp);
}

static void who_has_a_cookie_is_not_limited_and_who_asks_for_one_gets_it(void **state)
{
	(void)state;
	struct zone_plan *zp = served(1, 2);
	uint8_t packet[512];
	uint8_t cookie[24] = "clientco";
	unsigned replies = 0;
	size_t len = with_cookie("www.example.", cookie, 8, packet);
	for (int i = 0; i < LIMIT_BURST_S + 1; i++)
		(void)zone_plan_ask(zp, packet, len, false);
	size_t reply = zone_plan_ask(zp, packet, len, false); /* this reply slips through, truncated */
	assert_string_equal(zone_plan_text(zp->out, reply), "NOERROR tc | | |");
	memcpy(cookie, zp->out + reply - 24, 24);
	assert_memory_equal(cookie, "clientco", 8);
	len = with_cookie("www.example.", cookie, 24, packet);
	for (int i = 0; i < 1000; i++)
		replies += zone_plan_ask(zp, packet, len, false) > len;
	assert_int_equal(replies, 1000);
	cookie[20] ^= 1;
	len = with_cookie("www.example.", cookie, 24, packet);
	for (int i = 0; i < 100; i++)
		replies += zone_plan_ask(zp, packet, len, false) > len;
	assert_int_equal(replies, 1000);
	served_free(zp);
}

/*
 * Queries with a forged source for the longest answer: how many octets the victim gets for each that the attacker
 * sends.
 */
static void over_the_limit_an_attacker_gets_less_than_twice_what_it_sends(void **state)
{
	(void)state;
	static const unsigned queries_s[] = {3 * LIMIT_RATE_DEFAULT, 10 * LIMIT_RATE_DEFAULT, 50 * LIMIT_RATE_DEFAULT};
	for (size_t i = 0; i < 3; i++) {
		struct zone_plan *zp = served(LIMIT_RATE_DEFAULT, 2);
		uint8_t packet[512];
		size_t len = zone_plan_query("txt.example.", RRTYPE_TXT, 1232, packet);
		uint64_t in = 0;
		uint64_t out = 0;
		assert_true(zone_plan_ask(zp, packet, len, true) > 1000);
		for (int ms = 0; ms < 10000; ms++) {
			zp->responder->now_ms = START_MS + ms;
			for (unsigned n = 0; n < queries_s[i] / 1000; n++) {
				in += len;
				out += zone_plan_ask(zp, packet, len, false);
			}
		}
		assert_in_range(out, 1, 2 * in);
		served_free(zp);
	}
}

/* A large resolver's /24: half of the rate on average, in bursts; then twice as much. */
static void a_resolver_at_twice_its_usual_rate_loses_nothing(void **state)
{
	(void)state;
	struct zone_plan *zp = served(LIMIT_RATE_DEFAULT, 2);
	uint8_t packet[512];
	size_t len = zone_plan_query("www.example.", RRTYPE_A, 1232, packet);
	for (int second = 0; second < 20; second++) {
		unsigned queries = LIMIT_RATE_DEFAULT / (second < 10 ? 2U : 1U);
		zp->responder->now_ms = START_MS + second * 1000;
		for (unsigned i = 0; i < queries; i++) /* all queries of the second at its beginning */
			assert_true(zone_plan_ask(zp, packet, len, false) > len);
	}
	assert_int_equal(counted(zp, COUNT_SLIPPED), 0);
	served_free(zp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_is_a_24_or_a_56),
		cmocka_unit_test(a_prefix_gets_its_burst_and_then_its_rate),
		cmocka_unit_test(long_replies_count_by_their_octets),
		cmocka_unit_test(a_clock_that_is_behind_another_workers_gains_nothing),
		cmocka_unit_test(a_flood_from_everywhere_frees_nobody_and_holds_up_nobody),
		cmocka_unit_test(who_displaces_another_inherits_its_allowance),
		cmocka_unit_test(exempt_prefixes_are_told_apart),
		cmocka_unit_test(who_is_over_the_limit_is_noted),
		cmocka_unit_test(all_workers_together_have_one_rate),
		cmocka_unit_test(over_the_limit_every_second_reply_is_truncated_and_the_others_dropped),
		cmocka_unit_test(slip_says_how_many_are_truncated),
		cmocka_unit_test(errors_are_limited_like_answers),
		cmocka_unit_test(who_has_a_cookie_is_not_limited_and_who_asks_for_one_gets_it),
		cmocka_unit_test(over_the_limit_an_attacker_gets_less_than_twice_what_it_sends),
		cmocka_unit_test(a_resolver_at_twice_its_usual_rate_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
