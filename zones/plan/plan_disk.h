/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan on disk (docs/formats.md, section 7): what a name server keeps of the feed, so that it can serve without a
 * control plane. It is a base file with the whole state, and a journal of the commits since.
 *
 * Writing never delays serving: the calls below only queue; a thread of its own writes, syncs and compacts. When the
 * disk is full or broken, the loss is reported (plan_disk_needs_base) and repaired by the next base.
 *
 * Threads: all functions but plan_disk_needs_base() from one thread.
 */
#ifndef VEER_ZONES_PLAN_PLAN_DISK_H
#define VEER_ZONES_PLAN_PLAN_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "zones/model/history.h"
#include "zones/plan/feed_reader.h"

#define PLAN_DISK_QUEUE_BYTES (256u << 20)  /* the limit of data waiting to be written; more is lost, and reported */
#define PLAN_DISK_JOURNAL_BYTES (16u << 20) /* a journal beyond this, and beyond half of the base, is compacted */

struct plan_disk;

/*
 * Use the directory `dir`, made if it is not there, and lock it against another process. A directory that cannot be
 * written to is still read, but nothing is kept in it (plan_disk_is_kept). Errors: VEER_EBUSY (locked; the diag names
 * it), VEER_ERANGE, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err plan_disk_open(const char *dir, struct logger *log, struct plan_disk **out,
					     struct veer_diag *diag);
/*
 * Are new data written to the disk? If not, plan_disk_why() gives the reason, and plan_disk_try_again() checks again.
 */
bool plan_disk_is_kept(const struct plan_disk *disk);
/* Why nothing is written; borrowed. "" when new data are written. */
const char *plan_disk_why(const struct plan_disk *disk);
/* Check again whether the directory can be written to. */
void plan_disk_try_again(struct plan_disk *disk);
/* Write what is queued, sync, and release everything. */
void plan_disk_close(struct plan_disk **disk_ptr);

/* The receiver of the data that was kept: the base's objects and a commit, then each commit of the journal. */
struct plan_disk_sink {
	enum veer_err (*object)(void *ctx, const struct feed_change *change, struct veer_diag *diag);
	enum veer_err (*commit)(void *ctx, const struct history_position *at, struct veer_diag *diag);
};

/* Bytes of the base that is kept; 0 when there is none. In memory a plan takes one and a half times as much. */
int64_t plan_disk_base_bytes(const struct plan_disk *disk);

/*
 * Read what is kept. Call it once, before anything is written. The base's objects are delivered before its checksum is
 * known, so on an error nothing that was delivered may be used. If the journal ends in the middle of a commit, that
 * commit is ignored. Errors: VEER_ENOTFOUND (nothing kept), VEER_ECORRUPT (the diag says where), VEER_EIO, and what the
 * sink returned.
 */
VEER_MUST_CHECK enum veer_err plan_disk_load(struct plan_disk *disk, const struct plan_disk_sink *sink, void *ctx,
					     struct veer_diag *diag);

/*
 * The same for the base before the newest one, with what the journals have after it, for the case that the newest base
 * is damaged. Nothing is appended to these files afterwards: the disk needs a new base.
 */
VEER_MUST_CHECK enum veer_err plan_disk_load_before(struct plan_disk *disk, const struct plan_disk_sink *sink,
						    void *ctx, struct veer_diag *diag);

/* The newest position that was ever served from this directory, without its digest; zeroed when unknown. */
void plan_disk_highest(const struct plan_disk *disk, struct history_position *out);

#define PLAN_DISK_NOTES_MAX 32768 /* bytes */
/*
 * Get the text that plan_disk_note() kept last, NUL-terminated; "" when there is none. Call before the first
 * plan_disk_note().
 */
void plan_disk_notes(const struct plan_disk *disk, char out[PLAN_DISK_NOTES_MAX + 1]);
/* Keep this text beside the plan, in DIR/lineages; copied. */
void plan_disk_note(struct plan_disk *disk, const char *text, size_t len);

/*
 * Begin a new base. All its objects follow (plan_disk_base_put), then a commit or an abort. The base in use stays until
 * the commit is on disk.
 */
void plan_disk_base_begin(struct plan_disk *disk);
/* One object of the base that was begun. */
void plan_disk_base_put(struct plan_disk *disk, const struct feed_change *change);
/* The base is complete, at this position. */
void plan_disk_base_commit(struct plan_disk *disk, const struct history_position *at);
/* The full state did not arrive completely: what was kept before stays. */
void plan_disk_base_abort(struct plan_disk *disk);

/* Add one change of a commit to the journal; plan_disk_journal_commit() follows after the last one. */
void plan_disk_journal_add(struct plan_disk *disk, const struct feed_change *change);
/* The changes added so far form one commit, at this position. */
void plan_disk_journal_commit(struct plan_disk *disk, const struct history_position *at);

/* Commits were missed and are not in the journal: nothing is written until the next base. */
void plan_disk_lose(struct plan_disk *disk);

/* Something could not be written, so that only a new base can make the data on disk complete again. */
bool plan_disk_needs_base(const struct plan_disk *disk);

/*
 * Is there probably room for another base beside the one that is kept, that is, one and a half times the size that the
 * newest one has, or would have had? If that cannot be determined (a quota), the answer is yes. Only for the queueing
 * thread.
 */
bool plan_disk_has_room(const struct plan_disk *disk);

#endif
