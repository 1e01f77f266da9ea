/* SPDX-License-Identifier: Apache-2.0 */
/* Publication of plans. See publish.h. */
#include "dnsd/serve/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 1     /* how often to check whether all workers use the newest plan */
#define RECLAIM_MS 20 /* how often to check whether retired memory can be released */

struct publisher {
	struct daemon *daemon;
	struct rcu *rcu;
	struct veer_listen *addresses;
	size_t address_count;
	unsigned worker_count;
	struct sockets sockets;
	struct sockets_given given;
	bool is_held;            /* the workers are not started with the first plan but by publisher_start() */
	struct workers *workers; /* NULL before the first plan */
	const struct plan *plan;
	struct worker_config config;
	struct retire_list kept; /* could not be handed over for lack of memory; is handed over with the next plan */
	struct loop_timer timer;
	int64_t received_ns; /* when the newest plan's commit was received */
	bool is_frozen;
	const struct plan *next; /* the plan that came while frozen; NULL: none */
	int64_t next_received_ns;
	bool is_applied;
	publisher_applied_fn *on_applied;
	void *applied_ctx;
};

struct publisher *publisher_new(struct daemon *daemon, const struct veer_listen *addresses, size_t count,
				unsigned workers, const struct tcp_limits *tcp)
{
	struct publisher *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->daemon = daemon;
	p->worker_count = workers;
	p->config.tcp = *tcp;
	p->address_count = count;
	p->addresses = calloc(count + 1, sizeof *addresses);
	p->rcu = rcu_new(workers);
	struct responder_config nothing = {.nsid_len = 0};
	if (p->addresses == NULL || p->rcu == NULL || publisher_set_config(p, &nothing) != VEER_OK) {
		publisher_free(&p);
		return NULL;
	}
	memcpy(p->addresses, addresses, count * sizeof *addresses);
	return p;
}

void publisher_free(struct publisher **publisher)
{
	struct publisher *p = *publisher;
	if (p == NULL)
		return;
	loop_timer_cancel(p->daemon->loop, &p->timer);
	workers_stop(&p->workers);
	sockets_close(&p->sockets);
	sockets_given_close(&p->given);
	rcu_free(&p->rcu);
	retire_release(&p->kept);
	free((void *)(uintptr_t)atomic_load(&p->config.newest));
	free(p->addresses);
	free(p);
	*publisher = NULL;
}

enum veer_err publisher_set_config(struct publisher *publisher, const struct responder_config *config)
{
	struct responder_config *copy = malloc(sizeof *copy);
	if (copy == NULL || retire_reserve(&publisher->kept, 1) != VEER_OK) {
		free(copy);
		return VEER_ENOMEM;
	}
	*copy = *config;
	/*
	 * release: its content becomes visible with it. The old configuration is freed with what the next plan
	 * replaces, because workers take up plans and configurations in the same way
	 */
	const struct responder_config *old =
		atomic_exchange_explicit(&publisher->config.newest, copy, memory_order_acq_rel);
	retire_add(&publisher->kept, (void *)(uintptr_t)old, NULL);
	return VEER_OK;
}

void publisher_on_applied(struct publisher *publisher, publisher_applied_fn *fn, void *ctx)
{
	publisher->on_applied = fn;
	publisher->applied_ctx = ctx;
}

/* Write the addresses that are really bound, as "127.0.0.1@5300 ::1@5300". */
static void listen_text(const struct sockets *s, char *out, size_t size)
{
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < s->address_count && len + 1 < size; i++) {
		char text[VEER_LISTEN_TEXT_SIZE];
		veer_listen_print(&s->addresses[i], true, text);
		int n = snprintf(out + len, size - len, "%s%s", i > 0 ? " " : "", text);
		len += n > 0 ? (size_t)n : 0;
	}
}

void publisher_show(struct publisher *publisher, struct tap *tap)
{
	publisher->config.tap = tap;
}

void publisher_count_zones(struct publisher *publisher, uint32_t limit)
{
	publisher->config.zone_limit = limit;
}

void publisher_hold(struct publisher *publisher, struct sockets_given *given)
{
	publisher->is_held = true;
	publisher->given = *given;
	*given = (struct sockets_given){0};
}

void publisher_unhold(struct publisher *publisher)
{
	publisher->is_held = false;
}

enum veer_err publisher_check(const struct publisher *publisher, struct veer_diag *diag)
{
	return sockets_check(publisher->addresses, publisher->address_count, &publisher->given, diag);
}

