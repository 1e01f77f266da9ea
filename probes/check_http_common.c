/* SPDX-License-Identifier: Apache-2.0 */
/* Requests by the HTTP client: for HTTP, HTTPS and gRPC. */
#include <openssl/x509_vfy.h>

#include "probes/check_http_internal.h"

#define BACKSTOP_MS 400 /* below CHECK_LATE_MS, so that what it ends counts */
#define READ_BUFFER_BYTES 4096

bool probe_http_spec(struct check_probe *probe, bool is_tls, struct tls_peer *peer, char *address,
		     struct http_spec *spec)
{
	const struct model_check_tls *tls = &probe->check->tls;
	struct veer_diag diag = {""};
	veer_addr_print(&probe->target, address);
	spec->connect_address = address;
	spec->body_limit_bytes = CHECK_BODY_MAX_BYTES;
	spec->fresh_connection = !probe->check->keeps_connection;
	spec->buffer_bytes = READ_BUFFER_BYTES;
	if (!is_tls)
		return true;
	/* After a redirect from http the check has nothing to say on certificates: verify them as ever. */
	spec->insecure = tls->is_used && !tls->verify;
	*peer = (struct tls_peer){.wants_names = probe->env->note != NULL};
	if (tls_trust_store(probe->env->trust, tls->ca_file, tls->ca_pem, &spec->store, &diag) != VEER_OK) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, probe_detail(probe, "%.180s", diag.text));
		return false;
	}
	spec->peer = peer;
	/*
	 * Whoever keeps connections has curl judge: it knows which connection was made with which bundle. That the
	 * bundle is one, and no pipe that hangs who reads it, is known from here.
	 */
	if (!spec->fresh_connection) {
		spec->ca_file = tls->ca_file;
		spec->ca_pem = tls->ca_pem;
		spec->store = NULL;
		spec->peer = NULL;
	}
	return true;
}

void probe_http_start(struct check_probe *probe, const struct http_spec *spec, http_done_fn *done)
{
	struct veer_diag diag = {""};
	struct http_spec timed = *spec;
	int64_t total_ms = probe->check->timeout_ms;
	int64_t left_ms = total_ms - probe_now_us(probe) / 1000;
	timed.timeout_ms = left_ms > 0 ? left_ms : 1;
	timed.connect_timeout_ms = timed.timeout_ms + BACKSTOP_MS;
	probe_extend(probe, probe->is_connected ? 0 : BACKSTOP_MS);
	probe->is_connected = true; /* the client tells what was reached; and a second request does not extend again */
	if (http_request_start(probe->env->http, &timed, NULL, done, probe, &probe->request, &diag) != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, probe_detail(probe, "%.180s", diag.text));
}

/* A stage of this exchange, from the probe's start. */
static int64_t from_start_us(const struct check_probe *probe, const struct http_result *result, int64_t stage_us)
{
	return stage_us < 0 ? -1 : probe_now_us(probe) - result->timing.total_us + stage_us;
}

void probe_http_seen(struct check_probe *probe, const struct http_result *result, const struct tls_peer *peer)
{
	probe->timing.connect_us = from_start_us(probe, result, result->timing.connect_us);
	probe->timing.tls_us = from_start_us(probe, result, result->timing.tls_us);
	probe->timing.first_byte_us = from_start_us(probe, result, result->timing.first_byte_us);
	probe_note_peer(probe, peer);
	if (result->status > 0)
		probe_note(probe, "status", "HTTP/%s status %d, %zu bytes of body%s",
			   result->version == 20   ? "2"
			   : result->version == 11 ? "1.1"
						   : "1.0",
			   result->status, result->body_len, result->body_cut ? " (the rest is not read)" : "");
}

/* No TCP connection, which leaves an errno, or one without TLS on it, which leaves none. */
static enum probe_reason reason_of_connect(const struct http_result *result, bool is_tls)
{
	if (is_tls && result->os_errno == 0)
		return PROBE_REASON_TLS_FAILED;
	return reason_of_errno(result->os_errno);
}

enum probe_reason probe_http_reason(const struct check_probe *probe, const struct http_result *result, bool is_tls)
{
	(void)probe;
	switch ((int)result->err) { /* as int: most codes cannot come */
	case VEER_ETIMEOUT:
		return result->timing.connect_us < 0 ? PROBE_REASON_CONNECT_TIMEOUT : PROBE_REASON_TIMEOUT;
	case VEER_ECLOSED:
		return PROBE_REASON_RESET;
	case VEER_EAUTH:
		return reason_of_certificate(result->tls_verify_result);
	case VEER_EIO:
		return reason_of_connect(result, is_tls);
	case VEER_EINVAL:
		return PROBE_REASON_HTTP_PROTOCOL;
	default:
		return PROBE_REASON_INTERNAL;
	}
}
