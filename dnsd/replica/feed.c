/* SPDX-License-Identifier: Apache-2.0 */
#include "dnsd/replica/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/node/enrol.h"
#include "base/node/link.h"
#include "dnsd/replica/renewal.h"

enum {
	SILENCE_MS = 5000, /* after so long without a heartbeat the connection counts as dead */
	CHEAP_RETRY_MS = 1000,
	UPLINK_MS = 1000,
	UPLINK_TIMEOUT_MS = 3000,
	SAVE_MS = 5000, /* until the next attempt to save the identity */
	BOOT_BYTES = 8,
	ANSWER_MAX = 4096, /* bytes of the control plane's reply to an uplink message */
	APPLIED_MAX = 32,  /* how many unacknowledged revisions are remembered; older ones are covered by newer ones */
};

/* A revision that all workers answer from. Monotonic times. */
struct applied {
	int64_t revision;
	int64_t received_ns;
	int64_t applied_ns;
};

struct feed_client {
	struct feed_config config;
	struct link link;
	struct identity identity;
	struct enrol *enrol;
	struct loop_timer save; /* set while the identity is not on disk yet */
	bool is_unsaved;
	struct http_request *stream;
	struct feed_reader *reader;
	struct veer_diag why; /* the feed reader's error, when it ended the stream */
	uint32_t url;
	struct backoff backoff;
	struct loop_timer retry;
	int64_t heard_ms;
	int64_t connected_ms;                 /* when the present stream was begun */
	struct history_position connected_at; /* the position that was served at that time */
	struct renewal renewal;               /* when to ask for a full state for the plan on disk */
	bool wants_full_state;                /* the control plane has said that we need a full state */
	bool is_renewing;                     /* the next stream is to begin with a full state, for the disk */

	struct http_request *uplink;
	struct loop_timer uplink_timer;
	uint32_t uplink_url;
	bool uplink_again; /* there is news while an uplink message is on its way */
	char boot[2 * BOOT_BYTES + 1];
	char name[256];
	int64_t started_ms;
	int64_t applied_us;
	struct applied applied[APPLIED_MAX]; /* rising */
	size_t applied_count;
	int64_t applied_revision; /* the newest revision of the present store that was ever in `applied` */
	int64_t sent_revision;    /* the newest revision in the message that is on its way */
};

static void connect_feed(void *ctx);
static void send_uplink(void *ctx);
static void enrol_again(struct feed_client *c);

/* `is_cheap`: an attempt costs the other end almost nothing, so pauses stay short and its return is noticed soon. */
static void retry_later(struct feed_client *c, bool is_cheap)
{
	int64_t pause_ms = backoff_next_ms(&c->backoff);
	c->config.missed(c->config.ctx);
	c->url = (c->url + 1) % c->link.url_count;
	if (is_cheap && pause_ms > CHEAP_RETRY_MS)
		pause_ms = CHEAP_RETRY_MS;
	(void)loop_timer_set(c->config.loop, &c->retry, pause_ms, connect_feed, c);
}

/* Has the stream applied something, or lasted a while? If streams always fail, there must be pauses between them. */
static bool is_proven(const struct feed_client *c)
{
	struct history_position at;
	size_t zones;
	replica_serving(c->config.replica, &at, &zones);
	return at.revision != c->connected_at.revision || strcmp(at.lineage, c->connected_at.lineage) != 0 ||
	       c->heard_ms - c->connected_ms > SILENCE_MS;
}

static bool has_room(void *ctx)
{
	const struct feed_client *c = ctx;
	return replica_has_room(c->config.replica);
}

