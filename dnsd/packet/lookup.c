/* SPDX-License-Identifier: Apache-2.0 */
/* The lookup. See lookup.h. */
#include "dnsd/packet/lookup.h"

#include <string.h>

#define BOUND_LEN 64   /* the assumed length of a policy's RRset, octets */
#define TARGETS_MAX 26 /* names whose addresses are added as an optional help: twice the root's 13 name servers */
#define GLUE_MAX 126   /* names of a referral with required glue; more NS records are truncated over UDP anyway */

/* What the steps of one lookup share. */
struct lookup {
	const struct plan *plan;
	const struct query *q;
	const struct client *client;
	uint64_t random;
	struct answer *a;
	const struct plan_zone *zone;
	const uint8_t *name;          /* the name that is looked up now */
	unsigned labels;              /* labels of that name */
	uint8_t base;                 /* where the message has that name, as in answer_item.base */
	const struct trie_path *path; /* the result of looking it up */
};

/* How a step ended. */
enum step { STEP_DONE, STEP_FOLLOW };

static struct answer_item *add_item(struct lookup *l, const struct ready_rrset *rr, enum answer_section section,
				    unsigned skip)
{
	if (l->a->item_count == ANSWER_ITEMS_MAX)
		return NULL;
	struct answer_item *item = &l->a->items[l->a->item_count++];
	*item = (struct answer_item){.rr = rr,
				     .section = (uint8_t)section,
				     .base = l->base,
				     .skip = (uint8_t)skip,
				     .apex_skip = (uint8_t)(l->labels - skip - l->zone->labels),
				     .made_of = ANSWER_FOUND,
				     .is_required = true};
	return item;
}

/* Make a negative answer, with the SOA of the apex. */
static enum step negative(struct lookup *l, enum dns_rcode rcode)
{
	l->a->rcode = rcode;
	(void)add_item(l, l->zone->negative, ANSWER_SECTION_AUTHORITY, l->labels - l->zone->labels);
	return STEP_DONE;
}

static void locate(struct lookup *l)
{
	const struct edns_ecs *ecs = &l->q->edns.ecs;
	struct answer *a = l->a;
	if (a->has_location)
		return;
	a->has_location = true;
	if (ecs->is_present && ecs->source_len > 0)
		a->location = ecs->family == EDNS_ECS_IPV6 ? geo_lookup_ipv6(l->plan->geo, ecs->address)
							   : geo_lookup_ipv4(l->plan->geo, ecs->address);
	else
		a->location = l->client->is_ipv6 ? geo_lookup_ipv6(l->plan->geo, l->client->address)
						 : geo_lookup_ipv4(l->plan->geo, l->client->address);
}

/* The policy's outcome for this client; NULL when the policy is missing. */
static const struct policy_outcome *choose(struct lookup *l, const struct plan_entry *entry)
{
	const struct policy_program *program = plan_program(l->plan, entry);
	if (program == NULL)
		return NULL;
	if (policy_uses_location(program)) {
		l->a->uses_location = true;
		locate(l);
	}
	return policy_choose(program, l->a->location, l->random);
}

/*
 * The RRset of an entry as an addition to an answer; NULL when a policy has no answer of the type, or has a CNAME
 * instead.
 */
static const struct ready_rrset *additional_of(struct lookup *l, const struct plan_entry *entry)
{
	if (!entry->is_bound)
		return entry->rr;
	const struct policy_outcome *outcome = choose(l, entry);
	if (outcome == NULL || outcome->result != POLICY_ANSWER || outcome->rr->type != entry->type)
		return NULL;
	return outcome->rr;
}

/*
 * Find a name of the present zone whose addresses can be added. NULL also for a name below a DNAME, because such a name
 * does not exist (RFC 6672 2.4).
 */
