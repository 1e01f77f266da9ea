/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that releases what takes long. A zone of a million names takes most of a second to free, and the control
 * thread has verdicts to bring out meanwhile.
 *
 * Threads: all calls belong to the control thread.
 */
#ifndef VEER_DNSD_SERVE_REAPER_H
#define VEER_DNSD_SERVE_REAPER_H

#include "zones/dns/retire.h"

#define REAPER_INLINE_MAX 4096 /* plain blocks that are freed on the spot */

struct reaper;

/* The thread is started when it is first needed. NULL when memory is out. Caller frees. */
struct reaper *reaper_new(void);
/* Waits until everything is released. */
void reaper_free(struct reaper **reaper);

/*
 * Release the list: at once when that is quick (up to REAPER_INLINE_MAX plain blocks), otherwise in the thread; at once
 * also when there is no thread or memory to be had. `list` is taken and left empty. Nobody may read what is on it.
 */
void reaper_release(struct reaper *reaper, struct retire_list *list);

#endif