static bool on_data(void *ctx, const void *data, size_t len)
{
	struct feed_client *c = ctx;
	c->heard_ms = loop_now_ms(c->config.loop);
	if (feed_reader_push(c->reader, data, len, &c->why) != VEER_OK)
		return false;
	if (is_proven(c))
		backoff_reset(&c->backoff);
	if (feed_reader_has_hello(c->reader)) /* the body of a refusal is not a feed */
		c->config.heard(c->config.ctx);
	c->is_renewing = c->wants_full_state ||
			 renewal_is_due(&c->renewal, replica_needs_base(c->config.replica), has_room, c, c->heard_ms);
	return !c->is_renewing; /* begin a new stream */
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct feed_client *c = ctx;
	char why[512];
	if (result->err == VEER_OK && result->status == 200)
		(void)snprintf(why, sizeof why, "the stream ended");
	else
		link_why(result, why, sizeof why);
	c->stream = NULL;
	replica_stream_ended(c->config.replica);
	if (c->is_renewing) {
		log_notice(c->config.log,
			   c->wants_full_state
				   ? "what is served is not what the control plane has: reading the full state"
				   : "the plan on disk is behind, and there is room: reading the full state",
			   LOG_STR("url", c->link.urls[c->url]));
		c->wants_full_state = false;
		if (loop_timer_set(c->config.loop, &c->retry, 0, connect_feed, c) == VEER_OK)
			return;
	}
	if (c->why.text[0] != '\0')
		log_error(c->config.log, "the feed is refused", LOG_STR("url", c->link.urls[c->url]),
			  LOG_STR("why", c->why.text));
	else
		log_warn(c->config.log, "the feed has ended; what is served stays",
			 LOG_STR("url", c->link.urls[c->url]), LOG_INT("status", result->status), LOG_STR("why", why));
	/* no control plane answered, or its hello was enough to see that its store must not be followed */
	retry_later(c, result->status == 0 || replica_quarantine(c->config.replica)->why != REPLICA_FOLLOWS);
	if (result->status == 401)
		enrol_again(c);
}

/* A control plane without lineages ignores these parameters and sends the full state. */
static void print_wish(struct feed_client *c, char *out, size_t size)
{
	struct replica_wish wish;
	replica_wish(c->config.replica, c->is_renewing, &wish);
	int len = snprintf(out, size, "/v1/feed");
	if (wish.lineage != NULL)
		len += snprintf(out + len, size - (size_t)len, "?lineage=%s&seen=%lld", wish.lineage,
				(long long)wish.seen);
	if (wish.lineage != NULL && wish.since >= 0)
		(void)snprintf(out + len, size - (size_t)len, "&since=%lld", (long long)wish.since);
}

static void connect_feed(void *ctx)
{
	struct feed_client *c = ctx;
	char path[128];
	size_t zones;
	c->why.text[0] = '\0';
	c->connected_ms = loop_now_ms(c->config.loop);
	replica_serving(c->config.replica, &c->connected_at, &zones);
	feed_reader_free(&c->reader);
	c->reader = feed_reader_new(replica_sink(), c->config.replica);
	print_wish(c, path, sizeof path);
	c->is_renewing = false; /* if this attempt fails, the next one is not urgent */
	struct http_spec spec = link_spec(&c->link, c->url, path);
	spec.idle_timeout_ms = SILENCE_MS;
	if (c->reader == NULL ||
	    http_request_start(c->link.http, &spec, on_data, on_done, c, &c->stream, NULL) != VEER_OK)
		retry_later(c, false);
}

/*
 * Save the identity. The token can be exchanged again only for a day, and only by this name server, so without the
 * saved identity a later restart could not follow the feed.
 */
static void keep_identity(void *ctx)
{
	struct feed_client *c = ctx;
	struct veer_diag diag = {""};
	if (identity_save(c->config.state_dir, &c->identity, &diag) == VEER_OK) {
		if (c->is_unsaved)
			log_notice(c->config.log, "the identity is kept now");
		c->is_unsaved = false;
		return;
	}
	if (!c->is_unsaved)
		log_error(c->config.log, "the identity cannot be kept; it is tried until it can",
			  LOG_STR("why", diag.text));
	c->is_unsaved = true;
	(void)loop_timer_set(c->config.loop, &c->save, SAVE_MS, keep_identity, c);
}

/* Does the client have an identity, or need none? */
static bool is_known(const struct feed_client *c)
{
	return c->identity.id[0] != '\0' || c->enrol == NULL;
}

