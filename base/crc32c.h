/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected; RFC 3720 appendix B.4 has test values): it protects files
 * against accidental damage, not against attackers.
 *
 * Threads: an initialised table may be read by all.
 */
#ifndef VEER_BASE_CRC32C_H
#define VEER_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tables for eight bytes at a time. In the caller's memory. */
struct crc32c {
	bool has_instruction; /* the processor computes it itself (x86-64 with SSE 4.2) */
	uint32_t table[8][256];
};

/* Fill in the tables; from then on any thread may read them. */
void crc32c_init(struct crc32c *tables);
/* The checksum of what `crc` covers (0: nothing) followed by `len` bytes. */
uint32_t crc32c_update(const struct crc32c *tables, uint32_t crc, const void *data, size_t len);

#endif
