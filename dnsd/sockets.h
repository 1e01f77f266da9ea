/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening sockets: one UDP and one TCP socket per address and worker, all of one address on the same port
 * (SO_REUSEPORT), so that workers share nothing.
 *
 * Threads: opened and closed by the control thread; each descriptor is used by its worker only.
 */
#ifndef VEER_DNSD_SOCKETS_H
#define VEER_DNSD_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define SOCKETS_LISTEN_MAX 64 /* addresses */

/* One address as one worker has it. */
struct socket_pair {
	int udp;
	int tcp;
	bool is_wildcard; /* bound to all addresses: replies must say from which one (IP_PKTINFO) */
};

struct sockets {
	struct veer_listen *addresses; /* with the ports that were really bound */
	size_t address_count;
	unsigned worker_count;
	struct socket_pair *pairs; /* of worker w: [w * address_count, (w + 1) * address_count) */
};

/*
 * Open all of them, non-blocking. A port of 0 becomes one of the kernel's choice, the same for UDP and TCP.
 * Errors: VEER_EAUTH, VEER_EBUSY, VEER_EIO, … with the address in the diag; VEER_ENOMEM. Nothing stays open then.
 */
enum veer_err sockets_open(const struct veer_listen *addresses, size_t count, unsigned workers, struct sockets *out,
			   struct veer_diag *diag);
void sockets_close(struct sockets *sockets);

/* What the kernel threw away at our sockets, since they were opened. */
struct sockets_drops {
	uint64_t udp; /* datagrams: no room in the receive buffer, most of all */
	uint64_t tcp; /* connections: too many waited to be accepted */
};

/* Asks the kernel: two system calls an address and worker. From any thread. */
void sockets_count_drops(const struct sockets *sockets, struct sockets_drops *out);

#endif
