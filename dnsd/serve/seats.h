/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places for connections: a fixed number, of which one prefix may have a share. When no place is left, a new client
 * gets the place of the client that was idle longest. When a new client's prefix has used up its share, it gets the
 * place that was idle longest within that prefix. So many clients from one network displace only each other, and many
 * from everywhere displace idle clients.
 *
 * Threads: a set of places belongs to one worker. Nothing allocates after seats_new().
 */
#ifndef VEER_DNSD_SERVE_SEATS_H
#define VEER_DNSD_SERVE_SEATS_H

#include <stdbool.h>
#include <stdint.h>

#define SEATS_NONE UINT32_MAX
#define SEATS_MAX 65536

struct seats;

/* Make `count` places (1 to SEATS_MAX), at most `share` (>= 1) for a prefix. NULL: no memory or no random bytes. */
struct seats *seats_new(uint32_t count, uint32_t share);
void seats_free(struct seats **seats);

/*
 * The place that must be freed before a client of `prefix` (from prefix_of()) can have one, and whether that is because
 * of the prefix's share; SEATS_NONE when there is room.
 */
uint32_t seats_in_the_way(const struct seats *seats, uint64_t prefix, bool *is_share);
/* Take a free place; there must be one. Its holder counts as active just now. Places are numbered from 0. */
uint32_t seats_take(struct seats *seats, uint64_t prefix);
/* The holder of this place was active. */
void seats_touch(struct seats *seats, uint32_t seat);
/* The place, which was taken, is free again. */
void seats_leave(struct seats *seats, uint32_t seat);

/* The place whose holder was idle longest; SEATS_NONE when no place is taken. */
uint32_t seats_idlest(const struct seats *seats);
/* How many places are taken. */
uint32_t seats_taken(const struct seats *seats);

#endif
