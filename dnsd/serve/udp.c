/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over UDP. See udp.h. */
#include "dnsd/serve/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_IN_MAX 2048 /* longer queries are truncated, and so malformed */
#define CONTROL_MAX CMSG_SPACE(sizeof(struct in6_pktinfo))

/* The memory for one packet: the query, its source, and the reply. */
struct udp_place {
	struct sockaddr_storage from;
	struct iovec in_vec;
	struct iovec out_vec;
	uint8_t in[PACKET_IN_MAX];
	uint8_t out[EDNS_UDP_SIZE];
	alignas(struct cmsghdr) uint8_t control[CONTROL_MAX];
	bool is_answered; /* `request` is in progress */
	struct request request;
};

struct udp_batch {
	struct mmsghdr in[UDP_BATCH];
	struct mmsghdr out[UDP_BATCH];
	struct udp_place places[UDP_BATCH];
	int used;              /* places of `in` that the last receive filled; they must be reset before the next
				* receive */
	bool used_has_pktinfo; /* the has_pktinfo that the places were prepared for */
};

struct udp_batch *udp_batch_new(void)
{
	struct udp_batch *b = calloc(1, sizeof *b);
	if (b == NULL)
		return NULL;
	for (int i = 0; i < UDP_BATCH; i++) {
		struct udp_place *p = &b->places[i];
		p->in_vec = (struct iovec){.iov_base = p->in, .iov_len = sizeof p->in};
		p->out_vec = (struct iovec){.iov_base = p->out};
	}
	b->used = UDP_BATCH;
	return b;
}

void udp_batch_free(struct udp_batch **batch)
{
	free(*batch);
	*batch = NULL;
}

static int receive(struct udp_batch *b, int fd, bool has_pktinfo)
{
	if (b->used_has_pktinfo != has_pktinfo)
		b->used = UDP_BATCH;
	b->used_has_pktinfo = has_pktinfo;
	for (int i = 0; i < b->used; i++)
		b->in[i].msg_hdr = (struct msghdr){.msg_name = &b->places[i].from,
						   .msg_namelen = sizeof b->places[i].from,
						   .msg_iov = &b->places[i].in_vec,
						   .msg_iovlen = 1,
						   .msg_control = has_pktinfo ? b->places[i].control : NULL,
						   .msg_controllen = has_pktinfo ? CONTROL_MAX : 0};
	int count = recvmmsg(fd, b->in, UDP_BATCH, MSG_DONTWAIT, NULL);
	b->used = count > 0 ? count : 0;
	return count;
}

/*
 * Clear the interface in the control data. The control data give the address at which the query arrived, from which the
 * reply is sent. They also name the interface, to which the reply must not be bound (routes may be asymmetric), except
 * for link-local addresses, which have no meaning without it.
 */
static void free_interface(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			info.ipi_ifindex = 0;
			memcpy(CMSG_DATA(c), &info, sizeof info);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				info.ipi6_ifindex = 0;
			memcpy(CMSG_DATA(c), &info, sizeof info);
		}
	}
}

/*
 * Begin with the queries received, and prefetch the memory that they need: while one query waits for memory, the next
 * one proceeds.
 */
static void begin(struct udp_batch *b, unsigned count, struct responder *responder, const struct plan *plan)
{
	for (unsigned i = 0; i < count; i++) {
		struct udp_place *p = &b->places[i];
		struct client client;
		p->is_answered =
			client_from_sockaddr(&p->from, &client) && (b->in[i].msg_hdr.msg_flags & MSG_CTRUNC) == 0;
		if (p->is_answered)
			p->is_answered =
				respond_begin(responder, plan, p->in, b->in[i].msg_len, &client, false, &p->request);
		else
			count_add(&responder->counters, COUNT_DROPPED + COUNT_DROP_SOURCE);
	}
	for (bool is_busy = true; is_busy;) {
		is_busy = false;
		for (unsigned i = 0; i < count; i++)
			if (b->places[i].is_answered && respond_step(&b->places[i].request))
				is_busy = true;
	}
}

/* Fill b->out with the replies, and return their count. */
static unsigned answer(struct udp_batch *b, unsigned count, struct responder *responder, const struct plan *plan)
{
	unsigned replies = 0;
	begin(b, count, responder, plan);
	for (unsigned i = 0; i < count; i++) {
		struct udp_place *p = &b->places[i];
		struct msghdr *in = &b->in[i].msg_hdr;
		if (!p->is_answered)
			continue;
		p->out_vec.iov_len = respond_end(responder, plan, &p->request, p->out, sizeof p->out);
		if (in->msg_control != NULL)
			free_interface(in);
		b->out[replies++].msg_hdr = (struct msghdr){.msg_name = &p->from,
							    .msg_namelen = in->msg_namelen,
							    .msg_iov = &p->out_vec,
							    .msg_iovlen = 1,
							    .msg_control = in->msg_control,
							    .msg_controllen = in->msg_controllen};
	}
	return replies;
}

static void send_replies(struct udp_batch *b, unsigned count, struct responder *responder, int fd)
{
	unsigned sent = 0;
	while (sent < count) {
		int n = sendmmsg(fd, b->out + sent, count - sent, MSG_DONTWAIT);
		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* a reply that cannot be sent (unreachable, a full buffer) must not hold up the others */
		count_add(&responder->counters, COUNT_DROPPED + COUNT_DROP_SEND);
		sent++;
	}
}

void udp_serve(struct udp_batch *batch, struct responder *responder, struct rcu *rcu, unsigned reader, int fd,
	       bool has_pktinfo, unsigned max)
{
	/* receive until nothing is left: one more receive than needed costs less than a poll before each */
	for (unsigned taken = 0; taken < max;) {
		int count = receive(batch, fd, has_pktinfo);
		if (count <= 0)
			return;
		taken += (unsigned)count;
		/* after the receive, because an answer must not come from a plan that is older than its query */
		const struct plan *plan = rcu_quiescent(rcu, reader);
		unsigned replies = answer(batch, (unsigned)count, responder, plan);
		send_replies(batch, replies, responder, fd);
		respond_sent(responder, false);
	}
}
