/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns of the writers of one zone within this process. Their commits exclude each other anyway, since each raises the
 * zone's serial on condition that nobody else has; who waits for a turn reads once and commits once, where those who
 * only tried again could lose to others any number of times. Writers of other processes are met by trying again.
 *
 * Order of locks: a zone's turn, then api.control.write_gate. Nobody takes two turns.
 * Threads: all functions but init and deinit may be called from any thread; take blocks.
 */
#ifndef VEER_API_CONTROL_ZONE_TURNS_H
#define VEER_API_CONTROL_ZONE_TURNS_H

#include <pthread.h>
#include <stddef.h>

#define ZONE_TURNS 32 /* zones that share a turn wait for each other, nothing more */

struct zone_turns {
	pthread_mutex_t locks[ZONE_TURNS];
};

void zone_turns_init(struct zone_turns *turns);
void zone_turns_deinit(struct zone_turns *turns);

/* Wait for the turn of the zone of that name (as in keys: struct zone_ref's text). The result goes to give. */
pthread_mutex_t *zone_turn_take(struct zone_turns *turns, const char *zone);
/* By the thread that has it. */
void zone_turn_give(pthread_mutex_t *turn);

#endif
