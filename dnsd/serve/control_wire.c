/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of the control socket. See control_wire.h. */
#include "dnsd/serve/control_wire.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"

#define PACKET_MAX 2048 /* bytes */
#define FDS_SPACE CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))
#define KEY_HEX_SIZE (2 * CRYPTO_SIPHASH_KEY_BYTES + 1)

static const char *const kinds[] = {
	[CONTROL_TAKE] = "take",       [CONTROL_SOCKETS] = "sockets",
	[CONTROL_LOAD] = "load",       [CONTROL_LEFT] = "left",
	[CONTROL_READY] = "ready",     [CONTROL_WAIT] = "wait",
	[CONTROL_GO] = "go",           [CONTROL_SERVING] = "serving",
	[CONTROL_QUIET] = "quiet",     [CONTROL_STOPPING] = "stopping",
	[CONTROL_REFUSED] = "refused",
};
static const char *const roles[] = {
	[CONTROL_ROLE_DNS] = "dns", [CONTROL_ROLE_METRICS] = "metrics", [CONTROL_ROLE_CONTROL] = "control"};

enum { KINDS = sizeof kinds / sizeof kinds[0], ROLES = sizeof roles / sizeof roles[0] };

enum veer_err control_address(const char *path, struct sockaddr_un *out, struct veer_diag *diag)
{
	size_t len = strlen(path);
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof out->sun_path)
		return veer_fail(diag, VEER_ERANGE, "%.100s…: a control socket's path has at most %zu bytes", path,
				 sizeof out->sun_path - 1);
	memcpy(out->sun_path, path, len);
	return VEER_OK;
}

enum veer_err control_check_peer(int fd, struct veer_diag *diag)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return veer_fail(diag, VEER_EAUTH, "the other process cannot be identified: %s", strerror(errno));
	if (peer.uid != 0 && peer.uid != geteuid())
		return veer_fail(diag, VEER_EAUTH, "the other process belongs to user %u", (unsigned)peer.uid);
	return VEER_OK;
}

/* --- out -------------------------------------------------------------------------------------------------- */

static json_t *secrets_json(const struct cookie_secrets *secrets)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < secrets->count; i++) {
		char hex[KEY_HEX_SIZE];
		crypto_hex_encode(secrets->keys[i], sizeof secrets->keys[i], hex);
		(void)json_array_append_new(array, json_string(hex)); /* if a secret is missing, clients only need a
								       * new cookie */
		explicit_bzero(hex, sizeof hex);
	}
	return array;
}

static char *text_of(const struct control_message *m)
{
	const struct control_position *p = &m->position;
	json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:b, s:o, s:s}", "format", CONTROL_FORMAT,
			      "type", kinds[m->kind], "role", roles[m->role], "from", (json_int_t)m->from, "total",
			      (json_int_t)m->total, "store_id", p->store_id, "lineage", p->lineage, "revision",
			      (json_int_t)p->revision, "heard", (int)p->is_heard, "cookie_secrets",
			      secrets_json(&m->secrets), "reason", m->reason);
	char *text = o != NULL ? veer_json_dump(o) : NULL;
	json_decref(o);
	return text;
}

enum veer_err control_send(int fd, const struct control_message *message)
{
	alignas(struct cmsghdr) uint8_t control[FDS_SPACE] = {0};
	char *text = text_of(message);
	if (text == NULL)
		return VEER_ENOMEM;
	struct iovec data = {.iov_base = text, .iov_len = strlen(text)};
	struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1};
	if (message->fd_count > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(message->fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(message->fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), message->fds, message->fd_count * sizeof(int));
	}
	ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	int error = errno;
	explicit_bzero(text, strlen(text));
	free(text);
	if (n >= 0)
		return VEER_OK;
	if (error == EPIPE || error == ECONNRESET || error == ENOTCONN)
		return VEER_ECLOSED;
	return error == EAGAIN ? VEER_EBUSY : VEER_EIO;
}

/* --- in --------------------------------------------------------------------------------------------------- */

