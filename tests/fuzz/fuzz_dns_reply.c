/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges a DNS reply. The same message gives the same verdict, a message that is cut short never becomes good, and a
 * good message is a reply to the question. The first byte chooses the check: its lowest bits the type, then whether all
 * answers are required, then TCP.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probes/agent/dns_reply.h"
#include "tests/fuzz/fuzz.h"
#include "zones/dns/rdata.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static const uint8_t name[] = "\3www\7example\4test";
static const uint8_t address[] = {192, 0, 2, 1};
static const uint8_t host[] = "\4mail\7example\4test";
static const uint8_t exchange[] = "\0\12\4mail\7example\4test";
static const uint16_t types[] = {RRTYPE_A,   RRTYPE_MX,    RRTYPE_NS,  RRTYPE_SOA,
				 RRTYPE_TXT, RRTYPE_NAPTR, RRTYPE_SRV, RRTYPE_CNAME};

static void check_query(const struct model_check_dns *dns, uint16_t id)
{
	uint8_t query[DNS_QUERY_MAX];
	struct dns_seen seen;
	size_t len = dns_query_write(dns, id, query);
	check(len == 12 + sizeof name + 4);
	/* Our own question is not a reply. With QR set it is an empty reply. */
	check(dns_reply_judge(dns, id, true, query, len, &seen) == DNS_OTHER);
	query[2] |= 0x80;
	check(dns_reply_judge(dns, id, true, query, len, &seen) == DNS_MISSING);
	check(dns_reply_judge(dns, (uint16_t)(id ^ 1), true, query, len, &seen) == DNS_OTHER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct model_bytes answers[] = {
		{address, sizeof address}, {host, sizeof host}, {exchange, sizeof exchange}};
	struct dns_seen seen;
	struct dns_seen again;
	if (size < 3)
		return 0;
	const struct model_check_dns dns = {.name = name,
					    .type = types[data[0] & 7],
					    .answers = answers,
					    .answer_count = 3,
					    .is_all = (data[0] & 8) != 0};
	bool is_tcp = (data[0] & 16) != 0;
	uint16_t id = (uint16_t)(data[1] << 8 | data[2]);
	const uint8_t *message = data + 1;
	size_t len = size - 1;
	check_query(&dns, id);
	enum dns_verdict verdict = dns_reply_judge(&dns, id, is_tcp, message, len, &seen);
	check(dns_reply_judge(&dns, id, is_tcp, message, len, &again) == verdict);
	check(seen.rcode == again.rcode && seen.record_count == again.record_count);
	check(seen.match_count == again.match_count);
	check(seen.match_count <= 3 && seen.match_count <= seen.record_count * 3);
	if (verdict == DNS_GOOD)
		check(seen.rcode == 0 && seen.match_count >= 1 && (!dns.is_all || seen.match_count == 3));
	if (verdict == DNS_MISSING)
		check(seen.rcode == 0 && seen.match_count < 3);
	if (verdict == DNS_TRUNCATED)
		check(!is_tcp);
	check(dns_reply_judge(&dns, (uint16_t)~id, is_tcp, message, len, &again) == DNS_OTHER);
	/* A message that ends within the header or the question is not accepted as ours. */
	check(dns_reply_judge(&dns, id, is_tcp, message, len < 12 ? len : 11, &again) == DNS_OTHER);
	return 0;
}
