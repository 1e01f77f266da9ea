/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate that the API shows: read from two files, checked before it is used, and read again when they change.
 *
 * Threads: the loop's; certificate_days_left() any.
 */
#ifndef VEER_API_HTTP_CERTIFICATE_H
#define VEER_API_HTTP_CERTIFICATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"

/* A chain and its key, as PEM. Release with certificate_pair_deinit(). */
struct certificate_pair {
	char *cert;
	char *key;
	int64_t not_after_s;             /* of the first certificate, seconds since 1970 */
	struct stat cert_file, key_file; /* when they were read */
	bool is_key_loose;               /* others than its owner and its group may read the key's file */
};

/*
 * Read and check a pair: the key must be the certificate's. Errors: those of file_read(); VEER_EINVAL (no PEM, or the
 * key is another's); the diag names the file.
 */
VEER_MUST_CHECK enum veer_err certificate_read(const char *cert_path, const char *key_path,
					       struct certificate_pair *out, struct veer_diag *diag);
void certificate_pair_deinit(struct certificate_pair *pair);

/* Use it from now on. If it cannot be, or has to wait, what was used stays. */
enum certificate_use { CERTIFICATE_USED, CERTIFICATE_REFUSED, CERTIFICATE_WAITS };
typedef enum certificate_use certificate_use_fn(void *ctx, const struct certificate_pair *pair);

struct certificate_watch {
	const char *cert_path, *key_path; /* borrowed, as is all of this; NULL: there is nothing to watch */
	struct loop *loop;
	struct logger *log;
	certificate_use_fn *use;
	void *ctx;
	struct loop_timer timer;
	struct stat cert_seen, key_seen;   /* when they were read last */
	_Atomic int64_t not_after_s;       /* of the one in use; 0: none */
	int64_t warned_s;                  /* when its end was last warned of */
	bool has_failed;                   /* the last try, which was said: the next look tries again */
	atomic_bool is_waiting;            /* likewise: a good one waits for old ones to go */
	char used[CRYPTO_SHA256_HEX_SIZE]; /* of the pair in use, which is not taken twice; "": none */
};

/* Begin to watch. `pair`: what is in use, or NULL when it could not be read. */
void certificate_watch_start(struct certificate_watch *watch, const struct certificate_pair *pair);
void certificate_watch_stop(struct certificate_watch *watch);
/* Read them now, changed or not (SIGHUP). What cannot be used is said, and what was used stays. */
void certificate_watch_reload(struct certificate_watch *watch);
/* Does a new one wait? Only after certificate_watch_start(). */
bool certificate_is_waiting(const struct certificate_watch *watch);
/* Until it ends, in days; negative: it has ended. False: there is none. */
bool certificate_days_left(const struct certificate_watch *watch, double *days);

#endif
