/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of assignments (docs/formats.md, section 5): for each agent the line in force, and its open streams.
 * Confirm messages are sent once to the streams that are open, and are not kept.
 *
 * Threads: all functions may be called from any thread.
 */
#ifndef VEER_API_CONTROL_ASSIGNMENTS_H
#define VEER_API_CONTROL_ASSIGNMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/http/stream.h"
#include "base/err.h"

#define ASSIGNMENTS_CONFIRM_BYTES 65536 /* bytes of waiting confirm lines of one stream; more are dropped */

#define ASSIGNMENTS_STREAMS_MAX 8 /* streams of one agent, so that no agent can take the places of name servers */

struct assignment_hub;

/* Make a hub. `store_id` is copied. NULL when memory is out. Caller frees. */
struct assignment_hub *assignment_hub_new(const char *store_id);
/* Free the hub. All streams must be closed before. */
void assignment_hub_free(struct assignment_hub **hub);

/*
 * Put the line (with its newline), which has `items` items, in force for the agent and send it. Takes `text` (malloc).
 * Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err assignment_hub_set(struct assignment_hub *hub, const char *agent, char *text, size_t len,
						 uint32_t items);
/*
 * How many items a report of this agent may have: as many as the larger of the line in force and the one before,
 * because a report may be on its way when the line changes. False when no line is in force yet.
 */
bool assignment_hub_items(struct assignment_hub *hub, const char *agent, uint32_t *items);
/* Remove a revoked agent: its streams end, its line is forgotten. */
void assignment_hub_remove(struct assignment_hub *hub, const char *agent);
/* Send a confirm line to the agent's streams, if any. */
void assignment_hub_confirm(struct assignment_hub *hub, const char *agent, const char *line);
/* Wake the streams for which a heartbeat is due. Must be called several times a second. */
void assignment_hub_tick(struct assignment_hub *hub);

/* Open a stream for the agent. NULL when memory is out, or the agent has ASSIGNMENTS_STREAMS_MAX already. */
struct api_stream_source *assignment_hub_subscribe(struct assignment_hub *hub, const char *agent, const char *region);

#endif
