/* SPDX-License-Identifier: Apache-2.0 */
/* From http_spec to curl's options: everything that is decided before a byte is sent. */
#include "base/http_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <openssl/x509.h>

#include "base/addr.h"

#define URL_MAX_BYTES 8192

static enum veer_err out_of_memory(struct veer_diag *diag)
{
	return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
}

/* Whether the text has a line break or another control character, which would end the header or begin a second one. */
static bool has_control(const char *text)
{
	for (const char *s = text; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static enum veer_err add_header(struct http_request *request, const char *name, const char *value,
				struct veer_diag *diag)
{
	struct buf line;
	enum veer_err err = VEER_OK;
	buf_init(&line, 16384);
	buf_printf(&line, "%s%s%s", name, name[0] != '\0' ? ": " : "", value);
	if (line.failed || has_control(line.data)) {
		err = veer_fail(diag, VEER_EINVAL, "a request header is too long or has control characters");
	} else {
		struct curl_slist *grown = curl_slist_append(request->headers, line.data);
		if (grown == NULL)
			err = out_of_memory(diag);
		else
			request->headers = grown;
	}
	buf_deinit(&line);
	return err;
}

static enum veer_err set_headers(struct http_request *request, const struct http_spec *spec, struct veer_diag *diag)
{
	/* Without this, curl sends "Expect: 100-continue" before a large body and waits a second for the reply. */
	enum veer_err err = add_header(request, "", "Expect:", diag);
	if (err == VEER_OK && spec->bearer != NULL) {
		struct buf value;
		buf_init(&value, 8192);
		buf_printf(&value, "Bearer %s", spec->bearer);
		err = add_header(request, "Authorization", value.data, diag);
		buf_deinit(&value);
	}
	if (err == VEER_OK && spec->body_len > 0 && (spec->content_type == NULL || spec->content_type[0] != '\0'))
		err = add_header(request, "Content-Type",
				 spec->content_type != NULL ? spec->content_type : "application/json", diag);
	for (size_t i = 0; err == VEER_OK && spec->headers != NULL && spec->headers[i] != NULL; i++)
		err = add_header(request, "", spec->headers[i], diag);
	if (err == VEER_OK && curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) != CURLE_OK)
		err = out_of_memory(diag);
	return err;
}

/* Set the URL in the form that curl expects, checked before anything is started. */
static enum veer_err set_url(struct http_request *request, const struct http_spec *spec, struct veer_diag *diag)
{
	struct buf url;
	bool is_unix = strncmp(spec->url, "unix:", 5) == 0;
	const char *path = spec->path != NULL ? spec->path : "";
	CURLcode code = CURLE_OK;
	buf_init(&url, URL_MAX_BYTES);
	buf_puts(&url, is_unix ? "http://localhost" : spec->url);
	/* "https://host/" and "/v1" make "https://host/v1". */
	bool has_double_slash = path[0] == '/' && url.len > 0 && url.data[url.len - 1] == '/';
	buf_puts(&url, has_double_slash ? path + 1 : path);
	bool is_http = strncasecmp(url.data, "http://", 7) == 0 || strncasecmp(url.data, "https://", 8) == 0;
	CURLU *parsed = curl_url();
	bool is_valid = parsed != NULL && !url.failed && is_http &&
			(path[0] == '\0' || path[0] == '/' || path[0] == '?') &&
			curl_url_set(parsed, CURLUPART_URL, url.data, 0) == CURLUE_OK;
	curl_url_cleanup(parsed);
	if (is_valid)
		code = curl_easy_setopt(request->easy, CURLOPT_URL, url.data);
	if (is_valid && code == CURLE_OK) /* "/v1/zones/./export" is the path of the root zone, so "." must stay */
		code = curl_easy_setopt(request->easy, CURLOPT_PATH_AS_IS, 1L);
	buf_deinit(&url);
	if (!is_valid)
		return veer_fail(diag, VEER_EINVAL, "'%.200s%.100s' is not a usable URL", spec->url, path);
	/* sun_path holds 108 bytes with its NUL; curl would notice a longer path only when it connects. */
	if (is_unix && (spec->url[5] != '/' || strlen(spec->url + 5) > 107))
		return veer_fail(diag, VEER_EINVAL, "'%.200s': expected unix:/PATH of at most 107 bytes", spec->url);
	if (code == CURLE_OK && is_unix)
		code = curl_easy_setopt(request->easy, CURLOPT_UNIX_SOCKET_PATH, spec->url + 5);
	return code == CURLE_OK ? VEER_OK : out_of_memory(diag);
}

static enum veer_err set_connect_address(struct http_request *request, const struct http_spec *spec,
					 struct veer_diag *diag)
{
	struct veer_addr addr;
	char text[VEER_ADDR_TEXT_SIZE];
	char rule[VEER_ADDR_TEXT_SIZE + 8];
	if (spec->connect_address == NULL)
		return VEER_OK;
	if (veer_addr_parse(spec->connect_address, &addr) != VEER_OK)
		return veer_fail(diag, VEER_EINVAL, "'%.80s' is not an IP address", spec->connect_address);
	veer_addr_print(&addr, text);
	/*
	 * The rule is HOST:PORT:ADDRESS:PORT. Empty parts match every host and keep the URL's port. Host and SNI still
	 * come from the URL.
	 */
	(void)snprintf(rule, sizeof rule, addr.family == VEER_FAMILY_V6 ? "::[%s]:" : "::%s:", text);
	request->connect_to = curl_slist_append(NULL, rule);
	if (request->connect_to == NULL ||
	    curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO, request->connect_to) != CURLE_OK)
		return out_of_memory(diag);
	/*
	 * curl keeps even address literals in its cache of resolved names for a minute, and walks through the whole
	 * cache for each request. With 10,000 addresses that took nine tenths of a request's time and most of the
	 * memory.
	 */
	if (curl_easy_setopt(request->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L) != CURLE_OK)
		return out_of_memory(diag);
	return VEER_OK;
}

