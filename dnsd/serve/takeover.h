/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the place of a running veer-dnsd: the other end of control.h. While the process starts, takeover_begin() and
 * takeover_load() are called in this order, and each waits for the answers. Then, on the loop, takeover_offer() is
 * called once there is something to serve; `go` follows, then takeover_serving(), and finally `done`.
 *
 * If the running server dies during this, we have its sockets and go on without it.
 *
 * Threads: the loop's.
 */
#ifndef VEER_DNSD_SERVE_TAKEOVER_H
#define VEER_DNSD_SERVE_TAKEOVER_H

#include "base/loop.h"
#include "dnsd/serve/control_wire.h"
#include "dnsd/serve/sockets.h"

#define TAKEOVER_ANSWER_MS 30000 /* for one answer, while starting */
#define TAKEOVER_LIMIT_MS 60000  /* from the first offer to `go` */

struct takeover;

/* The events after an offer. Called from the loop; they must not free the takeover. */
struct takeover_events {
	void (*position)(void *ctx, struct control_position *out); /* report our position, and stay there from now
								    * until quiet */
	void (*go)(void *ctx);                                     /* start serving, then takeover_serving() */
	void (*quiet)(void *ctx);                                  /* the other process no longer answers; may be
								    * called twice */
	void (*refused)(void *ctx, const char *reason);            /* the other process has refused: end the program */
	void (*done)(void *ctx);                                   /* the other process has ended */
	void *ctx;
};

/*
 * Connect to the server at `path` and get its sockets. Errors: VEER_ENOTFOUND: none runs there; VEER_EBUSY (refused),
 * VEER_EAUTH, VEER_ETIMEOUT, …; diag. After an error the server there is as it was. It is no error if that server dies
 * meanwhile.
 */
VEER_MUST_CHECK enum veer_err takeover_begin(struct loop *loop, const char *path, const struct takeover_events *events,
					     struct takeover **out, struct veer_diag *diag);
/*
 * Free the takeover. If we serve, tell the other process that we are ending normally; close descriptors that were not
 * taken.
 */
void takeover_free(struct takeover **takeover);

/* Has the other process died or ended? Its sockets, its file locks and its control socket may remain for a moment. */
bool takeover_is_gone(const struct takeover *takeover);

/* The sockets of a role. The first call moves their ownership to the caller. */
struct sockets_given takeover_sockets(struct takeover *takeover, enum control_role role);

/*
 * Tell the server that we are loading; when this returns, the state directory is ours. The secrets of cookies that
 * clients hold are put into `secrets` (count 0: unknown). Errors as takeover_begin(), but a server that has gone is not
 * an error.
 */
VEER_MUST_CHECK enum veer_err takeover_load(struct takeover *takeover, struct cookie_secrets *secrets,
					    struct veer_diag *diag);

/*
 * There is something to serve: ask repeatedly for permission to serve, for TAKEOVER_LIMIT_MS. Call this only once.
 * Errors: VEER_ENOMEM, VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err takeover_offer(struct takeover *takeover);

/* Tell the other process that we serve. Each of `channels` (borrowed) accepts connections. */
void takeover_serving(struct takeover *takeover, const int *channels, size_t count);

#endif
