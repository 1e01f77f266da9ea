/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connects the control plane's own parts that follow the store to the hub, each with what concerns it.
 *
 * Threads: before hub_start(); the parts are borrowed until hub_free().
 */
#ifndef VEER_API_CONTROL_FOLLOWERS_H
#define VEER_API_CONTROL_FOLLOWERS_H

#include "api/control/assignments.h"
#include "api/control/controller.h"
#include "api/control/delegations.h"
#include "api/control/hub.h"
#include "api/control/trail.h"

/* The controller reads its model or its overrides again when these have changed. */
void followers_add_controller(struct hub *hub, struct controller *controller);
/* The trail of transitions notes when each was fed. */
void followers_add_trail(struct hub *hub, struct trail *trail);
/* Streams of agents get their heartbeats. */
void followers_add_assignments(struct hub *hub, struct assignment_hub *assignments);
/* What a zone says about its name servers is compared with its parent soon after it has changed. */
void followers_add_delegations(struct hub *hub, struct delegations *delegations);

#endif
