/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that releases memory where that takes long. Freeing a zone of a million names takes most of a second, and
 * the control thread must be able to publish verdicts meanwhile.
 *
 * Threads: all calls belong to the control thread.
 */
#ifndef VEER_DNSD_SERVE_REAPER_H
#define VEER_DNSD_SERVE_REAPER_H

#include "zones/dns/retire.h"

#define REAPER_INLINE_MAX 4096 /* plain blocks that are freed at once, in the calling thread */

struct reaper;

/* Make a reaper, whose thread is started when it is first needed. NULL when memory is out. Caller frees. */
struct reaper *reaper_new(void);
/* Free the reaper after waiting until everything is released. */
void reaper_free(struct reaper **reaper);

/*
 * Release the list: at once when that is quick (up to REAPER_INLINE_MAX plain blocks), otherwise in the thread. It is
 * released at once, too, when there is no thread or memory for it. `list` is taken and left empty. No reader may use
 * what is on it.
 */
void reaper_release(struct reaper *reaper, struct retire_list *list);

#endif
