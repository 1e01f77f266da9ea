/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/dns/trie.h"

struct item {
	uint32_t number;
	uint8_t name[NAME_WIRE_MAX];
};

/* The reference: the same set as a sorted array. */
struct reference {
	struct item *items[4000];
	size_t count;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = *seed;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Few letters and short labels, so that names nest and collide; sometimes other octets. */
static void random_name(uint64_t *seed, uint8_t *name)
{
	static const uint8_t odd[] = {0,   1,   '*', ',', '-', '.', '/', '0', '9', ':', '@', '[',
				      '^', '_', '`', 'a', 'z', '{', 169, 170, 216, 217, 255};
	size_t pos = 0;
	unsigned labels = (unsigned)(next_random(seed) % 5);
	for (unsigned l = 0; l < labels; l++) {
		unsigned len = 1 + (unsigned)(next_random(seed) % 2);
		name[pos++] = (uint8_t)len;
		for (unsigned i = 0; i < len; i++) {
			uint64_t r = next_random(seed);
			name[pos++] = r % 4 == 0 ? odd[r / 4 % sizeof odd] : (uint8_t)('a' + r / 4 % 3);
		}
	}
	name[pos] = 0;
}

static size_t lower_bound(const struct reference *ref, const uint8_t *name)
{
	size_t low = 0, high = ref->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (name_compare(ref->items[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct item *ref_get(const struct reference *ref, const uint8_t *name)
{
	size_t at = lower_bound(ref, name);
	return at < ref->count && name_equal(ref->items[at]->name, name) ? ref->items[at] : NULL;
}

static void ref_set(struct reference *ref, struct item *item)
{
	size_t at = lower_bound(ref, item->name);
	if (at == ref->count || !name_equal(ref->items[at]->name, item->name)) {
		memmove(ref->items + at + 1, ref->items + at, (ref->count - at) * sizeof ref->items[0]);
		ref->count++;
	}
	ref->items[at] = item;
}

static void ref_del(struct reference *ref, const uint8_t *name)
{
	size_t at = lower_bound(ref, name);
	if (at < ref->count && name_equal(ref->items[at]->name, name)) {
		ref->count--;
		memmove(ref->items + at, ref->items + at + 1, (ref->count - at) * sizeof ref->items[0]);
	}
}

static unsigned ref_common(const struct reference *ref, const uint8_t *name)
{
	unsigned best = 0;
	for (size_t i = 0; i < ref->count; i++) {
		unsigned common = name_common_labels(ref->items[i]->name, name);
		best = common > best ? common : best;
	}
	return best;
}

struct walk {
	const struct reference *ref;
	size_t at;
};

static bool same_as_reference(void *ctx, void *value)
{
	struct walk *w = ctx;
	assert_true(w->at < w->ref->count);
	assert_ptr_equal(value, w->ref->items[w->at]);
	w->at++;
	return true;
}

static void assert_same(const struct trie *trie, const struct reference *ref)
{
	struct walk w = {.ref = ref};
	assert_true(trie_each(trie, same_as_reference, &w));
	assert_int_equal(w.at, ref->count);
	assert_int_equal(trie->count, ref->count);
}

static void assert_lookup(const struct trie *trie, const struct reference *ref, const uint8_t *name)
{
	struct trie_path path;
	struct item *expected = ref_get(ref, name);
	assert_ptr_equal(trie_get(trie, name), expected);
	trie_find(trie, name, &path);
	assert_ptr_equal(path.exact, expected);
	assert_int_equal(path.common, ref_common(ref, name));
	unsigned labels = name_label_count(name);
	unsigned count = 0;
	for (unsigned skip = labels; skip > 0; skip--) {
		const struct item *above = ref_get(ref, name_skip(name, skip));
		if (above == NULL)
			continue;
		assert_true(count < path.count);
		assert_ptr_equal(path.above[count], above);
		count++;
	}
	assert_int_equal(path.count, count);
}

static struct item *new_item(uint64_t *seed, uint32_t number)
{
	struct item *item = calloc(1, sizeof *item);
	assert_non_null(item);
	item->number = number;
	random_name(seed, item->name);
	return item;
}

/* Make some changes in one transaction on both; the values that they replace are retired with the branches. */
static void change(struct trie *trie, struct reference *ref, const struct trie_txn *txn, uint64_t *seed, int changes)
{
	for (int i = 0; i < changes; i++) {
		struct item *item = new_item(seed, (uint32_t)i);
		void *old = NULL;
		assert_int_equal(retire_reserve(txn->retired, 2), VEER_OK);
		if (next_random(seed) % 3 != 0 && ref->count < 3900) {
			assert_int_equal(trie_set(trie, txn, item, &old), VEER_OK);
			assert_ptr_equal(old, ref_get(ref, item->name));
			ref_set(ref, item);
		} else {
			assert_int_equal(trie_del(trie, txn, item->name, &old), VEER_OK);
			assert_ptr_equal(old, ref_get(ref, item->name));
			ref_del(ref, item->name);
			free(item);
		}
		assert_int_equal(retire_reserve(txn->retired, 1), VEER_OK);
		retire_add(txn->retired, old, NULL);
	}
}

static void random_histories_agree_with_a_sorted_array(void **state)
{
	(void)state;
	struct reference *ref = calloc(1, sizeof *ref);
	struct reference *before = calloc(1, sizeof *ref);
	struct retire_list retired = {0};
	struct trie trie;
	uint64_t seed = 20260101;
	trie_init(&trie, offsetof(struct item, name));
	for (uint64_t txn_id = 1; txn_id <= 400; txn_id++) {
		struct trie_txn txn = {.id = txn_id, .retired = &retired};
		struct trie old = trie;
		*before = *ref;
		change(&trie, ref, &txn, &seed, 1 + (int)(next_random(&seed) % 40));
		assert_same(&trie, ref);
		assert_same(&old, before); /* the version before is unchanged until it is released */
		for (int i = 0; i < 20; i++) {
			uint8_t name[NAME_WIRE_MAX];
			random_name(&seed, name);
			assert_lookup(&trie, ref, name);
			assert_lookup(&old, before, name);
		}
		retire_release(&retired);
	}
	assert_true(trie.count > 100);
	trie_free(&trie, free);
	free(ref);
	free(before);
}

static void one_change_costs_a_path_not_the_zone(void **state)
{
	(void)state;
	enum { COUNT = 100000 };
	struct item *items = calloc(COUNT + 1, sizeof *items);
	struct retire_list retired = {0};
	struct trie trie;
	void *old;
	assert_non_null(items);
	trie_init(&trie, offsetof(struct item, name));
	struct trie_txn load = {.id = 1, .retired = &retired};
	for (uint32_t i = 0; i < COUNT; i++) {
		char text[32];
		size_t len;
		(void)snprintf(text, sizeof text, "host%u.example.", i);
		assert_int_equal(name_parse(text, strlen(text), NULL, items[i].name, &len, NULL), VEER_OK);
		assert_int_equal(trie_set(&trie, &load, &items[i], &old), VEER_OK);
		assert_null(old);
	}
	assert_int_equal(retired.count, 0); /* a load leaves nothing to free */
	assert_true(trie.bytes < COUNT * 40);
	struct trie next = trie;
	struct trie_txn txn = {.id = 2, .retired = &retired};
	items[COUNT] = items[4711];
	assert_int_equal(trie_set(&next, &txn, &items[COUNT], &old), VEER_OK);
	assert_ptr_equal(old, &items[4711]);
	assert_true(retired.count <= 16);
	assert_ptr_equal(trie_get(&trie, items[4711].name), &items[4711]);
	assert_ptr_equal(trie_get(&next, items[4711].name), &items[COUNT]);
	assert_int_equal(next.bytes, trie.bytes);
	retire_release(&retired);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(trie_del(&next, &txn, items[i].name, &old), VEER_OK);
	assert_int_equal(next.count, 0);
	assert_int_equal(next.bytes, 0);
	retire_release(&retired);
	trie_free(&next, NULL);
	free(items);
}

static void the_longest_names_and_the_root_fit(void **state)
{
	(void)state;
	struct item root = {.name = {0}}, longest, many;
	struct retire_list retired = {0};
	struct trie_txn txn = {.id = 1, .retired = &retired};
	struct trie trie;
	struct trie_path path;
	void *old;
	size_t pos = 0;
	for (int i = 0; i < 4; i++) {
		uint8_t len = i < 3 ? 63 : 61;
		longest.name[pos++] = len;
		memset(longest.name + pos, 0xff, len);
		pos += len;
	}
	longest.name[pos] = 0;
	for (size_t i = 0; i < 254; i++)
		many.name[i] = i % 2 == 0 ? 1 : 0;
	many.name[254] = 0;
	trie_init(&trie, offsetof(struct item, name));
	trie_find(&trie, longest.name, &path);
	assert_null(path.exact);
	assert_int_equal(path.count, 0);
	assert_int_equal(trie_set(&trie, &txn, &many, &old), VEER_OK);
	assert_int_equal(trie_set(&trie, &txn, &longest, &old), VEER_OK);
	assert_int_equal(trie_set(&trie, &txn, &root, &old), VEER_OK);
	assert_ptr_equal(trie_get(&trie, many.name), &many);
	assert_ptr_equal(trie_get(&trie, longest.name), &longest);
	trie_find(&trie, many.name, &path);
	assert_ptr_equal(path.exact, &many);
	assert_int_equal(path.common, 127);
	assert_int_equal(path.count, 1);
	assert_ptr_equal(path.above[0], &root);
	assert_int_equal(trie_del(&trie, &txn, root.name, &old), VEER_OK);
	assert_ptr_equal(old, &root);
	trie_free(&trie, NULL);
	retire_release(&retired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_histories_agree_with_a_sorted_array),
		cmocka_unit_test(one_change_costs_a_path_not_the_zone),
		cmocka_unit_test(the_longest_names_and_the_root_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
