/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_judge.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/control/delegation_message.h"
#include "base/buf.h"
#include "zones/dns/message.h"

enum { SENTENCE = NAME_TEXT_SIZE + 256, LEAST = 2 };

const char *delegation_state_text(enum delegation_state state)
{
	static const char *const texts[DELEGATION_STATES] = {
		[DELEGATION_UNCHECKED] = "unchecked",     [DELEGATION_OK] = "ok",
		[DELEGATION_DIFFERS] = "differs",         [DELEGATION_MISSING] = "missing",
		[DELEGATION_UNREACHABLE] = "unreachable",
	};
	assert(state < DELEGATION_STATES);
	return texts[state];
}

struct delegation_host *delegation_set_find(const struct delegation_set *set, const uint8_t *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (name_equal(set->hosts[i].name, name))
			return (struct delegation_host *)(uintptr_t)&set->hosts[i];
	return NULL;
}

struct delegation_host *delegation_set_add(struct delegation_set *set, const uint8_t *name)
{
	struct delegation_host *host = delegation_set_find(set, name);
	if (host != NULL)
		return host;
	if (set->count == DELEGATION_HOSTS_MAX) {
		set->is_cut = true;
		return NULL;
	}
	host = &set->hosts[set->count++];
	*host = (struct delegation_host){.addr_count = 0};
	memcpy(host->name, name, name_len(name));
	return host;
}

static bool has_addr(const struct delegation_host *host, const struct veer_addr *addr)
{
	for (size_t i = 0; host != NULL && i < host->addr_count; i++)
		if (veer_addr_equal(&host->addrs[i], addr))
			return true;
	return false;
}

void delegation_host_add(struct delegation_host *host, const struct veer_addr *addr)
{
	if (host->addr_count < DELEGATION_ADDRS_MAX && !has_addr(host, addr))
		host->addrs[host->addr_count++] = *addr;
}

/* --- results ------------------------------------------------------------------------------------------------ */

/* A comparison in progress. The lists belong to `out`. */
struct judge {
	const uint8_t *zone;
	const struct delegation_set *own;
	const struct delegation_parent *parent;
	json_t *out;
	json_t *only_parent, *only_zone, *glue, *warnings;
	size_t absent, referrals, same; /* how many servers have sent such a reply */
	bool disagree;
};

/* Add a text to a list, once. */
static void add_text(json_t *list, const char *text)
{
	size_t i;
	json_t *old;
	json_array_foreach(list, i, old) if (strcmp(json_string_value(old), text) == 0) return;
	(void)json_array_append_new(list, json_string(text));
}

static void add_name(json_t *list, const uint8_t *name)
{
	char text[NAME_TEXT_SIZE];
	(void)name_print(name, text, sizeof text);
	add_text(list, text);
}

static void add_addr(json_t *list, const struct veer_addr *addr)
{
	char text[VEER_ADDR_TEXT_SIZE];
	veer_addr_print(addr, text);
	add_text(list, text);
}

__attribute__((format(printf, 2, 3))) static void warn(struct judge *j, const char *fmt, ...)
{
	char text[SENTENCE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add_text(j->warnings, text);
}

static json_t *new_list(json_t *out, const char *key)
{
	json_t *list = json_array();
	(void)json_object_set_new(out, key, list);
	return list;
}

/* --- servers of the parent ---------------------------------------------------------------------------------- */

static const char *result_text(const struct delegation_server *server, char rcode[DNS_RCODE_TEXT_SIZE])
{
	static const char *const texts[] = {[DELEGATION_NOT_ASKED] = "not asked",
					    [DELEGATION_NO_ADDRESS] = "no address",
					    [DELEGATION_NO_ANSWER] = "no answer",
					    [DELEGATION_FAILED] = NULL,
					    [DELEGATION_ELSEWHERE] = "no delegation, and not its own",
					    [DELEGATION_ABSENT] = "missing",
					    [DELEGATION_REFERRAL] = "delegates",
					    [DELEGATION_SAME] = "serves the zone itself"};
	const char *text = texts[server->result];
	return text != NULL ? text : dns_rcode_print(server->rcode, rcode);
}

static bool has_set(const struct delegation_server *server)
{
	return server->result == DELEGATION_REFERRAL || server->result == DELEGATION_SAME;
}

static bool are_same_names(const struct delegation_set *a, const struct delegation_set *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; i < a->count; i++)
		same = same && delegation_set_find(b, a->hosts[i].name) != NULL;
	return same;
}

