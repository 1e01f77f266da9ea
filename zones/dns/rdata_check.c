/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold within RDATA. See rdata_check.h. */
#include "zones/dns/rdata_check.h"

#include "zones/dns/name.h"
#include "zones/dns/rdata.h"

/* Keys of service parameters (RFC 9460 14.3.2, RFC 9540 7.1). */
enum {
	PARAM_MANDATORY,
	PARAM_ALPN,
	PARAM_NO_DEFAULT_ALPN,
	PARAM_PORT,
	PARAM_IPV4HINT,
	PARAM_ECH,
	PARAM_IPV6HINT,
	PARAM_OHTTP = 8
};

#define LOC_OCTETS 16
#define LOC_EQUATOR UINT32_C(0x80000000)
#define DEGREE_MS UINT32_C(3600000) /* one degree in thousandths of a second of arc */

static uint16_t u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)u16(p) << 16 | u16(p + 2);
}

/* --- SVCB and HTTPS --------------------------------------------------------------------------------------- */

struct param {
	uint16_t key;
	uint16_t len;
	const uint8_t *value;
};

/* Read the next parameter at `*at`. False at the end, and also, with `*ok` false, when the parameter is incomplete. */
static bool next_param(const uint8_t **at, const uint8_t *end, struct param *out, bool *ok)
{
	if (*at == end)
		return false;
	*ok = end - *at >= 4 && end - *at - 4 >= u16(*at + 2);
	if (!*ok)
		return false;
	*out = (struct param){.key = u16(*at), .len = u16(*at + 2), .value = *at + 4};
	*at += 4 + out->len;
	return true;
}

static bool has_param(const uint8_t *at, const uint8_t *end, uint16_t key)
{
	struct param p;
	bool ok = true;
	while (next_param(&at, end, &p, &ok))
		if (p.key == key)
			return true;
	return false;
}

/* RFC 9460 8: the listed keys are present, in rising order, and "mandatory" itself is not among them. */
static bool is_mandatory_fit(const struct param *list, const uint8_t *params, const uint8_t *end)
{
	uint16_t before = PARAM_MANDATORY;
	for (size_t i = 0; i + 1 < list->len; i += 2) {
		uint16_t key = u16(list->value + i);
		if (key <= before || !has_param(params, end, key))
			return false;
		before = key;
	}
	return list->len > 0 && list->len % 2 == 0;
}

/* RFC 9460 7.1.1: at least one name, each of 1 to 255 octets. */
static bool is_alpn_fit(const struct param *p)
{
	size_t at = 0;
	while (at < p->len && p->value[at] > 0)
		at += (size_t)p->value[at] + 1;
	return p->len > 0 && at == p->len;
}

static bool is_param_fit(const struct param *p, const uint8_t *params, const uint8_t *end, const char **what)
{
	switch (p->key) {
	case PARAM_MANDATORY:
		*what = "\"mandatory\" names a key twice, itself, or one that is not there";
		return is_mandatory_fit(p, params, end);
	case PARAM_ALPN:
		*what = "\"alpn\" needs identifiers of 1 to 255 octets";
		return is_alpn_fit(p);
	case PARAM_NO_DEFAULT_ALPN:
		*what = "\"no-default-alpn\" has no value, and needs \"alpn\"";
		return p->len == 0 && has_param(params, end, PARAM_ALPN);
	case PARAM_PORT:
		*what = "\"port\" needs one number";
		return p->len == 2;
	case PARAM_IPV4HINT:
		*what = "\"ipv4hint\" needs addresses";
		return p->len > 0 && p->len % 4 == 0;
	case PARAM_IPV6HINT:
		*what = "\"ipv6hint\" needs addresses";
		return p->len > 0 && p->len % 16 == 0;
	case PARAM_OHTTP:
		*what = "\"ohttp\" has no value"; /* RFC 9540 4 */
		return p->len == 0;
	default:
		return true;
	}
}

/* RFC 9460 2.2: keys rise, and each value has the form of its key. */
static bool check_service(const uint8_t *rdata, size_t len, const char **what)
{
	const uint8_t *end = rdata + len, *params = rdata + 2 + name_len(rdata + 2), *at = params;
	struct param p;
	bool ok = true, is_first = true;
	uint16_t before = 0;
	while (next_param(&at, end, &p, &ok)) {
		*what = "the keys of the parameters are not in rising order";
		if ((!is_first && p.key <= before) || !is_param_fit(&p, params, end, what))
			return false;
		before = p.key;
		is_first = false;
	}
	*what = "a parameter is cut";
	return ok;
}

/* --- APL and LOC ------------------------------------------------------------------------------------------ */

/* RFC 3123 4: a family's prefixes are no longer than its addresses. */
static bool check_prefixes(const uint8_t *rdata, size_t len, const char **what)
{
	size_t at = 0;
	*what = "a prefix is longer than the addresses of its family, or an item is cut";
	while (at + 4 <= len) {
		uint16_t family = u16(rdata + at);
		uint8_t octets = rdata[at + 3] & 0x7f;
		unsigned bits = family == 1 ? 32 : family == 2 ? 128 : 255;
		if (rdata[at + 2] > bits || (family <= 2 && octets > bits / 8))
			return false;
		at += 4 + (size_t)octets;
	}
	return at == len;
}

/* RFC 1876 2: a base and a power of ten, each from 0 to 9, in four bits each. */
static bool is_loc_size(uint8_t octet)
{
	return octet >> 4 <= 9 && (octet & 15) <= 9;
}

static bool is_angle(uint32_t value, uint32_t degrees)
{
	return value >= LOC_EQUATOR - degrees * DEGREE_MS && value <= LOC_EQUATOR + degrees * DEGREE_MS;
}

static bool check_location(const uint8_t *rdata, size_t len, const char **what)
{
	*what = "a location out of range";
	if (len == 0 || rdata[0] != 0) /* other versions have another form */
		return len > 0;
	return len == LOC_OCTETS && is_loc_size(rdata[1]) && is_loc_size(rdata[2]) && is_loc_size(rdata[3]) &&
	       is_angle(u32(rdata + 4), 90) && is_angle(u32(rdata + 8), 180);
}

bool rdata_check(uint16_t type, const uint8_t *rdata, size_t len, const char **what)
{
	switch (type) {
	case RRTYPE_SVCB:
	case RRTYPE_HTTPS:
		return check_service(rdata, len, what);
	case RRTYPE_APL:
		return check_prefixes(rdata, len, what);
	case RRTYPE_LOC:
		return check_location(rdata, len, what);
	default:
		return true;
	}
}
