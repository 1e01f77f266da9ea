/* SPDX-License-Identifier: Apache-2.0 */
/* DNS checks: one question over UDP, and over TCP when the reply is truncated. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "probes/agent/check_impl.h"
#include "probes/agent/dns_reply.h"

#define UDP_REPLY_BYTES 4096
#define TCP_REPLY_BYTES (2 + 65535)
#define READS_A_TURN 16
#define STRAYS_MAX 256 /* datagrams that are not replies to us; after so many, somebody floods the port */

struct dns_probe {
	uint16_t id;
	bool is_tcp;
	unsigned strays;
	uint8_t query[2 + DNS_QUERY_MAX]; /* after its length, as TCP needs it */
	size_t query_len;
	size_t sent;
	uint8_t *reply; /* for TCP: TCP_REPLY_BYTES */
	size_t reply_len;
};

static void dns_free(struct check_probe *probe)
{
	struct dns_probe *own = probe->own;
	free(own->reply);
	free(own);
}

static void fail_errno(struct check_probe *probe, int error)
{
	probe_finish(probe, reason_of_errno(error), strerrordesc_np(error));
}

static void start_tcp(struct check_probe *probe);

static void fail_missing(struct check_probe *probe, const struct dns_seen *seen)
{
	const struct model_check_dns *dns = &probe->check->dns;
	probe_finish(probe, PROBE_REASON_DNS_ANSWER,
		     probe_detail(probe, "%u records, %u of the %u expected ones", seen->record_count,
				  seen->match_count, dns->answer_count));
}

/* Handle a complete message. True: it was not a reply to us, wait for another. */
static bool take_message(struct check_probe *probe, const uint8_t *data, size_t len)
{
	struct dns_probe *own = probe->own;
	struct dns_seen seen;
	char text[DNS_RCODE_TEXT_SIZE];
	enum dns_verdict verdict = dns_reply_judge(&probe->check->dns, own->id, own->is_tcp, data, len, &seen);
	if (verdict == DNS_OTHER)
		return true;
	if (probe->timing.first_byte_us < 0)
		probe->timing.first_byte_us = probe_now_us(probe);
	probe_note(probe, "reply", "%zu bytes over %s, %s, %u records of the type", len, own->is_tcp ? "TCP" : "UDP",
		   dns_rcode_print(seen.rcode, text), seen.record_count);
	switch (verdict) {
	case DNS_TRUNCATED:
		start_tcp(probe);
		return false;
	case DNS_RCODE:
		probe_finish(probe, PROBE_REASON_DNS_RCODE,
			     probe_detail(probe, "answers %s", dns_rcode_print(seen.rcode, text)));
		return false;
	case DNS_MISSING:
		fail_missing(probe, &seen);
		return false;
	case DNS_GOOD:
		probe_finish(probe, PROBE_REASON_OK, "");
		return false;
	case DNS_OTHER:
	case DNS_BROKEN:
		break;
	}
	probe_finish(probe, PROBE_REASON_DNS_PROTOCOL, "the reply is malformed");
	return false;
}

/* --- UDP ------------------------------------------------------------------------------------------------------- */

static void on_datagram(void *ctx, int fd, unsigned events)
{
	struct check_probe *probe = ctx;
	struct dns_probe *own = probe->own;
	uint8_t reply[UDP_REPLY_BYTES];
	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t len = recv(fd, reply, sizeof reply, 0);
		int error = errno;
		if (len < 0 && (error == EAGAIN || error == EINTR))
			return;
		if (len < 0) {
			fail_errno(probe, error);
			return;
		}
		if (!take_message(probe, reply, (size_t)len))
			return;
		if (++own->strays == STRAYS_MAX) {
			probe_finish(probe, PROBE_REASON_DNS_PROTOCOL, "many replies, none to the question");
			return;
		}
	}
}

