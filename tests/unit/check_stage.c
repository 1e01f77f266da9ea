/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

int check_stage_setup(void **state)
{
	struct check_stage *f = calloc(1, sizeof *f);
	assert_non_null(f);
	check_bench_open(&f->bench);
	f->few = jobs_new(f->bench.loop, POOL_THREADS, 64);
	f->own_resolver = f->bench.env.resolver;
	f->bench.env.resolver = resolver_new(f->bench.loop, resolve_ask_system, f->few, f->few);
	assert_true(f->few != NULL && f->bench.env.resolver != NULL);
	*state = f;
	return 0;
}

void check_stage_path_in(const struct check_bench *b, const char *name, char out[128])
{
	(void)snprintf(out, 128, "%s/%s", b->dir, name);
}

int check_stage_teardown(void **state)
{
	struct check_stage *f = *state;
	char path[128];
	resolver_free(&f->bench.env.resolver);
	jobs_free(&f->few, true);
	f->bench.env.resolver = f->own_resolver;
	check_stage_path_in(&f->bench, "cert.pem", path);
	(void)unlink(path);
	check_stage_path_in(&f->bench, "key.pem", path);
	(void)unlink(path);
	check_bench_close(&f->bench);
	free(f);
	return 0;
}

void check_stage_slow_work(void *ctx)
{
	(void)ctx;
	(void)usleep(600000);
}

void check_stage_slow_done(void *ctx)
{
	(void)ctx;
}
