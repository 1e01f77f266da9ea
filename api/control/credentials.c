/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/credentials.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/control/revocations.h"
#include "api/control/token_rules.h"
#include "probes/verdict/verdict.h"

enum { EXPIRED_AT_ONCE = 10, REVOKED_KEPT_S = 30 * 86400 };
#define NS_PER_S INT64_C(1000000000)

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_in_state(const json_t *identity, const char *wanted)
{
	const char *state = field(identity, "state");
	return state != NULL && strcmp(state, wanted) == 0;
}

static int64_t now_s(const struct change_draft *draft)
{
	return veer_clock_wall_ns(draft->control->clock) / NS_PER_S;
}

static struct store_op deletion(enum model_kind kind, const char *key, int64_t expect)
{
	return (struct store_op){.op = STORE_DEL, .kind = kind, .key = key, .expect = expect};
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

/*
 * A write that only notes when a token was last used must not prevent its removal: whoever removes the token need not
 * have seen that note, unless the request names a revision.
 */
static enum veer_err add_removal(struct change_draft *draft, const char *id, int64_t revision)
{
	int64_t expect = 0;
	enum veer_err err = change_meets(draft, revision, &expect);
	if (err != VEER_OK)
		return err;
	return change_add(draft, deletion(MODEL_KIND_TOKEN, id,
					  draft->precondition->revision == CHANGE_ANY ? STORE_ANY : expect));
}

static enum veer_err plan_token(void *wish, struct change_draft *draft)
{
	const struct token_wish *w = wish;
	const char *asking = draft->principal->token;
	struct veer_diag *diag = &draft->result->diag;
	int64_t revision = 0;
	enum veer_err err = w->token != NULL
				    ? token_rules_make(draft->control->directory, asking, w->token, diag)
				    : token_rules_remove(draft->control->directory, asking, w->id, &revision, diag);
	if (err == VEER_ENOTFOUND)
		return change_refuse_missing(draft, MODEL_KIND_TOKEN, w->id);
	if (err != VEER_OK) {
		draft->result->problem = w->token != NULL ? CHANGE_INVALID : CHANGE_LACKS_SCOPE;
		return err;
	}
	if (w->token == NULL)
		return add_removal(draft, w->id, revision);
	return change_add_json(draft, MODEL_KIND_TOKEN, w->id, json_incref(w->token), STORE_ABSENT);
}

static void done_token(void *wish, const struct change_draft *draft)
{
	const struct token_wish *w = wish;
	if (w->token == NULL) {
		revocations_note(draft->control, MODEL_KIND_TOKEN, w->id);
		log_notice(draft->control->log, "token removed", LOG_STR("id", w->id),
			   LOG_STR("by", draft->principal->name));
	} else {
		log_notice(draft->control->log, "token made", LOG_STR("id", w->id),
			   LOG_STR("name", field(w->token, "name")), LOG_STR("by", draft->principal->name));
	}
}

struct change_wish token_wish(struct token_wish *w)
{
	return (struct change_wish){.plan = plan_token,
				    .done = done_token,
				    .wish = w,
				    .tries = CHANGE_TRIES_REVOKING,
				    .reads_directory = true};
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* Counts the enrolled identities, except those of one name. */
struct others {
	const char *name;
	size_t count;
};

static bool count_other(void *ctx, const struct directory_entry *entry)
{
	struct others *others = ctx;
	const char *name = field(entry->object, "name");
	others->count += is_in_state(entry->object, "enrolled") && (name == NULL || strcmp(name, others->name) != 0);
	return true;
}

/*
 * Is there room for an identity of this name? An identity of the same name does not count, because it is replaced. Only
 * agents are limited, by what the verdict engine takes.
 */
static enum veer_err judge_room(struct change_draft *draft, bool is_agent, const char *name)
{
	struct others others = {.name = name};
	if (is_agent)
		directory_list(draft->control->directory, MODEL_KIND_AGENT, NULL, count_other, &others);
	if (others.count < VERDICT_AGENTS_MAX)
		return VEER_OK;
	return change_refuse(draft, VEER_ELIMIT, CHANGE_NO_ROOM, "there are %d agents already: revoke one first",
			     VERDICT_AGENTS_MAX);
}

/* --- announcements ------------------------------------------------------------------------------------------------ */

/* Objects that are no longer needed: each new announcement deletes some of them, so that they do not pile up. */
struct expired {
	struct change_draft *draft;
	size_t count;
	int64_t now_s;
};

static bool add_deletion(struct expired *e, const struct directory_entry *entry)
{
	char *key = arena_strdup(e->draft->arena, entry->key);
	bool ok = key != NULL && change_add(e->draft, deletion(entry->kind, key, STORE_ANY)) == VEER_OK;
	return ok && ++e->count < EXPIRED_AT_ONCE;
}

/* Delete an announcement that has expired. */
static bool add_expired(void *ctx, const struct directory_entry *entry)
{
	struct expired *e = ctx;
	return json_integer_value(json_object_get(entry->object, "expires_s")) >= e->now_s || add_deletion(e, entry);
}

/* Delete an identity that was revoked a month ago. */
static bool add_revoked(void *ctx, const struct directory_entry *entry)
{
	struct expired *e = ctx;
	int64_t revoked_s = json_integer_value(json_object_get(entry->object, "revoked_s"));
	return revoked_s == 0 || revoked_s + REVOKED_KEPT_S > e->now_s || add_deletion(e, entry);
}

static enum veer_err plan_announcement(void *wish, struct change_draft *draft)
{
	const struct announcement_wish *w = wish;
	struct expired e = {.draft = draft, .now_s = now_s(draft)};
	char expires[VEER_RFC3339_SIZE];
	enum veer_err err = judge_room(draft, w->is_agent, w->name);
	if (err != VEER_OK)
		return err;
	veer_rfc3339(w->expires_ns, expires);
	err = change_add_json(draft, MODEL_KIND_ENROLMENT, w->hash,
			      json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:I}", "kind",
					w->is_agent ? "agent" : "nameserver", "name", w->name, "region", w->region,
					"site", w->site, "expires_at", expires, "expires_s",
					(json_int_t)(w->expires_ns / NS_PER_S)),
			      STORE_ABSENT);
	if (err != VEER_OK)
		return err;
	directory_list(draft->control->directory, MODEL_KIND_ENROLMENT, NULL, add_expired, &e);
	if (e.count < EXPIRED_AT_ONCE)
		directory_list(draft->control->directory, w->is_agent ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER, NULL,
			       add_revoked, &e);
	return VEER_OK;
}

