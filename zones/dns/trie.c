/* SPDX-License-Identifier: Apache-2.0 */
/* The copy-on-write QP-trie. See trie.h for what it is; the layout of `word` in a branch is:
 *
 *     bit 63      1: this is a branch
 *     bits 48-57  offset: which number of the key this branch looks at
 *     bits 0-46   bitmap of the numbers that occur there; twig i belongs to the i-th bit that is set
 */
#include "zones/dns/trie.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BRANCH_TAG (UINT64_C(1) << 63)
#define OFFSET_SHIFT 48
#define OFFSET_MASK UINT64_C(0x3ff)
#define BITMAP_MASK ((UINT64_C(1) << OFFSET_SHIFT) - 1)

/* An array of twigs, marked with the transaction that made it, which alone may change it in place. */
struct twigs {
	uint64_t txn_id;
	struct trie_node nodes[];
};

/*
 * Octets as numbers. A usual octet is one number: `first` plus its distance from `base`. The other octets are in groups
 * of at most 47 neighbours between the usual ones, so that the order is kept: `first` is the group's number, and a
 * second number is the place in the group. Upper-case letters never occur.
 */
struct octets {
	uint8_t first;
	uint8_t base;
	bool is_usual;
};

static const struct octets octets[256] = {
	[0 ... 44] = {1, 0, false},       ['-'] = {2, '-', true},           [46 ... 47] = {3, 46, false},
	['0' ... '9'] = {4, '0', true},   [58 ... 94] = {14, 58, false},    ['_'] = {15, '_', true},
	['`'] = {16, '`', false},         ['a' ... 'z'] = {17, 'a', true},  [123 ... 169] = {43, 123, false},
	[170 ... 216] = {44, 170, false}, [217 ... 255] = {45, 217, false},
};

static unsigned put_label(uint8_t *at, unsigned len, const uint8_t *label)
{
	for (unsigned i = 1; i <= label[0]; i++) {
		const struct octets *o = &octets[label[i]];
		uint8_t distance = (uint8_t)(label[i] - o->base);
		if (o->is_usual) {
			at[len++] = (uint8_t)(o->first + distance);
		} else {
			at[len++] = o->first;
			at[len++] = distance;
		}
	}
	at[len++] = 0;
	return len;
}

/* Beyond `len` every number is 0, so no key is a prefix of another key. */
void trie_key_make(struct trie_key *key, const uint8_t *name)
{
	const uint8_t *labels[NAME_LABELS_MAX + 1];
	unsigned count = 0;
	key->name = name;
	for (; *name != 0; name += *name + 1)
		labels[count++] = name;
	key->label_count = count;
	key->label_end[0] = 0;
	unsigned len = 0;
	for (unsigned i = 1; i <= count; i++) {
		len = put_label(key->at, len, labels[count - i]);
		key->label_end[i] = (uint16_t)len;
	}
	key->len = len;
}

static inline unsigned key_at(const struct trie_key *key, unsigned offset)
{
	return offset < key->len ? key->at[offset] : 0;
}

/* The first offset at which two keys differ; TRIE_KEY_MAX + 1 when they are equal. */
static unsigned key_diff(const struct trie_key *a, const struct trie_key *b)
{
	unsigned longer = a->len > b->len ? a->len : b->len;
	for (unsigned i = 0; i < longer; i++)
		if (key_at(a, i) != key_at(b, i))
			return i;
	/* the keys may be equal except for trailing zeros only when both are the root's */
	return a->len == b->len ? TRIE_KEY_MAX + 1 : longer;
}

static inline bool is_branch(const struct trie_node *n)
{
	return (n->word & BRANCH_TAG) != 0;
}

static inline unsigned branch_offset(const struct trie_node *n)
{
	return (unsigned)(n->word >> OFFSET_SHIFT & OFFSET_MASK);
}

static inline const struct trie_node *branch_twigs(const struct trie_node *n)
{
	return ((const struct twigs *)n->ptr)->nodes;
}

/* Count the set bits. The compiler's builtin would be a function call on processors not known to have popcnt. */
static inline unsigned bit_count(uint64_t v)
{
	v -= v >> 1 & UINT64_C(0x5555555555555555);
	v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
	v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
}

static inline unsigned twig_count(const struct trie_node *n)
{
	return bit_count(n->word & BITMAP_MASK);
}

static inline bool has_twig(const struct trie_node *n, unsigned number)
{
	return (n->word >> number & 1) != 0;
}

