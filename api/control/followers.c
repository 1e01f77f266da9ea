/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/followers.h"

/* The kinds that the controller's model consists of, and those of its overrides. */
static const enum model_kind of_model[] = {MODEL_KIND_SITE,   MODEL_KIND_CHECK, MODEL_KIND_POOL,
					   MODEL_KIND_POLICY, MODEL_KIND_AGENT, MODEL_KIND_SETTINGS};
static const enum model_kind of_overrides[] = {MODEL_KIND_OVERRIDE, MODEL_KIND_MAINTENANCE};

static struct model_kinds model_kinds(void)
{
	return model_kinds_of(of_model, sizeof of_model / sizeof of_model[0]);
}

static struct model_kinds override_kinds(void)
{
	return model_kinds_of(of_overrides, sizeof of_overrides / sizeof of_overrides[0]);
}

static void on_batch(void *ctx, struct model_kinds changed)
{
	if (model_kinds_are_none(model_kinds_common(changed, model_kinds())))
		controller_overrides_changed(ctx);
	else
		controller_model_changed(ctx);
}

void followers_add_controller(struct hub *hub, struct controller *controller)
{
	hub_subscribe(hub, &(struct hub_subscriber){.kinds = model_kinds_either(model_kinds(), override_kinds()),
						    .on_batch = on_batch,
						    .ctx = controller});
}

static void on_commit(void *ctx, int64_t revision, int64_t now_us)
{
	trail_fed(ctx, revision, now_us);
}

void followers_add_trail(struct hub *hub, struct trail *trail)
{
	static const enum model_kind transitions[] = {MODEL_KIND_TRANSITION};
	hub_subscribe(hub, &(struct hub_subscriber){
				   .kinds = model_kinds_of(transitions, 1), .on_commit = on_commit, .ctx = trail});
}

static void on_tick(void *ctx)
{
	assignment_hub_tick(ctx);
}

void followers_add_assignments(struct hub *hub, struct assignment_hub *assignments)
{
	hub_subscribe(hub, &(struct hub_subscriber){.on_tick = on_tick, .ctx = assignments});
}

static void on_change(void *ctx, const struct store_object *object)
{
	delegations_note(ctx, object);
}

void followers_add_delegations(struct hub *hub, struct delegations *delegations)
{
	static const enum model_kind kinds[] = {MODEL_KIND_ZONE, MODEL_KIND_RRSET};
	hub_subscribe(hub, &(struct hub_subscriber){
				   .kinds = model_kinds_of(kinds, 2), .on_change = on_change, .ctx = delegations});
}
