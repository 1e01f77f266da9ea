/* SPDX-License-Identifier: Apache-2.0 */
/* The tap. See tap.h. */
#include "dnsd/tap/tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/crypto.h"
#include "dnsd/tap/dnstap.h"
#include "dnsd/tap/query_log.h"

#define POLL_NS 20000000 /* the longest time that a query stays in a ring */
#define BURST 4096       /* queries of one ring before the others have their turn */
#define CACHE_LINE 64

/* A port alone on its cache line, because its worker writes to it with every query. */
struct aligned_port {
	_Alignas(CACHE_LINE) struct tap_port port;
};

struct tap {
	struct query_log *query_log; /* NULL: none; used by the thread only, once it runs */
	struct dnstap *dnstap;       /* NULL: none; likewise */
	unsigned worker_count;
	struct aligned_port *ports;
	uint8_t *messages; /* used by the thread only */
	pthread_t thread;
	bool is_running;
	atomic_bool is_stopping;
	atomic_bool is_reopening;
};

/* --- the thread's side ------------------------------------------------------------------------------------ */

static void write_down(struct tap *t, const struct tap_record *record)
{
	const uint8_t *query = t->messages;
	const uint8_t *reply = t->messages + record->query_len;
	if ((record->outputs & 1U << TAP_QUERY_LOG) != 0)
		query_log_add(t->query_log, record, query);
	if ((record->outputs & 1U << TAP_DNSTAP) != 0)
		dnstap_add(t->dnstap, record, query, reply);
}

/* Empty the rings; true when something is left. */
static bool drain(struct tap *t)
{
	bool is_more = false;
	for (unsigned i = 0; i < t->worker_count; i++) {
		struct tap_record record;
		int n = 0;
		while (n < BURST && tap_ring_take(t->ports[i].port.ring, &record, t->messages)) {
			write_down(t, &record);
			n++;
		}
		is_more = is_more || n == BURST;
	}
	if (t->query_log != NULL)
		query_log_flush(t->query_log);
	return is_more;
}

static void *run(void *ctx)
{
	static const struct timespec pause = {.tv_nsec = POLL_NS};
	struct tap *t = ctx;
	bool is_stopping;
	do {
		/* read first and with acquire, so that what was offered before is seen */
		is_stopping = atomic_load_explicit(&t->is_stopping, memory_order_acquire);
		if (atomic_exchange_explicit(&t->is_reopening, false, memory_order_relaxed) && t->query_log != NULL)
			query_log_reopen(t->query_log);
		while (drain(t))
			;
		if (!is_stopping)
			(void)nanosleep(&pause, NULL);
	} while (!is_stopping);
	return NULL;
}

/* --- interface -------------------------------------------------------------------------------------------- */

static enum veer_err make_ports(struct tap *t, const struct tap_options *o, unsigned workers)
{
	t->ports = aligned_alloc(CACHE_LINE, workers * sizeof *t->ports);
	t->messages = malloc(TAP_MESSAGES_MAX);
	if (t->ports == NULL || t->messages == NULL)
		return VEER_ENOMEM;
	for (; t->worker_count < workers; t->worker_count++) {
		struct tap_port port = {.ring = tap_ring_new()};
		uint64_t random;
		if (port.ring == NULL)
			return VEER_ENOMEM;
		port.every[TAP_QUERY_LOG] = o->query_log != NULL ? o->every[TAP_QUERY_LOG] : 0;
		port.every[TAP_DNSTAP] = o->dnstap != NULL ? o->every[TAP_DNSTAP] : 0;
		port.random = crypto_random(&random, sizeof random) == VEER_OK ? random | 1 : 1;
		t->ports[t->worker_count].port = port;
	}
	return VEER_OK;
}

static enum veer_err open_outputs(struct tap *t, const struct tap_options *o, struct logger *log,
				  struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	if (o->query_log != NULL)
		err = query_log_open(o->query_log, o->format, log, &t->query_log, diag);
	if (err == VEER_OK && o->dnstap != NULL)
		err = dnstap_open(o->dnstap, o->identity, &t->dnstap, diag);
	return err;
}

enum veer_err tap_new(const struct tap_options *options, unsigned workers, struct logger *log, struct tap **out,
		      struct veer_diag *diag)
{
	struct tap *t = calloc(1, sizeof *t);
	if (t == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	enum veer_err err = open_outputs(t, options, log, diag);
	if (err == VEER_OK && (err = make_ports(t, options, workers)) != VEER_OK)
		(void)veer_fail(diag, err, "out of memory");
	if (err == VEER_OK && pthread_create(&t->thread, NULL, run, t) != 0)
		err = veer_fail(diag, VEER_EIO, "cannot start a thread");
	t->is_running = err == VEER_OK;
	if (err == VEER_OK)
		*out = t;
	else
		tap_free(&t);
	return err;
}

void tap_free(struct tap **tap)
{
	struct tap *t = *tap;
	if (t == NULL)
		return;
	/* release: the workers' last queries in the rings are visible */
	atomic_store_explicit(&t->is_stopping, true, memory_order_release);
	if (t->is_running)
		(void)pthread_join(t->thread, NULL);
	query_log_free(&t->query_log);
	dnstap_free(&t->dnstap);
	for (unsigned i = 0; i < t->worker_count; i++)
		tap_ring_free(&t->ports[i].port.ring);
	free(t->ports);
	free(t->messages);
	free(t);
	*tap = NULL;
}

struct tap_port *tap_port(struct tap *tap, unsigned index)
{
	return &tap->ports[index].port;
}

void tap_reopen(struct tap *tap)
{
	atomic_store_explicit(&tap->is_reopening, true, memory_order_relaxed);
}

void tap_stats_read(const struct tap *tap, struct tap_stats *out)
{
	*out = (struct tap_stats){0};
	if (tap->query_log != NULL) {
		query_log_stats(tap->query_log, &out->written[TAP_QUERY_LOG], &out->lost[TAP_QUERY_LOG]);
		out->is_query_log_broken = query_log_is_broken(tap->query_log);
	}
	if (tap->dnstap != NULL)
		dnstap_stats(tap->dnstap, &out->written[TAP_DNSTAP], &out->lost[TAP_DNSTAP]);
	for (unsigned i = 0; i < tap->worker_count; i++)
		out->ring_lost += tap_ring_lost(tap->ports[i].port.ring);
}
