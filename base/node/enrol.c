/* SPDX-License-Identifier: Apache-2.0 */
#include "base/node/enrol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/node/enrol_nonce.h"

#define ENROL_PATH "/v1/enrol"
#define TIMEOUT_MS 5000
#define REASON_SIZE 512
#define ROOM_PAUSE_MS 5000

/* What kept an attempt from succeeding. */
enum obstacle {
	OBSTACLE_NONE,     /* none: the answer was final */
	OBSTACLE_ABSENCE,  /* no control plane answers, or it is not ready */
	OBSTACLE_CONFLICT, /* two nodes enrolled at once: the next attempt sees the other one */
	OBSTACLE_ROOM,     /* the limit is reached: an administrator has to make room first */
};

struct enrol {
	struct loop *loop;
	const struct link *link;
	struct logger *log;
	char *body;
	char token_sha256[CRYPTO_SHA256_HEX_SIZE];
	enrol_done_fn *done;
	void *ctx;
	struct http_request *request; /* NULL between tries */
	struct loop_timer retry;
	struct backoff backoff;
	uint32_t url;
	uint32_t tries;         /* in a row, for the same reason */
	enum obstacle obstacle; /* of the last attempt */
};

static void try_now(void *ctx);

static bool is_problem(const json_t *body, const char *slug)
{
	static const char prefix[] = "urn:veer:problem:";
	const char *type = json_string_value(json_object_get(body, "type"));
	return type != NULL && strncmp(type, prefix, sizeof prefix - 1) == 0 &&
	       strcmp(type + sizeof prefix - 1, slug) == 0;
}

/* Statuses 409 and 422 have several meanings; the problem's type (RFC 9457 3.1.1) tells which one applies. */
static enum obstacle obstacle_of(const struct http_result *result)
{
	enum obstacle obstacle = OBSTACLE_NONE;
	json_t *body = NULL;
	if (result->err != VEER_OK || result->status == 408 || result->status == 429 || result->status >= 500)
		return OBSTACLE_ABSENCE;
	if ((result->status != 409 && result->status != 422) || result->body_len == 0 ||
	    veer_json_parse(result->body, result->body_len, IDENTITY_TEXT_MAX, &body, NULL) != VEER_OK)
		return OBSTACLE_NONE;
	if (is_problem(body, "conflict"))
		obstacle = OBSTACLE_CONFLICT;
	else if (is_problem(body, "no-room"))
		obstacle = OBSTACLE_ROOM;
	json_decref(body);
	return obstacle;
}

static void retry_later(struct enrol *enrol, enum obstacle obstacle, const char *reason)
{
	int64_t pause_ms = backoff_next_ms(&enrol->backoff);
	if (obstacle == OBSTACLE_ROOM)
		pause_ms = ROOM_PAUSE_MS;
	/* Log each reason once and then only now and then: it is normal that agents start before the control plane. */
	if (obstacle != enrol->obstacle)
		enrol->tries = 0;
	enrol->obstacle = obstacle;
	if (enrol->tries++ % 16 == 0)
		log_warn(enrol->log, "not enrolled yet, it is tried again",
			 LOG_STR("api", enrol->link->urls[enrol->url]), LOG_STR("reason", reason),
			 LOG_INT("pause_ms", pause_ms));
	enrol->url = (enrol->url + 1) % enrol->link->url_count;
	(void)loop_timer_set(enrol->loop, &enrol->retry, pause_ms, try_now, enrol);
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct enrol *enrol = ctx;
	struct identity identity;
	struct veer_diag diag = {""};
	char why[REASON_SIZE];
	char reason[2 * REASON_SIZE];
	const char *url = enrol->link->urls[enrol->url];
	enrol->request = NULL;
	enum obstacle obstacle = obstacle_of(result);
	link_why(result, why, sizeof why);
	if (obstacle != OBSTACLE_NONE) {
		retry_later(enrol, obstacle, why);
		return;
	}
	if (result->status != 201) {
		(void)snprintf(reason, sizeof reason, "%.200s refuses the enrolment: %s", url, why);
		enrol->done(enrol->ctx, NULL, reason);
		return;
	}
	if (identity_parse(result->body, result->body_len, &identity, &diag) != VEER_OK) {
		(void)snprintf(reason, sizeof reason, "%.200s answers the enrolment with no identity: %s", url,
			       diag.text);
		enrol->done(enrol->ctx, NULL, reason);
		return;
	}
	(void)snprintf(identity.api, sizeof identity.api, "%s", url);
	memcpy(identity.token_sha256, enrol->token_sha256, sizeof identity.token_sha256);
	enrol->done(enrol->ctx, &identity, NULL);
}

static void try_now(void *ctx)
{
	struct enrol *enrol = ctx;
	struct veer_diag diag = {""};
	struct http_spec spec = link_spec(enrol->link, enrol->url, ENROL_PATH);
	spec.method = "POST";
	spec.bearer = NULL; /* the token authenticates this request, not the credential of an earlier identity */
	spec.body = enrol->body;
	spec.body_len = strlen(enrol->body);
	spec.timeout_ms = TIMEOUT_MS;
	spec.body_limit_bytes = IDENTITY_TEXT_MAX;
	if (http_request_start(enrol->link->http, &spec, NULL, on_done, enrol, &enrol->request, &diag) != VEER_OK)
		retry_later(enrol, OBSTACLE_ABSENCE, diag.text);
}

struct enrol *enrol_start(struct loop *loop, const struct link *link, struct logger *log, const char *token,
			  const char *kind, const char *region, const char *state_dir, enrol_done_fn *done, void *ctx)
{
	char nonce[CRYPTO_TOKEN_SIZE] = "";
	struct veer_diag diag = {""};
	struct enrol *enrol = calloc(1, sizeof *enrol);
	if (enrol == NULL)
		return NULL;
	*enrol = (struct enrol){.loop = loop, .link = link, .log = log, .done = done, .ctx = ctx};
	bool is_hashed = crypto_sha256_hex(token, strlen(token), enrol->token_sha256) == VEER_OK;
	if (is_hashed && enrol_nonce(state_dir, enrol->token_sha256, nonce, &diag) != VEER_OK)
		log_warn(log,
			 "the enrolment's nonce is not kept: if the reply is lost with this process, another token is "
			 "needed",
			 LOG_STR("reason", diag.text));
	enrol->body = identity_request(token, kind, region, nonce[0] != '\0' ? nonce : NULL);
	if (enrol->body == NULL || !is_hashed || loop_timer_set(loop, &enrol->retry, 0, try_now, enrol) != VEER_OK)
		enrol_free(&enrol);
	return enrol;
}

bool enrol_token_is_new(const char *token_file, const struct identity *identity, char token[ENROL_TOKEN_SIZE])
{
	char hash[CRYPTO_SHA256_HEX_SIZE];
	if (token_file == NULL || file_read_line(token_file, token, ENROL_TOKEN_SIZE, NULL) != VEER_OK)
		return false;
	return token[0] != '\0' && crypto_sha256_hex(token, strlen(token), hash) == VEER_OK &&
	       strcmp(hash, identity->token_sha256) != 0;
}

const char *enrol_token_sha256(const struct enrol *enrol)
{
	return enrol->token_sha256;
}

void enrol_free(struct enrol **enrol_ptr)
{
	struct enrol *enrol = *enrol_ptr;
	if (enrol == NULL)
		return;
	loop_timer_cancel(enrol->loop, &enrol->retry);
	if (enrol->request != NULL)
		http_request_cancel(enrol->request);
	free(enrol->body);
	free(enrol);
	*enrol_ptr = NULL;
}
