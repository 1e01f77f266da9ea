/* SPDX-License-Identifier: Apache-2.0 */
/* EDNS(0) and the client subnet. See edns.h. */
#include "dnsd/edns.h"

#include <string.h>

#define OPTION_ECS 8
#define FLAG_DO 0x8000
#define TYPE_OPT 41

static size_t ecs_address_len(const struct edns_ecs *ecs)
{
	return (ecs->source_len + 7U) / 8;
}

/* RFC 7871 6 and 7.1.2. An unknown family is left alone: the option is then as if absent. */
static bool read_ecs(struct edns_ecs *ecs, const uint8_t *data, size_t len)
{
	struct byte_reader r;
	struct edns_ecs read = {.is_present = true};
	byte_reader_init(&r, data, len);
	read.family = byte_read_u16(&r);
	read.source_len = byte_read_u8(&r);
	uint8_t scope = byte_read_u8(&r);
	if (r.failed || scope != 0)
		return false;
	if (read.family != EDNS_ECS_IPV4 && read.family != EDNS_ECS_IPV6 && (read.family != 0 || read.source_len != 0))
		return true;
	if (read.source_len > (read.family == EDNS_ECS_IPV4 ? 32 : 128) ||
	    byte_reader_left(&r) != ecs_address_len(&read))
		return false;
	size_t address_len = byte_reader_left(&r);
	if (address_len > 0)
		memcpy(read.address, r.pos, address_len);
	unsigned rest = read.source_len % 8;
	if (rest != 0 && (read.address[address_len - 1] & (0xff >> rest)) != 0)
		return false;
	*ecs = read;
	return true;
}

bool edns_read(struct edns *edns, struct byte_reader *r)
{
	struct edns read = {.is_present = true};
	read.udp_size = byte_read_u16(r);
	read.extended_rcode = byte_read_u8(r);
	read.version = byte_read_u8(r);
	read.wants_dnssec = (byte_read_u16(r) & FLAG_DO) != 0;
	size_t len = byte_read_u16(r);
	const uint8_t *data = byte_read_span(r, len);
	if (data == NULL)
		return false;
	/* known from here on: a reply to malformed options has an OPT record too (RFC 6891 7) */
	*edns = read;
	if (read.version != 0)
		return true; /* BADVERS, whatever options mean there */
	struct byte_reader options;
	byte_reader_init(&options, data, len);
	while (byte_reader_left(&options) > 0) {
		uint16_t code = byte_read_u16(&options);
		size_t option_len = byte_read_u16(&options);
		const uint8_t *option = byte_read_span(&options, option_len);
		if (option == NULL)
			return false;
		if (code == OPTION_ECS && !read.ecs.is_present && !read_ecs(&read.ecs, option, option_len))
			return false;
	}
	*edns = read;
	return true;
}

static size_t options_len(const struct edns *edns)
{
	return edns->ecs.is_present ? 8 + ecs_address_len(&edns->ecs) : 0;
}

size_t edns_reply_len(const struct edns *edns)
{
	return edns->is_present ? EDNS_OPT_LEN + options_len(edns) : 0;
}

void edns_write(const struct edns *edns, unsigned rcode, uint8_t scope, struct byte_writer *w)
{
	byte_write_u8(w, 0);
	byte_write_u16(w, TYPE_OPT);
	byte_write_u16(w, EDNS_UDP_SIZE);
	byte_write_u8(w, (uint8_t)(rcode >> 4));
	byte_write_u8(w, 0);
	byte_write_u16(w, edns->wants_dnssec ? FLAG_DO : 0);
	byte_write_u16(w, (uint16_t)options_len(edns));
	if (!edns->ecs.is_present)
		return;
	byte_write_u16(w, OPTION_ECS);
	byte_write_u16(w, (uint16_t)(4 + ecs_address_len(&edns->ecs)));
	byte_write_u16(w, edns->ecs.family);
	byte_write_u8(w, edns->ecs.source_len);
	byte_write_u8(w, scope);
	byte_write_span(w, edns->ecs.address, ecs_address_len(&edns->ecs));
}
