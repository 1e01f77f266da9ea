/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What never goes back with a store: after a rewind or a restore, each zone's serial is raised beyond what secondaries
 * and caches may have seen of the history that is no more.
 *
 * Threads: any one at a time; blocks on the store.
 */
#ifndef VEER_API_CONTROL_SETTLE_H
#define VEER_API_CONTROL_SETTLE_H

#include "api/control/control.h"

#define SETTLE_SERIAL_STEP 65536 /* by so much, at least; far below half of RFC 1982's circle */

/* Do what the store is owed (store_is_unsettled()), and note it. Errors: those of a commit; it can be called again. */
enum veer_err settle_store(struct control *control);

/* Raise the serial of one zone above `seen` (RFC 1982 3.2), if it is not; of one that is not there, nothing. Errors:
 * those of a commit. */
VEER_MUST_CHECK enum veer_err settle_serial(struct control *control, const char *zone, uint32_t seen);

#endif