static inline unsigned twig_index(const struct trie_node *n, unsigned number)
{
	return bit_count(n->word & ((UINT64_C(1) << number) - 1));
}

static inline uint64_t branch_word(unsigned offset, uint64_t bitmap)
{
	return BRANCH_TAG | (uint64_t)offset << OFFSET_SHIFT | bitmap;
}

static inline const uint8_t *value_name(const struct trie *trie, const void *value)
{
	return (const uint8_t *)value + trie->name_offset;
}

static size_t twigs_bytes(unsigned count)
{
	return sizeof(struct twigs) + count * sizeof(struct trie_node);
}

void trie_init(struct trie *trie, size_t name_offset)
{
	*trie = (struct trie){.name_offset = name_offset};
}

/* The leaf at which the walk for `key` ends; it shares as long a prefix with `key` as any leaf. NULL when empty. */
static const struct trie_node *nearest_leaf(const struct trie *trie, const struct trie_key *key)
{
	const struct trie_node *n = &trie->root;
	if (n->ptr == NULL)
		return NULL;
	while (is_branch(n)) {
		unsigned number = key_at(key, branch_offset(n));
		n = branch_twigs(n) + (has_twig(n, number) ? twig_index(n, number) : 0);
	}
	return n;
}

void *trie_get(const struct trie *trie, const uint8_t *name)
{
	struct trie_key key;
	trie_key_make(&key, name);
	const struct trie_node *n = nearest_leaf(trie, &key);
	if (n == NULL || !name_equal(value_name(trie, n->ptr), name))
		return NULL;
	return n->ptr;
}

void trie_walk_begin(struct trie_walk *walk, const struct trie *trie, const struct trie_key *key,
		     struct trie_path *path)
{
	walk->trie = trie;
	walk->key = key;
	walk->at = &trie->root;
	walk->path = path;
	walk->labels = 0;
	walk->count = 0;
}

bool trie_walk_step(struct trie_walk *walk)
{
	const struct trie_node *n = walk->at;
	const struct trie_key *key = walk->key;
	if (!is_branch(n)) {
		__builtin_prefetch(n->ptr);
		__builtin_prefetch((const uint8_t *)n->ptr + 64);
		return false;
	}
	unsigned offset = branch_offset(n);
	unsigned number = key_at(key, offset);
	const struct trie_node *twigs = branch_twigs(n);
	while (walk->labels < key->label_count && key->label_end[walk->labels] < offset)
		walk->labels++;
	/* The leaf for number 0 at the end of a label is the name made of the labels so far, if they match. */
	if (number != 0 && has_twig(n, 0) && key->label_end[walk->labels] == offset && !is_branch(twigs)) {
		walk->above_labels[walk->count] = (uint8_t)walk->labels;
		walk->path->above[walk->count++] = twigs->ptr;
	}
	walk->at = twigs + (has_twig(n, number) ? twig_index(n, number) : 0);
	__builtin_prefetch(walk->at);
	return true;
}

const void *trie_walk_value(const struct trie_walk *walk)
{
	return walk->at->ptr;
}

/* Compare octets; the labels' length octets tell where both names end. */
static bool is_same(const uint8_t *a, const uint8_t *b)
{
	for (; *a != 0; a += *a + 1, b += *b + 1)
		for (unsigned i = 0; i <= *a; i++)
			if (a[i] != b[i])
				return false;
	return *b == 0;
}

void trie_walk_end(struct trie_walk *walk)
{
	const struct trie_key *key = walk->key;
	struct trie_path *path = walk->path;
	const void *value = trie_walk_value(walk);
	path->exact = NULL;
	path->common = 0;
	path->count = 0;
	if (value == NULL)
		return;
	const uint8_t *found = value_name(walk->trie, value);
	path->common = key->label_count;
	path->count = walk->count;
	if (is_same(found, key->name)) {
		path->exact = value;
		return;
	}
	unsigned found_labels = name_label_count(found);
	path->common = name_common_labels(found, key->name);
	while (path->count > 0 && walk->above_labels[path->count - 1] > path->common)
		path->count--;
	if (path->common == found_labels && (path->count == 0 || path->above[path->count - 1] != value))
		path->above[path->count++] = value;
}

void trie_find_key(const struct trie *trie, const struct trie_key *key, struct trie_path *path)
{
	struct trie_walk walk;
	trie_walk_begin(&walk, trie, key, path);
	while (trie_walk_step(&walk))
		;
	trie_walk_end(&walk);
}

