/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/hub.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { TICK_MS = 200, RETRY_MS = 200, WATCH_MS = 500 };

/* A change that waits for its turn in the directory. */
struct waiting {
	struct waiting *next;
	struct directory_change *change;
};

struct hub {
	struct store *store;
	struct directory *directory;
	struct feed *feed;
	struct logger *log;
	pthread_mutex_t watch_lock; /* guards the pointer `watch`, which hub_stop() reads too */
	struct store_watch *watch;  /* NULL when the history was lost and cannot be read again yet */
	int64_t revision;           /* the directory has everything up to here */
	int64_t pending;            /* the revision whose changes are being read; 0: none */
	struct waiting *first, **last;
	struct hub_history history;                             /* set before the thread starts */
	struct hub_subscriber subscribers[HUB_SUBSCRIBERS_MAX]; /* likewise */
	size_t subscriber_count;
	int64_t watched_ms;           /* when `history` was last attended to */
	struct model_kinds in_batch;  /* the kinds that have changed in this batch … */
	struct model_kinds in_commit; /* … and in the commit in progress */
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
};

static void complain(struct hub *hub, const struct store_object *object)
{
	log_error(hub->log, "an object in the store is unreadable", LOG_STR("kind", model_kind_text(object->kind)),
		  LOG_STR("key", object->key));
}

static bool fill_directory(void *ctx, const struct store_object *object)
{
	struct hub *hub = ctx;
	struct directory_change *change = directory_prepare(object);
	if (change == NULL || !directory_install(hub->directory, &change))
		complain(hub, object);
	return true;
}

static enum veer_err read_store(struct hub *hub)
{
	int64_t revision = 0;
	directory_begin(hub->directory);
	directory_clear(hub->directory);
	enum veer_err err = store_snapshot(hub->store, model_kinds_mirrored(), fill_directory, hub, &revision);
	if (err == VEER_OK)
		hub->revision = revision;
	directory_end(hub->directory, hub->revision);
	return err;
}

/* The commit in progress is complete: send it. */
static void commit_pending(struct hub *hub)
{
	int64_t now_us = veer_clock_monotonic_ns(veer_clock_system()) / 1000;
	for (size_t i = 0; i < hub->subscriber_count; i++) {
		const struct hub_subscriber *s = &hub->subscribers[i];
		if (s->on_commit != NULL && !model_kinds_are_none(model_kinds_common(s->kinds, hub->in_commit)))
			s->on_commit(s->ctx, hub->pending, now_us);
	}
	hub->in_commit = (struct model_kinds){0};
	feed_commit(hub->feed, hub->pending);
}

static void tell_change(struct hub *hub, const struct store_object *object)
{
	for (size_t i = 0; i < hub->subscriber_count; i++) {
		const struct hub_subscriber *s = &hub->subscribers[i];
		if (s->on_change != NULL && model_kinds_have(s->kinds, object->kind))
			s->on_change(s->ctx, object);
	}
}

static void tell_batch(struct hub *hub, struct model_kinds changed)
{
	for (size_t i = 0; i < hub->subscriber_count; i++) {
		const struct hub_subscriber *s = &hub->subscribers[i];
		struct model_kinds common = model_kinds_common(s->kinds, changed);
		if (s->on_batch != NULL && !model_kinds_are_none(common))
			s->on_batch(s->ctx, common);
	}
}

static void tell_tick(struct hub *hub)
{
	for (size_t i = 0; i < hub->subscriber_count; i++)
		if (hub->subscribers[i].on_tick != NULL)
			hub->subscribers[i].on_tick(hub->subscribers[i].ctx);
}

/*
 * Name servers are told first: the directory, which may have to wait for its readers, gets its changes after the batch.
 */
static bool take_change(void *ctx, const struct store_object *object)
{
	struct hub *hub = ctx;
	if (hub->pending != 0 && hub->pending != object->revision)
		commit_pending(hub);
	hub->pending = object->revision;
	hub->in_commit = model_kinds_either(hub->in_commit, model_kinds_of(&object->kind, 1));
	feed_change(hub->feed, object);
	tell_change(hub, object);
	if (object->revision <= hub->revision || !directory_keeps(object->kind))
		return true;
	struct waiting *w = calloc(1, sizeof *w);
	if (w == NULL || (w->change = directory_prepare(object)) == NULL) {
		free(w);
		complain(hub, object);
		return true;
	}
	*hub->last = w;
	hub->last = &w->next;
	hub->in_batch = model_kinds_either(hub->in_batch, model_kinds_of(&object->kind, 1));
	return true;
}

