/* SPDX-License-Identifier: Apache-2.0 */
/* The source of a query. See client.h. */
#include "dnsd/packet/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool client_from_sockaddr(const struct sockaddr_storage *from, struct client *client)
{
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)from;
		client->is_ipv6 = false;
		client->port = ntohs(sin->sin_port);
		memcpy(client->address, &sin->sin_addr, 4);
		return sin->sin_port != 0;
	}
	if (from->ss_family != AF_INET6) {
		*client = (struct client){.is_ipv6 = false};
		return false;
	}
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)from;
	client->is_ipv6 = true;
	client->port = ntohs(sin6->sin6_port);
	memcpy(client->address, &sin6->sin6_addr, 16);
	return sin6->sin6_port != 0;
}
