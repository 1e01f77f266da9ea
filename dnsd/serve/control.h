/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: where another veer-dnsd asks to take our place, and the conversation about that. Only one process
 * at a time can do so, and its user must be ours or root. Until it says that it serves, we can go back at any step, and
 * do so when it has gone. See docs/formats.md, section 9.
 *
 * Threads: the loop's.
 */
#ifndef VEER_DNSD_SERVE_CONTROL_H
#define VEER_DNSD_SERVE_CONTROL_H

#include "base/log.h"
#include "base/loop.h"
#include "dnsd/serve/control_wire.h"

#define CONTROL_GO_MS 10000    /* from our permission to serve until the other process must say that it serves */
#define CONTROL_STEP_MS 300000 /* for each step before that: a hanging process must not block others, nor the disk */
#define CONTROL_LEVEL_MS 500   /* for us to reach the other process's position; without a control plane we never do */

struct control;

/* Callbacks of the server for the conversation. All are called from the loop's thread. */
struct control_host {
	struct loop *loop; /* borrowed, like all of these */
	struct logger *log;
	/* Whether there is anything to take over. */
	bool (*is_serving)(void *ctx);
	/*
	 * Write up to `max` descriptors of this role, from the `from`th on; they are borrowed. Returns how many, and in
	 * `*total` how many there are.
	 */
	size_t (*sockets)(void *ctx, enum control_role role, size_t from, int *fds, size_t max, size_t *total);
	/* Close the plan on disk; go on following the feed in memory. */
	void (*leave)(void *ctx);
	void (*position)(void *ctx, struct control_position *out);
	/* Is the position of another process older than ours, in the same store's history? */
	bool (*is_behind)(void *ctx, const struct control_position *other);
	void (*secrets)(void *ctx, struct cookie_secrets *out);
	/* Stop following the feed. */
	void (*yield)(void *ctx);
	/* The other process answers: stop receiving, and send connections to these channels (borrowed until resume). */
	void (*drain)(void *ctx, const int *channels, size_t count);
	/* The other process has gone: undo leave, yield and drain, as far as they were done. */
	void (*resume)(void *ctx);
	/* The other process serves, and is now ending normally: end at once. */
	void (*finish)(void *ctx);
	void *ctx;
};

/*
 * Make a control socket at `path`, not listening yet: from the inherited descriptor `fd` (taken), or a new one if that
 * is -1. Errors: VEER_EBUSY (a server listens there), VEER_ERANGE (path), VEER_EIO and the like; diag.
 */
VEER_MUST_CHECK enum veer_err control_new(const struct control_host *host, const char *path, int fd,
					  struct control **out, struct veer_diag *diag);
/*
 * Close the socket. Its file is removed, unless another process goes on with it, or it was inherited and never listened
 * on.
 */
void control_free(struct control **control);

/* Begin to accept connections. Errors: VEER_ENOMEM, VEER_EIO. */
enum veer_err control_listen(struct control *control);

/*
 * Tell the control socket that we serve another revision than before. The consequences follow when the loop next runs
 * its timers.
 */
void control_advanced(struct control *control);
/* After `drain`: tell the control socket that we have stopped receiving. */
void control_quiet(struct control *control);

/* The listening descriptor; borrowed. */
int control_fd(const struct control *control);

#endif
