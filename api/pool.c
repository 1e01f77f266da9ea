/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads for handlers that may block on the store, so that the network threads never do. */
#include <stdlib.h>

#include "api/connection.h"

bool api_pool_push(struct api_server *server, struct api_exchange *exchange)
{
	(void)pthread_mutex_lock(&server->pool_lock);
	bool fits = !server->is_stopping && server->queue_len < API_POOL_QUEUE_MAX;
	if (fits) {
		exchange->next = NULL;
		if (server->queue_tail != NULL)
			server->queue_tail->next = exchange;
		else
			server->queue_head = exchange;
		server->queue_tail = exchange;
		server->queue_len++;
		(void)pthread_cond_signal(&server->pool_filled);
	}
	(void)pthread_mutex_unlock(&server->pool_lock);
	return fits;
}

/* The next exchange, or NULL when the server stops and the queue is empty. */
static struct api_exchange *pop(struct api_server *server)
{
	(void)pthread_mutex_lock(&server->pool_lock);
	while (server->queue_head == NULL && !server->is_stopping)
		(void)pthread_cond_wait(&server->pool_filled, &server->pool_lock);
	struct api_exchange *exchange = server->queue_head;
	if (exchange != NULL) {
		server->queue_head = exchange->next;
		if (server->queue_head == NULL)
			server->queue_tail = NULL;
		server->queue_len--;
	}
	(void)pthread_mutex_unlock(&server->pool_lock);
	return exchange;
}

static void *worker_main(void *ctx)
{
	struct api_server *server = ctx;
	for (struct api_exchange *exchange; (exchange = pop(server)) != NULL;) {
		exchange->route->handler(server->config.ctx, &exchange->request, &exchange->reply);
		exchange->is_done = true;
		/* The exchange belongs to the network thread again; the library's own lock orders our writes before its
		 * reads. */
		MHD_resume_connection(exchange->connection);
	}
	return NULL;
}

bool api_pool_start(struct api_server *server, unsigned workers)
{
	server->workers = calloc(workers, sizeof *server->workers);
	if (server->workers == NULL)
		return false;
	while (server->worker_count < workers) {
		if (pthread_create(&server->workers[server->worker_count], NULL, worker_main, server) != 0)
			return false;
		server->worker_count++;
	}
	return true;
}

void api_pool_stop(struct api_server *server)
{
	(void)pthread_mutex_lock(&server->pool_lock);
	server->is_stopping = true;
	(void)pthread_cond_broadcast(&server->pool_filled);
	(void)pthread_mutex_unlock(&server->pool_lock);
	for (unsigned i = 0; i < server->worker_count; i++)
		(void)pthread_join(server->workers[i], NULL);
	free(server->workers);
	server->workers = NULL;
	server->worker_count = 0;
}
