/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of probes: a loop with what checks need, a server on loopback, and probes that tell how they ended.
 *
 * Threads: the test's; the server has one of its own.
 */
#ifndef VEER_TESTS_CHECK_BENCH_H
#define VEER_TESTS_CHECK_BENCH_H

#include "probes/agent/check.h"
#include "tests/unit/tiny_http.h"

struct check_bench {
	struct loop *loop;
	struct check_env env; /* loopback is allowed */
	struct tiny_http *server;
	char dir[64];     /* empty, and to be so again at the end */
	unsigned running; /* the loop stops at 0 */
	bool has_failed;  /* what is said of the probes before */
};

/* How a probe ended: a copy. */
struct check_ended {
	struct check_bench *bench;
	int count; /* how often it said so */
	bool is_success;
	enum probe_reason reason;
	uint32_t rtt_us;
	struct check_timing timing;
	char detail[200];
	int64_t started_ms; /* on the monotonic clock */
	int64_t took_ms;
};

void check_bench_open(struct check_bench *b);
void check_bench_close(struct check_bench *b);

/* A check by HTTP that wants a 2xx within 400 ms. `path` is borrowed. */
struct model_check check_bench_http(uint16_t port, const char *path);

/* Start a probe, which ends while the loop runs; `*ended` must stay until then. One that is cancelled: `running`--. */
struct check_probe *check_bench_begin(struct check_bench *b, const struct model_check *check, const char *address,
				      struct check_ended *ended);
/* Start one and wait for it, and for all others that run. */
struct check_ended check_bench_run(struct check_bench *b, const struct model_check *check, const char *address);

#endif
