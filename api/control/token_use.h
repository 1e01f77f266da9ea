/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each API token was last used: kept in memory for each use, and stored at most once a day for each token, so that
 * tokens that nobody uses are known also after a restart.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_TOKEN_USE_H
#define VEER_API_CONTROL_TOKEN_USE_H

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_USE_MAX                                                                                                  \
	4096 /* tokens that are remembered; beyond, those that were not used for longest are forgotten                 \
	      */
#define TOKEN_USE_ID_SIZE 64

struct token_uses;

/* Make a table. NULL when memory is out. Caller frees. */
struct token_uses *token_uses_new(void);
void token_uses_free(struct token_uses **uses);

/* Note that the token was used at `now_s` (wall clock). Never blocks for long. */
void token_use_note(struct token_uses *uses, const char *id, int64_t now_s);
/*
 * A token whose use has to be stored, and the time of its last use; each is returned once a day. False: there is none.
 */
bool token_use_next(struct token_uses *uses, int64_t now_s, char id[TOKEN_USE_ID_SIZE], int64_t *last_s);
/* Forget all tokens for which `is_there(ctx, id)` is false; it is called under this table's lock. */
void token_use_keep(struct token_uses *uses, bool (*is_there)(void *ctx, const char *id), void *ctx);
/* Has a token been forgotten because of the limit? Returns true once. */
bool token_use_is_crowded(struct token_uses *uses);
/* When the token was last used since this program started; 0: it was not. */
int64_t token_use_last_s(struct token_uses *uses, const char *id);

#endif
