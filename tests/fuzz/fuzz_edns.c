/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS options in any order and of any length. The expected result is computed here a second time, directly from the
 * text of the RFCs and without the parser under test: the RCODE, the options of the reply, and their contents.
 *
 * Input: octet 0: bit 0 TCP, 1 IPv6, 2 NSID configured, 3 cookies configured, 4 a question, 5 a second OPT, 6 other
 * records around. Then the OPT: size (2), version choice, flags (2), fudge of RDLENGTH; then options: a choice of code,
 * a length, the data. Some choices make a cookie that is good, old, or another client's.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define NOW_S 1700000000u
#define OPTIONS_SIZE 700
#define PACKET_SIZE 1024

static const char zone_text[] = "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\n";
static const uint8_t question[] = "\3www\7example\0\0\1\0\1";
#define QUESTION_LEN (sizeof question - 1)
static const uint8_t key[16] = "0123456789abcdef";

/* The input, consumed from the front; zeros once it is used up. */
struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned eat(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* A query, and the result that the RFCs demand for it. */
struct scene {
	bool is_tcp, has_nsid, has_cookies, has_question, has_second;
	struct client client;
	uint8_t options[OPTIONS_SIZE];
	size_t options_len;
	uint8_t version;
	uint16_t udp_size, flags;
	uint8_t packet[PACKET_SIZE];
	size_t packet_len;
	/* expected */
	unsigned rcode;
	bool is_malformed;  /* some option is malformed */
	const uint8_t *ecs; /* the option that the reply must have, except for its SCOPE; NULL: none */
	size_t ecs_len;
	const uint8_t *cookie; /* the first cookie with a valid length */
	size_t cookie_len;
	bool wants_nsid, wants_keepalive;
};

static void put_u16(uint8_t *out, unsigned value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
}

static unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* RFC 9018 4.4: SipHash-2-4 over client cookie, version, reserved, timestamp, client IP; written here from that text.
 */
static void server_cookie(const uint8_t *client_cookie, const uint8_t head[8], const struct client *client,
			  uint8_t hash[8])
{
	uint8_t input[32];
	size_t address_len = client->is_ipv6 ? 16 : 4;
	memcpy(input, client_cookie, 8);
	memcpy(input + 8, head, 8);
	memcpy(input + 16, client->address, address_len);
	uint64_t value = crypto_siphash24(key, input, 16 + address_len);
	for (int i = 0; i < 8; i++, value >>= 8)
		hash[i] = (uint8_t)value;
}

/* Make a cookie as a server with our secret would have made it `age_s` ago. */
static size_t make_cookie(const struct scene *s, struct input *in, int age_s, uint8_t *out)
{
	uint32_t time = NOW_S - (uint32_t)age_s;
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)eat(in);
	memset(out + 8, 0, 8);
	out[8] = 1;
	put_u16(out + 12, time >> 16);
	put_u16(out + 14, time & 0xffff);
	server_cookie(out, out + 8, &s->client, out + 16);
	return 24;
}

static void make_option(struct scene *s, struct input *in)
{
	static const uint16_t codes[] = {3, 8, 10, 11, 12, 15, 5, 0, 8, 10, 8, 10};
	static const int ages[] = {0, 100, 1800, 1801, 3599, 3600, 3601, -1, -300, -301, -100000, 86400};
	uint8_t data[300];
	size_t len = 0;
	unsigned choice = eat(in);
	uint16_t code = codes[(choice & 0x1f) % (sizeof codes / sizeof codes[0])];
	if (choice >= 0xe0) {
		code = 10;
		len = make_cookie(s, in, ages[(choice & 0x1f) % (sizeof ages / sizeof ages[0])], data);
	} else if (choice >= 0xc0) { /* an almost valid client subnet */
		unsigned family = eat(in) & 3, prefix = eat(in);
		put_u16(data, family);
		data[2] = (uint8_t)prefix;
		data[3] = (choice & 1) != 0 ? (uint8_t)eat(in) : 0;
		code = 8;
		len = 4 + (prefix + 7) / 8;
		for (size_t i = 4; i < len; i++)
			data[i] = (uint8_t)eat(in);
		if ((choice & 2) != 0 && len > 4 && prefix % 8 != 0)
			data[len - 1] &= (uint8_t)(0xff00 >> prefix % 8);
	} else {
		if (choice >= 0xa0)
			code = (uint16_t)(eat(in) << 8 | eat(in));
		len = eat(in);
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)eat(in);
	}
	if (s->options_len + 4 + len > OPTIONS_SIZE)
		return;
	put_u16(s->options + s->options_len, code);
	put_u16(s->options + s->options_len + 2, (unsigned)len);
	memcpy(s->options + s->options_len + 4, data, len);
	s->options_len += 4 + len;
}

