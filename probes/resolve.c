/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/resolve.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "probes/index.h"

#define NAME_MAX_BYTES 255
#define BUCKETS 1024
#define SLOW_NAMES 1024 /* remembered; one may push out another */

/* One name on its way through a pool. */
struct lookup {
	struct lookup *next;       /* in its bucket */
	struct resolver *resolver; /* NULL: nobody can find it any more, and nobody waits */
	struct resolve *first;     /* who waits */
	uint64_t hash;
	int64_t started_ms;
	struct resolve_result result; /* the thread's, until it has finished */
	atomic_bool is_cancelled;     /* told to the thread, so that nobody asks for what nobody wants */
	atomic_bool has_begun;        /* told by the thread */
	char name[NAME_MAX_BYTES + 1];
};

/* One who waits. */
struct resolve {
	struct lookup *lookup;
	struct resolve *next;
	struct resolve **link; /* what points here */
	resolve_done_fn *done;
	void *ctx;
};

struct resolver {
	struct loop *loop;
	struct jobs *quick;
	struct jobs *slow;
	struct lookup *buckets[BUCKETS]; /* those that run, each name once */
	uint64_t slow_names[SLOW_NAMES]; /* hashes */
};

/* --- in the thread --------------------------------------------------------------------------------------------- */

static void collect(struct resolve_result *result, const struct addrinfo *list)
{
	for (; list != NULL && result->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
		if (veer_addr_from_sockaddr(list->ai_addr, &result->addresses[result->count]))
			result->count++;
	}
}

/* "localhost." is never asked of anybody: always loopback, IPv4 first, whatever the host's files say (RFC 6761 6.3). */
static bool is_localhost(struct lookup *lookup)
{
	if (strcasecmp(lookup->name, "localhost.") != 0)
		return false;
	(void)veer_addr_parse("127.0.0.1", &lookup->result.addresses[0]);
	(void)veer_addr_parse("::1", &lookup->result.addresses[1]);
	lookup->result.count = 2;
	return true;
}

static void work(void *ctx)
{
	struct lookup *lookup = ctx;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	lookup->result.error = "";
	/* Relaxed: both are hints, and nothing else is read because of them. */
	if (atomic_load_explicit(&lookup->is_cancelled, memory_order_relaxed))
		return;
	atomic_store_explicit(&lookup->has_begun, true, memory_order_relaxed);
	if (is_localhost(lookup))
		return;
	int status = getaddrinfo(lookup->name, NULL, &hints, &list);
	if (status == 0) {
		collect(&lookup->result, list);
		freeaddrinfo(list);
	}
	if (lookup->result.count == 0) {
		lookup->result.err = VEER_ENOTFOUND;
		lookup->result.error = status != 0 ? gai_strerror(status) : "the name has no address";
	}
}

/* --- in the loop ----------------------------------------------------------------------------------------------- */

/* Forget a lookup: nobody joins it any more. */
static void detach(struct lookup *lookup)
{
	if (lookup->resolver == NULL)
		return;
	struct lookup **link = &lookup->resolver->buckets[lookup->hash % BUCKETS];
	while (*link != lookup)
		link = &(*link)->next;
	*link = lookup->next;
	lookup->resolver = NULL;
}

static bool has_begun(const struct lookup *lookup)
{
	return atomic_load_explicit(&lookup->has_begun, memory_order_relaxed);
}

/* Remember whether the name is a slow one. Only what a thread has begun tells. */
static void note_speed(const struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;
	if (resolver == NULL || !has_begun(lookup))
		return;
	uint64_t *place = &resolver->slow_names[lookup->hash % SLOW_NAMES];
	if (loop_now_ms(resolver->loop) - lookup->started_ms > RESOLVE_SLOW_MS)
		*place = lookup->hash;
	else if (*place == lookup->hash)
		*place = 0;
}

