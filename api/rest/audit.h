/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a line to the log for each change by the API and for each credential that was not good: who, what, from where.
 * For credentials, at most AUDIT_REFUSED_MAX lines are written in AUDIT_WINDOW_MS, and the next line says how many were
 * left out, so that a client that tries many credentials cannot fill the disk. Reports, uplinks and pushes change no
 * configuration and are left out.
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
	unsigned written;     /* lines in the present window */
	uint64_t left_out;    /* lines left out since the last line */
};

void audit_init(struct audit *audit);
void audit_deinit(struct audit *audit);

#endif
