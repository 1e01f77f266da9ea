/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of plans: a builder, the plan that it has published, and objects for it. Each call fails the test on
 * an error.
 */
#ifndef VEER_TESTS_PLAN_WORLD_H
#define VEER_TESTS_PLAN_WORLD_H

#include "zones/plan/plan_build.h"

struct world {
	struct plan_builder *builder;
	const struct plan *plan;    /* the plan of the last commit; NULL before the first */
	struct retire_list retired; /* memory that is free once all readers have left the earlier plans */
	int64_t revision;
};

/* For cmocka: `*state` is a world without objects. */
int world_setup(void **state);
int world_teardown(void **state);

/* Put an object given as its JSON. */
void world_put(struct world *w, enum model_kind kind, const char *key, const char *value);
void world_del(struct world *w, enum model_kind kind, const char *key);
/* The JSON of a verdict of POOL/NAME. */
void world_put_verdict(struct world *w, const char *endpoint, const char *state);
/* Put a static RRset from the text of one record; `key_text` as in the store, "ZONE/VERSION/OWNER/TYPE". */
void world_put_record(struct world *w, const char *key_text, uint32_t ttl, const char *text);

/* Publish a plan. The plan before can still be read until world_release() or the teardown. */
void world_commit(struct world *w);
void world_release(struct world *w);

#endif
