/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads for handlers that may block on the store or take long, so that the network threads never do. Each lane
 * has its own queue and threads: what an administrator does in an emergency does not wait for a bulk edit, export or
 * report. In a lane no principal can have all threads or all places. The last places are reserved for clients on this
 * host, the very last for the owner at the Unix socket.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/http/connection.h"

struct lane_rules {
	unsigned workers;
	unsigned places;         /* in the queue, of all principals */
	unsigned places_of_one;  /* in the queue, of one principal */
	unsigned workers_of_one; /* threads at once for one principal */
	int nice;                /* nice value of its threads: exports and garbage have less CPU than verdicts */
};

static const struct lane_rules rules[API_LANES] = {
	[API_LANE_ORDINARY] = {4, 256, 64, 2, 0},
	[API_LANE_URGENT] = {2, 64, 16, 1, 0},
	[API_LANE_BULK] = {2, 64, 16, 1, 5},
	[API_LANE_REPORTS] = {1, 64, 1, 1, 10},
};

/* How many of a lane's places may be taken when this request still gets one. */
static unsigned places_for(const struct lane_rules *rule, const struct api_request *request)
{
	if (request->principal.role == API_ROLE_OWNER)
		return rule->places;
	return request->is_local ? rule->places / 8 * 7 : rule->places / 4 * 3;
}

enum shares_answer api_lane_push(struct api_server *server, struct api_exchange *x, enum api_lane which)
{
	struct api_lane_queue *lane = &server->lanes[which];
	const struct lane_rules *rule = &rules[which];
	enum shares_answer answer = SHARES_TAKEN;
	bool is_owner = x->request.principal.role == API_ROLE_OWNER;
	(void)pthread_mutex_lock(&server->lanes_lock);
	if (x->account->waiting[which] >= rule->places_of_one && !is_owner)
		answer = SHARES_OWN_FULL;
	else if (server->is_stopping || lane->len >= places_for(rule, &x->request))
		answer = SHARES_ALL_FULL;
	if (answer == SHARES_TAKEN) {
		x->next = NULL;
		x->lane = which;
		*(lane->tail != NULL ? &lane->tail->next : &lane->head) = x;
		lane->tail = x;
		lane->len++;
		x->account->waiting[which]++;
		(void)pthread_cond_signal(&lane->filled);
	}
	(void)pthread_mutex_unlock(&server->lanes_lock);
	if (answer != SHARES_TAKEN)
		shares_note_refused(&server->shares, API_SHARE_PLACES);
	return answer;
}

/* The exchange before the first that may run, NULL for the head; `*found` is NULL when there is none. */
static struct api_exchange *find_first(struct api_lane_queue *lane, bool owners, struct api_exchange **found)
{
	struct api_exchange *before = NULL;
	for (*found = lane->head; *found != NULL; before = *found, *found = (*found)->next) {
		const struct api_account *account = (*found)->account;
		if (account->running[lane->which] < rules[lane->which].workers_of_one &&
		    (!owners || account->role == API_ROLE_OWNER))
			break;
	}
	return before;
}

/*
 * Take an exchange whose principal may have another thread out of the queue, the owner's first; NULL when there is
 * none. lanes_lock is held.
 */
static struct api_exchange *take_next(struct api_lane_queue *lane)
{
	struct api_exchange *x, *before = find_first(lane, true, &x);
	if (x == NULL)
		before = find_first(lane, false, &x);
	if (x == NULL)
		return NULL;
	*(before != NULL ? &before->next : &lane->head) = x->next;
	if (lane->tail == x)
		lane->tail = before;
	lane->len--;
	x->account->waiting[lane->which]--;
	x->account->running[lane->which]++;
	return x;
}

/* The next exchange, or NULL when the server stops and the queue is empty. `*is_stopping`: the server stops. */
static struct api_exchange *pop(struct api_server *server, enum api_lane which, bool *is_stopping)
{
	struct api_lane_queue *lane = &server->lanes[which];
	struct api_exchange *x;
	(void)pthread_mutex_lock(&server->lanes_lock);
	while ((x = take_next(lane)) == NULL && !(server->is_stopping && lane->head == NULL))
		(void)pthread_cond_wait(&lane->filled, &server->lanes_lock);
	*is_stopping = server->is_stopping;
	(void)pthread_mutex_unlock(&server->lanes_lock);
	return x;
}

/* Wake the others: more of the same principal may be waiting for this one to finish. */
static void finish(struct api_server *server, struct api_exchange *x, enum api_lane which)
{
	(void)pthread_mutex_lock(&server->lanes_lock);
	x->account->running[which]--;
	(void)pthread_cond_broadcast(&server->lanes[which].filled);
	(void)pthread_mutex_unlock(&server->lanes_lock);
}

/* A stop takes no longer than what has begun. Emergencies are carried out all the same. */
static void refuse_late(struct api_exchange *x)
{
	api_problem(&x->reply, 503, "stopping", "the server is stopping: retry in a second");
	x->is_done = true;
}

static void *worker_main(void *ctx)
{
	struct api_lane_queue *lane = ctx;
	struct api_server *server = lane->server;
	enum api_lane which = lane->which;
	/* In Linux each thread has a nice value of its own (setpriority(2), NOTES). */
	if (rules[which].nice != 0)
		(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), rules[which].nice);
	bool is_stopping = false;
	for (struct api_exchange *x; (x = pop(server, which, &is_stopping)) != NULL;) {
		x->request.is_in_worker = true;
		if (is_stopping && which != API_LANE_URGENT)
			refuse_late(x);
		else
			api_exchange_handle(x);
		finish(server, x, which);
		/* The exchange belongs to the network thread again; the library's own lock orders our writes before its
		 * reads. */
		MHD_resume_connection(x->connection);
	}
	return NULL;
}

static bool start_lane(struct api_server *server, enum api_lane which, unsigned workers)
{
	struct api_lane_queue *lane = &server->lanes[which];
	lane->server = server;
	lane->which = which;
	lane->workers = calloc(workers, sizeof *lane->workers);
	if (lane->workers == NULL)
		return false;
	while (lane->worker_count < workers) {
		if (pthread_create(&lane->workers[lane->worker_count], NULL, worker_main, lane) != 0)
			return false;
		lane->worker_count++;
	}
	return true;
}

bool api_lanes_start(struct api_server *server, unsigned workers)
{
	bool ok = true;
	for (enum api_lane i = 0; i < API_LANES && ok; i++)
		ok = start_lane(server, i, i == API_LANE_ORDINARY && workers > 0 ? workers : rules[i].workers);
	return ok;
}

void api_lanes_stop(struct api_server *server)
{
	(void)pthread_mutex_lock(&server->lanes_lock);
	server->is_stopping = true;
	for (enum api_lane i = 0; i < API_LANES; i++)
		(void)pthread_cond_broadcast(&server->lanes[i].filled);
	(void)pthread_mutex_unlock(&server->lanes_lock);
	for (enum api_lane i = 0; i < API_LANES; i++) {
		struct api_lane_queue *lane = &server->lanes[i];
		while (lane->worker_count > 0)
			(void)pthread_join(lane->workers[--lane->worker_count], NULL);
		free(lane->workers);
		lane->workers = NULL;
	}
}
