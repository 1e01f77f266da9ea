/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all handlers of the REST API share: the parts of veer-api, and the change function that every write goes
 * through.
 *
 * Threads: handlers of class POOLED run in worker threads and may block on the store; INLINE and STREAM ones must not.
 */
#ifndef VEER_API_REST_API_H
#define VEER_API_REST_API_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/control/change.h"
#include "api/control/control.h"
#include "api/control/health.h"
#include "api/http/certificate.h"
#include "api/http/server.h"
#include "api/rest/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/ticker.h"
#include "zones/store/store.h"

#define API_BODY_OBJECT (256u << 10) /* bytes of one object in a request */
#define API_PAGE_DEFAULT 100
#define API_PAGE_MAX 1000

/* Borrowed by the handlers as their `ctx`; lives as long as the server. */
struct api {
	struct control control;
	struct api_server *server;
	struct health health;
	struct certificate_watch certificate;
	struct loop *loop; /* the main thread's */
	struct ticker token_chores;
	atomic_bool is_rewound; /* the loop was stopped because the store has gone back: start anew */
	int64_t started_ms;
	struct audit audit;
};

/* The routes of all modules, in one array of static storage. */
const struct api_route *api_routes(size_t *count);

/* auth.c: the server's hooks. `ctx` is the struct api. */
bool api_authenticate(void *ctx, struct api_request *request);
/* streams.c: what a body may be, by what its sender is: an agent's report by its assignments. */
size_t api_body_limit(void *ctx, const struct api_request *request, const struct api_route *route);
/* audit.c: a line for each change, and for each credential that was not good. */
void api_audit_done(void *ctx, const struct api_request *request, const struct api_reply *reply);
void api_audit_refused(void *ctx, const struct api_request *request, int status);
/* The scopes of a token as it is stored: enum api_scope, together. */
unsigned api_scopes_of(const json_t *token);
/* What a token may be limited to, beside its scopes. */
enum api_limit { API_LIMIT_ENDPOINTS, API_LIMIT_CHECKS, API_LIMIT_ZONES, API_LIMITS };
extern const char *const api_limit_names[API_LIMITS]; /* the fields' names in a token */
/*
 * token_limits.c: may whoever asks touch the object of this name (POOL/NAME, a check, an absolute zone name)? False:
 * the reply is 403. The other one makes no reply.
 */
bool api_may_touch(struct api *api, const struct api_request *request, struct api_reply *reply, enum api_limit limit,
		   const char *name);
/* The same for what changes the object rather than speaks of it: a token that is limited to other kinds of objects
 * alone may not. */
bool api_may_change(struct api *api, const struct api_request *request, struct api_reply *reply, enum api_limit limit,
		    const char *name);
/* May it change what concerns all of them (sites, policies, settings)? False: the reply is 403. */
bool api_may_change_all(struct api *api, const struct api_request *request, struct api_reply *reply);
bool api_may_touch_quietly(struct api *api, const struct api_request *request, enum api_limit limit, const char *name);
/* Is whoever opened a stream still allowed to have it? False once the token, agent or name server is revoked. */
bool api_revalidate(void *ctx, const struct api_principal *who, enum api_scope scope);

/*
 * Commit and wait until the directory has it, so that who wrote reads what it wrote. On failure the reply is the
 * problem already, and false is returned.
 */
bool api_commit(struct api *api, struct api_reply *reply, const struct store_op *ops, size_t count, int64_t *revision);

/* The page size asked for by ?limit=, API_PAGE_DEFAULT without. False: the reply is 400. */
bool api_page_limit(const struct api_request *request, struct api_reply *reply, int64_t *limit);

/* Reply with a stored object: its fields and "revision", with the revision as ETag. */
void api_reply_object(struct api_reply *reply, int status, const char *text, size_t len, int64_t revision);

/*
 * What If-Match and If-None-Match ask of an object at `current` (0: absent), as the `expect` of a store_op. False: the
 * precondition fails already and the reply is 412.
 */
bool api_precondition(const struct api_request *request, struct api_reply *reply, int64_t current, int64_t *expect);

/*
 * List a kind of the directory by ?limit=&after=: {"items": […], "next": "KEY"}. `hide` names a field that is left out
 * of each item (NULL: none).
 */
void api_list_directory(struct api *api, const struct api_request *request, struct api_reply *reply,
			enum model_kind kind, const char *hide);

/* 404: there is no object of that kind and key. */
void api_problem_missing(struct api_reply *reply, enum model_kind kind, const char *key);

/* settings.c: the settings in force, with their revision (0: nobody has set any). The caller's. */
json_t *api_settings(struct api *api);
/* Reply with the object as the directory has it, or 404. */
void api_reply_stored(struct api *api, struct api_reply *reply, int status, enum model_kind kind, const char *key);
/* Who is asking, for people: the token's name, or "local". In the request's arena. */
const char *api_principal_name(struct api *api, const struct api_request *request);

/*
 * Are the parts of a calculated check there, and would none be calculated in a loop or too deep, and no pool have more
 * checks and parts than VERDICT_ITEMS_MAX (check_parts.c)?
 * Errors: VEER_EINVAL with the place in the diag, VEER_ENOMEM.
 */
enum veer_err api_validate_parts(struct api *api, const struct model_check *check, struct veer_diag *diag);
/* Are the pool's checks, with the parts of calculated ones, no more than VERDICT_ITEMS_MAX? Errors: the same. */
enum veer_err api_validate_pool_checks(struct api *api, const struct model_pool *pool, struct veer_diag *diag);

/* "now" as RFC 3339, for what people read. */
const char *api_now_text(struct api *api, struct arena *arena);

#endif
