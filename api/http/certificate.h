/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate that the API shows: read from two files, checked before it is used, and read again when they change.
 *
 * Threads: only the loop's thread; certificate_days_left() may be called from any thread.
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
	int64_t not_after_s;             /* end of the first certificate's validity, seconds since 1970 */
	struct stat cert_file, key_file; /* when they were read */
	bool is_key_loose;               /* users other than its owner and its group may read the key's file */
};

/*
 * Read and check a pair: the key must belong to the certificate. Errors: those of file_read(); VEER_EINVAL (not PEM, or
 * the key belongs to another certificate); the diag names the file.
 */
VEER_MUST_CHECK enum veer_err certificate_read(const char *cert_path, const char *key_path,
					       struct certificate_pair *out, struct veer_diag *diag);
void certificate_pair_deinit(struct certificate_pair *pair);

/* Show the pair from now on. If it is refused or must wait, the previous one stays in use. */
enum certificate_use { CERTIFICATE_USED, CERTIFICATE_REFUSED, CERTIFICATE_WAITS };
typedef enum certificate_use certificate_use_fn(void *ctx, const struct certificate_pair *pair);

struct certificate_watch {
	const char *cert_path, *key_path; /* borrowed, as is all of this; NULL: there is nothing to watch */
	struct loop *loop;
	struct logger *log;
	certificate_use_fn *use;
	void *ctx;
	struct loop_timer timer;
	struct stat cert_seen, key_seen; /* their state when they were read last */
	_Atomic int64_t not_after_s;     /* end of the validity of the pair in use; 0: none is in use */
	int64_t warned_s;                /* when a warning about its end was last logged */
	bool has_failed;                 /* the last try failed, which was logged: the next look tries again */
	atomic_bool is_waiting; /* likewise, but a good pair waits until connections with old ones have ended */
	char used[CRYPTO_SHA256_HEX_SIZE]; /* hash of the pair in use, which is not taken twice; "": none */
};

/* Begin to watch. `pair`: the one in use, or NULL when it could not be read. */
void certificate_watch_start(struct certificate_watch *watch, const struct certificate_pair *pair);
void certificate_watch_stop(struct certificate_watch *watch);
/*
 * Read the files now, changed or not (SIGHUP). A pair that cannot be used is logged, and the previous one stays in use.
 */
void certificate_watch_reload(struct certificate_watch *watch);
/* Does a new pair wait to be shown? May be called only after certificate_watch_start(). */
bool certificate_is_waiting(const struct certificate_watch *watch);
/* Days until the pair in use ends; negative: it has ended. False: no pair is in use. */
bool certificate_days_left(const struct certificate_watch *watch, double *days);

#endif