/* Count servers by reply. Servers that also serve the zone itself say nothing about the parent's data. */
static void count_servers(struct judge *j)
{
	const struct delegation_set *first = NULL;
	for (size_t i = 0; i < j->parent->count; i++) {
		const struct delegation_server *server = &j->parent->servers[i];
		j->absent += server->result == DELEGATION_ABSENT;
		j->referrals += server->result == DELEGATION_REFERRAL;
		j->same += server->result == DELEGATION_SAME;
		if (server->result != DELEGATION_REFERRAL)
			continue;
		if (first != NULL && !are_same_names(first, &server->set))
			j->disagree = true;
		first = first != NULL ? first : &server->set;
	}
	j->disagree = j->disagree || (j->absent > 0 && j->referrals > 0);
}

static void show_server(struct judge *j, json_t *list, const struct delegation_server *server)
{
	char name[NAME_TEXT_SIZE], address[VEER_ADDR_TEXT_SIZE], rcode[DNS_RCODE_TEXT_SIZE];
	(void)name_print(server->name, name, sizeof name);
	json_t *item = json_pack("{s:s, s:s}", "name", name, "result", result_text(server, rcode));
	if (server->is_asked) {
		veer_addr_print(&server->asked, address);
		(void)json_object_set_new(item, "address", json_string(address));
	}
	if (j->disagree && has_set(server)) {
		json_t *ns = new_list(item, "ns");
		for (size_t i = 0; i < server->set.count; i++)
			add_name(ns, server->set.hosts[i].name);
	}
	(void)json_array_append_new(list, item);
}

static void show_parent(struct judge *j)
{
	char name[NAME_TEXT_SIZE];
	if (j->parent->is_found) {
		(void)name_print(j->parent->name, name, sizeof name);
		(void)json_object_set_new(j->out, "parent", json_string(name));
	}
	json_t *servers = new_list(j->out, "servers");
	for (size_t i = 0; i < j->parent->count; i++)
		show_server(j, servers, &j->parent->servers[i]);
}

/* --- names and addresses ------------------------------------------------------------------------------------ */

static void compare_names(struct judge *j, const struct delegation_set *theirs)
{
	for (size_t i = 0; i < theirs->count; i++)
		if (delegation_set_find(j->own, theirs->hosts[i].name) == NULL)
			add_name(j->only_parent, theirs->hosts[i].name);
	for (size_t i = 0; i < j->own->count; i++)
		if (delegation_set_find(theirs, j->own->hosts[i].name) == NULL)
			add_name(j->only_zone, j->own->hosts[i].name);
}

static void compare_addrs(const struct delegation_host *own, const struct delegation_host *theirs, json_t *only_parent,
			  json_t *only_zone)
{
	for (size_t i = 0; theirs != NULL && i < theirs->addr_count; i++)
		if (!has_addr(own, &theirs->addrs[i]))
			add_addr(only_parent, &theirs->addrs[i]);
	for (size_t i = 0; i < own->addr_count; i++)
		if (!has_addr(theirs, &own->addrs[i]))
			add_addr(only_zone, &own->addrs[i]);
}

/*
 * Compare the glue of one name server within the zone, at all servers that have sent a delegation, or that have none.
 */
static void compare_glue(struct judge *j, const struct delegation_host *own)
{
	char name[NAME_TEXT_SIZE];
	if (!name_is_under(own->name, j->zone))
		return;
	(void)name_print(own->name, name, sizeof name);
	if (own->addr_count == 0 && !own->is_bound)
		warn(j, "%s has no address in the zone", name);
	if (own->is_bound)
		return;
	json_t *item = json_pack("{s:s}", "name", name);
	json_t *only_parent = new_list(item, "only_parent"), *only_zone = new_list(item, "only_zone");
	for (size_t i = 0; i < j->parent->count; i++) {
		const struct delegation_server *server = &j->parent->servers[i];
		if (server->result == DELEGATION_REFERRAL)
			compare_addrs(own, delegation_set_find(&server->set, own->name), only_parent, only_zone);
		else if (server->result == DELEGATION_ABSENT && j->referrals == 0)
			compare_addrs(own, NULL, only_parent, only_zone);
	}
	if (json_array_size(only_parent) + json_array_size(only_zone) > 0)
		(void)json_array_append(j->glue, item);
	json_decref(item);
}