static const struct plan_node *find_addition(struct lookup *l, const uint8_t *name)
{
	const struct trie_path *path = &l->a->path;
	if (!name_is_under(name, l->zone->name))
		return NULL;
	trie_find(&l->zone->nodes, name, &l->a->path);
	for (unsigned i = 0; i < path->count; i++) {
		const struct plan_node *above = path->above[i];
		if ((above->flags & PLAN_NODE_DNAME) != 0)
			return NULL;
	}
	return path->exact;
}

/* Add the addresses of `node`, whose name the message has as target `target` of item `base`. */
static void add_addresses(struct lookup *l, const struct plan_node *node, uint8_t base, unsigned target,
			  bool is_required)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA};
	unsigned labels = name_label_count(node->name);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		const struct plan_entry *entry = plan_node_entry(node, types[i]);
		const struct ready_rrset *rr = entry != NULL ? additional_of(l, entry) : NULL;
		if (rr == NULL || l->a->item_count == ANSWER_ITEMS_MAX)
			continue;
		l->a->items[l->a->item_count++] = (struct answer_item){.rr = rr,
								       .section = ANSWER_SECTION_ADDITIONAL,
								       .base = base,
								       .target = (uint16_t)target,
								       .made_of = ANSWER_FOUND,
								       .apex_skip = (uint8_t)(labels - l->zone->labels),
								       .is_required = is_required};
	}
}

/*
 * For SVCB and HTTPS: does the target "." of this record mean its owner? It does in service mode (RFC 9460 2.5.2), but
 * not in alias mode.
 */
static bool is_owner(const struct ready_rrset *rr, unsigned target)
{
	const uint8_t *name = rr->data + ready_target_at(rr, target);
	return (rr->type == RRTYPE_SVCB || rr->type == RRTYPE_HTTPS) && name[0] == 0 && (name[-1] | name[-2]) != 0;
}

/*
 * Add the addresses of the names in an item's RDATA, each name once. For a referral, `cut` is the delegation's name:
 * names at or below it are glue, without which the referral is useless (RFC 9471 3). Only names of the present zone are
 * added: a resolver would not trust addresses of other names from us (RFC 2181 5.4.1), even if we serve their zone.
 */
static void add_targets(struct lookup *l, unsigned item_index, const uint8_t *owner, const uint8_t *cut)
{
	const struct answer_item *item = &l->a->items[item_index];
	const struct ready_rrset *rr = item->rr;
	const struct plan_node *nodes[GLUE_MAX];
	unsigned limit = cut != NULL ? GLUE_MAX : TARGETS_MAX;
	unsigned count = rr->target_count < limit ? rr->target_count : limit;
	for (unsigned i = 0; i < count; i++) {
		uint8_t name[NAME_WIRE_MAX];
		bool owned = is_owner(rr, i);
		size_t len = ready_target(rr, i, owner, l->zone->name, name);
		name_lower(name, len); /* names in RDATA keep their case */
		nodes[i] = len > 0 ? find_addition(l, owned ? owner : name) : NULL;
		bool is_new = nodes[i] != NULL;
		for (unsigned j = 0; j < i && is_new; j++)
			is_new = nodes[j] != nodes[i];
		if (is_new && owned)
			add_addresses(l, nodes[i], item->base, item->target, false);
		else if (is_new)
			add_addresses(l, nodes[i], (uint8_t)item_index, i, cut != NULL && name_is_under(name, cut));
	}
}

static enum step refer(struct lookup *l, const struct plan_node *cut)
{
	const struct plan_entry *ns = plan_node_entry(cut, RRTYPE_NS);
	unsigned skip = l->labels - name_label_count(cut->name);
	unsigned index = l->a->item_count;
	if (l->a->name_count == 1)
		l->a->is_authoritative = false; /* after a CNAME, AA is about the first owner name (RFC 1035 4.1.1),
						 * so it stays set */
	if (ns->rr != NULL && add_item(l, ns->rr, ANSWER_SECTION_AUTHORITY, skip) != NULL)
		add_targets(l, index, cut->name, cut->name);
	return STEP_DONE;
}

