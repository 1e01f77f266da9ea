/* SPDX-License-Identifier: Apache-2.0 */
/* A check as JSON again. What has its default is left out, but for the fields that all checks have. */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "probes/verdict/assign_impl.h"
#include "zones/dns/rrset.h"

/* A builder of one object with a sticky error; takes over each value. */
static void put(json_t *object, const char *key, json_t *value, bool *failed)
{
	if (json_object_set_new(object, key, value) != 0)
		*failed = true;
}

static void put_int(json_t *object, const char *key, uint64_t value, bool *failed)
{
	put(object, key, json_integer((json_int_t)value), failed);
}

static void put_bool_if(json_t *object, const char *key, bool value, bool *failed)
{
	if (value)
		put(object, key, json_true(), failed);
}

/* Numbers whose absence means 0. */
static void put_int_if(json_t *object, const char *key, uint64_t value, bool *failed)
{
	if (value > 0)
		put_int(object, key, value, failed);
}

static void put_str_if(json_t *object, const char *key, const char *value, bool *failed)
{
	if (value != NULL)
		put(object, key, json_string(value), failed);
}

static json_t *headers_json(const char *const *headers, bool *failed)
{
	json_t *object = json_object();
	for (; *headers != NULL; headers++) {
		const char *colon = strstr(*headers, ": ");
		if (colon == NULL ||
		    json_object_setn_new(object, *headers, (size_t)(colon - *headers), json_string(colon + 2)) != 0)
			*failed = true;
	}
	return object;
}

static json_t *ranges_json(const struct model_check_http *http, bool *failed)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < http->expect_status_count; i++) {
		const struct model_status_range *range = &http->expect_status[i];
		json_t *text = range->first == range->last ? json_sprintf("%u", range->first)
							   : json_sprintf("%u-%u", range->first, range->last);
		if (json_array_append_new(array, text) != 0)
			*failed = true;
	}
	return array;
}

/* Text where it can be, else {"base64": "…"}. */
static json_t *bytes_json(const struct model_bytes *bytes)
{
	json_t *text = memchr(bytes->data, '\0', bytes->len) == NULL
			       ? json_stringn((const char *)bytes->data, bytes->len)
			       : NULL;
	if (text != NULL)
		return text;
	char *encoded = malloc(crypto_base64_size(bytes->len));
	if (encoded == NULL)
		return NULL;
	crypto_base64_encode(bytes->data, bytes->len, encoded);
	json_t *object = json_pack("{s:s}", "base64", encoded);
	free(encoded);
	return object;
}

static void put_bytes_if(json_t *object, const char *key, const struct model_bytes *bytes, bool *failed)
{
	if (bytes->data != NULL)
		put(object, key, bytes_json(bytes), failed);
}

static json_t *texts_json(const char *const *texts, uint32_t count, bool *failed)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < count; i++) {
		if (json_array_append_new(array, json_string(texts[i])) != 0)
			*failed = true;
	}
	return array;
}

static void put_http(json_t *object, const struct model_check_http *http, bool *failed)
{
	static const char *const versions[] = {
		[MODEL_HTTP_DEFAULT] = NULL, [MODEL_HTTP_1_1] = "1.1", [MODEL_HTTP_2] = "2", [MODEL_HTTP_ANY] = "any"};
	put(object, "method", json_string(http->method), failed);
	put(object, "path", json_string(http->path), failed);
	put_str_if(object, "host", http->host, failed);
	if (http->headers != NULL && http->headers[0] != NULL)
		put(object, "headers", headers_json(http->headers, failed), failed);
	put_bytes_if(object, "body", &http->body, failed);
	put(object, "expect_status", ranges_json(http, failed), failed);
	put_str_if(object, "body_contains", http->body_contains, failed);
	put_str_if(object, "body_regex", http->body_regex, failed);
	put_int_if(object, "follow_redirects", http->follow_redirects, failed);
	put_str_if(object, "http_version", versions[http->version], failed);
}

static void put_tls(json_t *object, const struct model_check_tls *tls, bool *failed)
{
	put_str_if(object, "sni", tls->sni, failed);
	put(object, "tls_verify", json_boolean(tls->verify), failed);
	put_bool_if(object, "tls_resume", tls->resumes, failed);
	put_str_if(object, "ca_file", tls->ca_file, failed);
	put_str_if(object, "ca_pem", tls->ca_pem, failed);
	put_int_if(object, "cert_warn_days", tls->cert_warn_days, failed);
	put_int_if(object, "cert_fail_days", tls->cert_fail_days, failed);
}

static void put_dns(json_t *object, const struct model_check_dns *dns, bool *failed)
{
	static const char *const rcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	char type[RRSET_TYPE_TEXT_SIZE];
	rrtype_print(dns->type, type);
	put(object, "query_name", json_string(dns->name_text), failed);
	put(object, "query_type", json_string(type), failed);
	put(object, "expect_rcode", json_string(rcodes[dns->rcode]), failed);
	if (dns->answer_count > 0)
		put(object, "expect_answers", texts_json(dns->answer_texts, dns->answer_count, failed), failed);
	if (dns->is_all)
		put(object, "expect_match", json_string("all"), failed);
	put_bool_if(object, "tcp", dns->is_tcp_only, failed);
}

static void put_kind(json_t *object, const struct model_check *check, bool *failed)
{
	switch (check->kind) {
	case MODEL_CHECK_HTTP:
	case MODEL_CHECK_HTTPS:
		put_http(object, &check->http, failed);
		break;
	case MODEL_CHECK_TCP:
	case MODEL_CHECK_TLS:
	case MODEL_CHECK_UDP:
		put_bytes_if(object, "send", &check->exchange.send, failed);
		put_bytes_if(object, "expect", &check->exchange.expect, failed);
		break;
	case MODEL_CHECK_DNS:
		put_dns(object, &check->dns, failed);
		break;
	case MODEL_CHECK_GRPC:
		put_str_if(object, "host", check->http.host, failed);
		if (check->grpc_service[0] != '\0')
			put(object, "service", json_string(check->grpc_service), failed);
		put_bool_if(object, "tls", check->tls.is_used, failed);
		break;
	case MODEL_CHECK_EXEC:
		put(object, "command", texts_json(check->exec.argv, check->exec.argc, failed), failed);
		break;
	case MODEL_CHECK_ICMP:
	case MODEL_CHECK_PUSH:
	case MODEL_CHECK_CALCULATED:
	case MODEL_CHECK_KIND_COUNT:
		break;
	}
	if (check->tls.is_used)
		put_tls(object, &check->tls, failed);
	put_bool_if(object, "keep_connection", check->keeps_connection, failed);
}

json_t *assign_check_json(const struct model_check *check, bool *failed)
{
	json_t *object = json_object();
	put(object, "name", json_string(check->name), failed);
	put(object, "kind", json_string(model_check_kind_text(check->kind)), failed);
	put_int_if(object, "port", check->port, failed);
	put_kind(object, check, failed);
	put_int(object, "interval_ms", check->interval_ms, failed);
	put_int(object, "timeout_ms", check->timeout_ms, failed);
	put_int_if(object, "max_latency_ms", check->max_latency_ms, failed);
	put_bool_if(object, "invert", check->is_inverted, failed);
	put_int(object, "fall", check->fall, failed);
	put_int(object, "rise", check->rise, failed);
	put_int(object, "hold_s", check->hold_s, failed);
	put_int_if(object, "quorum", check->quorum, failed);
	put(object, "warning", json_boolean(check->is_warning), failed);
	return object;
}
