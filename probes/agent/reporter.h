/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends an agent's reports to every control plane: at least every report_ms, and soon after a change. Reports have the
 * same size and rate whether nothing or everything fails.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_REPORTER_H
#define VEER_PROBES_AGENT_REPORTER_H

#include "base/log.h"
#include "base/loop.h"
#include "base/node/link.h"
#include "probes/agent/prober.h"
#include "probes/agent/reference.h"

#define REPORTER_COALESCE_MS 50 /* changes that are so close together are sent in one report */

struct reporter;

/*
 * Make a reporter, which sends nothing before reporter_start(). All arguments are borrowed. NULL when memory (or the
 * kernel's randomness) is out.
 */
struct reporter *reporter_new(struct loop *loop, const struct link *link, struct logger *log,
			      const struct prober *prober, const struct references *references);
void reporter_free(struct reporter **reporter);

/* Send from now on, every `report_ms`; call it again when the assignments have changed: the next report is sent now. */
void reporter_start(struct reporter *reporter, uint32_t report_ms);
/* Note that something has changed: send within REPORTER_COALESCE_MS. */
void reporter_changed(struct reporter *reporter);

#endif