enum veer_err publisher_start(struct publisher *publisher, struct veer_diag *diag)
{
	char text[1024];
	enum veer_err err = sockets_open(publisher->addresses, publisher->address_count, publisher->worker_count,
					 &publisher->given, &publisher->sockets, diag);
	if (err != VEER_OK)
		return err;
	err = workers_start(&publisher->sockets, publisher->rcu, &publisher->config, &publisher->workers);
	if (err != VEER_OK) {
		sockets_close(&publisher->sockets);
		return veer_fail(diag, err, "cannot start workers: %s", veer_err_text(err));
	}
	publisher->is_held = false;
	listen_text(&publisher->sockets, text, sizeof text);
	daemon_ready(publisher->daemon, LOG_FIELDS(LOG_STR("listen", text), LOG_INT("workers", publisher->worker_count),
						   LOG_INT("revision", publisher->plan->revision),
						   LOG_INT("zones", publisher->plan->zones.count)));
	return VEER_OK;
}

/*
 * Check whether the plan has reached all workers and what can be released; check again later while something is left.
 */
static void check(void *ctx)
{
	struct publisher *p = ctx;
	if (!p->is_applied && rcu_is_applied(p->rcu)) {
		int64_t took_ns = veer_clock_monotonic_ns(loop_clock(p->daemon->loop)) - p->received_ns;
		p->is_applied = true;
		if (p->on_applied != NULL)
			p->on_applied(p->applied_ctx, p->plan, took_ns / 1000);
	}
	size_t left = rcu_reclaim(p->rcu);
	if (!p->is_applied || left > 0)
		(void)loop_timer_set(p->daemon->loop, &p->timer, p->is_applied ? RECLAIM_MS : POLL_MS, check, p);
}

/* Append `from` to `kept`; if there is no memory even for that, it is never released. */
static void keep(struct publisher *p, struct retire_list *from)
{
	if (retire_reserve(&p->kept, from->count) != VEER_OK) {
		log_error(p->daemon->log, "memory is out: replaced data is not released");
		return;
	}
	for (size_t i = 0; i < from->count; i++)
		retire_add(&p->kept, from->items[i].ptr, from->items[i].fn);
	from->count = 0;
	retire_release(from);
}

/* Publish, and hand over what only earlier plans reach; if memory is out, that is handed over with the next plan. */
static void hand_over(struct publisher *p, struct retire_list *retired)
{
	if (p->kept.count > 0) {
		keep(p, retired);
		(void)rcu_publish(p->rcu, p->plan, &p->kept);
	} else if (rcu_publish(p->rcu, p->plan, retired) != VEER_OK) {
		keep(p, retired);
	}
}

enum veer_err publisher_publish(struct publisher *publisher, const struct plan *plan, struct retire_list *retired,
				int64_t received_ns, struct veer_diag *diag)
{
	if (publisher->is_frozen) {
		publisher->next = plan;
		publisher->next_received_ns = received_ns;
		keep(publisher, retired);
		return VEER_OK;
	}
	publisher->plan = plan;
	publisher->received_ns = received_ns;
	publisher->is_applied = false;
	hand_over(publisher, retired);
	enum veer_err err =
		publisher->workers == NULL && !publisher->is_held ? publisher_start(publisher, diag) : VEER_OK;
	check(publisher);
	return err;
}

void publisher_freeze(struct publisher *publisher)
{
	publisher->is_frozen = true;
}

void publisher_thaw(struct publisher *publisher)
{
	struct retire_list none = {0};
	const struct plan *next = publisher->next;
	publisher->is_frozen = false;
	publisher->next = NULL;
	if (next != NULL) /* not the first plan, so nothing can fail */
		(void)publisher_publish(publisher, next, &none, publisher->next_received_ns, NULL);
}

void publisher_totals(const struct publisher *publisher, struct count_totals *out)
{
	*out = (struct count_totals){0};
	if (publisher->workers != NULL)
		workers_totals(publisher->workers, out);
}

bool publisher_is_alive(struct publisher *publisher)
{
	bool is_alive = publisher->workers == NULL || rcu_is_applied(publisher->rcu);
	rcu_advance(publisher->rcu);
	return is_alive;
}

struct workers *publisher_workers(struct publisher *publisher)
{
	return publisher->workers;
}

const struct sockets *publisher_sockets(const struct publisher *publisher)
{
	return &publisher->sockets;
}

void publisher_kernel_drops(const struct publisher *publisher, struct kernel_drops *out)
{
	sockets_count_drops(&publisher->sockets, out);
}

const struct plan *publisher_plan(const struct publisher *publisher)
{
	return publisher->plan;
}

int64_t publisher_received_ns(const struct publisher *publisher)
{
	return publisher->received_ns;
}