struct change_wish announcement_wish(struct announcement_wish *w)
{
	return (struct change_wish){.plan = plan_announcement, .wish = w};
}

/* --- enrolment ---------------------------------------------------------------------------------------------------- */

static enum model_kind kind_of(const struct enrolment_wish *w)
{
	const char *kind = field(w->announcement, "kind");
	return kind != NULL && strcmp(kind, "agent") == 0 ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER;
}

/* End the announcement. With a nonce it stays, and says which identity it was used for; otherwise it is deleted. */
static enum veer_err end_announcement(struct change_draft *draft, const struct enrolment_wish *w)
{
	if (w->nonce_hash == NULL)
		return change_add(draft, deletion(MODEL_KIND_ENROLMENT, w->hash, w->revision));
	json_t *used = json_deep_copy(w->announcement);
	(void)json_object_set_new(used, "nonce_sha256", json_string(w->nonce_hash));
	(void)json_object_set_new(used, "used_by", json_string(w->id));
	return change_add_json(draft, MODEL_KIND_ENROLMENT, w->hash, used, w->revision);
}

static enum veer_err add_identity(struct change_draft *draft, const struct enrolment_wish *w)
{
	char created[VEER_RFC3339_SIZE];
	veer_rfc3339(veer_clock_wall_ns(draft->control->clock), created);
	return change_add_json(draft, kind_of(w), w->id,
			       json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s}", "id", w->id, "name",
					 field(w->announcement, "name"), "region", field(w->announcement, "region"),
					 "site", field(w->announcement, "site"), model_kind_row(kind_of(w))->secret,
					 w->credential_hash, "state", "enrolled", "created_at", created),
			       STORE_ABSENT);
}

struct replacing {
	struct change_draft *draft;
	struct enrolment_wish *wish;
};