/* Put an RRset into the answer; a CNAME that was not asked for must be followed. */
static enum step answer_with(struct lookup *l, const struct ready_rrset *rr)
{
	unsigned index = l->a->item_count;
	if (add_item(l, rr, ANSWER_SECTION_ANSWER, 0) == NULL)
		return STEP_DONE;
	if (rr->type == RRTYPE_CNAME && l->q->qtype != RRTYPE_CNAME && l->q->qtype != RRTYPE_ANY)
		return STEP_FOLLOW;
	if (rr->target_count > 0 && rr->type != RRTYPE_CNAME && rr->type != RRTYPE_DNAME)
		add_targets(l, index, l->name, NULL);
	return STEP_DONE;
}

static enum step answer_entry(struct lookup *l, const struct plan_entry *entry)
{
	if (!entry->is_bound)
		return answer_with(l, entry->rr);
	l->a->outcome = choose(l, entry);
	switch (l->a->outcome != NULL ? l->a->outcome->result : POLICY_SERVFAIL) {
	case POLICY_ANSWER:
		return answer_with(l, l->a->outcome->rr);
	case POLICY_NODATA:
		return negative(l, DNS_NOERROR);
	case POLICY_SERVFAIL:
		break;
	}
	l->a->rcode = DNS_SERVFAIL;
	return STEP_DONE;
}

/*
 * The answer to ANY: any one RRset is enough (RFC 8482 4.1). The smallest is taken, so that the reply is useless for
 * amplification attacks and needs no TCP.
 */
static const struct plan_entry *smallest_entry(const struct plan_node *node)
{
	const struct plan_entry *entries = plan_node_entries(node), *found = NULL;
	size_t found_len = SIZE_MAX;
	for (unsigned i = 0; i < node->entry_count; i++) {
		size_t len = entries[i].is_bound ? BOUND_LEN : entries[i].rr->len;
		if (len < found_len) {
			found = &entries[i];
			found_len = len;
		}
	}
	return found;
}

/* Answer for a name that exists, itself or by a wildcard. */
static enum step answer_node(struct lookup *l, const struct plan_node *node)
{
	const struct plan_entry *entry;
	if (l->q->qtype == RRTYPE_ANY)
		entry = smallest_entry(node);
	else
		entry = plan_node_entry(node, l->q->qtype);
	if (entry == NULL && (node->flags & PLAN_NODE_CNAME) != 0)
		entry = plan_node_entry(node, RRTYPE_CNAME);
	return entry != NULL ? answer_entry(l, entry) : negative(l, DNS_NOERROR);
}

/* The name does not exist: a wildcard directly below the closest encloser may match it (RFC 4592 3.3.1). */
static enum step answer_missing(struct lookup *l)
{
	uint8_t source[NAME_WIRE_MAX + 2];
	const uint8_t *encloser = name_skip(l->name, l->labels - l->path->common);
	size_t len = name_len(encloser);
	if (len + 2 <= NAME_WIRE_MAX) {
		source[0] = 1;
		source[1] = '*';
		memcpy(source + 2, encloser, len);
		trie_find(&l->zone->nodes, source, &l->a->path);
		if (l->a->path.exact != NULL)
			return answer_node(l, l->a->path.exact);
		if (l->a->path.common == name_label_count(source))
			return negative(l, DNS_NOERROR); /* "*" is an empty non-terminal: it exists, without data */
	}
	return negative(l, DNS_NXDOMAIN);
}

/* The target of a DNAME, as it is in the plan: names that must not be compressed are stored uncompressed. */
static const uint8_t *dname_target(const struct ready_rrset *rr)
{
	return rr->data + ready_target_at(rr, 0);
}

/*
 * Add a DNAME to the answer and return its index. An RRset is in the answer only once, however often a chain passes it
 * (RFC 2181 5).
 */
