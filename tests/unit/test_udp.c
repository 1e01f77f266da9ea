/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/serve/udp.h"
#include "tests/unit/zone_plan.h"

enum { QUERIES = 100000, KINDS = 6 };

/* --- what the packet path must not do --------------------------------------------------------------------- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static uint64_t calls; /* calls of the functions below, since the start of the program */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);

void *malloc(size_t size)
{
	calls++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	calls++;
	return __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size)
{
	calls++;
	return __libc_realloc(ptr, size);
}

void free(void *ptr)
{
	calls++;
	__libc_free(ptr);
}

#else
static const uint64_t calls; /* not counted with a sanitizer, which has its own allocator */
#endif

struct wire {
	struct zone_plan *zp;
	struct rcu *rcu;
	struct udp_batch *batch;
	int server;
	int client;
	uint8_t packets[KINDS][512];
	size_t lens[KINDS];
};

static int bound(struct sockaddr_in *address)
{
	socklen_t len = sizeof *address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

static int setup(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, payload;
	} kinds[KINDS] = {{"www.example.", RRTYPE_A, 1232},   {"bound.example.", RRTYPE_A, 1232},
			  {"nope.example.", RRTYPE_A, 0},     {"x.wild.example.", RRTYPE_A, 512},
			  {"big.example.", RRTYPE_TXT, 1232}, {"other.test.", RRTYPE_NS, 0}};
	struct wire *w = calloc(1, sizeof *w);
	struct retire_list none = {0};
	struct sockaddr_in address;
	char zone[4096] = "$TTL 60\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\n"
			  "*.wild A 192.0.2.3\n";
	for (int i = 0; i < 10; i++) { /* together they do not fit into a packet */
		size_t len = strlen(zone);
		(void)snprintf(zone + len, sizeof zone - len, "big TXT \"%d%0200d\"\n", i, 0);
	}
	w->zp = zone_plan_new();
	zone_plan_add_zone(w->zp, "example.", zone);
	zone_plan_put(w->zp, MODEL_KIND_POOL, "p",
		      "{\"name\":\"p\",\"checks\":[],\"endpoints\":["
		      "{\"name\":\"a\",\"address\":\"192.0.2.9\",\"site\":\"s\"},"
		      "{\"name\":\"b\",\"address\":\"192.0.2.8\",\"site\":\"s\"}]}");
	zone_plan_put(w->zp, MODEL_KIND_POLICY, "p", "{\"name\":\"p\",\"tree\":{\"spread\":\"p\"}}");
	zone_plan_put(w->zp, MODEL_KIND_RRSET, "example./1/bound.example./A", "pp");
	zone_plan_commit(w->zp);
	struct limit_config generous = {.rate = LIMIT_RATE_MAX, .slip = LIMIT_SLIP_DEFAULT};
	assert_int_equal(limit_new(&generous, 0, &w->zp->responder->config.limit), VEER_OK);
	w->rcu = rcu_new(1);
	w->batch = udp_batch_new();
	assert_int_equal(rcu_publish(w->rcu, w->zp->plan, &none), VEER_OK);
	w->server = bound(&address);
	w->client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(w->client, (struct sockaddr *)&address, sizeof address), 0);
	for (size_t i = 0; i < KINDS; i++)
		w->lens[i] = zone_plan_query(kinds[i].name, kinds[i].type, kinds[i].payload, w->packets[i]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct wire *w = *state;
	(void)close(w->server);
	(void)close(w->client);
	udp_batch_free(&w->batch);
	rcu_free(&w->rcu);
	limit_free(&w->zp->responder->config.limit);
	zone_plan_free(w->zp);
	free(w);
	return 0;
}

/* Send one batch and read the replies, counted by RCODE, TC and ANCOUNT. */
static void play(struct wire *w, int first, unsigned *replies, unsigned *truncated)
{
	uint8_t reply[2048];
	for (int i = 0; i < UDP_BATCH; i++) {
		size_t kind = (size_t)(first + i) % KINDS;
		assert_int_equal(send(w->client, w->packets[kind], w->lens[kind], 0), (ssize_t)w->lens[kind]);
	}
	udp_serve(w->batch, w->zp->responder, w->rcu, 0, w->server, false, 4 * UDP_BATCH);
	while (recv(w->client, reply, sizeof reply, MSG_DONTWAIT) >= 12) {
		++*replies;
		*truncated += (reply[2] & 2) != 0;
	}
}

static void a_hundred_thousand_queries_allocate_nothing(void **state)
{
	struct wire *w = *state;
	unsigned replies = 0, truncated = 0;
	uint64_t before = calls;
	for (int i = 0; i < QUERIES; i += UDP_BATCH)
		play(w, i, &replies, &truncated);
	assert_int_equal(calls, before);
	assert_int_equal(replies, QUERIES);
	assert_in_range(truncated, QUERIES / KINDS - UDP_BATCH, QUERIES / KINDS + UDP_BATCH);
}

/* Queries for the query log are copied into a ring; a full ring does not make the worker wait. */
static void nor_do_they_while_somebody_looks(void **state)
{
	struct wire *w = *state;
	struct tap_port port = {.ring = tap_ring_new(), .every = {1, 10}, .random = 1};
	unsigned replies = 0, truncated = 0;
	w->zp->responder->tap = &port;
	uint64_t before = calls;
	for (int i = 0; i < QUERIES; i += UDP_BATCH)
		play(w, i, &replies, &truncated);
	assert_int_equal(calls, before);
	assert_int_equal(replies, QUERIES);
	assert_in_range(tap_ring_lost(port.ring), QUERIES / 2, QUERIES);
	w->zp->responder->tap = NULL;
	tap_ring_free(&port.ring);
}

/* The batch after a publication is answered from the new plan, and the old plan is free as soon as the worker waits. */
static void a_new_plan_answers_the_next_batch(void **state)
{
	struct wire *w = *state;
	struct retire_list retired = {0};
	const struct plan *plan;
	unsigned replies = 0, truncated = 0;
	for (int i = 0; i < 1000; i++) {
		play(w, i, &replies, &truncated);
		assert_int_equal(plan_builder_commit(w->zp->builder, 10 + i, &plan, &retired), VEER_OK);
		assert_int_equal(rcu_publish(w->rcu, plan, &retired), VEER_OK);
		assert_false(rcu_is_applied(w->rcu));
		assert_int_equal(rcu_reclaim(w->rcu), 1);
		rcu_away(w->rcu, 0);
		assert_true(rcu_is_applied(w->rcu));
		assert_int_equal(rcu_reclaim(w->rcu), 0);
	}
	w->zp->plan = plan;
	assert_int_equal(replies, 1000 * UDP_BATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_hundred_thousand_queries_allocate_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(nor_do_they_while_somebody_looks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_plan_answers_the_next_batch, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
