/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of probes: a loop with everything that checks need, a server on loopback, and probes that record how
 * they ended.
 *
 * Threads: the thread of the test; the server has its own thread.
 */
#ifndef VEER_TESTS_CHECK_BENCH_H
#define VEER_TESTS_CHECK_BENCH_H

#include "probes/agent/check.h"
#include "tests/unit/tiny_http.h"

struct check_bench {
	struct loop *loop;
	struct check_env env; /* loopback is allowed */
	struct tiny_http *server;
	char dir[64];     /* empty at the start, and must be empty again at the end */
	unsigned running; /* the loop stops at 0 */
	bool has_failed;  /* passed to check_start(): whether the probe before has failed */
};

/* A copy of the result of a probe. */
struct check_ended {
	struct check_bench *bench;
	int count; /* how often the callback was called */
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

/* A check by HTTP that expects a 2xx within 400 ms. `path` is borrowed. */
struct model_check check_bench_http(uint16_t port, const char *path);

/*
 * Start a probe, which ends while the loop runs; `*ended` must stay valid until then. A caller that cancels a probe
 * must decrement `running`.
 */
struct check_probe *check_bench_begin(struct check_bench *b, const struct model_check *check, const char *address,
				      struct check_ended *ended);
/* Start a probe and wait for it and for all others that run. */
struct check_ended check_bench_run(struct check_bench *b, const struct model_check *check, const char *address);

#endif
