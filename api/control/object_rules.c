/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/object_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/control/check_parts.h"
#include "zones/dns/rrtext.h"

enum veer_err object_validate_site(struct control *control, const json_t *object, struct arena *arena,
				   struct veer_diag *diag)
{
	struct model_site site;
	(void)control;
	return model_site_parse(object, arena, &site, diag);
}

/* One reference to what is not there. */
struct reference {
	struct control *control;
	struct veer_diag *diag;
	enum veer_err err;
};

static enum veer_err must_exist(struct control *control, enum model_kind kind, const char *name, const char *pointer,
				struct veer_diag *diag)
{
	if (directory_revision_of(control->directory, kind, name) != 0)
		return VEER_OK;
	return veer_fail(diag, VEER_EINVAL, "%s: there is no %s \"%s\"", pointer, model_kind_text(kind), name);
}

static bool pool_must_exist(void *ctx, const char *pool)
{
	struct reference *r = ctx;
	r->err = must_exist(r->control, MODEL_KIND_POOL, pool, "/tree", r->diag);
	return r->err == VEER_OK;
}

enum veer_err object_validate_pool(struct control *control, const json_t *object, struct arena *arena,
				   struct veer_diag *diag)
{
	struct model_pool pool;
	char pointer[48];
	enum veer_err err = model_pool_parse(object, arena, &pool, diag);
	for (uint32_t i = 0; err == VEER_OK && i < pool.check_count; i++) {
		(void)snprintf(pointer, sizeof pointer, "/checks/%u", i);
		err = must_exist(control, MODEL_KIND_CHECK, pool.checks[i], pointer, diag);
	}
	for (uint32_t i = 0; err == VEER_OK && i < pool.endpoint_count; i++) {
		(void)snprintf(pointer, sizeof pointer, "/endpoints/%u/site", i);
		err = must_exist(control, MODEL_KIND_SITE, pool.endpoints[i].site, pointer, diag);
	}
	return err == VEER_OK ? check_parts_judge_pool(control->directory, &pool, diag) : err;
}

enum veer_err object_validate_policy(struct control *control, const json_t *object, struct arena *arena,
				     struct veer_diag *diag)
{
	struct model_policy policy;
	struct reference r = {.control = control, .diag = diag};
	enum veer_err err = model_policy_parse_new(object, arena, &policy, diag);
	if (err != VEER_OK)
		return err;
	model_node_pools(policy.tree, pool_must_exist, &r);
	if (r.err == VEER_OK && policy.fallback_pool != NULL)
		r.err = must_exist(control, MODEL_KIND_POOL, policy.fallback_pool, "/when_all_down/pool", diag);
	return r.err;
}

/* Of what is written now nothing is lost (rrtext_parse()), as a comment would be. */
static enum veer_err validate_answers(const struct model_check *check, struct veer_diag *diag)
{
	static const uint8_t root[1] = {0};
	struct veer_diag detail = {""};
	enum veer_err err = VEER_OK;
	for (uint32_t i = 0; check->kind == MODEL_CHECK_DNS && i < check->dns.answer_count && err == VEER_OK; i++) {
		uint8_t *rdata = NULL;
		size_t len;
		err = rrtext_parse(check->dns.type, check->dns.answer_texts[i], root, &rdata, &len, &detail);
		free(rdata);
	}
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "/expect_answers: %s", detail.text);
}

enum veer_err object_validate_check(struct control *control, const json_t *object, struct arena *arena,
				    struct veer_diag *diag)
{
	struct model_check check;
	enum veer_err err = model_check_parse(object, arena, &check, diag);
	if (err == VEER_OK)
		err = validate_answers(&check, diag);
	return err == VEER_OK ? check_parts_judge(control->directory, &check, diag) : err;
}