/* Put the waiting changes into the directory, or discard them after a failed read, which will be repeated. */
static void settle(struct hub *hub, bool is_good)
{
	while (hub->first != NULL) {
		struct waiting *w = hub->first;
		hub->first = w->next;
		if (is_good && !directory_install(hub->directory, &w->change))
			log_error(hub->log, "memory is out: the copy of the store is not whole");
		directory_discard(&w->change);
		free(w);
	}
	hub->last = &hub->first;
}

/* Wait for changes and pass them on. */
static enum veer_err follow(struct hub *hub, int64_t timeout_ms)
{
	int64_t revision = hub->revision;
	enum veer_err err = store_watch_next(hub->watch, timeout_ms, take_change, hub, &revision);
	if (err == VEER_OK && hub->pending != 0)
		commit_pending(hub);
	else if (err != VEER_OK)
		feed_abandon(hub->feed);
	hub->in_commit = (struct model_kinds){0};
	hub->pending = 0;
	if (err == VEER_OK) {
		hub->revision = revision;
		directory_begin(hub->directory);
		settle(hub, true);
		directory_end(hub->directory, revision);
	} else {
		settle(hub, false);
	}
	if (err == VEER_OK)
		tell_batch(hub, hub->in_batch);
	hub->in_batch = (struct model_kinds){0};
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
	hub->last = &hub->first;
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

static void set_watch(struct hub *hub, struct store_watch *watch)
{
	(void)pthread_mutex_lock(&hub->watch_lock);
	struct store_watch *before = hub->watch;
	hub->watch = watch;
	(void)pthread_mutex_unlock(&hub->watch_lock);
	store_watch_close(&before);
}

/* The history does not reach back to our revision: read everything again; name servers get a full state. */
static enum veer_err start_anew(struct hub *hub)
{
	struct store_watch *watch = NULL;
	set_watch(hub, NULL);
	enum veer_err err = read_store(hub);
	if (err == VEER_OK)
		err = store_watch_open(hub->store, hub->revision, &watch);
	if (err != VEER_OK)
		return err;
	feed_restart(hub->feed, hub->revision);
	tell_batch(hub, model_kinds_all());
	set_watch(hub, watch);
	log_warn(hub->log, "fell behind the store's history: read anew", LOG_INT("revision", hub->revision));
	return VEER_OK;
}

/* Record the revision that the store has reached, and check that the store has not gone back. */
static void watch_over(struct hub *hub)
{
	int64_t now_ms = veer_clock_monotonic_ms(veer_clock_system());
	struct hub_history *h = &hub->history;
	if (h->witness == NULL || now_ms - hub->watched_ms < WATCH_MS)
		return;
	hub->watched_ms = now_ms;
	witness_advance(h->witness, hub->revision);
	if (h->on_rewound != NULL && store_is_rewound(hub->store)) {
		log_error(hub->log, "the store on disk is not what was seen of it: it was put back while in use",
			  LOG_INT("revision", hub->revision));
		h->on_rewound(h->ctx);
		h->on_rewound = NULL;
	} else {
		h->on_watch(h->ctx);
	}
}

static void *hub_main(void *ctx)
{
	struct hub *hub = ctx;
	while (!atomic_load(&hub->is_stopping)) {
		watch_over(hub);
		enum veer_err err = hub->watch != NULL ? follow(hub, TICK_MS) : VEER_ESTALE;
		if (err == VEER_ESTALE)
			err = start_anew(hub);
		feed_tick(hub->feed);
		tell_tick(hub);
		if (err == VEER_OK || err == VEER_ETIMEOUT || err == VEER_ECLOSED)
			continue;
		/* Changes from a failed read are delivered again; applying them twice is harmless. */
		log_error(hub->log, "the store cannot be followed", LOG_STR("why", veer_err_text(err)));
		struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

void hub_subscribe(struct hub *hub, const struct hub_subscriber *subscriber)
{
	assert(!hub->has_thread && hub->subscriber_count < HUB_SUBSCRIBERS_MAX);
	hub->subscribers[hub->subscriber_count++] = *subscriber;
}

void hub_watch_over(struct hub *hub, const struct hub_history *history)
{
	hub->history = *history;
}

enum veer_err hub_start(struct hub *hub)
{
	hub->has_thread = pthread_create(&hub->thread, NULL, hub_main, hub) == 0;
	return hub->has_thread ? VEER_OK : VEER_ELIMIT;
}

void hub_stop(struct hub *hub)
{
	if (!hub->has_thread)
		return;
	atomic_store(&hub->is_stopping, true);
	(void)pthread_mutex_lock(&hub->watch_lock);
	if (hub->watch != NULL)
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
	if (hub->history.witness != NULL)
		witness_advance(hub->history.witness, hub->revision);
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
