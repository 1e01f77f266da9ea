/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests of probes: the bench, with a resolver whose few threads are busy soon. */
#ifndef VEER_TESTS_CHECK_STAGE_H
#define VEER_TESTS_CHECK_STAGE_H

#include "probes/agent/resolve.h"
#include "tests/unit/check_bench.h"

struct check_stage {
	struct check_bench bench;      /* first: most tests need no more */
	struct resolver *own_resolver; /* of the environment, while ours is in its place: few threads are busy soon */
	struct jobs *few;
};

#define POOL_THREADS 4

/* For cmocka: `*state` is a stage. */
int check_stage_setup(void **state);
/* A file of the bench's directory. */
void check_stage_path_in(const struct check_bench *b, const char *name, char out[128]);
int check_stage_teardown(void **state);
/* Stands for a resolver that hangs. */
void check_stage_slow_work(void *ctx);
void check_stage_slow_done(void *ctx);

#endif
