/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of the feed's sending half: a feed on a real store, and subscribers that read it with the receiving
 * half. Each call fails the test on an error, and each wait fails it after WAIT_MS.
 */
#ifndef VEER_TESTS_FEED_STAGE_H
#define VEER_TESTS_FEED_STAGE_H

#include "api/control/feed.h"
#include "zones/plan/feed_reader.h"
#include "zones/store/store.h"

enum { WAIT_MS = 10000, HEARD_MAX = 1 << 20 };

struct feed_stage {
	char dir[64];
	char feed_dir[96];
	struct store *store;
	struct logger *log;
	struct feed *feed;
};

/* What a name server receives: "hello reset +key -key commit:N " and so on. */
struct heard {
	char text[HEARD_MAX];
	size_t len;
};

struct subscriber {
	struct api_stream_source *source;
	struct feed_reader *reader;
	struct heard *heard;
};

#define OBJECT "{\"name\":\"x\"}"

/* For cmocka: `*state` is a stage with an empty store and no feed yet. */
int feed_stage_setup(void **state);
int feed_stage_teardown(void **state);
/* Write one object into the store; NULL deletes it. Returns the revision. */
int64_t feed_stage_put(struct feed_stage *f, enum model_kind kind, const char *key, const char *value);
/* Tell the feed of one commit. */
void feed_stage_tell(struct feed_stage *f, int64_t revision, const char *key, const char *value);
/* The present lineage of the store. */
const char *feed_stage_lineage(struct feed_stage *f);
/* Subscribe as a name server that has got as far as `since` of a lineage. */
void feed_stage_subscribe(struct feed_stage *f, struct subscriber *s, const char *lineage_text, int64_t since);
/* End the subscription. */
void feed_stage_unsubscribe(struct subscriber *s);
/* One pull of at most `size` bytes. */
ssize_t feed_stage_pull(struct subscriber *s, size_t size);
void feed_stage_pause_ms(int ms);
/* Pull until the text of `heard` ends with `end`. */
void feed_stage_hear(struct subscriber *s, const char *end);

#endif