static int add_dname(struct lookup *l, const struct ready_rrset *rr, unsigned skip)
{
	for (unsigned i = 0; i < l->a->item_count; i++)
		if (l->a->items[i].rr == rr)
			return (int)i;
	return add_item(l, rr, ANSWER_SECTION_ANSWER, skip) != NULL ? (int)l->a->item_count - 1 : -1;
}

/*
 * The name is below a DNAME (RFC 6672 3.2 step 3C): the DNAME's owner at its end is replaced by the DNAME's target. The
 * CNAME for that has the DNAME's TTL (RFC 6672 3.1), and the labels of the question keep their case.
 */
static enum step redirect(struct lookup *l, const struct plan_node *node)
{
	struct answer *a = l->a;
	const struct plan_entry *entry = plan_node_entry(node, RRTYPE_DNAME);
	unsigned skip = l->labels - name_label_count(node->name);
	const uint8_t *from = l->base == ANSWER_QNAME ? l->q->packet + DNS_HEADER_LEN : l->name;
	size_t kept = (size_t)(name_skip(from, skip) - from);
	int dname = entry->rr != NULL ? add_dname(l, entry->rr, skip) : -1;
	if (dname < 0)
		return STEP_DONE;
	const uint8_t *target = dname_target(entry->rr);
	uint8_t lower[NAME_WIRE_MAX];
	name_lower_copy(lower, target, name_len(target));
	if (kept + name_len(target) > NAME_WIRE_MAX) {
		a->rcode = DNS_YXDOMAIN; /* RFC 6672 2.2 */
		return STEP_DONE;
	}
	const struct ready_rrset *cname = ready_cname(a->cnames[a->name_count - 1], entry->rr->ttl, from, kept);
	struct answer_item *item = add_item(l, cname, ANSWER_SECTION_ANSWER, 0);
	if (item == NULL)
		return STEP_DONE;
	item->made_of = (uint8_t)dname;
	/*
	 * stop here if the CNAME itself was asked for, or if the new name is below the DNAME again, which would never
	 * end
	 */
	if (l->q->qtype == RRTYPE_CNAME || name_is_under(lower, node->name))
		return STEP_DONE;
	return STEP_FOLLOW;
}

/* Look up one name in one zone (RFC 1034 4.3.2 step 3). */
static enum step look(struct lookup *l)
{
	const struct trie_path *path = l->path;
	for (unsigned i = 0; i < path->count; i++) {
		const struct plan_node *above = path->above[i];
		if ((above->flags & PLAN_NODE_CUT) != 0)
			return refer(l, above);
		if ((above->flags & PLAN_NODE_DNAME) != 0)
			return redirect(l, above);
	}
	const struct plan_node *node = path->exact;
	if (node != NULL && (node->flags & PLAN_NODE_CUT) != 0 && l->q->qtype != RRTYPE_DS)
		return refer(l, node);
	if (node != NULL)
		return answer_node(l, node);
	if (path->common == l->labels)
		return negative(l, DNS_NOERROR); /* an empty non-terminal (RFC 4592 2.2.2) */
	return answer_missing(l);
}

/* The zone to answer from; DS is answered by the parent's side of a zone cut (RFC 4035 3.1.4.1). */
static const struct plan_zone *zone_for(const struct plan *plan, const struct trie_key *key, uint16_t qtype)
{
	const struct plan_zone *zone = plan_zone_find(plan, key);
	if (qtype != RRTYPE_DS || zone == NULL || zone->labels != key->label_count)
		return zone;
	const struct plan_zone *parent = plan_zone_find_above(plan, key);
	return parent != NULL ? parent : zone;
}

