/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only root may open: sockets at ports below 1024, and the key of the certificate. They are opened before the
 * program gives up its privileges, and kept for as long as it runs, because it also starts anew with them.
 *
 * Threads: the main thread.
 */
#ifndef VEER_API_STARTUP_H
#define VEER_API_STARTUP_H

#include <stdbool.h>
#include <stddef.h>

#include "api/http/certificate.h"
#include "api/http/server.h"
#include "base/args.h"
#include "base/err.h"
#include "base/privilege.h"

/* What to open. Borrowed. */
struct startup_wishes {
	const struct args_list *listen; /* ADDR:PORT or unix:PATH */
	const char *tls_cert;           /* path, or NULL */
	const char *tls_key;
	const char *dir; /* of the store */
	const struct privilege_names *names;
	const char *feed_user; /* or NULL */
};

struct startup {
	bool is_done;
	struct certificate_pair pair; /* its texts are NULL when there is no good certificate */
	int fds[API_LISTENERS_MAX];   /* bound, not listening; -1: the server opens it itself, such as a Unix socket */
	size_t count;
	struct privilege_user feed_user;
};

/*
 * Open everything, give the directory to the user, and give up all privileges; a second call does nothing. What was
 * opened is released by startup_close(), also after an error. Errors (diag): as file_read(), api_server_bind(),
 * privilege_find(), privilege_give_dir() and privilege_drop().
 */
VEER_MUST_CHECK enum veer_err startup_open(struct startup *startup, const struct startup_wishes *wishes,
					   struct logger *log, struct veer_diag *diag);
void startup_close(struct startup *startup);

#endif
