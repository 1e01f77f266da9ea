/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan on disk: reading. Everything in the files is checked before it is used, and no size from them is used beyond
 * fixed limits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "zones/plan/plan_disk_impl.h"

enum { BUFFER_FIRST = 1 << 20 };

enum veer_err plan_disk_file_open(struct plan_disk_file *f, const struct crc32c *tables, const char *path)
{
	*f = (struct plan_disk_file){.fd = open(path, O_RDONLY | O_CLOEXEC), .tables = tables};
	if (f->fd < 0)
		return veer_err_from_errno(errno);
	f->size = BUFFER_FIRST;
	f->buffer = malloc(f->size);
	if (f->buffer == NULL) {
		plan_disk_file_close(f);
		return VEER_ENOMEM;
	}
	return VEER_OK;
}

void plan_disk_file_close(struct plan_disk_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->buffer);
	f->fd = -1;
	f->buffer = NULL;
}

/* Have at least `len` bytes in the buffer. False at the end of the file. */
static bool fill(struct plan_disk_file *f, size_t len)
{
	if (f->pos > 0) {
		memmove(f->buffer, f->buffer + f->pos, f->len - f->pos);
		f->len -= f->pos;
		f->pos = 0;
	}
	if (len > f->size) {
		uint8_t *buffer = realloc(f->buffer, len);
		if (buffer == NULL)
			return false;
		f->buffer = buffer;
		f->size = len;
	}
	while (f->len < len) {
		ssize_t n = read(f->fd, f->buffer + f->len, f->size - f->len);
		if (n < 0 && errno == EINTR)
			continue;
		f->failed = f->failed || n < 0;
		if (n <= 0)
			return false;
		f->len += (size_t)n;
	}
	return true;
}

const uint8_t *plan_disk_file_take(struct plan_disk_file *f, size_t len)
{
	if (len > PLAN_DISK_COMMIT_MAX || (f->len - f->pos < len && !fill(f, len)))
		return NULL;
	const uint8_t *data = f->buffer + f->pos;
	f->pos += len;
	f->crc = crc32c_update(f->tables, f->crc, data, len);
	f->consumed += (int64_t)len;
	return data;
}

static enum veer_err corrupt(const struct plan_disk_file *f, const char *name, const char *what, struct veer_diag *diag)
{
	return veer_fail(diag, f->failed ? VEER_EIO : VEER_ECORRUPT, "%s, byte %lld: %s", name, (long long)f->consumed,
			 what);
}

static void get_digest(const uint8_t *p, bool is_known, struct history_position *out)
{
	out->has_digest = is_known;
	digest_load(p, &out->digest.content);
	digest_load(p + DIGEST_BYTES, &out->digest.state);
}

static bool get_id(const uint8_t *p, char out[HISTORY_ID_SIZE])
{
	memcpy(out, p, HISTORY_ID_LEN);
	out[HISTORY_ID_LEN] = '\0';
	return history_is_id(out);
}

/* In files of a store from before lineages, the store's id serves as the lineage. */
static bool read_header(struct plan_disk_file *f, const char *magic, struct history_position *at, unsigned *version)
{
	const uint8_t *h = plan_disk_file_take(f, PLAN_DISK_HEADER_V1);
	*at = (struct history_position){.revision = 0};
	if (h == NULL || memcmp(h, magic, 8) != 0)
		return false;
	*version = plan_disk_get_u32(h + 8);
	bool has_digest = plan_disk_get_u32(h + 12) != 0;
	if (*version < 1 || *version > PLAN_DISK_VERSION || !get_id(h + 16, at->store_id))
		return false;
	at->revision = (int64_t)plan_disk_get_u64(h + 48);
	memcpy(at->lineage, at->store_id, sizeof at->lineage);
	if (*version == 1)
		return at->revision > 0;
	h = plan_disk_file_take(f, PLAN_DISK_HEADER - PLAN_DISK_HEADER_V1);
	if (h == NULL || !get_id(h, at->lineage))
		return false;
	get_digest(h + HISTORY_ID_LEN, has_digest, at);
	return at->revision > 0;
}

/*
 * Parse one record: kind, key, value, checksum. The key is copied to get its NUL, because the value follows it
 * directly.
 */
static bool parse_record(const struct crc32c *tables, struct model_kinds fed, const uint8_t *p, size_t len, char *key,
			 struct feed_change *out)
{
	if (len < 1 + 2 + 1 + 4 || crc32c_update(tables, 0, p, len - 4) != plan_disk_get_u32(p + len - 4) ||
	    !model_kinds_have(fed, (enum model_kind)p[0]))
		return false;
	size_t key_len = plan_disk_get_u16(p + 1);
	if (key_len == 0 || key_len >= PLAN_DISK_PATH_SIZE || 3 + key_len + 4 > len)
		return false;
	memcpy(key, p + 3, key_len);
	key[key_len] = '\0';
	*out = (struct feed_change){.kind = (enum model_kind)p[0],
				    .key = key,
				    .key_len = key_len,
				    .value = p + 3 + key_len,
				    .value_len = len - 3 - key_len - 4};
	return true;
}

