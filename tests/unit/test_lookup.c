/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/zone_plan.h"

#define HEAD "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.53\n"
#define SOA "example. 60 SOA ns1.example. host.example. 1 2 3 4 60"

#define LONG "l23456789012345678901234567890123456789012345678901234567890123"

static const char example[] =
	HEAD "www A 192.0.2.1\nwww A 192.0.2.2\nwww AAAA 2001:db8::1\n"
	     "alias CNAME www\nalias2 CNAME alias\nout CNAME www.other.test.\ncross CNAME www.child\nself CNAME self\n"
	     "tolost CNAME lost\ntoempty CNAME www\nintosub CNAME x.sub\n"
	     "a.b.ent TXT \"x\"\n"
	     "*.wild A 192.0.2.9\nhost.wild TXT \"h\"\nx.y.wild TXT \"y\"\n*.cw CNAME www\n*.*.double A 192.0.2.8\n"
	     "sub NS ns.sub\nsub NS ns1\nns.sub A 192.0.2.77\nns.sub AAAA 2001:db8::77\nsub DS 1 13 2 "
	     "0000000000000000000000000000000000000000000000000000000000000000\nbelow.sub A 192.0.2.66\n"
	     "child NS ns1\nmx MX 10 www\nmx MX 20 mail.other.test.\nsrv SRV 1 2 3 www\nhttps HTTPS 1 WWW alpn=h2\n"
	     "dot\\.ted A 192.0.2.5\n"
	     "d 77 DNAME new\nd TXT \"d\"\nwww.new A 192.0.2.31\nalias.new CNAME www.d\n*.star.new A 192.0.2.32\n"
	     "tod CNAME www.d\nover 9 DNAME d\nhidden.d A 192.0.2.33\nmxd MX 1 hidden.d\nself2 DNAME x.self2\n"
	     "ping DNAME pong\npong DNAME ping\ntoroot DNAME .\ntochild DNAME child\n*.wd DNAME new\n"
	     "tods CNAME child\nmxdyn MX 1 dyn\nmxdyn MX 2 down\nmxdyn MX 3 cdna\nmxdyn MX 4 www.child\n"
	     "mxtwice MX 1 ns1\nmxtwice MX 2 ns1\nhttpsdot HTTPS 0 .\nhttpsdot A 192.0.2.41\n"
	     "svcdot SVCB 1 .\nsvcdot A 192.0.2.40\n"
	     "away DNAME other.test.\nfar DNAME " LONG "." LONG "." LONG "\n";

static const char child[] = "$TTL 300\n@ SOA ns1 host 1 2 3 4 30\n@ NS ns1\nns1 A 192.0.2.54\nwww A 192.0.2.4\n"
			    "back CNAME alias.example.\n";

static const char moved[] = "$TTL 300\n@ SOA ns1.example. host 1 2 3 4 30\n@ NS ns1.example.\n@ DNAME example.\n";

