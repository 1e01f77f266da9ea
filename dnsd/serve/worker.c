/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads. See worker.h. */
#include "dnsd/serve/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dnsd/serve/tcp.h"
#include "dnsd/serve/udp.h"
#include "dnsd/tap/tap.h"

#define EVENTS_MAX 64
#define UDP_QUERIES 1024 /* taken from one socket before the others have their turn: some milliseconds of work */
#define WALL_MS 100      /* how often the wall clock is read */
#define REFUSED_MS 5     /* until the next attempt when the kernel refuses to wait */
#define DRAIN_MS 5       /* how often a worker that is ending looks for connections to hand over */

/* Tags of epoll events: listening sockets by their index, connections from TAG_CONNECTION on. */
#define TAG_COMMAND UINT64_C(0)
#define TAG_CHANNEL UINT64_C(1)
#define TAG_TCP UINT64_C(0x20000)
#define TAG_CONNECTION UINT64_C(0x30000)

/* What a worker is to do; set by the control thread, which then writes to the worker's eventfd. */
enum command { COMMAND_SERVE, COMMAND_DRAIN, COMMAND_STOP };

struct worker {
	struct responder responder; /* first, because its counters must begin a cache line */
	struct rcu *rcu;
	const struct worker_config *config;
	unsigned index;
	const struct socket_pair *pairs;
	size_t pair_count;
	/*
	 * The descriptors for poll(2): the UDP sockets (negative while draining), and after them epoll_fd. A socket in
	 * an epoll set runs a callback in the kernel for each datagram, even while nobody waits; a socket in poll(2)
	 * does so only during the call.
	 */
	struct pollfd *waits;
	int epoll_fd;    /* everything but UDP */
	int64_t wall_ms; /* when the wall clock was last read; monotonic */
	int command_fd;
	_Atomic int command;
	_Atomic int drain_fd;    /* while draining: the channel that connections are sent to; -1: none */
	_Atomic bool is_quiet;   /* the worker has stopped receiving */
	_Atomic bool is_drained; /* and it has no connections left */
	bool is_draining;
	int channel_fd; /* the channel on which another server's connections come; -1: none */
	struct udp_batch *batch;
	struct tcp_table *tcp;
	bool is_deaf; /* the listening TCP sockets are not watched until the next sweep */
	pthread_t thread;
	bool is_running;
};

struct workers {
	unsigned count;
	struct worker **items;
};

/*
 * Watch the listening TCP sockets, or (`events` 0) stop watching them, so that connections that cannot be accepted do
 * not wake the worker.
 */
static void listen_for(struct worker *w, uint32_t events)
{
	for (size_t i = 0; i < w->pair_count; i++) {
		struct epoll_event event = {.events = events, .data.u64 = TAG_TCP + i};
		(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, w->pairs[i].tcp, &event);
	}
	w->is_deaf = events == 0;
}

static void set_listening(const struct worker *w, bool wanted)
{
	for (size_t i = 0; i < w->pair_count; i++) {
		struct epoll_event tcp = {.events = EPOLLIN, .data.u64 = TAG_TCP + i};
		w->waits[i] = (struct pollfd){.fd = wanted ? w->pairs[i].udp : -1, .events = POLLIN};
		(void)epoll_ctl(w->epoll_fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, w->pairs[i].tcp, &tcp);
	}
}

/* Carry out the command of the control thread. False: stop. */
static bool obey(struct worker *w)
{
	eventfd_t count;
	(void)eventfd_read(w->command_fd, &count);
	/* acquire: drain_fd is visible with the command */
	int command = atomic_load_explicit(&w->command, memory_order_acquire);
	bool is_draining = command == COMMAND_DRAIN;
	if (command != COMMAND_STOP && is_draining != w->is_draining) {
		set_listening(w, !is_draining);
		w->is_deaf = false;
		w->is_draining = is_draining;
	}
	return command != COMMAND_STOP;
}