/* RFC 7871 6 and 7.1.2: is the option valid in a query? `*is_known`: its family is one that we know. */
static bool ecs_is_right(const uint8_t *data, size_t len, bool *is_known)
{
	*is_known = false;
	if (len < 4)
		return false;
	unsigned family = u16_at(data), prefix = data[2];
	if (data[3] != 0) /* "SCOPE PREFIX-LENGTH ... In queries, it MUST be set to 0" */
		return false;
	if (family == 0 && prefix != 0)
		return true; /* an unknown family is not checked */
	if (family > 2)
		return true;
	*is_known = true;
	if (prefix > (family == 2 ? 128U : 32U) || len - 4 != (prefix + 7) / 8)
		return false;
	for (unsigned bit = prefix; bit < 8 * (len - 4); bit++) /* "bits after SOURCE PREFIX-LENGTH MUST be 0" */
		if ((data[4 + bit / 8] >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

static void judge_option(struct scene *s, unsigned code, const uint8_t *data, size_t len)
{
	bool is_known;
	if (code == 3)
		s->wants_nsid = true;
	else if (code == 11)
		s->wants_keepalive = true;
	else if (code == 8 && s->ecs == NULL) {
		if (!ecs_is_right(data, len, &is_known))
			s->is_malformed = true;
		else if (is_known) {
			s->ecs = data;
			s->ecs_len = len;
		}
	} else if (code == 10 && s->cookie == NULL) { /* RFC 7873 5.2: all but the first are ignored; 5.2.2: lengths */
		if (len == 8 || (len >= 16 && len <= 40)) {
			s->cookie = data;
			s->cookie_len = len;
		} else {
			s->is_malformed = true;
		}
	}
}

/* Read the options from first to last, up to the first malformed one. */
static void judge_options(struct scene *s, size_t rdlength)
{
	for (size_t at = 0; at < rdlength && !s->is_malformed;) {
		size_t len = at + 4 <= rdlength ? u16_at(s->options + at + 2) : 0;
		if (at + 4 + len > rdlength) {
			s->is_malformed = true;
			break;
		}
		judge_option(s, u16_at(s->options + at), s->options + at + 4, len);
		at += 4 + len;
	}
}

/* Would this server accept the cookie? RFC 9018 4.3: not over an hour old, not over 5 minutes ahead. */
static bool cookie_is_good(const struct scene *s)
{
	uint8_t hash[8];
	if (s->cookie_len != 24 || s->cookie[8] != 1)
		return false;
	uint32_t time = (uint32_t)u16_at(s->cookie + 12) << 16 | u16_at(s->cookie + 14);
	int64_t age_s = (int32_t)(NOW_S - time); /* RFC 1982 */
	server_cookie(s->cookie, s->cookie + 8, &s->client, hash);
	return age_s <= 3600 && age_s >= -300 && memcmp(hash, s->cookie + 16, 8) == 0;
}

static void judge(struct scene *s, size_t rdlength)
{
	if (s->version == 0)
		judge_options(s, rdlength);
	if (s->is_malformed || s->has_second) { /* RFC 6891 6.1.1: "more than one OPT RR ... FORMERR" */
		s->rcode = DNS_FORMERR;
	} else if (!s->has_question) { /* RFC 7873 5.4; without a cookie the query is an error */
		s->rcode = s->cookie == NULL ? DNS_FORMERR : DNS_NOERROR;
		if (s->cookie != NULL && s->cookie_len > 8 && s->has_cookies && !cookie_is_good(s))
			s->rcode = DNS_BADCOOKIE;
	} else {
		s->rcode = s->version != 0 ? DNS_BADVERS : DNS_NOERROR;
	}
}

static void add_bytes(struct scene *s, const void *data, size_t len)
{
	fuzz_check(s->packet_len + len <= PACKET_SIZE);
	memcpy(s->packet + s->packet_len, data, len);
	s->packet_len += len;
}

static void add_opt(struct scene *s, size_t rdlength)
{
	uint8_t head[11] = {0, 0, RRTYPE_OPT};
	put_u16(head + 3, s->udp_size);
	head[6] = s->version;
	put_u16(head + 7, s->flags);
	put_u16(head + 9, (unsigned)rdlength);
	add_bytes(s, head, sizeof head);
	add_bytes(s, s->options, rdlength);
}

static void make_packet(struct scene *s, bool has_others, size_t rdlength)
{
	static const uint8_t other[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, 2, 1, 'x'};
	uint8_t header[12] = {0xab, 0xcd, 1, 0};
	header[5] = s->has_question;
	header[11] = (uint8_t)(1 + s->has_second + 2 * has_others);
	add_bytes(s, header, sizeof header);
	if (s->has_question)
		add_bytes(s, question, QUESTION_LEN);
	if (has_others)
		add_bytes(s, other, sizeof other);
	add_opt(s, rdlength);
	if (s->has_second)
		add_opt(s, 0);
	if (has_others)
		add_bytes(s, other, sizeof other);
}

static void make_scene(struct scene *s, struct input *in)
{
	static const uint8_t versions[] = {0, 0, 0, 0, 0, 1, 255, 0};
	unsigned flags = eat(in);
	*s = (struct scene){.is_tcp = (flags & 1) != 0,
			    .has_nsid = (flags & 4) != 0,
			    .has_cookies = (flags & 8) != 0,
			    .has_question = (flags & 16) == 0,
			    .has_second = (flags & 32) != 0};
	s->client.is_ipv6 = (flags & 2) != 0;
	memcpy(s->client.address,
	       "\300\0\2\1"
	       "567890abcdef",
	       s->client.is_ipv6 ? 16 : 4);
	s->udp_size = (uint16_t)(eat(in) << 8 | eat(in));
	s->version = versions[eat(in) & 7];
	s->flags = (uint16_t)(eat(in) << 8 | eat(in));
	unsigned fudge = eat(in);
	while (in->left > 0)
		make_option(s, in);
	/* end the RDATA within an option */
	size_t rdlength = fudge < 0x20 && fudge < s->options_len ? s->options_len - fudge : s->options_len;
	make_packet(s, (flags & 64) != 0, rdlength);
	judge(s, rdlength);
}

static const uint8_t *find_option(const uint8_t *options, size_t len, unsigned code, size_t *out_len)
{
	const uint8_t *found = NULL;
	for (size_t at = 0; at < len;) {
		fuzz_check(at + 4 <= len);
		size_t option_len = u16_at(options + at + 2);
		fuzz_check(at + 4 + option_len <= len);
		if (u16_at(options + at) == code) {
			fuzz_check(found == NULL); /* each option at most once */
			found = options + at + 4;
			*out_len = option_len;
		}
		at += 4 + option_len;
	}
	return found;
}

static void check_cookie(const struct scene *s, const uint8_t *cookie, size_t len)
{
	uint8_t hash[8];
	fuzz_check(len == 24 && memcmp(cookie, s->cookie, 8) == 0);
	fuzz_check(memcmp(cookie + 8, "\1\0\0\0", 4) == 0 || memcmp(cookie, s->cookie, len) == 0);
	server_cookie(cookie, cookie + 8, &s->client, hash);
	fuzz_check(memcmp(hash, cookie + 16, 8) == 0);
	uint32_t age_s = NOW_S - ((uint32_t)u16_at(cookie + 12) << 16 | u16_at(cookie + 14));
	fuzz_check(age_s <=
		   1800); /* RFC 9018 4.3: a cookie over half an hour old is renewed; no cookie is from the future */
}

static void check_options(const struct scene *s, const uint8_t *options, size_t len)
{
	size_t option_len = 0;
	bool is_read = !s->is_malformed && s->version == 0 && !s->has_second;
	const uint8_t *found = find_option(options, len, 8, &option_len);
	if (s->has_second) /* it is not defined which of two OPT records counts */
		return;
	/* RFC 7871 7.2.1: FAMILY, SOURCE PREFIX-LENGTH and ADDRESS are those of the query; this zone has no policies */
	fuzz_check((found != NULL) == (is_read && s->ecs != NULL));
	fuzz_check(found == NULL || (option_len == s->ecs_len && memcmp(found, s->ecs, option_len) == 0));
	found = find_option(options, len, 10, &option_len);
	fuzz_check((found != NULL) == (is_read && s->cookie != NULL && s->has_cookies));
	if (found != NULL)
		check_cookie(s, found, option_len);
	found = find_option(options, len, 3, &option_len); /* RFC 5001 2.1: only a client that asks for NSID gets it */
	fuzz_check((found != NULL) == (is_read && s->wants_nsid && s->has_nsid));
	fuzz_check(found == NULL || (option_len == 64 && found[63] == 63));
	found = find_option(options, len, 11, &option_len); /* RFC 7828 3.3.2: over TCP only */
	fuzz_check((found != NULL) == (is_read && s->wants_keepalive && s->is_tcp));
	fuzz_check(found == NULL || (option_len == 2 && u16_at(found) > 0));
	for (size_t at = 0; at < len; at += 4 + u16_at(options + at + 2)) {
		unsigned code = u16_at(options + at);
		fuzz_check(code == 3 || code == 8 || code == 10 ||
			   code == 11); /* there is no extended error in these replies */
	}
}

static void check(struct served *served, const struct scene *s, size_t reply_len)
{
	const uint8_t *reply = served->out;
	struct fuzz_record record = {.type = 0};
	served_check_reply(s->packet, s->packet_len, reply, reply_len, s->is_tcp);
	fuzz_check((reply[2] & 2) == 0);
	size_t at = fuzz_records_at(reply, reply_len);
	for (unsigned i = fuzz_count(reply, 0) + fuzz_count(reply, 1) + fuzz_count(reply, 2); i > 0; i--)
		fuzz_record_read(reply, reply_len, &at, &record);
	fuzz_check(record.type == RRTYPE_OPT); /* RFC 6891 6.1.1: a query with OPT gets one; here it comes last */
	fuzz_check(((record.ttl >> 24) << 4 | (reply[3] & 0xf)) == s->rcode);
	fuzz_check((record.ttl >> 16 & 0xff) == 0); /* our version */
	fuzz_check((record.ttl & 0xffff) ==
		   (s->flags & 0x8000U)); /* DO copied, the others zero (RFC 3225 3, RFC 6891 6.1.4) */
	fuzz_check(record.rclass >= 512);
	fuzz_check(fuzz_count(reply, 0) == (s->rcode == DNS_NOERROR && s->has_question ? 1U : 0U));
	check_options(s, reply + record.rdata_at, record.rdata_len);
}

static struct served *make(void)
{
	struct served *s = served_new();
	served_add_zone(s, (const uint8_t *)"\7example", zone_text);
	served_commit(s);
	s->responder->now_s = NOW_S;
	for (unsigned i = 0; i < RESPOND_NSID_MAX; i++)
		s->responder->config.nsid[i] = (uint8_t)i;
	memset(s->responder->config.secrets.keys[1], 7, sizeof key);
	memcpy(s->responder->config.secrets.keys[0], key, sizeof key);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct served *served; /* made once per process */
	static struct scene scene;
	struct input in = {data, size};
	if (served == NULL)
		served = make();
	make_scene(&scene, &in);
	served->responder->config.nsid_len = scene.has_nsid ? RESPOND_NSID_MAX : 0;
	served->responder->config.secrets.count = scene.has_cookies ? 2 : 0;
	size_t len = served_ask(served, scene.packet, scene.packet_len, &scene.client, scene.is_tcp, 1);
	check(served, &scene, len);
	return 0;
}