static int setup(void **state)
{
	struct zone_plan *zp = zone_plan_new();
	zone_plan_add_zone(zp, "example.", example);
	zone_plan_add_zone(zp, "child.example.", child);
	zone_plan_add_zone(zp, "moved.test.", moved);
	zone_plan_put(zp, MODEL_KIND_POOL, "web",
		      "{\"name\":\"web\",\"checks\":[],\"endpoints\":["
		      "{\"name\":\"a\",\"address\":\"192.0.2.101\",\"site\":\"s\"},"
		      "{\"name\":\"b\",\"address\":\"192.0.2.102\",\"site\":\"s\"}]}");
	zone_plan_put(zp, MODEL_KIND_POOL, "cdn",
		      "{\"name\":\"cdn\",\"checks\":[],\"endpoints\":["
		      "{\"name\":\"a\",\"address\":\"www.example.\",\"site\":\"s\"}]}");
	zone_plan_put(zp, MODEL_KIND_POLICY, "web", "{\"name\":\"web\",\"ttl\":5,\"tree\":\"web\"}");
	zone_plan_put(zp, MODEL_KIND_POLICY, "cdn", "{\"name\":\"cdn\",\"ttl\":7,\"tree\":\"cdn\"}");
	zone_plan_put(zp, MODEL_KIND_POLICY, "down",
		      "{\"name\":\"down\",\"when_all_down\":\"servfail\",\"tree\":\"none\"}");
	zone_plan_put(zp, MODEL_KIND_POOL, "none",
		      "{\"name\":\"none\",\"checks\":[],\"endpoints\":["
		      "{\"name\":\"a\",\"address\":\"192.0.2.103\",\"site\":\"s\"}]}");
	zone_plan_put(zp, MODEL_KIND_VERDICT, "none/a",
		      "{\"endpoint\":\"none/a\",\"state\":\"down\",\"since_revision\":1}");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/dyn.example./A", "pweb");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/dyn.example./AAAA", "pweb");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/*.dynwild.example./A", "pweb");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/cdn.example./CNAME", "pcdn");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/cdna.example./A", "pcdn");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/down.example./A", "pdown");
	zone_plan_put(zp, MODEL_KIND_RRSET, "example./1/nopolicy.example./A", "pnopolicy");
	zone_plan_commit(zp);
	*state = zp;
	return 0;
}

static int teardown(void **state)
{
	zone_plan_free(*state);
	return 0;
}

static void answers_by_the_book(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		const char *reply;
	} cases[] = {
		/* RFC 1034 4.3.2 step 3a: the name matches */
		{"www.example.", RRTYPE_A,
		 "NOERROR aa | www.example. 300 A 192.0.2.1, www.example. 300 A 192.0.2.2 | |"},
		{"WWW.Example.", RRTYPE_AAAA, "NOERROR aa | WWW.Example. 300 AAAA 2001:db8::1 | |"},
		{"example.", RRTYPE_NS, "NOERROR aa | example. 300 NS ns1.example. | | ns1.example. 300 A 192.0.2.53"},
		{"example.", RRTYPE_SOA, "NOERROR aa | example. 300 SOA ns1.example. host.example. 1 2 3 4 60 | |"},
		{"dot\\.ted.example.", RRTYPE_A, "NOERROR aa | dot\\.ted.example. 300 A 192.0.2.5 | |"},
		/* RFC 2308: NODATA and NXDOMAIN */
		{"www.example.", RRTYPE_TXT, "NOERROR aa | | " SOA " |"},
		{"nope.example.", RRTYPE_A, "NXDOMAIN aa | | " SOA " |"},
		{"x.www.example.", RRTYPE_A, "NXDOMAIN aa | | " SOA " |"},
		/* RFC 4592 2.2.2: empty non-terminals exist */
		{"ent.example.", RRTYPE_A, "NOERROR aa | | " SOA " |"},
		{"b.ent.example.", RRTYPE_TXT, "NOERROR aa | | " SOA " |"},
		{"c.b.ent.example.", RRTYPE_TXT, "NXDOMAIN aa | | " SOA " |"},
		/* RFC 4592 3.3: wildcards */
		{"q.wild.example.", RRTYPE_A, "NOERROR aa | q.wild.example. 300 A 192.0.2.9 | |"},
		{"r.q.wild.example.", RRTYPE_A, "NOERROR aa | r.q.wild.example. 300 A 192.0.2.9 | |"},
		{"q.wild.example.", RRTYPE_AAAA, "NOERROR aa | | " SOA " |"},
		{"host.wild.example.", RRTYPE_A, "NOERROR aa | | " SOA " |"},
		{"z.host.wild.example.", RRTYPE_A, "NXDOMAIN aa | | " SOA " |"},
		{"y.wild.example.", RRTYPE_A, "NOERROR aa | | " SOA " |"},
		{"z.y.wild.example.", RRTYPE_A, "NXDOMAIN aa | | " SOA " |"},
		{"*.wild.example.", RRTYPE_A, "NOERROR aa | *.wild.example. 300 A 192.0.2.9 | |"},
		{"x.*.wild.example.", RRTYPE_A, "NXDOMAIN aa | | " SOA " |"},
		{"wild.example.", RRTYPE_A, "NOERROR aa | | " SOA " |"},
		{"x.*.double.example.", RRTYPE_A, "NOERROR aa | x.*.double.example. 300 A 192.0.2.8 | |"},
		{"x.y.double.example.", RRTYPE_A,
		 "NOERROR aa | | " SOA " |"}, /* the source is the empty non-terminal * */
		/* RFC 1034 4.3.2 step 3a and 3.6.2: aliases, also across zones of ours */
		{"alias.example.", RRTYPE_AAAA,
		 "NOERROR aa | alias.example. 300 CNAME www.example., www.example. 300 AAAA 2001:db8::1 | |"},
		{"alias2.example.", RRTYPE_AAAA,
		 "NOERROR aa | alias2.example. 300 CNAME alias.example., alias.example. 300 CNAME www.example., "
		 "www.example. 300 AAAA 2001:db8::1 | |"},
		{"alias.example.", RRTYPE_CNAME, "NOERROR aa | alias.example. 300 CNAME www.example. | |"},
		{"out.example.", RRTYPE_A, "NOERROR aa | out.example. 300 CNAME www.other.test. | |"},
		{"cross.example.", RRTYPE_A,
		 "NOERROR aa | cross.example. 300 CNAME www.child.example., www.child.example. 300 A 192.0.2.4 | |"},
		{"back.child.example.", RRTYPE_AAAA,
		 "NOERROR aa | back.child.example. 300 CNAME alias.example., alias.example. 300 CNAME www.example., "
		 "www.example. 300 AAAA 2001:db8::1 | |"},
		{"self.example.", RRTYPE_A, "NOERROR aa | self.example. 300 CNAME self.example. | |"},
		{"tolost.example.", RRTYPE_A, "NXDOMAIN aa | tolost.example. 300 CNAME lost.example. | " SOA " |"},
		{"toempty.example.", RRTYPE_TXT, "NOERROR aa | toempty.example. 300 CNAME www.example. | " SOA " |"},
		{"z.cw.example.", RRTYPE_AAAA,
		 "NOERROR aa | z.cw.example. 300 CNAME www.example., www.example. 300 AAAA 2001:db8::1 | |"},
		{"intosub.example.", RRTYPE_A,
		 "NOERROR aa | intosub.example. 300 CNAME x.sub.example. | sub.example. 300 NS ns.sub.example., "
		 "sub.example. 300 NS ns1.example. | ns.sub.example. 300 A 192.0.2.77, ns.sub.example. 300 AAAA "
		 "2001:db8::77, "
		 "ns1.example. 300 A 192.0.2.53"},
		/* RFC 6672 3.2: names below a DNAME are redirected; its owner is not */
		{"www.d.example.", RRTYPE_A,
		 "NOERROR aa | d.example. 77 DNAME new.example., www.d.example. 77 CNAME www.new.example., "
		 "www.new.example. "
		 "300 A 192.0.2.31 | |"},
		{"WwW.D.example.", RRTYPE_A,
		 "NOERROR aa | D.example. 77 DNAME new.example., WwW.D.example. 77 CNAME WwW.new.example., "
		 "WwW.new.example. 300 A 192.0.2.31 | |"},
		{"d.example.", RRTYPE_TXT, "NOERROR aa | d.example. 300 TXT \"d\" | |"},
		{"d.example.", RRTYPE_DNAME, "NOERROR aa | d.example. 77 DNAME new.example. | |"},
		{"d.example.", RRTYPE_A, "NOERROR aa | | " SOA " |"},
		{"www.d.example.", RRTYPE_CNAME,
		 "NOERROR aa | d.example. 77 DNAME new.example., www.d.example. 77 CNAME www.new.example. | |"},
		{"www.d.example.", RRTYPE_TXT,
		 "NOERROR aa | d.example. 77 DNAME new.example., www.d.example. 77 CNAME www.new.example. | " SOA " |"},
		{"no.d.example.", RRTYPE_A,
		 "NXDOMAIN aa | d.example. 77 DNAME new.example., no.d.example. 77 CNAME no.new.example. | " SOA " |"},
		{"x.star.d.example.", RRTYPE_A,
		 "NOERROR aa | d.example. 77 DNAME new.example., x.star.d.example. 77 CNAME x.star.new.example., "
		 "x.star.new.example. 300 A 192.0.2.32 | |"},
		{"hidden.d.example.", RRTYPE_A, /* RFC 6672 2.4: occluded */
		 "NXDOMAIN aa | d.example. 77 DNAME new.example., hidden.d.example. 77 CNAME hidden.new.example. | " SOA
		 " |"},
		{"mxd.example.", RRTYPE_MX, "NOERROR aa | mxd.example. 300 MX 1 hidden.d.example. | |"},
		{"tod.example.", RRTYPE_A,
		 "NOERROR aa | tod.example. 300 CNAME www.d.example., d.example. 77 DNAME new.example., www.d.example. "
		 "77 "
		 "CNAME www.new.example., www.new.example. 300 A 192.0.2.31 | |"},
		{"alias.d.example.", RRTYPE_A,
		 "NOERROR aa | d.example. 77 DNAME new.example., alias.d.example. 77 CNAME alias.new.example., "
		 "alias.new.example. 300 CNAME www.d.example., www.d.example. 77 CNAME www.new.example., "
		 "www.new.example. 300 A 192.0.2.31 | |"},
		{"www.over.example.", RRTYPE_A,
		 "NOERROR aa | over.example. 9 DNAME d.example., www.over.example. 9 CNAME www.d.example., d.example. "
		 "77 "
		 "DNAME new.example., www.d.example. 77 CNAME www.new.example., www.new.example. 300 A 192.0.2.31 | |"},
		{"a.self2.example.", RRTYPE_A,
		 "NOERROR aa | self2.example. 300 DNAME x.self2.example., a.self2.example. 300 CNAME "
		 "a.x.self2.example. | |"},
		{"a.ping.example.", RRTYPE_A,
		 "NOERROR aa | ping.example. 300 DNAME pong.example., a.ping.example. 300 CNAME a.pong.example., "
		 "pong.example. 300 DNAME ping.example., a.pong.example. 300 CNAME a.ping.example. | |"},
		{"www.tochild.example.", RRTYPE_A,
		 "NOERROR aa | tochild.example. 300 DNAME child.example., www.tochild.example. 300 CNAME "
		 "www.child.example., www.child.example. 300 A 192.0.2.4 | |"},
		{"a.toroot.example.", RRTYPE_A,
		 "NOERROR aa | toroot.example. 300 DNAME ., a.toroot.example. 300 CNAME a. | |"},
		{"a.b.away.example.", RRTYPE_A,
		 "NOERROR aa | away.example. 300 DNAME other.test., a.b.away.example. 300 CNAME a.b.other.test. | |"},
		{"a.b.wd.example.", RRTYPE_A,
		 "NOERROR aa | | " SOA " |"}, /* RFC 4592 4.4: a DNAME at a wildcard does not redirect */
		{"a.wd.example.", RRTYPE_DNAME, "NOERROR aa | a.wd.example. 300 DNAME new.example. | |"},
		{"www.*.wd.example.", RRTYPE_A,
		 "NOERROR aa | *.wd.example. 300 DNAME new.example., www.*.wd.example. 300 CNAME www.new.example., "
		 "www.new.example. 300 A 192.0.2.31 | |"},
		{"alias.moved.test.", RRTYPE_AAAA, /* at the apex (RFC 6672 2.3) */
		 "NOERROR aa | moved.test. 300 DNAME example., alias.moved.test. 300 CNAME alias.example., "
		 "alias.example. "
		 "300 CNAME www.example., www.example. 300 AAAA 2001:db8::1 | |"},
		{"moved.test.", RRTYPE_NS, "NOERROR aa | moved.test. 300 NS ns1.example. | |"},
		/* RFC 6672 2.2: the new name would have 265 octets */
		{LONG ".far.example.", RRTYPE_A,
		 "YXDOMAIN aa | far.example. 300 DNAME " LONG "." LONG "." LONG ".example. | |"},
		/* RFC 1034 4.3.2 step 3b: referrals */
		{"sub.example.", RRTYPE_A,
		 "NOERROR | | sub.example. 300 NS ns.sub.example., sub.example. 300 NS ns1.example. | ns.sub.example. "
		 "300 A 192.0.2.77, "
		 "ns.sub.example. 300 AAAA 2001:db8::77, ns1.example. 300 A 192.0.2.53"},
		{"below.sub.example.", RRTYPE_A,
		 "NOERROR | | sub.example. 300 NS ns.sub.example., sub.example. 300 NS ns1.example. | ns.sub.example. "
		 "300 A 192.0.2.77, "
		 "ns.sub.example. 300 AAAA 2001:db8::77, ns1.example. 300 A 192.0.2.53"},
		/* RFC 4035 3.1.4.1: DS belongs to the parent */
		{"sub.example.", RRTYPE_DS,
		 "NOERROR aa | sub.example. 300 DS 1 13 2 "
		 "0000000000000000000000000000000000000000000000000000000000000000 | |"},
		{"child.example.", RRTYPE_DS, "NOERROR aa | | " SOA " |"},
		{"child.example.", RRTYPE_NS,
		 "NOERROR aa | child.example. 300 NS ns1.child.example. | | ns1.child.example. 300 A 192.0.2.54"},
		{"nope.child.example.", RRTYPE_A,
		 "NXDOMAIN aa | | child.example. 30 SOA ns1.child.example. host.child.example. 1 2 3 4 30 |"},
		/* additional data */
		{"mx.example.", RRTYPE_MX,
		 "NOERROR aa | mx.example. 300 MX 10 www.example., mx.example. 300 MX 20 mail.other.test. | | "
		 "www.example. 300 A 192.0.2.1, www.example. 300 A 192.0.2.2, www.example. 300 AAAA 2001:db8::1"},
		{"srv.example.", RRTYPE_SRV,
		 "NOERROR aa | srv.example. 300 SRV 1 2 3 www.example. | | www.example. 300 A 192.0.2.1, "
		 "www.example. 300 A 192.0.2.2, www.example. 300 AAAA 2001:db8::1"},
		/* RFC 8482: minimal ANY */
		{"www.example.", RRTYPE_ANY, "NOERROR aa | www.example. 300 AAAA 2001:db8::1 | |"},
		{"alias.example.", RRTYPE_ANY, "NOERROR aa | alias.example. 300 CNAME www.example. | |"},
		{"ent.example.", RRTYPE_ANY, "NOERROR aa | | " SOA " |"},
		/* not in our zones */
		{"other.test.", RRTYPE_A, "REFUSED | | |"},
		{".", RRTYPE_NS, "REFUSED | | |"},
		{"example.", RRTYPE_AXFR, "REFUSED | | |"},
		{"child.example.", RRTYPE_IXFR, "REFUSED | | |"},
		{"www.example.", RRTYPE_AXFR, "NOTAUTH | | |"},
		{"other.test.", RRTYPE_IXFR, "NOTAUTH | | |"},
		{"www.example.", RRTYPE_TKEY, "NOERROR aa | | " SOA " |"}, /* RFC 6895 3.1: types without data */
		{"nope.example.", RRTYPE_MAILA, "NXDOMAIN aa | | " SOA " |"},
		{"tods.example.", RRTYPE_DS, "NOERROR aa | tods.example. 300 CNAME child.example. | " SOA " |"},
		{"mxdyn.example.", RRTYPE_MX,
		 "NOERROR aa | mxdyn.example. 300 MX 1 dyn.example., mxdyn.example. 300 MX 2 down.example., "
		 "mxdyn.example. "
		 "300 MX 3 cdna.example., mxdyn.example. 300 MX 4 www.child.example. | | dyn.example. 5 A 192.0.2.101, "
		 "dyn.example. 5 A 192.0.2.102"},
		{"mxtwice.example.", RRTYPE_MX,
		 "NOERROR aa | mxtwice.example. 300 MX 1 ns1.example., mxtwice.example. 300 MX 2 ns1.example. | | "
		 "ns1.example. 300 A 192.0.2.53"},
		{"httpsdot.example.", RRTYPE_HTTPS, "NOERROR aa | httpsdot.example. 300 HTTPS 0 . | |"}, /* an alias */
		{"svcdot.example.", RRTYPE_SVCB,
		 "NOERROR aa | svcdot.example. 300 SVCB 1 . | | svcdot.example. 300 A 192.0.2.40"},
		{"a.www.d.example.", RRTYPE_ANY,
		 "NXDOMAIN aa | d.example. 77 DNAME new.example., a.www.d.example. 77 CNAME a.www.new.example. | " SOA
		 " |"},
		/* policies */
		{"dyn.example.", RRTYPE_A,
		 "NOERROR aa | dyn.example. 5 A 192.0.2.101, dyn.example. 5 A 192.0.2.102 | |"},
		{"dyn.example.", RRTYPE_AAAA, "NOERROR aa | | " SOA " |"},
		{"q.dynwild.example.", RRTYPE_A,
		 "NOERROR aa | q.dynwild.example. 5 A 192.0.2.101, q.dynwild.example. 5 A 192.0.2.102 | |"},
		{"cdn.example.", RRTYPE_AAAA,
		 "NOERROR aa | cdn.example. 7 CNAME www.example., www.example. 300 AAAA 2001:db8::1 | |"},
		{"cdna.example.", RRTYPE_A,
		 "NOERROR aa | cdna.example. 7 CNAME www.example., www.example. 300 A 192.0.2.1, www.example. 300 A "
		 "192.0.2.2 | |"},
		{"down.example.", RRTYPE_A, "SERVFAIL | | |"},
		{"nopolicy.example.", RRTYPE_A, "SERVFAIL | | |"},
	};
	struct zone_plan *zp = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t query[512];
		size_t len = zone_plan_query(cases[i].name, cases[i].type, 1232, query);
		const char *text = zone_plan_text(zp->out, zone_plan_ask(zp, query, len, false));
		if (strcmp(text, cases[i].reply) != 0)
			fail_msg("%s %u:\n got    %s\n wanted %s", cases[i].name, cases[i].type, text, cases[i].reply);
		char udp[16384];
		(void)snprintf(udp, sizeof udp, "%s", text);
		assert_string_equal(zone_plan_text(zp->out, zone_plan_ask(zp, query, len, true)), udp);
	}
}

