/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any packet gets at most one reply, for which everything in served.h holds. Also: the same packet gets the same reply
 * again. Letter case changes only the echoed question. A reply over UDP without TC has the same content as one over
 * TCP. In a batch with another query the reply is the same, however far its memory was fetched. A query above the rate
 * limit gets TC and nothing else. A packet that is an error gets no records.
 *
 * The first octet chooses the transport, the client's family, whether cookies are enabled, and how many steps are taken
 * in a batch. The rest is the packet.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/packet/prefix.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

static const char zone_text[] =
	"$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\n@ NS ns.other.\nns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n"
	"www A 192.0.2.2\nwww A 192.0.2.3\nalias CNAME www\nloop CNAME pool\npool CNAME loop\nout CNAME x.other.\n"
	"chain CNAME bound\n* MX 10 www\n*.a.w A 192.0.2.4\n*.c CNAME www\nent.b.a TXT \"x\"\nsub NS ns.sub\nsub NS "
	"ns.b\n"
	"ns.sub A 192.0.2.5\nsrv SRV 1 2 3 www\nhttps HTTPS 1 www alpn=h2\nsub DS 1 13 2 "
	"0000000000000000000000000000000000000000000000000000000000000000\n@ MX 1 www\n@ MX 2 mail.other.\n"
	"cut.bound NS ns1\nlong TXT \"0123456789012345678901234567890123456789012345678901234567890123456789\"\n"
	"d 7 DNAME e\nx.e A 192.0.2.6\ne MX 3 x.d\ndd DNAME d\nself DNAME a.self\nup DNAME child\n"
	"far DNAME llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll."
	"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm."
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n"
	"child NS ns.child\nns.child A 192.0.2.7\nto CNAME www.child\n"
	"svc SVCB 1 .\nsvc SVCB 0 www\nsvc A 192.0.2.8\nu TYPE65280 \\# 3 010203\n";

static const char child_text[] = "$TTL 60\n@ SOA ns host 1 2 3 4 900\n@ NS ns\nns A 192.0.2.7\nwww CNAME www.example.\n"
				 "back DNAME example.\n*.s SRV 1 2 3 ns\n";

static struct served *make(void)
{
	struct served *s = served_new();
	served_add_zone(s, (const uint8_t *)"\7example", zone_text);
	served_add_zone(s, (const uint8_t *)"\5child\7example", child_text);
	served_put(s, MODEL_KIND_POOL, "p",
		   "{\"name\":\"p\",\"checks\":[],\"endpoints\":[{\"name\":\"a\",\"address\":\"192.0.2.9\",\"site\":"
		   "\"s\"},"
		   "{\"name\":\"b\",\"address\":\"2001:db8::9\",\"site\":\"s\"}]}");
	served_put(s, MODEL_KIND_POOL, "h",
		   "{\"name\":\"h\",\"checks\":[],\"endpoints\":[{\"name\":\"a\",\"address\":\"www.example.\",\"site\":"
		   "\"s\"}]}");
	served_put(s, MODEL_KIND_POLICY, "p",
		   "{\"name\":\"p\",\"tree\":{\"match\":[{\"countries\":[\"DE\"],\"node\":\"p\"}],\"else\":{\"spread\":"
		   "\"p\"}}}");
	served_put(s, MODEL_KIND_POLICY, "h", "{\"name\":\"h\",\"tree\":\"h\"}");
	served_put(s, MODEL_KIND_RRSET, "example./1/bound.example./A", "pp");
	served_put(s, MODEL_KIND_RRSET, "example./1/bound.example./AAAA", "pp");
	served_put(s, MODEL_KIND_RRSET, "example./1/host.example./CNAME", "ph");
	served_put(s, MODEL_KIND_RRSET, "example./1/missing.example./A", "pmissing");
	served_commit(s);
	s->responder->config.nsid_len = 4;
	memcpy(s->responder->config.nsid, "fuzz", 4);
	return s;
}

static struct served *the_server(void)
{
	static struct served *served; /* made once, because one process answers millions of packets */
	if (served == NULL)
		served = make();
	return served;
}

/* The offset after the class of the question; 0 when there is no complete question. */
static size_t question_end(const uint8_t *packet, size_t len)
{
	size_t name = len > 12 ? name_check(packet + 12, len - 12) : 0;
	return name > 0 && 12 + name + 4 <= len ? 12 + name + 4 : 0;
}

/*
 * The same packet with every letter of the question's name in the other case gets the same RCODE and as many records.
 */
static void check_case(struct served *s, const uint8_t *packet, size_t len, const struct client *client, bool is_tcp)
{
	uint8_t head[12], *other = malloc(len + 1);
	size_t end = question_end(packet, len), reply_len = 0;
	fuzz_check(other != NULL);
	memcpy(head, s->out, sizeof head);
	memcpy(other, packet, len);
	for (size_t at = 12; end > 0 && other[at] != 0; at += other[at] + 1U)
		for (size_t i = 1; i <= other[at]; i++)
			if ((other[at + i] | 0x20) >= 'a' && (other[at + i] | 0x20) <= 'z')
				other[at + i] ^= 0x20;
	reply_len = served_ask(s, other, len, client, is_tcp, 1);
	fuzz_check(reply_len >= 12 && memcmp(head, s->out, sizeof head) == 0);
	if (end > 0 && s->out[5] == 1)
		fuzz_check(memcmp(s->out + 12, other + 12, end - 12) == 0);
	free(other);
}