static void read_secrets(struct json_cursor *c, struct cookie_secrets *out)
{
	const json_t *array = veer_json_array(c, "cookie_secrets", COOKIE_SECRETS_MAX, false);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *hex = json_string_value(json_array_get(array, i));
		if (hex == NULL || crypto_hex_decode(hex, strlen(hex), out->keys[i], sizeof out->keys[i]) != VEER_OK) {
			veer_json_fail(c, "cookie_secrets", VEER_EINVAL, "must be hex digits");
			return;
		}
		out->count++;
	}
}

/* Unknown members come from a later version and are ignored. */
static enum veer_err read_text(const char *text, size_t len, struct control_message *m, struct veer_diag *diag)
{
	json_t *o = NULL;
	struct json_cursor c;
	enum veer_err err = veer_json_parse(text, len, PACKET_MAX, &o, diag);
	if (err != VEER_OK)
		return err;
	veer_json_begin(&c, o, "", diag);
	(void)veer_json_int(&c, "format", CONTROL_FORMAT, CONTROL_FORMAT);
	m->kind = (enum control_kind)veer_json_enum_or(&c, "type", kinds, KINDS, -1);
	m->role = (enum control_role)veer_json_enum_or(&c, "role", roles, ROLES, CONTROL_ROLE_DNS);
	m->from = (uint32_t)veer_json_int_or(&c, "from", 0, UINT32_MAX, 0);
	m->total = (uint32_t)veer_json_int_or(&c, "total", 0, UINT32_MAX, 0);
	const char *store_id = veer_json_str_or(&c, "store_id", PLAN_STORE_ID_SIZE - 1, "");
	memcpy(m->position.store_id, store_id, strlen(store_id) + 1);
	const char *lineage = veer_json_str_or(&c, "lineage", PLAN_STORE_ID_SIZE - 1, "");
	memcpy(m->position.lineage, lineage, strlen(lineage) + 1);
	m->position.revision = veer_json_int_or(&c, "revision", 0, INT64_MAX, 0);
	m->position.is_heard = veer_json_bool_or(&c, "heard", false);
	read_secrets(&c, &m->secrets);
	const char *reason = veer_json_str_or(&c, "reason", sizeof m->reason - 1, "");
	memcpy(m->reason, reason, strlen(reason) + 1);
	json_decref(o);
	return c.err;
}

static void take_fds(struct msghdr *msg, struct control_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count && m->fd_count < CONTROL_FDS_MAX; i++)
			memcpy(&m->fds[m->fd_count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

void control_close_fds(struct control_message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		(void)close(message->fds[i]);
	message->fd_count = 0;
}

enum veer_err control_receive(int fd, struct control_message *out, struct veer_diag *diag)
{
	alignas(struct cmsghdr) uint8_t control[FDS_SPACE];
	char text[PACKET_MAX];
	struct iovec data = {.iov_base = text, .iov_len = sizeof text};
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	/*
	 * a reset (the peer closed without reading our last packet) is reported once, before the packets that the peer
	 * has sent
	 */
	for (int tries = 0; n < 0 && (errno == EINTR || (errno == ECONNRESET && tries == 0)); tries++)
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return veer_fail(diag, VEER_ETIMEOUT, "no answer");
	if (n < 0 && errno != ECONNRESET)
		return veer_fail(diag, VEER_EIO, "%s", strerror(errno));
	if (n <= 0)
		return veer_fail(diag, VEER_ECLOSED, "the other process has gone");
	*out = (struct control_message){.kind = CONTROL_REFUSED};
	take_fds(&msg, out);
	enum veer_err err = (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0
				    ? read_text(text, (size_t)n, out, diag)
				    : veer_fail(diag, VEER_EINVAL, "a packet that is too long");
	explicit_bzero(text, sizeof text);
	if (err == VEER_OK)
		return VEER_OK;
	control_close_fds(out);
	return err == VEER_ENOMEM ? err : VEER_EINVAL;
}