static void the_longest_chain_ends(void **state)
{
	(void)state;
	struct zone_plan *zp = zone_plan_new();
	char text[4096] = HEAD;
	for (int i = 0; i < 40; i++) {
		size_t at = strlen(text);
		(void)snprintf(text + at, sizeof text - at, "c%d CNAME c%d\n", i, i + 1);
	}
	zone_plan_add_zone(zp, "example.", text);
	zone_plan_commit(zp);
	uint8_t query[512];
	size_t len = zone_plan_query("c0.example.", RRTYPE_A, 0, query);
	assert_true(zone_plan_ask(zp, query, len, true) > 0);
	assert_int_equal(zp->out[3] & 15, DNS_NOERROR);
	assert_int_equal(zp->out[7], ANSWER_CHAIN_MAX + 1);
	zone_plan_free(zp);
}

/* 90 name servers with addresses: the referral must set TC, because its glue does not fit. */
static void glue_that_does_not_fit_sets_tc(void **state)
{
	(void)state;
	struct zone_plan *zp = zone_plan_new();
	char text[16384] = HEAD;
	for (int i = 0; i < 20; i++) {
		size_t at = strlen(text);
		(void)snprintf(text + at, sizeof text - at,
			       "sub NS n%d.sub\nn%d.sub AAAA 2001:db8::%d\nout NS n%d.other.test.\n", i, i, i, i);
	}
	zone_plan_add_zone(zp, "example.", text);
	zone_plan_commit(zp);
	uint8_t query[512];
	size_t len = zone_plan_query("x.sub.example.", RRTYPE_A, 0, query);
	size_t reply = zone_plan_ask(zp, query, len, false);
	assert_true(reply <= 512);
	assert_int_not_equal(zp->out[2] & 2, 0);
	len = zone_plan_query("x.sub.example.", RRTYPE_A, 1232, query);
	reply = zone_plan_ask(zp, query, len, false);
	assert_true(reply <= 1232);
	assert_int_equal(zp->out[2] & 2, 0);
	assert_int_equal(zp->out[11], 21); /* 20 AAAA and OPT */
	len = zone_plan_query("x.out.example.", RRTYPE_A, 0, query);
	(void)zone_plan_ask(zp, query, len, false);
	assert_int_equal(zp->out[2] & 2, 0);
	zone_plan_free(zp);
}

