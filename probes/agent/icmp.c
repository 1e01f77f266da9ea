/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/icmp.h"

#include <string.h>

#include "base/bytes.h"

enum { V4_REPLY = 0, V4_REQUEST = 8, V6_REQUEST = 128, V6_REPLY = 129, PROTOCOL_ICMP = 1 };

/* Compute the Internet checksum (RFC 1071); `len` must be even. */
static uint16_t checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void icmp_echo_write(const struct icmp_echo *echo, uint8_t out[ICMP_ECHO_BYTES])
{
	struct byte_writer w;
	byte_writer_init(&w, out, ICMP_ECHO_BYTES);
	byte_write_u8(&w, echo->is_v6 ? V6_REQUEST : V4_REQUEST);
	byte_write_u8(&w, 0);
	byte_write_u16(&w, 0);
	byte_write_u16(&w, echo->id);
	byte_write_u16(&w, echo->sequence);
	byte_write_span(&w, echo->token, ICMP_TOKEN_BYTES);
	if (!echo->is_v6)
		byte_write_u16_at(&w, 2, checksum(out, ICMP_ECHO_BYTES));
}

/* Skip the IPv4 header (RFC 791 3.1), which a raw socket delivers too. */
static void skip_ip(struct byte_reader *r)
{
	uint8_t first = byte_read_u8(r);
	size_t header = (size_t)(first & 0x0f) * 4;
	(void)byte_read_span(r, 8);
	uint8_t protocol = byte_read_u8(r);
	if (first >> 4 != 4 || header < 20 || protocol != PROTOCOL_ICMP)
		r->failed = true;
	(void)byte_read_span(r, header >= 10 ? header - 10 : 0);
}

bool icmp_echo_is_reply(const struct icmp_echo *echo, const uint8_t *data, size_t len)
{
	struct byte_reader r;
	byte_reader_init(&r, data, len);
	if (echo->is_raw && !echo->is_v6)
		skip_ip(&r);
	uint8_t type = byte_read_u8(&r);
	uint8_t code = byte_read_u8(&r);
	(void)byte_read_u16(&r); /* the kernel has checked the checksum */
	uint16_t id = byte_read_u16(&r);
	uint16_t sequence = byte_read_u16(&r);
	const uint8_t *token = byte_read_span(&r, ICMP_TOKEN_BYTES);
	if (token == NULL || type != (echo->is_v6 ? V6_REPLY : V4_REPLY) || code != 0)
		return false;
	return (!echo->is_raw || id == echo->id) && sequence == echo->sequence &&
	       memcmp(token, echo->token, ICMP_TOKEN_BYTES) == 0;
}
