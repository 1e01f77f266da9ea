/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of checks: what all kinds have. How each kind probes is read in model_probe.c. */
#include <stdlib.h>
#include <string.h>

#include "zones/model/model.h"
#include "zones/model/model_impl.h"

static const char *const kinds[MODEL_CHECK_KIND_COUNT] = {
	[MODEL_CHECK_HTTP] = "http",
	[MODEL_CHECK_HTTPS] = "https",
	[MODEL_CHECK_TCP] = "tcp",
	[MODEL_CHECK_TLS] = "tls",
	[MODEL_CHECK_ICMP] = "icmp",
	[MODEL_CHECK_DNS] = "dns",
	[MODEL_CHECK_GRPC] = "grpc",
	[MODEL_CHECK_UDP] = "udp",
	[MODEL_CHECK_EXEC] = "exec",
	[MODEL_CHECK_PUSH] = "push",
	[MODEL_CHECK_CALCULATED] = "calculated",
};

const char *model_check_kind_text(enum model_check_kind kind)
{
	return (unsigned)kind < MODEL_CHECK_KIND_COUNT ? kinds[kind] : "none";
}

static void read_timing(struct json_cursor *c, struct model_check *check)
{
	check->interval_ms = (uint32_t)veer_json_int_or(c, "interval_ms", 100, 3600000, 5000);
	check->timeout_ms = (uint32_t)veer_json_int_or(c, "timeout_ms", 10, 60000, 2000);
	check->max_latency_ms = (uint32_t)veer_json_int_or(c, "max_latency_ms", 0, 60000, 0);
	check->is_inverted = veer_json_bool_or(c, "invert", false);
	check->fall = (uint32_t)veer_json_int_or(c, "fall", 1, 20, 2);
	check->rise = (uint32_t)veer_json_int_or(c, "rise", 1, 20, 2);
	if (c->err == VEER_OK && (uint64_t)check->timeout_ms > (uint64_t)check->interval_ms * check->fall)
		veer_json_fail(c, "timeout_ms", VEER_ERANGE, "must be at most interval_ms x fall (%u)",
			       check->interval_ms * check->fall);
}

enum veer_err model_check_parse(const json_t *object, struct arena *arena, struct model_check *out,
				struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_check check = {0};
	check.name = model_read_name(&c, arena, "name");
	int kind = veer_json_enum_or(&c, "kind", kinds, MODEL_CHECK_KIND_COUNT, -1);
	check.kind = kind < 0 ? MODEL_CHECK_TCP : (enum model_check_kind)kind;
	model_read_judging(&c, arena, &check);
	if (model_check_is_probed(&check)) {
		model_read_probe(&c, arena, &check);
		read_timing(&c, &check);
	}
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = check;
	return err;
}
