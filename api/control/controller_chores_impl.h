/* SPDX-License-Identifier: Apache-2.0 */
/* Internals of the chores' thread, and of one turn of it. The data of a turn lives in its arena. */
#ifndef VEER_API_CONTROL_CONTROLLER_CHORES_IMPL_H
#define VEER_API_CONTROL_CONTROLLER_CHORES_IMPL_H

#include "api/control/controller_chores.h"
#include "api/control/overrides.h"
#include "api/control/window_preview.h"

enum {
	CHORES_SOURCE_SIZE = 128, /* "maintenance/NAME" */
	CHORES_WAIT_MS = 2000,    /* for the directory to have what was committed */
	HISTORY_LIMIT = 10000,    /* transitions kept, unless configured otherwise */
};

/* The parts of a stored override that matter here. */
struct chores_override {
	const char *key;
	struct model_override model;
	int64_t revision;
};

struct chores_window {
	struct model_maintenance model;
	bool is_on;
	int64_t ends_ns; /* by the wall clock; end of the window while it is active */
};

/* Everything that a turn has read, at one revision. */
struct chores_turn {
	struct controller_chores *chores;
	struct election_term term;
	struct arena *arena;
	int64_t now_ns;
	int64_t due_ns;                    /* when something is due again even if nothing changes */
	struct chores_override *overrides; /* sorted by key; the pools are sorted by name */
	size_t override_count;
	struct chores_window *windows;
	size_t window_count;
	struct model_pool *pools;
	size_t pool_count;
	const char **unusable; /* names of pools that cannot be read: it is unknown which endpoints they have */
	size_t unusable_count;
	struct chore_block *blocks; /* room for CHORE_BLOCKS_MAX */
	size_t block_count;
	bool has_written; /* the turn has written, so what it has read is outdated */
	bool failed;      /* memory is out */
};

/* The texts that a window's wish borrows. */
struct chores_texts {
	char source[CHORES_SOURCE_SIZE];
	char created[VEER_RFC3339_SIZE];
	char expires[VEER_RFC3339_SIZE];
};

/* The transitions that one commit has stored, sent through the inbox; the receiver frees them. */
struct chores_stored {
	size_t count;
	char ids[CONTROLLER_BATCH][TRAIL_ID_SIZE];
};

/* controller_chores.c */
/* Note that a commit in this term was refused: the term may be over. */
void chores_refused(struct controller_chores *chores, const struct election_term *term, enum veer_err err);

/* controller_chores_history.c */
/* The transitions that the job has stored; NULL when there are none, or memory is out. From any thread. */
struct chores_stored *chores_stored_of(const struct commit_job *job);
/* Add the transitions to the history, and free `stored`. */
void chores_history_take(struct controller_history *history, struct chores_stored *stored);
/* Read again which transitions are stored. */
void chores_history_load(struct controller_chores *chores);
/* Delete some of the oldest transitions when there are too many. */
void chores_history_prune(struct controller_chores *chores);

/* controller_chores_read.c */
/* Read everything that the turn needs; pools only if something concerns them. Sets `failed` when memory is out. */
void chores_read(struct chores_turn *t);
/* The override stored under POOL/NAME, or NULL. */
const struct chores_override *chores_override_of(const struct chores_turn *t, const char *key);
/* The endpoint with this key, and its pool. NULL when it does not exist (any more). */
const struct model_endpoint *chores_endpoint_of(const struct chores_turn *t, const char *key,
						const struct model_pool **pool);
/* Is the key's pool one that cannot be read? */
bool chores_is_of_unusable(const struct chores_turn *t, const char *key);
/* Write POOL/NAME into MODEL_ENDPOINT_KEY_MAX + 1 bytes. */
void chores_key_of(const struct model_pool *pool, const struct model_endpoint *e, char *out);

/* controller_chores_overrides.c */
/*
 * End, in one commit, the overrides that are over, or hand them to a window that is active. What does not fit is due
 * next turn.
 */
void chores_end_overrides(struct chores_turn *t);

/* controller_chores_windows.c */
/* Write the source that this window's overrides have into CHORES_SOURCE_SIZE bytes. */
void chores_source_of(const struct model_maintenance *m, char *out);
/* The override that a window wants for the endpoints that it covers; borrows from all three arguments. */
struct override_wish chores_wish_of(const struct chores_turn *t, const struct chores_window *w,
				    struct chores_texts *texts);
/* Drain what the active windows cover, and publish which pools they would empty. */
void chores_maintain(struct chores_turn *t);

#endif
