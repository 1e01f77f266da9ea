/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP and HTTPS: one exchange, or several along redirects, judged by status and body. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/regex.h"
#include "probes/check_http_internal.h"

#define HEADERS_MAX 18 /* the check's 16, Host, and the end */

static void http_free(struct check_probe *probe)
{
	struct http_probe *own = probe->own;
	http_plain_deinit(&own->plain);
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

static enum probe_reason judge_regex(struct check_probe *probe, const struct http_result *result)
{
	struct regex *regex = NULL;
	/* It was compiled when the check was read; a few microseconds, against memory for each check. */
	if (regex_new(probe->check->http.body_regex, &regex, NULL) != VEER_OK)
		return PROBE_REASON_INTERNAL;
	bool matches = regex_matches(regex, result->body, result->body_len);
	regex_free(&regex);
	probe_note(probe, "body", "%s the regular expression", matches ? "matches" : "does not match");
	if (matches)
		return PROBE_REASON_OK;
	(void)probe_detail(probe, "the body does not match the regular expression");
	return PROBE_REASON_BODY;
}

static enum probe_reason judge_body(struct check_probe *probe, const struct http_result *result)
{
	const char *text = probe->check->http.body_contains;
	if (text != NULL) {
		bool is_there = memmem(result->body, result->body_len, text, strlen(text)) != NULL;
		probe_note(probe, "body", "%s \"%.100s\"", is_there ? "holds" : "does not hold", text);
		if (!is_there) {
			(void)probe_detail(probe, "the body does not hold \"%.100s\"", text);
			return PROBE_REASON_BODY;
		}
	}
	return probe->check->http.body_regex != NULL ? judge_regex(probe, result) : PROBE_REASON_OK;
}

static enum probe_reason judge(struct check_probe *probe, const struct http_result *result)
{
	const struct model_check_http *http = &probe->check->http;
	const struct http_probe *own = probe->own;
	if (http->version == MODEL_HTTP_2 && result->version != 20) {
		(void)probe_detail(probe, "the server does not speak HTTP/2");
		return PROBE_REASON_HTTP_PROTOCOL;
	}
	if (!is_expected(http, result->status)) {
		(void)probe_detail(probe, "status %d", result->status);
		return PROBE_REASON_HTTP_STATUS;
	}
	enum probe_reason reason = judge_body(probe, result);
	return reason == PROBE_REASON_OK ? probe_judge_certificate(probe, &own->peer) : reason;
}

/* --- one request ----------------------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct http_result *result);

/* The check's own headers, where they belong. */
static void list_headers(const struct check_probe *probe, char *host, size_t host_size, const char **headers)
{
	const struct model_check_http *http = &probe->check->http;
	const struct http_probe *own = probe->own;
	size_t count = 0;
	if (!own->is_endpoint)
		return;
	if (http->host != NULL) {
		(void)snprintf(host, host_size, "Host: %s", http->host);
		headers[count++] = host;
	}
	for (size_t i = 0; http->headers[i] != NULL && count < HEADERS_MAX - 1; i++)
		headers[count++] = http->headers[i];
}

/* Unless the check has a header for it; the client adds one that is not empty. */
static const char *content_type(const struct model_check_http *http)
{
	for (const char *const *header = http->headers; *header != NULL; header++) {
		if (strncasecmp(*header, "content-type:", 13) == 0)
			return "";
	}
	return "application/octet-stream";
}

static enum http_version version_of(const struct model_check_http *http)
{
	switch (http->version) {
	case MODEL_HTTP_ANY:
		return HTTP_VERSION_ANY;
	case MODEL_HTTP_1_1:
		return HTTP_VERSION_1_1;
	case MODEL_HTTP_2:
		return HTTP_VERSION_2;
	}
	return HTTP_VERSION_ANY;
}

static void request(struct check_probe *probe)
{
	const struct model_check_http *http = &probe->check->http;
	struct http_probe *own = probe->own;
	const char *headers[HEADERS_MAX] = {NULL};
	char address[VEER_ADDR_TEXT_SIZE];
	char host[300];
	probe_note(probe, "request", "%s %s", own->method, own->url);
	if (http_plain_suffices(probe->check)) {
		http_plain_start(probe, on_done);
		return;
	}
	list_headers(probe, host, sizeof host, headers);
	struct http_spec spec = {
		.url = own->url,
		.method = own->method,
		.headers = headers,
		.body = own->has_body ? http->body.data : NULL,
		.body_len = own->has_body ? http->body.len : 0,
		.content_type = content_type(http),
		.version = version_of(http),
	};
	if (probe_http_spec(probe, own->is_tls, &own->peer, address, &spec))
		probe_http_start(probe, &spec, on_done);
}

/* --- redirects ------------------------------------------------------------------------------------------------- */

static void fail_redirect(struct check_probe *probe, const char *why)
{
	/* It is the endpoint that leads there: its failure, whatever the reason. */
	char text[sizeof probe->detail];
	(void)snprintf(text, sizeof text, "redirects: %.160s", why);
	probe_finish_later(probe, PROBE_REASON_HTTP_REDIRECT, text);
}

static void on_hop_resolved(void *ctx, const struct resolve_result *result)
{
	struct check_probe *probe = ctx;
	const struct http_probe *own = probe->own;
	probe->resolve = NULL;
	if (result->err != VEER_OK && result->err != VEER_ENOTFOUND) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, result->error);
		return;
	}
	if (result->err != VEER_OK) {
		fail_redirect(probe, result->error);
		return;
	}
	for (uint32_t i = 0; i < result->count; i++) {
		if (probe_vet(probe, &result->addresses[i], own->name)) {
			probe->target = result->addresses[i];
			request(probe);
			return;
		}
	}
	fail_redirect(probe, probe->detail);
}

