/* SPDX-License-Identifier: Apache-2.0 */
/* The copy-on-write QP-trie. See trie.h for what it is; the layout of `word` in a branch is:
 *
 *     bit 63      1: this is a branch
 *     bits 48-57  offset: which number of the key this branch looks at
 *     bits 0-46   bitmap of the numbers that occur there; twig i belongs to the i-th bit that is set
 */
#include "zones/trie.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BRANCH_TAG (UINT64_C(1) << 63)
#define OFFSET_SHIFT 48
#define OFFSET_MASK UINT64_C(0x3ff)
#define BITMAP_MASK ((UINT64_C(1) << OFFSET_SHIFT) - 1)
#define KEY_MAX 512 /* 255 octets, at most two numbers each */

/* An array of twigs, marked with the transaction that made it: that one may change it in place. */
struct twigs {
	uint64_t txn_id;
	struct trie_node nodes[];
};

/* A name as numbers. Beyond `len` every number is 0, so no key is another one's beginning. */
struct key {
	unsigned len;
	unsigned label_count;
	uint16_t label_end[NAME_LABELS_MAX + 1]; /* offset behind the n-th label's 0, from the root; [0] is 0 */
	uint8_t at[KEY_MAX + 2];
};

/*
 * Numbers of an octet: `first` for usual ones; for the others `first` names a group of at most 47 neighbours and
 * `second` is the place in it plus 1. Groups lie between the usual octets, so order is kept. Upper-case letters never
 * occur.
 */
struct number {
	uint8_t first;
	uint8_t second; /* 0: there is none */
};

#define GROUP_LOW 1    /* 0-44 */
#define NUM_HYPHEN 2   /* 45 */
#define GROUP_SLASH 3  /* 46-47 */
#define NUM_DIGIT 4    /* 48-57 */
#define GROUP_UPPER 14 /* 58-64, 91-94 */
#define NUM_UNDER 15   /* 95 */
#define GROUP_TICK 16  /* 96 */
#define NUM_LETTER 17  /* 97-122 */
#define GROUP_HIGH 43  /* 123-169, 170-216, 217-255: 43, 44, 45 */

static struct number number_of(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		return (struct number){.first = (uint8_t)(NUM_LETTER + (c - 'a'))};
	if (c >= '0' && c <= '9')
		return (struct number){.first = (uint8_t)(NUM_DIGIT + (c - '0'))};
	if (c == '-')
		return (struct number){.first = NUM_HYPHEN};
	if (c == '_')
		return (struct number){.first = NUM_UNDER};
	if (c < '-')
		return (struct number){GROUP_LOW, (uint8_t)(c + 1)};
	if (c < '0')
		return (struct number){GROUP_SLASH, (uint8_t)(c - '.' + 1)};
	if (c < '_')
		return (struct number){GROUP_UPPER, (uint8_t)(c - ':' + 1)};
	if (c == '`')
		return (struct number){GROUP_TICK, 1};
	return (struct number){(uint8_t)(GROUP_HIGH + (c - '{') / 47), (uint8_t)((c - '{') % 47 + 1)};
}

static unsigned put_label(uint8_t *at, unsigned len, const uint8_t *label)
{
	for (unsigned i = 1; i <= label[0]; i++) {
		struct number n = number_of(label[i]);
		at[len++] = n.first;
		if (n.second != 0)
			at[len++] = (uint8_t)(n.second - 1);
	}
	at[len++] = 0;
	return len;
}

