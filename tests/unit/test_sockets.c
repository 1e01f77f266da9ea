/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, and how one server hands them to the next. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/serve/sockets.h"

static struct veer_listen at(const char *text)
{
	struct veer_listen address;
	assert_int_equal(veer_listen_parse_dns(text, &address, NULL), VEER_OK);
	return address;
}

/* Copies of the descriptors, as a server gives them to its successor. */
static struct sockets_given given_of(const struct sockets *s)
{
	struct sockets_given given = {calloc(2 * s->pair_count, sizeof(int)), 0};
	for (size_t i = 0; i < s->pair_count; i++) {
		given.fds[given.count++] = dup(s->pairs[i].udp);
		given.fds[given.count++] = dup(s->pairs[i].tcp);
	}
	return given;
}

static size_t count_of(const struct sockets *s, unsigned worker)
{
	size_t count;
	const struct socket_pair *pairs = sockets_of(s, worker, &count);
	for (size_t i = 0; i < count; i++)
		assert_true(pairs[i].worker == worker && pairs[i].udp >= 0 && pairs[i].tcp >= 0);
	return count;
}

static void open_all(const struct veer_listen *addresses, size_t count, unsigned workers, struct sockets_given *given,
		     struct sockets *out)
{
	struct veer_diag diag = {.text = ""};
	if (sockets_open(addresses, count, workers, given, out, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
}

static void each_worker_has_a_pair_of_each_address(void **state)
{
	const struct veer_listen addresses[] = {at("127.0.0.1@0"), at("127.0.0.1@0")};
	struct sockets s;
	(void)state;
	open_all(addresses, 2, 3, NULL, &s);
	assert_int_equal(s.pair_count, 6);
	assert_true(veer_listen_port(&s.addresses[0]) != 0);
	assert_true(veer_listen_port(&s.addresses[0]) != veer_listen_port(&s.addresses[1]));
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(count_of(&s, w), 2);
	sockets_close(&s);
}

static void an_address_in_use_is_refused_but_not_when_it_is_given(void **state)
{
	struct veer_listen address = at("127.0.0.1@0");
	struct sockets old, new;
	struct veer_diag diag = {.text = ""};
	(void)state;
	open_all(&address, 1, 2, NULL, &old);
	address = old.addresses[0];
	assert_int_equal(sockets_open(&address, 1, 1, NULL, &new, &diag), VEER_EBUSY);
	struct sockets_given given = given_of(&old);
	assert_int_equal(sockets_check(&address, 1, &given, &diag), VEER_OK);
	open_all(&address, 1, 1, &given, &new);
	assert_null(given.fds);
	/* fewer workers: one of them has two pairs */
	assert_int_equal(count_of(&new, 0), 2);
	sockets_close(&new);
	/* more workers: each has at least one; port 0 means the port of the given sockets */
	given = given_of(&old);
	address = at("127.0.0.1@0");
	open_all(&address, 1, 5, &given, &new);
	assert_int_equal(veer_listen_port(&new.addresses[0]), veer_listen_port(&old.addresses[0]));
	assert_int_equal(new.pair_count, 5);
	for (unsigned w = 0; w < 5; w++)
		assert_int_equal(count_of(&new, w), 1);
	sockets_close(&new);
	sockets_close(&old);
}

static void what_waits_in_a_socket_is_read_by_who_inherits_it(void **state)
{
	struct veer_listen address = at("127.0.0.1@0");
	struct sockets old, new;
	char text[8];
	(void)state;
	open_all(&address, 1, 1, NULL, &old);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address = old.addresses[0];
	assert_int_equal(sendto(client, "hello", 5, 0, (struct sockaddr *)&address.storage, address.len), 5);
	struct sockets_given given = given_of(&old);
	sockets_close(&old);
	open_all(&address, 1, 1, &given, &new);
	assert_int_equal(recv(new.pairs[0].udp, text, sizeof text, MSG_DONTWAIT), 5);
	(void)close(client);
	sockets_close(&new);
}

static void sockets_that_are_not_wanted_are_closed(void **state)
{
	struct veer_listen addresses[] = {at("127.0.0.1@0"), at("127.0.0.2@0")};
	struct sockets old, new, again;
	(void)state;
	open_all(addresses, 2, 2, NULL, &old);
	struct veer_listen dropped = old.addresses[1], kept = old.addresses[0];
	struct sockets_given given = given_of(&old);
	given.fds = realloc(given.fds, (given.count + 2) * sizeof(int));
	given.fds[given.count++] = -1;
	given.fds[given.count++] = dup(STDERR_FILENO); /* not one of our sockets, or not a socket at all */
	sockets_close(&old);
	open_all(&kept, 1, 2, &given, &new);
	assert_int_equal(new.pair_count, 2);
	open_all(&dropped, 1, 1, NULL, &again);
	sockets_close(&again);
	sockets_close(&new);
}

/*
 * Another program may use the port at another address and the kernel may still allow it at ours. In that case choose
 * another port.
 */
static void a_wildcard_may_join_an_address_that_is_given(void **state)
{
	struct sockets old, new;
	enum veer_err err = VEER_EBUSY;
	(void)state;
	for (int tries = 0; tries < 50 && err == VEER_EBUSY; tries++) {
		struct veer_listen address = at("127.0.0.1@0"), all = at("0.0.0.0@1");
		open_all(&address, 1, 1, NULL, &old);
		((struct sockaddr_in *)&all.storage)->sin_port =
			((struct sockaddr_in *)&old.addresses[0].storage)->sin_port;
		assert_int_equal(sockets_open(&all, 1, 1, NULL, &new, NULL), VEER_EBUSY);
		struct sockets_given given = given_of(&old);
		err = sockets_open(&all, 1, 1, &given, &new, NULL);
		if (err != VEER_OK) {
			sockets_given_close(&given);
			sockets_close(&old);
		}
	}
	assert_int_equal(err, VEER_OK);
	assert_true(new.pairs[0].is_wildcard);
	sockets_close(&new);
	sockets_close(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_has_a_pair_of_each_address),
		cmocka_unit_test(an_address_in_use_is_refused_but_not_when_it_is_given),
		cmocka_unit_test(what_waits_in_a_socket_is_read_by_who_inherits_it),
		cmocka_unit_test(sockets_that_are_not_wanted_are_closed),
		cmocka_unit_test(a_wildcard_may_join_an_address_that_is_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
