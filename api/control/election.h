/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The election: one object of the store with a number that only rises. The controller that raised it last acts, and
 * each of its commits has the condition that the object has not changed since (S4). The only sign that another
 * controller was elected is that a commit is refused; election_lose() and election_verify() handle that.
 *
 * Threads: all functions except init and deinit may be called from any thread; campaigning and verifying wait for the
 * store.
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
	int64_t revision; /* of the object; commits have it as a condition */
};

/* Embedded in the owner's memory. Its members are private. */
struct election {
	struct store *store;
	pthread_mutex_t lock; /* guards what follows */
	struct election_term term;
	bool is_held;
};

/* Initialize. `store` is borrowed. Nothing is won yet. */
void election_init(struct election *election, struct store *store);
void election_deinit(struct election *election);

/*
 * Raise the number in the store, which wins a term. Errors: VEER_ECONFLICT (another controller was elected at the same
 * moment), and those of the store, with the reason in the diag. After an error no new term is held.
 */
enum veer_err election_campaign(struct election *election, struct veer_diag *diag);

/* Read the term that was won last (zero: none). True while it is held, as far as is known. */
bool election_read(struct election *election, struct election_term *term);

/* Note that a commit was refused because this term is over. A term that was won later stays. */
void election_lose(struct election *election, const struct election_term *term);

/* Check in the store whether this term is over, because a commit was refused, and lose it if it is. */
void election_verify(struct election *election, const struct election_term *term);

/* The condition of every commit in this term. */
struct store_op election_condition(const struct election_term *term);

#endif
