/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serials must never go back: after a rewind or a restore, each zone's serial is raised beyond what secondaries and
 * caches may have seen of the history that no longer exists.
 *
 * Threads: any one at a time; blocks on the store.
 */
#ifndef VEER_API_CONTROL_SETTLE_H
#define VEER_API_CONTROL_SETTLE_H

#include "api/control/control.h"

#define SETTLE_SERIAL_STEP 65536 /* serials are raised by at least this; far below half of RFC 1982's number space */

/*
 * Raise the serials if the store needs it (store_is_unsettled()), and note that it is done. Errors: those of a commit;
 * it can be called again.
 */
enum veer_err settle_store(struct control *control);

/*
 * Raise the serial of one zone above `seen` (RFC 1982 3.2), if it is not; does nothing if the zone does not exist.
 * Errors: those of a commit.
 */
VEER_MUST_CHECK enum veer_err settle_serial(struct control *control, const char *zone, uint32_t seen);

#endif
