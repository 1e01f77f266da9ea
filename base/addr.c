/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"

static unsigned family_bits(const struct veer_addr *addr)
{
	return addr->family == VEER_FAMILY_V4 ? 32 : 128;
}

enum veer_err veer_addr_parse(const char *text, struct veer_addr *out)
{
	struct veer_addr addr = {0};
	/* inet_pton takes neither zone indexes nor blanks nor leading zeros, and no short forms like "127.1". */
	if (inet_pton(AF_INET, text, addr.bytes) == 1)
		addr.family = VEER_FAMILY_V4;
	else if (inet_pton(AF_INET6, text, addr.bytes) == 1)
		addr.family = VEER_FAMILY_V6;
	else
		return VEER_EINVAL;
	*out = addr;
	return VEER_OK;
}

void veer_addr_print(const struct veer_addr *addr, char out[VEER_ADDR_TEXT_SIZE])
{
	int family = addr->family == VEER_FAMILY_V4 ? AF_INET : AF_INET6;
	if (inet_ntop(family, addr->bytes, out, VEER_ADDR_TEXT_SIZE) == NULL)
		out[0] = '\0';
}

bool veer_addr_equal(const struct veer_addr *a, const struct veer_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool veer_addr_from_sockaddr(const struct sockaddr *sa, struct veer_addr *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct veer_addr addr = {0};
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		addr.family = VEER_FAMILY_V4;
		memcpy(addr.bytes, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		const uint8_t *bytes = in6.sin6_addr.s6_addr;
		bool is_mapped = memcmp(bytes, mapped, sizeof mapped) == 0;
		addr.family = is_mapped ? VEER_FAMILY_V4 : VEER_FAMILY_V6;
		memcpy(addr.bytes, is_mapped ? bytes + 12 : bytes, is_mapped ? 4 : 16);
	} else {
		return false;
	}
	*out = addr;
	return true;
}

void veer_addr_mask(struct veer_addr *addr, unsigned bits)
{
	for (unsigned i = 0; i < sizeof addr->bytes; i++) {
		unsigned keep = bits <= 8 * i ? 0 : bits - 8 * i;
		if (keep < 8)
			addr->bytes[i] &= (uint8_t)(0xff00U >> keep);
	}
}

enum veer_err veer_prefix_parse(const char *text, struct veer_prefix *out)
{
	char literal[VEER_ADDR_TEXT_SIZE];
	struct veer_prefix prefix;
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof literal)
		return VEER_EINVAL;
	memcpy(literal, text, len);
	literal[len] = '\0';
	if (veer_addr_parse(literal, &prefix.addr) != VEER_OK)
		return VEER_EINVAL;
	int64_t bits = family_bits(&prefix.addr);
	if (slash != NULL && !text_to_int(slash + 1, 0, bits, &bits))
		return VEER_EINVAL;
	prefix.bits = (uint8_t)bits;
	struct veer_addr masked = prefix.addr;
	veer_addr_mask(&masked, prefix.bits);
	if (!veer_addr_equal(&masked, &prefix.addr))
		return VEER_EINVAL;
	*out = prefix;
	return VEER_OK;
}

void veer_prefix_print(const struct veer_prefix *prefix, char out[VEER_PREFIX_TEXT_SIZE])
{
	char literal[VEER_ADDR_TEXT_SIZE];
	veer_addr_print(&prefix->addr, literal);
	(void)snprintf(out, VEER_PREFIX_TEXT_SIZE, "%s/%u", literal, prefix->bits);
}

static bool shares_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00U >> rest) & 0xff) == 0;
}

bool veer_prefix_contains(const struct veer_prefix *prefix, const struct veer_addr *addr)
{
	return prefix->addr.family == addr->family && shares_bits(prefix->addr.bytes, addr->bytes, prefix->bits);
}

/* --- classes ---------------------------------------------------------------------------------------------- */

struct class_row {
	uint8_t bytes[16];
	uint8_t bits;
	enum veer_addr_class class;
};

