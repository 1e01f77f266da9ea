/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of an administrator's decisions about health: overrides, maintenance windows, settings. */
#include <string.h>

#include "base/clock.h"
#include "zones/model/model.h"
#include "zones/model/model_impl.h"

enum { TEXT_MAX = 256, SOURCE_MAX = 128, SCOPE_MAX = 1000, BRAKE_PERCENT = 25 };
#define NS_PER_S INT64_C(1000000000)
#define WEEK_NS (7 * 86400 * NS_PER_S)

static const char *const action_texts[] = {
	[MODEL_OVERRIDE_UP] = "up",
	[MODEL_OVERRIDE_DOWN] = "down",
	[MODEL_OVERRIDE_DRAIN] = "drain",
};

const char *model_override_text(enum model_override_action action)
{
	return action_texts[action];
}

enum model_override_action model_override_read_action(struct json_cursor *c)
{
	int count = sizeof action_texts / sizeof action_texts[0];
	return (enum model_override_action)veer_json_enum_or(c, "action", action_texts, count, -1);
}

/* An optional RFC 3339 time; 0 when it is absent. */
static int64_t read_time(struct json_cursor *c, const char *key)
{
	int64_t ns = 0;
	const char *text = veer_json_str_or(c, key, VEER_RFC3339_SIZE + 16, NULL);
	if (text != NULL && (!veer_rfc3339_parse(text, &ns) || ns <= 0))
		veer_json_fail(c, key, VEER_EINVAL,
			       "\"%s\" is not a time like 2026-11-22T20:36:00Z (RFC 3339) after 1970", text);
	return ns;
}

enum veer_err model_override_parse(const json_t *object, struct arena *arena, struct model_override *out,
				   struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_override override = {0};
	const char *endpoint = veer_json_str(&c, "endpoint", MODEL_ENDPOINT_KEY_MAX);
	if (c.err == VEER_OK && !model_is_endpoint_key(endpoint))
		veer_json_fail(&c, "endpoint", VEER_EINVAL, "\"%s\" is not POOL/NAME", endpoint);
	override.endpoint = model_read_copy(&c, arena, endpoint);
	override.action = model_override_read_action(&c);
	override.owner = model_read_copy(&c, arena, veer_json_str_or(&c, "owner", TEXT_MAX, ""));
	override.reason = model_read_copy(&c, arena, veer_json_str_or(&c, "reason", TEXT_MAX, ""));
	override.source = model_read_copy(&c, arena, veer_json_str_or(&c, "source", SOURCE_MAX, ""));
	override.expires_ns = read_time(&c, "expires_at");
	if (c.err == VEER_OK) /* a newer version may have more fields, so no veer_json_end() */
		*out = override;
	return c.err;
}

/* An optional array of names, or of POOL/NAME. */
static const char *const *read_names(struct json_cursor *c, struct arena *arena, const char *key, bool are_endpoints,
				     uint32_t *count)
{
	const json_t *array = veer_json_array(c, key, SCOPE_MAX, false);
	size_t size = array != NULL ? json_array_size(array) : 0;
	const char **names = model_read_array(c, arena, size, sizeof *names);
	for (size_t i = 0; i < size && c->err == VEER_OK; i++) {
		const char *text = model_read_string_at(c, key, array, i, MODEL_ENDPOINT_KEY_MAX);
		if (c->err == VEER_OK && !(are_endpoints ? model_is_endpoint_key(text) : model_is_name(text)))
			veer_json_fail(c, key, VEER_EINVAL, "\"%s\" is not %s", text,
				       are_endpoints ? "POOL/NAME" : "a name");
		if (c->err == VEER_OK)
			names[i] = model_read_copy(c, arena, text);
	}
	*count = (uint32_t)size;
	return names;
}

static void check_times(struct json_cursor *c, const struct model_maintenance *m)
{
	if (c->err != VEER_OK)
		return;
	if (m->starts_ns == 0 || m->ends_ns == 0)
		veer_json_fail(c, NULL, VEER_EINVAL, "\"starts_at\" and \"ends_at\" are required");
	else if (m->ends_ns <= m->starts_ns)
		veer_json_fail(c, "ends_at", VEER_EINVAL, "must be after \"starts_at\"");
	else if (m->is_weekly && m->ends_ns - m->starts_ns >= WEEK_NS)
		veer_json_fail(c, "ends_at", VEER_EINVAL, "a window that repeats every week must be shorter than one");
	else if (!m->is_weekly && m->until_ns != 0)
		veer_json_fail(c, "until", VEER_EINVAL, "is for windows with \"repeat\": \"weekly\"");
	else if (m->until_ns != 0 && m->until_ns <= m->starts_ns)
		veer_json_fail(c, "until", VEER_EINVAL, "must be after \"starts_at\"");
}

