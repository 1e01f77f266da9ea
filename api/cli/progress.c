/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PERIOD_MS = 250 };

struct progress {
	struct cli cli;
	char *path;
	pthread_t thread;
	pthread_mutex_t lock; /* guards is_over */
	pthread_cond_t over;
	bool is_over;
};

static void draw(const json_t *state)
{
	long long done = (long long)json_integer_value(json_object_get(state, "done"));
	long long total = (long long)json_integer_value(json_object_get(state, "total"));
	const char *what = json_string_value(json_object_get(state, "state"));
	if (total > 0)
		(void)fprintf(stderr, "\r\033[K%s: %lld of %lld RRsets (%lld %%)", what != NULL ? what : "importing",
			      done, total, 100 * done / total);
	else
		(void)fprintf(stderr, "\r\033[K%s …", what != NULL ? what : "sending");
	(void)fflush(stderr);
}

/* Wait until the next request is due. True when it is time to end. */
static bool wait_a_period(struct progress *p)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PERIOD_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&p->lock);
	if (!p->is_over)
		(void)pthread_cond_timedwait(&p->over, &p->lock, &until);
	bool is_over = p->is_over;
	(void)pthread_mutex_unlock(&p->lock);
	return is_over;
}

static void *progress_main(void *ctx)
{
	struct progress *p = ctx;
	while (!wait_a_period(p)) {
		struct cli_reply reply;
		if (cli_call_json(&p->cli, "GET", p->path, NULL, &reply, NULL) == VEER_OK)
			draw(reply.json);
		cli_reply_deinit(&reply);
	}
	(void)fputs("\r\033[K", stderr);
	return NULL;
}

struct progress *progress_start(const struct cli *cli, const char *path)
{
	struct progress *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->cli = *cli;
	p->path = strdup(path);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->over, NULL);
	if (p->path == NULL || pthread_create(&p->thread, NULL, progress_main, p) != 0) {
		(void)pthread_cond_destroy(&p->over);
		(void)pthread_mutex_destroy(&p->lock);
		free(p->path);
		free(p);
		return NULL;
	}
	return p;
}

void progress_stop(struct progress **progress)
{
	struct progress *p = *progress;
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->is_over = true;
	(void)pthread_cond_signal(&p->over);
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_join(p->thread, NULL);
	(void)pthread_cond_destroy(&p->over);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->path);
	free(p);
	*progress = NULL;
}
