/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan on disk: the writing thread. It takes everything that waits, writes it, and syncs once. A base is written to
 * a second file, synced and renamed; then the journal begins anew. Compaction does the same with the content of the old
 * base and the journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strmap.h"
#include "zones/plan/plan_disk_impl.h"

enum {
	WRITE_CHUNK_BYTES = 1 << 20,
	ROOM_BYTES = 1 << 20, /* room beside the base that the file system needs for itself */
};

static void failed(struct plan_disk *disk, const char *what)
{
	atomic_store(&disk->needs_base, true);
	atomic_fetch_add(&disk->failures, 1);
	log_error(disk->log, "the plan cannot be written; what is served is not affected", LOG_STR("dir", disk->dir),
		  LOG_STR("step", what), LOG_STR("why", strerror(errno)));
}

static void close_base(struct plan_disk *disk)
{
	char path[PLAN_DISK_PATH_SIZE];
	if (disk->files.base_fd < 0)
		return;
	(void)close(disk->files.base_fd);
	disk->files.base_fd = -1;
	plan_disk_path(disk, "plan.base.new", path);
	(void)unlink(path);
}

static bool write_base(struct plan_disk *disk, const void *data, size_t len)
{
	struct plan_disk_files *f = &disk->files;
	f->base_crc = crc32c_update(&disk->tables, f->base_crc, data, len);
	f->base_under_way_len += (int64_t)len;
	return file_write_all(f->base_fd, data, len) == VEER_OK;
}

