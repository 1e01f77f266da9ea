/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places for connections. See seats.h. Taken places are in a list, the longest idle first, and in a chain for the hash
 * of their prefix.
 */
#include "dnsd/serve/seats.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"

struct seat {
	uint64_t prefix;
	uint32_t before; /* the previous place in the list of taken places; SEATS_NONE at the ends */
	uint32_t after;  /* the next place in that list; for a free place the next free one */
	uint32_t next;   /* the next place in the chain */
};

struct seats {
	uint8_t key[CRYPTO_SIPHASH_KEY_BYTES];
	uint32_t count;
	uint32_t share;
	uint32_t taken;
	uint32_t free;   /* the first free place */
	uint32_t idlest; /* the ends of the list */
	uint32_t newest;
	uint32_t chain_mask;
	struct seat *all;
	uint32_t *chains; /* the first place of each chain, by a hash of the prefix; the latest taken comes first */
};

struct seats *seats_new(uint32_t count, uint32_t share)
{
	struct seats *s = calloc(1, sizeof *s);
	uint32_t chain_count = 1;
	if (s == NULL)
		return NULL;
	while (chain_count < count)
		chain_count *= 2;
	s->count = count;
	s->share = share;
	s->chain_mask = chain_count - 1;
	s->idlest = SEATS_NONE;
	s->newest = SEATS_NONE;
	s->all = calloc(count, sizeof *s->all);
	s->chains = calloc(chain_count, sizeof *s->chains);
	if (s->all == NULL || s->chains == NULL || crypto_random(s->key, sizeof s->key) != VEER_OK) {
		seats_free(&s);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		s->all[i].after = i + 1 < count ? i + 1 : SEATS_NONE;
	for (uint32_t i = 0; i < chain_count; i++)
		s->chains[i] = SEATS_NONE;
	return s;
}

void seats_free(struct seats **seats)
{
	if (*seats == NULL)
		return;
	free((*seats)->all);
	free((*seats)->chains);
	free(*seats);
	*seats = NULL;
}

static uint32_t *chain_of(const struct seats *s, uint64_t prefix)
{
	return &s->chains[crypto_siphash13(s->key, &prefix, sizeof prefix) & s->chain_mask];
}

/* --- the list --------------------------------------------------------------------------------------------- */

static void unlink_seat(struct seats *s, uint32_t seat)
{
	uint32_t before = s->all[seat].before;
	uint32_t after = s->all[seat].after;
	*(before != SEATS_NONE ? &s->all[before].after : &s->idlest) = after;
	*(after != SEATS_NONE ? &s->all[after].before : &s->newest) = before;
}

static void append_seat(struct seats *s, uint32_t seat)
{
	s->all[seat].before = s->newest;
	s->all[seat].after = SEATS_NONE;
	*(s->newest != SEATS_NONE ? &s->all[s->newest].after : &s->idlest) = seat;
	s->newest = seat;
}

/* --- interface -------------------------------------------------------------------------------------------- */

/*
 * The longest idle place of a prefix that has used up its share, otherwise SEATS_NONE. The list is walked only if the
 * share is used up.
 */
static uint32_t idlest_of_full(const struct seats *s, uint64_t prefix)
{
	uint32_t count = 0;
	if (s->share >= s->count)
		return SEATS_NONE; /* one prefix may have all places */
	for (uint32_t i = *chain_of(s, prefix); i != SEATS_NONE; i = s->all[i].next)
		count += s->all[i].prefix == prefix;
	if (count < s->share)
		return SEATS_NONE;
	uint32_t i = s->idlest;
	while (s->all[i].prefix != prefix)
		i = s->all[i].after;
	return i;
}

uint32_t seats_in_the_way(const struct seats *seats, uint64_t prefix, bool *is_share)
{
	uint32_t own = idlest_of_full(seats, prefix);
	*is_share = own != SEATS_NONE;
	if (*is_share)
		return own;
	return seats->free == SEATS_NONE ? seats->idlest : SEATS_NONE;
}

uint32_t seats_take(struct seats *seats, uint64_t prefix)
{
	uint32_t seat = seats->free;
	uint32_t *chain = chain_of(seats, prefix);
	assert(seat != SEATS_NONE);
	seats->free = seats->all[seat].after;
	seats->all[seat].prefix = prefix;
	seats->all[seat].next = *chain;
	*chain = seat;
	append_seat(seats, seat);
	seats->taken++;
	return seat;
}

void seats_touch(struct seats *seats, uint32_t seat)
{
	if (seats->newest == seat)
		return;
	unlink_seat(seats, seat);
	append_seat(seats, seat);
}

void seats_leave(struct seats *seats, uint32_t seat)
{
	uint32_t *link = chain_of(seats, seats->all[seat].prefix);
	while (*link != seat)
		link = &seats->all[*link].next;
	*link = seats->all[seat].next;
	unlink_seat(seats, seat);
	seats->all[seat].after = seats->free;
	seats->free = seat;
	seats->taken--;
}

uint32_t seats_idlest(const struct seats *seats)
{
	return seats->idlest;
}

uint32_t seats_taken(const struct seats *seats)
{
	return seats->taken;
}