/* A token was refused. If there is an earlier identity it stays in use, and the token is not tried again. */
static void on_enrolment_refused(struct feed_client *c, const char *reason)
{
	if (c->identity.id[0] == '\0') {
		c->config.failed(c->config.ctx, reason);
		return;
	}
	log_warn(c->config.log, "the token is refused; the identity of before stays", LOG_STR("id", c->identity.id),
		 LOG_STR("why", reason));
	(void)snprintf(c->identity.token_sha256, sizeof c->identity.token_sha256, "%s", enrol_token_sha256(c->enrol));
	enrol_free(&c->enrol);
	keep_identity(c);
}

static void on_enrolled(void *ctx, const struct identity *identity, const char *reason)
{
	struct feed_client *c = ctx;
	if (identity == NULL) {
		on_enrolment_refused(c, reason);
		return;
	}
	c->identity = *identity;
	keep_identity(c);
	identity_bearer(identity, c->link.bearer);
	(void)snprintf(c->name, sizeof c->name, "%s", identity->name);
	log_notice(c->config.log, "enrolled", LOG_STR("id", identity->id), LOG_STR("name", identity->name));
	enrol_free(&c->enrol);
	loop_timer_cancel(c->config.loop, &c->retry);
	if (c->stream == NULL) /* a stream with the earlier identity is ended by the control plane */
		connect_feed(c);
	send_uplink(c);
}

/* There is an identity. A different token in the token file means that a new identity is wanted. */
static void enrol_again(struct feed_client *c)
{
	char token[ENROL_TOKEN_SIZE];
	if (c->enrol != NULL || c->identity.id[0] == '\0' ||
	    !enrol_token_is_new(c->config.token_file, &c->identity, token))
		return;
	log_notice(c->config.log, "enrolling with the new token", LOG_STR("file", c->config.token_file),
		   LOG_STR("id", c->identity.id));
	c->enrol = enrol_start(c->config.loop, &c->link, c->config.log, token, "nameserver", NULL, c->config.state_dir,
			       on_enrolled, c);
}

/* Forget the revisions that the control plane knows of now. */
static void forget_applied(struct feed_client *c, int64_t revision)
{
	size_t known = 0;
	while (known < c->applied_count && c->applied[known].revision <= revision)
		known++;
	c->applied_count -= known;
	memmove(c->applied, c->applied + known, c->applied_count * sizeof c->applied[0]);
}

static void remember_applied(struct feed_client *c, int64_t revision, int64_t applied_us)
{
	int64_t now_ns = veer_clock_monotonic_ns(loop_clock(c->config.loop));
	if (revision == c->applied_revision)
		return;                     /* the same revision with other locations or doubts */
	if (revision < c->applied_revision) /* the revision is of another store */
		c->applied_count = 0;
	c->applied_revision = revision;
	if (c->applied_count == APPLIED_MAX)
		forget_applied(c, c->applied[0].revision);
	c->applied[c->applied_count++] = (struct applied){revision, now_ns - applied_us * 1000, now_ns};
}

/* [[revision, µs since its commit line came, µs since all workers are on it], …] */
static json_t *applied_list(struct feed_client *c)
{
	json_t *list = json_array();
	c->sent_revision = 0;
	int64_t now_ns = veer_clock_monotonic_ns(loop_clock(c->config.loop));
	for (size_t i = 0; i < c->applied_count; i++) {
		const struct applied *a = &c->applied[i];
		(void)json_array_append_new(list, json_pack("[I, I, I]", (json_int_t)a->revision,
							    (json_int_t)((now_ns - a->received_ns) / 1000),
							    (json_int_t)((now_ns - a->applied_ns) / 1000)));
		c->sent_revision = a->revision;
	}
	return list;
}

/* Handle the control plane's reply: it may tell us to follow its store, or to start from its full state. */
static void take_answer(struct feed_client *c, const struct http_result *result)
{
	json_t *answer = NULL;
	if (result->body_len == 0 ||
	    veer_json_parse(result->body, result->body_len, ANSWER_MAX, &answer, NULL) != VEER_OK)
		return;
	const char *lineage = json_string_value(json_object_get(answer, "adopt"));
	c->wants_full_state |= json_is_true(json_object_get(answer, "full_state"));
	if (history_is_id(lineage) && replica_quarantine(c->config.replica)->why != REPLICA_FOLLOWS) {
		log_notice(c->config.log, "told to follow the store that is quarantined", LOG_STR("lineage", lineage));
		replica_adopt(c->config.replica, lineage);
		backoff_reset(&c->backoff);
		if (c->stream == NULL && is_known(c))
			(void)loop_timer_set(c->config.loop, &c->retry, 0, connect_feed, c);
	}
	json_decref(answer);
}