/* Go on at the CNAME's target, if it is in a zone of ours and not yet in the chain. */
static bool follow(struct lookup *l)
{
	struct answer *a = l->a;
	unsigned index = a->item_count - 1;
	uint8_t *target = a->names[a->name_count];
	if (a->name_count > ANSWER_CHAIN_MAX)
		return false;
	uint8_t made_of = a->items[index].made_of;
	const uint8_t *apex = made_of != ANSWER_FOUND ? dname_target(a->items[made_of].rr) : l->zone->name;
	size_t len = ready_target(a->items[index].rr, 0, l->name, apex, target);
	if (len == 0)
		return false;
	name_lower(target, len);
	for (unsigned i = 0; i < a->name_count; i++)
		if (name_equal(a->names[i], target))
			return false;
	trie_key_make(&a->key, target);
	const struct plan_zone *zone = zone_for(l->plan, &a->key, l->q->qtype);
	if (zone == NULL || !zone->is_servable)
		return false;
	a->name_count++;
	trie_find_key(&zone->nodes, &a->key, &a->path);
	l->zone = zone;
	l->path = &a->path;
	l->name = target;
	l->labels = a->key.label_count;
	l->base = (uint8_t)index;
	return true;
}

void lookup_begin(const struct plan *plan, const struct query *q, struct lookup_start *start)
{
	trie_key_make(&start->key, q->qname);
	start->qtype = q->qtype;
	start->zone = zone_for(plan, &start->key, q->qtype);
	start->is_ready = start->zone == NULL;
	start->is_walking = !start->is_ready;
	if (start->is_walking)
		trie_walk_begin(&start->walk, &start->zone->nodes, &start->key, &start->path);
}

bool lookup_step(struct lookup_start *start)
{
	if (start->is_ready)
		return false;
	if (start->is_walking) {
		start->is_walking = trie_walk_step(&start->walk);
		return true;
	}
	/* this is the node, if the name exists: now fetch what will probably be copied */
	const struct plan_node *node = trie_walk_value(&start->walk);
	const struct plan_entry *entry = node != NULL ? plan_node_entry(node, start->qtype) : NULL;
	if (entry != NULL && !entry->is_bound)
		__builtin_prefetch(entry->rr);
	start->is_ready = true;
	return false;
}

/* Is there nothing to look up? So for transfers (RFC 5936 2.2.1) and names that are not in our zones. */
static bool is_refused(const struct plan *plan, const struct query *q, const struct plan_zone *zone, struct answer *out)
{
	bool is_transfer = q->qtype == RRTYPE_AXFR || q->qtype == RRTYPE_IXFR;
	if (!is_transfer && zone != NULL && zone->is_servable)
		return false;
	out->is_authoritative = false;
	if (is_transfer && trie_get(&plan->zones, q->qname) != NULL) {
		out->rcode = DNS_REFUSED;
	} else if (is_transfer || zone == NULL) {
		out->rcode = is_transfer ? DNS_NOTAUTH : DNS_REFUSED;
		out->error = EDNS_ERROR_NOT_AUTHORITATIVE;
	} else {
		out->rcode = DNS_SERVFAIL;
		out->error = EDNS_ERROR_NOT_READY;
	}
	return true;
}

void lookup_decide(const struct plan *plan, const struct query *q, const struct client *client, uint64_t random,
		   struct lookup_start *start, struct answer *out)
{
	out->rcode = DNS_NOERROR;
	out->error = EDNS_ERROR_NONE;
	out->is_authoritative = true;
	out->uses_location = false;
	out->has_location = false;
	out->location = (struct geo_location){0};
	out->outcome = NULL;
	out->item_count = 0;
	out->name_count = 1;
	if (is_refused(plan, q, start->zone, out))
		return;
	while (start->is_walking)
		start->is_walking = trie_walk_step(&start->walk);
	trie_walk_end(&start->walk);
	memcpy(out->names[0], q->qname, q->qname_len);
	struct lookup l = {.plan = plan,
			   .q = q,
			   .client = client,
			   .random = random,
			   .a = out,
			   .zone = start->zone,
			   .name = out->names[0],
			   .labels = start->key.label_count,
			   .base = ANSWER_QNAME,
			   .path = &start->path};
	while (look(&l) == STEP_FOLLOW && follow(&l))
		;
	if (out->rcode == DNS_SERVFAIL) {
		out->item_count = 0;
		out->is_authoritative = false;
	}
}
