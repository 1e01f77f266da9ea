/* SPDX-License-Identifier: Apache-2.0 */
/* The controller as its owner and its callers see it: three threads with a struct each, and what connects them. */
#ifndef VEER_API_CONTROL_CONTROLLER_IMPL_H
#define VEER_API_CONTROL_CONTROLLER_IMPL_H

#include "api/control/controller.h"
#include "api/control/controller_chores.h"
#include "api/control/controller_committer.h"
#include "api/control/controller_engine.h"
#include "api/control/controller_inbox.h"
#include "api/control/election.h"

struct controller {
	struct controller_config config; /* does not change */
	struct election election;        /* has a lock of its own, like the inbox */
	struct controller_inbox inbox;   /* callers, hub and committer → engine */
	struct controller_engine engine;
	struct controller_committer committer; /* engine → committer: its queue of jobs */
	struct controller_chores chores;       /* engine and hub → chores: its queue */
	atomic_uint_fast64_t reports_refused;  /* refused before the engine's thread has seen them */
};

#endif
