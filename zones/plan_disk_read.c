/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: reading. Everything in the files is checked before it is believed; nothing is sized by them beyond
 * limits. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zones/plan_disk_impl.h"

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

/* Make at least `len` bytes stand in the buffer. False at the end of the file. */
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

static bool read_header(struct plan_disk_file *f, const char *magic, char store_id[PLAN_DISK_STORE_ID_SIZE],
			int64_t *revision)
{
	const uint8_t *h = plan_disk_file_take(f, PLAN_DISK_HEADER);
	if (h == NULL || memcmp(h, magic, 8) != 0 || plan_disk_get_u32(h + 8) != 1)
		return false;
	memcpy(store_id, h + 16, 32);
	store_id[32] = '\0';
	*revision = (int64_t)plan_disk_get_u64(h + 48);
	return strspn(store_id, "0123456789abcdef") == 32 && *revision > 0;
}

static bool is_kind(uint8_t kind)
{
	return model_kind_is_fed((enum model_kind)kind);
}

/* One record's content: kind, key, value, checksum. The key gets its NUL in a copy, since values follow it at once. */
static bool parse_record(const struct crc32c *tables, const uint8_t *p, size_t len, char *key, struct feed_change *out)
{
	if (len < 1 + 2 + 1 + 4 || crc32c_update(tables, 0, p, len - 4) != plan_disk_get_u32(p + len - 4) ||
	    !is_kind(p[0]))
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
				  const struct plan_disk_sink *sink, void *ctx, char store_id[PLAN_DISK_STORE_ID_SIZE],
				  int64_t *revision, struct veer_diag *diag)
{
	static const char name[] = "plan.base";
	char key[PLAN_DISK_PATH_SIZE];
	uint64_t count = 0;
	if (!read_header(f, "VEERPLN1", store_id, revision))
		return corrupt(f, name, "the header is not that of a plan", diag);
	for (;; count++) {
		struct feed_change change;
		const uint8_t *p = plan_disk_file_take(f, 4);
		uint32_t len = p != NULL ? plan_disk_get_u32(p) : 0;
		if (p != NULL && len == UINT32_MAX)
			break;
		if (p == NULL || len > PLAN_DISK_RECORD_MAX || (p = plan_disk_file_take(f, len)) == NULL)
			return corrupt(f, name, "the file ends too early", diag);
		if (!parse_record(&disk->tables, p, len, key, &change))
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

/* One operation of a commit; moves `*p`. */
static bool parse_operation(const uint8_t **p, const uint8_t *end, char *key, struct feed_change *out)
{
	const uint8_t *at = *p;
	if (end - at < 4 || (at[0] != 1 && at[0] != 2) || !is_kind(at[1]))
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

/* A commit's content, checksum already checked: first all of it is parsed, then all of it delivered. */
static enum veer_err deliver(const uint8_t *p, size_t len, const struct plan_disk_sink *sink, void *ctx,
			     const char *store_id, int64_t *revision, struct veer_diag *diag)
{
	char key[PLAN_DISK_PATH_SIZE];
	struct feed_change change;
	const uint8_t *end = p + len, *at = p + 12;
	int64_t next = (int64_t)plan_disk_get_u64(p);
	uint32_t count = plan_disk_get_u32(p + 8);
	if (next <= *revision)
		return VEER_ECORRUPT;
	for (uint32_t i = 0; i < count; i++)
		if (!parse_operation(&at, end, key, &change))
			return VEER_ECORRUPT;
	if (at != end)
		return VEER_ECORRUPT;
	at = p + 12;
	for (uint32_t i = 0; i < count; i++) {
		(void)parse_operation(&at, end, key, &change);
		enum veer_err err = sink->object(ctx, &change, diag);
		if (err != VEER_OK)
			return err;
	}
	*revision = next;
	return sink->commit(ctx, store_id, next, diag);
}

enum veer_err plan_disk_read_journal(const struct plan_disk *disk, const struct plan_disk_sink *sink, void *ctx,
				     const char *store_id, int64_t base_revision, int64_t *revision, int64_t *good_len,
				     struct veer_diag *diag)
{
	char path[PLAN_DISK_PATH_SIZE], their_id[PLAN_DISK_STORE_ID_SIZE];
	struct plan_disk_file f;
	int64_t their_base;
	plan_disk_path(disk, "plan.journal", path);
	enum veer_err err = plan_disk_file_open(&f, &disk->tables, path);
	if (err != VEER_OK)
		return err;
	if (!read_header(&f, "VEERJRN1", their_id, &their_base) || strcmp(their_id, store_id) != 0 ||
	    their_base != base_revision) {
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
		err = deliver(p, len - 4, sink, ctx, store_id, revision, diag);
		if (err == VEER_ECORRUPT) {
			err = VEER_OK;
			break;
		}
		*good_len = f.consumed;
	}
	plan_disk_file_close(&f);
	return err;
}
