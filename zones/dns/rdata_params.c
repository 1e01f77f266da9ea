/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of SVCB and HTTPS (RFC 9460 2.1, appendix A), read and printed. See rdata_impl.h. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "zones/dns/rdata_impl.h"

/* Keys (RFC 9460 14.3.2, RFC 9461, RFC 9540). */
enum {
	KEY_MANDATORY,
	KEY_ALPN,
	KEY_NO_DEFAULT_ALPN,
	KEY_PORT,
	KEY_IPV4HINT,
	KEY_ECH,
	KEY_IPV6HINT,
	KEY_DOHPATH,
	KEY_OHTTP,
	KEY_COUNT
};

#define PARAMS_MAX 256

static const char *const key_names[KEY_COUNT] = {"mandatory", "alpn",     "no-default-alpn", "port", "ipv4hint",
						 "ech",       "ipv6hint", "dohpath",         "ohttp"};

/* --- reading ---------------------------------------------------------------------------------------------- */

/* Read a key by its name, or as "key667" without leading zeros, as its number. */
static bool read_key(const char *text, size_t len, uint32_t *out)
{
	for (uint32_t i = 0; i < KEY_COUNT; i++)
		if (strlen(key_names[i]) == len && strncmp(key_names[i], text, len) == 0) {
			*out = i;
			return true;
		}
	return len > 3 && strncmp(text, "key", 3) == 0 && (text[3] != '0' || len == 4) &&
	       rdata_number(text + 3, len - 3, UINT16_MAX, out);
}

/* A parameter as it stands in the text. */
struct param {
	const char *key;
	size_t key_len;
	struct rdata_word value;
	bool has_value; /* there is an "=" */
};

/* KEY, KEY=VALUE or KEY="VALUE". */
static bool next_param(struct rdata_reader *r, struct param *out)
{
	struct rdata_word word;
	size_t len = strcspn(r->at, " \t=\"\\");
	*out = (struct param){.key = r->at, .key_len = len, .has_value = r->at[len] == '='};
	r->at += len + out->has_value;
	out->value.text = r->at; /* empty unless there is more */
	if (!out->has_value || *r->at == '\0' || *r->at == ' ' || *r->at == '\t')
		return *r->at == '\0' || *r->at == ' ' || *r->at == '\t' ||
		       rdata_fail(r, "a parameter is KEY, KEY=VALUE or KEY=\"VALUE\"");
	if (!rdata_word(r, &word))
		return false;
	out->value = word;
	return true;
}

/*
 * Append the octets of the next item of a comma-separated list. The list is escaped twice: once the escapes of the
 * string are decoded, "\," and "\\" in the list mean a comma and a backslash (RFC 9460 appendix A.1).
 */
static bool read_item(struct rdata_reader *r, const char **at, const char *end, bool *has_more)
{
	*has_more = false;
	while (*at < end) {
		int c = rdata_octet(at, end);
		if (c == ',') {
			*has_more = true;
			return true;
		}
		if (c == '\\') {
			c = *at < end ? rdata_octet(at, end) : -1;
			if (c != ',' && c != '\\')
				return rdata_fail(r, "a parameter's list has a malformed escape: a comma in an item is "
						     "\\\\, and a backslash is \\\\\\\\");
		}
		if (c < 0)
			return rdata_fail(
				r, "a parameter has a malformed escape: write \\X or \\DDD, three digits up to 255");
		byte_write_u8(&r->w, (uint8_t)c);
	}
	return true;
}

static bool read_alpn(struct rdata_reader *r, const struct rdata_word *value)
{
	const char *at = value->text, *end = at + value->len;
	bool has_more;
	do {
		uint8_t *length = r->w.pos;
		byte_write_u8(&r->w, 0);
		if (!read_item(r, &at, end, &has_more) || r->w.failed)
			return false;
		size_t len = (size_t)(r->w.pos - length) - 1;
		if (len == 0 || len > UINT8_MAX)
			return rdata_fail(r, "a parameter \"alpn\" needs identifiers of 1 to 255 octets");
		*length = (uint8_t)len;
	} while (has_more);
	return true;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, 2);
}

