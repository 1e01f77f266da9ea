/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP and HTTPS checks: one exchange, or several when redirects are followed, judged by status and body. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/http.h"
#include "base/regex.h"
#include "probes/agent/check_http_impl.h"

static void http_free(struct check_probe *probe)
{
	struct http_probe *own = probe->own;
	http_exchange_stop(&own->exchange);
	free(own->url);
	free(own);
}

/* --- judging --------------------------------------------------------------------------------------------------- */

static bool is_expected(const struct model_check_http *http, int status)
{
	for (uint32_t i = 0; i < http->expect_status_count; i++) {
		if (status >= http->expect_status[i].first && status <= http->expect_status[i].last)
			return true;
	}
	return false;
}

static enum probe_reason judge_regex(struct check_probe *probe, const struct http_reply *reply)
{
	struct regex *regex = NULL;
	/* Compiled anew each time: it takes a few microseconds, while keeping it would take memory for each check. */
	if (regex_new(probe->check->http.body_regex, &regex, NULL) != VEER_OK)
		return PROBE_REASON_INTERNAL;
	bool matches = regex_matches(regex, reply->body, reply->body_len);
	regex_free(&regex);
	probe_note(probe, "body", "%s the regular expression", matches ? "matches" : "does not match");
	if (matches)
		return PROBE_REASON_OK;
	(void)probe_detail(probe, "the body does not match the regular expression");
	return PROBE_REASON_BODY;
}

static enum probe_reason judge_body(struct check_probe *probe, const struct http_reply *reply)
{
	const char *text = probe->check->http.body_contains;
	if (text != NULL) {
		bool is_there = memmem(reply->body, reply->body_len, text, strlen(text)) != NULL;
		probe_note(probe, "body", "%s \"%.100s\"", is_there ? "holds" : "does not hold", text);
		if (!is_there) {
			(void)probe_detail(probe, "the body does not hold \"%.100s\"", text);
			return PROBE_REASON_BODY;
		}
	}
	return probe->check->http.body_regex != NULL ? judge_regex(probe, reply) : PROBE_REASON_OK;
}

static enum probe_reason judge(struct check_probe *probe, const struct http_reply *reply)
{
	const struct model_check_http *http = &probe->check->http;
	if (http->version == MODEL_HTTP_2 && reply->version != 20) {
		(void)probe_detail(probe, "the server does not speak HTTP/2");
		return PROBE_REASON_HTTP_PROTOCOL;
	}
	if (!is_expected(http, reply->status)) {
		(void)probe_detail(probe, "status %d", reply->status);
		return PROBE_REASON_HTTP_STATUS;
	}
	enum probe_reason reason = judge_body(probe, reply);
	return reason == PROBE_REASON_OK ? probe_judge_certificate(probe, reply->peer) : reason;
}

/* --- one request ----------------------------------------------------------------------------------------------- */

/* Does the method need a Content-Length even when the body is empty (RFC 9110 8.6)? */
static bool says_length(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

/* Write the request, with the check's own headers and host where these belong. */
static void describe(struct check_probe *probe, struct http_ask *ask)
{
	const struct model_check_http *http = &probe->check->http;
	const struct http_probe *own = probe->own;
	const struct http_aim *aim = &own->exchange.aim;
	ask->method = own->method;
	ask->path = own->path;
	ask->is_tls = aim->is_tls;
	if (own->is_endpoint && http->host != NULL)
		(void)snprintf(ask->authority, sizeof ask->authority, "%s", http->host);
	else
		http_ask_set_authority(ask, aim->host, aim->port);
	for (size_t i = 0; own->is_endpoint && http->headers[i] != NULL; i++)
		http_ask_put_line(ask, http->headers[i]);
	if (!http_ask_has(ask, "User-Agent"))
		http_ask_put(ask, "User-Agent", "veer/" VEER_VERSION);
	if (!http_ask_has(ask, "Accept"))
		http_ask_put(ask, "Accept", "*/*");
	ask->has_length = own->has_body || says_length(own->method);
	if (!own->has_body)
		return;
	ask->body = http->body.data;
	ask->body_len = http->body.len;
	if (ask->body_len > 0 && !http_ask_has(ask, "Content-Type"))
		http_ask_put(ask, "Content-Type", "application/octet-stream");
}

void http_probe_request(struct check_probe *probe)
{
	struct http_probe *own = probe->own;
	if (probe->env->note != NULL && own->url == NULL && !http_probe_write_url(probe))
		return;
	probe_note(probe, "request", "%s %s", own->method, own->url);
	http_exchange_start(&own->exchange);
}

bool http_probe_write_url(struct check_probe *probe)
{
	struct http_probe *own = probe->own;
	const struct http_aim *aim = &own->exchange.aim;
	struct buf url;
	bool is_v6 = strchr(aim->host, ':') != NULL;
	buf_init(&url, HTTP_URL_MAX);
	buf_printf(&url, "%s://%s%s%s:%u%s", aim->is_tls ? "https" : "http", is_v6 ? "[" : "", aim->host,
		   is_v6 ? "]" : "", aim->port, own->path);
	own->url = buf_take(&url, NULL);
	buf_deinit(&url);
	if (own->url == NULL)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, "the URL is too long");
	return own->url != NULL;
}

/* --- the life -------------------------------------------------------------------------------------------------- */

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void on_reply(struct check_probe *probe, const struct http_reply *reply)
{
	const struct model_check_http *http = &probe->check->http;
	if (http->follow_redirects > 0 && is_redirect(reply->status) && !is_expected(http, reply->status)) {
		http_probe_redirect(probe, reply);
		return;
	}
	enum probe_reason reason = judge(probe, reply);
	probe_finish(probe, reason, reason == PROBE_REASON_OK ? "" : probe->detail);
}

void probe_http(struct check_probe *probe)
{
	const struct model_check_http *http = &probe->check->http;
	struct http_probe *own = calloc(1, sizeof *own);
	if (own == NULL) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
		return;
	}
	probe->own = own;
	probe->free_own = http_free;
	own->endpoint = probe->target;
	own->method = http->method;
	own->path = http->path;
	own->has_body = http->body.data != NULL;
	own->is_endpoint = true;
	own->exchange = (struct http_exchange){.probe = probe,
					       .aim = {.address = probe->target,
						       .port = probe->check->port,
						       .is_tls = probe->check->kind == MODEL_CHECK_HTTPS,
						       .version = http->version},
					       .describe = describe,
					       .done = on_reply};
	probe_tls_name(probe, own->exchange.aim.host);
	http_probe_request(probe);
}
