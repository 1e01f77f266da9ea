/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over TCP (RFC 7766): a table of connections for one worker, driven by its epoll. Several queries may follow each
 * other on a connection. Replies are sent in the same order, each completely before the next, however little the kernel
 * accepts at a time.
 *
 * The cost of a connection is bounded. Deadlines are absolute: a query must be complete TCP_QUERY_MS after its first
 * byte, a reply must be taken TCP_REPLY_MS after it was ready, and a connection without a query is closed after
 * RESPOND_TCP_IDLE_MS. When the table is full, or a prefix has used up its share, the connection that was idle longest
 * is closed (dnsd/serve/seats.h). Each event answers a bounded number of queries, so that no connection starves the
 * others or UDP. Every closed connection is counted by its reason (enum count_close).
 *
 * Threads: a table belongs to one worker.
 */
#ifndef VEER_DNSD_SERVE_TCP_H
#define VEER_DNSD_SERVE_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "dnsd/packet/respond.h"
#include "dnsd/serve/seats.h"

#define TCP_QUERY_MAX 4096 /* bytes of one query; longer ones end the connection */
#define TCP_QUERY_MS 5000
#define TCP_REPLY_MS 10000
#define TCP_SWEEP_MS 500 /* how often tcp_expire() is to be called while there are connections */

/* The limits of one worker. */
struct tcp_limits {
	uint32_t connections; /* 1 to SEATS_MAX */
	uint32_t share;       /* connections for one prefix; at least 1 */
};

struct tcp_table;

/*
 * Make a table. `epoll_fd` is the worker's (borrowed); events of connections carry `tag_base` + index. NULL when memory
 * is out.
 */
struct tcp_table *tcp_table_new(int epoll_fd, uint64_t tag_base, const struct tcp_limits *limits,
				struct responder *responder);
/* Free the table and close all connections. */
void tcp_table_free(struct tcp_table **table);

/*
 * Accept the connections that wait at a listening socket. False when there is no descriptor or memory for one and
 * closing an idle connection did not help: the socket stays readable, so do not call this again before some time has
 * passed.
 */
bool tcp_accept(struct tcp_table *table, int listen_fd, int64_t now_ms);
/* Handle an epoll event for the connection with `tag`; answers come from `plan`. */
void tcp_event(struct tcp_table *table, uint64_t tag, const struct plan *plan, int64_t now_ms);
/* Close the connections that are past their deadline. */
void tcp_expire(struct tcp_table *table, int64_t now_ms);
/*
 * Another process of ours takes over connections: send those with nothing in progress to `channel` (a SOCK_SEQPACKET
 * socket, non-blocking), each in a packet. Connections for which there is no room now stay.
 */
void tcp_hand_over(struct tcp_table *table, int channel);
/* Take the connections that wait at `channel`. False when no more will come. */
bool tcp_adopt(struct tcp_table *table, int channel, int64_t now_ms);

/* The number of open connections. */
unsigned tcp_count(const struct tcp_table *table);

#endif
