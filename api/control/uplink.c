/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/uplink.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MESSAGE_MAX = 16384,
	NODES_MAX = 2048, /* JSON values in a message; limited because a network thread reads it */
	NAME_MAX_LEN = 255,
	APPLIED_MAX = 256,
	DEGRADED_MAX = 32,
	SERIALS_MAX = 64,            /* serials that wait to be raised */
	DIFFERENT_TWICE = 2,         /* different in this many messages in a row before it is acted on */
	FULL_STATE_PAUSE_MS = 60000, /* pause between two full states for the same reason */
};
#define NUMBER_MAX (INT64_C(1) << 53)

struct uplink_server {
	char id[NAME_MAX_LEN + 1];
	json_t *message; /* as it was received, and checked */
	int64_t heard_ms;
	bool is_adopting;      /* tell it to adopt the store, in the reply to its next message */
	bool is_compared;      /* its content was compared with the store */
	unsigned differences;  /* in a row; 0: it has the same content as the store */
	int64_t full_state_ms; /* when it was last told to start over; 0: never */
};

/* A zone's serial that a name server has seen, and that is above the store's. */
struct seen_serial {
	char zone[UPLINK_ZONE_SIZE];
	uint32_t serial;
};

struct uplink_table {
	pthread_mutex_t lock; /* guards the rest */
	struct uplink_server servers[UPLINK_SERVERS_MAX];
	size_t count;
	struct seen_serial serials[SERIALS_MAX];
	size_t serial_count;
	struct trail *trail; /* set once, before the first message, as are the next members */
	struct logger *log;
	uplink_digest_fn *digest_at;
	void *digest_ctx;
	char store_id[NAME_MAX_LEN + 1];
};

struct uplink_table *uplink_table_new(void)
{
	struct uplink_table *table = calloc(1, sizeof *table);
	if (table != NULL)
		(void)pthread_mutex_init(&table->lock, NULL);
	return table;
}

void uplink_table_free(struct uplink_table **table)
{
	if (*table == NULL)
		return;
	for (size_t i = 0; i < (*table)->count; i++)
		json_decref((*table)->servers[i].message);
	(void)pthread_mutex_destroy(&(*table)->lock);
	free(*table);
	*table = NULL;
}

/* Check counts by name; any name is accepted, because a newer server may know more. */
static void check_answers(struct json_cursor *c)
{
	const json_t *answers = veer_json_any(c, "answers");
	const char *name;
	json_t *count;
	if (!json_is_object(answers)) {
		veer_json_fail(c, "answers", VEER_EINVAL, "must be an object");
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)answers, name,
			    count) if (!json_is_integer(count) || json_integer_value(count) < 0)
		veer_json_fail(c, "answers", VEER_EINVAL, "must hold counts");
}

/* Check revisions with the ages of their receipt and application: [[revision, received, applied], …] */
static void check_applied(struct json_cursor *c)
{
	const json_t *applied = veer_json_array(c, "applied", APPLIED_MAX, false);
	for (size_t i = 0; c->err == VEER_OK && i < json_array_size(applied); i++) {
		const json_t *one = json_array_get(applied, i);
		bool ok = json_is_array(one) && json_array_size(one) >= 3;
		for (size_t j = 0; ok && j < 3; j++) {
			const json_t *number = json_array_get(one, j);
			ok = json_is_integer(number) && json_integer_value(number) >= 0 &&
			     json_integer_value(number) <= NUMBER_MAX;
		}
		if (!ok)
			veer_json_fail(c, "applied", VEER_EINVAL, "element %zu must be three integers of at least 0",
				       i);
	}
}

/* Check the names of parts that do not work; a newer server may know more of them. */
static void check_degraded(struct json_cursor *c)
{
	const json_t *parts = veer_json_array(c, "degraded", DEGRADED_MAX, false);
	for (size_t i = 0; c->err == VEER_OK && i < json_array_size(parts); i++) {
		const char *name = json_string_value(json_array_get(parts, i));
		if (name == NULL || strlen(name) > NAME_MAX_LEN)
			veer_json_fail(c, "degraded", VEER_EINVAL, "element %zu must be a name", i);
	}
}

