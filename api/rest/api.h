/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all handlers of the REST API share: the parts of veer-api, and how a request is turned into a change.
 *
 * Threads: handlers of class BLOCKING run in worker threads and may block on the store; those of class INLINE and
 * STREAM must not.
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
	atomic_bool is_rewound; /* the loop was stopped because the store has gone back: the service must start anew */
	int64_t started_ms;
	struct audit audit;
};

/* The routes of all modules, in one array of static storage. */
const struct api_route *api_routes(size_t *count);

/* auth.c: the server's hooks. `ctx` is the struct api. */
bool api_authenticate(void *ctx, struct api_request *request);
/* streams.c: how large a body may be for its sender: an agent's report is limited by its assignments. */
size_t api_body_limit(void *ctx, const struct api_request *request, const struct api_route *route);
/* audit.c: a line for each change, and for each credential that was not good. */
void api_audit_done(void *ctx, const struct api_request *request, const struct api_reply *reply);
/* audit.c: a request that was refused before any handler saw it. */
void api_audit_refused(void *ctx, const struct api_request *request, int status);
/*
 * changes.c: may the principal touch the object of this name (POOL/NAME, a check, an absolute zone name)? False: the
 * reply is 403. api_may_touch_quietly() makes no reply.
 */
bool api_may_touch(struct api *api, const struct api_request *request, struct api_reply *reply, enum token_limit limit,
		   const char *name);
/* May the principal change what concerns all objects? Used to refuse before the body is read; change() checks again. */
bool api_may_change_all(struct api *api, const struct api_request *request, struct api_reply *reply);
/* As api_may_touch(), without a reply. */
bool api_may_touch_quietly(struct api *api, const struct api_request *request, enum token_limit limit,
			   const char *name);
/* Is whoever opened a stream still allowed to have it? False once the token, agent or name server is revoked. */
bool api_revalidate(void *ctx, const struct api_principal *who, enum api_scope scope);

/*
 * changes.c: make one wish in the name of the request's principal, on the conditions in If-Match and If-None-Match.
 * api_change_always() ignores these conditions, because what it makes gets a new key. Errors: those of change();
 * api_problem_change() makes the reply.
 */
VEER_MUST_CHECK enum veer_err api_change(struct api *api, const struct api_request *request, struct change_wish wish,
					 struct change_result *result);
/* The same, without the request's preconditions. */
VEER_MUST_CHECK enum veer_err api_change_always(struct api *api, const struct api_request *request,
						struct change_wish wish, struct change_result *result);
/* The principal of a request, for a change; in the request's arena. */
struct change_principal api_principal(struct api *api, const struct api_request *request);
/* The preconditions in a request's If-Match and If-None-Match. */
struct change_precondition api_precondition(const struct api_request *request);
/* Reply with the problem that fits a failed change. */
void api_problem_change(struct api_reply *reply, enum veer_err err, const struct change_result *result);

/* The page size that ?limit= asks for, or API_PAGE_DEFAULT. False: the reply is 400. */
bool api_page_limit(const struct api_request *request, struct api_reply *reply, int64_t *limit);

/* Reply with a stored object: its fields and "revision", with the revision as ETag. */
void api_reply_object(struct api_reply *reply, int status, const char *text, size_t len, int64_t revision);

/* Remove the member that must not appear in any reply from an object of the kind (zones/model/kind.h). */
void api_hide_secret(enum model_kind kind, json_t *object);

/* List a kind of the directory by ?limit=&after=, without its secrets: {"items": […], "next": "KEY"}. */
void api_list_directory(struct api *api, const struct api_request *request, struct api_reply *reply,
			enum model_kind kind);

/* Reply 404: there is no object of that kind and key. */
void api_problem_missing(struct api_reply *reply, enum model_kind kind, const char *key);

/* Reply with the object as the directory has it, or 404. */
void api_reply_stored(struct api *api, struct api_reply *reply, int status, enum model_kind kind, const char *key);
/* Who sent the request, for people: the token's name, or "local". In the request's arena. */
const char *api_principal_name(struct api *api, const struct api_request *request);

/* "now" as RFC 3339, for what people read. */
const char *api_now_text(struct api *api, struct arena *arena);

#endif