static bool is_token(const char *method)
{
	for (const char *s = method; *s != '\0'; s++)
		if (*s < 'A' || *s > 'Z')
			return false;
	return method[0] != '\0' && strlen(method) <= 16;
}

static enum veer_err set_body(struct http_request *request, const struct http_spec *spec, const char *method,
			      struct veer_diag *diag)
{
	request->sent_body = malloc(spec->body_len + 1);
	if (request->sent_body == NULL)
		return out_of_memory(diag);
	if (spec->body_len > 0)
		memcpy(request->sent_body, spec->body, spec->body_len);
	request->sent_body[spec->body_len] = '\0';
	CURLcode code = curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len);
	if (code == CURLE_OK)
		code = curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->sent_body);
	if (code == CURLE_OK)
		code = curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, method);
	return code == CURLE_OK ? VEER_OK : out_of_memory(diag);
}

static enum veer_err set_method(struct http_request *request, const struct http_spec *spec, struct veer_diag *diag)
{
	const char *method = spec->method;
	if (method == NULL)
		method = spec->body != NULL ? "POST" : "GET";
	if (!is_token(method))
		return veer_fail(diag, VEER_EINVAL, "'%.30s' is not an HTTP method", method);
	if (strcmp(method, "HEAD") == 0)
		return curl_easy_setopt(request->easy, CURLOPT_NOBODY, 1L) == CURLE_OK ? VEER_OK : out_of_memory(diag);
	/* Requests with these methods state the length of their body even when it is empty (RFC 9110 section 8.6). */
	if (spec->body != NULL || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	    strcmp(method, "PATCH") == 0)
		return set_body(request, spec, method, diag);
	if (strcmp(method, "GET") == 0)
		return VEER_OK;
	return curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK ? VEER_OK
											  : out_of_memory(diag);
}

static enum veer_err set_tls(struct http_request *request, const struct http_spec *spec, struct veer_diag *diag)
{
	CURL *easy = request->easy;
	struct stat st;
	/* curl opens the file for each connection, and would block on a pipe until somebody writes to it */
	if (spec->ca_file != NULL && stat(spec->ca_file, &st) == 0 && !S_ISREG(st.st_mode))
		return veer_fail(diag, VEER_EIO, "%.200s: is no regular file", spec->ca_file);
	CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (code == CURLE_OK && spec->ca_file != NULL)
		code = curl_easy_setopt(easy, CURLOPT_CAINFO, spec->ca_file);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	if (code == CURLE_OK && spec->fresh_connection)
		code = curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (code == CURLE_OK && spec->insecure)
		code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	if (code == CURLE_OK && spec->insecure)
		code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	return code == CURLE_OK ? VEER_OK : out_of_memory(diag);
}

static enum veer_err set_limits(struct http_request *request, const struct http_spec *spec, struct veer_diag *diag)
{
	CURL *easy = request->easy;
	int64_t connect_ms = spec->connect_timeout_ms > 0 ? spec->connect_timeout_ms : HTTP_CONNECT_TIMEOUT_MS;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_NOSIGNAL, 1},
		{CURLOPT_FOLLOWLOCATION, 0},
		{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
		{CURLOPT_BUFFERSIZE, 16384},
		{CURLOPT_CONNECTTIMEOUT_MS, connect_ms < INT_MAX ? (long)connect_ms : INT_MAX},
		{CURLOPT_FRESH_CONNECT, spec->fresh_connection},
		{CURLOPT_FORBID_REUSE, spec->fresh_connection},
		/*
		 * A name that is still being resolved must not delay the end of its request (see CURLOPT_QUICK_EXIT in
		 * curl's manual).
		 */
		{CURLOPT_QUICK_EXIT, 1},
		/*
		 * A connection for one exchange with a deadline needs neither of these options, and each costs system
		 * calls.
		 */
		{CURLOPT_TCP_NODELAY, !spec->fresh_connection},
		{CURLOPT_TCP_KEEPALIVE, !spec->fresh_connection},
		{CURLOPT_TCP_KEEPIDLE, 20},
		{CURLOPT_TCP_KEEPINTVL, 10},
	};
	CURLcode code = CURLE_OK;
	for (size_t i = 0; code == CURLE_OK && i < sizeof numbers / sizeof numbers[0]; i++)
		code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* no proxy, not even from the environment */
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "veer/" VEER_VERSION);
	return code == CURLE_OK ? VEER_OK : out_of_memory(diag);
}

enum veer_err http_setup(struct http_request *request, const struct http_spec *spec, struct veer_diag *diag)
{
	enum veer_err err = set_limits(request, spec, diag);
	if (err == VEER_OK)
		err = set_url(request, spec, diag);
	if (err == VEER_OK)
		err = set_method(request, spec, diag);
	if (err == VEER_OK)
		err = set_headers(request, spec, diag);
	if (err == VEER_OK)
		err = set_connect_address(request, spec, diag);
	if (err == VEER_OK)
		err = set_tls(request, spec, diag);
	return err;
}
