/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the control plane, for what changes and follows the store: whoever has them needs no HTTP.
 *
 * Threads: the parts say so themselves; the struct does not change once it is filled.
 */
#ifndef VEER_API_CONTROL_H
#define VEER_API_CONTROL_H

#include "api/answers.h"
#include "api/assignments.h"
#include "api/controller.h"
#include "api/directory.h"
#include "api/hub.h"
#include "api/token_use.h"
#include "api/uplink.h"
#include "api/witness.h"
#include "api/write_gate.h"
#include "api/zone_turns.h"
#include "base/clock.h"
#include "base/log.h"
#include "zones/store/store.h"

struct delegations;
struct zone_keeper;

/* Owned by whoever filled it; all others borrow it, and it outlives them. */
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
	 * Held by a worker from reading what an object refers to until its commit, so that two writes cannot break each
	 * other's references. Verdicts do not take it.
	 */
	struct write_gate write_gate;
	struct zone_turns zone_turns; /* taken before write_gate */
};

#endif