static void on_uplink_done(void *ctx, const struct http_result *result)
{
	struct feed_client *c = ctx;
	c->uplink = NULL;
	if (result->err == VEER_OK && result->status < 400) {
		forget_applied(c, c->sent_revision);
		take_answer(c, result);
	} else {
		c->uplink_url = (c->uplink_url + 1) % c->link.url_count;
	}
	if (c->uplink_again)
		send_uplink(c);
}

/* The names of parts that do not work, as an array. */
static json_t *degraded_array(const struct feed_counters *n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n->degraded_count; i++)
		(void)json_array_append_new(list, json_string(n->degraded[i]));
	return list;
}

/* Add the history that is served, its digest, and the history that is not followed. */
static void add_history(const struct feed_client *c, const struct history_position *at, json_t *body)
{
	const struct replica_quarantine *q = replica_quarantine(c->config.replica);
	(void)json_object_set_new(body, "lineage", json_string(at->lineage));
	if (at->has_digest) {
		char content[DIGEST_HEX_SIZE], state[DIGEST_HEX_SIZE];
		digest_print(&at->digest.content, content);
		digest_print(&at->digest.state, state);
		(void)json_object_set_new(body, "digest", json_pack("{s:s, s:s}", "content", content, "state", state));
	}
	if (q->why != REPLICA_FOLLOWS)
		(void)json_object_set_new(body, "quarantine",
					  json_pack("{s:s, s:s, s:s, s:I, s:s}", "why", replica_quarantine_text(q->why),
						    "store_id", q->store_id, "lineage", q->lineage, "revision",
						    (json_int_t)q->revision, "zone",
						    q->why == REPLICA_ZONE_LOST ? q->zone : ""));
}

/* Add the zones whose serials have gone back with the store, and the serials that were served before. */
static void add_serials(const struct feed_client *c, json_t *body)
{
	struct replica_serial serials[REPLICA_SERIALS_MAX];
	size_t count = replica_serials(c->config.replica, serials);
	json_t *list = count > 0 ? json_array() : NULL;
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_pack("[s, I]", serials[i].zone, (json_int_t)serials[i].serial));
	if (list != NULL)
		(void)json_object_set_new(body, "serials", list);
}

static char *uplink_body(struct feed_client *c)
{
	struct history_position at;
	size_t zones;
	struct feed_counters n = {0};
	replica_serving(c->config.replica, &at, &zones);
	c->config.count(c->config.ctx, &n);
	json_t *body =
		json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I}}",
			  "format", 1, "name", c->name, "boot", c->boot, "store_id", at.store_id, "revision",
			  (json_int_t)at.revision, "applied_us", (json_int_t)c->applied_us, "applied", applied_list(c),
			  "doubts", (json_int_t)replica_doubts(c->config.replica), "uptime_s",
			  (json_int_t)((loop_now_ms(c->config.loop) - c->started_ms) / 1000), "zones",
			  (json_int_t)zones, "location_networks", (json_int_t)n.location_networks, "location_policies",
			  (json_int_t)n.location_policies, "queries", (json_int_t)n.queries, "answers", "noerror",
			  (json_int_t)n.noerror, "nxdomain", (json_int_t)n.nxdomain, "servfail", (json_int_t)n.servfail,
			  "refused", (json_int_t)n.refused);
	if (body != NULL) {
		(void)json_object_set_new(body, "degraded", degraded_array(&n));
		add_history(c, &at, body);
		add_serials(c, body);
	}
	char *text = body != NULL ? veer_json_dump(body) : NULL;
	json_decref(body);
	return text;
}

