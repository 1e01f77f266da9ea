/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writers of one zone within this process take turns. Their commits exclude each other anyway, because each raises
 * the zone's serial on condition that it is unchanged. A writer that waits for its turn reads once and commits once;
 * without turns it could lose to other writers any number of times. After a conflict with a writer of another process
 * it tries again.
 *
 * Order of locks: a zone's turn, then api.control.write_gate. No thread takes two turns.
 * Threads: all functions except init and deinit may be called from any thread; take blocks.
 */
#ifndef VEER_API_CONTROL_ZONE_TURNS_H
#define VEER_API_CONTROL_ZONE_TURNS_H

#include <pthread.h>
#include <stddef.h>

#define ZONE_TURNS 32 /* zones that share a turn only wait for each other; this has no other effect */

struct zone_turns {
	pthread_mutex_t locks[ZONE_TURNS];
};

void zone_turns_init(struct zone_turns *turns);
void zone_turns_deinit(struct zone_turns *turns);

/*
 * Wait for the turn of the zone of that name (as in keys: struct zone_ref's text). The result is for zone_turn_give().
 */
pthread_mutex_t *zone_turn_take(struct zone_turns *turns, const char *zone);
/* Give the turn back. Called by the thread that has it. */
void zone_turn_give(pthread_mutex_t *turn);

#endif
