/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"

#include <string.h>

enum { POLYNOMIAL_REFLECTED = (int)0x82F63B78 };

#ifdef __x86_64__
#define HAS_INSTRUCTION (__builtin_cpu_supports("sse4.2") != 0)
/* Process eight bytes per instruction and return how many bytes were processed. */
__attribute__((target("sse4.2"))) static size_t update_by_instruction(uint32_t *crc, const uint8_t *p, size_t len)
{
	uint64_t value = *crc;
	size_t at = 0;
	for (; len - at >= 8; at += 8) {
		uint64_t word;
		memcpy(&word, p + at, 8);
		value = __builtin_ia32_crc32di(value, word);
	}
	*crc = (uint32_t)value;
	return at;
}
#else
#define HAS_INSTRUCTION false
static size_t update_by_instruction(uint32_t *crc, const uint8_t *p, size_t len)
{
	(void)crc, (void)p, (void)len;
	return 0;
}
#endif

void crc32c_init(struct crc32c *tables)
{
	tables->has_instruction = HAS_INSTRUCTION;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? (uint32_t)POLYNOMIAL_REFLECTED : 0);
		tables->table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			tables->table[k][i] =
				tables->table[k - 1][i] >> 8 ^ tables->table[0][tables->table[k - 1][i] & 0xff];
}

uint32_t crc32c_update(const struct crc32c *tables, uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	crc = ~crc;
	if (tables->has_instruction) {
		size_t taken = update_by_instruction(&crc, p, len);
		p += taken;
		len -= taken;
	}
	for (; len >= 8; len -= 8, p += 8) {
		uint32_t low =
			crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
		crc = tables->table[7][low & 0xff] ^ tables->table[6][low >> 8 & 0xff] ^
		      tables->table[5][low >> 16 & 0xff] ^ tables->table[4][low >> 24] ^ tables->table[3][p[4]] ^
		      tables->table[2][p[5]] ^ tables->table[1][p[6]] ^ tables->table[0][p[7]];
	}
	for (; len > 0; len--)
		crc = crc >> 8 ^ tables->table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}
