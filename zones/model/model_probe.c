/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of checks, second part: how each kind probes. */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/regex.h"
#include "base/tls.h"
#include "zones/dns/name.h"
#include "zones/dns/rdata.h"
#include "zones/dns/rrset.h"
#include "zones/dns/rrtext.h"
#include "zones/model/model.h"
#include "zones/model/model_impl.h"

enum { HEADERS_MAX = 16, RANGES_MAX = 16, TEXT_MAX = 1024, HOST_MAX = 255, CERT_DAYS_MAX = 3650 };

/* Nothing that could end a request line or a header (RFC 9112 5: no CR, LF, NUL; no other controls either). */
static bool is_plain_text(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_token(const char *text)
{
	static const char token_chars[] = "!#$%&'*+-.^_`|~0123456789"
					  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	return *text != '\0' && text[strspn(text, token_chars)] == '\0';
}

/* "200-299" or "301": three digits each, first <= last. */
static bool parse_range(const char *text, struct model_status_range *out)
{
	size_t len = strlen(text);
	if ((len != 3 && len != 7) || strspn(text, "0123456789") != 3 || (len == 7 && text[3] != '-'))
		return false;
	if (len == 7 && strspn(text + 4, "0123456789") != 3)
		return false;
	long first = strtol(text, NULL, 10);
	long last = len == 7 ? strtol(text + 4, NULL, 10) : first;
	if (first < 100 || last > 599 || first > last)
		return false;
	out->first = (uint16_t)first;
	out->last = (uint16_t)last;
	return true;
}

static void read_ranges(struct json_cursor *c, struct arena *arena, struct model_check_http *http)
{
	const json_t *array = veer_json_array(c, "expect_status", RANGES_MAX, false);
	size_t count = array != NULL ? json_array_size(array) : 1;
	struct model_status_range *ranges = model_read_array(c, arena, count, sizeof *ranges);
	if (ranges == NULL)
		return;
	if (array == NULL)
		ranges[0] = (struct model_status_range){200, 299};
	if (count == 0)
		veer_json_fail(c, "expect_status", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; array != NULL && i < count && c->err == VEER_OK; i++) {
		const json_t *number = json_array_get(array, i);
		if (json_is_integer(number) && json_integer_value(number) >= 100 && json_integer_value(number) <= 599) {
			ranges[i].first = ranges[i].last = (uint16_t)json_integer_value(number);
			continue;
		}
		if (!json_is_string(number)) {
			veer_json_fail(c, "expect_status", VEER_EINVAL,
				       "element %zu must be a status (301) or a range (\"200-299\")", i);
			return;
		}
		const char *text = model_read_string_at(c, "expect_status", array, i, 7);
		if (c->err == VEER_OK && !parse_range(text, &ranges[i]))
			veer_json_fail(c, "expect_status", VEER_EINVAL,
				       "\"%s\" is not a status (\"301\") or a range (\"200-299\")", text);
	}
	http->expect_status = ranges;
	http->expect_status_count = (uint32_t)count;
}

static void read_headers(struct json_cursor *c, struct arena *arena, struct model_check_http *http)
{
	const json_t *object = veer_json_any(c, "headers");
	size_t count = 0;
	if (object != NULL && (!json_is_object(object) || json_object_size(object) > HEADERS_MAX)) {
		veer_json_fail(c, "headers", VEER_EINVAL, "must be an object of at most %d headers", HEADERS_MAX);
		return;
	}
	const char **lines = model_read_array(c, arena, HEADERS_MAX + 1, sizeof *lines);
	if (lines == NULL)
		return;
	http->headers = lines;
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const char *text = json_string_value(value);
		if (text == NULL || strlen(text) > TEXT_MAX || !is_plain_text(text) || !is_token(name)) {
			veer_json_fail(c, "headers", VEER_EINVAL, "\"%s\" is not a valid header", name);
			return;
		}
		if (strcasecmp(name, "host") == 0) {
			veer_json_fail(c, "headers", VEER_EINVAL, "Host is set by the field \"host\"");
			return;
		}
		lines[count] = arena_printf(arena, "%s: %s", name, text);
		if (lines[count++] == NULL)
			veer_json_fail(c, "headers", VEER_ENOMEM, "out of memory");
	}
}

