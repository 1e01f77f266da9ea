/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admits one writer at a time, urgent ones first: what an administrator does in an emergency waits only for the write
 * in progress, not for the writes that are waiting.
 *
 * Threads: enter and leave may be called from any thread; enter blocks. The thread that entered must leave.
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

/* Initialize an open gate in the caller's memory. */
void write_gate_init(struct write_gate *gate);
/* Release the gate. Nobody may be inside or waiting. */
void write_gate_deinit(struct write_gate *gate);
/* Wait until nobody is inside; urgent callers go before the others. */
void write_gate_enter(struct write_gate *gate, bool is_urgent);
/* Leave the gate. Called by the thread that entered. */
void write_gate_leave(struct write_gate *gate);

#endif
