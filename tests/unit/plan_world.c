/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/plan_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/dns/rrtext.h"

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	w->builder = plan_builder_new();
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;
	retire_release(&w->retired);
	plan_builder_free(&w->builder);
	free(w);
	return 0;
}

void world_put(struct world *w, enum model_kind kind, const char *key, const char *value)
{
	struct veer_diag diag = {""};
	if (plan_builder_put(w->builder, kind, key, strlen(key), (const uint8_t *)value, strlen(value), &diag) !=
	    VEER_OK)
		fail_msg("%s: %s", key, diag.text);
}

void world_del(struct world *w, enum model_kind kind, const char *key)
{
	assert_int_equal(plan_builder_del(w->builder, kind, key, strlen(key), NULL), VEER_OK);
}

void world_put_verdict(struct world *w, const char *endpoint, const char *state)
{
	char value[256];
	(void)snprintf(value, sizeof value, "{\"endpoint\":\"%s\",\"state\":\"%s\",\"since_revision\":1}", endpoint,
		       state);
	world_put(w, MODEL_KIND_VERDICT, endpoint, value);
}

void world_put_record(struct world *w, const char *key_text, uint32_t ttl, const char *text)
{
	struct rrset_key key;
	struct rdata_span record;
	uint8_t *rdata, *wire, *value;
	size_t len;
	assert_int_equal(rrset_key_parse(key_text, strlen(key_text), &key, NULL), VEER_OK);
	assert_int_equal(rrtext_parse(key.type, text, key.zone, &rdata, &record.len, NULL), VEER_OK);
	record.data = rdata;
	assert_int_equal(rrset_compose(key.owner, key.type, ttl, &record, 1, &wire, &len, NULL), VEER_OK);
	value = malloc(len + 1);
	value[0] = 'w';
	memcpy(value + 1, wire, len);
	assert_int_equal(
		plan_builder_put(w->builder, MODEL_KIND_RRSET, key_text, strlen(key_text), value, len + 1, NULL),
		VEER_OK);
	free(value);
	free(wire);
	free(rdata);
}

void world_commit(struct world *w)
{
	assert_int_equal(plan_builder_commit(w->builder, ++w->revision, &w->plan, &w->retired), VEER_OK);
	assert_int_equal(w->plan->revision, w->revision);
}

void world_release(struct world *w)
{
	retire_release(&w->retired);
}
