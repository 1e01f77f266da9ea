/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests: a plan from the text of zones and from objects, and queries to it. */
#ifndef VEER_TESTS_ZONE_PLAN_H
#define VEER_TESTS_ZONE_PLAN_H

#include "dnsd/packet/respond.h"
#include "zones/plan/plan_build.h"

struct zone_plan {
	struct plan_builder *builder;
	const struct plan *plan;
	struct responder *responder;
	uint8_t out[ENCODE_MAX];
};

struct zone_plan *zone_plan_new(void);
void zone_plan_free(struct zone_plan *zp);
/* Add a zone; any error fails the test. */
void zone_plan_add_zone(struct zone_plan *zp, const char *origin, const char *text);
void zone_plan_put(struct zone_plan *zp, enum model_kind kind, const char *key, const char *value);
void zone_plan_commit(struct zone_plan *zp);

/* Make a query in wire format; `payload` 0 for no OPT. Returns its length. */
size_t zone_plan_query(const char *name, uint16_t type, uint16_t payload, uint8_t *out);
/* Get the reply to a packet, which is in zp->out. Returns its length. */
size_t zone_plan_ask(struct zone_plan *zp, const uint8_t *packet, size_t len, bool is_tcp);

/*
 * A reply as text, without the question and OPT: "NOERROR aa | www.example. 300 A 192.0.2.1 | | ns1.example. 300 A …";
 * records in the order of the message, joined by ", ". Static storage.
 */
const char *zone_plan_text(const uint8_t *reply, size_t len);

#endif
