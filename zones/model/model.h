/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model: sites, checks, pools with their endpoints, policies and verdicts as typed values, read from the JSON of
 * docs/formats.md, section 1. Each reader validates one object by itself; references between objects are checked when
 * they are committed (by the API). The compiler tolerates dangling references: a pool that does not exist has no
 * endpoints.
 *
 * Ownership: everything that a reader returns lives in the arena passed to it, with copies of what it needs from the
 * JSON. Errors: VEER_EINVAL or VEER_ERANGE with the JSON pointer in the diag; VEER_ENOMEM.
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_MODEL_MODEL_H
#define VEER_ZONES_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "zones/model/kind.h"

#define MODEL_NAME_MAX 63          /* a DNS label */
#define MODEL_ENDPOINT_KEY_MAX 127 /* POOL/NAME */
#define MODEL_ENDPOINTS_MAX 1000   /* in one pool */
#define MODEL_CHECKS_MAX 16        /* of one pool */
#define MODEL_NODES_MAX 2048       /* in one policy: two lists of MODEL_LIST_MAX nodes fit */
#define MODEL_DEPTH_MAX 8          /* of one policy's tree */
#define MODEL_LIST_MAX 1024        /* elements of one list of a policy: children, rules, codes */
#define MODEL_AGENTS_MAX 64        /* assigned to one check */
#define MODEL_PARTS_MAX 16         /* of one calculated check */

#define MODEL_BODY_MAX 16384    /* bytes of a check's request body */
#define MODEL_EXCHANGE_MAX 1024 /* bytes to send or to expect */
#define MODEL_PEM_MAX 65536     /* bytes of a CA bundle carried in a check */
#define MODEL_ARGUMENTS_MAX 32  /* of a program, its path included */
#define MODEL_ANSWERS_MAX 16    /* expected of DNS */

/* Is `name` a lower-case DNS label: 1 to 63 of a-z 0-9 -, no hyphen at either end? */
bool model_is_name(const char *name);

struct model_site {
	const char *name;
	const char *region;
	const char *failure_domain; /* sites with the same failure domain may fail together; NULL: the site is on its
				     * own */
	double latitude;            /* degrees, north positive; meaningful only if has_location */
	double longitude;           /* degrees, east positive */
	bool has_location;
	bool is_in; /* administrative state */
};

/* How a check is carried out (docs/formats.md, section 1). The numbers never leave the process. */
enum model_check_kind {
	MODEL_CHECK_HTTP,
	MODEL_CHECK_HTTPS,
	MODEL_CHECK_TCP,
	MODEL_CHECK_TLS,
	MODEL_CHECK_ICMP,
	MODEL_CHECK_DNS,
	MODEL_CHECK_GRPC,
	MODEL_CHECK_UDP,
	MODEL_CHECK_EXEC,
	MODEL_CHECK_PUSH,       /* not probed: an application reports its own state */
	MODEL_CHECK_CALCULATED, /* not probed: the result is computed from other checks of the same endpoint */
	MODEL_CHECK_KIND_COUNT
};

/* "http", "https" and so on. Static storage. */
const char *model_check_kind_text(enum model_check_kind kind);

struct model_status_range {
	uint16_t first; /* inclusive */
	uint16_t last;  /* inclusive */
};

/* Bytes of any value; `data` is NULL when there are none. */
struct model_bytes {
	const uint8_t *data;
	uint32_t len;
};

enum model_http_version {
	MODEL_HTTP_DEFAULT, /* 1.1; for https, 2 if the server speaks nothing else */
	MODEL_HTTP_1_1,     /* 1.1 only */
	MODEL_HTTP_2,       /* 2 only; for http with prior knowledge (RFC 9113 3.3) */
	MODEL_HTTP_ANY,     /* https: negotiated by ALPN; http: 1.1 */
};

/* HTTP and HTTPS; gRPC uses `host` only. */
struct model_check_http {
	const char *method;         /* GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS */
	const char *path;           /* starts with / */
	const char *host;           /* NULL: the endpoint's address */
	const char *const *headers; /* "Name: value", ended by NULL; never NULL itself */
	struct model_bytes body;    /* of the request */
	const struct model_status_range *expect_status;
	uint32_t expect_status_count;
	const char *body_contains; /* NULL: not checked */
	const char *body_regex;    /* NULL: not checked; POSIX extended, base/regex.h */
	uint32_t follow_redirects; /* the most redirects to follow, 0 to 5 */
	enum model_http_version version;
};

/* HTTPS, TLS, and gRPC where `is_used`. */
struct model_check_tls {
	bool is_used;
	const char *sni; /* NULL: host, else the endpoint's address */
	bool verify;
	bool resumes;            /* resume TLS sessions of earlier probes */
	const char *ca_file;     /* a PEM bundle on the agent's host; with ca_pem NULL too: the system's */
	const char *ca_pem;      /* a PEM bundle in the check itself */
	uint32_t cert_warn_days; /* 0: off; a warning when the certificate expires in fewer days */
	uint32_t cert_fail_days; /* 0: off; a failure when it expires in fewer days */
};