/* Take connections from a server that is ending. When it has ended, close the channel. */
static void on_channel(struct worker *w, int64_t now_ms)
{
	if (w->channel_fd < 0 || tcp_adopt(w->tcp, w->channel_fd, now_ms))
		return;
	(void)close(w->channel_fd); /* this also removes it from epoll */
	w->channel_fd = -1;
}

static void drain(struct worker *w)
{
	int fd = atomic_load_explicit(&w->drain_fd, memory_order_relaxed);
	if (fd >= 0)
		tcp_hand_over(w->tcp, fd);
	/* release: answers given before are visible in the counters */
	atomic_store_explicit(&w->is_quiet, true, memory_order_release);
	atomic_store_explicit(&w->is_drained, tcp_count(w->tcp) == 0, memory_order_release);
}

static int patience_ms(const struct worker *w)
{
	if (tcp_count(w->tcp) == 0 && !w->is_deaf)
		return -1;
	return w->is_draining ? DRAIN_MS : TCP_SWEEP_MS;
}

static void on_event(struct worker *w, const struct epoll_event *event, const struct plan *plan, int64_t now_ms)
{
	uint64_t tag = event->data.u64;
	if (tag >= TAG_CONNECTION) {
		tcp_event(w->tcp, tag, plan, now_ms);
		respond_sent(&w->responder, true);
	} else if (!tcp_accept(w->tcp, w->pairs[tag - TAG_TCP].tcp, now_ms)) {
		listen_for(w, 0);
	}
}

/*
 * Read the monotonic clock once per turn, and now and then the wall clock, which the age of cookies and the query log
 * need.
 */
static void look_at_clocks(struct worker *w)
{
	struct responder *r = &w->responder;
	r->taken_ns = veer_clock_monotonic_ns(veer_clock_system());
	r->now_ms = r->taken_ns / 1000000;
	if (r->now_ms - w->wall_ms < WALL_MS)
		return;
	int64_t wall_ns = veer_clock_wall_ns(veer_clock_system());
	r->wall_offset_ns = wall_ns - r->taken_ns;
	r->now_s = (uint32_t)(wall_ns / 1000000000);
	w->wall_ms = r->now_ms;
}

/* At this point nothing of a plan is in use. From here on the newest plan and the newest configuration are used. */
static const struct plan *begin_event(struct worker *w)
{
	const struct plan *plan = rcu_quiescent(w->rcu, w->index);
	/*
	 * copied, because there are quiescent states within an event; acquire: the content is visible with the pointer
	 */
	w->responder.config = *atomic_load_explicit(&w->config->newest, memory_order_acquire);
	return plan;
}

static void serve_udp(struct worker *w)
{
	for (size_t i = 0; i < w->pair_count; i++) {
		if (w->waits[i].revents == 0)
			continue;
		(void)begin_event(w);
		udp_serve(w->batch, &w->responder, w->rcu, w->index, w->pairs[i].udp, w->pairs[i].is_wildcard,
			  UDP_QUERIES);
	}
}

/* Serve connections and commands. False when it is time to stop. */
static bool serve_events(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	bool go_on = true;
	int64_t now_ms = w->responder.now_ms;
	rcu_away(w->rcu, w->index);
	int count = epoll_wait(w->epoll_fd, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++) {
		const struct plan *plan = begin_event(w);
		if (events[i].data.u64 == TAG_COMMAND)
			go_on = obey(w);
		else if (events[i].data.u64 == TAG_CHANNEL)
			on_channel(w, now_ms);
		else
			on_event(w, &events[i], plan, now_ms);
	}
	return go_on;
}

/*
 * Wait until something is ready or the time is over, and return how many are ready. If the kernel refuses to wait (no
 * memory, or a lowered limit of descriptors), the worker must not end, because its sockets would go on receiving. Then
 * all sockets are tried some milliseconds later.
 */
