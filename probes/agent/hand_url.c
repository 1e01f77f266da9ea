/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a URL that a person types into a check object, which is then read like any other. */
#include "probes/agent/hand.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/text.h"

#define PART_MAX 1024

/* The parts of SCHEME://HOST[:PORT][/PATH][?QUERY], NUL-terminated copies. */
struct url {
	char scheme[16];
	char host[256];
	int64_t port;         /* 0: none */
	char path[PART_MAX];  /* with its slash; "": there is none */
	char query[PART_MAX]; /* without "?" */
};

static bool copy_part(char *out, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

static bool split_port(struct url *url, const char *text, size_t len)
{
	char digits[8];
	if (len == 0)
		return true;
	return text[0] == ':' && copy_part(digits, sizeof digits, text + 1, len - 1) &&
	       text_to_int(digits, 1, 65535, &url->port);
}

static bool split_authority(struct url *url, const char *text, size_t len)
{
	const char *end = len > 0 && text[0] == '[' ? memchr(text, ']', len) : NULL;
	if (end != NULL)
		return copy_part(url->host, sizeof url->host, text + 1, (size_t)(end - text) - 1) &&
		       split_port(url, end + 1, len - (size_t)(end - text) - 1);
	const char *colon = memchr(text, ':', len);
	size_t host_len = colon != NULL ? (size_t)(colon - text) : len;
	return host_len > 0 && copy_part(url->host, sizeof url->host, text, host_len) &&
	       split_port(url, text + host_len, len - host_len);
}

static bool split(const char *text, struct url *url)
{
	const char *mark = strstr(text, "://");
	*url = (struct url){0};
	if (mark == NULL || !copy_part(url->scheme, sizeof url->scheme, text, (size_t)(mark - text)))
		return false;
	const char *authority = mark + 3;
	size_t authority_len = strcspn(authority, "/?");
	const char *path = authority + authority_len;
	size_t path_len = strcspn(path, "?");
	const char *query = path + path_len + (path[path_len] == '?');
	return split_authority(url, authority, authority_len) &&
	       copy_part(url->path, sizeof url->path, path, path_len) &&
	       copy_part(url->query, sizeof url->query, query, strlen(query));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode %XX and + in place. */
static void unescape(char *text)
{
	char *out = text;
	for (; *text != '\0'; text++) {
		int high = text[0] == '%' ? hex_value(text[1]) : -1;
		int low = high >= 0 ? hex_value(text[2]) : -1;
		if (low >= 0) {
			*out++ = (char)(high << 4 | low);
			text += 2;
		} else {
			*out++ = (char)(*text == '+' ? ' ' : *text);
		}
	}
	*out = '\0';
}

/* The field of the check that a parameter of the query sets. */
static const char *field_of(const char *scheme, const char *name)
{
	static const struct {
		const char *scheme;
		const char *name;
		const char *field;
	} rows[] = {
		{"dns", "type", "query_type"}, {"dns", "rcode", "expect_rcode"}, {"udp", "send", "send"},
		{"udp", "expect", "expect"},   {"tcp", "send", "send"},          {"tcp", "expect", "expect"},
		{"tls", "send", "send"},       {"tls", "expect", "expect"},      {"dns", "expect", "expect_answers"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].scheme, scheme) == 0 && strcmp(rows[i].name, name) == 0)
			return rows[i].field;
	}
	return NULL;
}

static enum veer_err put_parameter(json_t *object, const char *scheme, char *text, struct veer_diag *diag)
{
	char *value = strchr(text, '=');
	if (value != NULL)
		*value++ = '\0';
	const char *field = value != NULL ? field_of(scheme, text) : NULL;
	if (field == NULL)
		return veer_fail(diag, VEER_EINVAL, "%s: has no parameter '%.40s'", scheme, text);
	unescape(value);
	json_t *json = json_string(value);
	if (json != NULL && strcmp(field, "expect_answers") == 0)
		json = json_pack("[o]", json);
	return json_object_set_new(object, field, json) == 0
		       ? VEER_OK
		       : veer_fail(diag, VEER_EINVAL, "'%.40s' is not a text", value);
}

static enum veer_err put_query(json_t *object, struct url *url, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	for (char *at = url->query; *at != '\0' && err == VEER_OK;) {
		char *end = at + strcspn(at, "&");
		char *next = *end != '\0' ? end + 1 : end;
		*end = '\0';
		err = put_parameter(object, url->scheme, at, diag);
		at = next;
	}
	return err;
}

/*
 * Set a field; takes the value's reference. A NULL value leaves the field out, which is an error when the object is
 * read.
 */
static void put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static void put_http(json_t *object, const struct url *url)
{
	struct veer_addr literal;
	const char *path = url->path[0] != '\0' ? url->path : "/";
	put(object, "path", url->query[0] != '\0' ? json_sprintf("%s?%s", path, url->query) : json_string(path));
	if (veer_addr_parse(url->host, &literal) != VEER_OK)
		put(object, "host",
		    url->port != 0 ? json_sprintf("%s:%d", url->host, (int)url->port) : json_string(url->host));
}

/* Make the object; NULL when memory is out or the URL is invalid (diag). */
static json_t *make_object(struct url *url, struct veer_diag *diag)
{
	json_t *object = json_pack("{s:s}", "name", "by-hand");
	const char *kind = url->scheme;
	enum veer_err err = VEER_OK;
	if (strcmp(kind, "http") == 0 || strcmp(kind, "https") == 0) {
		put_http(object, url);
	} else {
		err = put_query(object, url, diag);
		if (strcmp(kind, "dns") == 0)
			put(object, "query_name", json_string(url->path[0] != '\0' ? url->path + 1 : "."));
		if (strncmp(kind, "grpc", 4) == 0 && url->path[0] != '\0' && url->path[1] != '\0')
			put(object, "service", json_string(url->path + 1));
		if (strcmp(kind, "grpcs") == 0)
			put(object, "tls", json_true());
	}
	put(object, "kind", json_string(strcmp(kind, "grpcs") == 0 ? "grpc" : kind));
	if (url->port != 0)
		put(object, "port", json_integer(url->port));
	if (err == VEER_OK)
		return object;
	json_decref(object);
	return NULL;
}

enum veer_err hand_url_parse(const char *text, const json_t *more, struct arena *arena, struct model_check *check,
			     const char **address, struct veer_diag *diag)
{
	struct url url;
	struct veer_addr literal;
	struct veer_diag inner = {""};
	if (!split(text, &url))
		return veer_fail(diag, VEER_EINVAL, "'%.200s' is not a URL", text);
	json_t *object = make_object(&url, &inner);
	if (object == NULL)
		return veer_fail(diag, VEER_EINVAL, "%.200s: %.200s", text, inner.text);
	(void)json_object_update(object, (json_t *)(uintptr_t)more);
	enum veer_err err = model_check_parse(object, arena, check, &inner);
	json_decref(object);
	if (err != VEER_OK)
		return veer_fail(diag, err, "%.200s: %.200s", text, inner.text);
	size_t len = strlen(url.host);
	bool is_absolute = veer_addr_parse(url.host, &literal) == VEER_OK || url.host[len - 1] == '.';
	*address = arena_printf(arena, "%s%s", url.host, is_absolute ? "" : ".");
	return *address != NULL ? VEER_OK : veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
}