/* A UDP reply without TC equals the TCP reply, except that it may have fewer additional records. */
static void check_transports(struct served *s, const uint8_t *packet, size_t len, const struct client *client,
			     const uint8_t *udp, size_t udp_len)
{
	size_t tcp_len = served_ask(s, packet, len, client, true, 1);
	served_check_reply(packet, len, s->out, tcp_len, true);
	fuzz_check((udp[3] & 0xf) == (s->out[3] & 0xf) && (udp[2] & ~2) == s->out[2]);
	if ((udp[2] & 2) != 0)
		return;
	fuzz_check(fuzz_count(udp, 0) == fuzz_count(s->out, 0) && fuzz_count(udp, 1) == fuzz_count(s->out, 1));
	fuzz_check(fuzz_count(udp, 2) <= fuzz_count(s->out, 2));
	size_t at = fuzz_records_at(udp, udp_len);
	for (unsigned i = fuzz_count(udp, 0) + fuzz_count(udp, 1); i > 0; i--) {
		struct fuzz_record record;
		fuzz_record_read(udp, udp_len, &at, &record);
	}
	fuzz_check(at <= tcp_len && memcmp(udp + 12, s->out + 12, at - 12) == 0);
}

/* In a batch, with the steps and the end of another query between its own, the packet gets `reply` again. */
static void check_batch(struct served *s, const uint8_t *packet, size_t len, const struct client *client,
			unsigned steps, const uint8_t *reply, size_t reply_len)
{
	static const uint8_t other_packet[] = "\1\2\1\0\0\1\0\0\0\0\0\0\1x\1y\3sub\7example\0\0\1\0\1";
	static uint8_t other_out[EDNS_UDP_SIZE];
	static struct request request, other;
	bool is_busy = true;
	fuzz_check(respond_begin(s->responder, s->plan, packet, len, client, false, &request));
	fuzz_check(respond_begin(s->responder, s->plan, other_packet, sizeof other_packet - 1, client, false, &other));
	for (unsigned i = 0; is_busy && (steps == 31 || i < steps); i++) {
		is_busy = respond_step(&request);
		is_busy = respond_step(&other) || is_busy;
	}
	size_t other_len = respond_end(s->responder, s->plan, &other, other_out, sizeof other_out);
	served_check_reply(other_packet, sizeof other_packet - 1, other_out, other_len, false);
	s->responder->random = 1;
	fuzz_check(respond_end(s->responder, s->plan, &request, s->out, EDNS_UDP_SIZE) == reply_len);
	fuzz_check(memcmp(s->out, reply, reply_len) == 0);
}

/*
 * Above the rate limit of its prefix: the reply has no records and has TC set, so only a client with a real address can
 * use it.
 */
static void check_limit(struct served *s, const uint8_t *packet, size_t len, const struct client *client)
{
	static struct limit *limit; /* its clock does not advance */
	if (limit == NULL)
		fuzz_check(limit_new(&(struct limit_config){.rate = 1, .slip = 1}, 0, &limit) == VEER_OK);
	while (limit_take(limit, prefix_of(client), 0))
		;
	s->responder->config.limit = limit;
	size_t reply_len = served_ask(s, packet, len, client, false, 1);
	s->responder->config.limit = NULL;
	served_check_reply(packet, len, s->out, reply_len, false);
	fuzz_check((s->out[2] & 2) != 0 && fuzz_count(s->out, 0) == 0 && fuzz_count(s->out, 1) == 0);
	fuzz_check(reply_len <= len + EDNS_OPTIONS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct served *s = the_server();
	struct client client = {.address = {192, 0, 2, 1}};
	static uint8_t first[ENCODE_MAX];
	if (size < 1)
		return 0;
	bool is_tcp = (data[0] & 1) != 0;
	client.is_ipv6 = (data[0] & 2) != 0;
	s->responder->config.secrets.count = (data[0] >> 2) & 1;
	const uint8_t *packet = data + 1;
	size_t len = size - 1;
	size_t reply_len = served_ask(s, packet, len, &client, is_tcp, 1);
	fuzz_check((reply_len == 0) == (len < 12 || (packet[2] & 0x80) != 0));
	if (reply_len == 0)
		return 0;
	served_check_reply(packet, len, s->out, reply_len, is_tcp);
	fuzz_check(!is_tcp || (s->out[2] & 2) == 0);
	unsigned rcode = s->out[3] & 0xf;
	if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN && rcode != DNS_YXDOMAIN)
		fuzz_check(fuzz_count(s->out, 0) == 0 && fuzz_count(s->out, 1) == 0 && (s->out[2] & 4) == 0);
	memcpy(first, s->out, reply_len);
	fuzz_check(served_ask(s, packet, len, &client, is_tcp, 1) == reply_len &&
		   memcmp(first, s->out, reply_len) == 0);
	check_case(s, packet, len, &client, is_tcp);
	if (!is_tcp) {
		check_batch(s, packet, len, &client, data[0] >> 3, first, reply_len);
		check_transports(s, packet, len, &client, first, reply_len);
		check_limit(s, packet, len, &client);
	}
	return 0;
}
