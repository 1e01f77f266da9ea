/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/grpc_health.h"

#include <string.h>

#include "base/bytes.h"

/* Wire types of protocol buffers. */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LEN = 2, WIRE_32 = 5 };

enum { FIELD_SERVICE = 1, FIELD_STATUS = 1 };

static void write_varint(struct byte_writer *w, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		byte_write_u8(w, (uint8_t)(value | 0x80));
	byte_write_u8(w, (uint8_t)value);
}

size_t grpc_health_write(const char *service, uint8_t out[GRPC_REQUEST_MAX])
{
	struct byte_writer w;
	size_t len = strnlen(service, GRPC_SERVICE_MAX);
	byte_writer_init(&w, out, GRPC_REQUEST_MAX);
	byte_write_u8(&w, 0); /* flag: not compressed */
	byte_write_u32(&w, len == 0 ? 0 : (uint32_t)(len + (len < 0x80 ? 2 : 3)));
	if (len > 0) {
		byte_write_u8(&w, FIELD_SERVICE << 3 | WIRE_LEN);
		write_varint(&w, len);
		byte_write_span(&w, service, len);
	}
	return byte_writer_len(&w);
}

static uint64_t read_varint(struct byte_reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = byte_read_u8(r);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (r->failed || (byte & 0x80) == 0)
			return value;
	}
	r->failed = true; /* a number of more than ten bytes */
	return 0;
}

static void skip(struct byte_reader *r, unsigned wire_type)
{
	uint64_t len = 0;
	switch (wire_type) {
	case WIRE_VARINT:
		(void)read_varint(r);
		return;
	case WIRE_64:
		(void)byte_read_span(r, 8);
		return;
	case WIRE_32:
		(void)byte_read_span(r, 4);
		return;
	case WIRE_LEN:
		len = read_varint(r);
		if (len > byte_reader_left(r))
			r->failed = true;
		(void)byte_read_span(r, (size_t)len);
		return;
	default:
		r->failed = true;
	}
}

enum veer_err grpc_health_parse(const uint8_t *data, size_t len, uint64_t *status)
{
	struct byte_reader r;
	uint64_t found = GRPC_UNKNOWN;
	byte_reader_init(&r, data, len);
	uint8_t compressed = byte_read_u8(&r);
	uint32_t size = byte_read_u32(&r);
	if (r.failed || compressed != 0 || size != byte_reader_left(&r))
		return VEER_EINVAL;
	while (!r.failed && byte_reader_left(&r) > 0) {
		uint64_t tag = read_varint(&r);
		if (tag >> 3 == 0 || tag > UINT32_MAX)
			r.failed = true;
		else if (tag == (FIELD_STATUS << 3 | WIRE_VARINT))
			found = read_varint(&r);
		else
			skip(&r, (unsigned)(tag & 7));
	}
	if (r.failed)
		return VEER_EINVAL;
	*status = found;
	return VEER_OK;
}

const char *grpc_health_text(uint64_t status)
{
	static const char *const names[] = {
		[GRPC_UNKNOWN] = "UNKNOWN",
		[GRPC_SERVING] = "SERVING",
		[GRPC_NOT_SERVING] = "NOT_SERVING",
		[GRPC_SERVICE_UNKNOWN] = "SERVICE_UNKNOWN",
	};
	return status < sizeof names / sizeof names[0] ? names[status] : "another status";
}
