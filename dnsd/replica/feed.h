/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's connection to a control plane: it enrols if necessary, reads the feed into the replica, and reports
 * what is served (the uplink). Several control planes are tried in turn, with growing, jittered pauses. Nothing here
 * delays answers.
 *
 * Threads: the control loop's.
 */
#ifndef VEER_DNSD_REPLICA_FEED_H
#define VEER_DNSD_REPLICA_FEED_H

#include <stdint.h>

#include "base/log.h"
#include "base/loop.h"
#include "dnsd/replica/degraded.h"
#include "dnsd/replica/replica.h"

struct feed_client;

/* What the workers have counted since start, and what does not work, for the uplink. */
struct feed_counters {
	uint64_t queries;
	uint64_t noerror;
	uint64_t nxdomain;
	uint64_t servfail;
	uint64_t refused;
	const char *degraded[DEGRADED_PARTS]; /* parts that do not work */
	size_t degraded_count;
	uint64_t location_networks; /* in the location table; 0: there is none */
	uint64_t location_policies; /* policies that depend on clients' locations */
};

struct feed_config {
	struct loop *loop; /* borrowed, like all of these */
	struct logger *log;
	struct replica *replica;
	const char *urls;       /* "unix:PATH" or "https://HOST:PORT", comma-separated */
	const char *state_dir;  /* for identity.json; NULL: there is none, and only unix: URLs work */
	const char *token;      /* one-use enrolment token, or NULL; used when there is no identity */
	const char *token_file; /* a file in which a new token means to enrol again, or NULL */
	const char *ca_file;    /* PEM bundle, or NULL */
	void (*count)(void *ctx, struct feed_counters *out);
	void (*failed)(void *ctx, const char *reason); /* enrolment was refused for good: end the program */
	void (*heard)(void *ctx);                      /* a part of the feed has come and was accepted */
	void (*missed)(void *ctx); /* a control plane could not be reached, or has ended the stream */
	void *ctx;
};

/* Start. Errors: VEER_EINVAL (URLs), VEER_ECORRUPT (identity.json), VEER_EAUTH (neither identity nor token),
 * VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err feed_client_new(const struct feed_config *config, struct feed_client **out,
					      struct veer_diag *diag);
void feed_client_free(struct feed_client **client);

/* All workers answer from `revision` now, `applied_us` after its commit came: report it to the control plane. */
void feed_client_applied(struct feed_client *client, int64_t revision, int64_t applied_us);

/* When the last bytes of the feed came, ms on the monotonic clock; -1: never. */
int64_t feed_client_heard_ms(const struct feed_client *client);

#endif