static void check_digest(struct json_cursor *c)
{
	struct digest unused;
	const json_t *digest = json_object_get(c->object, "digest");
	if (digest != NULL && (!digest_parse(json_string_value(json_object_get(digest, "content")), &unused) ||
			       !digest_parse(json_string_value(json_object_get(digest, "state")), &unused)))
		veer_json_fail(c, "digest", VEER_EINVAL, "must have \"content\" and \"state\", 32 hex digits each");
}

/* Check [[zone, serial], …]. */
static void check_serials(struct json_cursor *c)
{
	const json_t *serials = veer_json_array(c, "serials", SERIALS_MAX, false);
	for (size_t i = 0; c->err == VEER_OK && i < json_array_size(serials); i++) {
		const json_t *one = json_array_get(serials, i), *zone = json_array_get(one, 0),
			     *serial = json_array_get(one, 1);
		if (!json_is_string(zone) || json_string_length(zone) >= UPLINK_ZONE_SIZE || !json_is_integer(serial) ||
		    json_integer_value(serial) < 0 || json_integer_value(serial) > UINT32_MAX)
			veer_json_fail(c, "serials", VEER_EINVAL, "element %zu must be a zone and its serial", i);
	}
}

static void check_quarantine(struct json_cursor *c)
{
	const json_t *quarantine = json_object_get(c->object, "quarantine");
	if (quarantine != NULL && !json_is_object(quarantine))
		veer_json_fail(c, "quarantine", VEER_EINVAL, "must be an object");
}

static enum veer_err check(const json_t *message, struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, message, "", diag);
	if (veer_json_int(&c, "format", 0, INT32_MAX) != 1 && c.err == VEER_OK)
		veer_json_fail(&c, "format", VEER_EUNSUPPORTED, "only format 1 is known");
	(void)veer_json_str(&c, "name", NAME_MAX_LEN);
	(void)veer_json_str(&c, "boot", 32);
	(void)veer_json_str(&c, "store_id", 64);
	(void)veer_json_int(&c, "revision", 0, INT64_MAX);
	(void)veer_json_int(&c, "applied_us", 0, INT64_MAX);
	(void)veer_json_int(&c, "uptime_s", 0, INT64_MAX);
	(void)veer_json_int(&c, "zones", 0, INT64_MAX);
	(void)veer_json_int(&c, "queries", 0, INT64_MAX);
	if (c.err == VEER_OK)
		check_answers(&c);
	check_applied(&c);
	(void)veer_json_int_or(&c, "doubts", 0, INT64_MAX, 0);
	check_degraded(&c);
	(void)veer_json_str_or(&c, "lineage", 64, "");
	check_digest(&c);
	check_quarantine(&c);
	(void)veer_json_int_or(&c, "location_networks", 0, INT64_MAX, 0);
	(void)veer_json_int_or(&c, "location_policies", 0, INT64_MAX, 0);
	check_serials(&c);
	return c.err; /* a newer server may send more */
}

/*
 * Find the server's slot; the lock is held. When all are taken, the server that was silent for longest is replaced, if
 * it is gone.
 */
static struct uplink_server *slot(struct uplink_table *table, const char *id, int64_t now_ms)
{
	struct uplink_server *oldest = &table->servers[0];
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->servers[i].id, id) == 0)
			return &table->servers[i];
		if (table->servers[i].heard_ms < oldest->heard_ms)
			oldest = &table->servers[i];
	}
	if (table->count < UPLINK_SERVERS_MAX)
		return &table->servers[table->count++];
	return now_ms - oldest->heard_ms > UPLINK_GONE_MS ? oldest : NULL;
}

void uplink_table_follow(struct uplink_table *table, struct trail *trail, const char *store_id)
{
	table->trail = trail;
	(void)snprintf(table->store_id, sizeof table->store_id, "%s", store_id);
}

