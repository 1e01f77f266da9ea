/* SPDX-License-Identifier: Apache-2.0 */
/* Response rate limiting. See limit.h. */
#include "dnsd/packet/limit.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "dnsd/packet/prefix.h"

#define TIME_BITS 48 /* enough for microseconds up to nine years after the start */
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define US_PER_S 1000000
#define SWAP_TRIES 8 /* after so many lost races in a row it is taken for a flood */

struct set {
	alignas(64) _Atomic uint64_t words[LIMIT_WAYS];
};

static_assert(sizeof(struct set) == 64, "a set is one cache line");
static_assert((LIMIT_SETS & (LIMIT_SETS - 1)) == 0, "a mask selects the set");

/* A prefix that is not limited, as two numbers: its first 64 bits (prefix_upper()) and the bits after them. */
struct exempt {
	bool is_ipv6;
	uint64_t upper;
	uint64_t upper_mask;
	uint64_t lower;
	uint64_t lower_mask;
};

struct limit {
	uint8_t key[CRYPTO_SIPHASH_KEY_BYTES];
	int64_t start_ms;
	uint64_t unit_us;  /* the time after which a unit is available again */
	uint64_t burst_us; /* the whole allowance */
	unsigned slip;
	size_t exempt_count;
	struct exempt exempt[LIMIT_EXEMPT_MAX];
	_Atomic uint64_t notes[LIMIT_NOTES]; /* prefixes; 0: none */
	struct set sets[LIMIT_SETS];
};

/* The place of a prefix in its set. */
struct place {
	_Atomic uint64_t *word;
	uint64_t seen;    /* the word that was read there */
	uint64_t used_us; /* how much of the allowance is used, at the time of reading */
};

static uint64_t lower_bits(const uint8_t address[16])
{
	uint64_t lower;
	memcpy(&lower, address + 8, sizeof lower);
	return be64toh(lower);
}

static uint64_t mask_of(unsigned bits)
{
	return bits == 0 ? 0 : UINT64_MAX << (bits < 64 ? 64 - bits : 0);
}

static void set_exempt(struct exempt *e, const struct veer_prefix *prefix)
{
	struct client first = {.is_ipv6 = prefix->addr.family == VEER_FAMILY_V6};
	memcpy(first.address, prefix->addr.bytes, sizeof first.address);
	e->is_ipv6 = first.is_ipv6;
	e->upper = prefix_upper(&first);
	e->upper_mask = mask_of(prefix->bits);
	e->lower = lower_bits(first.address);
	e->lower_mask = mask_of(prefix->bits > 64 ? prefix->bits - 64U : 0);
}

enum veer_err limit_new(const struct limit_config *config, int64_t now_ms, struct limit **out)
{
	if (config->rate == 0 || config->rate > LIMIT_RATE_MAX || config->exempt_count > LIMIT_EXEMPT_MAX)
		return VEER_EINVAL;
	struct limit *l = aligned_alloc(alignof(struct limit), sizeof *l);
	if (l == NULL)
		return VEER_ENOMEM;
	memset(l, 0, sizeof *l);
	l->start_ms = now_ms;
	l->unit_us = (US_PER_S + config->rate / 2) / config->rate;
	l->burst_us = LIMIT_BURST_S * config->rate * l->unit_us;
	l->slip = config->slip;
	l->exempt_count = config->exempt_count;
	for (size_t i = 0; i < config->exempt_count; i++)
		set_exempt(&l->exempt[i], &config->exempt[i]);
	if (crypto_random(l->key, sizeof l->key) != VEER_OK) {
		limit_free(&l);
		return VEER_EIO;
	}
	*out = l;
	return VEER_OK;
}

void limit_free(struct limit **limit)
{
	free(*limit);
	*limit = NULL;
}

bool limit_is_exempt(const struct limit *limit, const struct client *client)
{
	uint64_t upper = prefix_upper(client);
	uint64_t lower = client->is_ipv6 ? lower_bits(client->address) : 0;
	for (size_t i = 0; i < limit->exempt_count; i++) {
		const struct exempt *e = &limit->exempt[i];
		if (e->is_ipv6 == client->is_ipv6 && ((upper ^ e->upper) & e->upper_mask) == 0 &&
		    ((lower ^ e->lower) & e->lower_mask) == 0)
			return true;
	}
	return false;
}

/* Find the prefix's own entry, or the one with the most allowance left, which the prefix may take over. */
static struct place find(struct set *set, uint64_t tag, uint64_t now_us)
{
	struct place best = {.used_us = UINT64_MAX};
	for (unsigned i = 0; i < LIMIT_WAYS; i++) {
		/* relaxed, here and below: each word is independent, and no other data depend on it */
		uint64_t word = atomic_load_explicit(&set->words[i], memory_order_relaxed);
		uint64_t whole_us = word & TIME_MASK;
		uint64_t used_us = whole_us > now_us ? whole_us - now_us : 0;
		bool is_own = word >> TIME_BITS == tag;
		if (is_own || used_us < best.used_us)
			best = (struct place){&set->words[i], word, used_us};
		if (is_own)
			break;
	}
	return best;
}

/* Use up `cost_us` of the allowance. False when that much is not left, unless `forced`. */
static bool spend(struct limit *l, uint64_t prefix, int64_t now_ms, uint64_t cost_us, bool forced)
{
	uint64_t hash = crypto_siphash13(l->key, &prefix, sizeof prefix);
	struct set *set = &l->sets[hash % LIMIT_SETS];
	uint64_t tag = hash >> TIME_BITS;
	uint64_t now_us = now_ms > l->start_ms ? (uint64_t)(now_ms - l->start_ms) * 1000 : 0;
	for (int tries = 0; tries < SWAP_TRIES; tries++) {
		struct place place = find(set, tag, now_us);
		if (!forced && place.used_us + cost_us > l->burst_us)
			return false;
		uint64_t whole_us = (now_us + place.used_us + cost_us) & TIME_MASK;
		if (atomic_compare_exchange_weak_explicit(place.word, &place.seen, tag << TIME_BITS | whole_us,
							  memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return false;
}

static_assert(LIMIT_NOTES == 16, "four bits select a note");

/* Note a prefix for the log. Each prefix has a fixed place; of several that share a place, the latest stays. */
static void note(struct limit *l, uint64_t prefix)
{
	_Atomic uint64_t *at = &l->notes[(prefix * UINT64_C(0x9e3779b97f4a7c15)) >> 60];
	if (atomic_load_explicit(at, memory_order_relaxed) != prefix) /* during a flood, do not write to the place
								       * again and again */
		atomic_store_explicit(at, prefix, memory_order_relaxed);
}

bool limit_take(struct limit *limit, uint64_t prefix, int64_t now_ms)
{
	if (spend(limit, prefix, now_ms, limit->unit_us, false))
		return true;
	note(limit, prefix);
	return false;
}

void limit_charge(struct limit *limit, uint64_t prefix, size_t len, int64_t now_ms)
{
	if (len > LIMIT_UNIT)
		(void)spend(limit, prefix, now_ms, (len - 1) / LIMIT_UNIT * limit->unit_us, true);
}

unsigned limit_slip(const struct limit *limit)
{
	return limit->slip;
}

bool limit_next_note(struct limit *limit, uint64_t *prefix)
{
	for (unsigned i = 0; i < LIMIT_NOTES; i++) {
		uint64_t noted = atomic_exchange_explicit(&limit->notes[i], 0, memory_order_relaxed);
		if (noted == 0)
			continue;
		*prefix = noted;
		return true;
	}
	return false;
}
