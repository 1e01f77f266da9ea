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
#ifndef VEER_ZONES_DNS_TRIE_H
#define VEER_ZONES_DNS_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/dns/name.h"
#include "zones/dns/retire.h"

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

#define TRIE_KEY_MAX 512 /* numbers of a key: 255 octets, at most two each */

/* A name as numbers: made once, looked for in any number of tries. The fields are the trie's. Need not be zeroed. */
struct trie_key {
	const uint8_t *name; /* borrowed */
	unsigned len;
	unsigned label_count;
	uint16_t label_end[NAME_LABELS_MAX + 1]; /* offset behind the n-th label's 0, from the root; [0] is 0 */
	uint8_t at[TRIE_KEY_MAX + 2];
};

/*
 * A lookup in steps, each of which touches one place in memory and asks the processor to fetch the next. So a caller
 * with many names to look up lets them wait for memory together, not one after the other. The fields are the trie's.
 */
struct trie_walk {
	const struct trie *trie;
	const struct trie_key *key;
	const struct trie_node *at;
	struct trie_path *path;
	unsigned labels; /* of the key, up to where the walk is */
	unsigned count;  /* of path->above, as far as seen */
	uint8_t above_labels[NAME_LABELS_MAX + 1];
};

/* Empty. `name_offset`: where in each value its name begins (wire format, lower case), in bytes. */
void trie_init(struct trie *trie, size_t name_offset);

/* The key of `name` (lower case, borrowed). */
void trie_key_make(struct trie_key *key, const uint8_t *name);

/* The value of exactly `name` (lower case), or NULL. */
void *trie_get(const struct trie *trie, const uint8_t *name);

/* Everything that a DNS lookup wants to know about `name` (lower case), in one walk. */
void trie_find(const struct trie *trie, const uint8_t *name, struct trie_path *path);
/* Same, with a key that is made already. */
void trie_find_key(const struct trie *trie, const struct trie_key *key, struct trie_path *path);

/* Same in steps: begin, step until that is false, end; then `path` (borrowed, as is `key`) is filled. */
void trie_walk_begin(struct trie_walk *walk, const struct trie *trie, const struct trie_key *key,
		     struct trie_path *path);
/* One step. False when there are no more: the value where the walk ended is being fetched. */
bool trie_walk_step(struct trie_walk *walk);
/* After the last step: the only value that the name may have, its name not compared yet; NULL in an empty trie. */
const void *trie_walk_value(const struct trie_walk *walk);
/* Compare the name and fill the path. */
void trie_walk_end(struct trie_walk *walk);

/*
 * Put `value` under its own name. `*replaced` becomes the value that was there, or NULL; it is the caller's to retire.
 * Errors: VEER_ENOMEM, the map unchanged.
 */
VEER_MUST_CHECK enum veer_err trie_set(struct trie *trie, const struct trie_txn *txn, void *value, void **replaced);

/* Remove `name`. `*removed` becomes its value, or NULL when there was none. Errors: VEER_ENOMEM, the map unchanged. */
VEER_MUST_CHECK enum veer_err trie_del(struct trie *trie, const struct trie_txn *txn, const uint8_t *name,
				       void **removed);

/* Call `fn` for every value in canonical order until it returns false; whether the end was reached. */
bool trie_each(const struct trie *trie, bool (*fn)(void *ctx, void *value), void *ctx);

/* Free all branches at once, and each value by `free_value` (may be NULL). No reader may be left. */
void trie_free(struct trie *trie, void (*free_value)(void *value));

#endif
