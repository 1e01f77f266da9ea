/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: its format, opening and loading. The queue of data to be written is in plan_disk_queue.c. */
#include "zones/plan/plan_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "zones/plan/plan_disk_impl.h"

enum { ROOM_BYTES = 1 << 16 }; /* for the journal, and what the file system needs for itself */

void plan_disk_path(const struct plan_disk *disk, const char *name, char out[PLAN_DISK_PATH_SIZE])
{
	(void)snprintf(out, PLAN_DISK_PATH_SIZE, "%s/%s", disk->dir, name);
}

void plan_disk_put_u16(struct buf *out, uint16_t value)
{
	const uint8_t b[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
	buf_append(out, b, sizeof b);
}

void plan_disk_put_u32(struct buf *out, uint32_t value)
{
	const uint8_t b[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
	buf_append(out, b, sizeof b);
}

void plan_disk_put_u64(struct buf *out, uint64_t value)
{
	plan_disk_put_u32(out, (uint32_t)value);
	plan_disk_put_u32(out, (uint32_t)(value >> 32));
}

uint16_t plan_disk_get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t plan_disk_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t plan_disk_get_u64(const uint8_t *p)
{
	return plan_disk_get_u32(p) | (uint64_t)plan_disk_get_u32(p + 4) << 32;
}

void plan_disk_put_record(struct buf *out, const struct crc32c *tables, const struct feed_change *change)
{
	const uint8_t kind = (uint8_t)change->kind;
	plan_disk_put_u32(out, (uint32_t)(1 + 2 + change->key_len + change->value_len + 4));
	size_t at = out->len;
	buf_append(out, &kind, 1);
	plan_disk_put_u16(out, (uint16_t)change->key_len);
	buf_append(out, change->key, change->key_len);
	buf_append(out, change->value, change->value_len);
	if (!out->failed)
		plan_disk_put_u32(out, crc32c_update(tables, 0, out->data + at, out->len - at));
}

void plan_disk_put_digest(struct buf *out, const struct digest_pair *digest)
{
	uint8_t bytes[2 * DIGEST_BYTES];
	digest_store(&digest->content, bytes);
	digest_store(&digest->state, bytes + DIGEST_BYTES);
	buf_append(out, bytes, sizeof bytes);
}

void plan_disk_put_header(struct buf *out, const char *magic, const struct history_position *at)
{
	buf_append(out, magic, 8);
	plan_disk_put_u32(out, PLAN_DISK_VERSION);
	plan_disk_put_u32(out, at->has_digest);
	buf_append(out, at->store_id, HISTORY_ID_LEN);
	plan_disk_put_u64(out, (uint64_t)at->revision);
	buf_append(out, at->lineage, HISTORY_ID_LEN);
	plan_disk_put_digest(out, &at->digest);
}

void plan_disk_put_commit(struct buf *out, const struct history_position *at, uint32_t operations)
{
	uint8_t lineage[HISTORY_ID_LEN / 2] = {0};
	(void)crypto_hex_decode(at->lineage, strlen(at->lineage), lineage, sizeof lineage);
	plan_disk_put_u64(out, (uint64_t)at->revision);
	plan_disk_put_u32(out, operations);
	plan_disk_put_u32(out, at->has_digest);
	buf_append(out, lineage, sizeof lineage);
	plan_disk_put_digest(out, &at->digest);
}

/* "STORE_ID REVISION LINEAGE"; before there were lineages, "STORE_ID REVISION". */
static void read_highest(struct plan_disk *disk)
{
	char path[PLAN_DISK_PATH_SIZE], line[128];
	struct history_position *h = &disk->highest;
	plan_disk_path(disk, "highest", path);
	if (file_read_line(path, line, sizeof line, NULL) != VEER_OK || strlen(line) < HISTORY_ID_LEN + 2 ||
	    line[HISTORY_ID_LEN] != ' ')
		return;
	line[HISTORY_ID_LEN] = '\0';
	char *revision = line + HISTORY_ID_LEN + 1, *lineage = strchr(revision, ' ');
	if (lineage != NULL)
		*lineage++ = '\0';
	else
		lineage = line;
	if (!history_is_id(line) || !history_is_id(lineage) || !text_to_int(revision, 1, INT64_MAX, &h->revision))
		return;
	memcpy(h->store_id, line, sizeof h->store_id);
	memcpy(h->lineage, lineage, sizeof h->lineage);
}

void plan_disk_notes(const struct plan_disk *disk, char out[PLAN_DISK_NOTES_MAX + 1])
{
	char path[PLAN_DISK_PATH_SIZE], *text = NULL;
	size_t len = 0;
	out[0] = '\0';
	plan_disk_path(disk, "lineages", path);
	if (file_read(path, PLAN_DISK_NOTES_MAX, &text, &len, NULL) == VEER_OK)
		memcpy(out, text, strnlen(text, len) + 1);
	free(text);
}

/*
 * Lock the directory. Its content can be read and served even where the lock file cannot be made (a read-only disk,
 * another owner, something else in its place). Then nothing is written until the lock can be made. VEER_EBUSY: another
 * process has it.
 */
static enum veer_err lock_dir(struct plan_disk *disk, struct veer_diag *diag)
{
	char path[PLAN_DISK_PATH_SIZE];
	plan_disk_path(disk, "lock", path);
	(void)file_make_dirs(disk->dir, NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = errno;
	bool is_writable = fd >= 0;
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return veer_fail(diag, VEER_EBUSY, "%s: another name server uses this directory", disk->dir);
	}
	if (disk->lock_fd >= 0)
		(void)close(disk->lock_fd);
	disk->lock_fd = fd;
	disk->is_read_only = !is_writable;
	if (!is_writable)
		(void)veer_fail(&disk->why, VEER_EIO, "%s: %s; the plan is not kept", path, strerror(error));
	return VEER_OK;
}

enum veer_err plan_disk_open(const char *dir, struct logger *log, struct plan_disk **out, struct veer_diag *diag)
{
	struct plan_disk *disk = calloc(1, sizeof *disk);
	if (disk == NULL)
		return VEER_ENOMEM;
	if (strlen(dir) >= sizeof disk->dir) {
		free(disk);
		return veer_fail(diag, VEER_ERANGE, "%.100s…: the path is too long", dir);
	}
	memcpy(disk->dir, dir, strlen(dir) + 1);
	disk->log = log;
	disk->lock_fd = -1;
	disk->files.journal_fd = disk->files.base_fd = -1;
	crc32c_init(&disk->tables);
	buf_init(&disk->base, PLAN_DISK_QUEUE_BYTES);
	buf_init(&disk->journal, PLAN_DISK_COMMIT_MAX);
	(void)pthread_mutex_init(&disk->lock, NULL);
	(void)pthread_cond_init(&disk->filled, NULL);
	atomic_store(&disk->needs_base, true);
	enum veer_err err = lock_dir(disk, diag);
	if (err != VEER_OK) {
		plan_disk_close(&disk);
		return err;
	}
	read_highest(disk);
	*out = disk;
	return VEER_OK;
}

void plan_disk_close(struct plan_disk **disk_ptr)
{
	struct plan_disk *disk = *disk_ptr;
	if (disk == NULL)
		return;
	(void)pthread_mutex_lock(&disk->lock);
	disk->is_closing = true;
	(void)pthread_cond_broadcast(&disk->filled);
	(void)pthread_mutex_unlock(&disk->lock);
	if (disk->has_thread)
		(void)pthread_join(disk->thread, NULL);
	while (disk->head != NULL) {
		struct plan_disk_job *next = disk->head->next;
		free(disk->head->data);
		free(disk->head);
		disk->head = next;
	}
	if (disk->files.journal_fd >= 0)
		(void)close(disk->files.journal_fd);
	if (disk->files.base_fd >= 0)
		(void)close(disk->files.base_fd);
	if (disk->lock_fd >= 0)
		(void)close(disk->lock_fd);
	buf_deinit(&disk->base);
	buf_deinit(&disk->journal);
	(void)pthread_cond_destroy(&disk->filled);
	(void)pthread_mutex_destroy(&disk->lock);
	free(disk);
	*disk_ptr = NULL;
}

/* Bytes of a file in the directory; 0 when it is not there. */
static int64_t size_of(const struct plan_disk *disk, const char *name)
{
	char path[PLAN_DISK_PATH_SIZE];
	struct stat status;
	plan_disk_path(disk, name, path);
	return stat(path, &status) == 0 ? status.st_size : 0;
}

int64_t plan_disk_base_bytes(const struct plan_disk *disk)
{
	return size_of(disk, "plan.base");
}

/* Read one base completely. */
static enum veer_err load_base(struct plan_disk *disk, const char *name, const struct plan_disk_sink *sink, void *ctx,
			       unsigned *version, struct veer_diag *diag)
{
	char path[PLAN_DISK_PATH_SIZE];
	struct plan_disk_file f;
	struct plan_disk_files *files = &disk->files;
	plan_disk_path(disk, name, path);
	enum veer_err err = plan_disk_file_open(&f, &disk->tables, path);
	if (err != VEER_OK)
		return veer_fail(diag, err, "%s: %s", path, veer_err_text(err));
	err = plan_disk_read_base(disk, &f, sink, ctx, &files->base, version, diag);
	files->base_len = f.consumed;
	plan_disk_file_close(&f);
	files->at = files->base;
	return err == VEER_OK ? sink->commit(ctx, &files->base, diag) : err;
}

/*
 * Apply a journal to what has been loaded so far. A journal that does not continue it, or does not exist, changes
 * nothing.
 */
static enum veer_err load_journal(struct plan_disk *disk, const char *name, const struct plan_disk_sink *sink,
				  void *ctx, int64_t *good_len, struct veer_diag *diag)
{
	*good_len = 0;
	enum veer_err err = plan_disk_read_journal(disk, name, sink, ctx, &disk->files.at, good_len, diag);
	return err == VEER_ENOTFOUND ? VEER_OK : err;
}

enum veer_err plan_disk_load(struct plan_disk *disk, const struct plan_disk_sink *sink, void *ctx,
			     struct veer_diag *diag)
{
	int64_t good_len = 0, old_len = 0;
	unsigned version = 0;
	enum veer_err err = load_base(disk, "plan.base", sink, ctx, &version, diag);
	if (err == VEER_OK)
		err = load_journal(disk, "plan.journal", sink, ctx, &good_len, diag);
	/* the process ended while it was making the next base */
	if (err == VEER_OK && good_len == 0)
		err = load_journal(disk, "plan.journal.old", sink, ctx, &old_len, diag);
	disk->expected_bytes = err == VEER_OK ? (uint64_t)(disk->files.base_len + good_len + old_len) : 0;
	/* nothing is appended to files of an older format */
	if (err == VEER_OK && old_len == 0 && version == PLAN_DISK_VERSION && !disk->is_read_only &&
	    plan_disk_open_journal(disk, good_len) == VEER_OK)
		atomic_store(&disk->needs_base, false);
	return err;
}

enum veer_err plan_disk_load_before(struct plan_disk *disk, const struct plan_disk_sink *sink, void *ctx,
				    struct veer_diag *diag)
{
	int64_t unused;
	unsigned version = 0;
	enum veer_err err = load_base(disk, "plan.base.old", sink, ctx, &version, diag);
	/* its own journal leads up to the beginning of the next base, whose journal goes on from there */
	if (err == VEER_OK)
		err = load_journal(disk, "plan.journal.old", sink, ctx, &unused, diag);
	return err == VEER_OK ? load_journal(disk, "plan.journal", sink, ctx, &unused, diag) : err;
}

void plan_disk_highest(const struct plan_disk *disk, struct history_position *out)
{
	*out = disk->highest;
}

bool plan_disk_is_kept(const struct plan_disk *disk)
{
	return !disk->is_read_only;
}

const char *plan_disk_why(const struct plan_disk *disk)
{
	return disk->why.text;
}

void plan_disk_try_again(struct plan_disk *disk)
{
	struct veer_diag unused = {.text = ""};
	if (disk->is_read_only)
		(void)lock_dir(disk, &unused);
}

void plan_disk_lose(struct plan_disk *disk)
{
	atomic_store(&disk->is_broken, true);
}

bool plan_disk_needs_base(const struct plan_disk *disk)
{
	return atomic_load(&disk->needs_base) || atomic_load(&disk->is_broken);
}

bool plan_disk_has_room(const struct plan_disk *disk)
{
	struct statvfs fs;
	if (disk->is_read_only)
		return false;
	if (statvfs(disk->dir, &fs) != 0)
		return true;
	uint64_t needed = disk->expected_bytes + disk->expected_bytes / 2 + ROOM_BYTES;
	/* the previous base would be removed to make room for it */
	uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize + (uint64_t)size_of(disk, "plan.base.old");
	return (fs.f_flag & ST_RDONLY) == 0 && free_bytes >= needed;
}