static bool read_mandatory(struct rdata_reader *r, const struct rdata_word *value)
{
	const char *at = value->text, *end = at + value->len;
	uint8_t *start = r->w.pos;
	for (bool is_last = false; !is_last;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		uint32_t key;
		is_last = comma == NULL;
		if (!read_key(at, (size_t)((is_last ? end : comma) - at), &key))
			return rdata_fail(r, "a parameter \"mandatory\" needs keys, with commas between");
		byte_write_u16(&r->w, (uint16_t)key);
		at = is_last ? end : comma + 1;
	}
	if (!r->w.failed)
		qsort(start, (size_t)(r->w.pos - start) / 2, 2, compare_keys);
	return true;
}

static bool read_addresses(struct rdata_reader *r, const struct rdata_word *value, uint32_t key)
{
	const char *at = value->text, *end = at + value->len;
	for (bool is_last = false; !is_last;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		is_last = comma == NULL;
		size_t len = (size_t)((is_last ? end : comma) - at);
		if (!(key == KEY_IPV4HINT ? rdata_write_ipv4(r, at, len) : rdata_write_ipv6(r, at, len)))
			return false;
		at = is_last ? end : comma + 1;
	}
	return true;
}

static bool read_value(struct rdata_reader *r, const struct param *p, uint32_t key, bool by_number)
{
	uint32_t port;
	if (by_number) /* octets, whatever the key means (RFC 9460 2.1) */
		return rdata_write_word(r, &p->value, false);
	switch (key) {
	case KEY_MANDATORY:
		return read_mandatory(r, &p->value);
	case KEY_ALPN:
		return read_alpn(r, &p->value);
	case KEY_NO_DEFAULT_ALPN:
	case KEY_OHTTP:
		return p->value.len == 0 || rdata_fail(r, "a parameter \"no-default-alpn\" or \"ohttp\" has no value");
	case KEY_PORT:
		if (!rdata_number(p->value.text, p->value.len, UINT16_MAX, &port))
			return rdata_fail(r, "a parameter \"port\" needs a number from 0 to 65535");
		byte_write_u16(&r->w, (uint16_t)port);
		return true;
	case KEY_ECH:
		return rdata_write_base64(r, p->value.text, p->value.len);
	case KEY_IPV4HINT:
	case KEY_IPV6HINT:
		return read_addresses(r, &p->value, key);
	default:
		return p->value.len > 0 ? rdata_write_word(r, &p->value, false)
					: rdata_fail(r, "a parameter \"dohpath\" needs a value");
	}
}

/* The place where a parameter was written. */
struct written {
	uint32_t key;
	size_t at;
	size_t len;
};

static int compare_written(const void *a, const void *b)
{
	const struct written *x = a, *y = b;
	return (x->key > y->key) - (x->key < y->key);
}

/*
 * Sort the parameters that were written from `start` on by their keys, each of which may occur only once (RFC 9460
 * 2.2).
 */
static bool sort_params(struct rdata_reader *r, uint8_t *start, struct written *params, size_t count)
{
	size_t len = (size_t)(r->w.pos - start), at = 0;
	qsort(params, count, sizeof *params, compare_written);
	for (size_t i = 1; i < count; i++)
		if (params[i].key == params[i - 1].key)
			return rdata_fail(r, "a parameter is given twice");
	uint8_t *copy = malloc(len + 1);
	r->is_out_of_memory = copy == NULL;
	if (copy == NULL)
		return false;
	memcpy(copy, start, len);
	for (size_t i = 0; i < count; at += params[i++].len)
		memcpy(start + at, copy + params[i].at, params[i].len);
	free(copy);
	return true;
}

bool rdata_read_params(struct rdata_reader *r)
{
	struct written params[PARAMS_MAX];
	size_t count = 0;
	uint8_t *start = r->w.pos;
	while (rdata_has_word(r)) {
		struct param p;
		uint32_t key;
		uint8_t *head = r->w.pos;
		if (!next_param(r, &p))
			return false;
		if (!read_key(p.key, p.key_len, &key))
			return rdata_fail(
				r, "a parameter has no such key: known are mandatory, alpn, no-default-alpn, port, "
				   "ipv4hint, ech, ipv6hint, dohpath, ohttp and keyNNNNN");
		if (count == PARAMS_MAX)
			return rdata_fail(r, "more than 256 parameters");
		byte_write_u16(&r->w, (uint16_t)key);
		byte_write_u16(&r->w, 0);
		if (!read_value(r, &p, key, strncmp(p.key, "key", 3) == 0) || r->w.failed)
			return false;
		size_t len = (size_t)(r->w.pos - head);
		head[2] = (uint8_t)((len - 4) >> 8);
		head[3] = (uint8_t)(len - 4);
		params[count++] = (struct written){key, (size_t)(head - start), len};
	}
	return count <= 1 || sort_params(r, start, params, count);
}

