/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/resolve.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255

struct resolve {
	char name[NAME_MAX_BYTES + 1];
	struct resolve_result result; /* the thread's, until `done` is called */
	atomic_bool is_cancelled;     /* told to the thread, so that nobody asks for what nobody wants */
	atomic_bool has_begun;        /* told by the thread */
	resolve_done_fn *done;        /* the loop's; NULL when cancelled */
	void *ctx;
};

static void collect(struct resolve_result *result, const struct addrinfo *list)
{
	for (; list != NULL && result->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
		if (veer_addr_from_sockaddr(list->ai_addr, &result->addresses[result->count]))
			result->count++;
	}
}

/* "localhost." is never asked of anybody: always loopback, IPv4 first, whatever the host's files say (RFC 6761 6.3). */
static bool is_localhost(struct resolve *resolve)
{
	if (strcasecmp(resolve->name, "localhost.") != 0)
		return false;
	(void)veer_addr_parse("127.0.0.1", &resolve->result.addresses[0]);
	(void)veer_addr_parse("::1", &resolve->result.addresses[1]);
	resolve->result.count = 2;
	return true;
}

static void work(void *ctx)
{
	struct resolve *resolve = ctx;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	resolve->result.error = "";
	/* Relaxed: both are hints, and nothing else is read because of them. */
	atomic_store_explicit(&resolve->has_begun, true, memory_order_relaxed);
	if (atomic_load_explicit(&resolve->is_cancelled, memory_order_relaxed) || is_localhost(resolve))
		return;
	int status = getaddrinfo(resolve->name, NULL, &hints, &list);
	if (status == 0) {
		collect(&resolve->result, list);
		freeaddrinfo(list);
	}
	if (resolve->result.count == 0) {
		resolve->result.err = VEER_ENOTFOUND;
		resolve->result.error = status != 0 ? gai_strerror(status) : "the name has no address";
	}
}

static void finished(void *ctx)
{
	struct resolve *resolve = ctx;
	if (resolve->done != NULL)
		resolve->done(resolve->ctx, &resolve->result);
	free(resolve);
}

enum veer_err resolve_start(struct jobs *jobs, const char *name, resolve_done_fn *done, void *ctx, struct resolve **out)
{
	size_t len = strlen(name);
	if (len > NAME_MAX_BYTES)
		return VEER_ERANGE;
	struct resolve *resolve = calloc(1, sizeof *resolve);
	if (resolve == NULL)
		return VEER_ENOMEM;
	memcpy(resolve->name, name, len + 1);
	resolve->done = done;
	resolve->ctx = ctx;
	enum veer_err err = jobs_add(jobs, work, finished, resolve);
	if (err != VEER_OK) {
		free(resolve);
		return err;
	}
	*out = resolve;
	return VEER_OK;
}

bool resolve_has_begun(const struct resolve *resolve)
{
	return atomic_load_explicit(&resolve->has_begun, memory_order_relaxed);
}

void resolve_cancel(struct resolve *resolve)
{
	resolve->done = NULL;
	atomic_store_explicit(&resolve->is_cancelled, true, memory_order_relaxed);
}
