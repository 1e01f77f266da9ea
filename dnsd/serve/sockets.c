/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. See sockets.h. */
#include "dnsd/serve/sockets.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_BACKLOG 1024             /* the kernel gives at most net.core.somaxconn */
#define TCP_SEND_BYTES (64 << 10)    /* of replies per connection that the kernel buffers; it doubles this for itself */
#define TCP_RECEIVE_BYTES (32 << 10) /* of a connection's queries that wait */
#define UDP_BUFFER_BYTES (4 << 20)   /* asked for; the kernel gives at most net.core.rmem_max */
#define PORT_TRIES 50                /* attempts to find a port that is free for UDP and TCP */

static enum veer_err fail(const struct veer_listen *address, struct veer_diag *diag)
{
	char text[VEER_LISTEN_TEXT_SIZE];
	int error = errno;
	veer_listen_print(address, true, text);
	enum veer_err err = error == EADDRINUSE ? VEER_EBUSY : veer_err_from_errno(error);
	/*
	 * not the C library's text ("Address already in use"): it contains "ready", which scripts that start us wait
	 * for
	 */
	return veer_fail(diag, err, "cannot listen on %s: %s", text,
			 error == EADDRINUSE ? "another program uses this address" : strerror(error));
}

static bool set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/*
 * Connections inherit these. The sizes are fixed, because the kernel would otherwise let a buffer grow to megabytes for
 * a client that sends queries and does not read the replies.
 */
static bool set_tcp_options(int fd)
{
	return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) && set_option(fd, SOL_SOCKET, SO_SNDBUF, TCP_SEND_BYTES) &&
	       set_option(fd, SOL_SOCKET, SO_RCVBUF, TCP_RECEIVE_BYTES);
}

/* Open one socket. `is_shared`: several sockets of this user may be bound to the address, one per worker. */
static int open_socket(const struct veer_listen *address, int type, bool is_shared)
{
	int family = address->storage.ss_family;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	bool ok = (!is_shared || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
		  (type != SOCK_STREAM || (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set_tcp_options(fd))) &&
		  (family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
		  bind(fd, (const struct sockaddr *)&address->storage, address->len) == 0 &&
		  (type != SOCK_STREAM || listen(fd, TCP_BACKLOG) == 0);
	if (ok)
		return fd;
	int error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

static bool is_wildcard(const struct veer_listen *address)
{
	if (address->storage.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&address->storage)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&address->storage)->sin6_addr);
}

/*
 * Buffer sizes are only requests. Replies are never fragmented (RFC 9715 3.1): they are short enough for any path, DF
 * is set on IPv4, and messages about a path's MTU are ignored. A packet with DF needs no identification field either,
 * which the kernel would otherwise generate for each packet.
 */
static bool set_udp_options(int fd, const struct veer_listen *address, bool wildcard)
{
	bool is_v6 = address->storage.ss_family == AF_INET6;
	(void)set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES);
	(void)set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES);
	if (is_v6)
		(void)set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	else
		(void)set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	if (!wildcard)
		return true;
	return is_v6 ? set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/* Open both sockets for an address; a port of 0 in it is replaced by the port that the kernel chose. */
static bool open_pair(struct veer_listen *address, struct socket_pair *pair)
{
	struct veer_listen bound = *address;
	pair->is_wildcard = is_wildcard(address);
	pair->udp = open_socket(address, SOCK_DGRAM, true);
	if (pair->udp < 0 || !set_udp_options(pair->udp, address, pair->is_wildcard) ||
	    getsockname(pair->udp, (struct sockaddr *)&bound.storage, &bound.len) != 0)
		return false;
	pair->tcp = open_socket(&bound, SOCK_STREAM, true);
	if (pair->tcp < 0)
		return false;
	*address = bound;
	return true;
}

static void close_pair(struct socket_pair *pair)
{
	if (pair->udp >= 0)
		(void)close(pair->udp);
	if (pair->tcp >= 0)
		(void)close(pair->tcp);
	pair->udp = -1;
	pair->tcp = -1;
}

/* --- sockets of another process --------------------------------------------------------------------------- */

void sockets_given_close(struct sockets_given *given)
{
	for (size_t i = 0; i < given->count; i++)
		if (given->fds[i] >= 0)
			(void)close(given->fds[i]);
	free(given->fds);
	*given = (struct sockets_given){0};
}

/* Find the address and type of a given socket; false when it is not a socket of the kind that we use. */
static bool describe(int fd, struct veer_listen *out, int *type)
{
	socklen_t type_len = sizeof *type;
	*out = (struct veer_listen){.len = sizeof out->storage};
	return fd >= 0 && getsockname(fd, (struct sockaddr *)&out->storage, &out->len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &type_len) == 0 &&
	       (out->storage.ss_family == AF_INET || out->storage.ss_family == AF_INET6);
}

static bool has_same_host(const struct veer_listen *a, const struct veer_listen *b)
{
	struct veer_addr x, y;
	return veer_addr_from_sockaddr((const struct sockaddr *)&a->storage, &x) &&
	       veer_addr_from_sockaddr((const struct sockaddr *)&b->storage, &y) && veer_addr_equal(&x, &y);
}

int sockets_given_take(struct sockets_given *given, struct veer_listen *address, int wanted)
{
	for (size_t i = 0; i < given->count; i++) {
		struct veer_listen bound;
		int type;
		if (!describe(given->fds[i], &bound, &type) || type != wanted || !has_same_host(&bound, address) ||
		    (veer_listen_port(address) != 0 && veer_listen_port(address) != veer_listen_port(&bound)))
			continue;
		int fd = given->fds[i];
		given->fds[i] = -1;
		*address = bound;
		return fd;
	}
	return -1;
}

