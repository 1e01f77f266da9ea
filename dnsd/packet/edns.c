/* SPDX-License-Identifier: Apache-2.0 */
/* EDNS(0) and its options. See edns.h. */
#include "dnsd/packet/edns.h"

#include <string.h>

#define OPTION_NSID 3
#define OPTION_ECS 8
#define OPTION_COOKIE 10
#define OPTION_KEEPALIVE 11
#define OPTION_ERROR 15
#define FLAG_DO 0x8000
#define TYPE_OPT 41

static size_t ecs_address_len(const struct edns_ecs *ecs)
{
	return (ecs->source_len + 7U) / 8;
}

/* RFC 7871 6 and 7.1.2. An option of an unknown family is ignored, as if it were absent. */
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

/* The first cookie counts (RFC 7873 5.2). */
static bool read_cookie(struct edns *edns, const uint8_t *data, size_t len)
{
	if (edns->cookie_len > 0)
		return true;
	if (len != COOKIE_CLIENT_LEN &&
	    (len < COOKIE_CLIENT_LEN + COOKIE_SERVER_MIN || len > COOKIE_CLIENT_LEN + COOKIE_SERVER_MAX))
		return false;
	edns->cookie = data;
	edns->cookie_len = (uint8_t)len;
	return true;
}

static bool read_option(struct edns *edns, uint16_t code, const uint8_t *data, size_t len)
{
	switch (code) {
	case OPTION_NSID:
		edns->wants_nsid = true;
		return true;
	case OPTION_ECS:
		return edns->ecs.is_present || read_ecs(&edns->ecs, data, len);
	case OPTION_COOKIE:
		return read_cookie(edns, data, len);
	case OPTION_KEEPALIVE:
		edns->wants_keepalive = true;
		return true;
	default: /* RFC 6891 6.1.2 */
		return true;
	}
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
	/*
	 * from here on the OPT record counts as present: a reply to malformed options has an OPT record too (RFC 6891
	 * 7)
	 */
	*edns = read;
	if (read.version != 0)
		return true; /* the reply is BADVERS; options of that version are not parsed */
	struct byte_reader options;
	byte_reader_init(&options, data, len);
	while (byte_reader_left(&options) > 0) {
		uint16_t code = byte_read_u16(&options);
		size_t option_len = byte_read_u16(&options);
		const uint8_t *option = byte_read_span(&options, option_len);
		if (option == NULL || !read_option(&read, code, option, option_len))
			return false;
	}
	*edns = read;
	return true;
}

#define OPTION_HEAD 4 /* code and length */

static size_t options_len(const struct edns *edns)
{
	const struct edns_reply *reply = &edns->reply;
	size_t len = 0;
	if (edns->ecs.is_present)
		len += OPTION_HEAD + 4 + ecs_address_len(&edns->ecs);
	if (reply->nsid != NULL)
		len += OPTION_HEAD + reply->nsid_len;
	if (reply->has_cookie)
		len += OPTION_HEAD + COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN;
	if (reply->keepalive != 0)
		len += OPTION_HEAD + 2;
	if (reply->error != EDNS_ERROR_NONE)
		len += OPTION_HEAD + 2;
	return len;
}

size_t edns_reply_len(const struct edns *edns)
{
	return edns->is_present ? EDNS_OPT_LEN + options_len(edns) : 0;
}

static void write_head(struct byte_writer *w, uint16_t code, size_t len)
{
	byte_write_u16(w, code);
	byte_write_u16(w, (uint16_t)len);
}

static void write_ecs(const struct edns_ecs *ecs, uint8_t scope, struct byte_writer *w)
{
	write_head(w, OPTION_ECS, 4 + ecs_address_len(ecs));
	byte_write_u16(w, ecs->family);
	byte_write_u8(w, ecs->source_len);
	byte_write_u8(w, scope);
	byte_write_span(w, ecs->address, ecs_address_len(ecs));
}

static void write_reply(const struct edns *edns, struct byte_writer *w)
{
	const struct edns_reply *reply = &edns->reply;
	if (reply->nsid != NULL) {
		write_head(w, OPTION_NSID, reply->nsid_len);
		byte_write_span(w, reply->nsid, reply->nsid_len);
	}
	if (reply->has_cookie) {
		write_head(w, OPTION_COOKIE, COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN);
		byte_write_span(w, edns->cookie, COOKIE_CLIENT_LEN);
		byte_write_span(w, reply->cookie, COOKIE_SERVER_LEN);
	}
	if (reply->keepalive != 0) {
		write_head(w, OPTION_KEEPALIVE, 2);
		byte_write_u16(w, reply->keepalive);
	}
	if (reply->error != EDNS_ERROR_NONE) {
		write_head(w, OPTION_ERROR, 2);
		byte_write_u16(w, (uint16_t)reply->error);
	}
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
	if (edns->ecs.is_present)
		write_ecs(&edns->ecs, scope, w);
	write_reply(edns, w);
}
