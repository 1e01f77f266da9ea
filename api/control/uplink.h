/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What name servers say of themselves (docs/formats.md, section 3), the newest word of each. Losing it affects nothing
 * but what people see.
 *
 * Threads: all functions may be called from any thread.
 */
#ifndef VEER_API_CONTROL_UPLINK_H
#define VEER_API_CONTROL_UPLINK_H

#include <stdint.h>

#include "api/control/trail.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "zones/model/digest.h"

#define UPLINK_SERVERS_MAX 1024
/* A name server speaks once a second (docs/formats.md, section 3). Not heard for so long it is called silent … */
#define UPLINK_SILENT_MS 5000
/* … and for so long it is gone: not spoken of any more, and another may have its place. */
#define UPLINK_GONE_MS 60000

struct uplink_table;

/* NULL when memory is out. Caller frees. */
struct uplink_table *uplink_table_new(void);
/* `*table` may be NULL. */
void uplink_table_free(struct uplink_table **table);

/* What the messages acknowledge goes to `trail` (borrowed), when it is of the store `store_id`. Before the first
 * message. */
void uplink_table_follow(struct uplink_table *table, struct trail *trail, const char *store_id);

/* What the store has at (lineage, revision); false when that is not known. */
typedef bool uplink_digest_fn(void *ctx, const char *lineage, int64_t revision, struct digest_pair *out);
/* Compare what name servers have with it; a name server that has something else twice is said, and gets a full state.
 * Before the first message. */
void uplink_table_compare(struct uplink_table *table, struct logger *log, uplink_digest_fn *digest_at, void *ctx);

/* What is to be answered to a message. */
struct uplink_answer {
	bool adopts;           /* the store is to be followed, though it is in quarantine */
	bool needs_full_state; /* what it has is not what the store has */
};

/*
 * Take in one message of the server known as `id` ("" for one on the Unix socket: then its own name counts), at
 * `now_us` on the monotonic clock.
 * Errors: VEER_EINVAL, VEER_ERANGE with the place in the diag; VEER_EUNSUPPORTED (format); VEER_ELIMIT (too many
 * servers).
 */
VEER_MUST_CHECK enum veer_err uplink_take(struct uplink_table *table, const char *id, const char *text, size_t len,
					  int64_t now_us, struct uplink_answer *answer, struct veer_diag *diag);

/* Tell the server of this id or name, with its next message, to follow this store. */
enum uplink_adoption {
	UPLINK_ADOPTS,
	UPLINK_FOLLOWS, /* it keeps nothing in quarantine */
	UPLINK_UNHEARD,
} uplink_adopt(struct uplink_table *table, const char *id_or_name);

/*
 * One of the zones whose serials name servers have seen further than the store now is, into `zone` of UPLINK_ZONE_SIZE
 * bytes; false when there is none (more).
 */
#define UPLINK_ZONE_SIZE 1032
/* Take one of the serials that a name server has seen above the store's; false when there is none. */
bool uplink_next_serial(struct uplink_table *table, char *zone, uint32_t *serial);

/* How name servers stand, as far as they were heard. */
struct uplink_counts {
	uint64_t quarantined; /* that do not follow a store that is offered to them */
	uint64_t different;   /* that have another content than the store */
};
/* At this moment. */
void uplink_counts_read(struct uplink_table *table, struct uplink_counts *out);

/* [{"id","name","revision","store_id","applied_us","heard_ms_ago","uptime_s","zones","queries","answers","doubts",
 * "lineage","digest","quarantine","content","degraded","location_networks","location_policies"}]; content: "same",
 * "different", "unknown". The caller's. */
json_t *uplink_list(struct uplink_table *table, int64_t now_ms);

#endif
