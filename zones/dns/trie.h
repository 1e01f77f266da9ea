/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy-on-write QP-trie: a map from domain names to values, in canonical order (RFC 4034 6.1).
 *
 * A `struct trie` is a small value: one immutable version of the map. A change is made on a copy of it within a
 * transaction; it copies the nodes on the path from the root and shares all others with the previous version, so its
 * cost does not depend on the number of names. Within one transaction a node is copied only once. Nodes that the new
 * version no longer uses go on the transaction's retire list, which is released when no reader has the old version any
 * more.
 *
 *     struct trie next = plan->names;                 // readers go on reading plan->names
 *     trie_set(&next, &txn, value, &replaced);
 *     publish(next); wait for readers; retire_release(txn.retired);
 *
 * Keys. A name becomes a sequence of small numbers, starting at the root's end. An octet that is usual in host names
 * (a-z 0-9 - _) becomes one number, any other octet two, and each label ends with 0, which is lower than every octet's
 * number. So the order of keys is the canonical order, a name's descendants follow it directly, and a branch at the end
 * of a label shows that the name above exists. A branch holds a bitmap of the numbers that occur at one offset and an
 * array of that many children (twigs).
 *
 * Each value contains its own name in lower-case wire format, `name_offset` bytes from its beginning; the offset is the
 * same for all values of one trie. The trie does not own values.
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

/* A branch or a leaf, 16 bytes. The fields are private to the trie. */
struct trie_node {
	uint64_t word; /* branch: bitmap, offset, tag; leaf: 0; empty: 0, and `ptr` is NULL */
	void *ptr;     /* branch: its twigs; leaf: the value */
};

/* One version of the map. Zero it and set name_offset with trie_init(). */
struct trie {
	struct trie_node root;
	size_t name_offset; /* where a value has its name */
	size_t count;       /* values */
	size_t bytes;       /* memory of this version's branches, as requested from malloc */
};

/* One transaction on any number of tries. */
struct trie_txn {
	uint64_t id;                 /* unique among all transactions of the process's builder; never 0 */
	struct retire_list *retired; /* where replaced nodes go; borrowed */
};

/* What a lookup passed on its way. The caller's scratch memory, about 2 KiB; need not be zeroed. */
struct trie_path {
	const void *exact; /* the value of the name itself, or NULL */
	unsigned common;   /* labels, from the root, that the name shares with the nearest existing name: the label
			    * count of the closest encloser (RFC 4592 3.3.1). Equal to the name's own count when the
			    * name exists, even if only as an empty non-terminal */
	unsigned count;    /* of `above` */
	const void
		*above[NAME_LABELS_MAX + 1]; /* values of the name's ancestors (not itself), from the root downwards */
};

#define TRIE_KEY_MAX 512 /* numbers of a key: 255 octets, at most two each */

/*
 * A name as numbers: made once, then used for lookups in any number of tries. The fields are private to the trie. Need
 * not be zeroed.
 */
struct trie_key {
	const uint8_t *name; /* borrowed */
	unsigned len;
	unsigned label_count;
	uint16_t label_end[NAME_LABELS_MAX + 1]; /* offset after the 0 that ends the n-th label from the root; [0] is
						  * 0 */
	uint8_t at[TRIE_KEY_MAX + 2];
};

/*
 * A lookup in steps, each of which touches one place in memory and asks the processor to fetch the next. So a caller
 * with many names to look up can overlap their waits for memory. The fields are private to the trie.
 */
struct trie_walk {
	const struct trie *trie;
	const struct trie_key *key;
	const struct trie_node *at;
	struct trie_path *path;
	unsigned labels; /* labels of the key up to the present position of the walk */
	unsigned count;  /* entries of path->above so far */
	uint8_t above_labels[NAME_LABELS_MAX + 1];
};

/* Make an empty trie. `name_offset`: where in each value its name begins (wire format, lower case), in bytes. */
void trie_init(struct trie *trie, size_t name_offset);

/* The key of `name` (lower case, borrowed). */
void trie_key_make(struct trie_key *key, const uint8_t *name);

/* The value of exactly `name` (lower case), or NULL. */
void *trie_get(const struct trie *trie, const uint8_t *name);

/* Find everything that a DNS lookup needs to know about `name` (lower case) in one walk. */
void trie_find(const struct trie *trie, const uint8_t *name, struct trie_path *path);
/* The same with a key that was made before. */
void trie_find_key(const struct trie *trie, const struct trie_key *key, struct trie_path *path);

/*
 * The same in steps: begin, step until trie_walk_step() returns false, end; then `path` (borrowed, like `key`) is
 * filled.
 */
void trie_walk_begin(struct trie_walk *walk, const struct trie *trie, const struct trie_key *key,
		     struct trie_path *path);
/* One step. False when there are no more: the value where the walk ended is being fetched. */
bool trie_walk_step(struct trie_walk *walk);
/*
 * After the last step: the only value that can be the name's; their names are not compared yet. NULL in an empty trie.
 */
const void *trie_walk_value(const struct trie_walk *walk);
/* Compare the name and fill the path. */
void trie_walk_end(struct trie_walk *walk);

/*
 * Put `value` under its own name. `*replaced` becomes the value that was there, or NULL; it is the caller's to retire.
 * Errors: VEER_ENOMEM; the map is unchanged then.
 */
VEER_MUST_CHECK enum veer_err trie_set(struct trie *trie, const struct trie_txn *txn, void *value, void **replaced);

/*
 * Remove `name`. `*removed` becomes its value, or NULL when there was none. Errors: VEER_ENOMEM; the map is unchanged
 * then.
 */
VEER_MUST_CHECK enum veer_err trie_del(struct trie *trie, const struct trie_txn *txn, const uint8_t *name,
				       void **removed);

/* Call `fn` for every value in canonical order until it returns false. Returns whether the end was reached. */
bool trie_each(const struct trie *trie, bool (*fn)(void *ctx, void *value), void *ctx);

/* Free all branches at once, and each value with `free_value` (may be NULL). No reader may be left. */
void trie_free(struct trie *trie, void (*free_value)(void *value));

#endif