/* TCP, TLS and UDP: what to send, and what the reply must contain. */
struct model_check_exchange {
	struct model_bytes send;
	struct model_bytes expect;
};

struct model_check_dns {
	const uint8_t *name; /* wire format, NUL-ended labels (zones/dns/name.h), in lower case */
	const char *name_text;
	uint16_t type;
	uint16_t rcode;                    /* the expected RCODE */
	const struct model_bytes *answers; /* expected RDATA in canonical form; none: any answer */
	const char *const *answer_texts;   /* the same as they were written */
	uint32_t answer_count;
	bool is_all;      /* all of them must be in the answer; otherwise one is enough */
	bool is_tcp_only; /* do not even try UDP */
};

struct model_check_exec {
	const char *const *argv; /* ended by NULL; argv[0] is an absolute path */
	uint32_t argc;
};

struct model_check {
	const char *name;
	enum model_check_kind kind;
	uint16_t port; /* 0: the kind has none */
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t max_latency_ms; /* a slower success counts as a failure; 0: off */
	bool is_inverted;        /* success and failure are exchanged */
	bool keeps_connection;   /* reuse connections: HTTP, HTTPS, gRPC */
	uint32_t fall;           /* failures in a row that make an agent say down */
	uint32_t rise;           /* successes in a row that make it say up */
	uint32_t hold_s;         /* the least time between an endpoint's removal and its restoration */
	uint32_t quorum;         /* agents; 0: floor(N/2)+1 */
	uint32_t regions;        /* the least number of regions among the agreeing agents */
	bool is_warning;
	struct model_check_http http;
	struct model_check_tls tls;
	struct model_check_exchange exchange;
	struct model_check_dns dns;
	const char *grpc_service; /* "" asks for the server as a whole */
	struct model_check_exec exec;
	uint32_t ttl_s;         /* PUSH: the TTL of a report that states none */
	bool is_down_on_expiry; /* PUSH: no report within the TTL means down, not unknown */
	const char *const *of;  /* CALCULATED: names of checks */
	uint32_t of_count;
	uint32_t need; /* CALCULATED: how many of them must be up; 0: all */
};

enum model_address_kind { MODEL_ADDRESS_IPV4, MODEL_ADDRESS_IPV6, MODEL_ADDRESS_HOST };

struct model_endpoint {
	const char *name;
	const char *site;
	enum model_address_kind kind;
	const char *address; /* as written: an address literal, or an absolute host name in lower case */
	uint8_t ip[16];      /* network order; the first 4 for IPv4; unused for a host name */
	uint16_t weight;
	uint32_t capacity; /* 0: not stated */
};

struct model_pool {
	const char *name;
	const char *const *checks; /* names */
	uint32_t check_count;
	uint32_t min_up;
	const struct model_endpoint *endpoints;
	uint32_t endpoint_count;
};

enum model_node_kind {
	MODEL_NODE_POOL,     /* all eligible endpoints of `pool` */
	MODEL_NODE_FAILOVER, /* the first available child */
	MODEL_NODE_WEIGHTED, /* one available child, chosen by the children's weights */
	MODEL_NODE_MATCH,    /* the first available child whose rule matches; the last child may be the `else` branch */
	MODEL_NODE_SPREAD,   /* one of its eligible endpoints, chosen by weight */
};
#define MODEL_NODE_KIND_COUNT (MODEL_NODE_SPREAD + 1) /* the last one */

/* What a client must be to match: any of these. Codes are two upper-case letters packed as (first << 8 | second). */
struct model_rule {
	const uint16_t *countries; /* ISO 3166-1 alpha-2 */
	uint32_t country_count;
	const uint16_t *continents; /* AF AN AS EU NA OC SA */
	uint32_t continent_count;
};

struct model_node {
	enum model_node_kind kind;
	const char *pool;                  /* POOL and SPREAD */
	const struct model_node *children; /* FAILOVER, WEIGHTED, MATCH */
	uint32_t child_count;
	const uint16_t *weights;        /* WEIGHTED: one a child */
	const struct model_rule *rules; /* MATCH: one a child, empty for the last when has_else */
	bool has_else;                  /* MATCH: the last child is the `else` branch */
};

enum model_all_down { MODEL_ALL_DOWN_ALL, MODEL_ALL_DOWN_LAST, MODEL_ALL_DOWN_SERVFAIL, MODEL_ALL_DOWN_POOL };

struct model_policy {
	const char *name;
	uint32_t ttl;         /* seconds */
	uint32_t ttl_suspect; /* TTL of answers with an endpoint in doubt; at most `ttl` */
	enum model_all_down when_all_down;
	const char *fallback_pool; /* MODEL_ALL_DOWN_POOL */
	const struct model_node *tree;
};

enum model_state { MODEL_STATE_UNKNOWN, MODEL_STATE_UP, MODEL_STATE_DOWN };

struct model_verdict {
	const char *endpoint; /* POOL/NAME */
	enum model_state state;
	int64_t since_revision;
};

/* Read a site. */
VEER_MUST_CHECK enum veer_err model_site_parse(const json_t *object, struct arena *arena, struct model_site *out,
					       struct veer_diag *diag);
