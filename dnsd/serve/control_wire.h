/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two veer-dnsd say to each other over the control socket while one takes the place of the other: packets of JSON
 * (SOCK_SEQPACKET), some with descriptors. docs/formats.md, section 9, has the conversation. The two may be of
 * different versions: members that are not known are ignored.
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
	CONTROL_TAKE,     /* new: the sockets of `role` from the `from`th on, please */
	CONTROL_SOCKETS,  /* old: here they are, of `total` */
	CONTROL_LOAD,     /* new: I load what I will serve: leave the directory of the state to me */
	CONTROL_LEFT,     /* old: I have left it; my position, and the secrets of my cookies */
	CONTROL_READY,    /* new: I could serve; my position */
	CONTROL_WAIT,     /* old: not yet, I am further: my position */
	CONTROL_GO,       /* old: do. I follow the feed no more, and answer from where you are */
	CONTROL_SERVING,  /* new: I answer; one descriptor for each worker, to which connections can be sent */
	CONTROL_QUIET,    /* old: I receive no more */
	CONTROL_STOPPING, /* new: I end as I should: do not come back */
	CONTROL_REFUSED,  /* old: no, for this reason */
};

enum control_role { CONTROL_ROLE_DNS, CONTROL_ROLE_METRICS, CONTROL_ROLE_CONTROL };

/* What a server serves: the order of docs/formats.md, section 2. "" and 0 from zone files. */
struct control_position {
	char store_id[PLAN_STORE_ID_SIZE];
	char lineage[PLAN_STORE_ID_SIZE]; /* "" from a program that knows none */
	int64_t revision;
	bool is_heard; /* the control plane has been heard in this process */
};

/* One packet. What a kind does not use is zero. */
struct control_message {
	enum control_kind kind;
	enum control_role role;
	uint32_t from;
	uint32_t total;
	struct control_position position;
	struct cookie_secrets secrets; /* secret: count 0 for none */
	char reason[256];
	size_t fd_count;
	int fds[CONTROL_FDS_MAX]; /* received ones are the receiver's to close */
};

/* The address of a socket at `path`. Errors: VEER_ERANGE: longer than the kernel allows (107 bytes); diag. */
VEER_MUST_CHECK enum veer_err control_address(const char *path, struct sockaddr_un *out, struct veer_diag *diag);

/* Whether the process at the other end of `fd` is of our user, or root's. Errors: VEER_EAUTH, with a diag. */
VEER_MUST_CHECK enum veer_err control_check_peer(int fd, struct veer_diag *diag);

/*
 * Send one packet; its descriptors stay the caller's. Errors: VEER_ECLOSED (nobody is there any more), VEER_EBUSY
 * (does not fit now), VEER_EIO, VEER_ENOMEM.
 */
enum veer_err control_send(int fd, const struct control_message *message);

/*
 * Receive one packet. Errors: VEER_ECLOSED (the other end is gone), VEER_ETIMEOUT (nothing there, or not within the
 * socket's timeout), VEER_EINVAL (nonsense), VEER_EIO; diag. No descriptors are left open then.
 */
VEER_MUST_CHECK enum veer_err control_receive(int fd, struct control_message *out, struct veer_diag *diag);

/* Close the descriptors of a received message. */
void control_close_fds(struct control_message *message);

#endif