static const char *read_text(struct json_cursor *c, struct arena *arena, const char *key, size_t max,
			     const char *fallback)
{
	const char *text = veer_json_str_or(c, key, max, fallback);
	if (c->err == VEER_OK && text != NULL && (!is_plain_text(text) || *text == '\0'))
		veer_json_fail(c, key, VEER_EINVAL, "must not be empty or hold control characters");
	return model_read_copy_or_null(c, arena, text);
}

static void read_port(struct json_cursor *c, struct model_check *check, uint16_t fallback)
{
	if (fallback == 0)
		check->port = (uint16_t)veer_json_int(c, "port", 1, 65535);
	else
		check->port = (uint16_t)veer_json_int_or(c, "port", 1, 65535, fallback);
}

/* --- bytes ----------------------------------------------------------------------------------------------------- */

static void copy_bytes(struct json_cursor *c, struct arena *arena, const void *data, size_t len,
		       struct model_bytes *out)
{
	out->data = arena_dup(arena, data, len);
	out->len = (uint32_t)len;
	if (out->data == NULL)
		veer_json_fail(c, NULL, VEER_ENOMEM, "out of memory");
}

static void read_base64(struct json_cursor *c, struct arena *arena, const char *key, const json_t *object, size_t max,
			struct model_bytes *out)
{
	static uint8_t const nothing[1] = {0};
	struct json_cursor inner;
	veer_json_begin_child(&inner, c, key, -1, object);
	const char *text = veer_json_str(&inner, "base64", 4 * (max / 3 + 1));
	size_t len = 0;
	enum veer_err err = veer_json_end(&inner);
	uint8_t *data = arena_alloc(arena, max + 3);
	if (err != VEER_OK)
		c->err = err;
	else if (data == NULL)
		veer_json_fail(c, key, VEER_ENOMEM, "out of memory");
	else if (crypto_base64_decode(text, strlen(text), data, max, &len) != VEER_OK)
		veer_json_fail(c, key, VEER_EINVAL, "is no base64 of at most %zu bytes", max);
	else
		*out = (struct model_bytes){.data = len > 0 ? data : nothing, .len = (uint32_t)len};
}

/* Text as it is, or {"base64": "…"}. Absent: no bytes. */
static void read_bytes(struct json_cursor *c, struct arena *arena, const char *key, size_t max, struct model_bytes *out)
{
	const json_t *value = veer_json_any(c, key);
	if (c->err != VEER_OK || value == NULL)
		return;
	if (json_is_object(value))
		read_base64(c, arena, key, value, max, out);
	else if (!json_is_string(value))
		veer_json_fail(c, key, VEER_EINVAL, "must be text or {\"base64\": text}");
	else if (json_string_length(value) > max)
		veer_json_fail(c, key, VEER_ERANGE, "must have at most %zu bytes", max);
	else
		copy_bytes(c, arena, json_string_value(value), json_string_length(value), out);
	if (c->err == VEER_OK && out->len == 0)
		veer_json_fail(c, key, VEER_EINVAL, "must not be empty");
}

/* --- HTTP ------------------------------------------------------------------------------------------------------ */

static const char *read_host(struct json_cursor *c, struct arena *arena)
{
	const char *host = read_text(c, arena, "host", HOST_MAX, NULL);
	if (c->err == VEER_OK && host != NULL && strpbrk(host, " /@?#\\") != NULL)
		veer_json_fail(c, "host", VEER_EINVAL, "\"%s\" is not a host name", host);
	return host;
}

