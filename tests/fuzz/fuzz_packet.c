/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any packet gets at most one reply, which ldns can read, which has the query's id, echoes its question, and is not
 * longer than was asked for. The first byte chooses the transport and the client's family; the rest is the packet.
 */
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/respond.h"
#include "tests/fuzz/fuzz.h"
#include "zones/plan_build.h"
#include "zones/zonefile.h"

static const char zone_text[] =
	"$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\n@ NS ns.other.\nns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n"
	"www A 192.0.2.2\nwww A 192.0.2.3\nalias CNAME www\nloop CNAME pool\npool CNAME loop\nout CNAME x.other.\n"
	"chain CNAME bound\n* MX 10 www\n*.a.w A 192.0.2.4\n*.c CNAME www\nent.b.a TXT \"x\"\nsub NS ns.sub\nsub NS "
	"ns.b\n"
	"ns.sub A 192.0.2.5\nsrv SRV 1 2 3 www\nhttps HTTPS 1 www alpn=h2\nsub DS 1 13 2 "
	"0000000000000000000000000000000000000000000000000000000000000000\n@ MX 1 www\n@ MX 2 mail.other.\n"
	"cut.bound NS ns1\nlong TXT \"0123456789012345678901234567890123456789012345678901234567890123456789\"\n";

struct target {
	struct plan_builder *builder;
	const struct plan *plan;
	struct responder *responder;
	uint8_t *out;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static enum veer_err put(void *ctx, const struct rrset_view *rrset)
{
	return plan_builder_put_rrset(ctx, (const uint8_t *)"\7example", 1, rrset);
}

static void put_object(struct plan_builder *b, enum model_kind kind, const char *key, const char *value)
{
	check(plan_builder_put(b, kind, key, strlen(key), (const uint8_t *)value, strlen(value), NULL) == VEER_OK);
}

static void make(struct target *t)
{
	struct zonefile *file = NULL;
	struct retire_list retired = {0};
	struct veer_diag diag;
	t->builder = plan_builder_new();
	check(zonefile_read_text(zone_text, sizeof zone_text - 1, "zone", (const uint8_t *)"\7example", &file, &diag) ==
	      VEER_OK);
	check(zonefile_each(file, put, t->builder, &diag) == VEER_OK);
	zonefile_free(&file);
	put_object(t->builder, MODEL_KIND_POOL, "p",
		   "{\"name\":\"p\",\"checks\":[],\"endpoints\":[{\"name\":\"a\",\"address\":\"192.0.2.9\",\"site\":"
		   "\"s\"},"
		   "{\"name\":\"b\",\"address\":\"2001:db8::9\",\"site\":\"s\"}]}");
	put_object(t->builder, MODEL_KIND_POOL, "h",
		   "{\"name\":\"h\",\"checks\":[],\"endpoints\":[{\"name\":\"a\",\"address\":\"www.example.\",\"site\":"
		   "\"s\"}]}");
	put_object(t->builder, MODEL_KIND_POLICY, "p",
		   "{\"name\":\"p\",\"tree\":{\"match\":[{\"countries\":[\"DE\"],\"node\":\"p\"}],\"else\":{\"spread\":"
		   "\"p\"}}}");
	put_object(t->builder, MODEL_KIND_POLICY, "h", "{\"name\":\"h\",\"tree\":\"h\"}");
	put_object(t->builder, MODEL_KIND_RRSET, "example./1/bound.example./A", "pp");
	put_object(t->builder, MODEL_KIND_RRSET, "example./1/bound.example./AAAA", "pp");
	put_object(t->builder, MODEL_KIND_RRSET, "example./1/host.example./CNAME", "ph");
	put_object(t->builder, MODEL_KIND_RRSET, "example./1/missing.example./A", "pmissing");
	check(plan_builder_show_zone(t->builder, (const uint8_t *)"\7example", 1) == VEER_OK);
	check(plan_builder_commit(t->builder, 1, &t->plan, &retired) == VEER_OK);
	retire_release(&retired);
	t->responder = aligned_alloc(RESPOND_CACHE_LINE, (sizeof *t->responder + 63) / 64 * 64);
	t->out = malloc(ENCODE_MAX);
	check(t->responder != NULL && t->out != NULL && responder_init(t->responder) == VEER_OK);
	t->responder->config = (struct responder_config){.secrets = {.count = 2}, .nsid_len = 4, .nsid = "fuzz"};
}

static struct target *the_target(void)
{
	static struct target target; /* made once: a process answers millions of packets */
	if (target.plan == NULL)
		make(&target);
	return &target;
}

static size_t question_end(const uint8_t *packet, size_t len)
{
	size_t name = len > 12 ? name_check(packet + 12, len - 12) : 0;
	return name > 0 && 12 + name + 4 <= len ? 12 + name + 4 : 0;
}

static void check_reply(const uint8_t *packet, size_t len, const uint8_t *reply, size_t reply_len, bool is_tcp)
{
	ldns_pkt *pkt = NULL;
	check(len >= 12 && reply_len >= 12 && (packet[2] & 0x80) == 0);
	check(memcmp(packet, reply, 2) == 0 && (reply[2] & 0x80) != 0);
	check(is_tcp || reply_len <= EDNS_UDP_SIZE);
	check((reply[2] & 0x78) == (packet[2] & 0x78));
	if (reply[5] == 1) {
		size_t end = question_end(packet, len);
		check(end > 0 && reply_len >= end && memcmp(reply + 12, packet + 12, end - 12) == 0);
	} else {
		check(reply[5] == 0 && reply_len <= 12 + EDNS_OPT_LEN + EDNS_OPTIONS_MAX);
	}
	check(ldns_wire2pkt(&pkt, reply, reply_len) == LDNS_STATUS_OK);
	check(!is_tcp || !ldns_pkt_tc(pkt));
	ldns_pkt_free(pkt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target *t = the_target();
	struct lookup_client client = {.address = {192, 0, 2, 1}};
	if (size < 1)
		return 0;
	bool is_tcp = (data[0] & 1) != 0;
	client.is_ipv6 = (data[0] & 2) != 0;
	/* an exact copy: one byte too many is seen by the sanitizer */
	uint8_t *packet = malloc(size);
	check(packet != NULL);
	memcpy(packet, data + 1, size - 1);
	size_t reply_len = respond(t->responder, t->plan, packet, size - 1, &client, is_tcp, t->out,
				   is_tcp ? ENCODE_MAX : EDNS_UDP_SIZE);
	if (reply_len > 0)
		check_reply(packet, size - 1, t->out, reply_len, is_tcp);
	free(packet);
	return 0;
}
