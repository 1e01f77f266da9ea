/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest of the fed state at each revision of the ring: computed from the digest of the whole state at one revision
 * (the anchor) and the changes in between.
 */
#include <string.h>

#include "api/control/feed_impl.h"

void feed_count_change(struct digest_pair *sum, const struct store_object *object)
{
	struct digest *part = model_kind_is_state(object->kind) ? &sum->state : &sum->content;
	struct digest summand;
	if (object->was != NULL) {
		digest_load(object->was, &summand);
		digest_subtract(part, &summand);
	}
	if (object->value != NULL &&
	    digest_of(model_kind_text(object->kind), object->key, object->value, object->value_len, &summand))
		digest_add(part, &summand);
}

/* The sum of changes up to `revision`, which is not below the floor. */
static struct digest_pair sum_at(const struct feed *feed, int64_t revision)
{
	uint64_t low = feed->first, high = feed->first + feed->count;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (feed->ring[middle % FEED_BACKLOG_COMMITS].revision <= revision)
			low = middle + 1;
		else
			high = middle;
	}
	return low == feed->first ? feed->floor_sum : feed->ring[(low - 1) % FEED_BACKLOG_COMMITS].sum;
}

/* Find the digest at `revision` by means of the anchor. */
static bool look_up(const struct feed *feed, int64_t revision, struct digest_pair *out)
{
	const struct feed_anchor *anchor = &feed->anchor;
	if (anchor->revision < feed->floor_revision || anchor->revision > feed->revision ||
	    revision < feed->floor_revision || revision > feed->revision)
		return false;
	struct digest_pair there = sum_at(feed, revision), here = sum_at(feed, anchor->revision);
	*out = anchor->digest;
	digest_pair_add(out, &there);
	digest_pair_subtract(out, &here);
	return true;
}

void feed_set_anchor(struct feed *feed, int64_t revision, const struct digest_pair *digest)
{
	struct digest_pair expected;
	if (look_up(feed, revision, &expected) && !digest_pair_equal(&expected, digest))
		log_error(feed->log, "the store's content is not what its changes have made of it",
			  LOG_INT("revision", revision));
	feed->anchor = (struct feed_anchor){revision, *digest};
}

void feed_raise_floor(struct feed *feed, int64_t revision, const struct digest_pair *sum)
{
	struct digest_pair digest;
	bool is_lost = feed->anchor.revision < revision;
	is_lost = is_lost && look_up(feed, revision, &digest);
	if (is_lost)
		feed->anchor = (struct feed_anchor){revision, digest};
	feed->floor_revision = revision;
	feed->floor_sum = *sum;
}

bool feed_digest_at(struct feed *feed, const char *lineage, int64_t revision, struct digest_pair *out)
{
	(void)pthread_mutex_lock(&feed->lock);
	bool is_known =
		history_holds(&feed->ancestry, lineage, revision, feed->revision) && look_up(feed, revision, out);
	(void)pthread_mutex_unlock(&feed->lock);
	return is_known;
}