static void read_expected_body(struct json_cursor *c, struct arena *arena, struct model_check_http *http)
{
	struct veer_diag diag = {""};
	struct regex *regex = NULL;
	http->body_contains = model_read_copy_or_null(c, arena, veer_json_str_or(c, "body_contains", TEXT_MAX, NULL));
	if (c->err == VEER_OK && http->body_contains != NULL && http->body_contains[0] == '\0')
		veer_json_fail(c, "body_contains", VEER_EINVAL, "must not be empty");
	http->body_regex = model_read_copy_or_null(c, arena, veer_json_str_or(c, "body_regex", REGEX_TEXT_MAX, NULL));
	if (c->err != VEER_OK || http->body_regex == NULL)
		return;
	enum veer_err err = regex_new(http->body_regex, &regex, &diag);
	if (err != VEER_OK)
		veer_json_fail(c, "body_regex", err, "%s", diag.text);
	else
		regex_free(&regex);
}

static void read_http(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
	static const char *const versions[] = {[MODEL_HTTP_DEFAULT] = "default",
					       [MODEL_HTTP_1_1] = "1.1",
					       [MODEL_HTTP_2] = "2",
					       [MODEL_HTTP_ANY] = "any"};
	struct model_check_http *http = &check->http;
	int method = veer_json_enum_or(c, "method", methods, sizeof methods / sizeof methods[0], 0);
	http->method = methods[method < 0 ? 0 : method];
	http->path = read_text(c, arena, "path", TEXT_MAX, "/");
	if (c->err == VEER_OK && (http->path[0] != '/' || strchr(http->path, ' ') != NULL))
		veer_json_fail(c, "path", VEER_EINVAL, "must start with / and hold no space");
	http->host = read_host(c, arena);
	read_headers(c, arena, http);
	read_bytes(c, arena, "body", MODEL_BODY_MAX, &http->body);
	if (c->err == VEER_OK && http->body.data != NULL && (method == 0 || method == 1))
		veer_json_fail(c, "body", VEER_EINVAL, "%s has no body", http->method);
	read_ranges(c, arena, http);
	read_expected_body(c, arena, http);
	if (c->err == VEER_OK && method == 1 && (http->body_contains != NULL || http->body_regex != NULL))
		veer_json_fail(c, NULL, VEER_EINVAL, "a reply to HEAD has no body to look into");
	http->follow_redirects = (uint32_t)veer_json_int_or(c, "follow_redirects", 0, 5, 0);
	http->version = (enum model_http_version)veer_json_enum_or(c, "http_version", versions, 4, MODEL_HTTP_DEFAULT);
	check->keeps_connection = veer_json_bool_or(c, "keep_connection", false);
}

/* --- TLS ------------------------------------------------------------------------------------------------------- */

static void read_authorities(struct json_cursor *c, struct arena *arena, struct model_check_tls *tls)
{
	struct veer_diag diag = {""};
	tls->ca_file = read_text(c, arena, "ca_file", TEXT_MAX, NULL);
	if (c->err == VEER_OK && tls->ca_file != NULL && tls->ca_file[0] != '/')
		veer_json_fail(c, "ca_file", VEER_EINVAL, "must be an absolute path on the agent's host");
	tls->ca_pem = model_read_copy_or_null(c, arena, veer_json_str_or(c, "ca_pem", MODEL_PEM_MAX, NULL));
	if (c->err == VEER_OK && tls->ca_pem != NULL && tls->ca_file != NULL)
		veer_json_fail(c, "ca_pem", VEER_EINVAL, "and ca_file exclude each other");
	if (c->err == VEER_OK && tls->ca_pem != NULL && tls_pem_check(tls->ca_pem, &diag) != VEER_OK)
		veer_json_fail(c, "ca_pem", VEER_EINVAL, "%s", diag.text);
}

