/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a query came from, as far as policies, limits and logs need it.
 *
 * Threads: pure.
 */
#ifndef VEER_DNSD_PACKET_CLIENT_H
#define VEER_DNSD_PACKET_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct client {
	bool is_ipv6;
	uint16_t port;
	uint8_t address[16]; /* network order; an IPv4 address is in the first 4 octets */
};

/*
 * Convert the address that the kernel gives. False when a datagram from there cannot be answered: port 0, or another
 * address family (then everything is zero).
 */
bool client_from_sockaddr(const struct sockaddr_storage *from, struct client *client);

#endif
