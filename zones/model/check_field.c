/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/model/check_field.h"

#include <string.h>

#include "base/regex.h"
#include "base/tls.h"
#include "zones/dns/message.h"

enum { TEXT_MAX = 1024, HOST_MAX = 255, CERT_DAYS_MAX = 3650, MS_MAX = 60000 };

/* Sets of kinds of checks. */
#define KIND(KIND_) (1u << MODEL_CHECK_##KIND_)
#define ALL ((1u << MODEL_CHECK_KIND_COUNT) - 1)
#define PROBED (ALL & ~(KIND(PUSH) | KIND(CALCULATED)))
#define WITH_PORT (PROBED & ~(KIND(ICMP) | KIND(EXEC)))
#define HTTP_S (KIND(HTTP) | KIND(HTTPS))
#define STREAMS (KIND(TCP) | KIND(TLS) | KIND(UDP))
#define NEEDS_TLS (1u << 31)
#define SECURE (KIND(HTTPS) | KIND(TLS) | KIND(GRPC) | NEEDS_TLS)
/* kinds whose fingerprint contains the TLS settings, whether they use TLS or not */
#define SECURE_OR_NOT (HTTP_S | STREAMS | KIND(GRPC))

/* --- further rules for texts ------------------------------------------------------------------------------- */

static void rule_path(struct json_cursor *c, const struct model_check_field *f, const char *text,
		      const struct model_check *check)
{
	(void)check;
	if (text[0] != '/' || strchr(text, ' ') != NULL)
		veer_json_fail(c, f->key, VEER_EINVAL, "must start with / and hold no space");
}

static void rule_host(struct json_cursor *c, const struct model_check_field *f, const char *text,
		      const struct model_check *check)
{
	(void)check;
	if (strpbrk(text, " /@?#\\") != NULL)
		veer_json_fail(c, f->key, VEER_EINVAL, "\"%s\" is not a host name", text);
}

static void rule_not_empty(struct json_cursor *c, const struct model_check_field *f, const char *text,
			   const struct model_check *check)
{
	(void)check;
	if (text[0] == '\0')
		veer_json_fail(c, f->key, VEER_EINVAL, "must not be empty");
}

static void rule_regex(struct json_cursor *c, const struct model_check_field *f, const char *text,
		       const struct model_check *check)
{
	struct veer_diag diag = {""};
	struct regex *regex = NULL;
	(void)check;
	enum veer_err err = regex_new(text, &regex, &diag);
	if (err != VEER_OK)
		veer_json_fail(c, f->key, err, "%s", diag.text);
	else
		regex_free(&regex);
}

static void rule_absolute(struct json_cursor *c, const struct model_check_field *f, const char *text,
			  const struct model_check *check)
{
	(void)check;
	if (text[0] != '/')
		veer_json_fail(c, f->key, VEER_EINVAL, "must be an absolute path on the agent's host");
}

