/* SPDX-License-Identifier: Apache-2.0 */
/* dnstap messages. See dnstap_encode.h. */
#include "dnsd/tap/dnstap_encode.h"

#include <string.h>

#define MESSAGE_MAX (TAP_MESSAGES_MAX + 256)
#define NS_PER_S 1000000000

/* How a field is written, in the lowest bits of its key. */
enum wire { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Numbers of fields: of Dnstap, and of Message. */
enum { DNSTAP_IDENTITY = 1, DNSTAP_VERSION = 2, DNSTAP_MESSAGE = 14, DNSTAP_TYPE = 15 };
enum {
	MESSAGE_TYPE = 1,
	MESSAGE_SOCKET_FAMILY = 2,
	MESSAGE_SOCKET_PROTOCOL = 3,
	MESSAGE_QUERY_ADDRESS = 4,
	MESSAGE_QUERY_PORT = 6,
	MESSAGE_QUERY_TIME_SEC = 8,
	MESSAGE_QUERY_TIME_NSEC = 9,
	MESSAGE_QUERY_MESSAGE = 10,
	MESSAGE_RESPONSE_TIME_SEC = 12,
	MESSAGE_RESPONSE_TIME_NSEC = 13,
	MESSAGE_RESPONSE_MESSAGE = 14,
};
/* Values. */
enum { TYPE_MESSAGE = 1, FAMILY_INET = 1, FAMILY_INET6 = 2, PROTOCOL_UDP = 1, PROTOCOL_TCP = 2 };

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_putc(out, (char)(uint8_t)(value | 0x80));
	buf_putc(out, (char)(uint8_t)value);
}

static void put_number(struct buf *out, unsigned field, uint64_t value)
{
	put_varint(out, field << 3 | WIRE_VARINT);
	put_varint(out, value);
}

static void put_fixed32(struct buf *out, unsigned field, uint32_t value)
{
	const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
				  (uint8_t)(value >> 24)};
	put_varint(out, field << 3 | WIRE_FIXED32);
	buf_append(out, bytes, sizeof bytes);
}

static void put_bytes(struct buf *out, unsigned field, const void *data, size_t len)
{
	put_varint(out, field << 3 | WIRE_BYTES);
	put_varint(out, len);
	buf_append(out, data, len);
}

static void put_message(struct buf *out, enum dnstap_type type, const struct tap_record *r, const uint8_t *message,
			size_t len)
{
	uint64_t seconds = (uint64_t)(r->time_ns / NS_PER_S);
	uint32_t ns = (uint32_t)(r->time_ns % NS_PER_S);
	put_number(out, MESSAGE_TYPE, type);
	put_number(out, MESSAGE_SOCKET_FAMILY, r->client.is_ipv6 ? FAMILY_INET6 : FAMILY_INET);
	put_number(out, MESSAGE_SOCKET_PROTOCOL, r->is_tcp ? PROTOCOL_TCP : PROTOCOL_UDP);
	put_bytes(out, MESSAGE_QUERY_ADDRESS, r->client.address, r->client.is_ipv6 ? 16 : 4);
	put_number(out, MESSAGE_QUERY_PORT, r->client.port);
	put_number(out, MESSAGE_QUERY_TIME_SEC, seconds);
	put_fixed32(out, MESSAGE_QUERY_TIME_NSEC, ns);
	if (type == DNSTAP_AUTH_QUERY) {
		put_bytes(out, MESSAGE_QUERY_MESSAGE, message, len);
		return;
	}
	put_number(out, MESSAGE_RESPONSE_TIME_SEC, seconds);
	put_fixed32(out, MESSAGE_RESPONSE_TIME_NSEC, ns);
	put_bytes(out, MESSAGE_RESPONSE_MESSAGE, message, len);
}

void dnstap_encode(struct buf *out, enum dnstap_type type, const char *identity, const struct tap_record *record,
		   const uint8_t *message, size_t len)
{
	static const char version[] = "veer-dnsd " VEER_VERSION;
	struct buf inner;
	buf_init(&inner, MESSAGE_MAX);
	put_message(&inner, type, record, message, len);
	put_bytes(out, DNSTAP_IDENTITY, identity, strlen(identity));
	put_bytes(out, DNSTAP_VERSION, version, sizeof version - 1);
	put_bytes(out, DNSTAP_MESSAGE, inner.data, inner.len);
	put_number(out, DNSTAP_TYPE, TYPE_MESSAGE);
	out->failed = out->failed || inner.failed;
	buf_deinit(&inner);
}
