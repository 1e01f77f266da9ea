/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the control plane, for code that changes and follows the store without HTTP.
 *
 * Threads: as each part says; the struct does not change once it is filled.
 */
#ifndef VEER_API_CONTROL_CONTROL_H
#define VEER_API_CONTROL_CONTROL_H

#include "api/control/answers.h"
#include "api/control/assignments.h"
#include "api/control/controller.h"
#include "api/control/directory.h"
#include "api/control/hub.h"
#include "api/control/token_use.h"
#include "api/control/uplink.h"
#include "api/control/witness.h"
#include "api/control/write_gate.h"
#include "api/control/zone_turns.h"
#include "base/clock.h"
#include "base/log.h"
#include "zones/store/store.h"

struct delegations;
struct zone_keeper;

/* Owned by the code that filled it; everybody else borrows it, and it outlives them. */
struct control {
	const struct veer_clock *clock;
	struct logger *log;
	struct store *store;
	struct directory *directory;
	struct hub *hub;
	struct assignment_hub *assignments;
	struct controller *controller;
	struct uplink_table *uplinks;
	struct trail *trail;
	struct answers *answers;
	struct token_uses *token_uses;
	struct zone_keeper *zones;
	struct delegations *delegations;
	struct witness witness;
	/*
	 * A worker holds it from reading the objects that a write refers to until its commit, so that two writes cannot
	 * break each other's references. Verdicts do not take it.
	 */
	struct write_gate write_gate;
	struct zone_turns zone_turns; /* taken before write_gate */
};

#endif