static void unlink_resolve(struct resolve *resolve)
{
	*resolve->link = resolve->next;
	if (resolve->next != NULL)
		resolve->next->link = resolve->link;
}

static void finished(void *ctx)
{
	struct lookup *lookup = ctx;
	note_speed(lookup);
	detach(lookup);
	while (lookup->first != NULL) {
		struct resolve *resolve = lookup->first;
		unlink_resolve(resolve);
		resolve->done(resolve->ctx, &lookup->result);
		free(resolve);
	}
	free(lookup);
}

static struct lookup *find(const struct resolver *resolver, const char *name, uint64_t hash)
{
	struct lookup *lookup = resolver->buckets[hash % BUCKETS];
	while (lookup != NULL && (lookup->hash != hash || strcmp(lookup->name, name) != 0))
		lookup = lookup->next;
	return lookup;
}

static enum veer_err begin(struct resolver *resolver, const char *name, uint64_t hash, struct lookup **out)
{
	struct lookup *lookup = calloc(1, sizeof *lookup);
	bool is_slow = resolver->slow_names[hash % SLOW_NAMES] == hash;
	if (lookup == NULL)
		return VEER_ENOMEM;
	memcpy(lookup->name, name, strlen(name) + 1);
	lookup->hash = hash;
	lookup->started_ms = loop_now_ms(resolver->loop);
	enum veer_err err = jobs_add(is_slow ? resolver->slow : resolver->quick, work, finished, lookup);
	if (err != VEER_OK) {
		free(lookup);
		return err;
	}
	lookup->resolver = resolver;
	lookup->next = resolver->buckets[hash % BUCKETS];
	resolver->buckets[hash % BUCKETS] = lookup;
	*out = lookup;
	return VEER_OK;
}

enum veer_err resolve_start(struct resolver *resolver, const char *name, resolve_done_fn *done, void *ctx,
			    struct resolve **out)
{
	if (strlen(name) > NAME_MAX_BYTES)
		return VEER_ERANGE;
	struct resolve *resolve = calloc(1, sizeof *resolve);
	if (resolve == NULL)
		return VEER_ENOMEM;
	uint64_t hash = index_hash(INDEX_HASH_SEED, name);
	struct lookup *lookup = find(resolver, name, hash);
	enum veer_err err = lookup == NULL ? begin(resolver, name, hash, &lookup) : VEER_OK;
	if (err != VEER_OK) {
		free(resolve);
		return err;
	}
	*resolve = (struct resolve){.lookup = lookup, .done = done, .ctx = ctx, .next = lookup->first};
	resolve->link = &lookup->first;
	if (resolve->next != NULL)
		resolve->next->link = &resolve->next;
	lookup->first = resolve;
	*out = resolve;
	return VEER_OK;
}

bool resolve_has_begun(const struct resolve *resolve)
{
	return has_begun(resolve->lookup);
}

void resolve_cancel(struct resolve *resolve)
{
	struct lookup *lookup = resolve->lookup;
	unlink_resolve(resolve);
	free(resolve);
	note_speed(lookup);
	/* One that a thread is busy with stays to be joined: a second thread would only hang beside it. */
	if (lookup->first != NULL || has_begun(lookup))
		return;
	atomic_store_explicit(&lookup->is_cancelled, true, memory_order_relaxed);
	detach(lookup);
}

struct resolver *resolver_new(struct loop *loop, struct jobs *quick, struct jobs *slow)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	if (resolver != NULL)
		*resolver = (struct resolver){.loop = loop, .quick = quick, .slow = slow};
	return resolver;
}

void resolver_free(struct resolver **resolver)
{
	if (*resolver == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((*resolver)->buckets[i] != NULL) {
			atomic_store_explicit(&(*resolver)->buckets[i]->is_cancelled, true, memory_order_relaxed);
			detach((*resolver)->buckets[i]);
		}
	}
	free(*resolver);
	*resolver = NULL;
}
