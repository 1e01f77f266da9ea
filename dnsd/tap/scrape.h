/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A responder for GET /metrics on the control loop, which implements no more of HTTP/1.1 than that: one request a
 * connection, at most SCRAPE_CONNECTIONS_MAX of them, each with an absolute deadline. Nothing here touches the packet
 * path.
 *
 * Threads: the loop's.
 */
#ifndef VEER_DNSD_TAP_SCRAPE_H
#define VEER_DNSD_TAP_SCRAPE_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/loop.h"

#define SCRAPE_CONNECTIONS_MAX 16 /* more are closed at once */
#define SCRAPE_REQUEST_MAX 4096   /* bytes of a request's head */
#define SCRAPE_DEADLINE_MS 5000   /* from accept to the last byte sent */

struct scrape;

/* Append the metrics to `out`. Called in the loop's thread for each request. */
typedef void scrape_fn(void *ctx, struct buf *out);

/*
 * Prepare to listen at `address`: with an inherited socket that is bound there (`fd`, taken), or with a new one if that
 * is -1. Ownership: `*out` is the caller's; `loop` and `ctx` are borrowed. Errors: VEER_EAUTH, VEER_EBUSY, VEER_EIO,
 * VEER_EINVAL (a Unix socket), with the address in the diag; VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err scrape_new(struct loop *loop, const struct veer_listen *address, int fd, scrape_fn *fn,
					 void *ctx, struct scrape **out, struct veer_diag *diag);
/* Start or stop accepting connections; those accepted already are served. Errors: VEER_ENOMEM, VEER_EIO. */
enum veer_err scrape_listen(struct scrape *scrape, bool wanted);
/* The listening socket; borrowed. */
int scrape_fd(const struct scrape *scrape);
/* Close everything. */
void scrape_free(struct scrape **scrape);

/* Where it listens, with the port that the kernel chose. */
const struct veer_listen *scrape_address(const struct scrape *scrape);

#endif