static void key_make(struct key *key, const uint8_t *name)
{
	const uint8_t *labels[NAME_LABELS_MAX + 1];
	unsigned count = 0;
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

static inline unsigned key_at(const struct key *key, unsigned offset)
{
	return offset < key->len ? key->at[offset] : 0;
}

/* The first offset at which two keys differ; KEY_MAX + 1 when they are equal. */
static unsigned key_diff(const struct key *a, const struct key *b)
{
	unsigned longer = a->len > b->len ? a->len : b->len;
	for (unsigned i = 0; i < longer; i++)
		if (key_at(a, i) != key_at(b, i))
			return i;
	/* one may be the other plus a 0 that ends nothing: only when both are the root's */
	return a->len == b->len ? KEY_MAX + 1 : longer;
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

static inline unsigned twig_count(const struct trie_node *n)
{
	return (unsigned)__builtin_popcountll(n->word & BITMAP_MASK);
}

static inline bool has_twig(const struct trie_node *n, unsigned number)
{
	return (n->word >> number & 1) != 0;
}

static inline unsigned twig_index(const struct trie_node *n, unsigned number)
{
	return (unsigned)__builtin_popcountll(n->word & ((UINT64_C(1) << number) - 1));
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

/* Where the walk for `key` ends: a leaf that shares with it as long a beginning as any leaf does. NULL when empty. */
static const struct trie_node *nearest_leaf(const struct trie *trie, const struct key *key)
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
	struct key key;
	key_make(&key, name);
	const struct trie_node *n = nearest_leaf(trie, &key);
	if (n == NULL || !name_equal(value_name(trie, n->ptr), name))
		return NULL;
	return n->ptr;
}

void trie_find(const struct trie *trie, const uint8_t *name, struct trie_path *path)
{
	struct key key;
	uint8_t above_labels[NAME_LABELS_MAX + 1];
	unsigned count = 0;
	unsigned labels = 0;
	const struct trie_node *n = &trie->root;
	path->exact = NULL;
	path->common = 0;
	path->count = 0;
	if (n->ptr == NULL)
		return;
	key_make(&key, name);
	while (is_branch(n)) {
		unsigned offset = branch_offset(n);
		unsigned number = key_at(&key, offset);
		while (labels < key.label_count && key.label_end[labels] < offset)
			labels++;
		/* A leaf for "nothing more" at a label's end is the name made of the labels so far, if they match. */
		if (number != 0 && has_twig(n, 0) && key.label_end[labels] == offset && !is_branch(branch_twigs(n))) {
			above_labels[count] = (uint8_t)labels;
			path->above[count++] = branch_twigs(n)->ptr;
		}
		n = branch_twigs(n) + (has_twig(n, number) ? twig_index(n, number) : 0);
	}
	const uint8_t *found = value_name(trie, n->ptr);
	unsigned found_labels = name_label_count(found);
	path->common = name_common_labels(found, name);
	if (path->common == key.label_count && found_labels == key.label_count)
		path->exact = n->ptr;
	while (count > 0 && above_labels[count - 1] > path->common)
		count--;
	if (path->common == found_labels && found_labels < key.label_count &&
	    (count == 0 || path->above[count - 1] != n->ptr))
		path->above[count++] = n->ptr;
	path->count = count;
}

/*
 * Make the twigs of branch `n` (itself changeable) changeable: copy them unless this transaction made them.
 * Errors: VEER_ENOMEM, nothing changed.
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

/* Give up twigs that the new version does not use: at once if no reader can have seen them. Room was reserved. */
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

/* The changeable node reached by `key`, stopping at a leaf or at a branch that looks at `offset` or beyond. */
static enum veer_err descend(struct trie *trie, const struct trie_txn *txn, const struct key *key, unsigned offset,
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

/* Put a branch at `offset` in the place of `n`, with what was there and a new leaf as its twigs. */
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

static enum veer_err insert_new(struct trie *trie, const struct trie_txn *txn, const struct key *key,
				const struct key *near, unsigned offset, void *value)
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
	struct key key;
	struct key near;
	const uint8_t *name = value_name(trie, value);
	if (trie->root.ptr == NULL) {
		trie->root = (struct trie_node){.word = 0, .ptr = value};
		trie->count = 1;
		*replaced = NULL;
		return VEER_OK;
	}
	key_make(&key, name);
	key_make(&near, value_name(trie, nearest_leaf(trie, &key)->ptr));
	unsigned offset = key_diff(&key, &near);
	if (offset <= KEY_MAX) {
		enum veer_err err = insert_new(trie, txn, &key, &near, offset, value);
		if (err == VEER_OK)
			*replaced = NULL;
		return err;
	}
	struct trie_node *n;
	enum veer_err err = descend(trie, txn, &key, KEY_MAX + 1, &n);
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
	struct key key;
	void *value = trie_get(trie, name);
	if (value == NULL || !is_branch(&trie->root)) {
		if (value != NULL)
			trie_init(trie, trie->name_offset);
		*removed = value;
		return VEER_OK;
	}
	key_make(&key, name);
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

/* Depth is bounded by KEY_MAX: offsets rise strictly on the way down. */
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
