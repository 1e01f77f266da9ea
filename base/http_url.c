/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs that servers send: parsed by curl's parser, so that the address that is vetted is the one that is connected to.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/http_impl.h"
#include "base/text.h"

/* Copy one part; "" when the URL does not have it. False when it does not fit or curl fails. */
static bool get_part(CURLU *url, CURLUPart part, unsigned flags, char *out, size_t size)
{
	char *text = NULL;
	CURLUcode code = curl_url_get(url, part, &text, flags);
	bool is_absent = code == CURLUE_NO_USER || code == CURLUE_NO_PASSWORD || code == CURLUE_NO_HOST;
	size_t len = text != NULL ? strlen(text) : 0;
	bool fits = len < size;
	out[0] = '\0';
	if (code == CURLUE_OK && fits)
		memcpy(out, text, len + 1);
	curl_free(text);
	return fits && (code == CURLUE_OK || is_absent);
}

static enum veer_err take_apart(CURLU *url, struct http_url *parts)
{
	char scheme[16];
	char port[8];
	char secret[8];
	int64_t number = 0;
	if (!get_part(url, CURLUPART_SCHEME, 0, scheme, sizeof scheme) ||
	    !get_part(url, CURLUPART_HOST, 0, parts->host, sizeof parts->host) ||
	    !get_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port))
		return VEER_EINVAL;
	if (!get_part(url, CURLUPART_USER, 0, secret, sizeof secret) || secret[0] != '\0' ||
	    !get_part(url, CURLUPART_PASSWORD, 0, secret, sizeof secret) || secret[0] != '\0')
		return VEER_EINVAL;
	parts->is_https = strcasecmp(scheme, "https") == 0;
	if ((!parts->is_https && strcasecmp(scheme, "http") != 0) || !text_to_int(port, 1, 65535, &number))
		return VEER_EINVAL;
	parts->port = (uint16_t)number;
	size_t len = strlen(parts->host);
	if (len > 2 && parts->host[0] == '[' && parts->host[len - 1] == ']') {
		len -= 2;
		memmove(parts->host, parts->host + 1, len);
	}
	if (len > 1 && parts->host[len - 1] == '.')
		len--;
	parts->host[len] = '\0';
	return len > 0 ? VEER_OK : VEER_EINVAL;
}

enum veer_err http_url_follow(const char *base, const char *location, char *out, struct http_url *parts)
{
	CURLU *url = curl_url();
	enum veer_err err = VEER_EINVAL;
	struct http_url found = {0};
	char text[HTTP_URL_MAX];
	if (url == NULL)
		return VEER_ENOMEM;
	if (strlen(base) >= HTTP_URL_MAX || (location != NULL && strlen(location) >= HTTP_URL_MAX))
		err = VEER_ERANGE;
	/* Relative references are resolved against what the handle holds (RFC 3986 5). */
	else if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
		 (location == NULL || curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK) &&
		 curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK)
		err = take_apart(url, &found);
	if (err == VEER_OK && !get_part(url, CURLUPART_URL, 0, text, sizeof text))
		err = VEER_ERANGE;
	curl_url_cleanup(url);
	if (err != VEER_OK)
		return err;
	(void)snprintf(out, HTTP_URL_MAX, "%s", text);
	*parts = found;
	return VEER_OK;
}