void uplink_table_compare(struct uplink_table *table, struct logger *log, uplink_digest_fn *digest_at, void *ctx)
{
	table->log = log;
	table->digest_at = digest_at;
	table->digest_ctx = ctx;
}

/*
 * Compare the server's content with the store's: the (checked) message has its revision and the digest of its content.
 */
static void compare(const struct uplink_table *table, struct uplink_server *server, const json_t *message)
{
	struct digest_pair expected, got;
	const json_t *digest = json_object_get(message, "digest");
	const char *lineage = json_string_value(json_object_get(message, "lineage"));
	if (table->digest_at == NULL || lineage == NULL || digest == NULL ||
	    !table->digest_at(table->digest_ctx, lineage, json_integer_value(json_object_get(message, "revision")),
			      &expected))
		return;
	(void)digest_parse(json_string_value(json_object_get(digest, "content")), &got.content);
	(void)digest_parse(json_string_value(json_object_get(digest, "state")), &got.state);
	server->is_compared = true;
	if (digest_pair_equal(&expected, &got))
		server->differences = 0;
	else if (server->differences < DIFFERENT_TWICE)
		server->differences++;
}

/* Decide what to tell the server; the lock is held. */
static void answer_to(const struct uplink_table *table, struct uplink_server *server, int64_t now_ms,
		      struct uplink_answer *out)
{
	const json_t *quarantine = json_object_get(server->message, "quarantine");
	server->is_adopting = server->is_adopting && quarantine != NULL;
	out->adopts = server->is_adopting;
	if (server->differences < DIFFERENT_TWICE ||
	    (server->full_state_ms != 0 && now_ms - server->full_state_ms < FULL_STATE_PAUSE_MS))
		return;
	server->full_state_ms = now_ms;
	out->needs_full_state = true;
	log_error(table->log, "a name server has another content than the store: it is to start from the full state",
		  LOG_STR("nameserver", server->id),
		  LOG_INT("revision", json_integer_value(json_object_get(server->message, "revision"))));
}

/* Pass the acknowledgements of the (checked) message to the trail. */
static void tell_trail(struct uplink_table *table, const char *id, const json_t *message, int64_t now_us)
{
	const json_t *applied = json_object_get(message, "applied");
	const char *store_id = json_string_value(json_object_get(message, "store_id"));
	if (table->trail == NULL || strcmp(store_id, table->store_id) != 0)
		return;
	for (size_t i = 0; i < json_array_size(applied); i++) {
		const json_t *one = json_array_get(applied, i);
		trail_applied(table->trail, id, json_string_value(json_object_get(message, "name")),
			      json_integer_value(json_array_get(one, 0)),
			      now_us - json_integer_value(json_array_get(one, 1)),
			      now_us - json_integer_value(json_array_get(one, 2)));
	}
}

/* Keep the serials. The lock is held. Serials for which there is no room come again with the next message. */
static void keep_serials(struct uplink_table *table, const json_t *message)
{
	size_t i;
	json_t *one;
	json_array_foreach(json_object_get(message, "serials"), i, one)
	{
		const char *zone = json_string_value(json_array_get(one, 0));
		bool is_there = false;
		for (size_t k = 0; k < table->serial_count; k++)
			is_there = is_there || strcmp(table->serials[k].zone, zone) == 0;
		if (is_there || table->serial_count == SERIALS_MAX)
			continue;
		struct seen_serial *seen = &table->serials[table->serial_count++];
		(void)snprintf(seen->zone, sizeof seen->zone, "%s", zone);
		seen->serial = (uint32_t)json_integer_value(json_array_get(one, 1));
	}
}