static int wait_for_events(struct worker *w)
{
	static const struct timespec pause = {.tv_nsec = REFUSED_MS * 1000000};
	int count = poll(w->waits, w->pair_count + 1, patience_ms(w));
	if (count >= 0 || errno == EINTR)
		return count;
	count_add(&w->responder.counters, COUNT_WAITS_FAILED);
	(void)nanosleep(&pause, NULL);
	for (size_t i = 0; i <= w->pair_count; i++)
		w->waits[i].revents = w->waits[i].fd >= 0 ? POLLIN : 0;
	return (int)w->pair_count + 1;
}

/* One turn: wait, then serve everything that is ready. False when it is time to stop. */
static bool turn(struct worker *w, int64_t *swept_ms)
{
	bool go_on = true;
	rcu_away(w->rcu, w->index);
	int count = wait_for_events(w);
	look_at_clocks(w);
	int64_t now_ms = w->responder.now_ms;
	if (count > 0) {
		serve_udp(w);
		go_on = w->waits[w->pair_count].revents == 0 || serve_events(w);
	}
	if (now_ms - *swept_ms >= TCP_SWEEP_MS) {
		tcp_expire(w->tcp, now_ms);
		if (w->is_deaf)
			listen_for(w, EPOLLIN);
		*swept_ms = now_ms;
	}
	if (w->is_draining)
		drain(w);
	return go_on;
}

static void *run(void *ctx)
{
	struct worker *w = ctx;
	int64_t swept_ms = 0;
	while (turn(w, &swept_ms))
		;
	rcu_away(w->rcu, w->index);
	return NULL;
}

static bool add_fd(const struct worker *w, int fd, uint64_t tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	tcp_table_free(&w->tcp);
	udp_batch_free(&w->batch);
	free(w->responder.zone_counts);
	free(w->waits);
	if (w->epoll_fd >= 0)
		(void)close(w->epoll_fd);
	if (w->command_fd >= 0)
		(void)close(w->command_fd);
	if (w->channel_fd >= 0)
		(void)close(w->channel_fd);
	free(w);
}

static bool count_zones(struct responder *r, uint32_t limit)
{
	r->zone_limit = limit;
	r->zone_counts = calloc(limit, sizeof *r->zone_counts);
	return r->zone_counts != NULL;
}

static struct worker *worker_new(const struct sockets *sockets, struct rcu *rcu, const struct worker_config *config,
				 unsigned index)
{
	size_t size = (sizeof(struct worker) + COUNT_CACHE_LINE - 1) / COUNT_CACHE_LINE * COUNT_CACHE_LINE;
	struct worker *w = aligned_alloc(COUNT_CACHE_LINE, size);
	if (w == NULL)
		return NULL;
	memset(w, 0, sizeof *w);
	w->rcu = rcu;
	w->config = config;
	w->wall_ms = -WALL_MS;
	w->index = index;
	w->pairs = sockets_of(sockets, index, &w->pair_count);
	w->waits = calloc(w->pair_count + 1, sizeof *w->waits);
	w->channel_fd = -1;
	atomic_init(&w->command, COMMAND_SERVE);
	atomic_init(&w->drain_fd, -1);
	atomic_init(&w->is_quiet, false);
	atomic_init(&w->is_drained, false);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->batch = udp_batch_new();
	bool ok = w->waits != NULL && w->epoll_fd >= 0 && w->command_fd >= 0 && w->batch != NULL &&
		  responder_init(&w->responder) == VEER_OK;
	ok = ok && (config->zone_limit == 0 || count_zones(&w->responder, config->zone_limit));
	if (ok && config->tap != NULL)
		w->responder.tap = tap_port(config->tap, index);
	if (ok)
		w->tcp = tcp_table_new(w->epoll_fd, TAG_CONNECTION, &config->tcp, &w->responder);
	ok = ok && w->tcp != NULL && add_fd(w, w->command_fd, TAG_COMMAND);
	for (size_t i = 0; ok && i < w->pair_count; i++) {
		w->waits[i] = (struct pollfd){.fd = w->pairs[i].udp, .events = POLLIN};
		ok = add_fd(w, w->pairs[i].tcp, TAG_TCP + i);
	}
	if (ok) {
		w->waits[w->pair_count] = (struct pollfd){.fd = w->epoll_fd, .events = POLLIN};
		return w;
	}
	worker_free(w);
	return NULL;
}

