/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded reading and writing of bytes with a sticky error: read or write as if nothing could fail, then
 * look at `failed` once. A failed reader yields zeros and does not move; a failed writer writes nothing more.
 * All multi-byte numbers are in network order (big endian) unless the name ends in `_le`.
 *
 * Threads: a reader or writer belongs to one thread. Nothing here allocates.
 */
#ifndef VEER_BASE_BYTES_H
#define VEER_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	bool failed; /* something did not fit: the content up to `pos` is whole, but not complete */
};

/* Read `len` bytes at `data`, which stay borrowed. */
void byte_reader_init(struct byte_reader *r, const void *data, size_t len);
/* How many bytes are left. */
size_t byte_reader_left(const struct byte_reader *r);
/* The next byte; 0 after a failure, as with all that follow. */
uint8_t byte_read_u8(struct byte_reader *r);
/* The next two bytes. */
uint16_t byte_read_u16(struct byte_reader *r);
/* The next four bytes. */
uint32_t byte_read_u32(struct byte_reader *r);
/* The next eight bytes. */
uint64_t byte_read_u64(struct byte_reader *r);
/* `len` bytes in place (borrowed from the reader's memory), or NULL when fewer are left. */
const uint8_t *byte_read_span(struct byte_reader *r, size_t len);

/* Write into `size` bytes at `data`, which stay borrowed. */
void byte_writer_init(struct byte_writer *w, void *data, size_t size);
/* How many bytes are written. */
size_t byte_writer_len(const struct byte_writer *w);
/* How many bytes still fit. */
size_t byte_writer_left(const struct byte_writer *w);
/* One byte; nothing after a failure, as with all that follow. */
void byte_write_u8(struct byte_writer *w, uint8_t value);
/* Two bytes. */
void byte_write_u16(struct byte_writer *w, uint16_t value);
/* Four bytes. */
void byte_write_u32(struct byte_writer *w, uint32_t value);
/* Eight bytes. */
void byte_write_u64(struct byte_writer *w, uint64_t value);
/* `len` bytes, or none of them. */
void byte_write_span(struct byte_writer *w, const void *data, size_t len);
/* Overwrite two bytes written earlier, at offset `at` from the base. Fails when they were not written yet. */
void byte_write_u16_at(struct byte_writer *w, size_t at, uint16_t value);

#endif
