/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feed bytes: the calls to the sink must not depend on how the stream was cut, and no commit may come before a hello.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "zones/plan/feed_reader.h"

#include "tests/fuzz/fuzz.h"

/* A running checksum of all calls. */
struct heard {
	struct crc32c tables;
	uint32_t crc;
	bool has_hello;
};

static void mix(struct heard *h, const void *data, size_t len)
{
	h->crc = crc32c_update(&h->tables, h->crc, data, len);
}

static enum veer_err on_hello(void *ctx, const struct feed_hello *hello, struct veer_diag *diag)
{
	struct heard *h = ctx;
	const struct history_ancestry *a = hello->ancestry;
	(void)diag;
	if (h->has_hello || !history_is_id(hello->store_id) || !history_is_id(hello->lineage) || a->count == 0 ||
	    a->count > HISTORY_LINEAGES_MAX || strcmp(a->lineages[a->count - 1].id, hello->lineage) != 0)
		abort();
	h->has_hello = true;
	mix(h, hello->store_id, 32);
	mix(h, &hello->revision, sizeof hello->revision);
	mix(h, hello->lineage, 32);
	for (size_t i = 0; i < a->count; i++) {
		if (!history_is_id(a->lineages[i].id) || a->lineages[i].from_revision < 0)
			abort();
		mix(h, a->lineages[i].id, 32);
	}
	return VEER_OK;
}

static enum veer_err on_heartbeat(void *ctx, int64_t revision, struct veer_diag *diag)
{
	(void)diag;
	mix(ctx, &revision, sizeof revision);
	return VEER_OK;
}

static void on_counted(void *ctx, const struct digest_pair *added)
{
	mix(ctx, added, sizeof *added);
}

static enum veer_err on_reset(void *ctx, struct veer_diag *diag)
{
	(void)diag;
	mix(ctx, "reset", 5);
	return VEER_OK;
}

static enum veer_err on_change(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	struct heard *h = ctx;
	(void)diag;
	if (!h->has_hello || strlen(change->key) != change->key_len || !model_kind_is_fed(change->kind))
		abort();
	json_t *value = NULL; /* the text for the disk must mean the same as the parsed value */
	if (change->object != NULL && (veer_json_parse((const char *)change->value, change->value_len,
						       FEED_READER_LINE_MAX, &value, NULL) != VEER_OK ||
				       !json_equal(value, change->object)))
		abort();
	json_decref(value);
	mix(h, change->key, change->key_len);
	if (!change->is_del)
		mix(h, change->value, change->value_len);
	return VEER_OK;
}

static enum veer_err on_commit(void *ctx, int64_t revision, struct veer_diag *diag)
{
	struct heard *h = ctx;
	(void)diag;
	if (!h->has_hello || revision <= 0)
		abort();
	mix(h, &revision, sizeof revision);
	return VEER_OK;
}

static enum veer_err on_doubt(void *ctx, const char *const *endpoints, size_t count, struct veer_diag *diag)
{
	(void)diag;
	struct heard *h = ctx;
	if (!h->has_hello)
		abort();
	mix(h, &count, sizeof count);
	for (size_t i = 0; i < count; i++) {
		if (!model_is_endpoint_key(endpoints[i]))
			abort();
		mix(h, endpoints[i], strlen(endpoints[i]));
	}
	return VEER_OK;
}

static uint32_t hear(const uint8_t *data, size_t size, size_t piece, enum veer_err *err)
{
	static const struct feed_sink sink = {on_hello, on_reset,     on_change, on_commit,
					      on_doubt, on_heartbeat, on_counted};
	struct heard h = {.crc = 0};
	crc32c_init(&h.tables);
	struct feed_reader *reader = feed_reader_new(&sink, &h);
	*err = reader != NULL ? VEER_OK : VEER_ENOMEM;
	for (size_t at = 0; at < size && *err == VEER_OK; at += piece)
		*err = feed_reader_push(reader, data + at, size - at < piece ? size - at : piece, NULL);
	feed_reader_free(&reader);
	return h.crc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum veer_err whole_err, cut_err;
	uint32_t whole = hear(data, size, size > 0 ? size : 1, &whole_err);
	uint32_t cut = hear(data, size, 1 + size % 13, &cut_err);
	if (whole != cut || whole_err != cut_err)
		abort();
	return 0;
}
