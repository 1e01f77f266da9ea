/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the place of a running veer-dnsd: the other end of control.h. First, while the process starts, in order and
 * waiting for each answer: takeover_begin(), takeover_load(). Then on the loop: takeover_offer() once there is
 * something to serve, until `go`; takeover_serving(); and `done`.
 *
 * If the running server dies on the way, we have its sockets, and go on without it.
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

/* What comes of an offer. Called from the loop; they may not free the takeover. */
struct takeover_events {
	void (*position)(void *ctx, struct control_position *out); /* how far are we? Stay there, from now to quiet */
	void (*go)(void *ctx);                                     /* start serving, then takeover_serving() */
	void (*quiet)(void *ctx);                                  /* the other one answers no more; may come twice */
	void (*refused)(void *ctx, const char *reason);            /* end */
	void (*done)(void *ctx);                                   /* the other one has ended */
	void *ctx;
};

/*
 * Connect to the server at `path` and get its sockets. Errors: VEER_ENOTFOUND: none runs there; VEER_EBUSY (refused),
 * VEER_EAUTH, VEER_ETIMEOUT, …; diag. The server there is then as it was. One that dies over it is no error.
 */
VEER_MUST_CHECK enum veer_err takeover_begin(struct loop *loop, const char *path, const struct takeover_events *events,
					     struct takeover **out, struct veer_diag *diag);
/* Says that we end as we should, if we serve; closes what nobody took. */
void takeover_free(struct takeover **takeover);

/* Has it died, or ended? Its sockets, its files' locks and its control socket may live for a moment longer. */
bool takeover_is_gone(const struct takeover *takeover);

/* The sockets of a role. Ownership: moves to the caller with the first call. */
struct sockets_given takeover_sockets(struct takeover *takeover, enum control_role role);

/*
 * Say that we load; when this returns, the directory of the state is ours. Secrets of cookies that clients hold are put
 * into `secrets` (count 0: unknown). Errors as takeover_begin(), but a server that has gone is none.
 */
VEER_MUST_CHECK enum veer_err takeover_load(struct takeover *takeover, struct cookie_secrets *secrets,
					    struct veer_diag *diag);

/* There is something to serve: ask for leave, again and again, for TAKEOVER_LIMIT_MS. Once. Errors: VEER_ENOMEM,
 * VEER_EIO. */
VEER_MUST_CHECK enum veer_err takeover_offer(struct takeover *takeover);

/* We serve: say so. Each of `channels` (borrowed) takes connections. */
void takeover_serving(struct takeover *takeover, const int *channels, size_t count);

#endif
