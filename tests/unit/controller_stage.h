/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of the controller: a controller with a real store, directory and hub in this process, a wall clock
 * that a test can set, and reports that the test makes up. Each call fails the test on an error, and each wait fails it
 * after WAIT_MS.
 */
#ifndef VEER_TESTS_CONTROLLER_STAGE_H
#define VEER_TESTS_CONTROLLER_STAGE_H

#include <stdatomic.h>

#include "api/control/controller.h"
#include "api/control/hub.h"

enum { WAIT_MS = 10000, AGENTS_MAX = 80, ITEMS_MAX = 256 };

struct stage {
	struct veer_clock clock;
	atomic_int_fast64_t ahead_s; /* how far the controller's wall clock is ahead of the true one */
	char dir[64];
	struct logger *log;
	struct store *store;
	struct directory *directory;
	struct assignment_hub *assignments;
	struct hub *hub;
	struct controller *controller;
	struct trail *trail;
	size_t history;
	int64_t campaign_ms;
	uint64_t seq[AGENTS_MAX];
};

#define STAGE_OVERRIDE(action_, rest_)                                                                                 \
	"{\"endpoint\":\"web/e0\",\"action\":\"" action_ "\",\"owner\":\"me\",\"reason\":\"x\"" rest_ "}"

/* For cmocka: `*state` is a stage with an empty store. */
int stage_setup(void **state);
int stage_teardown(void **state);
/* Start directory, hub and controller; end them as at the end of a process. */
void stage_start(struct stage *f);
void stage_stop(struct stage *f);

/* Write one object directly into the store, as the API or a vandal would. NULL deletes it. */
int64_t stage_put(struct stage *f, enum model_kind kind, const char *key, const char *value);
/* Add agents ag-000 and so on. */
void stage_put_agents(struct stage *f, int count);
/* Add one pool of `count` endpoints e0…, which the check "tcp" watches. */
void stage_put_pool(struct stage *f, const char *name, int count);
/* Add the site "fra", the check "tcp", the pool "web", and agents. */
void stage_put_model(struct stage *f, int agents, int endpoints);

/* The controller's status; the caller owns it. */
json_t *stage_status_of(struct stage *f);
/* A number in the controller's status. */
int64_t stage_number_of(struct stage *f, const char *key);

/* Send one report of agent `agent`, with one letter per item. */
enum veer_err stage_report(struct stage *f, int agent, int64_t revision, const char *letters);
/* All agents below `agents` report the same, again when the assignments changed meanwhile. */
void stage_report_all(struct stage *f, int agents, const char *letters);
/*
 * Report again and again, as agents do: a report from before a change of the assignments does not contain what is new.
 */
void stage_report_until_down(struct stage *f, int agents, const char *letters, const char *key);
/* Three agents report the same until the verdict of `key` is `state`. */
void stage_report_until(struct stage *f, const char *letters, const char *key, const char *state);

void stage_pause_ms(int ms);
/* The object in the directory if its `field` is `text` (NULL: if it exists), otherwise NULL. The caller owns it. */
json_t *stage_look(struct stage *f, enum model_kind kind, const char *key, const char *field, const char *text);
/* Wait until the object's `field` is `text` (NULL: until it exists). The caller owns it. */
json_t *stage_wait_object(struct stage *f, enum model_kind kind, const char *key, const char *field, const char *text);
/* Does the directory have it? */
bool stage_is_there(struct stage *f, enum model_kind kind, const char *key);
/* Wait until the directory no longer has the object, or has this many of a kind. */
void stage_wait_gone(struct stage *f, enum model_kind kind, const char *key);
void stage_wait_count(struct stage *f, enum model_kind kind, size_t count);
/* How many transitions the store keeps; wait until it keeps that many. */
size_t stage_history_size(struct stage *f);
void stage_wait_history(struct stage *f, size_t count);

#endif