enum veer_err model_maintenance_parse(const json_t *object, struct arena *arena, struct model_maintenance *out,
				      struct veer_diag *diag)
{
	static const char *const repeats[] = {"none", "weekly"};
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_maintenance m = {0};
	m.name = model_read_name(&c, arena, "name");
	m.endpoints = read_names(&c, arena, "endpoints", true, &m.endpoint_count);
	m.pools = read_names(&c, arena, "pools", false, &m.pool_count);
	m.sites = read_names(&c, arena, "sites", false, &m.site_count);
	m.force = read_names(&c, arena, "force", false, &m.force_count);
	m.starts_ns = read_time(&c, "starts_at");
	m.ends_ns = read_time(&c, "ends_at");
	m.until_ns = read_time(&c, "until");
	m.is_weekly = veer_json_enum_or(&c, "repeat", repeats, 2, 0) == 1;
	m.owner = model_read_copy(&c, arena, veer_json_str_or(&c, "owner", TEXT_MAX, ""));
	m.reason = model_read_copy(&c, arena, veer_json_str(&c, "reason", TEXT_MAX));
	(void)veer_json_str_or(&c, "created_at", VEER_RFC3339_SIZE, NULL);
	check_times(&c, &m);
	if (c.err == VEER_OK && m.endpoint_count + m.pool_count + m.site_count == 0)
		veer_json_fail(&c, NULL, VEER_EINVAL, "needs \"endpoints\", \"pools\" or \"sites\"");
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = m;
	return err;
}

bool model_maintenance_is_on(const struct model_maintenance *maintenance, int64_t now_ns, int64_t *starts_ns,
			     int64_t *ends_ns)
{
	int64_t shift = 0; /* from the first window to the one that began last */
	if (maintenance->is_weekly && now_ns > maintenance->starts_ns)
		shift = (now_ns - maintenance->starts_ns) / WEEK_NS * WEEK_NS;
	int64_t start = maintenance->starts_ns + shift;
	bool is_over = maintenance->until_ns != 0 && start >= maintenance->until_ns;
	if (!is_over && now_ns >= start && now_ns < maintenance->ends_ns + shift) {
		*ends_ns = maintenance->ends_ns + shift;
		return true;
	}
	if (now_ns >= start)
		start = maintenance->is_weekly ? start + WEEK_NS : INT64_MAX;
	*starts_ns = maintenance->until_ns != 0 && start >= maintenance->until_ns ? INT64_MAX : start;
	return false;
}

static void read_freeze(struct json_cursor *parent, struct arena *arena, struct model_settings *settings)
{
	struct json_cursor c;
	const json_t *value = veer_json_any(parent, "freeze");
	settings->freeze_owner = settings->freeze_reason = "";
	if (value == NULL)
		return;
	veer_json_begin_child(&c, parent, "freeze", -1, value);
	settings->is_frozen = veer_json_bool_or(&c, "on", true);
	const char *owner = veer_json_str_or(&c, "owner", TEXT_MAX, "");
	const char *reason = veer_json_str_or(&c, "reason", TEXT_MAX, "");
	(void)veer_json_str_or(&c, "since", VEER_RFC3339_SIZE, NULL);
	if (c.err == VEER_OK && settings->is_frozen && reason[0] == '\0')
		veer_json_fail(&c, "reason", VEER_EINVAL, "is required: others will ask why nothing moves");
	settings->freeze_owner = model_read_copy(&c, arena, owner);
	settings->freeze_reason = model_read_copy(&c, arena, reason);
	enum veer_err err = veer_json_end(&c);
	if (parent->err == VEER_OK)
		parent->err = err;
}

enum veer_err model_settings_parse(const json_t *object, struct arena *arena, struct model_settings *out,
				   struct veer_diag *diag)
{
	static const char *const brakes[] = {"on", "off"};
	struct json_cursor c;
	veer_json_begin(&c, object, "", diag);
	struct model_settings settings = {0};
	read_freeze(&c, arena, &settings);
	settings.is_brake_off = veer_json_enum_or(&c, "brake", brakes, 2, 0) == 1;
	settings.max_removal_percent = (uint32_t)veer_json_int_or(&c, "max_removal_percent", 1, 100, BRAKE_PERCENT);
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK)
		*out = settings;
	return err;
}