/* Is the check carried out by agents? */
bool model_check_is_probed(const struct model_check *check);
/* Read a check; what is left out has its default afterwards. */
VEER_MUST_CHECK enum veer_err model_check_parse(const json_t *object, struct arena *arena, struct model_check *out,
						struct veer_diag *diag);
/* Read a pool with its endpoints. */
VEER_MUST_CHECK enum veer_err model_pool_parse(const json_t *object, struct arena *arena, struct model_pool *out,
					       struct veer_diag *diag);
/* Read a policy; its tree is bounded by MODEL_DEPTH_MAX and MODEL_NODES_MAX, its lists by MODEL_LIST_MAX. */
VEER_MUST_CHECK enum veer_err model_policy_parse(const json_t *object, struct arena *arena, struct model_policy *out,
						 struct veer_diag *diag);
/* The same for a policy that is being written: country codes must exist (a stored policy is read with any code). */
VEER_MUST_CHECK enum veer_err model_policy_parse_new(const json_t *object, struct arena *arena,
						     struct model_policy *out, struct veer_diag *diag);
/* Does a rule in the tree depend on the client's location? */
bool model_node_uses_location(const struct model_node *node);

/* Read `endpoint`, `state` and `since_revision`; ignore the rest, which is for people. */
VEER_MUST_CHECK enum veer_err model_verdict_parse(const json_t *object, struct arena *arena, struct model_verdict *out,
						  struct veer_diag *diag);

/* What an administrator has decided about one endpoint; it takes precedence over the verdict. */
enum model_override_action { MODEL_OVERRIDE_UP, MODEL_OVERRIDE_DOWN, MODEL_OVERRIDE_DRAIN };

struct model_override {
	const char *endpoint; /* POOL/NAME */
	enum model_override_action action;
	const char *owner; /* "" when it is not stated, like the next two */
	const char *reason;
	const char *source; /* "maintenance/NAME" when the controller made it; "" by hand */
	int64_t expires_ns; /* wall clock; 0: never */
};

/* A scheduled drain. Endpoints are POOL/NAME; pools and sites mean all of their endpoints. */
struct model_maintenance {
	const char *name;
	const char *const *endpoints;
	uint32_t endpoint_count;
	const char *const *pools;
	uint32_t pool_count;
	const char *const *sites;
	uint32_t site_count;
	const char *const *force; /* pools that the window may leave without endpoints */
	uint32_t force_count;
	int64_t starts_ns; /* wall clock, like the next two: the window begins here … */
	int64_t ends_ns;   /* … and ends here, exclusive */
	int64_t until_ns;  /* weekly: no window begins at or after this time; 0: no end */
	bool is_weekly;    /* repeated every 168 hours */
	const char *owner;
	const char *reason;
};

/* Settings by an administrator for all verdicts; the only object of its kind. */
struct model_settings {
	bool is_frozen;
	const char *freeze_owner; /* "" unless frozen, like the next */
	const char *freeze_reason;
	bool is_brake_off;
	uint32_t max_removal_percent; /* 1–100 */
};

/*
 * Read what name servers and the controller need of an override. It may come from a stream, so unknown fields are
 * ignored. Errors as above.
 */
VEER_MUST_CHECK enum veer_err model_override_parse(const json_t *object, struct arena *arena,
						   struct model_override *out, struct veer_diag *diag);
/* Read a maintenance window. */
VEER_MUST_CHECK enum veer_err model_maintenance_parse(const json_t *object, struct arena *arena,
						      struct model_maintenance *out, struct veer_diag *diag);
/* Read the settings; what is left out has its default afterwards. */
VEER_MUST_CHECK enum veer_err model_settings_parse(const json_t *object, struct arena *arena,
						   struct model_settings *out, struct veer_diag *diag);
/*
 * Is the maintenance window open at `now_ns` (wall clock)? If so, `*ends_ns` is when it ends. Otherwise `*starts_ns` is
 * when the next window begins, or INT64_MAX when none is left.
 */
bool model_maintenance_is_on(const struct model_maintenance *maintenance, int64_t now_ns, int64_t *starts_ns,
			     int64_t *ends_ns);
/* "up", "down", "drain". Static storage. */
const char *model_override_text(enum model_override_action action);
/* Read the member "action" of an override; a missing or unknown action is an error of the cursor. */
enum model_override_action model_override_read_action(struct json_cursor *c);
/* Is `key` POOL/NAME, both of them names? */
bool model_is_endpoint_key(const char *key);

/*
 * Call `fn` for each mention of a pool in the tree; a pool that is mentioned twice is passed twice. Stops when `fn`
 * returns false.
 */
void model_node_pools(const struct model_node *node, bool (*fn)(void *ctx, const char *pool), void *ctx);
/* The same for the tree of a stored policy, without reading all of it: what is not a node mentions no pool. */
void model_policy_pools(const json_t *policy, bool (*fn)(void *ctx, const char *pool), void *ctx);

/* The name of a state as JSON has it: "unknown", "up", "down". Static storage. */
const char *model_state_text(enum model_state state);

#endif
