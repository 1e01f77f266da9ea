/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/trail.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERVER_ID_SIZE = 64 };

/* The acknowledgement of one commit by one name server. */
struct ack {
	char server[SERVER_ID_SIZE];
	char name[SERVER_ID_SIZE];
	int64_t revision; /* the acknowledged revision: this commit's, or a later one that it went to directly */
	int64_t received_us;
	int64_t applied_us;
};

/* One commit with transitions. */
struct commit {
	int64_t revision;
	int64_t committed_us; /* 0: not known (yet) */
	int64_t fed_us;       /* 0: not known (yet) */
	struct ack *acks;
	size_t ack_count, ack_size;
};

struct decided {
	char id[TRAIL_ID_SIZE];
	int64_t base_us;
	int64_t revision;
};

struct trail {
	pthread_mutex_t lock;                       /* guards the rest */
	struct commit commits[TRAIL_REVISIONS_MAX]; /* a ring, by revision; number n is at n modulo its size */
	uint64_t commit_end;                        /* number of the next commit */
	struct decided decided[TRAIL_TRANSITIONS_MAX];
	uint64_t decided_end;
};

struct trail *trail_new(void)
{
	struct trail *trail = calloc(1, sizeof *trail);
	if (trail != NULL)
		(void)pthread_mutex_init(&trail->lock, NULL);
	return trail;
}

void trail_free(struct trail **trail)
{
	if (*trail == NULL)
		return;
	for (size_t i = 0; i < TRAIL_REVISIONS_MAX; i++)
		free((*trail)->commits[i].acks);
	(void)pthread_mutex_destroy(&(*trail)->lock);
	free(*trail);
	*trail = NULL;
}

static struct commit *at(struct trail *trail, uint64_t number)
{
	return &trail->commits[number % TRAIL_REVISIONS_MAX];
}

static uint64_t first(const struct trail *trail)
{
	return trail->commit_end > TRAIL_REVISIONS_MAX ? trail->commit_end - TRAIL_REVISIONS_MAX : 0;
}

/* Find the commit, if it is remembered. The lock is held. */
static struct commit *find(struct trail *trail, int64_t revision)
{
	for (uint64_t n = trail->commit_end; n > first(trail); n--)
		if (at(trail, n - 1)->revision == revision)
			return at(trail, n - 1);
	return NULL;
}

/* Find the commit, or remember it from now on if it is newer than all others. NULL when it is older. */
static struct commit *find_or_add(struct trail *trail, int64_t revision)
{
	struct commit *commit = find(trail, revision);
	if (commit != NULL || (trail->commit_end > 0 && at(trail, trail->commit_end - 1)->revision > revision))
		return commit;
	commit = at(trail, trail->commit_end++);
	free(commit->acks);
	*commit = (struct commit){.revision = revision};
	return commit;
}

void trail_committed(struct trail *trail, const char *id, int64_t base_us, int64_t revision, int64_t committed_us)
{
	(void)pthread_mutex_lock(&trail->lock);
	struct commit *commit = find_or_add(trail, revision);
	if (commit != NULL) {
		struct decided *decided = &trail->decided[trail->decided_end++ % TRAIL_TRANSITIONS_MAX];
		(void)snprintf(decided->id, sizeof decided->id, "%s", id);
		decided->base_us = base_us;
		decided->revision = revision;
		commit->committed_us = committed_us;
	}
	(void)pthread_mutex_unlock(&trail->lock);
}

void trail_fed(struct trail *trail, int64_t revision, int64_t fed_us)
{
	(void)pthread_mutex_lock(&trail->lock);
	struct commit *commit = find_or_add(trail, revision);
	if (commit != NULL && commit->fed_us == 0)
		commit->fed_us = fed_us;
	(void)pthread_mutex_unlock(&trail->lock);
}

static bool has_ack(const struct commit *commit, const char *server)
{
	for (size_t i = 0; i < commit->ack_count; i++)
		if (strcmp(commit->acks[i].server, server) == 0)
			return true;
	return false;
}

