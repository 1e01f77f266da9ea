/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets between two name servers: they arrive as they were sent, with their descriptors, and nonsense leaves no
 * descriptor open.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/serve/control_wire.h"

struct ends {
	int a;
	int b;
};

static int setup(void **state)
{
	static struct ends e;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	e = (struct ends){fds[0], fds[1]};
	*state = &e;
	return 0;
}

static int teardown(void **state)
{
	const struct ends *e = *state;
	(void)close(e->a);
	(void)close(e->b);
	return 0;
}

/* The lowest free descriptor: the same before and after when nothing leaks. */
static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)close(fd);
	return fd;
}

static void all_of_a_message_arrives(void **state)
{
	const struct ends *e = *state;
	struct control_message got, m = {.kind = CONTROL_LEFT,
					 .role = CONTROL_ROLE_METRICS,
					 .from = 3,
					 .total = 4000000000,
					 .position = {.store_id = "0123456789abcdef0123456789abcdef",
						      .lineage = "fedcba9876543210fedcba9876543210",
						      .revision = INT64_MAX,
						      .is_heard = true},
					 .secrets = {.count = 2, .keys = {{1, 2, 255}, {9}}},
					 .reason = "a \"reason\""};
	assert_int_equal(control_send(e->a, &m), VEER_OK);
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_OK);
	assert_int_equal(got.kind, CONTROL_LEFT);
	assert_int_equal(got.role, CONTROL_ROLE_METRICS);
	assert_int_equal(got.from, 3);
	assert_int_equal(got.total, 4000000000);
	assert_string_equal(got.position.store_id, m.position.store_id);
	assert_string_equal(got.position.lineage, m.position.lineage);
	assert_true(got.position.revision == INT64_MAX && got.position.is_heard);
	assert_memory_equal(&got.secrets, &m.secrets, sizeof m.secrets);
	assert_string_equal(got.reason, m.reason);
	assert_int_equal(got.fd_count, 0);
}

static void descriptors_travel_along(void **state)
{
	const struct ends *e = *state;
	struct control_message got, m = {.kind = CONTROL_SOCKETS, .fd_count = CONTROL_FDS_MAX};
	int before = lowest_free();
	for (size_t i = 0; i < m.fd_count; i++)
		m.fds[i] = i % 2 == 0 ? e->a : e->b;
	assert_int_equal(control_send(e->a, &m), VEER_OK);
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_OK);
	assert_int_equal(got.fd_count, CONTROL_FDS_MAX);
	for (size_t i = 0; i < got.fd_count; i++)
		assert_int_equal(fcntl(got.fds[i], F_GETFD), FD_CLOEXEC);
	control_close_fds(&got);
	assert_int_equal(lowest_free(), before);
}

static void send_text(int fd, const char *text, size_t len, int passed)
{
	alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof passed)] = {0};
	struct iovec data = {(void *)(uintptr_t)text, len};
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof passed);
	memcpy(CMSG_DATA(c), &passed, sizeof passed);
	assert_int_equal(sendmsg(fd, &msg, 0), (ssize_t)len);
}

static void nonsense_is_refused_and_its_descriptors_are_closed(void **state)
{
	static const char *const texts[] = {
		"{",
		"[]",
		"{\"format\":1}",
		"{\"type\":\"take\"}",
		"{\"format\":2,\"type\":\"take\"}",
		"{\"format\":1,\"type\":\"sing\"}",
		"{\"format\":1,\"type\":\"take\",\"role\":\"king\"}",
		"{\"format\":1,\"type\":\"take\",\"from\":-1}",
		"{\"format\":1,\"type\":\"ready\",\"store_id\":\"0123456789abcdef0123456789abcdef0\"}",
		"{\"format\":1,\"type\":\"left\",\"cookie_secrets\":[\"00\"]}",
		"{\"format\":1,\"type\":\"left\",\"cookie_secrets\":[1]}",
		"{\"format\":1,\"type\":\"left\",\"cookie_secrets\":[\"\",\"\",\"\"]}",
	};
	const struct ends *e = *state;
	static char long_text[4096];
	struct control_message got;
	int before = lowest_free();
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		send_text(e->a, texts[i], strlen(texts[i]), e->a);
		assert_int_equal(control_receive(e->b, &got, NULL), VEER_EINVAL);
		assert_int_equal(lowest_free(), before);
	}
	memset(long_text, ' ', sizeof long_text);
	send_text(e->a, long_text, sizeof long_text, e->a);
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_EINVAL);
	assert_int_equal(lowest_free(), before);
}

static void what_a_later_version_adds_is_ignored(void **state)
{
	static const char text[] = "{\"format\":1,\"type\":\"go\",\"mood\":[{\"x\":1}]}";
	const struct ends *e = *state;
	struct control_message got;
	send_text(e->a, text, sizeof text - 1, e->a);
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_OK);
	assert_int_equal(got.kind, CONTROL_GO);
	control_close_fds(&got);
}

static void an_empty_socket_and_a_closed_one_are_told_apart(void **state)
{
	struct ends *e = *state;
	struct control_message got;
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_ETIMEOUT);
	(void)close(e->a);
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_ECLOSED);
	assert_int_equal(control_send(e->b, &(struct control_message){.kind = CONTROL_GO}), VEER_ECLOSED);
	e->a = -1;
}

static void last_words_are_read_after_a_reset(void **state)
{
	struct ends *e = *state;
	struct control_message got;
	assert_int_equal(control_send(e->b, &(struct control_message){.kind = CONTROL_QUIET}), VEER_OK);
	assert_int_equal(control_send(e->a, &(struct control_message){.kind = CONTROL_STOPPING}), VEER_OK);
	(void)close(e->a); /* with unread data */
	e->a = -1;
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_OK);
	assert_int_equal(got.kind, CONTROL_STOPPING);
	assert_int_equal(control_receive(e->b, &got, NULL), VEER_ECLOSED);
}

static void who_is_there_is_known_and_paths_have_a_limit(void **state)
{
	const struct ends *e = *state;
	struct sockaddr_un address;
	struct veer_diag diag = {.text = ""};
	char path[200];
	assert_int_equal(control_check_peer(e->a, &diag), VEER_OK);
	memset(path, 'x', sizeof path);
	path[108] = '\0';
	assert_int_equal(control_address(path, &address, &diag), VEER_ERANGE);
	assert_non_null(strstr(diag.text, "107"));
	path[107] = '\0';
	assert_int_equal(control_address(path, &address, &diag), VEER_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_a_message_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_travel_along, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_refused_and_its_descriptors_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_later_version_adds_is_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_socket_and_a_closed_one_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(last_words_are_read_after_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_there_is_known_and_paths_have_a_limit, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
