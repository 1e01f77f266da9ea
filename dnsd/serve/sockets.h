/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening sockets: at least one UDP and one TCP socket per address and worker, all of one address on the same
 * port (SO_REUSEPORT), so that workers share nothing.
 *
 * A server that takes the place of another inherits its sockets. There may be more of them than it has workers. None is
 * closed, because the packets in a socket's queue would be lost with it; a worker then has several sockets of an
 * address.
 *
 * Threads: opened and closed by the control thread; each descriptor is used by its worker only.
 */
#ifndef VEER_DNSD_SERVE_SOCKETS_H
#define VEER_DNSD_SERVE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "dnsd/packet/count.h"

#define SOCKETS_LISTEN_MAX 64 /* addresses */

/* One address as one worker has it. */
struct socket_pair {
	int udp;
	int tcp;
	bool is_wildcard; /* bound to the wildcard address: replies must state their source address (IP_PKTINFO) */
	unsigned worker;  /* the worker that it belongs to */
};

struct sockets {
	struct veer_listen *addresses; /* with the ports that are really bound */
	size_t address_count;
	unsigned worker_count;
	struct socket_pair *pairs; /* in the order of their workers */
	size_t pair_count;
};

/* Bound sockets of another process, UDP and TCP in any order; used ones are replaced by -1. Zero: none. */
struct sockets_given {
	int *fds; /* heap */
	size_t count;
};

/* Close the sockets that were not used, and release the list. */
void sockets_given_close(struct sockets_given *given);
/*
 * The given socket of this type (SOCK_DGRAM, SOCK_STREAM) at this address, marked as used; -1 when there is none. A
 * port of 0 is any, and is then replaced by the real one.
 */
int sockets_given_take(struct sockets_given *given, struct veer_listen *address, int wanted);

/*
 * Check that sockets_open() would find these addresses free, or among `given`. Errors: VEER_EBUSY and the like, with
 * the address in the diag.
 */
VEER_MUST_CHECK enum veer_err sockets_check(const struct veer_listen *addresses, size_t count,
					    const struct sockets_given *given, struct veer_diag *diag);

/*
 * Get all sockets, non-blocking: those in `given`, whose rest is closed, and newly opened ones for the others. A port
 * of 0 becomes the port of a given socket with the same address, else one of the kernel's choice, the same for UDP and
 * TCP.
 * Errors: VEER_EAUTH, VEER_EBUSY, VEER_EIO, … with the address in the diag; VEER_ENOMEM. Nothing stays open then.
 */
VEER_MUST_CHECK enum veer_err sockets_open(const struct veer_listen *addresses, size_t count, unsigned workers,
					   struct sockets_given *given, struct sockets *out, struct veer_diag *diag);
/* Close all sockets. */
void sockets_close(struct sockets *sockets);

/* The pairs of one worker: the first one, and how many there are. */
const struct socket_pair *sockets_of(const struct sockets *sockets, unsigned worker, size_t *count);

/* Ask the kernel how much it dropped: two system calls per address and worker. From any thread. */
void sockets_count_drops(const struct sockets *sockets, struct kernel_drops *out);

#endif