static void read_tls(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	struct model_check_tls *tls = &check->tls;
	tls->is_used = true;
	tls->sni = read_text(c, arena, "sni", HOST_MAX, NULL);
	if (c->err == VEER_OK && tls->sni != NULL && strpbrk(tls->sni, " /@?#\\") != NULL)
		veer_json_fail(c, "sni", VEER_EINVAL, "\"%s\" is not a host name", tls->sni);
	tls->verify = veer_json_bool_or(c, "tls_verify", true);
	tls->resumes = veer_json_bool_or(c, "tls_resume", false);
	read_authorities(c, arena, tls);
	tls->cert_warn_days = (uint32_t)veer_json_int_or(c, "cert_warn_days", 0, CERT_DAYS_MAX, 0);
	tls->cert_fail_days = (uint32_t)veer_json_int_or(c, "cert_fail_days", 0, CERT_DAYS_MAX, 0);
	bool wants_days = tls->cert_warn_days > 0 || tls->cert_fail_days > 0;
	if (c->err == VEER_OK && tls->resumes && wants_days)
		veer_json_fail(c, "tls_resume", VEER_EINVAL,
			       "a certificate is not seen when a session is resumed: not with cert_warn_days or "
			       "cert_fail_days");
	if (c->err == VEER_OK && check->keeps_connection && wants_days)
		veer_json_fail(c, "keep_connection", VEER_EINVAL,
			       "a certificate is seen when a connection begins: not with cert_warn_days or "
			       "cert_fail_days");
}

/* --- the others ------------------------------------------------------------------------------------------------ */

static void read_exchange(struct json_cursor *c, struct arena *arena, struct model_check_exchange *exchange)
{
	read_bytes(c, arena, "send", MODEL_EXCHANGE_MAX, &exchange->send);
	read_bytes(c, arena, "expect", MODEL_EXCHANGE_MAX, &exchange->expect);
}

/* One expected record: its RDATA in canonical form. */
static void read_answer(struct json_cursor *c, struct arena *arena, struct model_check_dns *dns, const char *text,
			struct model_bytes *out)
{
	static const uint8_t root[1] = {0};
	struct veer_diag diag = {""};
	uint8_t *rdata = NULL;
	size_t len = 0;
	enum veer_err err = rrtext_parse_line(dns->type, text, root, &rdata, &len, &diag);
	if (err == VEER_OK) {
		rdata_lower(dns->type, rdata, len);
		copy_bytes(c, arena, rdata, len, out);
	} else {
		veer_json_fail(c, "expect_answers", err, "\"%.100s\" is no such record: %s", text, diag.text);
	}
	free(rdata);
}

static void read_answers(struct json_cursor *c, struct arena *arena, struct model_check_dns *dns)
{
	static const char *const matches[] = {"any", "all"};
	const json_t *array = veer_json_array(c, "expect_answers", MODEL_ANSWERS_MAX, false);
	size_t count = json_array_size(array);
	dns->is_all = veer_json_enum_or(c, "expect_match", matches, 2, 0) == 1;
	struct model_bytes *answers = model_read_array(c, arena, count + 1, sizeof *answers);
	const char **texts = model_read_array(c, arena, count + 1, sizeof *texts);
	if (answers == NULL || texts == NULL)
		return;
	for (size_t i = 0; i < count && c->err == VEER_OK; i++) {
		const char *text = model_read_string_at(c, "expect_answers", array, i, TEXT_MAX);
		if (c->err != VEER_OK)
			return;
		texts[i] = model_read_copy(c, arena, text);
		read_answer(c, arena, dns, text, &answers[i]);
	}
	dns->answers = answers;
	dns->answer_texts = texts;
	dns->answer_count = (uint32_t)count;
}

