/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, in any pieces, are a feed or an error; what is published rises in revision and is a plan that can be asked.
 * The first byte is the length of the pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/replica.h"
#include "tests/fuzz/fuzz.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

struct seen {
	char store_id[PLAN_STORE_ID_SIZE];
	int64_t revision;
	struct retire_list retired; /* released at the end: earlier plans stay readable */
};

static void publish(void *ctx, const struct plan *plan, struct retire_list *retired)
{
	struct seen *s = ctx;
	check(plan != NULL);
	if (strcmp(plan->store_id, s->store_id) == 0)
		check(plan->revision >= s->revision);
	memcpy(s->store_id, plan->store_id, sizeof s->store_id);
	s->revision = plan->revision;
	(void)plan_zone_find(plan, (const uint8_t *)"\3www\4gslb\7example");
	check(retire_reserve(&s->retired, retired->count) == VEER_OK);
	for (size_t i = 0; i < retired->count; i++)
		retire_add(&s->retired, retired->items[i].ptr, retired->items[i].fn);
	retired->count = 0;
	retire_release(retired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {.revision = 0};
	struct replica_config config = {.publish = publish, .ctx = &seen};
	if (size < 1)
		return 0;
	struct replica *replica = replica_new(&config);
	struct feed_reader *reader = feed_reader_new(replica_sink(), replica);
	check(replica != NULL && reader != NULL);
	size_t piece = (size_t)data[0] + 1;
	enum veer_err err = VEER_OK;
	for (size_t at = 1; at < size && err == VEER_OK; at += piece) {
		struct veer_diag diag = {.text = ""};
		size_t len = size - at < piece ? size - at : piece;
		err = feed_reader_push(reader, data + at, len, &diag);
		check((err == VEER_OK) || diag.text[0] != '\0');
	}
	replica_stream_ended(replica);
	feed_reader_free(&reader);
	retire_release(&seen.retired);
	replica_free(&replica);
	return 0;
}
