/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/zone_turns.h"

#include <stdint.h>

void zone_turns_init(struct zone_turns *turns)
{
	for (size_t i = 0; i < ZONE_TURNS; i++)
		(void)pthread_mutex_init(&turns->locks[i], NULL);
}

void zone_turns_deinit(struct zone_turns *turns)
{
	for (size_t i = 0; i < ZONE_TURNS; i++)
		(void)pthread_mutex_destroy(&turns->locks[i]);
}

pthread_mutex_t *zone_turn_take(struct zone_turns *turns, const char *zone)
{
	uint32_t hash = 0;
	for (const char *p = zone; *p != '\0'; p++)
		hash = hash * 31 + (uint8_t)*p;
	pthread_mutex_t *turn = &turns->locks[hash % ZONE_TURNS];
	(void)pthread_mutex_lock(turn);
	return turn;
}

void zone_turn_give(pthread_mutex_t *turn)
{
	(void)pthread_mutex_unlock(turn);
}
