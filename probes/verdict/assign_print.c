/* SPDX-License-Identifier: Apache-2.0 */
/* The fingerprint of what a check probes, from the table of fields: the hash of their values, each at its place. */
#include <assert.h>
#include <string.h>

#include "base/index.h"
#include "probes/verdict/assign.h"
#include "zones/dns/name.h"
#include "zones/model/check_field.h"

static uint64_t add_number(uint64_t hash, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		hash = (hash ^ (number >> (8 * i) & 0xff)) * 0x100000001b3u;
	return hash;
}

static uint64_t add_text(uint64_t hash, const char *text)
{
	return index_hash(add_number(hash, text != NULL), text != NULL ? text : "");
}

static uint64_t add_data(uint64_t hash, const uint8_t *data, size_t len)
{
	hash = add_number(hash, len);
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ data[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t add_bytes(uint64_t hash, const struct model_bytes *bytes)
{
	return add_data(hash, bytes->data, bytes->data != NULL ? bytes->len : 0);
}

static uint64_t add_texts(uint64_t hash, const char *const *texts)
{
	for (; texts != NULL && *texts != NULL; texts++)
		hash = add_text(hash, *texts);
	return hash;
}

static uint64_t add_statuses(uint64_t hash, const struct model_check_http *http)
{
	for (uint32_t i = 0; i < http->expect_status_count; i++)
		hash = add_number(hash, (uint64_t)http->expect_status[i].first << 16 | http->expect_status[i].last);
	return hash;
}

static uint64_t add_answers(uint64_t hash, const struct model_check_dns *dns)
{
	for (uint32_t i = 0; i < dns->answer_count; i++)
		hash = add_bytes(hash, &dns->answers[i]);
	return hash;
}

static uint64_t add_field(uint64_t hash, const struct model_check_field *f, const struct model_check *check)
{
	switch (f->type) {
	case MODEL_FIELD_KIND:
		return add_number(hash, check->kind);
	case MODEL_FIELD_NUMBER:
	case MODEL_FIELD_PORT:
	case MODEL_FIELD_FLAG:
	case MODEL_FIELD_CHOICE:
		return add_number(hash, model_field_number(f, check));
	case MODEL_FIELD_WORD:
	case MODEL_FIELD_TEXT:
		return add_text(hash, model_field_text(f, check));
	case MODEL_FIELD_BYTES:
		return add_bytes(hash, model_field_bytes(f, check));
	case MODEL_FIELD_HEADERS:
		return add_texts(hash, check->http.headers);
	case MODEL_FIELD_STATUSES:
		return add_statuses(hash, &check->http);
	case MODEL_FIELD_QUERY_NAME:
		return add_data(hash, check->dns.name, name_len(check->dns.name));
	case MODEL_FIELD_QUERY_TYPE:
		return add_number(hash, check->dns.type);
	case MODEL_FIELD_ANSWERS:
		return add_answers(hash, &check->dns);
	case MODEL_FIELD_COMMAND:
		return add_texts(hash, check->exec.argv);
	case MODEL_FIELD_NAME: /* these have no place, because they do not change what is probed */
	case MODEL_FIELD_QUORUM:
	case MODEL_FIELD_PARTS:
	case MODEL_FIELD_NEED:
		return hash;
	}
	return hash;
}

/*
 * Fields that were added later are part of the hash only where they are set, so that other checks keep their
 * fingerprints.
 */
static bool is_left_out(const struct model_check_field *f, const struct model_check *check)
{
	bool is_later = f->place == MODEL_PLACE_RESUME || f->place > MODEL_PLACE_COMMAND;
	return is_later && !model_field_is_set(f, check);
}

uint64_t assign_check_fingerprint(const struct model_check *check)
{
	const struct model_check_field *by_place[MODEL_PLACE_COUNT] = {NULL};
	uint64_t hash = INDEX_HASH_SEED;
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	for (size_t i = 0; i < count; i++)
		by_place[fields[i].place] = &fields[i];
	for (int place = MODEL_PLACE_NONE + 1; place < MODEL_PLACE_COUNT; place++) {
		const struct model_check_field *f = by_place[place];
		assert(f != NULL); /* each place belongs to one field */
		if ((f->hashed_kinds >> check->kind & 1) != 0 && !is_left_out(f, check))
			hash = add_field(hash, f, check);
	}
	return hash;
}
