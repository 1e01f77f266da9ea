/* SPDX-License-Identifier: Apache-2.0 */
/* Domain names in wire format. See name.h. */
#include "zones/dns/name.h"

#include <string.h>

/* A name being read from text: closed labels in `out[0..label)`, the open one behind its length byte at `label`. */
struct name_build {
	uint8_t *out;
	size_t label; /* where the open label's length byte is */
	size_t pos;   /* next free byte */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read one escape or plain character at text[*i]; -1 when an escape is malformed. */
static int read_char(const char *text, size_t len, size_t *i, bool *escaped)
{
	unsigned char c = (unsigned char)text[(*i)++];
	*escaped = false;
	if (c != '\\')
		return c;
	*escaped = true;
	if (*i >= len)
		return -1;
	if (!is_digit(text[*i]))
		return (unsigned char)text[(*i)++];
	if (len - *i < 3 || !is_digit(text[*i + 1]) || !is_digit(text[*i + 2]))
		return -1;
	int value = (text[*i] - '0') * 100 + (text[*i + 1] - '0') * 10 + (text[*i + 2] - '0');
	*i += 3;
	return value <= 255 ? value : -1;
}

static enum veer_err close_label(struct name_build *b, struct veer_diag *diag)
{
	size_t label_len = b->pos - b->label - 1;
	if (label_len == 0)
		return veer_fail(diag, VEER_EINVAL, "empty label in a domain name");
	if (label_len > NAME_LABEL_MAX)
		return veer_fail(diag, VEER_ERANGE, "label of a domain name over 63 octets");
	b->out[b->label] = (uint8_t)label_len;
	b->label = b->pos;
	b->pos++;
	if (b->pos > NAME_WIRE_MAX)
		return veer_fail(diag, VEER_ERANGE, "domain name over 255 octets");
	return VEER_OK;
}

static enum veer_err finish(struct name_build *b, const uint8_t *origin, bool absolute, size_t *out_len,
			    struct veer_diag *diag)
{
	if (absolute) {
		b->out[b->label] = 0;
		*out_len = b->label + 1;
		return VEER_OK;
	}
	if (origin == NULL)
		return veer_fail(diag, VEER_EINVAL, "domain name is not absolute: it must end with a dot");
	size_t origin_len = name_len(origin);
	if (b->label + origin_len > NAME_WIRE_MAX)
		return veer_fail(diag, VEER_ERANGE, "domain name over 255 octets");
	memmove(b->out + b->label, origin, origin_len);
	*out_len = b->label + origin_len;
	return VEER_OK;
}

static enum veer_err parse_labels(struct name_build *b, const char *text, size_t len, bool *absolute,
				  struct veer_diag *diag)
{
	for (size_t i = 0; i < len;) {
		bool escaped;
		int c = read_char(text, len, &i, &escaped);
		if (c < 0)
			return veer_fail(diag, VEER_EINVAL, "malformed escape in a domain name");
		if (c == '.' && !escaped) {
			enum veer_err err = close_label(b, diag);
			if (err != VEER_OK)
				return err;
			*absolute = i == len;
			continue;
		}
		if (b->pos >= NAME_WIRE_MAX)
			return veer_fail(diag, VEER_ERANGE, "domain name over 255 octets");
		b->out[b->pos++] = (uint8_t)c;
	}
	return *absolute ? VEER_OK : close_label(b, diag);
}

enum veer_err name_parse(const char *text, size_t len, const uint8_t *origin, uint8_t *out, size_t *out_len,
			 struct veer_diag *diag)
{
	uint8_t wire[NAME_WIRE_MAX + 1];
	struct name_build b = {.out = wire, .label = 0, .pos = 1};
	bool absolute = false;
	enum veer_err err = VEER_OK;
	size_t wire_len = 0;
	if (len == 0)
		return veer_fail(diag, VEER_EINVAL, "empty domain name");
	if (len == 1 && text[0] == '.')
		absolute = true;
	else if (len != 1 || text[0] != '@')
		err = parse_labels(&b, text, len, &absolute, diag);
	if (err == VEER_OK)
		err = finish(&b, origin, absolute, &wire_len, diag);
	if (err != VEER_OK)
		return err;
	memcpy(out, wire, wire_len);
	*out_len = wire_len;
	return VEER_OK;
}

/* One byte of a label as text; returns how many characters (1, 2 or 4). */
static size_t print_byte(uint8_t c, bool for_key, char *out)
{
	if (c <= 0x20 || c >= 0x7f || (for_key && c == '/')) {
		out[0] = '\\';
		out[1] = (char)('0' + c / 100);
		out[2] = (char)('0' + c / 10 % 10);
		out[3] = (char)('0' + c % 10);
		return 4;
	}
	if (strchr(".;\\\"()@$", c) != NULL) {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = (char)c;
	return 1;
}

static size_t print(const uint8_t *name, char *out, size_t size, bool for_key)
{
	size_t len = 0;
	if (size < 2)
		return 0;
	if (name[0] == 0)
		out[len++] = '.';
	for (; name[0] != 0; name += name[0] + 1) {
		for (unsigned i = 1; i <= name[0]; i++) {
			char piece[4];
			size_t n = print_byte(name[i], for_key, piece);
			if (len + n + 2 > size)
				return 0;
			memcpy(out + len, piece, n);
			len += n;
		}
		out[len++] = '.';
	}
	out[len] = '\0';
	return len;
}

size_t name_print(const uint8_t *name, char *out, size_t size)
{
	return print(name, out, size, false);
}

size_t name_print_key(const uint8_t *name, char *out, size_t size)
{
	return print(name, out, size, true);
}

size_t name_check(const uint8_t *data, size_t max)
{
	size_t limit = max < NAME_WIRE_MAX ? max : NAME_WIRE_MAX;
	size_t pos = 0;
	while (pos < limit) {
		uint8_t len = data[pos];
		if (len == 0)
			return pos + 1;
		if (len > NAME_LABEL_MAX)
			return 0;
		pos += (size_t)len + 1;
	}
	return 0;
}

size_t name_len(const uint8_t *name)
{
	const uint8_t *p = name;
	while (*p != 0)
		p += *p + 1;
	return (size_t)(p - name) + 1;
}

unsigned name_label_count(const uint8_t *name)
{
	unsigned count = 0;
	for (; *name != 0; name += *name + 1)
		count++;
	return count;
}

const uint8_t *name_skip(const uint8_t *name, unsigned labels)
{
	for (; labels > 0; labels--)
		name += *name + 1;
	return name;
}

/* A length byte is at most 63, which is no letter, so the whole name can be folded byte by byte. */
static uint8_t fold(uint8_t c)
{
	return (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 0x20 : 0));
}

void name_lower(uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		name[i] = fold(name[i]);
}

void name_lower_copy(uint8_t *out, const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = fold(name[i]);
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
	size_t len = name_len(a);
	return len == name_len(b) && memcmp(a, b, len) == 0;
}

/* Where each label begins, outermost (leftmost) first. Returns the count. */
static unsigned label_starts(const uint8_t *name, const uint8_t **starts)
{
	unsigned count = 0;
	for (; *name != 0; name += *name + 1)
		starts[count++] = name;
	return count;
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
	size_t shorter = a[0] < b[0] ? a[0] : b[0];
	int diff = memcmp(a + 1, b + 1, shorter);
	return diff != 0 ? diff : (int)a[0] - (int)b[0];
}

int name_compare(const uint8_t *a, const uint8_t *b)
{
	const uint8_t *labels_a[NAME_LABELS_MAX + 1];
	const uint8_t *labels_b[NAME_LABELS_MAX + 1];
	unsigned count_a = label_starts(a, labels_a);
	unsigned count_b = label_starts(b, labels_b);
	while (count_a > 0 && count_b > 0) {
		int diff = label_compare(labels_a[--count_a], labels_b[--count_b]);
		if (diff != 0)
			return diff;
	}
	return (int)count_a - (int)count_b;
}

unsigned name_common_labels(const uint8_t *a, const uint8_t *b)
{
	const uint8_t *labels_a[NAME_LABELS_MAX + 1];
	const uint8_t *labels_b[NAME_LABELS_MAX + 1];
	unsigned count_a = label_starts(a, labels_a);
	unsigned count_b = label_starts(b, labels_b);
	unsigned common = 0;
	while (common < count_a && common < count_b) {
		const uint8_t *la = labels_a[count_a - 1 - common];
		const uint8_t *lb = labels_b[count_b - 1 - common];
		if (la[0] != lb[0] || memcmp(la + 1, lb + 1, la[0]) != 0)
			break;
		common++;
	}
	return common;
}

bool name_is_under(const uint8_t *name, const uint8_t *ancestor)
{
	unsigned mine = name_label_count(name);
	unsigned theirs = name_label_count(ancestor);
	return mine >= theirs && name_equal(name_skip(name, mine - theirs), ancestor);
}

bool name_is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}
