/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/model.h"
#include "zones/model_read.h"

enum { HEADERS_MAX = 16, RANGES_MAX = 16, TEXT_MAX = 1024, HOST_MAX = 255 };

static const char *const kinds[] = {
	[MODEL_CHECK_HTTP] = "http", [MODEL_CHECK_HTTPS] = "https",           [MODEL_CHECK_TCP] = "tcp",
	[MODEL_CHECK_PUSH] = "push", [MODEL_CHECK_CALCULATED] = "calculated",
};

/* Nothing that could end a request line or a header (RFC 9112 5: no CR, LF, NUL; no other controls either). */
static bool is_plain_text(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_token(const char *text)
{
	static const char token_chars[] = "!#$%&'*+-.^_`|~0123456789"
					  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	return *text != '\0' && text[strspn(text, token_chars)] == '\0';
}

/* "200-299" or "301": three digits each, first <= last. */
static bool parse_range(const char *text, struct model_status_range *out)
{
	size_t len = strlen(text);
	if ((len != 3 && len != 7) || strspn(text, "0123456789") != 3 || (len == 7 && text[3] != '-'))
		return false;
	if (len == 7 && strspn(text + 4, "0123456789") != 3)
		return false;
	long first = strtol(text, NULL, 10);
	long last = len == 7 ? strtol(text + 4, NULL, 10) : first;
	if (first < 100 || last > 599 || first > last)
		return false;
	out->first = (uint16_t)first;
	out->last = (uint16_t)last;
	return true;
}

static void read_ranges(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	const json_t *array = veer_json_array(c, "expect_status", RANGES_MAX, false);
	size_t count = array != NULL ? json_array_size(array) : 1;
	struct model_status_range *ranges = model_read_array(c, arena, count, sizeof *ranges);
	if (ranges == NULL)
		return;
	if (array == NULL)
		ranges[0] = (struct model_status_range){200, 299};
	if (count == 0)
		veer_json_fail(c, "expect_status", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; array != NULL && i < count && c->err == VEER_OK; i++) {
		const char *text = model_read_string_at(c, "expect_status", array, i, 7);
		if (c->err == VEER_OK && !parse_range(text, &ranges[i]))
			veer_json_fail(c, "expect_status", VEER_EINVAL,
				       "\"%s\" is not a status (\"301\") or a range (\"200-299\")", text);
	}
	check->expect_status = ranges;
	check->expect_status_count = (uint32_t)count;
}

static void read_headers(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	const json_t *object = veer_json_any(c, "headers");
	size_t count = 0;
	if (object != NULL && (!json_is_object(object) || json_object_size(object) > HEADERS_MAX)) {
		veer_json_fail(c, "headers", VEER_EINVAL, "must be an object of at most %d headers", HEADERS_MAX);
		return;
	}
	const char **lines = model_read_array(c, arena, HEADERS_MAX + 1, sizeof *lines);
	if (lines == NULL)
		return;
	check->headers = lines;
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const char *text = json_string_value(value);
		if (text == NULL || strlen(text) > TEXT_MAX || !is_plain_text(text) || !is_token(name)) {
			veer_json_fail(c, "headers", VEER_EINVAL, "\"%s\" is not a valid header", name);
			return;
		}
		if (strcasecmp(name, "host") == 0) {
			veer_json_fail(c, "headers", VEER_EINVAL, "Host is set by the field \"host\"");
			return;
		}
		lines[count] = arena_printf(arena, "%s: %s", name, text);
		if (lines[count++] == NULL)
			veer_json_fail(c, "headers", VEER_ENOMEM, "out of memory");
	}
}

static const char *read_text(struct json_cursor *c, struct arena *arena, const char *key, size_t max,
			     const char *fallback)
{
	const char *text = veer_json_str_or(c, key, max, fallback);
	if (c->err == VEER_OK && text != NULL && (!is_plain_text(text) || *text == '\0'))
		veer_json_fail(c, key, VEER_EINVAL, "must not be empty or hold control characters");
	return model_read_copy_or_null(c, arena, text);
}

static void read_http(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	static const char *const methods[] = {"GET", "HEAD"};
	int method = veer_json_enum_or(c, "method", methods, 2, 0);
	check->method = methods[method < 0 ? 0 : method];
	check->path = read_text(c, arena, "path", TEXT_MAX, "/");
	if (c->err == VEER_OK && (check->path[0] != '/' || strchr(check->path, ' ') != NULL))
		veer_json_fail(c, "path", VEER_EINVAL, "must start with / and hold no space");
	check->host = read_text(c, arena, "host", HOST_MAX, NULL);
	if (c->err == VEER_OK && check->host != NULL && strpbrk(check->host, " /@?#\\") != NULL)
		veer_json_fail(c, "host", VEER_EINVAL, "\"%s\" is not a host name", check->host);
	read_headers(c, arena, check);
	read_ranges(c, arena, check);
}

static void read_tls(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	check->sni = read_text(c, arena, "sni", HOST_MAX, NULL);
	check->tls_verify = veer_json_bool_or(c, "tls_verify", true);
	check->ca_file = read_text(c, arena, "ca_file", TEXT_MAX, NULL);
	if (c->err == VEER_OK && check->ca_file != NULL && check->ca_file[0] != '/')
		veer_json_fail(c, "ca_file", VEER_EINVAL, "must be an absolute path on the agent's host");
}

static void read_timing(struct json_cursor *c, struct model_check *check)
{
	check->interval_ms = (uint32_t)veer_json_int_or(c, "interval_ms", 100, 3600000, 5000);
	check->timeout_ms = (uint32_t)veer_json_int_or(c, "timeout_ms", 10, 60000, 2000);
	check->fall = (uint32_t)veer_json_int_or(c, "fall", 1, 20, 2);
	check->rise = (uint32_t)veer_json_int_or(c, "rise", 1, 20, 2);
	if (c->err == VEER_OK && (uint64_t)check->timeout_ms > (uint64_t)check->interval_ms * check->fall)
		veer_json_fail(c, "timeout_ms", VEER_ERANGE, "must be at most interval_ms x fall (%u)",
			       check->interval_ms * check->fall);
}

static void read_probing(struct json_cursor *c, struct arena *arena, struct model_check *check)
{
	static const uint16_t default_ports[] = {
		[MODEL_CHECK_HTTP] = 80, [MODEL_CHECK_HTTPS] = 443, [MODEL_CHECK_TCP] = 0};
	if (check->kind == MODEL_CHECK_TCP)
		check->port = (uint16_t)veer_json_int(c, "port", 1, 65535);
	else
		check->port = (uint16_t)veer_json_int_or(c, "port", 1, 65535, default_ports[check->kind]);
	if (check->kind != MODEL_CHECK_TCP)
		read_http(c, arena, check);
	if (check->kind == MODEL_CHECK_HTTPS)
		read_tls(c, arena, check);
	read_timing(c, check);
}

enum veer_err model_check_parse(const json_t *object, struct arena *arena, struct model_check *out,
				struct veer_diag *diag)
{
	static const char *const no_headers[] = {NULL};
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_check check = {.headers = no_headers, .tls_verify = true};
	check.name = model_read_name(&c, arena, "name");
	int kind = veer_json_enum_or(&c, "kind", kinds, sizeof kinds / sizeof kinds[0], -1);
	check.kind = kind < 0 ? MODEL_CHECK_TCP : (enum model_check_kind)kind;
	model_read_judging(&c, arena, &check);
	if (model_check_is_probed(&check))
		read_probing(&c, arena, &check);
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = check;
	return err;
}