static void rule_pem(struct json_cursor *c, const struct model_check_field *f, const char *text,
		     const struct model_check *check)
{
	struct veer_diag diag = {""};
	if (check->tls.ca_file != NULL)
		veer_json_fail(c, f->key, VEER_EINVAL, "and ca_file exclude each other");
	else if (tls_pem_check(text, &diag) != VEER_OK)
		veer_json_fail(c, f->key, VEER_EINVAL, "%s", diag.text);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
static const char *const versions[] = {
	[MODEL_HTTP_DEFAULT] = "default", [MODEL_HTTP_1_1] = "1.1", [MODEL_HTTP_2] = "2", [MODEL_HTTP_ANY] = "any"};
static const char *const rcodes[] = {
	[DNS_NOERROR] = "NOERROR",   [DNS_FORMERR] = "FORMERR", [DNS_SERVFAIL] = "SERVFAIL",
	[DNS_NXDOMAIN] = "NXDOMAIN", [DNS_NOTIMP] = "NOTIMP",   [DNS_REFUSED] = "REFUSED"};
static const char *const matches[] = {"any", "all"};
static const char *const on_expiry[] = {"unknown", "down"};

/* A row with a value for each column, in this order. */
#define FIELD(KEY, KINDS, SENDING, PLACE, HASHED_KINDS, HAND_VALUE, VALUE, HELP)                                       \
	{                                                                                                              \
		.key = KEY, .kinds = (KINDS) & ~NEEDS_TLS, .needs_tls = ((KINDS)&NEEDS_TLS) != 0,                      \
		.sending = MODEL_SENT_##SENDING, .place = MODEL_PLACE_##PLACE, .hashed_kinds = HASHED_KINDS,           \
		.help = HELP, .hand_value = HAND_VALUE, VALUE                                                          \
	}
#define MEMBER(TYPE, MEMBER_)                                                                                          \
	.type = MODEL_FIELD_##TYPE, .offset = offsetof(struct model_check, MEMBER_),                                   \
	.size = sizeof(((struct model_check *)NULL)->MEMBER_)
#define NUMBER(MEMBER_, MIN, MAX, FALLBACK) MEMBER(NUMBER, MEMBER_), .min = MIN, .max = MAX, .fallback = FALLBACK
#define FLAG(MEMBER_, FALLBACK) MEMBER(FLAG, MEMBER_), .fallback = FALLBACK
#define ONE_OF(TYPE, MEMBER_, WORDS) MEMBER(TYPE, MEMBER_), .words = WORDS, .word_count = sizeof WORDS / sizeof WORDS[0]
#define TEXT(MEMBER_, MAX, FALLBACK, RULE)                                                                             \
	MEMBER(TEXT, MEMBER_), .max = MAX, .text_fallback = FALLBACK, .is_free = false, .rule = RULE
#define FREE_TEXT(MEMBER_, MAX, FALLBACK, RULE)                                                                        \
	MEMBER(TEXT, MEMBER_), .max = MAX, .text_fallback = FALLBACK, .is_free = true, .rule = RULE
#define BYTES(MEMBER_, MAX) MEMBER(BYTES, MEMBER_), .max = MAX
#define SPECIAL(TYPE) .type = MODEL_FIELD_##TYPE

/* clang-format off */
static const struct model_check_field fields[] = {
	FIELD("name", ALL, ALWAYS, NONE, 0, NULL, SPECIAL(NAME), "required: 1 to 63 of a-z 0-9 -"),
	FIELD("kind", ALL, ALWAYS, KIND, ALL, NULL, SPECIAL(KIND),
	      "required: http https tcp tls icmp dns grpc udp exec push calculated"),
	FIELD("port", WITH_PORT, IF_SET, PORT, ALL, NULL, MEMBER(PORT, port),
	      "80 (http), 443 (https, tls), 53 (dns), else required"),
	FIELD("method", HTTP_S, ALWAYS, METHOD, HTTP_S, "METHOD", ONE_OF(WORD, http.method, methods),
	      "http(s): GET"),
	FIELD("path", HTTP_S, ALWAYS, PATH, HTTP_S, NULL, TEXT(http.path, TEXT_MAX, "/", rule_path), "http(s): /"),
	FIELD("host", HTTP_S | KIND(GRPC), IF_SET, HOST, HTTP_S | KIND(GRPC), NULL,
	      TEXT(http.host, HOST_MAX, NULL, rule_host), "http(s), grpc: the Host header (the address)"),
	FIELD("headers", HTTP_S, IF_SET, HEADERS, HTTP_S, "NAME:VALUE", SPECIAL(HEADERS),
	      "http(s): send it; may repeat"),
	FIELD("body", HTTP_S, IF_SET, BODY, HTTP_S, NULL, BYTES(http.body, MODEL_BODY_MAX),
	      "http(s): of the request, not with GET and HEAD"),
	FIELD("expect_status", HTTP_S, ALWAYS, STATUSES, HTTP_S, "NNN[-NNN]", SPECIAL(STATUSES),
	      "http(s): which status is good (200-299); may repeat"),
	FIELD("body_contains", HTTP_S, IF_SET, BODY_CONTAINS, HTTP_S, "TEXT",
	      FREE_TEXT(http.body_contains, TEXT_MAX, NULL, rule_not_empty),
	      "http(s): what must be in the first 64 KiB"),
	FIELD("body_regex", HTTP_S, IF_SET, BODY_REGEX, HTTP_S, "REGEX",
	      FREE_TEXT(http.body_regex, REGEX_TEXT_MAX, NULL, rule_regex), "http(s): what they must match"),
	FIELD("follow_redirects", HTTP_S, IF_SET, REDIRECTS, HTTP_S, "N", NUMBER(http.follow_redirects, 0, 5, 0),
	      "http(s): how many (0)"),
	FIELD("http_version", HTTP_S, IF_SET, HTTP_VERSION, HTTP_S, "default|1.1|any|2",
	      ONE_OF(CHOICE, http.version, versions), "http(s): what to speak"),
	FIELD("send", STREAMS, IF_SET, SEND, STREAMS, NULL, BYTES(exchange.send, MODEL_EXCHANGE_MAX),
	      "tcp, tls, udp: what to say; udp needs it"),
	FIELD("expect", STREAMS, IF_SET, EXPECT, STREAMS, NULL, BYTES(exchange.expect, MODEL_EXCHANGE_MAX),
	      "tcp, tls, udp: what must be in the reply"),
	FIELD("query_name", KIND(DNS), ALWAYS, QUERY_NAME, KIND(DNS), NULL, SPECIAL(QUERY_NAME), "dns: required"),
	FIELD("query_type", KIND(DNS), ALWAYS, QUERY_TYPE, KIND(DNS), NULL, SPECIAL(QUERY_TYPE), "dns: A"),
	FIELD("expect_rcode", KIND(DNS), ALWAYS, RCODE, KIND(DNS), NULL, ONE_OF(CHOICE, dns.rcode, rcodes),
	      "dns: NOERROR"),
	FIELD("expect_answers", KIND(DNS), IF_SET, ANSWERS, KIND(DNS), NULL, SPECIAL(ANSWERS),
	      "dns: records' data"),
	FIELD("expect_match", KIND(DNS), IF_SET, MATCH, KIND(DNS), NULL, ONE_OF(CHOICE, dns.is_all, matches),
	      "dns: any of them (any), or all"),
	FIELD("tcp", KIND(DNS), IF_SET, TCP, KIND(DNS), NULL, FLAG(dns.is_tcp_only, false),
	      "dns: TCP at once (false)"),
	FIELD("service", KIND(GRPC), IF_SET, SERVICE, KIND(GRPC), NULL,
	      FREE_TEXT(grpc_service, HOST_MAX, "", NULL), "grpc: the server as a whole"),
	FIELD("tls", KIND(GRPC), IF_SET, TLS, SECURE_OR_NOT, NULL, FLAG(tls.is_used, false), "grpc: by TLS (false)"),
	FIELD("command", KIND(EXEC), ALWAYS, COMMAND, KIND(EXEC), NULL, SPECIAL(COMMAND),
	      "exec: required: path and arguments"),
	FIELD("sni", SECURE, IF_SET, SNI, SECURE_OR_NOT, NULL, TEXT(tls.sni, HOST_MAX, NULL, rule_host),
	      "with TLS: the name asked for and verified (host)"),
	FIELD("tls_verify", SECURE, ALWAYS, VERIFY, SECURE_OR_NOT, NULL, FLAG(tls.verify, true),
	      "with TLS: verify the certificate (true)"),
	FIELD("tls_resume", SECURE, IF_SET, RESUME, SECURE_OR_NOT, NULL, FLAG(tls.resumes, false),
	      "with TLS: resume sessions (false)"),
	FIELD("ca_file", SECURE, IF_SET, CA_FILE, SECURE_OR_NOT, "FILE",
	      TEXT(tls.ca_file, TEXT_MAX, NULL, rule_absolute), "PEM certificates to trust instead of the system's"),
	FIELD("ca_pem", SECURE, IF_SET, CA_PEM, SECURE_OR_NOT, NULL,
	      FREE_TEXT(tls.ca_pem, MODEL_PEM_MAX, NULL, rule_pem), "with TLS: the same, in the check itself"),
	FIELD("cert_warn_days", SECURE, IF_SET, CERT_WARN, SECURE_OR_NOT, NULL,
	      NUMBER(tls.cert_warn_days, 0, CERT_DAYS_MAX, 0), "with TLS: fewer days left are a warning (0: off)"),
	FIELD("cert_fail_days", SECURE, IF_SET, CERT_FAIL, SECURE_OR_NOT, NULL,
	      NUMBER(tls.cert_fail_days, 0, CERT_DAYS_MAX, 0), "with TLS: fewer days left are a failure (0: off)"),
	FIELD("keep_connection", HTTP_S | KIND(GRPC), IF_SET, NONE, 0, NULL, FLAG(keeps_connection, false),
	      "http(s), grpc: reuse connections (false)"),
	FIELD("interval_ms", PROBED, ALWAYS, NONE, 0, NULL, NUMBER(interval_ms, 100, 3600000, 5000),
	      "5000; 100 to 3600000"),
	FIELD("timeout_ms", PROBED, ALWAYS, NONE, 0, NULL, NUMBER(timeout_ms, 10, MS_MAX, 2000),
	      "2000; 10 to 60000, at most interval_ms x fall"),
	FIELD("max_latency_ms", PROBED, IF_SET, MAX_LATENCY, ALL, NULL, NUMBER(max_latency_ms, 0, MS_MAX, 0),
	      "a success that takes longer is a failure (0: off)"),
	FIELD("invert", PROBED, IF_SET, INVERT, ALL, NULL, FLAG(is_inverted, false),
	      "exchange success and failure (false)"),
	FIELD("fall", PROBED, ALWAYS, NONE, 0, NULL, NUMBER(fall, 1, 20, 2), "failures in a row (2)"),
	FIELD("rise", PROBED, ALWAYS, NONE, 0, NULL, NUMBER(rise, 1, 20, 2), "successes in a row (2)"),
	FIELD("hold_s", ALL, ALWAYS, NONE, 0, NULL, NUMBER(hold_s, 0, 86400, 10),
	      "a restoration comes at least so long after the removal (10)"),
	FIELD("quorum", PROBED, IF_SET, NONE, 0, NULL, SPECIAL(QUORUM), "agents (majority)"),
	FIELD("regions", PROBED, NEVER, NONE, 0, NULL, NUMBER(regions, 1, MODEL_AGENTS_MAX, 1),
	      "of the agents that agree (1)"),
	FIELD("warning", ALL, ALWAYS, NONE, 0, NULL, FLAG(is_warning, false), "shown, never part of a verdict (false)"),
	FIELD("ttl_s", KIND(PUSH), NEVER, NONE, 0, NULL, NUMBER(ttl_s, 1, 86400, 60), "push: 60"),
	FIELD("on_expiry", KIND(PUSH), NEVER, NONE, 0, NULL, ONE_OF(CHOICE, is_down_on_expiry, on_expiry),
	      "push: unknown, or down"),
	FIELD("of", KIND(CALCULATED), NEVER, NONE, 0, NULL, SPECIAL(PARTS), "calculated: required: names of checks"),
	FIELD("need", KIND(CALCULATED), NEVER, NONE, 0, NULL, SPECIAL(NEED),
	      "calculated: all, any or a number of them"),
};
/* clang-format on */

const struct model_check_field *model_check_fields(size_t *count)
{
	*count = sizeof fields / sizeof fields[0];
	return fields;
}

bool model_check_has(const struct model_check *check, const struct model_check_field *field)
{
	return (field->kinds >> check->kind & 1) != 0 && (!field->needs_tls || check->tls.is_used);
}

static const void *member_of(const struct model_check_field *field, const struct model_check *check)
{
	return (const char *)check + field->offset;
}

uint64_t model_field_number(const struct model_check_field *field, const struct model_check *check)
{
	const void *member = member_of(field, check);
	uint16_t two;
	uint32_t four;
	switch (field->size) {
	case sizeof(bool):
		return *(const bool *)member;
	case sizeof two:
		memcpy(&two, member, sizeof two);
		return two;
	default:
		memcpy(&four, member, sizeof four);
		return four;
	}
}

const char *model_field_text(const struct model_check_field *field, const struct model_check *check)
{
	const char *text;
	memcpy(&text, member_of(field, check), sizeof text);
	return text;
}

const struct model_bytes *model_field_bytes(const struct model_check_field *field, const struct model_check *check)
{
	return member_of(field, check);
}

bool model_field_is_set(const struct model_check_field *field, const struct model_check *check)
{
	const char *text;
	switch (field->type) {
	case MODEL_FIELD_NUMBER:
	case MODEL_FIELD_PORT:
	case MODEL_FIELD_FLAG:
	case MODEL_FIELD_CHOICE:
		return model_field_number(field, check) != 0;
	case MODEL_FIELD_TEXT:
		text = model_field_text(field, check);
		return text != NULL && *text != '\0';
	case MODEL_FIELD_BYTES:
		return model_field_bytes(field, check)->data != NULL;
	case MODEL_FIELD_HEADERS:
		return check->http.headers != NULL && check->http.headers[0] != NULL;
	case MODEL_FIELD_ANSWERS:
		return check->dns.answer_count > 0;
	case MODEL_FIELD_QUORUM:
		return check->quorum > 0;
	case MODEL_FIELD_NEED:
		return check->need > 0;
	case MODEL_FIELD_NAME:
	case MODEL_FIELD_KIND:
	case MODEL_FIELD_WORD:
	case MODEL_FIELD_STATUSES:
	case MODEL_FIELD_QUERY_NAME:
	case MODEL_FIELD_QUERY_TYPE:
	case MODEL_FIELD_COMMAND:
	case MODEL_FIELD_PARTS:
		return true;
	}
	return true;
}