enum veer_err workers_start(const struct sockets *sockets, struct rcu *rcu, const struct worker_config *config,
			    struct workers **out)
{
	struct workers *all = calloc(1, sizeof *all);
	if (all == NULL)
		return VEER_ENOMEM;
	all->count = sockets->worker_count;
	all->items = calloc(all->count, sizeof(struct worker *));
	bool ok = all->items != NULL;
	for (unsigned i = 0; ok && i < all->count; i++) {
		struct worker *w = worker_new(sockets, rcu, config, i);
		all->items[i] = w;
		ok = w != NULL && pthread_create(&w->thread, NULL, run, w) == 0;
		if (ok)
			w->is_running = true;
	}
	if (!ok) {
		workers_stop(&all);
		return VEER_EIO;
	}
	*out = all;
	return VEER_OK;
}

/* release: what the command needs is visible with it */
static void tell(struct worker *w, enum command command)
{
	atomic_store_explicit(&w->command, (int)command, memory_order_release);
	(void)eventfd_write(w->command_fd, 1);
}

void workers_stop(struct workers **workers)
{
	struct workers *all = *workers;
	if (all == NULL)
		return;
	for (unsigned i = 0; all->items != NULL && i < all->count; i++)
		if (all->items[i] != NULL && all->items[i]->is_running)
			tell(all->items[i], COMMAND_STOP);
	for (unsigned i = 0; all->items != NULL && i < all->count; i++) {
		if (all->items[i] != NULL && all->items[i]->is_running)
			(void)pthread_join(all->items[i]->thread, NULL);
		worker_free(all->items[i]);
	}
	free(all->items);
	free(all);
	*workers = NULL;
}

size_t workers_channels(struct workers *workers, int *fds, size_t max)
{
	size_t count = 0;
	for (unsigned i = 0; i < workers->count && count < max; i++) {
		struct worker *w = workers->items[i];
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
			break;
		w->channel_fd = ends[0]; /* the worker reads it only after an event on it, and the next line makes that
					  * possible */
		if (!add_fd(w, ends[0], TAG_CHANNEL)) {
			w->channel_fd = -1;
			(void)close(ends[0]);
			(void)close(ends[1]);
			break;
		}
		fds[count++] = ends[1];
	}
	return count;
}

void workers_drain(struct workers *workers, const int *fds, size_t count)
{
	for (unsigned i = 0; i < workers->count; i++) {
		atomic_store_explicit(&workers->items[i]->drain_fd, count > 0 ? fds[i % count] : -1,
				      memory_order_relaxed);
		atomic_store_explicit(&workers->items[i]->is_quiet, false, memory_order_relaxed);
		atomic_store_explicit(&workers->items[i]->is_drained, false, memory_order_relaxed);
		tell(workers->items[i], COMMAND_DRAIN);
	}
}

bool workers_are_quiet(const struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		if (!atomic_load_explicit(&workers->items[i]->is_quiet, memory_order_acquire))
			return false;
	return true;
}

bool workers_are_drained(const struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		if (!atomic_load_explicit(&workers->items[i]->is_drained, memory_order_acquire))
			return false;
	return true;
}

void workers_resume(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		tell(workers->items[i], COMMAND_SERVE);
}

void workers_totals(const struct workers *workers, struct count_totals *out)
{
	*out = (struct count_totals){0};
	for (unsigned i = 0; i < workers->count; i++)
		count_sum(&workers->items[i]->responder.counters, out);
}

uint64_t workers_zone_total(const struct workers *workers, uint32_t number)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < workers->count; i++) {
		const struct responder *r = &workers->items[i]->responder;
		if (number < r->zone_limit)
			sum += atomic_load_explicit(&r->zone_counts[number], memory_order_relaxed);
	}
	return sum;
}