static void start_udp(struct check_probe *probe)
{
	struct dns_probe *own = probe->own;
	/* The kernel chooses a random source port for the connected socket. */
	if (!probe_connect(probe, SOCK_DGRAM, 0))
		return;
	probe->is_connected = true; /* silence is not a failed connection */
	if (send(probe->fd, own->query + 2, own->query_len - 2, MSG_NOSIGNAL) < 0) {
		int error = errno;
		probe_finish_later(probe, reason_of_errno(error), strerrordesc_np(error));
		return;
	}
	(void)probe_watch(probe, LOOP_READ, on_datagram);
}

/* --- TCP ------------------------------------------------------------------------------------------------------- */

static void on_stream(void *ctx, int fd, unsigned events);

static void read_stream(struct check_probe *probe)
{
	struct dns_probe *own = probe->own;
	size_t whole = own->reply_len >= 2 ? 2 + ((size_t)own->reply[0] << 8 | own->reply[1]) : 2;
	ssize_t len = recv(probe->fd, own->reply + own->reply_len, whole - own->reply_len, 0);
	int error = errno;
	if (len < 0 && (error == EAGAIN || error == EINTR))
		return;
	if (len < 0) {
		fail_errno(probe, error);
		return;
	}
	if (len == 0) {
		probe_finish(probe, PROBE_REASON_RESET, "the connection ended without a reply");
		return;
	}
	own->reply_len += (size_t)len;
	if (own->reply_len < 2)
		return;
	whole = 2 + ((size_t)own->reply[0] << 8 | own->reply[1]);
	if (own->reply_len == whole && take_message(probe, own->reply + 2, whole - 2))
		probe_finish(probe, PROBE_REASON_DNS_PROTOCOL, "the reply is to another question");
}

static void write_stream(struct check_probe *probe)
{
	struct dns_probe *own = probe->own;
	ssize_t len = send(probe->fd, own->query + own->sent, own->query_len - own->sent, MSG_NOSIGNAL);
	int error = errno;
	if (len < 0 && (error == EAGAIN || error == EINTR))
		return;
	if (len < 0) {
		fail_errno(probe, error);
		return;
	}
	own->sent += (size_t)len;
	if (own->sent == own->query_len)
		(void)probe_watch(probe, LOOP_READ, on_stream);
}

static void on_stream(void *ctx, int fd, unsigned events)
{
	struct check_probe *probe = ctx;
	struct dns_probe *own = probe->own;
	(void)fd;
	(void)events;
	if (!probe->is_connected) {
		int error = probe_socket_error(probe);
		if (error != 0) {
			fail_errno(probe, error);
			return;
		}
		probe->is_connected = true;
		probe->timing.connect_us = probe_now_us(probe);
	}
	if (own->sent < own->query_len)
		write_stream(probe);
	else
		read_stream(probe);
}

static void start_tcp(struct check_probe *probe)
{
	struct dns_probe *own = probe->own;
	if (probe->fd >= 0) {
		loop_unwatch(probe->env->loop, probe->fd);
		(void)close(probe->fd);
		probe->fd = -1;
	}
	own->is_tcp = true;
	probe->is_connected = false;
	own->reply = malloc(TCP_REPLY_BYTES);
	if (own->reply == NULL)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
	else if (probe_connect(probe, SOCK_STREAM, 0))
		(void)probe_watch(probe, LOOP_WRITE, on_stream);
}

void probe_dns(struct check_probe *probe)
{
	const struct model_check_dns *dns = &probe->check->dns;
	struct dns_probe *own = calloc(1, sizeof *own);
	probe->own = own;
	probe->free_own = dns_free;
	if (own == NULL || crypto_random(&own->id, sizeof own->id) != VEER_OK) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, "no random number");
		return;
	}
	size_t len = dns_query_write(dns, own->id, own->query + 2);
	own->query[0] = (uint8_t)(len >> 8);
	own->query[1] = (uint8_t)len;
	own->query_len = len + 2;
	if (dns->is_tcp_only)
		start_tcp(probe);
	else
		start_udp(probe);
}