/* --- printing --------------------------------------------------------------------------------------------- */

static void print_key(struct buf *out, unsigned key)
{
	if (key < KEY_COUNT)
		buf_puts(out, key_names[key]);
	else
		buf_printf(out, "key%u", key);
}

/* Print protocol identifiers as a list within a string, so they are escaped twice. */
static bool print_alpn(struct rdata_printer *p, const uint8_t *data, size_t len)
{
	struct byte_reader ids;
	byte_reader_init(&ids, data, len);
	buf_putc(p->out, '"');
	for (bool is_first = true; byte_reader_left(&ids) > 0; is_first = false) {
		size_t id_len = byte_read_u8(&ids);
		const uint8_t *id = byte_read_span(&ids, id_len);
		if (id == NULL || id_len == 0)
			return rdata_print_fail(p, "\"alpn\" needs identifiers of 1 to 255 octets");
		if (!is_first)
			buf_putc(p->out, ',');
		for (size_t i = 0; i < id_len; i++)
			if (id[i] == ',' || id[i] == '\\')
				buf_printf(p->out, id[i] == ',' ? "\\\\%c" : "\\\\\\%c", id[i]);
			else if (id[i] == '"')
				buf_puts(p->out, "\\\"");
			else if (id[i] < 0x20 || id[i] >= 0x7f)
				buf_printf(p->out, "\\%03u", id[i]);
			else
				buf_putc(p->out, (char)id[i]);
	}
	buf_putc(p->out, '"');
	return true;
}

static bool print_addresses(struct rdata_printer *p, const uint8_t *data, size_t len, unsigned key)
{
	size_t size = key == KEY_IPV4HINT ? 4 : 16;
	if (len == 0 || len % size != 0)
		return rdata_print_fail(p, "an address is cut");
	for (size_t i = 0; i < len; i += size) {
		if (i > 0)
			buf_putc(p->out, ',');
		rdata_print_address(p, key == KEY_IPV4HINT ? AF_INET : AF_INET6, data + i);
	}
	return true;
}

static bool print_value(struct rdata_printer *p, unsigned key, const uint8_t *data, size_t len)
{
	if (key == KEY_NO_DEFAULT_ALPN || key == KEY_OHTTP)
		return len == 0 || rdata_print_fail(p, "a parameter has a value and should not");
	if (len == 0 && key >= KEY_COUNT)
		return true;
	buf_putc(p->out, '=');
	switch (key) {
	case KEY_MANDATORY:
		for (size_t i = 0; i + 1 < len; i += 2) {
			if (i > 0)
				buf_putc(p->out, ',');
			print_key(p->out, (unsigned)data[i] << 8 | data[i + 1]);
		}
		return len % 2 == 0 || rdata_print_fail(p, "a key is cut");
	case KEY_ALPN:
		return print_alpn(p, data, len);
	case KEY_PORT:
		if (len != 2)
			return rdata_print_fail(p, "a port is cut");
		buf_printf(p->out, "%u", (unsigned)data[0] << 8 | data[1]);
		return true;
	case KEY_ECH:
		rdata_print_base64(p, data, len);
		return true;
	case KEY_IPV4HINT:
	case KEY_IPV6HINT:
		return print_addresses(p, data, len, key);
	default:
		rdata_print_quoted(p->out, data, len);
		return true;
	}
}

bool rdata_print_params(struct rdata_printer *p)
{
	while (byte_reader_left(&p->in) > 0) {
		unsigned key = byte_read_u16(&p->in);
		size_t len = byte_read_u16(&p->in);
		const uint8_t *data = byte_read_span(&p->in, len);
		if (data == NULL)
			return rdata_print_fail(p, "a parameter is cut");
		rdata_print_blank(p);
		print_key(p->out, key);
		if (!print_value(p, key, data, len))
			return false;
	}
	return true;
}
