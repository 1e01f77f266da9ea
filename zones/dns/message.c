/* SPDX-License-Identifier: Apache-2.0 */
/* The message codec. See message.h. */
#include "zones/dns/message.h"

#include <stdio.h>

#define POINTER 0xc0 /* the two bits that make a length octet the first half of a pointer */

const char *dns_rcode_text(unsigned rcode)
{
	static const char *const names[] = {
		[DNS_NOERROR] = "NOERROR",     [DNS_FORMERR] = "FORMERR", [DNS_SERVFAIL] = "SERVFAIL",
		[DNS_NXDOMAIN] = "NXDOMAIN",   [DNS_NOTIMP] = "NOTIMP",   [DNS_REFUSED] = "REFUSED",
		[DNS_YXDOMAIN] = "YXDOMAIN",   [DNS_NOTAUTH] = "NOTAUTH", [DNS_BADVERS] = "BADVERS",
		[DNS_BADCOOKIE] = "BADCOOKIE",
	};
	return rcode < sizeof names / sizeof names[0] ? names[rcode] : NULL;
}

const char *dns_rcode_print(unsigned rcode, char out[DNS_RCODE_TEXT_SIZE])
{
	const char *text = dns_rcode_text(rcode);
	if (text != NULL)
		return text;
	(void)snprintf(out, DNS_RCODE_TEXT_SIZE, "RCODE%u", rcode);
	return out;
}

bool dns_name_skip(struct byte_reader *r)
{
	for (;;) {
		uint8_t len = byte_read_u8(r);
		if (r->failed)
			return false;
		if (len == 0)
			return true;
		if (len >= POINTER)
			return byte_read_span(r, 1) != NULL;
		if (len > NAME_LABEL_MAX || byte_read_span(r, len) == NULL)
			return false;
	}
}

/* Copy a label of `len` octets; false when the reader or the writer has failed. */
static bool copy_label(struct byte_reader *r, uint8_t len, struct byte_writer *w)
{
	byte_write_u8(w, len);
	const uint8_t *label = byte_read_span(r, len);
	if (label != NULL)
		byte_write_span(w, label, len);
	return label != NULL && !w->failed;
}

size_t dns_name_read(struct byte_reader *r, uint8_t out[NAME_WIRE_MAX])
{
	struct byte_reader at = *r;
	struct byte_writer w;
	size_t bound = (size_t)(r->pos - r->base);
	bool has_jumped = false;
	byte_writer_init(&w, out, NAME_WIRE_MAX);
	for (;;) {
		uint8_t len = byte_read_u8(&at);
		if (len >= POINTER) {
			size_t target = (size_t)(len - POINTER) << 8 | byte_read_u8(&at);
			if (!has_jumped)
				r->pos = at.pos;
			has_jumped = true;
			if (at.failed || target >= bound)
				break;
			bound = target;
			at.pos = at.base + target;
			continue;
		}
		if (at.failed || len > NAME_LABEL_MAX || !copy_label(&at, len, &w))
			break;
		if (len > 0)
			continue;
		if (!has_jumped)
			r->pos = at.pos;
		return byte_writer_len(&w);
	}
	r->failed = true;
	return 0;
}
