/* SPDX-License-Identifier: Apache-2.0 */
/* Names in RDATA. See rdata.h. */
#include "zones/dns/rdata.h"

#include "zones/dns/name.h"

#define ANY_TAIL 255

struct rdata_layout rdata_layout(uint16_t type)
{
	switch (type) {
	case RRTYPE_NS:
		return (struct rdata_layout){
			.names = 1, .is_lowered = true, .is_compressible = true, .has_additional = true};
	case RRTYPE_MD:
	case RRTYPE_MF:
	case RRTYPE_CNAME:
	case RRTYPE_MB:
	case RRTYPE_MG:
	case RRTYPE_MR:
	case RRTYPE_PTR:
		return (struct rdata_layout){.names = 1, .is_lowered = true, .is_compressible = true};
	case RRTYPE_SOA:
		return (struct rdata_layout){.names = 2, .tail = 20, .is_lowered = true, .is_compressible = true};
	case RRTYPE_MINFO:
		return (struct rdata_layout){.names = 2, .is_lowered = true, .is_compressible = true};
	case RRTYPE_MX:
		return (struct rdata_layout){
			.fixed = 2, .names = 1, .is_lowered = true, .is_compressible = true, .has_additional = true};
	case RRTYPE_RP:
		return (struct rdata_layout){.names = 2, .is_lowered = true};
	case RRTYPE_AFSDB:
	case RRTYPE_RT:
	case RRTYPE_KX:
		return (struct rdata_layout){.fixed = 2, .names = 1, .is_lowered = true, .has_additional = true};
	case RRTYPE_PX:
		return (struct rdata_layout){.fixed = 2, .names = 2, .is_lowered = true};
	case RRTYPE_SRV:
		return (struct rdata_layout){.fixed = 6, .names = 1, .is_lowered = true, .has_additional = true};
	case RRTYPE_NAPTR:
		return (struct rdata_layout){.fixed = 4, .strings = 3, .names = 1, .is_lowered = true};
	case RRTYPE_DNAME:
		return (struct rdata_layout){.names = 1, .is_lowered = true};
	case RRTYPE_NXT:
		return (struct rdata_layout){.names = 1, .tail = ANY_TAIL, .is_lowered = true};
	case RRTYPE_SIG:
	case RRTYPE_RRSIG:
		return (struct rdata_layout){.fixed = 18, .names = 1, .tail = ANY_TAIL, .is_lowered = true};
	case RRTYPE_SVCB:
	case RRTYPE_HTTPS:
		return (struct rdata_layout){.fixed = 2, .names = 1, .tail = ANY_TAIL, .has_additional = true};
	default:
		return (struct rdata_layout){.tail = ANY_TAIL};
	}
}

int rdata_names(uint16_t type, const uint8_t *rdata, size_t len, uint16_t *at)
{
	struct rdata_layout layout = rdata_layout(type);
	size_t pos = layout.fixed;
	if (len > UINT16_MAX || (type == RRTYPE_A && len != 4) || (type == RRTYPE_AAAA && len != 16))
		return -1;
	for (int i = 0; i < layout.strings; i++) {
		if (pos >= len)
			return -1;
		pos += (size_t)rdata[pos] + 1;
	}
	if (pos > len)
		return -1;
	for (int i = 0; i < layout.names; i++) {
		size_t name = name_check(rdata + pos, len - pos);
		if (name == 0)
			return -1;
		at[i] = (uint16_t)pos;
		pos += name;
	}
	if (layout.tail != ANY_TAIL && len - pos != layout.tail)
		return -1;
	return layout.names;
}

void rdata_lower(uint16_t type, uint8_t *rdata, size_t len)
{
	uint16_t at[RDATA_NAMES_MAX];
	int count = rdata_layout(type).is_lowered ? rdata_names(type, rdata, len, at) : 0;
	for (int i = 0; i < count; i++)
		name_lower(rdata + at[i], name_len(rdata + at[i]));
}

bool rrtype_is_meta(uint16_t type)
{
	return type == 0 || type == RRTYPE_OPT || (type >= 128 && type <= 255);
}

bool rrtype_is_single(uint16_t type)
{
	return type == RRTYPE_SOA || type == RRTYPE_CNAME || type == RRTYPE_DNAME;
}

static bool beside_cname(uint16_t type)
{
	return type == RRTYPE_CNAME || type == RRTYPE_RRSIG || type == RRTYPE_NSEC || type == RRTYPE_KEY ||
	       type == RRTYPE_SIG || type == RRTYPE_NXT;
}

bool rrtype_may_coexist(uint16_t a, uint16_t b)
{
	if (a != RRTYPE_CNAME && b != RRTYPE_CNAME)
		return true;
	return beside_cname(a) && beside_cname(b);
}
