/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: what its files share; private to zones/plan_disk*.c. */
#ifndef VEER_ZONES_PLAN_PLAN_DISK_IMPL_H
#define VEER_ZONES_PLAN_PLAN_DISK_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "zones/plan/plan_disk.h"

enum {
	PLAN_DISK_VERSION = 2,
	PLAN_DISK_HEADER_V1 = 56, /* bytes of both files' headers; version 1 has no lineage and no digest */
	PLAN_DISK_HEADER = PLAN_DISK_HEADER_V1 + HISTORY_ID_LEN + 2 * DIGEST_BYTES,
	PLAN_DISK_COMMIT_V1 = 12, /* bytes before a commit's operations */
	PLAN_DISK_COMMIT = PLAN_DISK_COMMIT_V1 + 4 + HISTORY_ID_LEN / 2 + 2 * DIGEST_BYTES,
	PLAN_DISK_RECORD_MAX = 2 << 20,   /* bytes of one record */
	PLAN_DISK_COMMIT_MAX = 128 << 20, /* bytes of one commit */
	PLAN_DISK_END_MARK = -1,          /* the length that marks the end record */
	PLAN_DISK_PATH_SIZE = 4096,
};

/* A job for the writing thread. */
enum plan_disk_job_kind {
	PLAN_DISK_JOB_BASE_BEGIN,
	PLAN_DISK_JOB_BASE_DATA,
	PLAN_DISK_JOB_BASE_COMMIT,
	PLAN_DISK_JOB_BASE_ABORT,
	PLAN_DISK_JOB_JOURNAL,
	PLAN_DISK_JOB_NOTES,
};

struct plan_disk_job {
	struct plan_disk_job *next;
	enum plan_disk_job_kind kind;
	struct history_position at;
	uint64_t count; /* records of the base so far */
	char *data;     /* owned */
	size_t len;
};

/* A file that is read from start to end with a running checksum. */
struct plan_disk_file {
	int fd;
	const struct crc32c *tables;
	uint8_t *buffer;
	size_t pos, len, size; /* buffer[pos, len) is not consumed yet */
	uint32_t crc;          /* checksum of everything consumed */
	int64_t consumed;
	bool failed; /* the system failed */
};

/* What the writing thread has open. */
struct plan_disk_files {
	struct history_position base; /* what the base holds */
	int64_t base_len;
	int journal_fd; /* -1: nothing to append to; a base is needed */
	int64_t journal_len;
	struct history_position at; /* the position of the last commit in the journal, or of the base */
	int base_fd;                /* the base that is being written; -1: none */
	uint32_t base_crc;
	int64_t base_under_way_len;
	uint64_t failures_mended; /* how many failures had been counted when the last complete base was written */
};

struct plan_disk {
	char dir[PLAN_DISK_PATH_SIZE - 64];
	int lock_fd;          /* -1: there is none */
	bool is_read_only;    /* we cannot write to the directory, so nothing is written until plan_disk_try_again()
			       * succeeds */
	struct veer_diag why; /* of is_read_only */
	struct logger *log;
	struct crc32c tables;
	struct history_position highest;

	/* Used by the queueing thread only. */
	struct buf base; /* records not handed to the writing thread yet */
	uint64_t base_count;
	uint64_t base_bytes;     /* bytes of its records so far */
	uint64_t expected_bytes; /* what a base of the plan in use takes; 0: not known */
	bool is_base_lost;       /* a part of the present base could not be queued */
	struct buf journal;      /* operations of the present commit */
	uint32_t journal_count;

	pthread_mutex_t lock; /* guards the queue */
	pthread_cond_t filled;
	struct plan_disk_job *head, *tail;
	size_t queue_bytes;
	bool is_closing;
	pthread_t thread;
	bool has_thread;

	struct plan_disk_files files;  /* used by the writing thread only, after loading */
	atomic_bool needs_base;        /* set by the writing thread */
	atomic_bool is_broken;         /* set by the queueing thread: a commit was lost, so none may be written before a
					* complete base */
	atomic_uint_fast64_t failures; /* failures of writing */
};

/* plan_disk_read.c */
VEER_MUST_CHECK enum veer_err plan_disk_file_open(struct plan_disk_file *f, const struct crc32c *tables,
						  const char *path);
/* Close the file and release the buffer. */
void plan_disk_file_close(struct plan_disk_file *f);
/* The next `len` bytes, valid until the next call; NULL at the end of the file or beyond `PLAN_DISK_COMMIT_MAX`. */
const uint8_t *plan_disk_file_take(struct plan_disk_file *f, size_t len);
/* Read a base: each record goes to `object`; `*at` and the format's `*version` come from its header. */
VEER_MUST_CHECK enum veer_err plan_disk_read_base(const struct plan_disk *disk, struct plan_disk_file *f,
						  const struct plan_disk_sink *sink, void *ctx,
						  struct history_position *at, unsigned *version,
						  struct veer_diag *diag);
/*
 * Read the journal `name` of the base `*at` up to its last complete commit. `*at` becomes the position of that commit,
 * and `*good_len` the offset where it ends. VEER_ENOTFOUND when there is no journal, or it belongs to another base.
 */
VEER_MUST_CHECK enum veer_err plan_disk_read_journal(const struct plan_disk *disk, const char *name,
						     const struct plan_disk_sink *sink, void *ctx,
						     struct history_position *at, int64_t *good_len,
						     struct veer_diag *diag);

/* plan_disk_write.c: the thread. */
void *plan_disk_main(void *ctx);
/* Write the path "DIR/NAME". */
void plan_disk_path(const struct plan_disk *disk, const char *name, char out[PLAN_DISK_PATH_SIZE]);
/* Open the journal for appending at `len` (0: make it new). */
VEER_MUST_CHECK enum veer_err plan_disk_open_journal(struct plan_disk *disk, int64_t len);
/* Store the position of the files as the newest one served. */
void plan_disk_write_highest(struct plan_disk *disk);

/* Append two bytes, little endian. */
void plan_disk_put_u16(struct buf *out, uint16_t value);
/* Append four bytes, little endian. */
void plan_disk_put_u32(struct buf *out, uint32_t value);
/* Append eight bytes, little endian. */
void plan_disk_put_u64(struct buf *out, uint64_t value);
/* The inverse of plan_disk_put_u16(). */
uint16_t plan_disk_get_u16(const uint8_t *p);
/* The inverse of plan_disk_put_u32(). */
uint32_t plan_disk_get_u32(const uint8_t *p);
/* The inverse of plan_disk_put_u64(). */
uint64_t plan_disk_get_u64(const uint8_t *p);
/* Append one record of a base. */
void plan_disk_put_record(struct buf *out, const struct crc32c *tables, const struct feed_change *change);
/* Append the header of either file. */
void plan_disk_put_header(struct buf *out, const char *magic, const struct history_position *at);
/* Append the head of a commit, which follows its length and precedes its operations. */
void plan_disk_put_commit(struct buf *out, const struct history_position *at, uint32_t operations);
/* Append both sums of a digest. */
void plan_disk_put_digest(struct buf *out, const struct digest_pair *digest);

#endif