/* The first row that matches counts, so an exception stands before the range that contains it. */
static const struct class_row rows_v4[] = {
	{{169, 254, 169, 254}, 32, VEER_ADDR_METADATA}, /* AWS, GCP, Azure, OpenStack and others */
	{{169, 254, 170, 2}, 32, VEER_ADDR_METADATA},   /* AWS containers' credentials */
	{{168, 63, 129, 16}, 32, VEER_ADDR_METADATA},   /* Azure's wire server */
	{{100, 100, 100, 200}, 32, VEER_ADDR_METADATA}, /* Alibaba */
	{{192, 0, 0, 192}, 32, VEER_ADDR_METADATA},     /* Oracle */
	{{255, 255, 255, 255}, 32, VEER_ADDR_BROADCAST},
	{{0}, 8, VEER_ADDR_UNSPECIFIED},
	{{10}, 8, VEER_ADDR_PRIVATE},
	{{100, 64}, 10, VEER_ADDR_SHARED},
	{{127}, 8, VEER_ADDR_LOOPBACK},
	{{169, 254}, 16, VEER_ADDR_LINK_LOCAL},
	{{172, 16}, 12, VEER_ADDR_PRIVATE},
	{{192, 0, 0, 9}, 32, VEER_ADDR_GLOBAL},  /* PCP anycast, RFC 7723 */
	{{192, 0, 0, 10}, 32, VEER_ADDR_GLOBAL}, /* TURN anycast, RFC 8155 */
	{{192, 0, 0}, 24, VEER_ADDR_RESERVED},
	{{192, 0, 2}, 24, VEER_ADDR_DOCUMENTATION},
	{{192, 88, 99}, 24, VEER_ADDR_TUNNEL},
	{{192, 168}, 16, VEER_ADDR_PRIVATE},
	{{198, 18}, 15, VEER_ADDR_BENCHMARK},
	{{198, 51, 100}, 24, VEER_ADDR_DOCUMENTATION},
	{{203, 0, 113}, 24, VEER_ADDR_DOCUMENTATION},
	{{224}, 4, VEER_ADDR_MULTICAST},
	{{240}, 4, VEER_ADDR_RESERVED},
};

static const struct class_row rows_v6[] = {
	{{0xfd, 0x00, 0x0e, 0xc2, [15] = 0x54, [14] = 0x02}, 128, VEER_ADDR_METADATA}, /* AWS: fd00:ec2::254 */
	{{0xfd, 0x20, 0x00, 0xce, [15] = 0x54, [14] = 0x02}, 128, VEER_ADDR_METADATA}, /* GCP: fd20:ce::254 */
	{{0}, 128, VEER_ADDR_UNSPECIFIED},
	{{[15] = 1}, 128, VEER_ADDR_LOOPBACK},
	{{[10] = 0xff, [11] = 0xff}, 96, VEER_ADDR_TRANSLATED},
	{{[8] = 0xff, [9] = 0xff}, 96, VEER_ADDR_TRANSLATED}, /* SIIT, RFC 2765 */
	{{0}, 96, VEER_ADDR_TRANSLATED},                      /* IPv4-compatible, RFC 4291 2.5.5.1 */
	{{0x00, 0x64, 0xff, 0x9b}, 96, VEER_ADDR_TRANSLATED},
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, VEER_ADDR_TRANSLATED},
	{{0x20, 0x01, 0x00, 0x00}, 32, VEER_ADDR_TUNNEL},
	{{0x20, 0x01, 0x00, 0x01, [15] = 1}, 128, VEER_ADDR_GLOBAL}, /* PCP anycast */
	{{0x20, 0x01, 0x00, 0x01, [15] = 2}, 128, VEER_ADDR_GLOBAL}, /* TURN anycast */
	{{0x20, 0x01, 0x00, 0x02, 0x00, 0x00}, 48, VEER_ADDR_BENCHMARK},
	{{0x20, 0x01, 0x00, 0x03}, 32, VEER_ADDR_GLOBAL},             /* AMT, RFC 7450 */
	{{0x20, 0x01, 0x00, 0x04, 0x01, 0x12}, 48, VEER_ADDR_GLOBAL}, /* AS112, RFC 7535 */
	{{0x20, 0x01, 0x00, 0x00}, 23, VEER_ADDR_RESERVED},           /* IETF protocol assignments */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, VEER_ADDR_DOCUMENTATION},
	{{0x20, 0x02}, 16, VEER_ADDR_TUNNEL},
	{{0x3f, 0xff}, 20, VEER_ADDR_DOCUMENTATION},
	{{0x20}, 3, VEER_ADDR_GLOBAL},
	{{0xfc}, 7, VEER_ADDR_PRIVATE},
	{{0xfe, 0x80}, 10, VEER_ADDR_LINK_LOCAL},
	{{0xfe, 0xc0}, 10, VEER_ADDR_PRIVATE},
	{{0xff}, 8, VEER_ADDR_MULTICAST},
};

