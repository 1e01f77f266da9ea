/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends an agent's reports to every control plane: at least every report_ms, and soon after a change. What is sent has
 * the same size and rate whether nothing or everything fails.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_REPORTER_H
#define VEER_PROBES_AGENT_REPORTER_H

#include "base/log.h"
#include "base/loop.h"
#include "base/node/link.h"
#include "probes/agent/prober.h"
#include "probes/agent/reference.h"

#define REPORTER_COALESCE_MS 50 /* changes so close together travel in one report */

struct reporter;

/* Nothing is sent before reporter_start(). All are borrowed. NULL when memory (or the kernel's randomness) is out. */
struct reporter *reporter_new(struct loop *loop, const struct link *link, struct logger *log,
			      const struct prober *prober, const struct references *references);
void reporter_free(struct reporter **reporter);

/* Send from now on, every `report_ms`; call again when the assignments have changed: the next report goes out now. */
void reporter_start(struct reporter *reporter, uint32_t report_ms);
/* Something changed: send within REPORTER_COALESCE_MS. */
void reporter_changed(struct reporter *reporter);

#endif
