/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line in the log for each change by the API and for each credential that was not good: who, what, from where. Of the
 * latter at most AUDIT_REFUSED_MAX in AUDIT_WINDOW_MS are written, and then how many were not: whoever tries
 * credentials must not fill the disk. Reports, uplinks and pushes change no configuration and are left out.
 *
 * Threads: a network or worker thread of the server calls; the log blocks for at most 50 ms.
 */
#ifndef VEER_API_REST_AUDIT_H
#define VEER_API_REST_AUDIT_H

#include <pthread.h>
#include <stdint.h>

enum { AUDIT_REFUSED_MAX = 50, AUDIT_WINDOW_MS = 10000 };

struct audit {
	pthread_mutex_t lock; /* guards what follows */
	int64_t window_ms;    /* when the window began */
	unsigned written;     /* in it */
	uint64_t left_out;    /* since the last line */
};

void audit_init(struct audit *audit);
void audit_deinit(struct audit *audit);

#endif