enum veer_err plan_disk_read_base(const struct plan_disk *disk, struct plan_disk_file *f,
				  const struct plan_disk_sink *sink, void *ctx, struct history_position *at,
				  unsigned *version, struct veer_diag *diag)
{
	static const char name[] = "plan.base";
	char key[PLAN_DISK_PATH_SIZE];
	uint64_t count = 0;
	const struct model_kinds fed = model_kinds_fed();
	if (!read_header(f, "VEERPLN1", at, version))
		return corrupt(f, name, "the header is not that of a plan", diag);
	for (;; count++) {
		struct feed_change change;
		const uint8_t *p = plan_disk_file_take(f, 4);
		uint32_t len = p != NULL ? plan_disk_get_u32(p) : 0;
		if (p != NULL && len == UINT32_MAX)
			break;
		if (p == NULL || len > PLAN_DISK_RECORD_MAX || (p = plan_disk_file_take(f, len)) == NULL)
			return corrupt(f, name, "the file ends too early", diag);
		if (!parse_record(&disk->tables, fed, p, len, key, &change))
			return corrupt(f, name, "a record fails its checksum", diag);
		enum veer_err err = sink->object(ctx, &change, diag);
		if (err != VEER_OK)
			return err;
	}
	const uint8_t *p = plan_disk_file_take(f, 8);
	if (p == NULL || plan_disk_get_u64(p) != count)
		return corrupt(f, name, "the number of records is wrong", diag);
	uint32_t crc = f->crc;
	p = plan_disk_file_take(f, 4);
	if (p == NULL || plan_disk_get_u32(p) != crc)
		return corrupt(f, name, "the file fails its checksum", diag);
	return plan_disk_file_take(f, 1) == NULL ? VEER_OK : corrupt(f, name, "something follows the end", diag);
}

/* Parse one operation of a commit; moves `*p` past it. */
static bool parse_operation(const uint8_t **p, const uint8_t *end, char *key, struct feed_change *out)
{
	const uint8_t *at = *p;
	if (end - at < 4 || (at[0] != 1 && at[0] != 2) || !model_kind_is_fed((enum model_kind)at[1]))
		return false;
	size_t key_len = plan_disk_get_u16(at + 2);
	if (key_len == 0 || key_len >= PLAN_DISK_PATH_SIZE || (size_t)(end - at) < 4 + key_len + 4)
		return false;
	memcpy(key, at + 4, key_len);
	key[key_len] = '\0';
	size_t value_len = plan_disk_get_u32(at + 4 + key_len);
	const uint8_t *value = at + 4 + key_len + 4;
	if ((size_t)(end - value) < value_len)
		return false;
	*out = (struct feed_change){.kind = (enum model_kind)at[1],
				    .key = key,
				    .key_len = key_len,
				    .is_del = at[0] == 2,
				    .value = value,
				    .value_len = value_len};
	*p = value + value_len;
	return true;
}

/*
 * Read the head of a commit: how many operations follow, and the position `*at` after them. False if it is not
 * plausible.
 */
static bool read_commit_head(const uint8_t *p, unsigned version, uint32_t *count, struct history_position *at)
{
	int64_t next = (int64_t)plan_disk_get_u64(p);
	*count = plan_disk_get_u32(p + 8);
	if (next <= at->revision)
		return false;
	at->revision = next;
	if (version == 1)
		return true;
	crypto_hex_encode(p + 16, HISTORY_ID_LEN / 2, at->lineage);
	get_digest(p + 16 + HISTORY_ID_LEN / 2, plan_disk_get_u32(p + 12) != 0, at);
	return true;
}

/* Deliver a commit whose checksum was checked: first everything is parsed, then everything is delivered. */
static enum veer_err deliver(const uint8_t *p, size_t len, unsigned version, const struct plan_disk_sink *sink,
			     void *ctx, struct history_position *position, struct veer_diag *diag)
{
	char key[PLAN_DISK_PATH_SIZE];
	struct feed_change change;
	struct history_position next = *position;
	const uint8_t *begin = p + (version == 1 ? PLAN_DISK_COMMIT_V1 : PLAN_DISK_COMMIT), *end = p + len, *at = begin;
	uint32_t count;
	if (end < begin || !read_commit_head(p, version, &count, &next))
		return VEER_ECORRUPT;
	for (uint32_t i = 0; i < count; i++)
		if (!parse_operation(&at, end, key, &change))
			return VEER_ECORRUPT;
	if (at != end)
		return VEER_ECORRUPT;
	at = begin;
	for (uint32_t i = 0; i < count; i++) {
		(void)parse_operation(&at, end, key, &change);
		enum veer_err err = sink->object(ctx, &change, diag);
		if (err != VEER_OK)
			return err;
	}
	*position = next;
	return sink->commit(ctx, position, diag);
}

enum veer_err plan_disk_read_journal(const struct plan_disk *disk, const char *name, const struct plan_disk_sink *sink,
				     void *ctx, struct history_position *at, int64_t *good_len, struct veer_diag *diag)
{
	char path[PLAN_DISK_PATH_SIZE];
	struct plan_disk_file f;
	struct history_position base;
	unsigned version = 0;
	plan_disk_path(disk, name, path);
	enum veer_err err = plan_disk_file_open(&f, &disk->tables, path);
	if (err != VEER_OK)
		return err;
	if (!read_header(&f, "VEERJRN1", &base, &version) || strcmp(base.store_id, at->store_id) != 0 ||
	    strcmp(base.lineage, at->lineage) != 0 || base.revision != at->revision) {
		plan_disk_file_close(&f);
		return VEER_ENOTFOUND;
	}
	*good_len = f.consumed;
	while (err == VEER_OK) {
		const uint8_t *p = plan_disk_file_take(&f, 4);
		uint32_t len = p != NULL ? plan_disk_get_u32(p) : 0;
		if (p == NULL || len < 16 || (p = plan_disk_file_take(&f, len)) == NULL ||
		    crc32c_update(&disk->tables, 0, p, len - 4) != plan_disk_get_u32(p + len - 4))
			break;
		err = deliver(p, len - 4, version, sink, ctx, at, diag);
		if (err == VEER_ECORRUPT) {
			err = VEER_OK;
			break;
		}
		*good_len = f.consumed;
	}
	plan_disk_file_close(&f);
	return err;
}
