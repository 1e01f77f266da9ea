/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC: the standard health service (grpc.health.v1), one unary call over HTTP/2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "probes/agent/check_exchange.h"
#include "probes/agent/grpc_health.h"

#define GRPC_DEADLINE_EXCEEDED 4 /* a value of grpc-status */

/* The memory of a gRPC probe. */
struct grpc_probe {
	struct http_exchange exchange;
	char timeout[24]; /* as the protocol writes it */
	size_t request_len;
	uint8_t request[GRPC_REQUEST_MAX];
};

static void grpc_free(struct check_probe *probe)
{
	struct grpc_probe *own = probe->own;
	http_exchange_stop(&own->exchange);
	free(own);
}

/* Read grpc-status from the trailers, or from the header of a reply without a body; -1 when it is missing. */
static int64_t grpc_status(const struct http_reply *reply)
{
	int64_t status = -1;
	const char *text = reply->grpc_status;
	return text != NULL && text_to_int(text, 0, 1000, &status) ? status : -1;
}

/* The server was told the deadline too, and may report that it has passed before our own timer does. */
static bool is_late(const struct check_probe *probe, int64_t status)
{
	return status == GRPC_DEADLINE_EXCEEDED && probe_now_us(probe) >= (int64_t)probe->check->timeout_ms * 1000;
}

static enum probe_reason judge(struct check_probe *probe, const struct http_reply *reply)
{
	uint64_t serving = GRPC_UNKNOWN;
	int64_t status = grpc_status(reply);
	const char *type = reply->content_type;
	if (reply->status != 200) {
		(void)probe_detail(probe, "HTTP status %d", reply->status);
		return PROBE_REASON_HTTP_STATUS;
	}
	if (type == NULL || strncmp(type, "application/grpc", 16) != 0 || status < 0) {
		(void)probe_detail(probe, "that was no gRPC");
		return PROBE_REASON_HTTP_PROTOCOL;
	}
	if (status != 0) {
		const char *message = reply->grpc_message;
		(void)probe_detail(probe, "grpc-status %lld%s%.100s", (long long)status, message != NULL ? ": " : "",
				   message != NULL ? message : "");
		return is_late(probe, status) ? PROBE_REASON_TIMEOUT : PROBE_REASON_GRPC_STATUS;
	}
	if (reply->is_cut || grpc_health_parse((const uint8_t *)reply->body, reply->body_len, &serving) != VEER_OK) {
		(void)probe_detail(probe, "no HealthCheckResponse");
		return PROBE_REASON_HTTP_PROTOCOL;
	}
	(void)probe_detail(probe, "%s", grpc_health_text(serving));
	return serving == GRPC_SERVING ? PROBE_REASON_OK : PROBE_REASON_GRPC_STATUS;
}

static void on_reply(struct check_probe *probe, const struct http_reply *reply)
{
	enum probe_reason reason = judge(probe, reply);
	probe_note(probe, "grpc", "grpc-status %lld: %s", (long long)grpc_status(reply), probe->detail);
	if (reason == PROBE_REASON_OK) {
		probe->detail[0] = '\0';
		reason = probe_judge_certificate(probe, reply->peer);
	}
	probe_finish(probe, reason, reason == PROBE_REASON_OK ? "" : probe->detail);
}

static void describe(struct check_probe *probe, struct http_ask *ask)
{
	const struct grpc_probe *own = probe->own;
	const struct http_aim *aim = &own->exchange.aim;
	const char *host = probe->check->http.host;
	ask->method = "POST";
	ask->path = "/grpc.health.v1.Health/Check";
	ask->is_tls = aim->is_tls;
	if (host != NULL)
		(void)snprintf(ask->authority, sizeof ask->authority, "%s", host);
	else
		http_ask_set_authority(ask, aim->host, aim->port);
	http_ask_put(ask, "te", "trailers");
	http_ask_put(ask, "content-type", "application/grpc");
	http_ask_put(ask, "grpc-timeout", own->timeout);
	http_ask_put(ask, "user-agent", "veer/" VEER_VERSION);
	ask->body = own->request;
	ask->body_len = own->request_len;
}

void probe_grpc(struct check_probe *probe)
{
	const struct model_check *check = probe->check;
	struct grpc_probe *own = calloc(1, sizeof *own);
	if (own == NULL) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
		return;
	}
	probe->own = own;
	probe->free_own = grpc_free;
	(void)snprintf(own->timeout, sizeof own->timeout, "%um", check->timeout_ms);
	own->request_len = grpc_health_write(check->grpc_service, own->request);
	own->exchange = (struct http_exchange){.probe = probe,
					       .aim = {.address = probe->target,
						       .port = check->port,
						       .is_tls = check->tls.is_used,
						       .version = MODEL_HTTP_2},
					       .describe = describe,
					       .done = on_reply};
	probe_tls_name(probe, own->exchange.aim.host);
	http_exchange_start(&own->exchange);
}
