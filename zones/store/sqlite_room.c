/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite backend: room on the disk for what matters most. A full disk must not stop failover: blocks for the log
 * (WAL) are allocated beforehand, and a ballast file is removed when an urgent commit finds no room.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "zones/store/sqlite_impl.h"

enum {
	FREE_PERCENT_MIN = 5,
	WAL_BYTES = 1100 * 4120,    /* checkpoints come after 1,000 pages of 4,096 octets and their headers */
	BALLAST_BYTES = 16 << 20,   /* or BALLAST_PART of the file system, if that is less */
	FREE_BYTES_MIN = 256 << 20, /* the limit for large disks, of which some per cent would be a lot */
	BALLAST_PART = 16,
	PATH_BYTES = 4096,
	QUIET_LOOKS = 50, /* without a commit between them: 5 s */
};

static bool path_of_ballast(const char *database, char out[PATH_BYTES])
{
	const char *slash = strrchr(database, '/');
	int dir = slash != NULL ? (int)(slash - database) + 1 : 0;
	int len = snprintf(out, PATH_BYTES, "%.*sballast-%s", dir, database, database + dir);
	return len > 0 && len < PATH_BYTES;
}

static bool look_at_disk(const struct sqlite_store *s, uint64_t *free_bytes, uint64_t *all_bytes)
{
	struct statvfs fs;
	if (fstatvfs(s->lock_fd, &fs) != 0 || fs.f_blocks == 0)
		return false;
	*free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	*all_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	return true;
}

/* With less free room than this only urgent commits are made. */
static uint64_t least_free(uint64_t all_bytes)
{
	uint64_t part = all_bytes / 100 * FREE_PERCENT_MIN;
	return part < FREE_BYTES_MIN ? part : FREE_BYTES_MIN;
}

bool sqlite_room_is_short(const struct sqlite_store *s)
{
	uint64_t free_bytes, all_bytes;
	return look_at_disk(s, &free_bytes, &all_bytes) && free_bytes < least_free(all_bytes);
}

bool sqlite_room_release(const char *database)
{
	char path[PATH_BYTES];
	return path_of_ballast(database, path) && unlink(path) == 0;
}

bool sqlite_store_make_room(void *self)
{
	const struct sqlite_store *s = self;
	return sqlite_room_release(s->path);
}

/*
 * Allocate blocks beyond the end of the log, which keeps its size, so SQLite never sees them. They are freed when the
 * checkpoint at the close of the last connection removes the file.
 */
static void reserve_log(const struct sqlite_store *s)
{
	char path[PATH_BYTES + 8];
	(void)snprintf(path, sizeof path, "%s-wal", s->path);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, WAL_BYTES);
	(void)close(fd);
}

static bool make_ballast(const char *path, uint64_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	bool ok = posix_fallocate(fd, 0, (off_t)bytes) == 0;
	(void)close(fd);
	if (!ok)
		(void)unlink(path);
	return ok;
}

/*
 * Check that the disk still takes writes. If nobody commits, write a byte to the lock file from time to time. If the
 * disk does not answer, the thread that keeps room hangs here, and that is noticed.
 */
static void touch_disk(struct sqlite_store *s)
{
	int64_t revision = sqlite_store_revision(s);
	s->quiet_looks = revision == s->touched_revision ? s->quiet_looks + 1 : 0;
	s->touched_revision = revision;
	if (s->quiet_looks < QUIET_LOOKS)
		return;
	s->quiet_looks = 0;
	if (pwrite(s->lock_fd, "\n", 1, 0) == 1) /* a disk that is full or read-only is detected elsewhere */
		(void)fdatasync(s->lock_fd);
}

void sqlite_store_keep_room(void *self, struct store_room *out)
{
	struct sqlite_store *s = self;
	char path[PATH_BYTES];
	uint64_t all_bytes = 0;
	touch_disk(s);
	*out = (struct store_room){.is_short = false};
	if (!path_of_ballast(s->path, path) || !look_at_disk(s, &out->free_bytes, &all_bytes))
		return;
	uint64_t bytes = all_bytes / BALLAST_PART < BALLAST_BYTES ? all_bytes / BALLAST_PART : BALLAST_BYTES;
	out->is_short = out->free_bytes < least_free(all_bytes);
	out->has_ballast = access(path, F_OK) == 0;
	/* make the ballast again only with room to spare, so that it is not made and removed in turn */
	if (!out->has_ballast && out->free_bytes > least_free(all_bytes) + 2 * bytes) {
		reserve_log(s);
		out->has_ballast = make_ballast(path, bytes);
	}
}

enum veer_err sqlite_store_probe(void *self)
{
	struct sqlite_store *s = self;
	sqlite_store_take_turn(s, STORE_URGENT);
	int code =
		sqlite3_exec(s->writer, "UPDATE meta SET value=value WHERE key='compacted'", NULL, NULL, NULL) & 0xff;
	sqlite_store_end_turn(s);
	return sqlite_store_err(code);
}

enum veer_err sqlite_store_err(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return VEER_OK;
	case SQLITE_FULL:
		return VEER_ESPACE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return VEER_ECORRUPT;
	case SQLITE_NOMEM:
		return VEER_ENOMEM;
	default:
		return code == SQLITE_IOERR_SHMSIZE ? VEER_ESPACE : VEER_EIO;
	}
}