/* If there is no room for another base, remove the previous one. */
static void make_room(struct plan_disk *disk)
{
	char path[PLAN_DISK_PATH_SIZE];
	struct statvfs fs;
	uint64_t needed = (uint64_t)disk->files.base_len + ROOM_BYTES;
	if (statvfs(disk->dir, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= needed)
		return;
	plan_disk_path(disk, "plan.base.old", path);
	(void)unlink(path);
	plan_disk_path(disk, "plan.journal.old", path);
	(void)unlink(path);
}

/* The header is written last, because the revision is known only at the end. Until then its place is empty. */
static void begin_base(struct plan_disk *disk)
{
	char path[PLAN_DISK_PATH_SIZE];
	struct plan_disk_files *f = &disk->files;
	close_base(disk);
	make_room(disk);
	plan_disk_path(disk, "plan.base.new", path);
	f->base_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	f->base_crc = 0;
	f->base_under_way_len = PLAN_DISK_HEADER;
	if (f->base_fd < 0 || lseek(f->base_fd, PLAN_DISK_HEADER, SEEK_SET) < 0)
		failed(disk, "begin a base");
}

static void base_data(struct plan_disk *disk, const struct plan_disk_job *job)
{
	if (disk->files.base_fd >= 0 && !write_base(disk, job->data, job->len)) {
		failed(disk, "write a base");
		close_base(disk);
	}
}

/*
 * Compute the checksum of the whole file by reading it once more, because we have no function that combines the CRC-32C
 * of two parts.
 */
static bool whole_checksum(struct plan_disk *disk, uint32_t *crc)
{
	uint8_t *buffer = malloc(WRITE_CHUNK_BYTES);
	off_t at = 0;
	ssize_t n = buffer != NULL ? 1 : -1;
	*crc = 0;
	while (n > 0) {
		n = pread(disk->files.base_fd, buffer, WRITE_CHUNK_BYTES, at);
		if (n > 0)
			*crc = crc32c_update(&disk->tables, *crc, buffer, (size_t)n);
		at += n > 0 ? n : 0;
	}
	free(buffer);
	return n == 0;
}

static bool finish_base(struct plan_disk *disk, const struct history_position *at, uint64_t count)
{
	struct plan_disk_files *f = &disk->files;
	struct buf out;
	uint32_t crc;
	buf_init(&out, 4096);
	plan_disk_put_header(&out, "VEERPLN1", at);
	bool ok = !out.failed && pwrite(f->base_fd, out.data, out.len, 0) == PLAN_DISK_HEADER;
	buf_reset(&out);
	plan_disk_put_u32(&out, UINT32_MAX);
	plan_disk_put_u64(&out, count);
	ok = ok && write_base(disk, out.data, out.len) && whole_checksum(disk, &crc);
	buf_reset(&out);
	if (ok)
		plan_disk_put_u32(&out, crc);
	ok = ok && !out.failed && write_base(disk, out.data, out.len) && fsync(f->base_fd) == 0;
	buf_deinit(&out);
	return ok;
}

static void close_journal(struct plan_disk *disk)
{
	if (disk->files.journal_fd >= 0)
		(void)close(disk->files.journal_fd);
	disk->files.journal_fd = -1;
}

/*
 * Keep the base in use, with its journal, as the previous base, which is loaded if the new one should be damaged. If
 * the process ends in between, the base is left with a journal under the other name; loading handles that. On a file
 * system without links no previous base is kept.
 */
static void keep_before(struct plan_disk *disk)
{
	char base[PLAN_DISK_PATH_SIZE], base_old[PLAN_DISK_PATH_SIZE];
	char journal[PLAN_DISK_PATH_SIZE], journal_old[PLAN_DISK_PATH_SIZE];
	plan_disk_path(disk, "plan.base", base);
	plan_disk_path(disk, "plan.base.old", base_old);
	plan_disk_path(disk, "plan.journal", journal);
	plan_disk_path(disk, "plan.journal.old", journal_old);
	(void)unlink(base_old);
	if (link(base, base_old) != 0 || rename(journal, journal_old) != 0)
		(void)unlink(journal_old);
}

static bool commit_base(struct plan_disk *disk, const struct history_position *at, uint64_t count)
{
	char from[PLAN_DISK_PATH_SIZE], to[PLAN_DISK_PATH_SIZE];
	struct plan_disk_files *f = &disk->files;
	if (f->base_fd < 0)
		return false;
	plan_disk_path(disk, "plan.base.new", from);
	plan_disk_path(disk, "plan.base", to);
	bool is_whole = finish_base(disk, at, count);
	if (is_whole)
		keep_before(disk);
	if (!is_whole || rename(from, to) != 0 || file_sync_dir_of(to, NULL) != VEER_OK) {
		failed(disk, "finish a base");
		close_base(disk);
		return false;
	}
	(void)close(f->base_fd);
	f->base_fd = -1;
	f->base = f->at = *at;
	f->base_len = f->base_under_way_len;
	if (plan_disk_open_journal(disk, 0) != VEER_OK) {
		failed(disk, "begin a journal");
		return false;
	}
	return true;
}

/*
 * A full state has come and is in use. From now on nothing may be appended to the old journal, whether or not the new
 * base is on disk.
 */
static void commit_new_base(struct plan_disk *disk, const struct plan_disk_job *job)
{
	if (!commit_base(disk, &job->at, job->count)) {
		close_journal(disk);
		return;
	}
	atomic_store(&disk->needs_base, false);
	uint64_t failures = atomic_load(&disk->failures);
	if (failures != disk->files.failures_mended)
		log_notice(disk->log, "the plan on disk is whole again", LOG_STR("dir", disk->dir),
			   LOG_INT("revision", job->at.revision));
	disk->files.failures_mended = failures;
}

enum veer_err plan_disk_open_journal(struct plan_disk *disk, int64_t len)
{
	char path[PLAN_DISK_PATH_SIZE];
	struct plan_disk_files *f = &disk->files;
	struct buf header;
	if (f->journal_fd >= 0)
		(void)close(f->journal_fd);
	plan_disk_path(disk, "plan.journal", path);
	f->journal_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = f->journal_fd >= 0 && ftruncate(f->journal_fd, len) == 0 && lseek(f->journal_fd, 0, SEEK_END) == len;
	f->journal_len = len;
	if (ok && len == 0) {
		buf_init(&header, PLAN_DISK_HEADER);
		plan_disk_put_header(&header, "VEERJRN1", &f->base);
		ok = !header.failed && file_write_all(f->journal_fd, header.data, header.len) == VEER_OK &&
		     fdatasync(f->journal_fd) == 0 && file_sync_dir_of(path, NULL) == VEER_OK;
		f->journal_len = PLAN_DISK_HEADER;
		buf_deinit(&header);
	}
	if (ok)
		return VEER_OK;
	if (f->journal_fd >= 0)
		(void)close(f->journal_fd);
	f->journal_fd = -1;
	return VEER_EIO;
}

/* Append one commit. After a failure the journal is truncated to its last complete commit and closed. */
static void append(struct plan_disk *disk, const struct plan_disk_job *job)
{
	struct plan_disk_files *f = &disk->files;
	if (f->journal_fd < 0)
		return;
	if (file_write_all(f->journal_fd, job->data, job->len) == VEER_OK) {
		f->journal_len += (int64_t)job->len;
		f->at = job->at;
		return;
	}
	failed(disk, "append to the journal");
	if (ftruncate(f->journal_fd, f->journal_len) != 0)
		log_error(disk->log, "the journal ends in the middle of a commit", LOG_STR("dir", disk->dir));
	close_journal(disk);
}

void plan_disk_write_highest(struct plan_disk *disk)
{
	char path[PLAN_DISK_PATH_SIZE], line[128];
	const struct history_position *at = &disk->files.at;
	plan_disk_path(disk, "highest", path);
	int len = snprintf(line, sizeof line, "%s %lld %s\n", at->store_id, (long long)at->revision, at->lineage);
	(void)file_write_atomic(path, line, (size_t)len, 0600, NULL);
}

static void write_notes(struct plan_disk *disk, const struct plan_disk_job *job)
{
	char path[PLAN_DISK_PATH_SIZE];
	plan_disk_path(disk, "lineages", path);
	if (file_write_atomic(path, job->data, job->len, 0600, NULL) != VEER_OK)
		log_error(disk->log, "which stores were served cannot be kept", LOG_STR("dir", disk->dir));
}

/* The state of compaction: the objects whose newest value is in the journal, and the records to be written. */
struct compaction {
	struct plan_disk *disk;
	struct strmap words; /* from "KIND KEY" to struct word */
	struct buf out;
	uint64_t count;
};

/* The newest value of an object in the journal: a record (heap), or deleted. */
struct word {
	char *record; /* NULL: deleted */
	size_t len;
};

static size_t word_key(const struct feed_change *change, char out[PLAN_DISK_PATH_SIZE + 16])
{
	return (size_t)snprintf(out, PLAN_DISK_PATH_SIZE + 16, "%d %s", (int)change->kind, change->key);
}

static enum veer_err note_word(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	struct compaction *c = ctx;
	char key[PLAN_DISK_PATH_SIZE + 16];
	size_t key_len = word_key(change, key);
	struct word *word = strmap_get(&c->words, key, key_len);
	(void)diag;
	if (word == NULL) {
		word = calloc(1, sizeof *word);
		if (word == NULL || strmap_put(&c->words, key, key_len, word) != VEER_OK) {
			free(word);
			return VEER_ENOMEM;
		}
	}
	free(word->record);
	*word = (struct word){NULL, 0};
	if (change->is_del)
		return VEER_OK;
	struct buf record;
	buf_init(&record, PLAN_DISK_RECORD_MAX + 16);
	plan_disk_put_record(&record, &c->disk->tables, change);
	word->record = record.failed ? NULL : buf_take(&record, &word->len);
	buf_deinit(&record);
	return word->record != NULL ? VEER_OK : VEER_ENOMEM;
}

static enum veer_err note_commit(void *ctx, const struct history_position *at, struct veer_diag *diag)
{
	(void)ctx;
	(void)at;
	(void)diag;
	return VEER_OK;
}

static enum veer_err flush_records(struct compaction *c, size_t above)
{
	if (c->out.failed)
		return VEER_ENOMEM;
	if (c->out.len <= above)
		return VEER_OK;
	bool ok = write_base(c->disk, c->out.data, c->out.len);
	buf_reset(&c->out);
	return ok ? VEER_OK : VEER_EIO;
}

static enum veer_err copy_record(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	struct compaction *c = ctx;
	char key[PLAN_DISK_PATH_SIZE + 16];
	(void)diag;
	if (strmap_get(&c->words, key, word_key(change, key)) != NULL)
		return VEER_OK;
	plan_disk_put_record(&c->out, &c->disk->tables, change);
	c->count++;
	return flush_records(c, WRITE_CHUNK_BYTES);
}

static enum veer_err write_words(struct compaction *c)
{
	size_t at = 0;
	enum veer_err err = VEER_OK;
	for (struct word *word; err == VEER_OK && (word = strmap_next(&c->words, &at)) != NULL;) {
		if (word->record == NULL)
			continue;
		buf_append(&c->out, word->record, word->len);
		c->count++;
		err = flush_records(c, WRITE_CHUNK_BYTES);
	}
	return err == VEER_OK ? flush_records(c, 0) : err;
}

/* Write the old base, with the newest values from the journal, into the new base. */
static enum veer_err merge(struct compaction *c, struct history_position *at)
{
	static const struct plan_disk_sink words = {note_word, note_commit}, records = {copy_record, note_commit};
	struct plan_disk *disk = c->disk;
	char path[PLAN_DISK_PATH_SIZE];
	struct plan_disk_file f;
	struct history_position base;
	unsigned version;
	int64_t good_len;
	enum veer_err err = plan_disk_read_journal(disk, "plan.journal", &words, c, at, &good_len, NULL);
	plan_disk_path(disk, "plan.base", path);
	if (err == VEER_OK)
		err = plan_disk_file_open(&f, &disk->tables, path);
	if (err != VEER_OK)
		return err;
	begin_base(disk);
	err = disk->files.base_fd >= 0 ? plan_disk_read_base(disk, &f, &records, c, &base, &version, NULL) : VEER_EIO;
	plan_disk_file_close(&f);
	return err == VEER_OK ? write_words(c) : err;
}

static void compact(struct plan_disk *disk)
{
	struct compaction c = {.disk = disk};
	struct history_position at = disk->files.base;
	buf_init(&c.out, WRITE_CHUNK_BYTES + 2 * PLAN_DISK_RECORD_MAX);
	if (merge(&c, &at) == VEER_OK) {
		(void)commit_base(disk, &at, c.count);
	} else {
		failed(disk, "compact");
		close_base(disk);
	}
	size_t next = 0;
	for (struct word *word; (word = strmap_next(&c.words, &next)) != NULL; free(word))
		free(word->record);
	strmap_free(&c.words);
	buf_deinit(&c.out);
}

static void carry_out(struct plan_disk *disk, const struct plan_disk_job *job)
{
	switch (job->kind) {
	case PLAN_DISK_JOB_BASE_BEGIN:
		begin_base(disk);
		break;
	case PLAN_DISK_JOB_BASE_DATA:
		base_data(disk, job);
		break;
	case PLAN_DISK_JOB_BASE_COMMIT:
		commit_new_base(disk, job);
		break;
	case PLAN_DISK_JOB_BASE_ABORT:
		close_base(disk);
		break;
	case PLAN_DISK_JOB_JOURNAL:
		append(disk, job);
		break;
	case PLAN_DISK_JOB_NOTES:
		write_notes(disk, job);
		break;
	}
}

/* Take all waiting jobs; NULL when closing and nothing is left. */
static struct plan_disk_job *take_all(struct plan_disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	while (disk->head == NULL && !disk->is_closing)
		(void)pthread_cond_wait(&disk->filled, &disk->lock);
	struct plan_disk_job *jobs = disk->head;
	disk->head = disk->tail = NULL;
	disk->queue_bytes = 0;
	(void)pthread_mutex_unlock(&disk->lock);
	return jobs;
}

void *plan_disk_main(void *ctx)
{
	struct plan_disk *disk = ctx;
	struct plan_disk_files *f = &disk->files;
	for (struct plan_disk_job *jobs; (jobs = take_all(disk)) != NULL;) {
		struct history_position before = f->at;
		while (jobs != NULL) {
			struct plan_disk_job *next = jobs->next;
			carry_out(disk, jobs);
			free(jobs->data);
			free(jobs);
			jobs = next;
		}
		if (f->journal_fd >= 0 && fdatasync(f->journal_fd) != 0)
			failed(disk, "sync the journal");
		if (f->at.revision != before.revision || strcmp(f->at.lineage, before.lineage) != 0)
			plan_disk_write_highest(disk);
		if (f->journal_fd >= 0 && f->journal_len > PLAN_DISK_JOURNAL_BYTES && f->journal_len > f->base_len / 2)
			compact(disk);
	}
	return NULL;
}