void trie_find(const struct trie *trie, const uint8_t *name, struct trie_path *path)
{
	struct trie_key key;
	trie_key_make(&key, name);
	trie_find_key(trie, &key, path);
}

/*
 * Make the twigs of branch `n` (itself changeable) changeable: copy them unless this transaction made them. Errors:
 * VEER_ENOMEM; nothing is changed then.
 */
static enum veer_err own_twigs(struct trie_node *n, const struct trie_txn *txn)
{
	struct twigs *old = n->ptr;
	if (old->txn_id == txn->id)
		return VEER_OK;
	size_t bytes = twigs_bytes(twig_count(n));
	if (retire_reserve(txn->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	struct twigs *copy = malloc(bytes);
	if (copy == NULL)
		return VEER_ENOMEM;
	memcpy(copy, old, bytes);
	copy->txn_id = txn->id;
	retire_add(txn->retired, old, NULL);
	n->ptr = copy;
	return VEER_OK;
}

/*
 * Drop twigs that the new version does not use: free them at once if no reader can have seen them, otherwise retire
 * them. Room on the retire list was reserved.
 */
static void drop_twigs(struct twigs *twigs, const struct trie_txn *txn)
{
	if (twigs->txn_id == txn->id)
		free(twigs);
	else
		retire_add(txn->retired, twigs, NULL);
}

static inline struct trie_node *own_nodes(struct trie_node *n)
{
	return ((struct twigs *)n->ptr)->nodes;
}

/* Walk down along `key` to a leaf or to a branch that looks at `offset` or beyond, making the nodes changeable. */
static enum veer_err descend(struct trie *trie, const struct trie_txn *txn, const struct trie_key *key, unsigned offset,
			     struct trie_node **out)
{
	struct trie_node *n = &trie->root;
	while (is_branch(n) && branch_offset(n) < offset) {
		enum veer_err err = own_twigs(n, txn);
		if (err != VEER_OK)
			return err;
		n = own_nodes(n) + twig_index(n, key_at(key, branch_offset(n)));
	}
	*out = n;
	return VEER_OK;
}

/* Add a leaf to branch `n`, which has none for `number` yet. */
static enum veer_err add_twig(struct trie *trie, const struct trie_txn *txn, struct trie_node *n, unsigned number,
			      void *value)
{
	unsigned count = twig_count(n);
	unsigned at = twig_index(n, number);
	struct twigs *old = n->ptr;
	if (retire_reserve(txn->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	struct twigs *grown = malloc(twigs_bytes(count + 1));
	if (grown == NULL)
		return VEER_ENOMEM;
	grown->txn_id = txn->id;
	memcpy(grown->nodes, old->nodes, at * sizeof *old->nodes);
	grown->nodes[at] = (struct trie_node){.word = 0, .ptr = value};
	memcpy(grown->nodes + at + 1, old->nodes + at, (count - at) * sizeof *old->nodes);
	drop_twigs(old, txn);
	n->word |= UINT64_C(1) << number;
	n->ptr = grown;
	trie->bytes += sizeof(struct trie_node);
	return VEER_OK;
}

/* Replace `n` by a branch at `offset` whose twigs are the old `n` and a new leaf. */
static enum veer_err split(struct trie *trie, const struct trie_txn *txn, struct trie_node *n, unsigned offset,
			   unsigned old_number, unsigned number, void *value)
{
	struct twigs *twigs = malloc(twigs_bytes(2));
	if (twigs == NULL)
		return VEER_ENOMEM;
	twigs->txn_id = txn->id;
	twigs->nodes[old_number < number ? 0 : 1] = *n;
	twigs->nodes[old_number < number ? 1 : 0] = (struct trie_node){.word = 0, .ptr = value};
	n->word = branch_word(offset, UINT64_C(1) << old_number | UINT64_C(1) << number);
	n->ptr = twigs;
	trie->bytes += twigs_bytes(2);
	return VEER_OK;
}

static enum veer_err insert_new(struct trie *trie, const struct trie_txn *txn, const struct trie_key *key,
				const struct trie_key *near, unsigned offset, void *value)
{
	struct trie_node *n;
	enum veer_err err = descend(trie, txn, key, offset, &n);
	if (err == VEER_OK && is_branch(n) && branch_offset(n) == offset)
		err = add_twig(trie, txn, n, key_at(key, offset), value);
	else if (err == VEER_OK)
		err = split(trie, txn, n, offset, key_at(near, offset), key_at(key, offset), value);
	if (err == VEER_OK)
		trie->count++;
	return err;
}

enum veer_err trie_set(struct trie *trie, const struct trie_txn *txn, void *value, void **replaced)
{
	struct trie_key key;
	struct trie_key near;
	const uint8_t *name = value_name(trie, value);
	if (trie->root.ptr == NULL) {
		trie->root = (struct trie_node){.word = 0, .ptr = value};
		trie->count = 1;
		*replaced = NULL;
		return VEER_OK;
	}
	trie_key_make(&key, name);
	trie_key_make(&near, value_name(trie, nearest_leaf(trie, &key)->ptr));
	unsigned offset = key_diff(&key, &near);
	if (offset <= TRIE_KEY_MAX) {
		enum veer_err err = insert_new(trie, txn, &key, &near, offset, value);
		if (err == VEER_OK)
			*replaced = NULL;
		return err;
	}
	struct trie_node *n;
	enum veer_err err = descend(trie, txn, &key, TRIE_KEY_MAX + 1, &n);
	if (err != VEER_OK)
		return err;
	*replaced = n->ptr;
	n->ptr = value;
	return VEER_OK;
}

/* Remove twig `number` of branch `n`, whose twigs are changeable; a branch with one twig left becomes that twig. */
static enum veer_err remove_twig(struct trie *trie, const struct trie_txn *txn, struct trie_node *n, unsigned number)
{
	unsigned count = twig_count(n);
	unsigned at = twig_index(n, number);
	struct twigs *twigs = n->ptr;
	if (retire_reserve(txn->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	if (count == 2) {
		*n = twigs->nodes[1 - at];
		drop_twigs(twigs, txn);
		trie->bytes -= twigs_bytes(2);
		return VEER_OK;
	}
	struct twigs *shrunk = malloc(twigs_bytes(count - 1));
	if (shrunk == NULL)
		return VEER_ENOMEM;
	shrunk->txn_id = txn->id;
	memcpy(shrunk->nodes, twigs->nodes, at * sizeof *twigs->nodes);
	memcpy(shrunk->nodes + at, twigs->nodes + at + 1, (count - at - 1) * sizeof *twigs->nodes);
	drop_twigs(twigs, txn);
	n->word &= ~(UINT64_C(1) << number);
	n->ptr = shrunk;
	trie->bytes -= sizeof(struct trie_node);
	return VEER_OK;
}

enum veer_err trie_del(struct trie *trie, const struct trie_txn *txn, const uint8_t *name, void **removed)
{
	struct trie_key key;
	void *value = trie_get(trie, name);
	if (value == NULL || !is_branch(&trie->root)) {
		if (value != NULL)
			trie_init(trie, trie->name_offset);
		*removed = value;
		return VEER_OK;
	}
	trie_key_make(&key, name);
	struct trie_node *n = &trie->root;
	for (;;) {
		unsigned number = key_at(&key, branch_offset(n));
		const struct trie_node *next = branch_twigs(n) + twig_index(n, number);
		if (!is_branch(next)) {
			enum veer_err err = remove_twig(trie, txn, n, number);
			if (err != VEER_OK)
				return err;
			break;
		}
		enum veer_err err = own_twigs(n, txn);
		if (err != VEER_OK)
			return err;
		n = own_nodes(n) + twig_index(n, number);
	}
	trie->count--;
	*removed = value;
	return VEER_OK;
}

/* Depth is bounded by TRIE_KEY_MAX: offsets rise strictly on the way down. */
static bool each_node(const struct trie_node *n, bool (*fn)(void *ctx, void *value), void *ctx)
{
	if (!is_branch(n))
		return fn(ctx, n->ptr);
	unsigned count = twig_count(n);
	for (unsigned i = 0; i < count; i++)
		if (!each_node(branch_twigs(n) + i, fn, ctx))
			return false;
	return true;
}

bool trie_each(const struct trie *trie, bool (*fn)(void *ctx, void *value), void *ctx)
{
	return trie->root.ptr == NULL || each_node(&trie->root, fn, ctx);
}

static void free_node(struct trie_node *n, void (*free_value)(void *value))
{
	if (!is_branch(n)) {
		if (free_value != NULL)
			free_value(n->ptr);
		return;
	}
	unsigned count = twig_count(n);
	for (unsigned i = 0; i < count; i++)
		free_node(own_nodes(n) + i, free_value);
	free(n->ptr);
}

void trie_free(struct trie *trie, void (*free_value)(void *value))
{
	if (trie->root.ptr != NULL)
		free_node(&trie->root, free_value);
	trie_init(trie, trie->name_offset);
}
