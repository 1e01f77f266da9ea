/* SPDX-License-Identifier: Apache-2.0 */
/* A lock with two ranks. See write_gate.h. */
#include "api/control/write_gate.h"

#include <assert.h>

void write_gate_init(struct write_gate *gate)
{
	*gate = (struct write_gate){.is_taken = false};
	(void)pthread_mutex_init(&gate->lock, NULL);
	(void)pthread_cond_init(&gate->is_free, NULL);
}

void write_gate_deinit(struct write_gate *gate)
{
	(void)pthread_cond_destroy(&gate->is_free);
	(void)pthread_mutex_destroy(&gate->lock);
}

void write_gate_enter(struct write_gate *gate, bool is_urgent)
{
	(void)pthread_mutex_lock(&gate->lock);
	gate->urgent_waiting += is_urgent;
	while (gate->is_taken || (!is_urgent && gate->urgent_waiting > 0))
		(void)pthread_cond_wait(&gate->is_free, &gate->lock);
	gate->urgent_waiting -= is_urgent;
	gate->is_taken = true;
	(void)pthread_mutex_unlock(&gate->lock);
}

void write_gate_leave(struct write_gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	assert(gate->is_taken);
	gate->is_taken = false;
	(void)pthread_cond_broadcast(&gate->is_free);
	(void)pthread_mutex_unlock(&gate->lock);
}