/* Does a given socket prevent binding this address exclusively? That is no reason to refuse the address. */
static bool is_given(const struct sockets_given *given, const struct veer_listen *address)
{
	for (size_t i = 0; given != NULL && i < given->count; i++) {
		struct veer_listen bound;
		int type;
		if (describe(given->fds[i], &bound, &type) && bound.storage.ss_family == address->storage.ss_family &&
		    veer_listen_port(&bound) == veer_listen_port(address) &&
		    (is_wildcard(&bound) || is_wildcard(address) || has_same_host(&bound, address)))
			return true;
	}
	return false;
}

/* --- opening ---------------------------------------------------------------------------------------------- */

/*
 * Is the address free? Because sockets are shared, a second server on the same address could start and silently take
 * half of the first one's queries. So each address is first bound exclusively. Between that and the shared binding
 * there is a gap, but it is so short that two servers are not started within it by mistake.
 */
static bool is_free(const struct veer_listen *address)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	for (size_t i = 0; i < sizeof types / sizeof types[0] && veer_listen_port(address) != 0; i++) {
		int fd = open_socket(address, types[i], false);
		if (fd < 0)
			return false;
		(void)close(fd);
	}
	return true;
}

enum veer_err sockets_check(const struct veer_listen *addresses, size_t count, const struct sockets_given *given,
			    struct veer_diag *diag)
{
	for (size_t i = 0; i < count; i++)
		if (!is_given(given, &addresses[i]) && !is_free(&addresses[i]))
			return fail(&addresses[i], diag);
	return VEER_OK;
}

/*
 * Open the first pair. It decides the port if that was left open (0), which may take some attempts, because the port
 * has to be free for both UDP and TCP.
 */
static bool open_first(struct veer_listen *address, struct socket_pair *pair)
{
	bool any_port = veer_listen_port(address) == 0;
	bool opened = open_pair(address, pair);
	for (int tries = 1; !opened && any_port && errno == EADDRINUSE && tries < PORT_TRIES; tries++) {
		close_pair(pair);
		opened = open_pair(address, pair);
	}
	return opened;
}

/*
 * Add all pairs of one address: the given ones, distributed over the workers in turn, and a new one for each worker
 * that got none.
 */
static enum veer_err add_address(struct sockets *s, struct veer_listen *address, struct sockets_given *given,
				 struct veer_diag *diag)
{
	unsigned n = 0;
	for (;; n++) {
		struct socket_pair *pair = &s->pairs[s->pair_count];
		*pair = (struct socket_pair){.udp = sockets_given_take(given, address, SOCK_DGRAM),
					     .tcp = -1,
					     .worker = n % s->worker_count};
		if (pair->udp < 0)
			break;
		pair->tcp = sockets_given_take(given, address, SOCK_STREAM);
		pair->is_wildcard = is_wildcard(address);
		s->pair_count++;
		if (pair->tcp < 0 && (pair->tcp = open_socket(address, SOCK_STREAM, true)) < 0)
			return fail(address, diag);
	}
	for (; n < s->worker_count; n++) {
		struct socket_pair *pair = &s->pairs[s->pair_count++];
		*pair = (struct socket_pair){.udp = -1, .tcp = -1, .worker = n};
		if (!(n == 0 ? open_first(address, pair) : open_pair(address, pair)))
			return fail(address, diag);
	}
	return VEER_OK;
}

static int by_worker(const void *a, const void *b)
{
	const struct socket_pair *x = a, *y = b;
	return x->worker < y->worker ? -1 : x->worker > y->worker;
}

enum veer_err sockets_open(const struct veer_listen *addresses, size_t count, unsigned workers,
			   struct sockets_given *given, struct sockets *out, struct veer_diag *diag)
{
	struct sockets s = {.worker_count = workers};
	struct sockets_given none = {0};
	struct sockets_given *from = given != NULL ? given : &none;
	s.addresses = calloc(count + 1, sizeof *s.addresses);
	s.pairs = calloc(count * workers + from->count + 1, sizeof *s.pairs);
	enum veer_err err = s.addresses != NULL && s.pairs != NULL ? VEER_OK : VEER_ENOMEM;
	if (err == VEER_OK)
		err = sockets_check(addresses, count, from, diag);
	for (size_t i = 0; err == VEER_OK && i < count; i++) {
		s.addresses[i] = addresses[i];
		err = add_address(&s, &s.addresses[i], from, diag);
		s.address_count++;
	}
	sockets_given_close(from);
	if (err != VEER_OK) {
		sockets_close(&s);
		return err;
	}
	qsort(s.pairs, s.pair_count, sizeof *s.pairs, by_worker);
	*out = s;
	return VEER_OK;
}

void sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->pair_count; i++)
		close_pair(&sockets->pairs[i]);
	free(sockets->addresses);
	free(sockets->pairs);
	*sockets = (struct sockets){0};
}

const struct socket_pair *sockets_of(const struct sockets *sockets, unsigned worker, size_t *count)
{
	size_t first = 0;
	while (first < sockets->pair_count && sockets->pairs[first].worker < worker)
		first++;
	*count = 0;
	while (first + *count < sockets->pair_count && sockets->pairs[first + *count].worker == worker)
		++*count;
	return sockets->pairs + first;
}

static uint64_t drops_of(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof info;
	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 ? info[SK_MEMINFO_DROPS] : 0;
}

void sockets_count_drops(const struct sockets *sockets, struct kernel_drops *out)
{
	*out = (struct kernel_drops){0};
	for (size_t i = 0; i < sockets->pair_count; i++) {
		out->udp += drops_of(sockets->pairs[i].udp);
		out->tcp += drops_of(sockets->pairs[i].tcp);
	}
}