bool uplink_next_serial(struct uplink_table *table, char *zone, uint32_t *serial)
{
	(void)pthread_mutex_lock(&table->lock);
	bool is_there = table->serial_count > 0;
	if (is_there) {
		const struct seen_serial *seen = &table->serials[--table->serial_count];
		memcpy(zone, seen->zone, sizeof seen->zone);
		*serial = seen->serial;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return is_there;
}

enum veer_err uplink_take(struct uplink_table *table, const char *id, const char *text, size_t len, int64_t now_us,
			  struct uplink_answer *answer, struct veer_diag *diag)
{
	int64_t now_ms = now_us / 1000;
	json_t *message = NULL;
	*answer = (struct uplink_answer){.adopts = false};
	enum veer_err err = veer_json_parse_nodes(text, len, MESSAGE_MAX, NODES_MAX, &message, diag);
	if (err == VEER_OK)
		err = check(message, diag);
	if (err != VEER_OK) {
		json_decref(message);
		return err;
	}
	if (id[0] == '\0')
		id = json_string_value(json_object_get(message, "name"));
	tell_trail(table, id, message, now_us);
	(void)pthread_mutex_lock(&table->lock);
	struct uplink_server *server = slot(table, id, now_ms);
	if (server != NULL) {
		json_decref(server->message);
		if (strcmp(server->id, id) != 0)
			*server = (struct uplink_server){.heard_ms = now_ms};
		(void)snprintf(server->id, sizeof server->id, "%s", id);
		server->message = message;
		server->heard_ms = now_ms;
		compare(table, server, message);
		keep_serials(table, message);
		answer_to(table, server, now_ms, answer);
	}
	(void)pthread_mutex_unlock(&table->lock);
	if (server == NULL)
		json_decref(message);
	return server != NULL ? VEER_OK : VEER_ELIMIT;
}

/* Does the text match its id or its own name? */
static bool is_named(const struct uplink_server *server, const char *text)
{
	return strcmp(server->id, text) == 0 ||
	       strcmp(json_string_value(json_object_get(server->message, "name")), text) == 0;
}

enum uplink_adoption uplink_adopt(struct uplink_table *table, const char *id_or_name)
{
	enum uplink_adoption adoption = UPLINK_UNHEARD;
	(void)pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < table->count; i++) {
		struct uplink_server *server = &table->servers[i];
		if (!is_named(server, id_or_name))
			continue;
		server->is_adopting = json_object_get(server->message, "quarantine") != NULL;
		if (server->is_adopting)
			adoption = UPLINK_ADOPTS;
		else if (adoption == UPLINK_UNHEARD)
			adoption = UPLINK_FOLLOWS;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return adoption;
}

void uplink_counts_read(struct uplink_table *table, struct uplink_counts *out)
{
	*out = (struct uplink_counts){.quarantined = 0};
	(void)pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < table->count; i++) {
		out->quarantined += json_object_get(table->servers[i].message, "quarantine") != NULL;
		out->different += table->servers[i].differences >= DIFFERENT_TWICE;
	}
	(void)pthread_mutex_unlock(&table->lock);
}

json_t *uplink_list(struct uplink_table *table, int64_t now_ms)
{
	static const char *const fields[] = {
		"name",     "store_id",          "revision",         "applied_us", "uptime_s", "zones",
		"queries",  "answers",           "doubts",           "lineage",    "digest",   "quarantine",
		"degraded", "location_networks", "location_policies"};
	json_t *list = json_array();
	(void)pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < table->count; i++) {
		json_t *item = json_pack("{s:s, s:I}", "id", table->servers[i].id, "heard_ms_ago",
					 (json_int_t)(now_ms - table->servers[i].heard_ms));
		(void)json_object_set_new(item, "content",
					  json_string(!table->servers[i].is_compared                    ? "unknown"
						      : table->servers[i].differences < DIFFERENT_TWICE ? "same"
													: "different"));
		for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++)
			if (json_object_get(table->servers[i].message, fields[f]) != NULL)
				(void)json_object_set_new(
					item, fields[f],
					json_deep_copy(json_object_get(table->servers[i].message, fields[f])));
		(void)json_array_append_new(list, item);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return list;
}
