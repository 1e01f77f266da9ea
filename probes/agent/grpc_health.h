/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of grpc.health.v1.Health/Check: length-prefixed protocol buffers, as bytes.
 *
 * Threads: pure functions. Replies may be hostile: everything is limited.
 */
#ifndef VEER_PROBES_AGENT_GRPC_HEALTH_H
#define VEER_PROBES_AGENT_GRPC_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GRPC_SERVICE_MAX 255
#define GRPC_REQUEST_MAX (5 + 3 + GRPC_SERVICE_MAX)

/* Values of HealthCheckResponse.ServingStatus; other numbers are possible. */
enum { GRPC_UNKNOWN = 0, GRPC_SERVING = 1, GRPC_NOT_SERVING = 2, GRPC_SERVICE_UNKNOWN = 3 };

/*
 * Write the framed request for `service` (at most GRPC_SERVICE_MAX bytes; "": the server as a whole); returns its
 * length.
 */
size_t grpc_health_write(const char *service, uint8_t out[GRPC_REQUEST_MAX]);

/*
 * Read the status from a framed reply of `len` bytes. Unknown fields are skipped; the last status counts; a missing one
 * is UNKNOWN. Errors: VEER_EINVAL (not exactly one complete uncompressed message, or malformed).
 */
VEER_MUST_CHECK enum veer_err grpc_health_parse(const uint8_t *data, size_t len, uint64_t *status);

/* The name of a status, such as "NOT_SERVING"; "another status" for a number that has no name. Static storage. */
const char *grpc_health_text(uint64_t status);

#endif