static enum veer_addr_class find_class(const struct class_row *rows, size_t count, const struct veer_addr *addr,
				       enum veer_addr_class otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (shares_bits(rows[i].bytes, addr->bytes, rows[i].bits))
			return rows[i].class;
	return otherwise;
}

enum veer_addr_class veer_addr_classify(const struct veer_addr *addr)
{
	if (addr->family == VEER_FAMILY_V4)
		return find_class(rows_v4, sizeof rows_v4 / sizeof rows_v4[0], addr, VEER_ADDR_GLOBAL);
	return find_class(rows_v6, sizeof rows_v6 / sizeof rows_v6[0], addr, VEER_ADDR_RESERVED);
}

const char *veer_addr_class_text(enum veer_addr_class class)
{
	static const char *const texts[VEER_ADDR_CLASS_COUNT] = {
		[VEER_ADDR_GLOBAL] = "global",          [VEER_ADDR_UNSPECIFIED] = "unspecified",
		[VEER_ADDR_LOOPBACK] = "loopback",      [VEER_ADDR_METADATA] = "cloud metadata",
		[VEER_ADDR_LINK_LOCAL] = "link-local",  [VEER_ADDR_PRIVATE] = "private",
		[VEER_ADDR_SHARED] = "shared",          [VEER_ADDR_MULTICAST] = "multicast",
		[VEER_ADDR_BROADCAST] = "broadcast",    [VEER_ADDR_DOCUMENTATION] = "documentation",
		[VEER_ADDR_BENCHMARK] = "benchmarking", [VEER_ADDR_TRANSLATED] = "translated IPv4",
		[VEER_ADDR_TUNNEL] = "tunnel",          [VEER_ADDR_RESERVED] = "reserved",
	};
	return (unsigned)class < VEER_ADDR_CLASS_COUNT ? texts[class] : "unknown";
}

bool veer_addr_is_loopback(const struct veer_addr *addr)
{
	return veer_addr_classify(addr) == VEER_ADDR_LOOPBACK;
}

/* --- listen addresses ------------------------------------------------------------------------------------- */

void veer_listen_from_addr(const struct veer_addr *addr, uint16_t port, struct veer_listen *out)
{
	memset(out, 0, sizeof *out);
	if (addr->family == VEER_FAMILY_V4) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&in.sin_addr, addr->bytes, 4);
		memcpy(&out->storage, &in, sizeof in);
		out->len = sizeof in;
	} else {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
		memcpy(&in6.sin6_addr, addr->bytes, 16);
		memcpy(&out->storage, &in6, sizeof in6);
		out->len = sizeof in6;
	}
}

/* The text is an address of `addr_len` bytes, one separator and the port. */
static bool parse_ip_port(const char *text, size_t addr_len, const char *port_text, struct veer_addr *addr,
			  struct veer_listen *out)
{
	char literal[VEER_ADDR_TEXT_SIZE];
	int64_t port = 0;
	if (addr_len >= sizeof literal)
		return false;
	memcpy(literal, text, addr_len);
	literal[addr_len] = '\0';
	if (veer_addr_parse(literal, addr) != VEER_OK || !text_to_int(port_text, 0, 65535, &port))
		return false;
	veer_listen_from_addr(addr, (uint16_t)port, out);
	return true;
}

enum veer_err veer_listen_parse_dns(const char *text, struct veer_listen *out, struct veer_diag *diag)
{
	struct veer_addr addr;
	struct veer_listen parsed;
	const char *at = strrchr(text, '@');
	if (at == NULL || !parse_ip_port(text, (size_t)(at - text), at + 1, &addr, &parsed))
		return veer_fail(diag, VEER_EINVAL,
				 "'%.100s' is not an address: expected ADDRESS@PORT, like 192.0.2.1@53", text);
	*out = parsed;
	return VEER_OK;
}