static bool add_replaced(void *ctx, const struct directory_entry *entry)
{
	struct replacing *r = ctx;
	const char *name = field(entry->object, "name");
	if (name == NULL || strcmp(name, field(r->wish->announcement, "name")) != 0)
		return true;
	char *key = arena_strdup(r->draft->arena, entry->key);
	bool ok = key != NULL && change_add(r->draft, deletion(entry->kind, key, entry->revision)) == VEER_OK;
	assert(r->wish->replaced_count < CREDENTIALS_REPLACED_MAX);
	if (ok)
		r->wish->replaced[r->wish->replaced_count++] = key;
	return ok && r->wish->replaced_count < CREDENTIALS_REPLACED_MAX;
}

/*
 * The announcement is exchanged in one transaction, so it works once. An earlier identity of the same name is removed
 * with its credential: two agents with one name would be one too many.
 */
static enum veer_err plan_enrolment(void *wish, struct change_draft *draft)
{
	struct enrolment_wish *w = wish;
	struct replacing r = {draft, w};
	w->replaced_count = 0;
	enum veer_err err = judge_room(draft, kind_of(w) == MODEL_KIND_AGENT, field(w->announcement, "name"));
	if (err == VEER_OK)
		err = end_announcement(draft, w);
	if (err == VEER_OK)
		err = add_identity(draft, w);
	if (err == VEER_OK)
		directory_list(draft->control->directory, kind_of(w), NULL, add_replaced, &r);
	return err;
}

/*
 * Log what has ended, and note it beside the store too: a store that is restored must not make a credential valid
 * again.
 */
static void done_enrolment(void *wish, const struct change_draft *draft)
{
	const struct enrolment_wish *w = wish;
	const char *name = field(w->announcement, "name");
	log_notice(draft->control->log, "enrolled", LOG_STR("id", w->id), LOG_STR("name", name));
	for (size_t i = 0; i < w->replaced_count; i++) {
		revocations_note(draft->control, kind_of(w), w->replaced[i]);
		log_notice(draft->control->log, "replaced", LOG_STR("id", w->replaced[i]), LOG_STR("name", name),
			   LOG_STR("by", w->id));
	}
}

struct change_wish enrolment_wish(struct enrolment_wish *w)
{
	/* one after the other: two that enrol at once with one name, or for the last place, must see each other */
	return (struct change_wish){
		.plan = plan_enrolment, .done = done_enrolment, .wish = w, .gate = CHANGE_EMERGENCY};
}

/* --- the end of an identity --------------------------------------------------------------------------------------- */

struct found {
	json_t *object;
	int64_t revision;
};

static bool copy_identity(void *ctx, const struct directory_entry *entry)
{
	struct found *found = ctx;
	found->object = json_deep_copy(entry->object);
	found->revision = entry->revision;
	return true;
}

static enum veer_err plan_end(void *wish, struct change_draft *draft)
{
	struct identity_end *w = wish;
	struct found found = {0};
	int64_t expect = 0;
	if (directory_get(draft->control->directory, w->kind, w->id, copy_identity, &found) != VEER_OK)
		return change_refuse_missing(draft, w->kind, w->id);
	w->was_revoked = is_in_state(found.object, "revoked");
	enum veer_err err = change_meets(draft, found.revision, &expect);
	if (err != VEER_OK || w->was_revoked) {
		json_decref(found.object);
		return err == VEER_OK ? change_add(draft, deletion(w->kind, w->id, expect)) : err;
	}
	(void)json_object_set_new(found.object, "state", json_string("revoked"));
	(void)json_object_set_new(found.object, "revoked_s", json_integer(now_s(draft)));
	return change_add_json(draft, w->kind, w->id, found.object, expect);
}

static void done_end(void *wish, const struct change_draft *draft)
{
	const struct identity_end *w = wish;
	if (!w->was_revoked)
		revocations_note(draft->control, w->kind, w->id);
	log_notice(draft->control->log, w->was_revoked ? "removed" : "revoked", LOG_STR("id", w->id),
		   LOG_STR("by", draft->principal->name));
}

struct change_wish identity_end_wish(struct identity_end *w)
{
	return (struct change_wish){
		.plan = plan_end, .done = done_end, .wish = w, .tries = CHANGE_TRIES_REVOKING, .reads_directory = true};
}
