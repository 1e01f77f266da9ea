/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of pools and their endpoints. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "zones/model/model.h"
#include "zones/model/model_impl.h"

enum { HOST_NAME_MAX_LEN = 254 };

/* An absolute host name: LDH labels (underscores allowed) of 1 to 63, a dot at the end, at most 254 characters. */
static bool is_absolute_host(const char *text)
{
	size_t len = strlen(text), label = 0;
	if (len < 2 || len > HOST_NAME_MAX_LEN || text[len - 1] != '.')
		return false;
	for (; *text != '\0'; text++) {
		if (*text == '.') {
			if (label == 0 || label > MODEL_NAME_MAX)
				return false;
			label = 0;
		} else if (isalnum((unsigned char)*text) || *text == '-' || *text == '_') {
			label++;
		} else {
			return false;
		}
	}
	return true;
}

static void read_address(struct json_cursor *c, struct arena *arena, struct model_endpoint *endpoint)
{
	const char *text = veer_json_str(c, "address", HOST_NAME_MAX_LEN);
	if (c->err != VEER_OK)
		return;
	char *copy = arena_strdup(arena, text);
	endpoint->address = copy;
	if (copy == NULL) {
		veer_json_fail(c, NULL, VEER_ENOMEM, "out of memory");
	} else if (inet_pton(AF_INET, text, endpoint->ip) == 1) {
		endpoint->kind = MODEL_ADDRESS_IPV4;
	} else if (inet_pton(AF_INET6, text, endpoint->ip) == 1) {
		endpoint->kind = MODEL_ADDRESS_IPV6;
	} else if (is_absolute_host(text)) {
		endpoint->kind = MODEL_ADDRESS_HOST;
		for (char *p = copy; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
	} else {
		veer_json_fail(c, "address", VEER_EINVAL,
			       "\"%s\" is not an IPv4 or IPv6 address, nor a host name that ends with a dot", text);
	}
}

static enum veer_err read_endpoint(const json_t *object, const char *pointer, struct arena *arena,
				   struct model_endpoint *out, struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, object, pointer, diag);
	out->name = model_read_name(&c, arena, "name");
	out->site = model_read_name(&c, arena, "site");
	read_address(&c, arena, out);
	out->weight = (uint16_t)veer_json_int_or(&c, "weight", 0, 65535, 100);
	out->capacity = (uint32_t)veer_json_int_or(&c, "capacity", 1, UINT32_MAX, 0);
	return veer_json_end(&c);
}

/* Check that endpoints differ in name and in address, and that either all are host names or none is. */
static void check_endpoints(struct json_cursor *c, const struct model_endpoint *endpoints, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if ((endpoints[i].kind == MODEL_ADDRESS_HOST) != (endpoints[0].kind == MODEL_ADDRESS_HOST)) {
			veer_json_fail(c, "endpoints", VEER_EINVAL, "mixes addresses and host names");
			return;
		}
		for (size_t j = 0; j < i; j++) {
			if (strcmp(endpoints[i].name, endpoints[j].name) == 0) {
				veer_json_fail(c, "endpoints", VEER_EINVAL, "the name \"%s\" stands twice",
					       endpoints[i].name);
				return;
			}
			if (endpoints[i].kind == endpoints[j].kind &&
			    (endpoints[i].kind == MODEL_ADDRESS_HOST
				     ? strcmp(endpoints[i].address, endpoints[j].address) == 0
				     : memcmp(endpoints[i].ip, endpoints[j].ip, sizeof endpoints[i].ip) == 0)) {
				veer_json_fail(c, "endpoints", VEER_EINVAL, "the address %s stands twice",
					       endpoints[i].address);
				return;
			}
		}
	}
}

static void read_endpoints(struct json_cursor *c, struct arena *arena, struct model_pool *pool)
{
	const json_t *array = veer_json_array(c, "endpoints", MODEL_ENDPOINTS_MAX, true);
	if (c->err != VEER_OK)
		return;
	size_t count = json_array_size(array);
	struct model_endpoint *endpoints = model_read_array(c, arena, count, sizeof *endpoints);
	if (count == 0)
		veer_json_fail(c, "endpoints", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; i < count && c->err == VEER_OK; i++) {
		char pointer[32];
		(void)snprintf(pointer, sizeof pointer, "/endpoints/%zu", i);
		c->err = read_endpoint(json_array_get(array, i), pointer, arena, &endpoints[i], c->diag);
	}
	if (c->err == VEER_OK)
		check_endpoints(c, endpoints, count);
	pool->endpoints = endpoints;
	pool->endpoint_count = (uint32_t)count;
}

static void read_checks(struct json_cursor *c, struct arena *arena, struct model_pool *pool)
{
	const json_t *array = veer_json_array(c, "checks", MODEL_CHECKS_MAX, false);
	size_t count = array != NULL ? json_array_size(array) : 0;
	const char **names = model_read_array(c, arena, count, sizeof *names);
	for (size_t i = 0; i < count && c->err == VEER_OK; i++) {
		names[i] = model_read_copy(c, arena, model_read_string_at(c, "checks", array, i, MODEL_NAME_MAX));
		if (c->err == VEER_OK && !model_is_name(names[i]))
			veer_json_fail(c, "checks", VEER_EINVAL, "\"%s\" is not a name", names[i]);
		for (size_t j = 0; j < i && c->err == VEER_OK; j++)
			if (strcmp(names[i], names[j]) == 0)
				veer_json_fail(c, "checks", VEER_EINVAL, "\"%s\" stands twice", names[i]);
	}
	pool->checks = names;
	pool->check_count = (uint32_t)count;
}

enum veer_err model_pool_parse(const json_t *object, struct arena *arena, struct model_pool *out,
			       struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_pool pool = {0};
	pool.name = model_read_name(&c, arena, "name");
	read_checks(&c, arena, &pool);
	pool.min_up = (uint32_t)veer_json_int_or(&c, "min_up", 1, MODEL_ENDPOINTS_MAX, 1);
	read_endpoints(&c, arena, &pool);
	if (c.err == VEER_OK && pool.min_up > pool.endpoint_count)
		veer_json_fail(&c, "min_up", VEER_ERANGE, "is more than the pool has endpoints (%u)",
			       pool.endpoint_count);
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = pool;
	return err;
}
