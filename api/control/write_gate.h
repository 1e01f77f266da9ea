/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One writer at a time, the urgent ones first: what an administrator does in an emergency waits for the write that is
 * under way, not for all that wait behind it.
 *
 * Threads: enter and leave may be called from any thread; enter blocks. Who enters leaves.
 */
#ifndef VEER_API_CONTROL_WRITE_GATE_H
#define VEER_API_CONTROL_WRITE_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct write_gate {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t is_free;
	bool is_taken;
	unsigned urgent_waiting;
};

/* Open. In the caller's memory. */
void write_gate_init(struct write_gate *gate);
/* When nobody is inside or waits. */
void write_gate_deinit(struct write_gate *gate);
/* Wait until nobody is inside; the urgent go before the others. */
void write_gate_enter(struct write_gate *gate, bool is_urgent);
/* Whoever entered. */
void write_gate_leave(struct write_gate *gate);

#endif
