/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to the service manager about our state (the protocol of sd_notify(3), without its library). When
 * $NOTIFY_SOCKET is not set, every function does nothing and succeeds.
 *
 * Threads: any; the environment must not change meanwhile. Errors: VEER_EIO, VEER_EINVAL (an unusable
 * $NOTIFY_SOCKET); callers log them at most.
 */
#ifndef VEER_BASE_NOTIFY_H
#define VEER_BASE_NOTIFY_H

#include <stdint.h>

#include "base/err.h"

/* Send any message of "KEY=VALUE" lines. Ownership: borrowed. */
VEER_MUST_CHECK enum veer_err notify_send(const char *message);

/* READY=1: the start, or a reload, is done. */
enum veer_err notify_ready(void);
/* This process has taken the place of the service's main one (with NotifyAccess=all). */
enum veer_err notify_main_pid(void);
/* A reload begins: RELOADING=1 with the monotonic time that systemd 253 expects; notify_ready() ends the reload. */
enum veer_err notify_reloading(void);
/* STOPPING=1: the program has begun to end. */
enum veer_err notify_stopping(void);
/* WATCHDOG=1, the sign of life for WatchdogSec=. Call it from the thread that knows that the service works. */
enum veer_err notify_watchdog(void);

/*
 * How long the manager waits for a sign of life, ms; 0 when it does not wait. Send one at least every half of that
 * time.
 */
int64_t notify_watchdog_ms(void);

#endif