/* Is `host` a name of the endpoint that is probed? Then its address is asked again, whoever the name leads to. */
static bool is_endpoint_name(const struct check_probe *probe, const char *host)
{
	const char *own_host = probe->check->http.host;
	char tls_name[256];
	probe_tls_name(probe, tls_name);
	if (strcasecmp(host, tls_name) == 0 || strcasecmp(host, probe->address) == 0)
		return true;
	size_t len = own_host != NULL ? strcspn(own_host, ":") : 0;
	return len > 0 && strlen(host) == len && strncasecmp(host, own_host, len) == 0;
}

/* Find the address of the next hop, and vet it. */
static void go_to(struct check_probe *probe, const char *host)
{
	struct http_probe *own = probe->own;
	struct veer_addr literal;
	bool is_literal = veer_addr_parse(host, &literal) == VEER_OK;
	if (is_endpoint_name(probe, host)) {
		literal = own->endpoint;
		is_literal = true;
	}
	if (is_literal && !probe_vet(probe, &literal, NULL)) {
		fail_redirect(probe, probe->detail);
		return;
	}
	if (is_literal) {
		probe->target = literal;
		request(probe);
		return;
	}
	(void)snprintf(own->name, sizeof own->name, "%s.", host);
	enum veer_err err = resolve_start(probe->env->resolver, own->name, on_hop_resolved, probe, &probe->resolve);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
}

/* What to ask there (RFC 9110 15.4): 303 always GET, 301 and 302 in place of POST as everybody does. */
static void choose_method(struct http_probe *own, int status)
{
	bool is_head = strcmp(own->method, "HEAD") == 0;
	if ((status == 303 && !is_head) || ((status == 301 || status == 302) && strcmp(own->method, "POST") == 0)) {
		own->method = "GET";
		own->has_body = false;
	}
}

static void follow(struct check_probe *probe, const char *location, int status)
{
	struct http_probe *own = probe->own;
	struct http_url before;
	struct http_url after;
	char *url = malloc(HTTP_URL_MAX);
	if (url == NULL) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
		return;
	}
	if (http_url_follow(own->url, NULL, url, &before) != VEER_OK ||
	    http_url_follow(own->url, location, url, &after) != VEER_OK) {
		free(url);
		fail_redirect(probe, "to no usable URL");
		return;
	}
	probe_note(probe, "redirect", "%d to %s", status, url);
	free(own->url);
	own->url = url;
	/* What the check says in its headers is for its endpoint, and may be secret. */
	own->is_endpoint = own->is_endpoint && is_endpoint_name(probe, after.host) && after.port == before.port &&
			   after.is_https == before.is_https;
	own->is_tls = after.is_https;
	choose_method(own, status);
	go_to(probe, after.host);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* --- the life -------------------------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct http_result *result)
{
	struct check_probe *probe = ctx;
	const struct model_check_http *http = &probe->check->http;
	struct http_probe *own = probe->own;
	probe->request = NULL;
	probe_http_seen(probe, result, &own->peer);
	if (result->err != VEER_OK && !result->body_cut) {
		(void)probe_detail(probe, "%.180s", result->error);
		probe_finish(probe, probe_http_reason(probe, result, own->is_tls), probe->detail);
		return;
	}
	if (http->follow_redirects > 0 && is_redirect(result->status) && !is_expected(http, result->status)) {
		const char *location = http_result_header(result, "Location");
		if (location == NULL)
			fail_redirect(probe, "without saying where to");
		else if (own->hops++ == http->follow_redirects)
			fail_redirect(probe, "more often than the check follows");
		else
			follow(probe, location, result->status);
		return;
	}
	enum probe_reason reason = judge(probe, result);
	probe_finish(probe, reason, reason == PROBE_REASON_OK ? "" : probe->detail);
}

static char *first_url(const struct check_probe *probe, bool is_tls)
{
	struct buf url;
	char name[256];
	probe_tls_name(probe, name);
	bool is_v6 = strchr(name, ':') != NULL;
	buf_init(&url, HTTP_URL_MAX);
	buf_printf(&url, "%s://%s%s%s:%u%s", is_tls ? "https" : "http", is_v6 ? "[" : "", name, is_v6 ? "]" : "",
		   probe->check->port, probe->check->http.path);
	char *text = buf_take(&url, NULL);
	buf_deinit(&url);
	return text;
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
	own->has_body = http->body.data != NULL;
	own->is_tls = probe->check->kind == MODEL_CHECK_HTTPS;
	own->is_endpoint = true;
	if (http_plain_suffices(probe->check) && probe->env->note == NULL) { /* nobody asks for its URL */
		http_plain_start(probe, on_done);
		return;
	}
	own->url = first_url(probe, own->is_tls);
	if (own->url == NULL)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, "the URL is too long");
	else
		request(probe);
}
