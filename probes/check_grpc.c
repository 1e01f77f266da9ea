/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC: the standard health service (grpc.health.v1), one unary call over HTTP/2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "probes/check_http_internal.h"
#include "probes/grpc_health.h"

#define TIMEOUT_SIZE 40

static void grpc_free(struct check_probe *probe)
{
	free(probe->own);
}

/* grpc-status comes in the trailers, or in the header of a reply that has nothing else; -1 when it did not. */
static int64_t grpc_status(const struct http_result *result)
{
	int64_t status = -1;
	const char *text = http_result_trailer(result, "grpc-status");
	if (text == NULL)
		text = http_result_header(result, "grpc-status");
	return text != NULL && text_to_int(text, 0, 1000, &status) ? status : -1;
}

static enum probe_reason judge(struct check_probe *probe, const struct http_result *result)
{
	uint64_t serving = GRPC_UNKNOWN;
	int64_t status = grpc_status(result);
	const char *type = http_result_header(result, "content-type");
	if (result->status != 200) {
		(void)probe_detail(probe, "HTTP status %d", result->status);
		return PROBE_REASON_HTTP_STATUS;
	}
	if (type == NULL || strncmp(type, "application/grpc", 16) != 0 || status < 0) {
		(void)probe_detail(probe, "that was no gRPC");
		return PROBE_REASON_HTTP_PROTOCOL;
	}
	if (status != 0) {
		const char *message = http_result_trailer(result, "grpc-message");
		if (message == NULL)
			message = http_result_header(result, "grpc-message");
		(void)probe_detail(probe, "grpc-status %lld%s%.100s", (long long)status, message != NULL ? ": " : "",
				   message != NULL ? message : "");
		return PROBE_REASON_GRPC_STATUS;
	}
	if (result->body_cut ||
	    grpc_health_parse((const uint8_t *)result->body, result->body_len, &serving) != VEER_OK) {
		(void)probe_detail(probe, "no HealthCheckResponse");
		return PROBE_REASON_HTTP_PROTOCOL;
	}
	(void)probe_detail(probe, "%s", grpc_health_text(serving));
	return serving == GRPC_SERVING ? PROBE_REASON_OK : PROBE_REASON_GRPC_STATUS;
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct check_probe *probe = ctx;
	const struct tls_peer *peer = probe->own;
	bool is_tls = probe->check->tls.is_used;
	probe->request = NULL;
	probe_http_seen(probe, result, peer);
	if (result->err != VEER_OK && !result->body_cut) {
		(void)probe_detail(probe, "%.180s", result->error);
		probe_finish(probe, probe_http_reason(probe, result, is_tls), probe->detail);
		return;
	}
	enum probe_reason reason = judge(probe, result);
	probe_note(probe, "grpc", "grpc-status %lld: %s", (long long)grpc_status(result), probe->detail);
	if (reason == PROBE_REASON_OK) {
		probe->detail[0] = '\0';
		reason = probe_judge_certificate(probe, peer);
	}
	probe_finish(probe, reason, reason == PROBE_REASON_OK ? "" : probe->detail);
}

static void write_url(const struct check_probe *probe, bool is_tls, struct buf *url)
{
	char name[256];
	probe_tls_name(probe, name);
	bool is_v6 = strchr(name, ':') != NULL;
	buf_printf(url, "%s://%s%s%s:%u/grpc.health.v1.Health/Check", is_tls ? "https" : "http", is_v6 ? "[" : "", name,
		   is_v6 ? "]" : "", probe->check->port);
}

static void start(struct check_probe *probe, const char *url, struct tls_peer *peer)
{
	const struct model_check *check = probe->check;
	uint8_t request[GRPC_REQUEST_MAX];
	char address[VEER_ADDR_TEXT_SIZE];
	char timeout[TIMEOUT_SIZE];
	char host[300];
	const char *headers[4] = {"te: trailers", timeout, NULL, NULL};
	(void)snprintf(timeout, sizeof timeout, "grpc-timeout: %um", check->timeout_ms);
	if (check->http.host != NULL) {
		(void)snprintf(host, sizeof host, "Host: %s", check->http.host);
		headers[2] = host;
	}
	struct http_spec spec = {
		.url = url,
		.method = "POST",
		.headers = headers,
		.body = request,
		.body_len = grpc_health_write(check->grpc_service, request),
		.content_type = "application/grpc",
		.version = HTTP_VERSION_2,
	};
	if (probe_http_spec(probe, check->tls.is_used, peer, address, &spec))
		probe_http_start(probe, &spec, on_done);
}

void probe_grpc(struct check_probe *probe)
{
	struct tls_peer *peer = calloc(1, sizeof *peer);
	struct buf url;
	probe->own = peer;
	probe->free_own = grpc_free;
	buf_init(&url, HTTP_URL_MAX);
	write_url(probe, probe->check->tls.is_used, &url);
	if (peer == NULL || url.failed)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
	else
		start(probe, url.data, peer);
	buf_deinit(&url);
}
