/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parent zone says about a zone, compared with what the zone says: name servers, glue, and how long both may
 * be cached.
 *
 * Threads: pure functions.
 */
#ifndef VEER_API_CONTROL_DELEGATION_JUDGE_H
#define VEER_API_CONTROL_DELEGATION_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/json.h"
#include "zones/dns/name.h"

#define DELEGATION_HOSTS_MAX 32  /* name servers of one zone that are compared */
#define DELEGATION_ADDRS_MAX 16  /* addresses of one name server */
#define DELEGATION_SERVERS_MAX 8 /* servers of the parent that are asked */
#define DELEGATION_REASON_SIZE 160

enum delegation_state {
	DELEGATION_UNCHECKED, /* not compared yet, or excluded from comparisons */
	DELEGATION_OK,
	DELEGATION_DIFFERS,
	DELEGATION_MISSING,     /* the parent has no delegation of the zone */
	DELEGATION_UNREACHABLE, /* neither a resolver nor a server of the parent has replied */
	DELEGATION_STATES
};

/* "unchecked", "ok", "differs", "missing", "unreachable". Static storage. */
const char *delegation_state_text(enum delegation_state state);

/* A name server as an NS record names it, with its addresses if its name is within the zone. */
struct delegation_host {
	uint8_t name[NAME_WIRE_MAX]; /* in lower case */
	struct veer_addr addrs[DELEGATION_ADDRS_MAX];
	size_t addr_count;
	bool is_bound; /* only in the zone: its name is bound to a policy, so that its addresses change */
};

/* An NS RRset with its name servers. */
struct delegation_set {
	struct delegation_host hosts[DELEGATION_HOSTS_MAX];
	size_t count;
	uint32_t ttl; /* s, of the NS RRset */
	bool is_cut;  /* some did not fit: then nothing is compared */
};

/* Add a name server, unless it is there already. NULL when there is no room (the set is then cut). */
struct delegation_host *delegation_set_add(struct delegation_set *set, const uint8_t *name);
/* The name server of this name, or NULL. */
struct delegation_host *delegation_set_find(const struct delegation_set *set, const uint8_t *name);
/* Add an address, unless it is there already; an address that does not fit is left out. */
void delegation_host_add(struct delegation_host *host, const struct veer_addr *addr);

/* The result of asking one of the parent's servers. */
enum delegation_result {
	DELEGATION_NOT_ASKED,  /* there was no time left */
	DELEGATION_NO_ADDRESS, /* its name has no address */
	DELEGATION_NO_ANSWER,
	DELEGATION_FAILED,    /* an error: `rcode` */
	DELEGATION_ELSEWHERE, /* an answer, but neither the parent's nor the zone's */
	DELEGATION_ABSENT,    /* the name does not exist, or is not delegated */
	DELEGATION_REFERRAL,  /* it sent the delegation */
	DELEGATION_SAME,      /* it serves the zone itself, and so replies with the zone's data */
};

struct delegation_server {
	uint8_t name[NAME_WIRE_MAX];
	struct veer_addr addrs[2]; /* at most one of each family */
	size_t addr_count;
	struct veer_addr asked; /* the last address that was asked */
	bool is_asked;
	enum delegation_result result;
	unsigned rcode;
	struct delegation_set set; /* for DELEGATION_REFERRAL and _SAME */
};

struct delegation_parent {
	uint8_t name[NAME_WIRE_MAX];
	bool is_found;
	char why[DELEGATION_REASON_SIZE]; /* why no server of the parent could be asked; "": one could be */
	struct delegation_server servers[DELEGATION_SERVERS_MAX];
	size_t count;
};

/*
 * Compare, and add the findings to `out`, a JSON object: "parent", "servers", "ns_only_parent", "ns_only_zone", "glue",
 * "ttl", "warnings", "summary" (docs/formats.md). `zone` is the name in lower case, `own` what the zone says.
 */
enum delegation_state delegation_judge(const uint8_t *zone, const struct delegation_set *own,
				       const struct delegation_parent *parent, json_t *out);

#endif
