/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chores' thread from inside, and one turn of it. What a turn has lives in its arena.
 */
#ifndef VEER_API_CONTROL_CONTROLLER_CHORES_IMPL_H
#define VEER_API_CONTROL_CONTROLLER_CHORES_IMPL_H

#include "api/control/controller_chores.h"
#include "api/control/overrides.h"
#include "api/control/window_preview.h"

enum {
	CHORES_SOURCE_SIZE = 128, /* "maintenance/NAME" */
	CHORES_WAIT_MS = 2000,    /* until the directory has what was committed */
	HISTORY_LIMIT = 10000,    /* transitions kept, unless configured otherwise */
};

/* A stored override as far as it matters here. */
struct chores_override {
	const char *key;
	struct model_override model;
	int64_t revision;
};

struct chores_window {
	struct model_maintenance model;
	bool is_on;
	int64_t ends_ns; /* the wall clock's; while it is on */
};

/* Everything read at one revision. */
struct chores_turn {
	struct controller_chores *chores;
	struct election_term term;
	struct arena *arena;
	int64_t now_ns;
	int64_t due_ns;                    /* when something is due again, though nothing changes */
	struct chores_override *overrides; /* by key, as are the pools by name */
	size_t override_count;
	struct chores_window *windows;
	size_t window_count;
	struct model_pool *pools;
	size_t pool_count;
	const char **unusable; /* names of pools that cannot be read: whether an endpoint is theirs is not known */
	size_t unusable_count;
	struct chore_block *blocks; /* room for CHORE_BLOCKS_MAX */
	size_t block_count;
	bool has_written; /* what was read is old now */
	bool failed;      /* memory is out */
};

/* The texts that a window's wish borrows. */
struct chores_texts {
	char source[CHORES_SOURCE_SIZE];
	char created[VEER_RFC3339_SIZE];
	char expires[VEER_RFC3339_SIZE];
};

/* Transitions that were stored by one commit, on their way through the inbox; freed by who takes them. */
struct chores_stored {
	size_t count;
	char ids[CONTROLLER_BATCH][TRAIL_ID_SIZE];
};

/* controller_chores.c */
/* A commit in this term was refused: perhaps the term is over. */
void chores_refused(struct controller_chores *chores, const struct election_term *term, enum veer_err err);

/* controller_chores_history.c */
/* What the job has stored, NULL when that is nothing, or memory is out. Any thread's. */
struct chores_stored *chores_stored_of(const struct commit_job *job);
/* Add it, and free it. */
void chores_history_take(struct controller_history *history, struct chores_stored *stored);
/* Read anew which transitions are stored. */
void chores_history_load(struct controller_chores *chores);
/* Delete some of the oldest when there are too many. */
void chores_history_prune(struct controller_chores *chores);

/* controller_chores_read.c */
/* Read all that is needed; pools only if there is anything that concerns some. Sets `failed` when memory is out. */
void chores_read(struct chores_turn *t);
/* The override stored under POOL/NAME, or NULL. */
const struct chores_override *chores_override_of(const struct chores_turn *t, const char *key);
/* The endpoint behind a key; its pool as well. NULL when it is not there (any more). */
const struct model_endpoint *chores_endpoint_of(const struct chores_turn *t, const char *key,
						const struct model_pool **pool);
/* Is the key's pool one of those that could not be read? */
bool chores_is_of_unusable(const struct chores_turn *t, const char *key);
/* POOL/NAME into MODEL_ENDPOINT_KEY_MAX + 1 bytes. */
void chores_key_of(const struct model_pool *pool, const struct model_endpoint *e, char *out);

/* controller_chores_overrides.c */
/* End, in one commit, what is over, or hand it to the window that goes on. What is left over is due next turn. */
void chores_end_overrides(struct chores_turn *t);

/* controller_chores_windows.c */
/* What the overrides of this window have as their source, into CHORES_SOURCE_SIZE bytes. */
void chores_source_of(const struct model_maintenance *m, char *out);
/* What a window wants of the endpoints it covers; borrows from all three. */
struct override_wish chores_wish_of(const struct chores_turn *t, const struct chores_window *w,
				    struct chores_texts *texts);
/* Drain what the windows that are on cover, and say which pools they would empty. */
void chores_maintain(struct chores_turn *t);

#endif
