/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What name servers report about themselves (docs/formats.md, section 3): the newest message of each. Losing it affects
 * only what people see.
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
/*
 * A name server sends a message once a second (docs/formats.md, section 3). After this time without one it is silent …
 */
#define UPLINK_SILENT_MS 5000
/* … and after this time it is gone: it is no longer listed, and another server may take its slot. */
#define UPLINK_GONE_MS 60000

struct uplink_table;

/* Make a table. NULL when memory is out. Caller frees. */
struct uplink_table *uplink_table_new(void);
/* Free the table. `*table` may be NULL. */
void uplink_table_free(struct uplink_table **table);

/*
 * Pass acknowledgements to `trail` (borrowed) when they are about the store `store_id`. Call it before the first
 * message.
 */
void uplink_table_follow(struct uplink_table *table, struct trail *trail, const char *store_id);

/* Get the digest of what the store has at (lineage, revision); false when that is not known. */
typedef bool uplink_digest_fn(void *ctx, const char *lineage, int64_t revision, struct digest_pair *out);
/*
 * Compare what name servers have with the store; a name server that differs twice is logged, and gets a full state.
 * Call it before the first message.
 */
void uplink_table_compare(struct uplink_table *table, struct logger *log, uplink_digest_fn *digest_at, void *ctx);

/* The answer to a message. */
struct uplink_answer {
	bool adopts;           /* follow the store, although it is in quarantine */
	bool needs_full_state; /* its content differs from the store's */
};

/*
 * Take one message of the server known as `id` ("" for one on the Unix socket, which is then known by its own name), at
 * `now_us` on the monotonic clock.
 * Errors: VEER_EINVAL, VEER_ERANGE with the place in the diag; VEER_EUNSUPPORTED (format); VEER_ELIMIT (too many
 * servers).
 */
VEER_MUST_CHECK enum veer_err uplink_take(struct uplink_table *table, const char *id, const char *text, size_t len,
					  int64_t now_us, struct uplink_answer *answer, struct veer_diag *diag);

/* Tell the server with this id or name to follow this store, in the reply to its next message. */
enum uplink_adoption {
	UPLINK_ADOPTS,
	UPLINK_FOLLOWS, /* it has no store in quarantine */
	UPLINK_UNHEARD,
} uplink_adopt(struct uplink_table *table, const char *id_or_name);

/* The size of a zone's name, in bytes, as uplink_next_serial() writes it. */
#define UPLINK_ZONE_SIZE 1032
/*
 * Take one of the zones for which a name server has seen a serial above the store's, with that serial; false when there
 * is none.
 */
bool uplink_next_serial(struct uplink_table *table, char *zone, uint32_t *serial);

/* How many name servers are in which state, as far as they have reported. */
struct uplink_counts {
	uint64_t quarantined; /* name servers that were offered a store and do not follow it */
	uint64_t different;   /* name servers that have another content than the store */
};
/* Count them now. */
void uplink_counts_read(struct uplink_table *table, struct uplink_counts *out);

/*
 * The name servers, as
 * [{"id","name","revision","store_id","applied_us","heard_ms_ago","uptime_s","zones","queries","answers","doubts",
 * "lineage","digest","quarantine","content","degraded","location_networks","location_policies"}]; content: "same",
 * "different", "unknown". Ownership: the caller's.
 */
json_t *uplink_list(struct uplink_table *table, int64_t now_ms);

#endif