static enum veer_err parse_unix(const char *text, const char *path, struct veer_listen *out, struct veer_diag *diag)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof un.sun_path)
		return veer_fail(diag, VEER_EINVAL, "'%.200s': a socket's path has 1 to %zu bytes", text,
				 sizeof un.sun_path - 1);
	memcpy(un.sun_path, path, len);
	memset(out, 0, sizeof *out);
	memcpy(&out->storage, &un, sizeof un);
	out->len = (socklen_t)sizeof un;
	out->is_unix = true;
	return VEER_OK;
}

enum veer_err veer_listen_parse_http(const char *text, struct veer_listen *out, struct veer_diag *diag)
{
	struct veer_addr addr;
	struct veer_listen parsed;
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text, text + 5, out, diag);
	const char *colon = strrchr(text, ':');
	bool is_bracketed = text[0] == '[';
	bool ok = false;
	if (is_bracketed && colon != NULL && colon > text + 1 && colon[-1] == ']')
		ok = parse_ip_port(text + 1, (size_t)(colon - text) - 2, colon + 1, &addr, &parsed);
	else if (!is_bracketed && colon != NULL)
		ok = parse_ip_port(text, (size_t)(colon - text), colon + 1, &addr, &parsed);
	/* Brackets are for IPv6 only, and IPv6 needs them: "::1:80" would be another address. */
	if (!ok || is_bracketed != (addr.family == VEER_FAMILY_V6))
		return veer_fail(diag, VEER_EINVAL,
				 "'%.100s' is not an address: expected ADDRESS:PORT, [V6-ADDRESS]:PORT or unix:PATH",
				 text);
	*out = parsed;
	return VEER_OK;
}

uint16_t veer_listen_port(const struct veer_listen *listen)
{
	if (listen->storage.ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, &listen->storage, sizeof in);
		return ntohs(in.sin_port);
	}
	if (listen->storage.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, &listen->storage, sizeof in6);
		return ntohs(in6.sin6_port);
	}
	return 0;
}

const char *veer_listen_path(const struct veer_listen *listen)
{
	if (!listen->is_unix)
		return NULL;
	return (const char *)&listen->storage + offsetof(struct sockaddr_un, sun_path);
}

/*
 * The address as the socket has it. A mapped IPv4 address stays IPv6 here, because the printed text must parse to the
 * same address.
 */
static bool listen_addr(const struct veer_listen *listen, struct veer_addr *out)
{
	memset(out, 0, sizeof *out);
	if (listen->storage.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, &listen->storage, sizeof in6);
		out->family = VEER_FAMILY_V6;
		memcpy(out->bytes, &in6.sin6_addr, 16);
		return true;
	}
	return veer_addr_from_sockaddr((const struct sockaddr *)&listen->storage, out);
}

void veer_listen_print(const struct veer_listen *listen, bool is_dns, char out[VEER_LISTEN_TEXT_SIZE])
{
	char literal[VEER_ADDR_TEXT_SIZE];
	struct veer_addr addr;
	out[0] = '\0';
	if (listen->is_unix) {
		(void)snprintf(out, VEER_LISTEN_TEXT_SIZE, "unix:%.108s", veer_listen_path(listen));
		return;
	}
	if (!listen_addr(listen, &addr))
		return;
	veer_addr_print(&addr, literal);
	if (is_dns)
		(void)snprintf(out, VEER_LISTEN_TEXT_SIZE, "%s@%u", literal, veer_listen_port(listen));
	else if (addr.family == VEER_FAMILY_V6)
		(void)snprintf(out, VEER_LISTEN_TEXT_SIZE, "[%s]:%u", literal, veer_listen_port(listen));
	else
		(void)snprintf(out, VEER_LISTEN_TEXT_SIZE, "%s:%u", literal, veer_listen_port(listen));
}

bool veer_listen_is_local(const struct veer_listen *listen)
{
	struct veer_addr addr;
	return listen->is_unix || (listen_addr(listen, &addr) && veer_addr_is_loopback(&addr));
}
