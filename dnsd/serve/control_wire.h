/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets that two veer-dnsd exchange over the control socket while one replaces the other: JSON over
 * SOCK_SEQPACKET, some with descriptors. docs/formats.md, section 9, describes the conversation. The two may be of
 * different versions, so unknown members are ignored.
 *
 * Threads: any; nothing is shared.
 */
#ifndef VEER_DNSD_SERVE_CONTROL_WIRE_H
#define VEER_DNSD_SERVE_CONTROL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "base/err.h"
#include "dnsd/packet/cookie.h"
#include "zones/plan/plan.h"

#define CONTROL_FORMAT 1
#define CONTROL_FDS_MAX 128 /* descriptors in one packet; the kernel allows 253 */

enum control_kind {
	CONTROL_TAKE,     /* new: send the sockets of `role` from the `from`th on */
	CONTROL_SOCKETS,  /* old: the sockets, of `total` in all */
	CONTROL_LOAD,     /* new: I am loading what I will serve; leave the state directory to me */
	CONTROL_LEFT,     /* old: I have left the state directory; my position and my cookie secrets */
	CONTROL_READY,    /* new: I am ready to serve; my position */
	CONTROL_WAIT,     /* old: not yet, I am ahead; my position */
	CONTROL_GO,       /* old: serve now. I have stopped following the feed, and am at your position */
	CONTROL_SERVING,  /* new: I answer queries; one descriptor per worker, to which connections can be sent */
	CONTROL_QUIET,    /* old: I have stopped receiving */
	CONTROL_STOPPING, /* new: I am ending normally; do not serve again */
	CONTROL_REFUSED,  /* old: refused, for this reason */
};

enum control_role { CONTROL_ROLE_DNS, CONTROL_ROLE_METRICS, CONTROL_ROLE_CONTROL };

/* The position that a server serves, in the order of docs/formats.md, section 2. "" and 0 when it serves zone files. */
struct control_position {
	char store_id[PLAN_STORE_ID_SIZE];
	char lineage[PLAN_STORE_ID_SIZE]; /* "" from a program without lineages */
	int64_t revision;
	bool is_heard; /* the control plane has been heard in this process */
};

/* One packet. Fields that a kind does not use are zero. */
struct control_message {
	enum control_kind kind;
	enum control_role role;
	uint32_t from;
	uint32_t total;
	struct control_position position;
	struct cookie_secrets secrets; /* secret: count 0 for none */
	char reason[256];
	size_t fd_count;
	int fds[CONTROL_FDS_MAX]; /* the receiver of a packet must close them */
};

/* The address of a socket at `path`. Errors: VEER_ERANGE: longer than the kernel allows (107 bytes); diag. */
VEER_MUST_CHECK enum veer_err control_address(const char *path, struct sockaddr_un *out, struct veer_diag *diag);

/* Check that the process at the other end of `fd` runs as our user or as root. Errors: VEER_EAUTH, with a diag. */
VEER_MUST_CHECK enum veer_err control_check_peer(int fd, struct veer_diag *diag);

/*
 * Send one packet; its descriptors stay the caller's. Errors: VEER_ECLOSED (the other end is gone), VEER_EBUSY (no room
 * in the socket's buffer now), VEER_EIO, VEER_ENOMEM.
 */
enum veer_err control_send(int fd, const struct control_message *message);

/*
 * Receive one packet. Errors: VEER_ECLOSED (the other end is gone), VEER_ETIMEOUT (no packet is there, or none came
 * within the socket's timeout), VEER_EINVAL (malformed), VEER_EIO; diag. No descriptors are left open then.
 */
VEER_MUST_CHECK enum veer_err control_receive(int fd, struct control_message *out, struct veer_diag *diag);

/* Close the descriptors of a received message. */
void control_close_fds(struct control_message *message);

#endif
