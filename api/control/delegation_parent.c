/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_parent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "zones/dns/message.h"
#include "zones/dns/rdata.h"

enum { DNS_PORT = 53, RCODE_NXDOMAIN = 3, PASSES = 3 };

/* --- what a server says ------------------------------------------------------------------------------------- */

static bool has_soa_above(const struct delegation_reply *reply, const uint8_t *zone, bool *is_own)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct delegation_record *r = &reply->records[i];
		if (r->section != DELEGATION_AUTHORITY || r->type != RRTYPE_SOA || !name_is_under(zone, r->owner))
			continue;
		*is_own = name_equal(zone, r->owner);
		return true;
	}
	return false;
}

/* Collect the NS RRset of the zone from a section, with the addresses in the additional section. */
static void take_set(const uint8_t *zone, const struct delegation_reply *reply, enum delegation_section section,
		     struct delegation_set *set)
{
	*set = (struct delegation_set){.is_cut = reply->is_cut, .ttl = UINT32_MAX};
	for (size_t i = 0; i < reply->count; i++) {
		const struct delegation_record *r = &reply->records[i];
		if (r->section != section || r->type != RRTYPE_NS || !name_equal(r->owner, zone))
			continue;
		(void)delegation_set_add(set, r->target);
		set->ttl = r->ttl < set->ttl ? r->ttl : set->ttl;
	}
	for (size_t i = 0; i < reply->count; i++) {
		const struct delegation_record *r = &reply->records[i];
		struct delegation_host *host = r->section == DELEGATION_ADDITIONAL && r->addr.family != 0
						       ? delegation_set_find(set, r->owner)
						       : NULL;
		if (host != NULL)
			delegation_host_add(host, &r->addr);
	}
}

void delegation_server_take(const uint8_t *zone, const struct delegation_reply *reply, struct delegation_server *server)
{
	bool is_own = false;
	server->result = DELEGATION_ELSEWHERE;
	server->rcode = reply->rcode;
	if (reply->rcode != 0 && reply->rcode != RCODE_NXDOMAIN) {
		server->result = DELEGATION_FAILED;
		return;
	}
	take_set(zone, reply, DELEGATION_ANSWER, &server->set);
	if (server->set.count > 0) {
		server->result = reply->is_authoritative ? DELEGATION_SAME : DELEGATION_ELSEWHERE;
		return;
	}
	take_set(zone, reply, DELEGATION_AUTHORITY, &server->set);
	if (server->set.count > 0)
		server->result = DELEGATION_REFERRAL; /* RFC 1034 4.3.2 step 3b */
	else if (reply->is_authoritative && has_soa_above(reply, zone, &is_own))
		server->result = is_own ? DELEGATION_SAME : DELEGATION_ABSENT; /* RFC 2308 2 */
}

/* --- finding the parent ------------------------------------------------------------------------------------- */

/* One search for the parent. */
struct search {
	struct resolvers resolvers;
	struct delegation_asker asker;
	const uint8_t *zone;
	struct delegation_parent *out;
	struct delegation_reply *reply; /* the latest */
	int64_t end_ms;                 /* deadline of the whole search */
};

/* Does any resolver answer at all? Every resolver knows the root's name servers, or refuses at once. */
static enum veer_err ask_for_root(struct search *s)
{
	static const uint8_t root[1] = {0};
	s->asker.deadline_ms = s->end_ms;
	enum veer_err err = delegation_resolve(&s->asker, &s->resolvers, root, RRTYPE_NS, s->reply);
	return err == VEER_EINVAL ? VEER_OK : err;
}

/*
 * Explain why the parent is not found. A resolver may be silent about one name because it waits for dead servers
 * itself; that is told apart from a resolver that is silent about everything.
 */
static enum veer_err explain(struct search *s, enum veer_err err)
{
	char *why = s->out->why, text[DNS_RCODE_TEXT_SIZE];
	if (err == VEER_ECLOSED || err == VEER_ENOMEM)
		return err;
	if (err == VEER_EINVAL) {
		(void)snprintf(why, sizeof s->out->why, "the resolver cannot find the parent (%s)",
			       dns_rcode_print(s->reply->rcode, text));
		return VEER_OK;
	}
	err = s->resolvers.count > 0 ? ask_for_root(s) : VEER_ETIMEOUT;
	if (err == VEER_ECLOSED || err == VEER_ENOMEM)
		return err;
	(void)snprintf(why, sizeof s->out->why, "%s",
		       err == VEER_OK           ? "the resolver does not find the parent in time"
		       : s->resolvers.count > 0 ? "no resolver has answered"
						: "no resolver is configured");
	return err == VEER_OK ? VEER_OK : VEER_ETIMEOUT;
}

