/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

void byte_reader_init(struct byte_reader *r, const void *data, size_t len)
{
	r->base = data;
	r->pos = data;
	/* NULL + 0 is fine for a caller with nothing to read, but not as pointer arithmetic. */
	r->end = len > 0 ? (const uint8_t *)data + len : data;
	r->failed = false;
}

size_t byte_reader_left(const struct byte_reader *r)
{
	return (size_t)(r->end - r->pos);
}

const uint8_t *byte_read_span(struct byte_reader *r, size_t len)
{
	if (r->failed || len > byte_reader_left(r)) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *at = r->pos;
	if (len > 0)
		r->pos += len;
	return at;
}

static uint64_t read_be(struct byte_reader *r, size_t len)
{
	uint64_t value = 0;
	const uint8_t *at = byte_read_span(r, len);
	if (at == NULL)
		return 0;
	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t byte_read_u8(struct byte_reader *r)
{
	return (uint8_t)read_be(r, 1);
}

uint16_t byte_read_u16(struct byte_reader *r)
{
	return (uint16_t)read_be(r, 2);
}

uint32_t byte_read_u32(struct byte_reader *r)
{
	return (uint32_t)read_be(r, 4);
}

uint64_t byte_read_u64(struct byte_reader *r)
{
	return read_be(r, 8);
}

void byte_writer_init(struct byte_writer *w, void *data, size_t size)
{
	w->base = data;
	w->pos = data;
	w->end = size > 0 ? (uint8_t *)data + size : data;
	w->failed = false;
}

size_t byte_writer_len(const struct byte_writer *w)
{
	return (size_t)(w->pos - w->base);
}

size_t byte_writer_left(const struct byte_writer *w)
{
	return (size_t)(w->end - w->pos);
}

void byte_write_span(struct byte_writer *w, const void *data, size_t len)
{
	if (w->failed || len > byte_writer_left(w)) {
		w->failed = true;
		return;
	}
	if (len > 0) {
		memcpy(w->pos, data, len);
		w->pos += len;
	}
}

static void put_be(uint8_t *out, uint64_t value, size_t len)
{
	for (size_t i = len; i-- > 0; value >>= 8)
		out[i] = (uint8_t)value;
}

static void write_be(struct byte_writer *w, uint64_t value, size_t len)
{
	uint8_t bytes[8];
	put_be(bytes, value, len);
	byte_write_span(w, bytes, len);
}

void byte_write_u8(struct byte_writer *w, uint8_t value)
{
	write_be(w, value, 1);
}

void byte_write_u16(struct byte_writer *w, uint16_t value)
{
	write_be(w, value, 2);
}

void byte_write_u32(struct byte_writer *w, uint32_t value)
{
	write_be(w, value, 4);
}

void byte_write_u64(struct byte_writer *w, uint64_t value)
{
	write_be(w, value, 8);
}

void byte_write_u16_at(struct byte_writer *w, size_t at, uint16_t value)
{
	size_t len = byte_writer_len(w);
	if (w->failed || len < 2 || at > len - 2) {
		w->failed = true;
		return;
	}
	put_be(w->base + at, value, 2);
}
