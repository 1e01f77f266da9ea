/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy-on-write QP-trie: a map from domain names to values, in canonical order (RFC 4034 6.1).
 *
 * A `struct trie` is a small value: one immutable version of the map. A change is made on a copy of it within a
 * transaction; it copies the nodes on the path from the root and shares all others with the version before, so its cost
 * does not depend on how many names there are. Within one transaction a node is copied once. What the new version no
 * longer uses goes on the transaction's retire list, to be released when no reader has the old version any more.
 *
 *     struct trie next = plan->names;                 // readers go on reading plan->names
 *     trie_set(&next, &txn, value, &replaced);
 *     publish(next); wait for readers; retire_release(txn.retired);
 *
 * Keys. A name becomes a sequence of small numbers, from the root's end: each octet one number if it is usual in host
 * names (a-z 0-9 - _), else two, and each label is ended by 0, which is lower than every octet. So canonical order is
 * the order of the keys, a name's descendants follow it directly, and a branch on a label's end tells that the name
 * above exists. A branch holds a bitmap of the numbers that occur at one offset and an array of that many children
 * (twigs).
 *
 * Values carry their own name: lower-case wire format at `name_offset` bytes in the value, the same for all values of
 * one trie. The trie does not own values.
 *
 * Threads: a version may be read by any number of threads; a transaction belongs to one thread.
 */
#ifndef VEER_ZONES_TRIE_H
#define VEER_ZONES_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/name.h"
#include "zones/retire.h"

/* A branch or a leaf, 16 bytes. The fields are the trie's. */
struct trie_node {
	uint64_t word; /* branch: bitmap, offset, tag; leaf: 0; nothing: 0 and `ptr` NULL */
	void *ptr;     /* branch: its twigs; leaf: the value */
};

/* One version of the map. Zero it and set name_offset with trie_init(). */
struct trie {
	struct trie_node root;
	size_t name_offset; /* where a value has its name */
	size_t count;       /* values */
	size_t bytes;       /* memory of this version's branches, as asked from malloc */
};

/* One transaction on any number of tries. */
struct trie_txn {
	uint64_t id;                 /* unique among all transactions of the process's builder; never 0 */
	struct retire_list *retired; /* where replaced nodes go; borrowed */
};

/* Where a lookup came by. Caller's scratch, about 2 KiB; need not be zeroed. */
struct trie_path {
	const void *exact; /* the value of the name itself, or NULL */
	unsigned common;   /* labels, from the root, that the name shares with the nearest name there is: the closest
			      encloser has so many (RFC 4592 3.3.1). Equal to the name's own count when it exists, be it
			      only as   an empty non-terminal */
	unsigned count;    /* of `above` */
	const void
		*above[NAME_LABELS_MAX + 1]; /* values of the name's ancestors (not itself), from the root downwards */
};

void trie_init(struct trie *trie, size_t name_offset);

/* The value of exactly `name` (lower case), or NULL. */
void *trie_get(const struct trie *trie, const uint8_t *name);

/* Everything that a DNS lookup wants to know about `name` (lower case), in one walk. */
void trie_find(const struct trie *trie, const uint8_t *name, struct trie_path *path);

/*
 * Put `value` under its own name. `*replaced` becomes the value that was there, or NULL; it is the caller's to retire.
 * Errors: VEER_ENOMEM, the map unchanged.
 */
enum veer_err trie_set(struct trie *trie, const struct trie_txn *txn, void *value, void **replaced);

/* Remove `name`. `*removed` becomes its value, or NULL when there was none. Errors: VEER_ENOMEM, the map unchanged. */
enum veer_err trie_del(struct trie *trie, const struct trie_txn *txn, const uint8_t *name, void **removed);

/* Call `fn` for every value in canonical order until it returns false; whether the end was reached. */
bool trie_each(const struct trie *trie, bool (*fn)(void *ctx, void *value), void *ctx);

/* Free all branches at once, and each value by `free_value` (may be NULL). No reader may be left. */
void trie_free(struct trie *trie, void (*free_value)(void *value));

#endif