/* Send one message at a time: if a control plane hangs, only news for it is delayed. */
static void send_uplink(void *ctx)
{
	struct feed_client *c = ctx;
	(void)loop_timer_set(c->config.loop, &c->uplink_timer, UPLINK_MS, send_uplink, c);
	c->uplink_again = c->uplink != NULL;
	if (c->uplink != NULL)
		return;
	char *body = uplink_body(c);
	struct http_spec spec = link_spec(&c->link, c->uplink_url, "/v1/uplink");
	spec.body = body;
	spec.body_len = body != NULL ? strlen(body) : 0;
	spec.timeout_ms = UPLINK_TIMEOUT_MS;
	if (body != NULL)
		(void)http_request_start(c->link.http, &spec, NULL, on_uplink_done, c, &c->uplink, NULL);
	free(body);
}

/* Get the identity: of an earlier enrolment, by the token, or none (on a Unix socket the kernel says who we are). */
static enum veer_err identify(struct feed_client *c, struct veer_diag *diag)
{
	enum veer_err err =
		c->config.state_dir != NULL ? identity_load(c->config.state_dir, &c->identity, diag) : VEER_ENOTFOUND;
	if (err == VEER_OK) {
		identity_bearer(&c->identity, c->link.bearer);
		(void)snprintf(c->name, sizeof c->name, "%s", c->identity.name);
		return VEER_OK;
	}
	if (err != VEER_ENOTFOUND)
		return err;
	if (c->config.token != NULL && c->config.state_dir != NULL) {
		c->enrol = enrol_start(c->config.loop, &c->link, c->config.log, c->config.token, "nameserver", NULL,
				       c->config.state_dir, on_enrolled, c);
		return c->enrol != NULL ? VEER_OK : VEER_ENOMEM;
	}
	for (uint32_t i = 0; i < c->link.url_count; i++)
		if (strncmp(c->link.urls[i], "unix:", 5) != 0)
			return veer_fail(diag, VEER_EAUTH,
					 "%s: give --token-file and --state, so that this name server can enrol",
					 c->link.urls[i]);
	return VEER_OK;
}

enum veer_err feed_client_new(const struct feed_config *config, struct feed_client **out, struct veer_diag *diag)
{
	uint8_t boot[BOOT_BYTES];
	struct feed_client *c = calloc(1, sizeof *c);
	if (c == NULL)
		return VEER_ENOMEM;
	c->config = *config;
	c->heard_ms = -1;
	c->is_renewing = replica_needs_base(config->replica) && replica_has_room(config->replica);
	c->started_ms = loop_now_ms(config->loop);
	if (gethostname(c->name, sizeof c->name - 1) != 0 || c->name[0] == '\0')
		(void)snprintf(c->name, sizeof c->name, "nameserver");
	enum veer_err err = crypto_random(boot, sizeof boot);
	crypto_hex_encode(boot, sizeof boot, c->boot);
	c->link.http = http_client_new(config->loop);
	if (err == VEER_OK && c->link.http == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK)
		err = link_urls_parse(config->urls, &c->link, diag);
	if (err == VEER_OK && config->ca_file != NULL)
		(void)snprintf(c->link.ca_file, sizeof c->link.ca_file, "%s", config->ca_file);
	if (err == VEER_OK)
		err = identify(c, diag);
	if (err != VEER_OK) {
		feed_client_free(&c);
		return err;
	}
	if (is_known(c)) {
		connect_feed(c);
		send_uplink(c);
		enrol_again(c);
	}
	*out = c;
	return VEER_OK;
}

void feed_client_free(struct feed_client **client)
{
	struct feed_client *c = *client;
	if (c == NULL)
		return;
	loop_timer_cancel(c->config.loop, &c->retry);
	loop_timer_cancel(c->config.loop, &c->uplink_timer);
	loop_timer_cancel(c->config.loop, &c->save);
	enrol_free(&c->enrol);
	http_client_free(&c->link.http);
	feed_reader_free(&c->reader);
	free(c);
	*client = NULL;
}

void feed_client_applied(struct feed_client *client, int64_t revision, int64_t applied_us)
{
	remember_applied(client, revision, applied_us);
	client->applied_us = applied_us;
	if (client->name[0] != '\0' && is_known(client))
		send_uplink(client);
}

int64_t feed_client_heard_ms(const struct feed_client *client)
{
	return client->heard_ms;
}
