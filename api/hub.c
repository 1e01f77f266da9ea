/* SPDX-License-Identifier: Apache-2.0 */
#include "api/hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { TICK_MS = 200, RETRY_MS = 200 };

struct hub {
	struct store *store;
	struct directory *directory;
	struct feed *feed;
	struct logger *log;
	struct controller *controller;
	struct assignment_hub *assignments;
	struct store_watch *watch;
	pthread_mutex_t watch_lock; /* guards the pointer for who wakes it; only the hub's thread changes it */
	int64_t revision;        /* the directory has everything up to here */
	int64_t pending;         /* the revision whose changes are under way; 0: none */
	bool is_writing;         /* holds the directory's write lock */
	bool concerns_controller; /* something it reads has changed in this batch */
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
};

static bool fill_directory(void *ctx, const struct store_object *object)
{
	struct hub *hub = ctx;
	if (directory_keeps(object->kind) && !directory_apply(hub->directory, object))
		log_error(hub->log, "an object in the store is unreadable", LOG_STR("kind", model_kind_text(object->kind)),
			  LOG_STR("key", object->key));
	return true;
}

/* Both halves of the kinds, around RRsets, which stay in the store. The later revision of the two reads is not needed: what
 * changes in between comes again by the watch, and applying a change twice is harmless. */
static enum veer_err read_store(struct hub *hub)
{
	int64_t first = 0, second = 0;
	directory_begin(hub->directory);
	directory_clear(hub->directory);
	enum veer_err err = store_snapshot(hub->store, MODEL_KIND_SITE, MODEL_KIND_ZONE, fill_directory, hub, &first);
	if (err == VEER_OK)
		err = store_snapshot(hub->store, MODEL_KIND_VERDICT, MODEL_KIND_META, fill_directory, hub, &second);
	hub->revision = first;
	directory_end(hub->directory, first);
	return err;
}

static bool concerns_controller(enum model_kind kind)
{
	return kind == MODEL_KIND_SITE || kind == MODEL_KIND_CHECK || kind == MODEL_KIND_POOL || kind == MODEL_KIND_POLICY ||
	       kind == MODEL_KIND_AGENT;
}

static bool take_change(void *ctx, const struct store_object *object)
{
	struct hub *hub = ctx;
	if (hub->pending != 0 && hub->pending != object->revision)
		feed_commit(hub->feed, hub->pending);
	hub->pending = object->revision;
	feed_change(hub->feed, object);
	if (object->revision <= hub->revision)
		return true;
	if (!hub->is_writing) {
		directory_begin(hub->directory);
		hub->is_writing = true;
	}
	(void)fill_directory(hub, object);
	hub->concerns_controller |= concerns_controller(object->kind);
	return true;
}

/* Wait for changes and pass them on: name servers first. */
static enum veer_err follow(struct hub *hub, int64_t timeout_ms)
{
	int64_t revision = hub->revision;
	enum veer_err err = store_watch_next(hub->watch, timeout_ms, take_change, hub, &revision);
	if (hub->pending != 0 && err == VEER_OK)
		feed_commit(hub->feed, hub->pending);
	hub->pending = 0;
	if (revision > hub->revision)
		hub->revision = revision;
	if (!hub->is_writing)
		directory_begin(hub->directory);
	hub->is_writing = false;
	directory_end(hub->directory, hub->revision);
	if (hub->concerns_controller && hub->controller != NULL)
		controller_model_changed(hub->controller);
	hub->concerns_controller = false;
	return err;
}

static enum veer_err open_feed(struct hub *hub, const char *feed_dir)
{
	int64_t since = hub->revision > FEED_BACKLOG_COMMITS ? hub->revision - FEED_BACKLOG_COMMITS : 0;
	enum veer_err err = store_watch_open(hub->store, since, &hub->watch);
	if (err == VEER_ESTALE) {
		since = hub->revision;
		err = store_watch_open(hub->store, since, &hub->watch);
	}
	if (err == VEER_OK && (hub->feed = feed_new(hub->store, feed_dir, since, hub->log)) == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK)
		err = follow(hub, 0);
	return err == VEER_ETIMEOUT ? VEER_OK : err;
}

enum veer_err hub_new(struct store *store, struct directory *directory, const char *feed_dir, struct logger *log,
		      struct hub **out, struct veer_diag *diag)
{
	struct hub *hub = calloc(1, sizeof *hub);
	if (hub == NULL)
		return VEER_ENOMEM;
	hub->store = store;
	hub->directory = directory;
	hub->log = log;
	(void)pthread_mutex_init(&hub->watch_lock, NULL);
	enum veer_err err = read_store(hub);
	if (err == VEER_OK)
		err = open_feed(hub, feed_dir);
	if (err != VEER_OK) {
		hub_free(&hub);
		return veer_fail(diag, err, "the store cannot be read: %s", veer_err_text(err));
	}
	*out = hub;
	return VEER_OK;
}

/* The history was cut before it was followed (a very long stall): read everything again, and let name servers do so too. */
static enum veer_err catch_up(struct hub *hub)
{
	log_error(hub->log, "the history is shorter than the stall: everything is read again", LOG_INT("revision", hub->revision));
	enum veer_err err = read_store(hub);
	if (err != VEER_OK)
		return err;
	struct store_watch *watch = NULL;
	err = store_watch_open(hub->store, hub->revision, &watch);
	if (err != VEER_OK)
		return err;
	(void)pthread_mutex_lock(&hub->watch_lock);
	struct store_watch *old = hub->watch;
	hub->watch = watch;
	(void)pthread_mutex_unlock(&hub->watch_lock);
	store_watch_close(&old);
	feed_restart(hub->feed, hub->revision);
	hub->concerns_controller = true;
	return VEER_OK;
}

static void *hub_main(void *ctx)
{
	struct hub *hub = ctx;
	while (!atomic_load(&hub->is_stopping)) {
		enum veer_err err = follow(hub, TICK_MS);
		feed_tick(hub->feed);
		assignment_hub_tick(hub->assignments);
		if (err == VEER_ESTALE)
			err = catch_up(hub);
		if (err == VEER_OK || err == VEER_ETIMEOUT || err == VEER_ECLOSED)
			continue;
		/* What a failed read has delivered comes again; applying it twice is harmless. */
		log_error(hub->log, "the store cannot be followed", LOG_STR("why", veer_err_text(err)));
		struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

enum veer_err hub_start(struct hub *hub, struct controller *controller, struct assignment_hub *assignments)
{
	hub->controller = controller;
	hub->assignments = assignments;
	hub->has_thread = pthread_create(&hub->thread, NULL, hub_main, hub) == 0;
	return hub->has_thread ? VEER_OK : VEER_ELIMIT;
}

void hub_stop(struct hub *hub)
{
	if (!hub->has_thread)
		return;
	atomic_store(&hub->is_stopping, true);
	(void)pthread_mutex_lock(&hub->watch_lock);
	store_watch_wake(hub->watch);
	(void)pthread_mutex_unlock(&hub->watch_lock);
	(void)pthread_join(hub->thread, NULL);
	hub->has_thread = false;
}

void hub_free(struct hub **hub_ptr)
{
	struct hub *hub = *hub_ptr;
	if (hub == NULL)
		return;
	hub_stop(hub);
	store_watch_close(&hub->watch);
	feed_free(&hub->feed);
	(void)pthread_mutex_destroy(&hub->watch_lock);
	free(hub);
	*hub_ptr = NULL;
}

struct feed *hub_feed(struct hub *hub)
{
	return hub->feed;
}
