/* SPDX-License-Identifier: Apache-2.0 */
/* Transaction signatures. See tsig.h. */
#include "dnsd/packet/tsig.h"

#include <string.h>

#include "zones/dns/message.h"
#include "zones/dns/rdata.h"

#define ERROR_BADKEY 17
#define TIME_LEN 8 /* time signed and fudge */

bool tsig_read(struct tsig *tsig, const uint8_t *packet, size_t len, size_t at)
{
	struct byte_reader r, rdata;
	byte_reader_init(&r, packet, len);
	if (byte_read_span(&r, at) == NULL)
		return false;
	tsig->key_len = (uint8_t)dns_name_read(&r, tsig->key);
	uint16_t type = byte_read_u16(&r), class_ = byte_read_u16(&r);
	uint32_t ttl = byte_read_u32(&r);
	size_t rdata_len = byte_read_u16(&r);
	const uint8_t *data = byte_read_span(&r, rdata_len);
	if (data == NULL || type != RRTYPE_TSIG || class_ != DNS_CLASS_ANY || ttl != 0)
		return false;
	byte_reader_init(&rdata, data, rdata_len);
	tsig->algorithm = data;
	tsig->algorithm_len = (uint8_t)name_check(data, rdata_len);
	if (tsig->algorithm_len == 0)
		return false;
	(void)byte_read_span(&rdata, tsig->algorithm_len);
	tsig->time = byte_read_span(&rdata, TIME_LEN);
	(void)byte_read_span(&rdata, byte_read_u16(&rdata)); /* the MAC */
	tsig->id = byte_read_span(&rdata, 2);
	(void)byte_read_u16(&rdata);                         /* the error */
	(void)byte_read_span(&rdata, byte_read_u16(&rdata)); /* other data */
	return !rdata.failed && byte_reader_left(&rdata) == 0;
}

void tsig_write_badkey(const struct tsig *tsig, struct byte_writer *w)
{
	byte_write_span(w, tsig->key, tsig->key_len);
	byte_write_u16(w, RRTYPE_TSIG);
	byte_write_u16(w, DNS_CLASS_ANY);
	byte_write_u32(w, 0);
	byte_write_u16(w, (uint16_t)(tsig->algorithm_len + TIME_LEN + 8));
	byte_write_span(w, tsig->algorithm, tsig->algorithm_len);
	byte_write_span(w, tsig->time, TIME_LEN);
	byte_write_u16(w, 0); /* no MAC */
	byte_write_span(w, tsig->id, 2);
	byte_write_u16(w, ERROR_BADKEY);
	byte_write_u16(w, 0);
}
