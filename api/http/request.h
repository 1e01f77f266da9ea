/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its reply, as the handlers of the REST API see them: no libmicrohttpd here.
 *
 * Ownership: a request and everything it points to lives until its handler has returned (streams excepted, see
 * stream.h). Threads: a request belongs to the thread that runs its handler.
 */
#ifndef VEER_API_HTTP_REQUEST_H
#define VEER_API_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

#define API_PARAMS_MAX 4
#define API_QUERY_MAX 16
#define API_ID_SIZE 64
#define API_FROM_SIZE 64

/* Who sent the request, decided before the handler runs. */
enum api_role {
	API_ROLE_ANONYMOUS,
	API_ROLE_OWNER,      /* over the Unix socket, as the server's own user or root */
	API_ROLE_TOKEN,      /* an API token with scopes */
	API_ROLE_AGENT,      /* a probe agent's credential */
	API_ROLE_NAMESERVER, /* a name server's credential */
};

/* What a token may do; API_SCOPE_ADMIN includes all others. Bits. */
enum api_scope {
	API_SCOPE_NONE = 0,
	API_SCOPE_ADMIN = 1 << 0,        /* "admin" */
	API_SCOPE_ZONES_READ = 1 << 1,   /* "zones:read" */
	API_SCOPE_ZONES_WRITE = 1 << 2,  /* "zones:write" */
	API_SCOPE_HEALTH_READ = 1 << 3,  /* "health:read": sites, checks, pools, policies, status */
	API_SCOPE_HEALTH_WRITE = 1 << 4, /* "health:write" */
	API_SCOPE_AGENTS = 1 << 5,       /* "agents": enrol and revoke */
	API_SCOPE_TOKENS = 1 << 6,       /* "tokens": make and remove tokens */
	API_SCOPE_FEED = 1 << 7,         /* "feed:read" */
	API_SCOPE_HEALTH_PUSH = 1 << 8,  /* "health:push": an application's own report on its endpoints */
};

struct api_principal {
	enum api_role role;
	unsigned scopes;      /* enum api_scope bits */
	char id[API_ID_SIZE]; /* of the token, agent or name server; "" for others */
};

struct api_pair {
	const char *key;
	const char *value;
};

struct api_request {
	const char *method;
	const char *path;                     /* as it was sent, without the query */
	const char *params[API_PARAMS_MAX];   /* what the {…} of the route matched, decoded */
	struct api_pair query[API_QUERY_MAX]; /* decoded */
	size_t query_count;
	struct arena *arena; /* scratch for this request */
	const char *body;    /* NUL-terminated; "" if there is none */
	size_t body_len;
	const char *authorization; /* header or NULL */
	const char *content_type;  /* header or NULL */
	const char *if_match;      /* header or NULL */
	const char *if_none_match; /* header or NULL */
	bool is_local;             /* over the Unix socket or from a loopback address */
	bool is_owner;             /* over the Unix socket, as this server's own user or root */
	bool is_feeder;            /* over the Unix socket, as the user that name servers run as (--feed-user) */
	struct api_principal principal;
	const char *why_refused; /* why credentials that are known are not good; static, NULL otherwise */
	int arg;                 /* `arg` of the route */
	const char *from;        /* where the request came from, for people: an address, or "unix uid=0" */
	bool is_in_worker;       /* runs in a worker: the handler may block, and take long */
};

struct api_stream_source;

/* Zeroed before the handler runs. Without a body and a status the reply is 204. */
struct api_reply {
	int status;
	const char *content_type; /* default application/json; static storage */
	char *body;               /* heap; taken over by the server */
	size_t body_len;
	const char *constant; /* in place of `body`: static storage of body_len bytes, which is not copied */
	const char *caching;  /* Cache-Control; NULL: no-store. Static storage */
	char allow[48];       /* in a 405: the methods that are possible; "": none */
	char etag[32];        /* without the quotes; "": none */
	char location[256];   /* "": none */
	char challenge[256];  /* reason in a 401, for WWW-Authenticate (RFC 6750 3); printable ASCII */
	int retry_after_s;    /* 0: not sent, except with 503, where it is 1 */
	bool wants_worker; /* there is no reply yet, because a network thread must not make it: call the handler again
			      in a worker */
	struct api_stream_source *source; /* a reply that does not end: see stream.h; taken over by the server */
};

typedef void api_handler_fn(void *ctx, struct api_request *request, struct api_reply *reply);

/* The value of a query parameter, or NULL. */
const char *api_query(const struct api_request *request, const char *key);

/* Parse the body as JSON. On failure the reply is the problem already. Ownership: the caller's (json_decref). */
VEER_MUST_CHECK enum veer_err api_body_json(const struct api_request *request, struct api_reply *reply, json_t **out);

/* Reply with `value`; takes the reference. */
void api_reply_json(struct api_reply *reply, int status, json_t *value);

/*
 * Reply with text that was allocated with malloc, and take it over. NULL makes the reply a 500. `content_type` is
 * static.
 */
void api_reply_text(struct api_reply *reply, int status, const char *content_type, char *text, size_t len);

/*
 * Reply with a problem (RFC 9457): `slug` completes the type "urn:veer:problem:…"; the detail says what is wrong and
 * what to do.
 */
void api_problem(struct api_reply *reply, int status, const char *slug, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * Make text valid UTF-8, as JSON needs: bytes that are not become "?". Quoted text may be any bytes, or cut within a
 * character.
 */
void api_make_utf8(char *text);
/* Reply 422 with the place: `diag` is "POINTER: what" as the JSON cursor and the model's readers write it. */
void api_problem_invalid(struct api_reply *reply, const struct veer_diag *diag);
/* Reply with the problem that fits a failed call of the store or the like. */
void api_problem_err(struct api_reply *reply, enum veer_err err);

/* The scope with this name, for tokens. API_SCOPE_NONE when unknown. */
enum api_scope api_scope_from_text(const char *text);
/* The name of one scope, or of one of several; NULL when it has none. Static storage. */
const char *api_scope_text(enum api_scope scope);

#endif
