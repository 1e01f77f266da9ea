/* SPDX-License-Identifier: Apache-2.0 */
/* The fingerprint of what a check probes. */
#include <string.h>

#include "base/index.h"
#include "probes/verdict/assign.h"
#include "zones/dns/name.h"

static uint64_t add_number(uint64_t hash, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		hash = (hash ^ (number >> (8 * i) & 0xff)) * 0x100000001b3u;
	return hash;
}

static uint64_t add_text(uint64_t hash, const char *text)
{
	return index_hash(add_number(hash, text != NULL), text != NULL ? text : "");
}

static uint64_t add_data(uint64_t hash, const uint8_t *data, size_t len)
{
	hash = add_number(hash, len);
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ data[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t add_bytes(uint64_t hash, const struct model_bytes *bytes)
{
	return add_data(hash, bytes->data, bytes->data != NULL ? bytes->len : 0);
}

static uint64_t add_http(uint64_t hash, const struct model_check_http *http)
{
	hash = add_text(add_text(add_text(hash, http->method), http->path), http->host);
	for (const char *const *header = http->headers; header != NULL && *header != NULL; header++)
		hash = add_text(hash, *header);
	hash = add_bytes(hash, &http->body);
	for (uint32_t i = 0; i < http->expect_status_count; i++)
		hash = add_number(hash, (uint64_t)http->expect_status[i].first << 16 | http->expect_status[i].last);
	hash = add_text(add_text(hash, http->body_contains), http->body_regex);
	return add_number(add_number(hash, http->follow_redirects), http->version);
}

static uint64_t add_tls(uint64_t hash, const struct model_check_tls *tls)
{
	hash = add_text(add_text(add_text(hash, tls->sni), tls->ca_file), tls->ca_pem);
	hash = add_number(add_number(hash, tls->verify), tls->is_used);
	if (tls->resumes)
		hash = add_number(hash, 1); /* without it the hash is as it was before there was such a thing */
	return add_number(add_number(hash, tls->cert_warn_days), tls->cert_fail_days);
}

static uint64_t add_dns(uint64_t hash, const struct model_check_dns *dns)
{
	hash = add_data(hash, dns->name, name_len(dns->name));
	hash = add_number(add_number(hash, dns->type), dns->rcode);
	for (uint32_t i = 0; i < dns->answer_count; i++)
		hash = add_bytes(hash, &dns->answers[i]);
	return add_number(add_number(hash, dns->is_all), dns->is_tcp_only);
}

uint64_t assign_check_fingerprint(const struct model_check *check)
{
	uint64_t hash = add_number(add_number(INDEX_HASH_SEED, check->kind), check->port);
	hash = add_number(add_number(hash, check->max_latency_ms), check->is_inverted);
	switch (check->kind) {
	case MODEL_CHECK_HTTP:
	case MODEL_CHECK_HTTPS:
		return add_tls(add_http(hash, &check->http), &check->tls);
	case MODEL_CHECK_TCP:
	case MODEL_CHECK_TLS:
	case MODEL_CHECK_UDP:
		hash = add_bytes(add_bytes(hash, &check->exchange.send), &check->exchange.expect);
		return add_tls(hash, &check->tls);
	case MODEL_CHECK_DNS:
		return add_dns(hash, &check->dns);
	case MODEL_CHECK_GRPC:
		return add_tls(add_text(add_text(hash, check->grpc_service), check->http.host), &check->tls);
	case MODEL_CHECK_EXEC:
		for (uint32_t i = 0; i < check->exec.argc; i++)
			hash = add_text(hash, check->exec.argv[i]);
		return hash;
	case MODEL_CHECK_ICMP:
	case MODEL_CHECK_PUSH:
	case MODEL_CHECK_CALCULATED:
	case MODEL_CHECK_KIND_COUNT:
		return hash;
	}
	return hash;
}