static void take_servers(struct search *s, const uint8_t *name)
{
	struct delegation_parent *p = s->out;
	for (size_t i = 0; i < s->reply->count && p->count < DELEGATION_SERVERS_MAX; i++) {
		const struct delegation_record *r = &s->reply->records[i];
		if (r->section != DELEGATION_ANSWER || r->type != RRTYPE_NS || !name_equal(r->owner, name))
			continue;
		bool is_new = true;
		for (size_t k = 0; k < p->count; k++)
			is_new = is_new && !name_equal(p->servers[k].name, r->target);
		if (is_new)
			memcpy(p->servers[p->count++].name, r->target, name_len(r->target));
	}
	p->is_found = p->count > 0;
	if (p->is_found)
		memcpy(p->name, name, name_len(name));
}

/* The nearest name above the zone that has an NS RRset is the apex of the zone that delegates it. */
static enum veer_err find_servers(struct search *s)
{
	unsigned labels = name_label_count(s->zone);
	for (unsigned skipped = 1; skipped <= labels && !s->out->is_found; skipped++) {
		const uint8_t *name = name_skip(s->zone, skipped);
		enum veer_err err = delegation_resolve(&s->asker, &s->resolvers, name, RRTYPE_NS, s->reply);
		if (err != VEER_OK)
			return explain(s, err);
		take_servers(s, name);
	}
	if (!s->out->is_found)
		(void)snprintf(s->out->why, sizeof s->out->why, "the resolver knows no parent");
	return VEER_OK;
}

/* Find the first address of a family. If the resolver has become silent meanwhile, the server stays without one. */
static enum veer_err find_addr(struct search *s, struct delegation_server *server, uint16_t type)
{
	enum veer_err err = delegation_resolve(&s->asker, &s->resolvers, server->name, type, s->reply);
	if (err == VEER_ECLOSED || err == VEER_ENOMEM)
		return err;
	for (size_t i = 0; err == VEER_OK && i < s->reply->count; i++) {
		const struct delegation_record *r = &s->reply->records[i];
		if (r->section == DELEGATION_ANSWER && r->type == type) {
			server->addrs[server->addr_count++] = r->addr;
			break;
		}
	}
	return VEER_OK;
}

static enum veer_err find_addrs(struct search *s)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < s->out->count && err == VEER_OK; i++) {
		struct delegation_server *server = &s->out->servers[i];
		err = find_addr(s, server, RRTYPE_A);
		if (err == VEER_OK)
			err = find_addr(s, server, RRTYPE_AAAA);
		if (server->addr_count == 0)
			server->result = DELEGATION_NO_ADDRESS;
	}
	return err;
}

/* --- asking it ---------------------------------------------------------------------------------------------- */

static enum veer_err ask_server(struct search *s, struct delegation_server *server, const struct veer_addr *addr)
{
	const struct delegation_question question = {.name = s->zone, .type = RRTYPE_NS};
	struct veer_listen at;
	veer_listen_from_addr(addr, DNS_PORT, &at);
	server->asked = *addr;
	server->is_asked = true;
	enum veer_err err = delegation_ask(&s->asker, &at, &question, s->reply);
	if (err == VEER_ECLOSED || err == VEER_ENOMEM)
		return err;
	server->result = DELEGATION_NO_ANSWER;
	if (err == VEER_OK)
		delegation_server_take(s->zone, s->reply, server);
	return VEER_OK;
}

/*
 * Ask each server once, then again those that were silent, so that a silent server does not use up the others' time. A
 * server with an address of both families is asked at the first, the second, and the first again, because this host may
 * have only one of the families.
 */
static enum veer_err ask_servers(struct search *s)
{
	enum veer_err err = VEER_OK;
	for (size_t pass = 0; pass < PASSES && err == VEER_OK; pass++) {
		for (size_t i = 0; i < s->out->count && err == VEER_OK; i++) {
			struct delegation_server *server = &s->out->servers[i];
			bool is_silent =
				server->result == DELEGATION_NOT_ASKED || server->result == DELEGATION_NO_ANSWER;
			if (!is_silent || pass > server->addr_count ||
			    veer_clock_monotonic_ms(veer_clock_system()) >= s->asker.deadline_ms)
				continue;
			err = ask_server(s, server, &server->addrs[pass % server->addr_count]);
		}
	}
	return err;
}

enum veer_err delegation_parent_ask(const struct resolvers *resolvers, int interrupt_fd, const uint8_t *zone,
				    struct delegation_parent *out)
{
	int64_t start_ms = veer_clock_monotonic_ms(veer_clock_system());
	struct search s = {.resolvers = *resolvers, .zone = zone, .out = out, .end_ms = start_ms + DELEGATION_FIND_MS};
	s.asker = (struct delegation_asker){.interrupt_fd = interrupt_fd,
					    .deadline_ms = start_ms + DELEGATION_FIND_MS / 2};
	memset(out, 0, sizeof *out);
	s.reply = malloc(sizeof *s.reply);
	if (s.reply == NULL)
		return VEER_ENOMEM;
	s.reply->rcode = 0;
	enum veer_err err = find_servers(&s);
	if (err == VEER_OK)
		err = find_addrs(&s);
	s.asker.deadline_ms = s.end_ms;
	if (err == VEER_OK)
		err = ask_servers(&s);
	free(s.reply);
	return err;
}
