/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What name servers say of themselves (docs/formats.md, section 3), the newest word of each. Losing it affects nothing
 * but what people see.
 *
 * Threads: all functions may be called from any thread.
 */
#ifndef VEER_API_UPLINK_H
#define VEER_API_UPLINK_H

#include <stdint.h>

#include "api/trail.h"
#include "base/err.h"
#include "base/json.h"

#define UPLINK_SERVERS_MAX 1024

struct uplink_table;

/* NULL when memory is out. Caller frees. */
struct uplink_table *uplink_table_new(void);
void uplink_table_free(struct uplink_table **table);

/* What the messages acknowledge goes to `trail` (borrowed), when it is of the store `store_id`. Before the first
 * message. */
void uplink_table_follow(struct uplink_table *table, struct trail *trail, const char *store_id);

/*
 * Take in one message of the server known as `id` ("" for one on the Unix socket: then its own name counts), at
 * `now_us` on the monotonic clock.
 * Errors: VEER_EINVAL, VEER_ERANGE with the place in the diag; VEER_EUNSUPPORTED (format); VEER_ELIMIT (too many
 * servers).
 */
enum veer_err uplink_take(struct uplink_table *table, const char *id, const char *text, size_t len, int64_t now_us,
			  struct veer_diag *diag);

/* [{"id","name","revision","store_id","applied_us","heard_ms_ago","uptime_s","zones","queries","answers","doubts",
 * "location_networks","location_policies"}]. The caller's. */
json_t *uplink_list(struct uplink_table *table, int64_t now_ms);

#endif
