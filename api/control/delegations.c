/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegations.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "api/control/delegation_compare.h"
#include "api/control/delegation_table.h"

enum {
	IDLE_MS = 1000,
	WALK_MS = 60000,   /* between walks over all zones, which find what the hub has not reported */
	WALK_PAGE = 1000,  /* zones under one read lock */
	SOON_MS = 3000,    /* after a change, so that a series of changes is compared once */
	FIRST_MS = 5000,   /* after the start */
	GAP_MS = 100,      /* between two zones */
	SILENT_MS = 60000, /* between two zones while no resolver answers */
};

/* The comparison that a caller waits for. */
struct wish {
	enum { WISH_NONE, WISH_WANTED, WISH_RUNNING, WISH_DONE } state;
	bool is_abandoned; /* the caller does not wait any longer */
	char zone[NAME_TEXT_SIZE];
	enum veer_err err;
	char *result;
};

struct delegations {
	struct control *control;
	struct resolvers resolvers;
	int wake_fd;          /* an eventfd that interrupts the thread, whatever it waits for */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t done;
	bool is_stopping;
	struct delegation_table table;
	struct wish wish;
	pthread_t thread;
	bool has_thread;
	/* Used by the thread only. */
	int64_t free_ms; /* when the next zone may be compared */
	int64_t walk_ms;
	uint64_t walk;
	bool is_silent; /* no resolver has answered */
};

static int64_t now_ms(const struct delegations *d)
{
	return veer_clock_monotonic_ms(d->control->clock);
}

