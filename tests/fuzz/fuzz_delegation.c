/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and judges a reply of a parent's server. The same bytes give the same result, only valid names and addresses
 * within the bounds are kept, a reply with another id is not ours, and the verdict is JSON. The first two octets are
 * the flags, the next three the counts of records, and the rest follows the question.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/delegation_parent.h"
#include "tests/fuzz/fuzz.h"
#include "zones/dns/rdata.h"

enum { ID = 0x1234, FIRST = 5 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

static const uint8_t zone[] = "\4gslb\7example";
static const uint8_t host[] = "\3ns1\4gslb\7example";
static const struct delegation_question question = {.name = zone, .type = RRTYPE_NS};

static void check_name(const uint8_t *name)
{
	uint8_t lower[NAME_WIRE_MAX];
	size_t len = name_check(name, NAME_WIRE_MAX);
	check(len > 0);
	name_lower_copy(lower, name, len);
	check(memcmp(lower, name, len) == 0);
}

static void check_reply(const struct delegation_reply *reply)
{
	check(reply->count <= DELEGATION_RECORDS_MAX && reply->rcode < 4096);
	check(!reply->is_truncated || reply->count == 0);
	for (size_t i = 0; i < reply->count; i++) {
		const struct delegation_record *r = &reply->records[i];
		check_name(r->owner);
		if (r->type == RRTYPE_NS)
			check_name(r->target);
		else if (r->type == RRTYPE_A || r->type == RRTYPE_AAAA)
			check(r->addr.family == (r->type == RRTYPE_A ? VEER_FAMILY_V4 : VEER_FAMILY_V6));
		else
			check(r->type == RRTYPE_SOA || r->type == RRTYPE_CNAME);
	}
}

static void check_judgement(const struct delegation_reply *reply)
{
	struct delegation_set *own = calloc(1, sizeof *own);
	struct delegation_parent *parent = calloc(1, sizeof *parent);
	json_t *out = json_object();
	check(own != NULL && parent != NULL && out != NULL);
	check(delegation_set_add(own, host) != NULL);
	parent->count = 1;
	delegation_server_take(zone, reply, &parent->servers[0]);
	enum delegation_state state = delegation_judge(zone, own, parent, out);
	bool has_answer = parent->servers[0].result >= DELEGATION_ABSENT;
	check(has_answer == (state != DELEGATION_UNREACHABLE));
	check(state != DELEGATION_OK || json_array_size(json_object_get(out, "ns_only_zone")) == 0);
	char *text = veer_json_dump(out);
	check(text != NULL);
	free(text);
	json_decref(out);
	free(parent);
	free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct delegation_reply reply, again;
	if (size < FIRST || size > 60000)
		return 0;
	size_t len = 12 + sizeof zone + 4 + size - FIRST;
	uint8_t *message = malloc(len);
	check(message != NULL);
	memcpy(message,
	       (const uint8_t[]){ID >> 8, ID & 255, data[0] | 0x80, data[1], 0, 1, 0, data[2], 0, data[3], 0, data[4]},
	       12);
	memcpy(message + 12, zone, sizeof zone);
	memcpy(message + 12 + sizeof zone, "\0\2\0\1", 4);
	memcpy(message + 12 + sizeof zone + 4, data + FIRST, size - FIRST);
	enum veer_err err = delegation_reply_read(&question, ID, message, len, &reply);
	check(err == VEER_OK || err == VEER_ECORRUPT || (err == VEER_EINVAL && (data[0] & 0x78) != 0));
	check(delegation_reply_read(&question, ID ^ 1, message, len, &again) == VEER_EINVAL);
	if (err == VEER_OK) {
		check(delegation_reply_read(&question, ID, message, len, &again) == VEER_OK);
		check(again.count == reply.count && again.rcode == reply.rcode);
		check(memcmp(again.records, reply.records, reply.count * sizeof reply.records[0]) == 0);
		check_reply(&reply);
		check_judgement(&reply);
	}
	free(message);
	return 0;
}
