/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects: each hop is resolved, vetted and requested like an endpoint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/http.h"
#include "probes/agent/check_http_impl.h"

static void fail(struct check_probe *probe, const char *why)
{
	/* The endpoint has sent the redirect, so this is the endpoint's failure, whatever the reason. */
	char text[sizeof probe->detail];
	(void)snprintf(text, sizeof text, "redirects: %.160s", why);
	probe_finish_later(probe, PROBE_REASON_HTTP_REDIRECT, text);
}

static void request_at(struct check_probe *probe, const struct veer_addr *address)
{
	struct http_probe *own = probe->own;
	probe->target = *address;
	own->exchange.aim.address = *address;
	http_probe_request(probe);
}

static void on_resolved(void *ctx, const struct resolve_result *result)
{
	struct check_probe *probe = ctx;
	const struct http_probe *own = probe->own;
	probe->resolve = NULL;
	if (result->err != VEER_OK && result->err != VEER_ENOTFOUND) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, result->error);
		return;
	}
	if (result->err != VEER_OK) {
		fail(probe, result->error);
		return;
	}
	for (uint32_t i = 0; i < result->count; i++) {
		if (probe_vet(probe, &result->addresses[i], own->name)) {
			request_at(probe, &result->addresses[i]);
			return;
		}
	}
	fail(probe, probe->detail);
}

/* Is `host` a name of the probed endpoint? Then its own address is used again, even if the name leads elsewhere. */
static bool is_endpoint_name(const struct check_probe *probe, const char *host)
{
	const char *own_host = probe->check->http.host;
	char tls_name[HTTP_HOST_SIZE];
	probe_tls_name(probe, tls_name);
	if (strcasecmp(host, tls_name) == 0 || strcasecmp(host, probe->address) == 0)
		return true;
	size_t len = own_host != NULL ? strcspn(own_host, ":") : 0;
	return len > 0 && strlen(host) == len && strncasecmp(host, own_host, len) == 0;
}

/* Resolve the address of the next hop, and vet it. */
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
		fail(probe, probe->detail);
		return;
	}
	if (is_literal) {
		request_at(probe, &literal);
		return;
	}
	(void)snprintf(own->name, sizeof own->name, "%s.", host);
	enum veer_err err = resolve_start(probe->env->resolver, own->name, on_resolved, probe, &probe->resolve);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
}

/*
 * Choose the method of the next request (RFC 9110 15.4): GET after 303, and, as is common practice, for POST after 301
 * and 302.
 */
static void choose_method(struct http_probe *own, int status)
{
	bool is_head = strcmp(own->method, "HEAD") == 0;
	if ((status == 303 && !is_head) || ((status == 301 || status == 302) && strcmp(own->method, "POST") == 0)) {
		own->method = "GET";
		own->has_body = false;
	}
}

/* The path and query of an absolute URL, which begins after the host. */
static const char *path_of(const char *url)
{
	const char *authority = strstr(url, "://") + 3;
	return authority + strcspn(authority, "/?#");
}

static void follow(struct check_probe *probe, const char *location, int status)
{
	struct http_probe *own = probe->own;
	struct http_aim *aim = &own->exchange.aim;
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
		fail(probe, "to no usable URL");
		return;
	}
	probe_note(probe, "redirect", "%d to %s", status, url);
	free(own->url);
	own->url = url;
	own->path = path_of(url);
	/* The check's headers are for its endpoint only, and may be secret. */
	own->is_endpoint = own->is_endpoint && is_endpoint_name(probe, after.host) && after.port == before.port &&
			   after.is_https == before.is_https;
	aim->is_tls = after.is_https;
	aim->port = after.port;
	(void)snprintf(aim->host, sizeof aim->host, "%s", after.host);
	choose_method(own, status);
	go_to(probe, after.host);
}

void http_probe_redirect(struct check_probe *probe, const struct http_reply *reply)
{
	struct http_probe *own = probe->own;
	if (own->url == NULL && !http_probe_write_url(probe))
		return;
	if (reply->location == NULL)
		fail(probe, "without saying where to");
	else if (own->hops++ == probe->check->http.follow_redirects)
		fail(probe, "more often than the check follows");
	else
		follow(probe, reply->location, reply->status);
}
