/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the service manager how we are (sd_notify(3), spoken by hand). All of it does nothing, successfully, when
 * $NOTIFY_SOCKET is not set.
 *
 * Threads: any; the environment must not change meanwhile. Errors: VEER_EIO, VEER_EINVAL (an unusable
 * $NOTIFY_SOCKET); callers log them at most.
 */
#ifndef VEER_BASE_NOTIFY_H
#define VEER_BASE_NOTIFY_H

#include <stdint.h>

#include "base/err.h"

/* Any message: "KEY=VALUE" lines. Ownership: borrowed. */
VEER_MUST_CHECK enum veer_err notify_send(const char *message);

/* READY=1: the start, or a reload, is done. */
enum veer_err notify_ready(void);
/* This process has taken the place of the service's main one (with NotifyAccess=all). */
enum veer_err notify_main_pid(void);
/* A reload begins: RELOADING=1 with the monotonic time that systemd 253 wants; notify_ready() ends it. */
enum veer_err notify_reloading(void);
/* STOPPING=1: the end has begun. */
enum veer_err notify_stopping(void);
/* The sign of life for WatchdogSec=; from the thread that knows that the service works. */
enum veer_err notify_watchdog(void);

/* How long the manager waits for a sign of life, ms; 0 when it does not. Send at half of it. */
int64_t notify_watchdog_ms(void);

#endif
