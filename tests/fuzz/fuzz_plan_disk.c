/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A saved plan is refused, or what is loaded equals what was saved: the whole base and the journal's commits up to some
 * point, nothing else and nothing twice.
 *
 * Octet 0 chooses. 0: a plan of the input's objects is saved by our format's description, loaded, and must be equal. 1:
 * the same, and then the input damages the files: they are refused, or loaded up to a commit. (The input could only by
 * chance contain a change that the checksums do not detect.) 2: the files are the input's octets with correct checksums
 * put in, so that the code after the checksums is reached: two loads give the same. 3: as 2, but without changed
 * checksums.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "zones/plan/plan_disk_impl.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define FILE_MAX ((size_t)1 << 20)
#define COMMITS_MAX 64
#define STORE_ID "0123456789abcdef0123456789abcdef"
#define LINEAGE "fedcba9876543210fedcba9876543210"

/* The input, consumed from the front; zeros once it is used up. */
struct input {
	const uint8_t *at;
	size_t left;
};

/* The result of a load, as one checksum per commit. */
struct loaded {
	struct crc32c tables;
	uint32_t crc; /* of all objects so far, in order */
	unsigned count;
	uint32_t crcs[COMMITS_MAX];
	int64_t revision;
};

static unsigned eat(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static const uint8_t *eat_span(struct input *in, size_t *len)
{
	const uint8_t *span = in->at;
	*len = *len < in->left ? *len : in->left;
	in->at += *len;
	in->left -= *len;
	return span;
}

static void note(struct loaded *l, const struct feed_change *change)
{
	const uint8_t head[6] = {(uint8_t)change->kind,
				 change->is_del,
				 (uint8_t)(change->key_len >> 8),
				 (uint8_t)change->key_len,
				 (uint8_t)(change->value_len >> 8),
				 (uint8_t)change->value_len};
	l->crc = crc32c_update(&l->tables, l->crc, head, sizeof head);
	l->crc = crc32c_update(&l->tables, l->crc, change->key, change->key_len);
	l->crc = crc32c_update(&l->tables, l->crc, change->value, change->value_len);
}

static enum veer_err on_object(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	(void)diag;
	fuzz_check(change->key[change->key_len] == '\0' && change->kind > MODEL_KIND_NONE &&
		   model_kind_is_fed(change->kind) && (!change->is_del || change->value_len < FILE_MAX));
	note(ctx, change);
	return VEER_OK;
}

/* The checksum includes what a commit says about itself. */
static void note_position(struct loaded *l, const struct history_position *at)
{
	uint8_t sums[2 * DIGEST_BYTES];
	digest_store(&at->digest.content, sums);
	digest_store(&at->digest.state, sums + DIGEST_BYTES);
	l->crc = crc32c_update(&l->tables, l->crc, at->lineage, HISTORY_ID_LEN);
	l->crc = crc32c_update(&l->tables, l->crc, sums, sizeof sums);
}

/* The position of the plan at a revision. */
static struct history_position position(int64_t revision)
{
	struct history_position at = {
		.store_id = STORE_ID, .lineage = LINEAGE, .revision = revision, .has_digest = (revision & 1) != 0};
	at.digest.content.low = (uint64_t)revision;
	at.digest.state.high = ~(uint64_t)revision;
	return at;
}

static void note_commit(struct loaded *l)
{
	if (l->count < COMMITS_MAX)
		l->crcs[l->count++] = l->crc;
}

static enum veer_err on_commit(void *ctx, const struct history_position *at, struct veer_diag *diag)
{
	struct loaded *l = ctx;
	(void)diag;
	fuzz_check(at->revision > l->revision && history_is_id(at->store_id) && history_is_id(at->lineage));
	l->revision = at->revision;
	note_position(l, at);
	note_commit(l);
	return VEER_OK;
}

static enum veer_err load(const char *dir, struct loaded *l)
{
	static const struct plan_disk_sink sink = {on_object, on_commit};
	struct plan_disk *disk = NULL;
	*l = (struct loaded){.crc = 0};
	crc32c_init(&l->tables);
	fuzz_check(plan_disk_open(dir, NULL, &disk, NULL) == VEER_OK);
	enum veer_err err = plan_disk_load(disk, &sink, l, NULL);
	plan_disk_close(&disk);
	return err;
}

/* --- files by the format's description (docs/formats.md 7) ------------------------------------------------- */

/* Make one object of the input: kind, key, value. */
static struct feed_change make_change(struct input *in, char *key)
{
	size_t key_len = 1 + (eat(in) & 31), value_len = eat(in);
	struct feed_change change = {.kind = (enum model_kind)(1 + eat(in) % MODEL_KIND_LAST), .key = key};
	const uint8_t *text = eat_span(in, &key_len);
	if (key_len > 0)
		memcpy(key, text, key_len);
	else
		key[key_len++] = 'k';
	key[key_len] = '\0';
	change.key_len = key_len;
	change.value = eat_span(in, &value_len);
	change.value_len = value_len;
	return change;
}

static void make_base(struct input *in, struct loaded *l, struct buf *out)
{
	char key[64];
	unsigned count = eat(in) & 7;
	struct history_position at = position(5);
	plan_disk_put_header(out, "VEERPLN1", &at);
	for (unsigned i = 0; i < count; i++) {
		struct feed_change change = make_change(in, key);
		plan_disk_put_record(out, &l->tables, &change);
		note(l, &change);
	}
	plan_disk_put_u32(out, UINT32_MAX);
	plan_disk_put_u64(out, count);
	plan_disk_put_u32(out, crc32c_update(&l->tables, 0, out->data, out->len));
	note_position(l, &at);
	note_commit(l);
}

static void make_commit(struct input *in, struct loaded *l, int64_t revision, struct buf *out)
{
	char key[64];
	unsigned count = eat(in) & 3;
	size_t start = out->len;
	plan_disk_put_u32(out, 0);
	struct history_position at = position(revision);
	plan_disk_put_commit(out, &at, count);
	for (unsigned i = 0; i < count; i++) {
		struct feed_change change = make_change(in, key);
		change.is_del = (change.value_len & 1) != 0;
		change.value_len = change.is_del ? 0 : change.value_len;
		const uint8_t op[2] = {change.is_del ? 2 : 1, (uint8_t)change.kind};
		buf_append(out, op, sizeof op);
		plan_disk_put_u16(out, (uint16_t)change.key_len);
		buf_append(out, change.key, change.key_len);
		plan_disk_put_u32(out, (uint32_t)change.value_len);
		buf_append(out, change.value, change.value_len);
		note(l, &change);
	}
	size_t len = out->len - start; /* without the length itself, but with the checksum */
	for (int i = 0; i < 4; i++)
		out->data[start + (size_t)i] = (char)(len >> (8 * i));
	plan_disk_put_u32(out, crc32c_update(&l->tables, 0, out->data + start + 4, len - 4));
	note_position(l, &at);
	note_commit(l);
}

static void make_files(struct input *in, struct loaded *l, struct buf *base, struct buf *journal)
{
	unsigned commits = eat(in) & 15;
	*l = (struct loaded){.crc = 0};
	crc32c_init(&l->tables);
	make_base(in, l, base);
	if (commits == 15)
		return;
	struct history_position at = position(5);
	plan_disk_put_header(journal, "VEERJRN1", &at);
	for (unsigned i = 0; i < commits; i++)
		make_commit(in, l, 6 + i, journal);
}

/* --- damage ------------------------------------------------------------------------------------------------ */

static void damage_once(struct input *in, struct buf *file)
{
	size_t at = (eat(in) | (size_t)eat(in) << 8) % (file->len + 1), len = eat(in);
	unsigned kind = eat(in);
	len = len < file->len - at ? len : file->len - at;
	switch (kind & 3) {
	case 0: /* the end is cut off */
		file->len = at;
		break;
	case 1: /* one octet is changed */
		if (at < file->len)
			file->data[at] = (char)(file->data[at] ^ (int)(1U << (kind >> 2 & 7)));
		break;
	case 2: /* a block was never written to the disk */
		memset(file->data + at, 0, len);
		break;
	case 3: /* old content follows the end */
		for (size_t i = 0; i < len; i++) {
			char c = file->data[at + i];
			buf_append(file, &c, 1);
		}
		break;
	}
}

/* --- right checksums for any octets -------------------------------------------------------------------------- */

static void put_crc(const struct crc32c *tables, uint8_t *data, size_t from, size_t at)
{
	uint32_t crc = crc32c_update(tables, 0, data + from, at - from);
	for (int i = 0; i < 4; i++)
		data[at + (size_t)i] = (uint8_t)(crc >> (8 * i));
}

/* Go through the records (or commits) of a file and correct each checksum. */
static void mend(const struct crc32c *tables, uint8_t *data, size_t len)
{
	size_t at = len > 8 && data[8] == 1 ? PLAN_DISK_HEADER_V1 : PLAN_DISK_HEADER;
	while (at + 4 <= len) {
		size_t record = plan_disk_get_u32(data + at);
		if (record == UINT32_MAX && at + 16 <= len) {
			put_crc(tables, data, 0, at + 12);
			return;
		}
		if (record < 4 || record > len - at - 4)
			return;
		put_crc(tables, data, at + 4, at + record);
		at += 4 + record;
	}
}

static void take_files(struct input *in, bool is_mended, struct buf *base, struct buf *journal)
{
	struct crc32c tables;
	size_t cut = eat(in) | (size_t)eat(in) << 8, rest = FILE_MAX;
	const uint8_t *data = eat_span(in, &cut);
	buf_append(base, data, cut);
	data = eat_span(in, &rest);
	buf_append(journal, data, rest);
	crc32c_init(&tables);
	if (is_mended && base->len > 0)
		mend(&tables, (uint8_t *)base->data, base->len);
	if (is_mended && journal->len > 0)
		mend(&tables, (uint8_t *)journal->data, journal->len);
}

/* --- the target ---------------------------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const struct buf *content)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	fuzz_check(file != NULL && fwrite(content->data, 1, content->len, file) == content->len && fclose(file) == 0);
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = {"plan.base", "plan.journal", "highest", "lock", "lineages"};
	char path[128];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	fuzz_check(rmdir(dir) == 0);
}

/* What was loaded must equal what was saved up to some commit. */
static void check_loaded(const struct loaded *saved, const struct loaded *loaded, bool is_damaged)
{
	fuzz_check(loaded->count >= 1 && loaded->count <= saved->count);
	fuzz_check(is_damaged || loaded->count == saved->count);
	fuzz_check(memcmp(loaded->crcs, saved->crcs, loaded->count * sizeof saved->crcs[0]) == 0);
	fuzz_check(loaded->revision == 4 + (int64_t)loaded->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct buf base, journal;
	struct loaded saved, first, second;
	char dir[] = "/tmp/veer-fuzz-XXXXXX";
	unsigned mode = eat(&in) & 3;
	buf_init(&base, 2 * FILE_MAX);
	buf_init(&journal, 2 * FILE_MAX);
	if (mode < 2)
		make_files(&in, &saved, &base, &journal);
	else
		take_files(&in, mode == 2, &base, &journal);
	while (mode == 1 && in.left > 0)
		damage_once(&in, (eat(&in) & 1) != 0 && journal.len > 0 ? &journal : &base);
	fuzz_check(mkdtemp(dir) != NULL);
	write_file(dir, "plan.base", &base);
	if (journal.len > 0)
		write_file(dir, "plan.journal", &journal);
	enum veer_err err = load(dir, &first);
	fuzz_check(err == VEER_OK || err == VEER_ECORRUPT);
	fuzz_check(mode != 0 || err == VEER_OK);
	if (err == VEER_OK) {
		if (mode < 2)
			check_loaded(&saved, &first, mode == 1);
		/* a load keeps the part that it found valid and cuts off the rest, so a second load gives the same */
		fuzz_check(load(dir, &second) == VEER_OK && second.crc == first.crc && second.count == first.count &&
			   second.revision == first.revision);
	}
	remove_dir(dir);
	buf_deinit(&base);
	buf_deinit(&journal);
	return 0;
}
