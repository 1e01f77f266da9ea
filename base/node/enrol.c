/* SPDX-License-Identifier: Apache-2.0 */
#include "base/node/enrol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define ENROL_PATH "/v1/enrol"
#define TIMEOUT_MS 5000
#define REASON_SIZE 512

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
	uint32_t tries;
};

static void try_now(void *ctx);

static bool may_change(int status)
{
	return status == 408 || status == 429 || status >= 500;
}

static void retry_later(struct enrol *enrol, const char *reason)
{
	/* Once, and then now and again: whoever starts agents before the control plane is no news. */
	if (enrol->tries++ % 16 == 0)
		log_warn(enrol->log, "not enrolled yet", LOG_STR("api", enrol->link->urls[enrol->url]),
			 LOG_STR("reason", reason));
	enrol->url = (enrol->url + 1) % enrol->link->url_count;
	(void)loop_timer_set(enrol->loop, &enrol->retry, backoff_next_ms(&enrol->backoff), try_now, enrol);
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
	if (result->err != VEER_OK || may_change(result->status)) {
		retry_later(enrol, result->err != VEER_OK ? result->error : "the control plane is not ready");
		return;
	}
	if (result->status != 201) {
		link_why(result, why, sizeof why);
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
	spec.bearer = NULL; /* the token counts, whatever became of an identity of before */
	spec.body = enrol->body;
	spec.body_len = strlen(enrol->body);
	spec.timeout_ms = TIMEOUT_MS;
	spec.body_limit_bytes = IDENTITY_TEXT_MAX;
	if (http_request_start(enrol->link->http, &spec, NULL, on_done, enrol, &enrol->request, &diag) != VEER_OK)
		retry_later(enrol, diag.text);
}

struct enrol *enrol_start(struct loop *loop, const struct link *link, struct logger *log, const char *token,
			  const char *kind, const char *region, enrol_done_fn *done, void *ctx)
{
	struct enrol *enrol = calloc(1, sizeof *enrol);
	if (enrol == NULL)
		return NULL;
	*enrol = (struct enrol){.loop = loop, .link = link, .log = log, .done = done, .ctx = ctx};
	enrol->body = identity_request(token, kind, region);
	if (enrol->body == NULL || crypto_sha256_hex(token, strlen(token), enrol->token_sha256) != VEER_OK ||
	    loop_timer_set(loop, &enrol->retry, 0, try_now, enrol) != VEER_OK)
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
