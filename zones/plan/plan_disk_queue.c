/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: the queue of data that the writing thread writes. */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_disk_impl.h"

enum { BASE_CHUNK_BYTES = 1 << 20 };

/*
 * The thread is started with the first job, after loading, so that loading and writing never use the files at the same
 * time.
 */
static bool start_thread(struct plan_disk *disk)
{
	if (!disk->has_thread)
		disk->has_thread = pthread_create(&disk->thread, NULL, plan_disk_main, disk) == 0;
	return disk->has_thread;
}

/*
 * Hand a job to the thread; takes the buffer's content. False when it does not fit: the job is lost, and the loss is
 * reported. Where nothing may be written it is lost as well, which was reported at the start.
 */
static bool push(struct plan_disk *disk, enum plan_disk_job_kind kind, struct buf *data,
		 const struct history_position *at)
{
	if (disk->is_read_only) {
		if (data != NULL)
			buf_reset(data);
		return false;
	}
	struct plan_disk_job *job = calloc(1, sizeof *job);
	bool ok = job != NULL && start_thread(disk) && (data == NULL || !data->failed);
	if (ok) {
		job->kind = kind;
		if (at != NULL)
			job->at = *at;
		job->count = disk->base_count;
		job->data = data != NULL ? buf_take(data, &job->len) : NULL;
		ok = data == NULL || job->data != NULL;
	}
	(void)pthread_mutex_lock(&disk->lock);
	ok = ok && disk->queue_bytes + job->len <= PLAN_DISK_QUEUE_BYTES;
	if (ok) {
		if (disk->tail != NULL)
			disk->tail->next = job;
		else
			disk->head = job;
		disk->tail = job;
		disk->queue_bytes += job->len;
		(void)pthread_cond_signal(&disk->filled);
	}
	(void)pthread_mutex_unlock(&disk->lock);
	if (data != NULL)
		buf_reset(data);
	if (ok)
		return true;
	if (job != NULL)
		free(job->data);
	free(job);
	atomic_fetch_add(&disk->failures, 1);
	log_error(disk->log, "the plan on disk is behind: too much waits to be written", LOG_STR("dir", disk->dir));
	return false;
}

/* A record that a reader would refuse must not be written, because it would make the whole file unreadable. */
static bool fits(struct plan_disk *disk, const struct feed_change *change)
{
	size_t value_len = change->is_del ? 0 : change->value_len;
	if (change->key_len < PLAN_DISK_PATH_SIZE && change->key_len + value_len + 16 <= PLAN_DISK_RECORD_MAX)
		return true;
	log_error(disk->log, "an object is too large to be kept on disk",
		  LOG_STR("kind", model_kind_text(change->kind)), LOG_STR("key", change->key));
	return false;
}

void plan_disk_note(struct plan_disk *disk, const char *text, size_t len)
{
	struct buf data;
	buf_init(&data, PLAN_DISK_NOTES_MAX);
	buf_append(&data, text, len);
	(void)push(disk, PLAN_DISK_JOB_NOTES, &data, NULL);
	buf_deinit(&data);
}

void plan_disk_base_begin(struct plan_disk *disk)
{
	buf_reset(&disk->base);
	disk->base_count = disk->base_bytes = 0;
	disk->is_base_lost = !push(disk, PLAN_DISK_JOB_BASE_BEGIN, NULL, NULL);
}

void plan_disk_base_put(struct plan_disk *disk, const struct feed_change *change)
{
	if (!fits(disk, change))
		return;
	size_t before = disk->base.len;
	plan_disk_put_record(&disk->base, &disk->tables, change);
	disk->base_bytes += disk->base.len - before;
	disk->base_count++;
	if (disk->base.len > BASE_CHUNK_BYTES || disk->base.failed)
		disk->is_base_lost |= !push(disk, PLAN_DISK_JOB_BASE_DATA, &disk->base, NULL);
}

void plan_disk_base_commit(struct plan_disk *disk, const struct history_position *at)
{
	disk->expected_bytes = disk->base_bytes;
	if (disk->base.len > 0)
		disk->is_base_lost |= !push(disk, PLAN_DISK_JOB_BASE_DATA, &disk->base, NULL);
	/*
	 * The state in use is now that of the new base. If that base is not complete, the old files stay as they are,
	 * and nothing is added to them.
	 */
	bool is_whole = !disk->is_base_lost && push(disk, PLAN_DISK_JOB_BASE_COMMIT, NULL, at);
	if (!is_whole)
		(void)push(disk, PLAN_DISK_JOB_BASE_ABORT, NULL, NULL);
	atomic_store(&disk->is_broken, !is_whole);
}

void plan_disk_base_abort(struct plan_disk *disk)
{
	buf_reset(&disk->base);
	(void)push(disk, PLAN_DISK_JOB_BASE_ABORT, NULL, NULL);
}

void plan_disk_journal_add(struct plan_disk *disk, const struct feed_change *change)
{
	struct buf *out = &disk->journal;
	const uint8_t op[2] = {change->is_del ? 2 : 1, (uint8_t)change->kind};
	if (!fits(disk, change))
		return;
	if (out->len == 0) { /* the head of the commit is known only at its end */
		static const char room[4 + PLAN_DISK_COMMIT] = {0};
		buf_append(out, room, sizeof room);
	}
	buf_append(out, op, sizeof op);
	plan_disk_put_u16(out, (uint16_t)change->key_len);
	buf_append(out, change->key, change->key_len);
	plan_disk_put_u32(out, (uint32_t)(change->is_del ? 0 : change->value_len));
	if (!change->is_del)
		buf_append(out, change->value, change->value_len);
	disk->journal_count++;
}

void plan_disk_journal_commit(struct plan_disk *disk, const struct history_position *at)
{
	struct buf *out = &disk->journal;
	struct buf head;
	if (out->len == 0) {
		static const char room[4 + PLAN_DISK_COMMIT] = {0};
		buf_append(out, room, sizeof room);
	}
	buf_init(&head, 4 + PLAN_DISK_COMMIT);
	plan_disk_put_u32(&head, (uint32_t)(out->len - 4 + 4));
	plan_disk_put_commit(&head, at, disk->journal_count);
	if (!out->failed && !head.failed) {
		memcpy(out->data, head.data, 4 + PLAN_DISK_COMMIT);
		plan_disk_put_u32(out, crc32c_update(&disk->tables, 0, out->data + 4, out->len - 4));
	}
	buf_deinit(&head);
	disk->journal_count = 0;
	/*
	 * A journal with a gap would describe a state that never existed, so after a loss the files stay as they are
	 * until the next base.
	 */
	if (atomic_load(&disk->is_broken))
		buf_reset(out);
	else if (!push(disk, PLAN_DISK_JOB_JOURNAL, out, at))
		atomic_store(&disk->is_broken, true);
}
