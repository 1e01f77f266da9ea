/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/zone_make.h"

#include <stdlib.h>
#include <string.h>

#include "api/control/zone_keeper.h"
#include "base/bytes.h"
#include "zones/model/rrset_object.h"

enum {
	NEGATIVE_TTL_MAX = 60, /* s; a name that does not exist now may exist in a minute */
	SOA_REFRESH_S = 3600,
	SOA_RETRY_S = 600,
	SOA_EXPIRE_S = 1209600, /* RFC 1912 2.2: two to four weeks */
	SOA_RDATA_MAX = 2 * NAME_WIRE_MAX + 20,
};

/* --- making ------------------------------------------------------------------------------------------------------- */

/* Add the put of one RRset at the zone's apex; writes its key into `key`. */
static enum veer_err add_rrset(struct change_draft *draft, struct zone_make *z, uint16_t type, uint32_t ttl,
			       const struct rdata_span *records, size_t count, char *key)
{
	uint8_t *wire = NULL;
	size_t wire_len;
	enum veer_err err = rrset_compose(z->zone.name, type, ttl, records, count, &wire, &wire_len, NULL);
	if (err != VEER_OK)
		return err;
	json_t *object = rrset_object_from_wire(wire, wire_len);
	free(wire);
	zone_rrset_key(&z->zone, z->zone.name, type, key);
	return change_add_json(draft, MODEL_KIND_RRSET, key, object, STORE_ABSENT);
}

/* The present time is the first serial, so that a zone that is deleted and made again does not go back (RFC 1982). */
static enum veer_err add_soa(struct change_draft *draft, struct zone_make *z)
{
	uint8_t rdata[SOA_RDATA_MAX];
	struct byte_writer w;
	byte_writer_init(&w, rdata, sizeof rdata);
	byte_write_span(&w, z->nameservers[0], name_len(z->nameservers[0]));
	byte_write_span(&w, z->hostmaster, name_len(z->hostmaster));
	byte_write_u32(&w, (uint32_t)(veer_clock_wall_ns(draft->control->clock) / 1000000000));
	byte_write_u32(&w, SOA_REFRESH_S);
	byte_write_u32(&w, SOA_RETRY_S);
	byte_write_u32(&w, SOA_EXPIRE_S);
	byte_write_u32(&w, z->soa_ttl < NEGATIVE_TTL_MAX ? z->soa_ttl : NEGATIVE_TTL_MAX);
	const struct rdata_span record = {rdata, byte_writer_len(&w)};
	return add_rrset(draft, z, RRTYPE_SOA, z->soa_ttl, &record, 1, z->keys[0]);
}

static enum veer_err add_ns(struct change_draft *draft, struct zone_make *z)
{
	struct rdata_span records[ZONE_NAMESERVERS_MAX];
	for (size_t i = 0; i < z->nameserver_count; i++)
		records[i] = (struct rdata_span){z->nameservers[i], name_len(z->nameservers[i])};
	return add_rrset(draft, z, RRTYPE_NS, z->ns_ttl, records, z->nameserver_count, z->keys[1]);
}

static void end_allotment(void *ctx)
{
	zone_keeper_allotted(ctx);
}

static enum veer_err plan_make(void *wish, struct change_draft *draft)
{
	struct zone_make *z = wish;
	enum veer_err err = change_may_touch(draft, TOKEN_LIMIT_ZONES, z->zone.text);
	if (err == VEER_OK && draft->end != NULL)
		err = VEER_ERANGE; /* only one zone can be made in a change */
	if (err == VEER_OK)
		err = zone_keeper_allot(draft->control->zones, &z->zone, &z->zone.version);
	if (err != VEER_OK)
		return err;
	draft->end = end_allotment;
	draft->end_ctx = draft->control->zones;
	err = change_add_json(draft, MODEL_KIND_ZONE, z->zone.text,
			      json_pack("{s:s, s:I}", "name", z->zone.text, "version", (json_int_t)z->zone.version),
			      STORE_ABSENT);
	if (err == VEER_OK)
		err = add_soa(draft, z);
	if (err == VEER_OK)
		err = add_ns(draft, z);
	draft->haste = CHANGE_ORDINARY;
	return err;
}

struct change_wish zone_make_wish(struct zone_make *z)
{
	return (struct change_wish){.plan = plan_make, .wish = z};
}

/* --- deleting ----------------------------------------------------------------------------------------------------- */

static enum veer_err plan_unmake(void *wish, struct change_draft *draft)
{
	struct zone_unmake *z = wish;
	int64_t expect = 0;
	enum veer_err err = zone_find(draft->control, z->name, draft->arena, &z->zone);
	if (err == VEER_ENOTFOUND || err == VEER_EINVAL || err == VEER_ERANGE)
		return change_refuse(draft, VEER_ENOTFOUND, CHANGE_MISSING, "there is no zone \"%s\"", z->name);
	if (err == VEER_OK)
		err = change_may_touch(draft, TOKEN_LIMIT_ZONES, z->zone.text);
	if (err == VEER_OK)
		err = change_meets(draft, z->zone.revision, &expect);
	if (err != VEER_OK)
		return err;
	return change_add(
		draft,
		(struct store_op){.op = STORE_DEL, .kind = MODEL_KIND_ZONE, .key = z->zone.text, .expect = expect});
}

static void done_unmake(void *wish, const struct change_draft *draft)
{
	(void)wish;
	zone_keeper_wake(draft->control->zones);
}

struct change_wish zone_unmake_wish(struct zone_unmake *z)
{
	return (struct change_wish){.plan = plan_unmake, .done = done_unmake, .wish = z, .tries = CHANGE_TRIES};
}
