/* SPDX-License-Identifier: Apache-2.0 */
/* Counters. See count.h. */
#include "dnsd/packet/count.h"

#include <assert.h>
#include <stddef.h>

#include "zones/dns/rdata.h"

#define TYPE_NONE 0
#define TYPE_OTHER 1
#define QTYPES_NAMED 260 /* types from here on are counted as "other" */

/* The types that are counted by name; the first two places are not types. */
static const struct {
	uint16_t qtype;
	const char *name;
} types[] = {
	{0, "none"},
	{0, "other"},
	{RRTYPE_A, "A"},
	{RRTYPE_NS, "NS"},
	{RRTYPE_CNAME, "CNAME"},
	{RRTYPE_SOA, "SOA"},
	{RRTYPE_PTR, "PTR"},
	{RRTYPE_HINFO, "HINFO"},
	{RRTYPE_MX, "MX"},
	{RRTYPE_TXT, "TXT"},
	{RRTYPE_AAAA, "AAAA"},
	{RRTYPE_SRV, "SRV"},
	{RRTYPE_NAPTR, "NAPTR"},
	{RRTYPE_DNAME, "DNAME"},
	{RRTYPE_DS, "DS"},
	{44, "SSHFP"},
	{RRTYPE_RRSIG, "RRSIG"},
	{RRTYPE_NSEC, "NSEC"},
	{48, "DNSKEY"},
	{50, "NSEC3"},
	{51, "NSEC3PARAM"},
	{52, "TLSA"},
	{59, "CDS"},
	{60, "CDNSKEY"},
	{RRTYPE_SVCB, "SVCB"},
	{RRTYPE_HTTPS, "HTTPS"},
	{99, "SPF"},
	{RRTYPE_IXFR, "IXFR"},
	{RRTYPE_AXFR, "AXFR"},
	{RRTYPE_ANY, "ANY"},
	{256, "URI"},
	{257, "CAA"},
};

#define TYPE_COUNT (sizeof types / sizeof types[0])

static_assert(TYPE_COUNT == COUNT_TYPES, "each type that is counted has a name");

unsigned count_type(bool has_question, uint16_t qtype)
{
	if (!has_question)
		return TYPE_NONE;
	/* the most requested type */
	if (qtype == RRTYPE_A)
		return TYPE_OTHER + 1;
	if (qtype >= QTYPES_NAMED)
		return TYPE_OTHER;
	/* types are in rising order, except the first two places */
	unsigned low = TYPE_OTHER + 1;
	unsigned high = COUNT_TYPES;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (types[middle].qtype < qtype)
			low = middle + 1;
		else
			high = middle;
	}
	return low < COUNT_TYPES && types[low].qtype == qtype ? low : TYPE_OTHER;
}

const char *count_type_name(unsigned index)
{
	return index < COUNT_TYPES ? types[index].name : NULL;
}

void count_sum(const struct counters *c, struct count_totals *out)
{
	for (unsigned i = 0; i < COUNT_ALL; i++)
		out->values[i] += atomic_load_explicit(&c->values[i], memory_order_relaxed);
}

uint64_t count_requests(const struct count_totals *totals)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < COUNT_RESPONSES; i++)
		sum += totals->values[i];
	return sum;
}