static void compare_ttl(struct judge *j)
{
	uint32_t parent = UINT32_MAX;
	for (size_t i = 0; i < j->parent->count; i++)
		if (j->parent->servers[i].result == DELEGATION_REFERRAL && j->parent->servers[i].set.ttl < parent)
			parent = j->parent->servers[i].set.ttl;
	json_t *ttl = json_pack("{s:I}", "zone", (json_int_t)j->own->ttl);
	(void)json_object_set_new(j->out, "ttl", ttl);
	if (j->referrals == 0)
		return;
	(void)json_object_set_new(ttl, "parent", json_integer(parent));
	/* a TTL with its first bit set counts as 0 (RFC 2181 8) */
	if (j->own->count > 0 && j->own->ttl < parent && parent <= INT32_MAX)
		warn(j,
		     "the TTL of the zone's NS is %u, the parent's %u: make it at least as long, for resolvers keep "
		     "the zone's and then ask the parent again",
		     j->own->ttl, parent);
}

/* --- the verdict -------------------------------------------------------------------------------------------- */

static void describe_difference(const struct judge *j, struct buf *text)
{
	struct {
		size_t count;
		const char *what;
	} parts[] = {{json_array_size(j->only_parent), "name servers only at the parent"},
		     {json_array_size(j->only_zone), "name servers only in the zone"},
		     {json_array_size(j->glue), "name servers with other addresses"}};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].count > 0)
			buf_printf(text, "%s%s: %zu", text->len > 0 ? ", " : "", parts[i].what, parts[i].count);
	if (j->disagree)
		buf_printf(text, "%sthe parent's servers disagree", text->len > 0 ? ", " : "");
}

static void summarize(struct judge *j, enum delegation_state state)
{
	struct buf text;
	buf_init(&text, 1024);
	if (state == DELEGATION_DIFFERS)
		describe_difference(j, &text);
	else if (state == DELEGATION_MISSING)
		buf_puts(&text, "the parent does not delegate it");
	else if (state == DELEGATION_UNREACHABLE)
		buf_puts(&text, j->parent->why[0] != '\0' ? j->parent->why
							  : "no server of the parent has answered with a delegation");
	else if (state == DELEGATION_UNCHECKED)
		buf_printf(&text, "more than %d name servers are not compared", DELEGATION_HOSTS_MAX);
	else
		buf_puts(&text, "the parent says what the zone says");
	(void)json_object_set_new(j->out, "summary", json_string(text.data));
	buf_deinit(&text);
}

static bool is_cut(const struct judge *j)
{
	bool is = j->own->is_cut;
	for (size_t i = 0; i < j->parent->count; i++)
		is = is || (has_set(&j->parent->servers[i]) && j->parent->servers[i].set.is_cut);
	return is;
}

static enum delegation_state compare(struct judge *j)
{
	if (j->absent + j->referrals + j->same == 0)
		return DELEGATION_UNREACHABLE;
	if (is_cut(j))
		return DELEGATION_UNCHECKED;
	for (size_t i = 0; i < j->parent->count; i++)
		if (has_set(&j->parent->servers[i]))
			compare_names(j, &j->parent->servers[i].set);
	bool is_missing = j->absent > 0 && j->referrals == 0;
	for (size_t i = 0; i < j->own->count; i++) {
		if (is_missing)
			add_name(j->only_zone, j->own->hosts[i].name);
		compare_glue(j, &j->own->hosts[i]);
	}
	compare_ttl(j);
	if (j->own->count < LEAST)
		warn(j, "the zone has %s: two are the least, three in different networks are recommended",
		     j->own->count == 0 ? "no name server" : "one name server");
	if (j->same > 0 && j->referrals + j->absent == 0)
		warn(j, "the parent's servers serve the zone itself: what they answer is the zone's, and the "
			"delegation is "
			"not seen");
	if (is_missing)
		return DELEGATION_MISSING;
	bool differs = j->disagree ||
		       json_array_size(j->only_parent) + json_array_size(j->only_zone) + json_array_size(j->glue) > 0;
	return differs ? DELEGATION_DIFFERS : DELEGATION_OK;
}

enum delegation_state delegation_judge(const uint8_t *zone, const struct delegation_set *own,
				       const struct delegation_parent *parent, json_t *out)
{
	struct judge j = {.zone = zone, .own = own, .parent = parent, .out = out};
	count_servers(&j);
	show_parent(&j);
	j.only_parent = new_list(out, "ns_only_parent");
	j.only_zone = new_list(out, "ns_only_zone");
	j.glue = new_list(out, "glue");
	j.warnings = new_list(out, "warnings");
	enum delegation_state state = compare(&j);
	(void)json_object_set_new(out, "servers_disagree", json_boolean(j.disagree));
	summarize(&j, state);
	return state;
}
