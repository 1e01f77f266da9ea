/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/policies.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

uint16_t policies_code(const char *text)
{
	return (uint16_t)(text != NULL ? text[0] << 8 | text[1] : 0);
}

json_t *policies_json(const char *text)
{
	json_t *value = NULL;
	struct veer_diag diag = {.text = ""};
	if (veer_json_parse(text, strlen(text), 1 << 20, &value, &diag) != VEER_OK)
		fail_msg("%s: %s", text, diag.text);
	return value;
}

int policies_setup(void **state)
{
	struct policies *w = calloc(1, sizeof *w);
	w->arena = arena_new((size_t)64 << 20);
	w->compiler = policy_compiler_new();
	*state = w;
	return 0;
}

int policies_teardown(void **state)
{
	struct policies *w = *state;
	free(w->program);
	policy_compiler_free(&w->compiler);
	arena_free(&w->arena);
	free(w);
	return 0;
}

const struct policy_pool *policies_find_pool(void *ctx, const char *name)
{
	struct policies *w = ctx;
	for (unsigned i = 0; i < w->pool_count; i++)
		if (strcmp(w->models[i].name, name) == 0)
			return &w->pools[i];
	return NULL;
}

void policies_add_pool(struct policies *w, const char *text)
{
	struct veer_diag diag = {.text = ""};
	json_t *object = policies_json(text);
	unsigned i = w->pool_count++;
	if (model_pool_parse(object, w->arena, &w->models[i], &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	w->pools[i] = (struct policy_pool){.model = &w->models[i], .flags = w->flags[i]};
	json_decref(object);
}

void policies_flag(struct policies *w, const char *pool, const char *endpoint, uint8_t flags)
{
	const struct policy_pool *p = policies_find_pool(w, pool);
	for (uint32_t i = 0; i < p->model->endpoint_count; i++)
		if (endpoint == NULL || strcmp(p->model->endpoints[i].name, endpoint) == 0)
			w->flags[p - w->pools][i] = flags;
}

void policies_compile(struct policies *w, uint16_t type)
{
	free(w->program);
	w->program = NULL;
	assert_int_equal(policy_compile(w->compiler, &w->policy, type, policies_find_pool, w, &w->program), VEER_OK);
}

void policies_set(struct policies *w, const char *text)
{
	struct veer_diag diag = {.text = ""};
	json_t *object = policies_json(text);
	if (model_policy_parse(object, w->arena, &w->policy, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	json_decref(object);
}

/* The answer as text: "A 192.0.2.1 192.0.2.2", "CNAME a.example.", "nodata", "servfail". */
static const char *text_of(const struct policy_outcome *o, char *out)
{
	static const char *const results[] = {"answer", "nodata", "servfail"};
	if (o->result != POLICY_ANSWER)
		return results[o->result];
	uint8_t wire[RRSET_WIRE_MAX];
	struct rrset_view view;
	struct rdata_span rdata;
	size_t len = ready_expand(o->rr, (const uint8_t *)"\1x", NULL, wire, sizeof wire);
	assert_int_equal(rrset_check(wire, len, &view, NULL), VEER_OK);
	assert_int_equal(view.type, o->rr->type);
	rrtype_print(view.type, out);
	for (size_t pos = 0; rrset_next(&view, &pos, &rdata);) {
		char address[NAME_TEXT_SIZE];
		if (view.type == RRTYPE_CNAME)
			(void)name_print(rdata.data, address, sizeof address);
		else
			(void)inet_ntop(view.type == RRTYPE_A ? AF_INET : AF_INET6, rdata.data, address,
					sizeof address);
		size_t at = strlen(out);
		(void)snprintf(out + at, 4096 - at, " %s", address);
	}
	return out;
}

const char *policies_answer(struct policies *w, const char *country, enum continent continent, uint64_t random)
{
	static char out[4096];
	struct geo_location location = {.country = policies_code(country), .continent = (uint8_t)continent};
	return text_of(policy_choose(w->program, location, random), out);
}

void policies_add_three_pools(struct policies *w)
{
	policies_add_pool(w, POOL("fra", "1", ENDPOINT("f1", "192.0.2.1")));
	policies_add_pool(w, POOL("iad", "1", ENDPOINT("i1", "192.0.2.2") "," ENDPOINT("i6", "2001:db8::2")));
	policies_add_pool(w, POOL("sin", "1", ENDPOINT("s1", "192.0.2.3")));
}
