/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP and HTTPS: one exchange, judged by its status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509_vfy.h>

#include "base/buf.h"
#include "probes/check_internal.h"

#define HEADERS_MAX 18 /* the check's 16, Host, and the end */
#define URL_MAX_BYTES 2048
#define BACKSTOP_MS 400 /* below CHECK_LATE_MS, so that what it ends counts */

static enum probe_reason reason_of_certificate(int verify)
{
	switch (verify) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return PROBE_REASON_TLS_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return PROBE_REASON_TLS_NAME;
	default:
		return PROBE_REASON_TLS_UNTRUSTED;
	}
}

static bool is_expected(const struct model_check *check, int status)
{
	for (uint32_t i = 0; i < check->expect_status_count; i++) {
		if (status >= check->expect_status[i].first && status <= check->expect_status[i].last)
			return true;
	}
	return false;
}

/* No TCP connection, which leaves an errno, or one without TLS on it, which leaves none. */
static enum probe_reason reason_of_connect(const struct check_probe *probe, const struct http_result *result)
{
	if (probe->check->kind == MODEL_CHECK_HTTPS && result->os_errno == 0)
		return PROBE_REASON_TLS_FAILED;
	return reason_of_errno(result->os_errno);
}

static enum probe_reason reason_of_result(const struct check_probe *probe, const struct http_result *result)
{
	if (result->err == VEER_OK || result->body_cut)
		return is_expected(probe->check, result->status) ? PROBE_REASON_OK : PROBE_REASON_HTTP_STATUS;
	switch ((int)result->err) { /* as int: most codes cannot come */
	case VEER_ETIMEOUT:
		return result->timing.connect_us < 0 ? PROBE_REASON_CONNECT_TIMEOUT : PROBE_REASON_TIMEOUT;
	case VEER_ECLOSED:
		return PROBE_REASON_RESET;
	case VEER_EAUTH:
		return reason_of_certificate(result->tls_verify_result);
	case VEER_EIO:
		return reason_of_connect(probe, result);
	case VEER_EINVAL:
		return PROBE_REASON_HTTP_PROTOCOL;
	default:
		return PROBE_REASON_INTERNAL;
	}
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct check_probe *probe = ctx;
	enum probe_reason reason = reason_of_result(probe, result);
	probe->request = NULL;
	if (reason == PROBE_REASON_HTTP_STATUS)
		(void)snprintf(probe->detail, sizeof probe->detail, "status %d", result->status);
	else
		(void)snprintf(probe->detail, sizeof probe->detail, "%s", result->error);
	probe_finish(probe, reason, probe->detail);
}

/* The name in the URL is what TLS asks for and verifies: `sni`, else `host` without a port, else the address. */
static void url_host(const struct check_probe *probe, struct buf *url)
{
	const struct model_check *check = probe->check;
	const char *name = check->sni != NULL ? check->sni : check->host != NULL ? check->host : probe->address;
	size_t len = strlen(name);
	const char *colon = strchr(name, ':');
	struct veer_addr literal;
	if (veer_addr_parse(name, &literal) == VEER_OK && literal.family == VEER_FAMILY_V6) {
		buf_printf(url, "[%s]", name);
		return;
	}
	if (colon != NULL && name[0] != '[')
		len = (size_t)(colon - name);
	if (len > 1 && name[len - 1] == '.')
		len--; /* certificates and virtual hosts know names without the final dot */
	buf_append(url, name, len);
}

static void start(struct check_probe *probe, const char *url)
{
	const struct model_check *check = probe->check;
	const char *headers[HEADERS_MAX] = {NULL};
	char address[VEER_ADDR_TEXT_SIZE];
	char host[300];
	struct veer_diag diag = {""};
	size_t count = 0;
	if (check->host != NULL) {
		(void)snprintf(host, sizeof host, "Host: %s", check->host);
		headers[count++] = host;
	}
	for (size_t i = 0; check->headers != NULL && check->headers[i] != NULL && count < HEADERS_MAX - 1; i++)
		headers[count++] = check->headers[i];
	veer_addr_print(&probe->target, address);
	/* The client knows how far the exchange came when time is up, so its deadline takes the place of ours. */
	struct loop *loop = probe->env->loop;
	int64_t left_ms = probe->deadline.due_ms - loop_now_ms(loop);
	probe_extend(probe, BACKSTOP_MS);
	const struct http_spec spec = {
		.url = url,
		.method = check->method,
		.headers = headers,
		.timeout_ms = left_ms > 0 ? left_ms : 1,
		.connect_timeout_ms = left_ms + BACKSTOP_MS,
		.body_limit_bytes = CHECK_BODY_MAX_BYTES,
		.ca_file = check->ca_file,
		.insecure = !check->tls_verify,
		.connect_address = address,
		.fresh_connection = true,
	};
	if (http_request_start(probe->env->http, &spec, NULL, on_done, probe, &probe->request, &diag) != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, diag.text);
}

void probe_http(struct check_probe *probe)
{
	struct buf url;
	buf_init(&url, URL_MAX_BYTES);
	buf_puts(&url, probe->check->kind == MODEL_CHECK_HTTPS ? "https://" : "http://");
	url_host(probe, &url);
	buf_printf(&url, ":%u%s", probe->check->port, probe->check->path);
	if (url.failed)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, "the URL is too long");
	else
		start(probe, url.data);
	buf_deinit(&url);
}
