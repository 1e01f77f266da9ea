/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests of probes: the bench, with a resolver that has only a few threads, so that they are soon all busy. */
#ifndef VEER_TESTS_CHECK_STAGE_H
#define VEER_TESTS_CHECK_STAGE_H

#include "probes/agent/resolve.h"
#include "tests/unit/check_bench.h"

struct check_stage {
	struct check_bench bench;      /* the first member: most tests need only this */
	struct resolver *own_resolver; /* the environment's, while ours, with only a few threads, replaces it */
	struct jobs *few;
};

#define POOL_THREADS 4

/* For cmocka: `*state` is a stage. */
int check_stage_setup(void **state);
/* The path of a file in the bench's directory. */
void check_stage_path_in(const struct check_bench *b, const char *name, char out[128]);
int check_stage_teardown(void **state);
/* Work that takes as long as with a resolver that hangs. */
void check_stage_slow_work(void *ctx);
void check_stage_slow_done(void *ctx);

#endif
