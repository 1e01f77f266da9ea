/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: where another veer-dnsd asks to take our place, and how that goes. One at a time; its user must
 * be ours or root. Until it says that it serves we can go back at any step, and do so when it is gone. docs/formats.md,
 * section 9.
 *
 * Threads: the loop's.
 */
#ifndef VEER_DNSD_SERVE_CONTROL_H
#define VEER_DNSD_SERVE_CONTROL_H

#include "base/log.h"
#include "base/loop.h"
#include "dnsd/serve/control_wire.h"

#define CONTROL_GO_MS 10000    /* from our leave to serve until the other one must say that it does */
#define CONTROL_STEP_MS 300000 /* for each step before that: one that hangs must not hold the place, nor the disk */
#define CONTROL_LEVEL_MS 500   /* for us to get as far as the other one is; without a control plane we never do */

struct control;

/* What the server does for the conversation. All from the loop's thread. */
struct control_host {
	struct loop *loop; /* borrowed, like all of these */
	struct logger *log;
	/* Whether there is anything to take over. */
	bool (*is_serving)(void *ctx);
	/* Write up to `max` descriptors of this role, from the `from`th on; borrowed. How many, and how many in all. */
	size_t (*sockets)(void *ctx, enum control_role role, size_t from, int *fds, size_t max, size_t *total);
	/* Close what is on disk; go on following the feed in memory. */
	void (*leave)(void *ctx);
	void (*position)(void *ctx, struct control_position *out);
	/* Is what another process serves older than what we serve, in the same store's history? */
	bool (*is_behind)(void *ctx, const struct control_position *other);
	void (*secrets)(void *ctx, struct cookie_secrets *out);
	/* Follow the feed no more. */
	void (*yield)(void *ctx);
	/* The other one answers: receive no more, send connections to these channels (borrowed until resume). */
	void (*drain)(void *ctx, const int *channels, size_t count);
	/* The other one is gone: undo leave, yield and drain, as far as they were done. */
	void (*resume)(void *ctx);
	/* The other one serves, and ends as it should: end at once. */
	void (*finish)(void *ctx);
	void *ctx;
};

/*
 * A control socket at `path`, not listening yet: the inherited descriptor `fd` (taken), or a new one if that is -1.
 * Errors: VEER_EBUSY (a server listens there), VEER_ERANGE (path), VEER_EIO and the like; diag.
 */
VEER_MUST_CHECK enum veer_err control_new(const struct control_host *host, const char *path, int fd,
					  struct control **out, struct veer_diag *diag);
/* Close it; its file is removed, unless another process goes on with it, or an inherited one was never listened to. */
void control_free(struct control **control);

/* Begin to listen to who connects. Errors: VEER_ENOMEM, VEER_EIO. */
enum veer_err control_listen(struct control *control);

/* We serve another revision than before. What follows from that happens in the loop's next turn of timers. */
void control_advanced(struct control *control);
/* After `drain`: we receive no more. */
void control_quiet(struct control *control);

/* The listening descriptor; borrowed. */
int control_fd(const struct control *control);

#endif