static void wake(const struct delegations *d)
{
	const uint64_t one = 1;
	ssize_t n;
	do
		n = write(d->wake_fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

/*
 * Reset the eventfd. While the thread is stopping, the eventfd stays readable. The lock is held, so that no wish is
 * missed.
 */
static void drain(const struct delegations *d)
{
	uint64_t count;
	if (!d->is_stopping && read(d->wake_fd, &count, sizeof count) < 0)
		return; /* it was not set */
}

/* --- results ------------------------------------------------------------------------------------------------ */

/*
 * Log each zone whose state has changed, except expected changes, and changes that only a resolver's silence has
 * caused.
 */
static void tell(struct delegations *d, const char *zone, enum delegation_state was,
		 const struct delegation_outcome *outcome)
{
	bool is_bad = outcome->state == DELEGATION_DIFFERS || outcome->state == DELEGATION_MISSING;
	if (was == outcome->state || outcome->state == DELEGATION_UNCHECKED || d->is_silent ||
	    (was == DELEGATION_UNCHECKED && outcome->state == DELEGATION_OK))
		return;
	log_write(d->control->log, is_bad ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "delegation",
		  LOG_FIELDS(LOG_STR("zone", zone), LOG_STR("state", delegation_state_text(outcome->state)),
			     LOG_STR("was", delegation_state_text(was)), LOG_STR("summary", outcome->summary)));
}

static void note_resolvers(struct delegations *d, enum veer_err err)
{
	bool is_silent = err == VEER_ETIMEOUT;
	if (is_silent != d->is_silent && is_silent)
		log_notice(d->control->log, "no resolver answers: delegations are not compared with their parents");
	else if (is_silent != d->is_silent)
		log_notice(d->control->log, "a resolver answers: delegations are compared with their parents");
	d->is_silent = is_silent;
}

/* Store the result, and return the previous state. The lock is held. Takes the text of `outcome`. */
static enum delegation_state keep(struct delegations *d, const char *zone, enum veer_err err,
				  struct delegation_outcome *outcome)
{
	struct delegation_entry *entry = delegation_table_find(&d->table, zone);
	enum delegation_state was = entry != NULL ? entry->state : outcome->state;
	if (err == VEER_ENOTFOUND) {
		delegation_table_forget(&d->table, zone);
	} else if (outcome->result != NULL && entry != NULL) {
		delegation_table_set_result(&d->table, entry, outcome->state, outcome->result, now_ms(d));
		outcome->result = NULL;
	} else if (entry != NULL) { /* a wish interrupted it, or the store cannot be read: it is repeated soon */
		(void)delegation_table_want(&d->table, zone, now_ms(d) + (err == VEER_ECLOSED ? 0 : SILENT_MS));
	}
	return was;
}

/* Hand a copy of the result to the caller that waits for it. The lock is held. */
static void grant(struct delegations *d, enum veer_err err, const char *result)
{
	struct wish *w = &d->wish;
	w->result = result != NULL ? strdup(result) : NULL;
	w->err = w->result != NULL ? VEER_OK : err == VEER_OK ? VEER_ENOMEM : err;
	w->state = WISH_DONE;
	if (w->is_abandoned) {
		free(w->result);
		*w = (struct wish){.state = WISH_NONE};
	}
	(void)pthread_cond_broadcast(&d->done);
}

/* --- the thread --------------------------------------------------------------------------------------------- */

/* Choose the zone to compare now; false when there is none. The lock is held. */
static bool choose(struct delegations *d, char zone[NAME_TEXT_SIZE], bool *is_wish)
{
	int64_t now = now_ms(d);
	struct delegation_entry *entry = delegation_table_first(&d->table);
	drain(d);
	*is_wish = d->wish.state == WISH_WANTED;
	if (*is_wish) {
		d->wish.state = WISH_RUNNING;
		entry = delegation_table_want(&d->table, d->wish.zone, INT64_MAX);
	} else if (entry == NULL || entry->due_ms > now || d->free_ms > now) {
		return false;
	}
	(void)snprintf(zone, NAME_TEXT_SIZE, "%s", *is_wish ? d->wish.zone : entry->zone);
	if (entry != NULL) /* a request that comes from now on needs another comparison */
		delegation_table_set_due(&d->table, entry, INT64_MAX);
	return true;
}

static void work(struct delegations *d, const char *zone, bool is_wish)
{
	struct delegation_outcome outcome;
	enum veer_err err = delegation_compare(d->control, &d->resolvers, d->wake_fd, zone, &outcome);
	if (outcome.result != NULL)
		note_resolvers(d, err);
	d->free_ms = now_ms(d) + (d->is_silent ? SILENT_MS : GAP_MS);
	(void)pthread_mutex_lock(&d->lock);
	if (is_wish)
		grant(d, err, outcome.result);
	enum delegation_state was = keep(d, zone, err, &outcome);
	(void)pthread_mutex_unlock(&d->lock);
	tell(d, zone, was, &outcome);
	free(outcome.result);
}

struct page {
	struct delegations *d;
	size_t count;
	char last[NAME_TEXT_SIZE];
};

static bool see_zone(void *ctx, const struct directory_entry *entry)
{
	struct page *page = ctx;
	struct delegations *d = page->d;
	(void)pthread_mutex_lock(&d->lock);
	struct delegation_entry *zone = delegation_table_find(&d->table, entry->key);
	if (zone == NULL)
		zone = delegation_table_want(&d->table, entry->key, now_ms(d) + FIRST_MS);
	if (zone != NULL)
		zone->marked = d->walk;
	(void)pthread_mutex_unlock(&d->lock);
	(void)snprintf(page->last, sizeof page->last, "%s", entry->key);
	return ++page->count < WALK_PAGE;
}

/* Forget zones that the walk has not seen, because they were deleted. */
static void forget_unseen(struct delegations *d)
{
	(void)pthread_mutex_lock(&d->lock);
	for (size_t i = d->table.count; i > 0; i--) {
		const struct delegation_entry *entry = i <= d->table.count ? d->table.heap[i - 1] : NULL;
		if (entry != NULL && entry->marked != d->walk && entry->state != DELEGATION_UNCHECKED)
			delegation_table_forget(&d->table, entry->zone);
	}
	(void)pthread_mutex_unlock(&d->lock);
}

/* Walk over all zones. The first time all are new; later the hub has already reported nearly everything. */
static void walk(struct delegations *d)
{
	struct page page = {.d = d};
	d->walk++;
	do {
		page.count = 0;
		directory_list(d->control->directory, MODEL_KIND_ZONE, page.last[0] != '\0' ? page.last : NULL,
			       see_zone, &page);
	} while (page.count == WALK_PAGE);
	forget_unseen(d);
	d->walk_ms = now_ms(d) + WALK_MS;
}

static void *delegations_main(void *ctx)
{
	struct delegations *d = ctx;
	char zone[NAME_TEXT_SIZE];
	for (bool is_stopping = false, is_wish = false; !is_stopping;) {
		if (now_ms(d) >= d->walk_ms)
			walk(d);
		(void)pthread_mutex_lock(&d->lock);
		is_stopping = d->is_stopping;
		bool has_work = !is_stopping && choose(d, zone, &is_wish);
		(void)pthread_mutex_unlock(&d->lock);
		if (has_work) {
			work(d, zone, is_wish);
		} else if (!is_stopping) {
			int64_t pause_ms = d->free_ms - now_ms(d);
			struct pollfd fd = {.fd = d->wake_fd, .events = POLLIN};
			(void)poll(&fd, 1, pause_ms > 0 && pause_ms < IDLE_MS ? (int)pause_ms : IDLE_MS);
		}
	}
	return NULL;
}

/* --- interface ---------------------------------------------------------------------------------------------- */

struct delegations *delegations_new(struct control *control, const struct resolvers *resolvers)
{
	pthread_condattr_t monotonic;
	struct delegations *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	d->control = control;
	d->resolvers = *resolvers;
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&d->done, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (resolvers->is_off)
		return d;
	d->has_thread = d->wake_fd >= 0 && pthread_create(&d->thread, NULL, delegations_main, d) == 0;
	if (!d->has_thread)
		delegations_free(&d);
	return d;
}

void delegations_stop(struct delegations *delegations)
{
	(void)pthread_mutex_lock(&delegations->lock);
	delegations->is_stopping = true;
	(void)pthread_cond_broadcast(&delegations->done);
	(void)pthread_mutex_unlock(&delegations->lock);
	wake(delegations);
}

void delegations_free(struct delegations **delegations)
{
	struct delegations *d = *delegations;
	if (d == NULL)
		return;
	delegations_stop(d);
	if (d->has_thread)
		(void)pthread_join(d->thread, NULL);
	if (d->wake_fd >= 0)
		(void)close(d->wake_fd);
	delegation_table_free(&d->table);
	free(d->wish.result);
	(void)pthread_cond_destroy(&d->done);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
	*delegations = NULL;
}

/* Is it the NS RRset of a zone's apex? The key is ZONE/VERSION/OWNER/TYPE; names have no "/". */
static bool is_apex_ns(const char *key, size_t zone_len)
{
	const char *owner = key[zone_len] == '/' ? strchr(key + zone_len + 1, '/') : NULL;
	return owner != NULL && strncmp(owner + 1, key, zone_len) == 0 && strcmp(owner + 1 + zone_len, "/NS") == 0;
}

void delegations_note(void *ctx, const struct store_object *object)
{
	struct delegations *d = ctx;
	char zone[NAME_TEXT_SIZE];
	size_t len = strcspn(object->key, "/");
	bool is_zone = object->kind == MODEL_KIND_ZONE;
	if ((!is_zone && object->kind != MODEL_KIND_RRSET) || len >= sizeof zone || !d->has_thread ||
	    (!is_zone && !is_apex_ns(object->key, len)))
		return;
	memcpy(zone, object->key, len);
	zone[len] = '\0';
	(void)pthread_mutex_lock(&d->lock);
	if (is_zone && object->value == NULL)
		delegation_table_forget(&d->table, zone);
	else if (is_zone || delegation_table_find(&d->table, zone) != NULL)
		(void)delegation_table_want(&d->table, zone, now_ms(d) + SOON_MS);
	(void)pthread_mutex_unlock(&d->lock);
}

/* Wait until the wish is granted. The lock is held. */
static enum veer_err await(struct delegations *d, char **result)
{
	struct timespec until;
	int waited = 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DELEGATION_WAIT_MS / 1000;
	while (d->wish.state != WISH_DONE && !d->is_stopping && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&d->done, &d->lock, &until);
	if (d->wish.state != WISH_DONE) {
		d->wish.is_abandoned = true;
		return d->is_stopping ? VEER_ECLOSED : VEER_ETIMEOUT;
	}
	enum veer_err err = d->wish.err;
	*result = d->wish.result;
	d->wish = (struct wish){.state = WISH_NONE};
	return err;
}

enum veer_err delegations_compare(struct delegations *delegations, const char *zone, char **result)
{
	if (!delegations->has_thread) {
		*result = delegations_last(delegations, zone);
		return *result != NULL ? VEER_OK : VEER_ENOMEM;
	}
	(void)pthread_mutex_lock(&delegations->lock);
	enum veer_err err = delegations->is_stopping               ? VEER_ECLOSED
			    : delegations->wish.state != WISH_NONE ? VEER_EBUSY
								   : VEER_OK;
	if (err == VEER_OK) {
		delegations->wish = (struct wish){.state = WISH_WANTED};
		(void)snprintf(delegations->wish.zone, sizeof delegations->wish.zone, "%s", zone);
		wake(delegations);
		err = await(delegations, result);
	}
	(void)pthread_mutex_unlock(&delegations->lock);
	return err;
}

char *delegations_last(struct delegations *delegations, const char *zone)
{
	(void)pthread_mutex_lock(&delegations->lock);
	const struct delegation_entry *entry = delegation_table_find(&delegations->table, zone);
	char *result = entry != NULL && entry->result != NULL ? strdup(entry->result) : NULL;
	(void)pthread_mutex_unlock(&delegations->lock);
	if (result != NULL)
		return result;
	json_t *json = json_pack("{s:s, s:s, s:s}", "zone", zone, "state", delegation_state_text(DELEGATION_UNCHECKED),
				 "summary",
				 delegations->has_thread ? "it was not compared yet"
							 : "delegations are not compared here (--resolver none)");
	result = json != NULL ? veer_json_dump(json) : NULL;
	json_decref(json);
	return result;
}

void delegations_count(struct delegations *delegations, uint64_t counts[DELEGATION_STATES])
{
	(void)pthread_mutex_lock(&delegations->lock);
	memcpy(counts, delegations->table.counts, sizeof delegations->table.counts);
	(void)pthread_mutex_unlock(&delegations->lock);
	if (!delegations->has_thread)
		counts[DELEGATION_UNCHECKED] = directory_count(delegations->control->directory, MODEL_KIND_ZONE);
}

json_t *delegations_items(struct delegations *delegations, size_t max)
{
	(void)pthread_mutex_lock(&delegations->lock);
	json_t *list = delegation_table_bad(&delegations->table, max);
	(void)pthread_mutex_unlock(&delegations->lock);
	return list;
}
