/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/zone_plan.h"

#include <ldns/ldns.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/dns/zonefile.h"

struct zone_plan *zone_plan_new(void)
{
	struct zone_plan *zp = calloc(1, sizeof *zp);
	assert_non_null(zp);
	zp->builder = plan_builder_new();
	zp->responder = aligned_alloc(COUNT_CACHE_LINE, (sizeof *zp->responder + 63) / 64 * 64);
	assert_non_null(zp->builder);
	assert_non_null(zp->responder);
	assert_int_equal(responder_init(zp->responder), VEER_OK);
	return zp;
}

void zone_plan_free(struct zone_plan *zp)
{
	plan_builder_free(&zp->builder);
	free(zp->responder);
	free(zp);
}

struct adding {
	struct plan_builder *builder;
	uint8_t origin[NAME_WIRE_MAX];
};

static enum veer_err put_rrset(void *ctx, const struct rrset_view *rrset)
{
	struct adding *a = ctx;
	return plan_builder_put_rrset(a->builder, a->origin, 1, rrset);
}

void zone_plan_add_zone(struct zone_plan *zp, const char *origin, const char *text)
{
	struct adding a = {.builder = zp->builder};
	struct zonefile *file = NULL;
	struct veer_diag diag = {.text = ""};
	size_t len;
	assert_int_equal(name_parse(origin, strlen(origin), NULL, a.origin, &len, NULL), VEER_OK);
	if (zonefile_read_text(text, strlen(text), origin, a.origin, &file, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(zonefile_each(file, put_rrset, &a, &diag), VEER_OK);
	assert_int_equal(plan_builder_show_zone(zp->builder, a.origin, 1), VEER_OK);
	zonefile_free(&file);
}

void zone_plan_put(struct zone_plan *zp, enum model_kind kind, const char *key, const char *value)
{
	struct veer_diag diag = {.text = ""};
	if (plan_builder_put(zp->builder, kind, key, strlen(key), (const uint8_t *)value, strlen(value), &diag) !=
	    VEER_OK)
		fail_msg("%s: %s", key, diag.text);
}

void zone_plan_commit(struct zone_plan *zp)
{
	struct retire_list retired = {0};
	int64_t revision = zp->plan != NULL ? zp->plan->revision + 1 : 1;
	assert_int_equal(plan_builder_commit(zp->builder, revision, &zp->plan, &retired), VEER_OK);
	retire_release(&retired);
}

size_t zone_plan_query(const char *name, uint16_t type, uint16_t payload, uint8_t *out)
{
	struct byte_writer w;
	uint8_t wire[NAME_WIRE_MAX];
	size_t len;
	assert_int_equal(name_parse(name, strlen(name), NULL, wire, &len, NULL), VEER_OK);
	byte_writer_init(&w, out, 512);
	byte_write_u32(&w, 0x12340000);
	byte_write_u16(&w, 1);
	byte_write_u32(&w, 0);
	byte_write_u16(&w, payload > 0 ? 1 : 0);
	byte_write_span(&w, wire, len);
	byte_write_u16(&w, type);
	byte_write_u16(&w, 1);
	if (payload > 0) {
		byte_write_u8(&w, 0);
		byte_write_u16(&w, RRTYPE_OPT);
		byte_write_u16(&w, payload);
		byte_write_u32(&w, 0);
		byte_write_u16(&w, 0);
	}
	return byte_writer_len(&w);
}

size_t zone_plan_ask(struct zone_plan *zp, const uint8_t *packet, size_t len, bool is_tcp)
{
	static const struct client client = {.address = {192, 0, 2, 99}};
	return respond(zp->responder, zp->plan, packet, len, &client, is_tcp, zp->out,
		       is_tcp ? ENCODE_MAX : EDNS_UDP_SIZE);
}

static void add_section(char *out, size_t size, const ldns_rr_list *list)
{
	(void)strncat(out, " |", size - strlen(out) - 1);
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const char *separator = i > 0 ? ", " : " ";
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));
		text[strcspn(text, "\n")] = '\0';
		(void)strncat(out, separator, size - strlen(out) - 1);
		/* owner TTL TYPE RDATA, one blank between each; the class is always IN */
		unsigned field = 0;
		for (char *word = strchr(text, '\0'), *c = text; c < word; c++) {
			if (*c == '\t')
				field++;
			if (field == 2) /* skip "\tIN" */
				continue;
			char piece[2] = {*c == '\t' ? ' ' : *c, '\0'};
			(void)strncat(out, piece, size - strlen(out) - 1);
		}
		free(text);
	}
}

const char *zone_plan_text(const uint8_t *reply, size_t len)
{
	static char out[16384];
	ldns_pkt *pkt = NULL;
	if (len == 0)
		return "no reply";
	assert_int_equal(ldns_wire2pkt(&pkt, reply, len), LDNS_STATUS_OK);
	char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(pkt));
	(void)snprintf(out, sizeof out, "%s%s%s", rcode, ldns_pkt_aa(pkt) ? " aa" : "", ldns_pkt_tc(pkt) ? " tc" : "");
	free(rcode);
	add_section(out, sizeof out, ldns_pkt_answer(pkt));
	add_section(out, sizeof out, ldns_pkt_authority(pkt));
	add_section(out, sizeof out, ldns_pkt_additional(pkt));
	ldns_pkt_free(pkt);
	return out;
}
