/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/control/delegation_parent.h"
#include "api/control/delegation_zone.h"

enum { SCRATCH = 256 << 10 };

#define SYSTEM_RESOLVERS "/etc/resolv.conf"

/* The resolvers to ask, and the descriptor that interrupts it. */
struct wanted {
	const struct resolvers *resolvers;
	int interrupt_fd;
};

static json_t *begin_result(struct control *control, const char *zone)
{
	char at[VEER_RFC3339_SIZE];
	veer_rfc3339(veer_clock_wall_ns(control->clock), at);
	return json_pack("{s:s, s:s}", "zone", zone, "checked_at", at);
}

static void end_result(json_t *json, enum delegation_state state, struct delegation_outcome *out)
{
	const char *summary = json_string_value(json_object_get(json, "summary"));
	(void)json_object_set_new(json, "state", json_string(delegation_state_text(state)));
	(void)snprintf(out->summary, sizeof out->summary, "%s", summary != NULL ? summary : "");
	out->state = state;
	out->result = json != NULL ? veer_json_dump(json) : NULL;
}

/*
 * Ask the parent and judge. Errors: VEER_ETIMEOUT (no resolver answers; there is an outcome nevertheless),
 * VEER_ECLOSED, VEER_ENOMEM.
 */
static enum veer_err ask_parent(struct control *control, const struct wanted *wanted, const struct zone_ref *zone,
				const struct delegation_set *own, struct delegation_parent *parent,
				struct delegation_outcome *out)
{
	struct resolvers resolvers = *wanted->resolvers;
	if (resolvers.is_system)
		resolvers_read(SYSTEM_RESOLVERS, &resolvers);
	enum veer_err err = delegation_parent_ask(&resolvers, wanted->interrupt_fd, zone->name, parent);
	if (err != VEER_OK && err != VEER_ETIMEOUT)
		return err;
	json_t *json = begin_result(control, zone->text);
	end_result(json, delegation_judge(zone->name, own, parent, json), out);
	json_decref(json);
	return out->result != NULL ? err : VEER_ENOMEM;
}

static enum veer_err say_unchecked(struct control *control, const char *zone, const char *summary,
				   struct delegation_outcome *out)
{
	json_t *json = begin_result(control, zone);
	(void)json_object_set_new(json, "summary", json_string(summary));
	end_result(json, DELEGATION_UNCHECKED, out);
	json_decref(json);
	return out->result != NULL ? VEER_OK : VEER_ENOMEM;
}

enum veer_err delegation_compare(struct control *control, const struct resolvers *resolvers, int interrupt_fd,
				 const char *text, struct delegation_outcome *out)
{
	const struct wanted wanted = {.resolvers = resolvers, .interrupt_fd = interrupt_fd};
	struct zone_ref zone;
	struct arena *arena = arena_new(SCRATCH);
	struct delegation_set *own = malloc(sizeof *own);
	struct delegation_parent *parent = malloc(sizeof *parent);
	enum veer_err err = VEER_ENOMEM;
	*out = (struct delegation_outcome){.result = NULL};
	if (arena != NULL && own != NULL && parent != NULL)
		err = zone_find(control, text, arena, &zone);
	if (err == VEER_OK)
		err = delegation_zone_read(control, &zone, own);
	if (err == VEER_OK && zone.name_len == 1)
		err = say_unchecked(control, zone.text, "the root has no parent", out);
	else if (err == VEER_OK)
		err = ask_parent(control, &wanted, &zone, own, parent, out);
	free(parent);
	free(own);
	arena_free(&arena);
	return err;
}
