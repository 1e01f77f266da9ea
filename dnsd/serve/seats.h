/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places for connections: a fixed number, of which one prefix may have a share. Who comes when there is no place left
 * gets the place of whoever was idle longest; who comes when its prefix has its share gets that prefix's. So a crowd
 * from one network only pushes out itself, and one from everywhere those who do nothing.
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

/* `count` places (1 to SEATS_MAX), at most `share` (>= 1) for a prefix. NULL: no memory or no random bytes. */
struct seats *seats_new(uint32_t count, uint32_t share);
void seats_free(struct seats **seats);

/*
 * The place to be given up before a client of `prefix` (of prefix_of()) can have one, and whether that is because of
 * its share; SEATS_NONE when there is room.
 */
uint32_t seats_in_the_way(const struct seats *seats, uint64_t prefix, bool *is_share);
/* A free place, now taken, by whoever was active last; there must be room. Places are numbered from 0. */
uint32_t seats_take(struct seats *seats, uint64_t prefix);
/* Who has this place did something. */
void seats_touch(struct seats *seats, uint32_t seat);
/* The place, which was taken, is free again. */
void seats_leave(struct seats *seats, uint32_t seat);

/* The place whose holder was idle longest; SEATS_NONE when nobody has one. */
uint32_t seats_idlest(const struct seats *seats);
/* How many are taken. */
uint32_t seats_taken(const struct seats *seats);

#endif
