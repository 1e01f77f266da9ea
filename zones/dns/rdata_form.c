/* SPDX-License-Identifier: Apache-2.0 */
/* The table of types. See rdata_form.h. */
#include "zones/dns/rdata_form.h"

#include <string.h>

/*
 * In the order of their numbers. A type that is stored by its name keeps that name for ever, because keys in the store
 * contain it (rrset_key_print()). A type that gets a name later is therefore an alias. OPT and 249 to 255 are listed
 * only so that they can be refused.
 */
static const struct rdata_form forms[] = {
	{1, false, "A", {FIELD_IPV4}},
	{2, false, "NS", {FIELD_NAME}},
	{3, false, "MD", {FIELD_NAME}},
	{4, false, "MF", {FIELD_NAME}},
	{5, false, "CNAME", {FIELD_NAME}},
	{6, false, "SOA", {FIELD_NAME, FIELD_NAME, FIELD_U32, FIELD_PERIOD, FIELD_PERIOD, FIELD_PERIOD, FIELD_PERIOD}},
	{7, false, "MB", {FIELD_NAME}},
	{8, false, "MG", {FIELD_NAME}},
	{9, false, "MR", {FIELD_NAME}},
	{10, false, "NULL", {FIELD_NONE}},
	{11, false, "WKS", {FIELD_SERVICES}},
	{12, false, "PTR", {FIELD_NAME}},
	{13, false, "HINFO", {FIELD_STRING, FIELD_STRING}},
	{14, false, "MINFO", {FIELD_NAME, FIELD_NAME}},
	{15, false, "MX", {FIELD_U16, FIELD_NAME}},
	{16, false, "TXT", {FIELD_STRINGS}},
	{17, false, "RP", {FIELD_NAME, FIELD_NAME}},
	{18, false, "AFSDB", {FIELD_U16, FIELD_NAME}},
	{19, false, "X25", {FIELD_DIGITS}},
	{20, false, "ISDN", {FIELD_STRING, FIELD_STRING_OR_NONE}},
	{21, false, "RT", {FIELD_U16, FIELD_NAME}},
	{22, false, "NSAP", {FIELD_NSAP}},
	{23, false, "NSAP-PTR", {FIELD_NAME}},
	{24,
	 false,
	 "SIG",
	 {FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_U32, FIELD_TIME, FIELD_TIME, FIELD_U16, FIELD_NAME,
	  FIELD_BASE64}},
	{25, false, "KEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_KEY}},
	{26, false, "PX", {FIELD_U16, FIELD_NAME, FIELD_NAME}},
	{27, false, "GPOS", {FIELD_STRING, FIELD_STRING, FIELD_STRING}},
	{28, false, "AAAA", {FIELD_IPV6}},
	{29, false, "LOC", {FIELD_LOCATION}},
	{30, false, "NXT", {FIELD_NAME, FIELD_OLD_TYPES}},
	{31, false, "EID", {FIELD_HEX}},
	{32, false, "NIMLOC", {FIELD_HEX}},
	{33, false, "SRV", {FIELD_U16, FIELD_U16, FIELD_U16, FIELD_NAME}},
	{34, false, "ATMA", {FIELD_ATMA}},
	{35, false, "NAPTR", {FIELD_U16, FIELD_U16, FIELD_STRING, FIELD_STRING, FIELD_STRING, FIELD_NAME}},
	{36, false, "KX", {FIELD_U16, FIELD_NAME}},
	{37, false, "CERT", {FIELD_CERT_TYPE, FIELD_U16, FIELD_ALGORITHM, FIELD_BASE64}},
	{38, false, "A6", {FIELD_A6}},
	{39, false, "DNAME", {FIELD_NAME}},
	{40, false, "SINK", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_BASE64_OR_NONE}},
	{41, false, "OPT", {FIELD_NONE}},
	{42, false, "APL", {FIELD_PREFIXES}},
	{43, false, "DS", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST}},
	{44, false, "SSHFP", {FIELD_U8, FIELD_FINGERPRINT}},
	{45, false, "IPSECKEY", {FIELD_IPSECKEY}},
	{46,
	 false,
	 "RRSIG",
	 {FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_U32, FIELD_TIME, FIELD_TIME, FIELD_U16, FIELD_NAME,
	  FIELD_BASE64}},
	{47, false, "NSEC", {FIELD_NAME, FIELD_SOME_TYPES}},
	{48, false, "DNSKEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64}},
	{49, false, "DHCID", {FIELD_BASE64}},
	{50, false, "NSEC3", {FIELD_U8, FIELD_U8, FIELD_U16, FIELD_SALT, FIELD_HASH, FIELD_TYPES}},
	{51, false, "NSEC3PARAM", {FIELD_U8, FIELD_U8, FIELD_U16, FIELD_SALT}},
	{52, false, "TLSA", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX}},
	{53, false, "SMIMEA", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX}},
	{55, false, "HIP", {FIELD_HIP}},
	{56, true, "NINFO", {FIELD_STRINGS}},
	{58, false, "TALINK", {FIELD_NAME, FIELD_NAME}},
	{59, false, "CDS", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST}},
	{60, false, "CDNSKEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64}},
	{61, false, "OPENPGPKEY", {FIELD_BASE64}},
	{62, false, "CSYNC", {FIELD_U32, FIELD_U16, FIELD_TYPES}},
	{63, false, "ZONEMD", {FIELD_U32, FIELD_ZONEMD}},
	{64, false, "SVCB", {FIELD_U16, FIELD_NAME, FIELD_PARAMS}},
	{65, false, "HTTPS", {FIELD_U16, FIELD_NAME, FIELD_PARAMS}},
	{99, false, "SPF", {FIELD_STRINGS}},
	{104, false, "NID", {FIELD_U16, FIELD_LOCATOR}},
	{105, false, "L32", {FIELD_U16, FIELD_IPV4}},
	{106, false, "L64", {FIELD_U16, FIELD_LOCATOR}},
	{107, false, "LP", {FIELD_U16, FIELD_NAME}},
	{108, false, "EUI48", {FIELD_EUI48}},
	{109, false, "EUI64", {FIELD_EUI64}},
	{249, false, "TKEY", {FIELD_NONE}},
	{250, false, "TSIG", {FIELD_NONE}},
	{251, false, "IXFR", {FIELD_NONE}},
	{252, false, "AXFR", {FIELD_NONE}},
	{253, false, "MAILB", {FIELD_NONE}},
	{254, false, "MAILA", {FIELD_NONE}},
	{255, false, "ANY", {FIELD_NONE}},
	{256, false, "URI", {FIELD_U16, FIELD_U16, FIELD_TEXT}},
	{257, false, "CAA", {FIELD_U8, FIELD_TAG, FIELD_TEXT}},
	{258, true, "AVC", {FIELD_STRINGS}},
	{260, true, "AMTRELAY", {FIELD_AMTRELAY}},
	{261, true, "RESINFO", {FIELD_STRINGS}},
	{32768, true, "TA", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST}},
	{32769, false, "DLV", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST}},
};

#define FORM_COUNT (sizeof forms / sizeof forms[0])

const struct rdata_form *rdata_form_of(uint16_t type)
{
	size_t low = 0, high = FORM_COUNT;
	if (type >= 1 && type <= 53) /* the first 53 types have no gap */
		return &forms[type - 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (forms[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return low < FORM_COUNT && forms[low].type == type ? &forms[low] : NULL;
}

const struct rdata_form *rdata_form_named(const char *name, size_t len)
{
	if (len == 0 || len >= sizeof forms[0].name)
		return NULL;
	for (size_t i = 0; i < FORM_COUNT; i++)
		if (forms[i].name[len] == '\0' && strlen(forms[i].name) == len &&
		    strncasecmp(forms[i].name, name, len) == 0)
			return &forms[i];
	return NULL;
}