/* When memory is out, the acknowledgement is lost, which affects only what people see. */
static void add_ack(struct commit *commit, const struct ack *ack)
{
	if (commit->ack_count == commit->ack_size) {
		size_t size = commit->ack_size > 0 ? 2 * commit->ack_size : 4;
		struct ack *acks = size <= TRAIL_SERVERS_MAX ? reallocarray(commit->acks, size, sizeof *acks) : NULL;
		if (acks == NULL)
			return;
		commit->acks = acks;
		commit->ack_size = size;
	}
	commit->acks[commit->ack_count++] = *ack;
}

void trail_applied(struct trail *trail, const char *server, const char *name, int64_t revision, int64_t received_us,
		   int64_t applied_us)
{
	struct ack ack = {.revision = revision, .received_us = received_us, .applied_us = applied_us};
	(void)snprintf(ack.server, sizeof ack.server, "%s", server);
	(void)snprintf(ack.name, sizeof ack.name, "%s", name);
	(void)pthread_mutex_lock(&trail->lock);
	for (uint64_t n = trail->commit_end; n > first(trail); n--) {
		struct commit *commit = at(trail, n - 1);
		if (commit->revision > revision)
			continue;
		if (has_ack(commit, ack.server))
			break; /* it has acknowledged this commit, and so all before it */
		/*
		 * A name server that was not connected when this was fed went to a later revision directly: that counts
		 * as well.
		 */
		add_ack(commit, &ack);
	}
	(void)pthread_mutex_unlock(&trail->lock);
}

static int64_t at_least(int64_t value, int64_t least)
{
	return value > least ? value : least;
}

/*
 * Name servers' times are computed from the ages that they report, by clocks of their own, so they are limited to after
 * the feeding.
 */
static json_t *acks_json(const struct commit *commit, int64_t base_us, int64_t fed_us)
{
	json_t *servers = json_array();
	for (size_t i = 0; i < commit->ack_count; i++) {
		const struct ack *a = &commit->acks[i];
		int64_t received_us = at_least(a->received_us - base_us, fed_us);
		int64_t applied_us = at_least(a->applied_us - base_us, received_us);
		(void)json_array_append_new(servers,
					    json_pack("{s:s, s:s, s:I, s:I, s:I}", "id", a->server, "name", a->name,
						      "revision", (json_int_t)a->revision, "received_us",
						      (json_int_t)received_us, "applied_us", (json_int_t)applied_us));
	}
	return servers;
}

static const struct decided *find_decided(const struct trail *trail, const char *id)
{
	for (size_t i = 0; i < TRAIL_TRANSITIONS_MAX; i++)
		if (strcmp(trail->decided[i].id, id) == 0)
			return &trail->decided[i];
	return NULL;
}

void trail_merge(struct trail *trail, json_t *transition)
{
	const char *id = json_string_value(json_object_get(transition, "id"));
	json_t *steps = json_object_get(transition, "steps");
	int64_t commit_us = (int64_t)json_integer_value(json_object_get(steps, "commit_us"));
	if (id == NULL || id[0] == '\0')
		return;
	(void)pthread_mutex_lock(&trail->lock);
	const struct decided *decided = find_decided(trail, id);
	const struct commit *commit = decided != NULL ? find(trail, decided->revision) : NULL;
	if (commit != NULL) {
		int64_t base_us = decided->base_us;
		int64_t committed_us = at_least(commit->committed_us - base_us, commit_us);
		int64_t fed_us = commit->fed_us - base_us;
		/* The thread that feeds may see the commit before the committing thread does. */
		if (commit->fed_us != 0 && fed_us < committed_us)
			committed_us = at_least(fed_us, commit_us);
		(void)json_object_set_new(steps, "committed_us", json_integer(committed_us));
		if (commit->fed_us != 0) {
			fed_us = at_least(fed_us, committed_us);
			(void)json_object_set_new(steps, "fed_us", json_integer(fed_us));
			(void)json_object_set_new(transition, "nameservers", acks_json(commit, base_us, fed_us));
		}
	}
	(void)pthread_mutex_unlock(&trail->lock);
}
