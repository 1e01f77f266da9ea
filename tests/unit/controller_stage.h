/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of the controller: one with a real store, directory and hub in this process, a wall clock that can be
 * set, and reports that are made up. Each call fails the test on an error, and each wait after WAIT_MS.
 */
#ifndef VEER_TESTS_CONTROLLER_STAGE_H
#define VEER_TESTS_CONTROLLER_STAGE_H

#include <stdatomic.h>

#include "api/control/controller.h"
#include "api/control/hub.h"

enum { WAIT_MS = 10000, AGENTS_MAX = 80, ITEMS_MAX = 256 };

struct stage {
	struct veer_clock clock;
	atomic_int_fast64_t ahead_s; /* of the true wall clock */
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
/* Start directory, hub and controller; end them, as at the end of a process. */
void stage_start(struct stage *f);
void stage_stop(struct stage *f);

/* Write one object past everybody, as the API or a vandal would. NULL deletes it. */
int64_t stage_put(struct stage *f, enum model_kind kind, const char *key, const char *value);
/* Agents ag-000 and so on. */
void stage_put_agents(struct stage *f, int count);
/* One pool of `count` endpoints e0…, watched by the check "tcp". */
void stage_put_pool(struct stage *f, const char *name, int count);
/* The site "fra", the check "tcp", the pool "web", and agents. */
void stage_put_model(struct stage *f, int agents, int endpoints);

/* The controller's status; the caller's. */
json_t *stage_status_of(struct stage *f);
/* A number in it. */
int64_t stage_number_of(struct stage *f, const char *key);

/* One report of agent `agent` with a letter an item. */
enum veer_err stage_report(struct stage *f, int agent, int64_t revision, const char *letters);
/* All agents below `agents` say the same; again when the assignments changed meanwhile. */
void stage_report_all(struct stage *f, int agents, const char *letters);
/*
 * As agents do, report again and again: a report from before a change of the assignments says nothing of what is new.
 */
void stage_report_until_down(struct stage *f, int agents, const char *letters, const char *key);
/* Three agents say the same, until the verdict of `key` is `state`. */
void stage_report_until(struct stage *f, const char *letters, const char *key, const char *state);

void stage_pause_ms(int ms);
/* The object in the directory if its `field` is `text` (NULL: if it is there); NULL if not. The caller's. */
json_t *stage_look(struct stage *f, enum model_kind kind, const char *key, const char *field, const char *text);
/* The object once its `field` is `text` (NULL: once it is there). The caller's. */
json_t *stage_wait_object(struct stage *f, enum model_kind kind, const char *key, const char *field, const char *text);
/* Does the directory have it? */
bool stage_is_there(struct stage *f, enum model_kind kind, const char *key);
/* Until the directory has it no more, or so many of a kind. */
void stage_wait_gone(struct stage *f, enum model_kind kind, const char *key);
void stage_wait_count(struct stage *f, enum model_kind kind, size_t count);
/* How many transitions the store keeps; until there are so many. */
size_t stage_history_size(struct stage *f);
void stage_wait_history(struct stage *f, size_t count);

#endif
