/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded reading and writing of bytes with a sticky error: read or write as if nothing could fail, then look at
 * `failed` once. A failed reader yields zeros and does not move; a failed writer writes nothing more.
 * All multi-byte numbers are in network order (big endian) unless the name ends in `_le`.
 *
 * All functions are inline, because the packet path uses them. Threads: a reader or writer belongs to one thread.
 * Nothing here allocates.
 */
#ifndef VEER_BASE_BYTES_H
#define VEER_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads from borrowed memory [base, end); `pos` is the next byte. */
struct byte_reader {
	const uint8_t *base;
	const uint8_t *pos;
	const uint8_t *end;
	bool failed; /* a read went past the end, or the caller found the content wrong */
};

/* Writes into borrowed memory [base, end); `pos` is the next free byte. */
struct byte_writer {
	uint8_t *base;
	uint8_t *pos;
	uint8_t *end;
	bool failed; /* something did not fit: what was written before `pos` is intact, but the rest is missing */
};

/* Read `len` bytes at `data`, which stay borrowed. */
static inline void byte_reader_init(struct byte_reader *r, const void *data, size_t len)
{
	r->base = (const uint8_t *)data;
	r->pos = r->base;
	/* a caller with nothing to read may pass NULL, but NULL + 0 is undefined as pointer arithmetic */
	r->end = len > 0 ? r->base + len : r->base;
	r->failed = false;
}

/* How many bytes are left. */
static inline size_t byte_reader_left(const struct byte_reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* `len` bytes in place (borrowed from the reader's memory), or NULL when fewer are left. */
static inline const uint8_t *byte_read_span(struct byte_reader *r, size_t len)
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

/* The next `len` bytes, at most 8, as one number. After a failure this function and all readers below return 0. */
static inline uint64_t byte_read_number(struct byte_reader *r, size_t len)
{
	uint64_t value = 0;
	const uint8_t *at = byte_read_span(r, len);
	if (at == NULL)
		return 0;
	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

/* The next byte. */
static inline uint8_t byte_read_u8(struct byte_reader *r)
{
	return (uint8_t)byte_read_number(r, 1);
}

/* The next two bytes. */
static inline uint16_t byte_read_u16(struct byte_reader *r)
{
	return (uint16_t)byte_read_number(r, 2);
}

/* The next four bytes. */
static inline uint32_t byte_read_u32(struct byte_reader *r)
{
	return (uint32_t)byte_read_number(r, 4);
}

/* The next eight bytes. */
static inline uint64_t byte_read_u64(struct byte_reader *r)
{
	return byte_read_number(r, 8);
}

/* Write into `size` bytes at `data`, which stay borrowed. */
static inline void byte_writer_init(struct byte_writer *w, void *data, size_t size)
{
	w->base = (uint8_t *)data;
	w->pos = w->base;
	w->end = size > 0 ? w->base + size : w->base;
	w->failed = false;
}

/* How many bytes are written. */
static inline size_t byte_writer_len(const struct byte_writer *w)
{
	return (size_t)(w->pos - w->base);
}

/* How many bytes still fit. */
static inline size_t byte_writer_left(const struct byte_writer *w)
{
	return (size_t)(w->end - w->pos);
}

/*
 * Write `len` bytes, or none of them if they do not fit. After a failure this function and all writers below write
 * nothing.
 */
static inline void byte_write_span(struct byte_writer *w, const void *data, size_t len)
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

/* Write the lowest `len` bytes, at most 8, of a number. */
static inline void byte_write_number(struct byte_writer *w, uint64_t value, size_t len)
{
	if (w->failed || len > byte_writer_left(w)) {
		w->failed = true;
		return;
	}
	for (size_t i = len; i-- > 0; value >>= 8)
		w->pos[i] = (uint8_t)value;
	w->pos += len;
}

/* One byte. */
static inline void byte_write_u8(struct byte_writer *w, uint8_t value)
{
	byte_write_number(w, value, 1);
}

/* Two bytes. */
static inline void byte_write_u16(struct byte_writer *w, uint16_t value)
{
	byte_write_number(w, value, 2);
}

/* Four bytes. */
static inline void byte_write_u32(struct byte_writer *w, uint32_t value)
{
	byte_write_number(w, value, 4);
}

/* Eight bytes. */
static inline void byte_write_u64(struct byte_writer *w, uint64_t value)
{
	byte_write_number(w, value, 8);
}

/* Overwrite two bytes written earlier, at offset `at` from the base. Fails when they were not written yet. */
static inline void byte_write_u16_at(struct byte_writer *w, size_t at, uint16_t value)
{
	size_t len = byte_writer_len(w);
	if (w->failed || len < 2 || at > len - 2) {
		w->failed = true;
		return;
	}
	w->base[at] = (uint8_t)(value >> 8);
	w->base[at + 1] = (uint8_t)value;
}

#endif
