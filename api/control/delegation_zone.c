/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_zone.h"

#include <stdlib.h>
#include <string.h>

#include "zones/model/rrset_object.h"

enum { SCRATCH = 4 << 20 };

/*
 * A stored RRset that was read: the caller frees `wire`, which is NULL when there is none or the RRset is bound to a
 * policy.
 */
struct stored {
	struct rrset_view view;
	uint8_t *wire;
	bool is_bound;
};

static enum veer_err read_rrset(struct control *control, const struct zone_ref *zone, const uint8_t *owner,
				uint16_t type, struct arena *arena, struct stored *out)
{
	struct store_object object;
	struct rrset_key key = {.owner_len = name_len(owner), .type = type};
	json_t *json = NULL;
	const char *policy = NULL;
	*out = (struct stored){.wire = NULL};
	arena_reset(arena);
	char *text = arena_alloc(arena, RRSET_KEY_SIZE);
	if (text == NULL)
		return VEER_ENOMEM;
	memcpy(key.owner, owner, key.owner_len);
	zone_rrset_key(zone, owner, type, text);
	enum veer_err err = store_get(control->store, MODEL_KIND_RRSET, text, arena, &object);
	if (err == VEER_OK)
		err = veer_json_parse(object.value, object.value_len, STORE_VALUE_MAX, &json, NULL);
	if (err == VEER_OK)
		err = rrset_object_read(&key, json, &policy, &out->wire, &out->view, NULL);
	out->is_bound = err == VEER_OK && policy != NULL;
	json_decref(json);
	return err == VEER_EIO || err == VEER_ENOMEM ? err : VEER_OK;
}

static enum veer_err read_addrs(struct control *control, const struct zone_ref *zone, uint16_t type,
				struct arena *arena, struct delegation_host *host)
{
	struct stored stored;
	struct rdata_span rdata;
	size_t pos = 0;
	enum veer_err err = read_rrset(control, zone, host->name, type, arena, &stored);
	host->is_bound = host->is_bound || stored.is_bound;
	while (stored.wire != NULL && rrset_next(&stored.view, &pos, &rdata)) {
		struct veer_addr addr = {.family = type == RRTYPE_A ? VEER_FAMILY_V4 : VEER_FAMILY_V6};
		memcpy(addr.bytes, rdata.data, rdata.len < sizeof addr.bytes ? rdata.len : sizeof addr.bytes);
		delegation_host_add(host, &addr);
	}
	free(stored.wire);
	return err;
}

static enum veer_err read_names(struct control *control, const struct zone_ref *zone, struct arena *arena,
				struct delegation_set *out)
{
	struct stored stored;
	struct rdata_span rdata;
	size_t pos = 0;
	enum veer_err err = read_rrset(control, zone, zone->name, RRTYPE_NS, arena, &stored);
	if (stored.wire != NULL)
		out->ttl = stored.view.ttl;
	while (stored.wire != NULL && rrset_next(&stored.view, &pos, &rdata)) {
		uint8_t name[NAME_WIRE_MAX];
		name_lower_copy(name, rdata.data, rdata.len);
		(void)delegation_set_add(out, name);
	}
	free(stored.wire);
	return err;
}

enum veer_err delegation_zone_read(struct control *control, const struct zone_ref *zone, struct delegation_set *out)
{
	struct arena *arena = arena_new(SCRATCH);
	memset(out, 0, sizeof *out);
	if (arena == NULL)
		return VEER_ENOMEM;
	enum veer_err err = read_names(control, zone, arena, out);
	for (size_t i = 0; i < out->count && err == VEER_OK; i++) {
		if (!name_is_under(out->hosts[i].name, zone->name))
			continue;
		err = read_addrs(control, zone, RRTYPE_A, arena, &out->hosts[i]);
		if (err == VEER_OK)
			err = read_addrs(control, zone, RRTYPE_AAAA, arena, &out->hosts[i]);
	}
	arena_free(&arena);
	return err;
}
