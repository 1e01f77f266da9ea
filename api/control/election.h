/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The election: one object of the store with a number that only rises. Who raised it last acts, and each of its commits
 * has as a condition that the object is as it left it (S4). There is nothing to be noticed when another one is elected
 * but that a commit is refused; election_lose() and election_verify() take note of that.
 *
 * Threads: all functions but init and deinit may be called from any; campaigning and verifying wait for the store.
 */
#ifndef VEER_API_CONTROL_ELECTION_H
#define VEER_API_CONTROL_ELECTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/store/store.h"

/* An election that was won. */
struct election_term {
	int64_t number;   /* rises with each election in this store */
	int64_t revision; /* of the object: what commits depend on */
};

/* In the owner's memory. All is its own. */
struct election {
	struct store *store;
	pthread_mutex_t lock; /* guards what follows */
	struct election_term term;
	bool is_held;
};

/* `store` is borrowed. Nothing is won yet. */
void election_init(struct election *election, struct store *store);
void election_deinit(struct election *election);

/*
 * Raise the number in the store, and hold it. Errors: VEER_ECONFLICT (another one was elected at the same moment), and
 * those of the store; the diag says what. Then nothing is held that was not held before.
 */
enum veer_err election_campaign(struct election *election, struct veer_diag *diag);

/* The term that was won last (zero: none). True while it is held, as far as is known. */
bool election_read(struct election *election, struct election_term *term);

/* A commit was refused because this term is over. Another one that was won since stays. */
void election_lose(struct election *election, const struct election_term *term);

/* A commit was refused, perhaps for this: look in the store, and lose the term if it is over. */
void election_verify(struct election *election, const struct election_term *term);

/* The condition under which everything is committed in this term. */
struct store_op election_condition(const struct election_term *term);

#endif