/* Replies over TCP whose names are beyond the reach of compression pointers are complete and readable. */
static void answers_beyond_16_kilobytes_are_whole(void **state)
{
	(void)state;
	struct zone_plan *zp = zone_plan_new();
	size_t size = 1 << 20;
	char *text = calloc(1, size);
	size_t at = (size_t)snprintf(text, size,
				     HEAD "big MX 1 last\nlast A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\n");
	for (int i = 0; i < 700; i++)
		at += (size_t)snprintf(text + at, size - at,
				       "big MX 2 a-rather-long-label-%d.mail\nsub NS another-long-label-%d.sub\n", i,
				       i);
	for (int i = 0; i < 700; i++)
		at += (size_t)snprintf(text + at, size - at, "a-rather-long-label-%d.mail A 192.0.2.3\n", i);
	zone_plan_add_zone(zp, "example.", text);
	zone_plan_commit(zp);
	uint8_t query[512];
	size_t len = zone_plan_query("big.example.", RRTYPE_MX, 0, query);
	size_t reply = zone_plan_ask(zp, query, len, true);
	assert_true(reply > 20000);
	const char *got = zone_plan_text(zp->out, reply);
	assert_int_equal(strncmp(got, "NOERROR aa | big.example. 300 MX 1 last.example., ", 50), 0);
	len = zone_plan_query("x.sub.example.", RRTYPE_A, 0, query);
	reply = zone_plan_ask(zp, query, len, true);
	assert_true(reply > 20000);
	(void)zone_plan_text(zp->out, reply);
	free(text);
	zone_plan_free(zp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_by_the_book, setup, teardown),
		cmocka_unit_test(the_longest_chain_ends),
		cmocka_unit_test(glue_that_does_not_fit_sets_tc),
		cmocka_unit_test(answers_beyond_16_kilobytes_are_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
