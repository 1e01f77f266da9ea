/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits of the control plane: how urgent each is, and that whoever wrote reads what they wrote.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_CHANGE_H
#define VEER_API_CONTROL_CHANGE_H

#include "api/control/control.h"

/*
 * Commit, as urgently as what is changed asks for, and wait until the directory has it (change_wait()).
 * Errors: those of store_commit().
 */
enum veer_err change_commit(struct control *control, const struct store_op *ops, size_t count, int64_t *revision);

/* Wait until the directory has `revision`, 2 s at most: for those who commit by themselves. */
void change_wait(struct control *control, int64_t revision);

#endif