static void read_dns(struct json_cursor *c, struct arena *arena, struct model_check_dns *dns)
{
	static const uint8_t root[1] = {0};
	static const char *const rcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	struct veer_diag diag = {""};
	uint8_t wire[NAME_WIRE_MAX];
	size_t len = 0;
	const char *name = veer_json_str(c, "query_name", TEXT_MAX);
	const char *type = veer_json_str_or(c, "query_type", RRSET_TYPE_TEXT_SIZE, "A");
	if (c->err == VEER_OK && name_parse(name, strlen(name), root, wire, &len, &diag) != VEER_OK)
		veer_json_fail(c, "query_name", VEER_EINVAL, "%s", diag.text);
	if (c->err == VEER_OK && (!rrtype_parse(type, strlen(type), &dns->type) || rrtype_is_meta(dns->type)))
		veer_json_fail(c, "query_type", VEER_EINVAL, "\"%s\" is no type of records", type);
	if (c->err != VEER_OK)
		return;
	name_lower(wire, len);
	dns->name = arena_dup(arena, wire, len);
	dns->name_text = model_read_copy(c, arena, name);
	if (dns->name == NULL)
		veer_json_fail(c, "query_name", VEER_ENOMEM, "out of memory");
	int rcode = veer_json_enum_or(c, "expect_rcode", rcodes, sizeof rcodes / sizeof rcodes[0], 0);
	dns->rcode = (uint16_t)(rcode < 0 ? 0 : rcode);
	dns->is_tcp_only = veer_json_bool_or(c, "tcp", false);
	read_answers(c, arena, dns);
}

static void read_grpc(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	check->http.host = read_host(c, arena);
	const char *service = veer_json_str_or(c, "service", HOST_MAX, "");
	check->grpc_service = model_read_copy(c, arena, service);
	check->keeps_connection = veer_json_bool_or(c, "keep_connection", false);
	if (veer_json_bool_or(c, "tls", false))
		read_tls(c, arena, check);
}

static void read_exec(struct json_cursor *c, struct arena *arena, struct model_check_exec *exec)
{
	const json_t *array = veer_json_array(c, "command", MODEL_ARGUMENTS_MAX, true);
	size_t count = json_array_size(array);
	const char **argv = model_read_array(c, arena, count + 1, sizeof *argv);
	if (argv == NULL)
		return;
	exec->argv = argv;
	exec->argc = (uint32_t)count;
	if (c->err == VEER_OK && count == 0)
		veer_json_fail(c, "command", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; i < count && c->err == VEER_OK; i++)
		argv[i] = model_read_copy(c, arena, model_read_string_at(c, "command", array, i, TEXT_MAX));
	if (c->err == VEER_OK && argv[0][0] != '/')
		veer_json_fail(c, "command", VEER_EINVAL, "must begin with an absolute path on the agent's host");
}

void model_read_probe(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	static const char *const no_headers[] = {NULL};
	check->http.headers = no_headers;
	check->grpc_service = "";
	switch (check->kind) {
	case MODEL_CHECK_HTTP:
	case MODEL_CHECK_HTTPS:
		read_port(c, check, check->kind == MODEL_CHECK_HTTP ? 80 : 443);
		read_http(c, arena, check);
		if (check->kind == MODEL_CHECK_HTTPS)
			read_tls(c, arena, check);
		return;
	case MODEL_CHECK_TCP:
		read_port(c, check, 0);
		read_exchange(c, arena, &check->exchange);
		return;
	case MODEL_CHECK_TLS:
		read_port(c, check, 443);
		read_tls(c, arena, check);
		read_exchange(c, arena, &check->exchange);
		return;
	case MODEL_CHECK_ICMP:
		return;
	case MODEL_CHECK_DNS:
		read_port(c, check, 53);
		read_dns(c, arena, &check->dns);
		return;
	case MODEL_CHECK_GRPC:
		read_port(c, check, 0);
		read_grpc(c, arena, check);
		return;
	case MODEL_CHECK_UDP:
		read_port(c, check, 0);
		read_exchange(c, arena, &check->exchange);
		if (c->err == VEER_OK && check->exchange.send.data == NULL)
			veer_json_fail(c, "send", VEER_EINVAL, "is required: a silent UDP port tells nothing");
		return;
	case MODEL_CHECK_EXEC:
		read_exec(c, arena, &check->exec);
		return;
	case MODEL_CHECK_PUSH:
	case MODEL_CHECK_CALCULATED:
	case MODEL_CHECK_KIND_COUNT:
		return;
	}
}
