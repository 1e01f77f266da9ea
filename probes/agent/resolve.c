/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/resolve.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"

#define NAME_MAX_BYTES 255
#define BUCKETS 1024
#define NOTE_SETS 16384 /* of remembered names: together as many as an agent can have endpoints */
#define NOTES_IN_SET 4  /* the least recently used one is replaced */

/* One lookup of a name in a pool. */
struct lookup {
	struct lookup *next;       /* in its bucket */
	struct resolver *resolver; /* NULL: the lookup cannot be joined any more, and nobody waits for it */
	struct resolve *first;     /* the requests that wait for it */
	uint64_t hash;
	int64_t started_ms;
	resolve_ask_fn *ask;
	bool is_unproven; /* counted in unproven_count while it can be found */
	int status;       /* of getaddrinfo(); used only by the thread, like the result, until it has finished */
	bool was_asked;   /* the resolver was asked; used only by the thread, too */
	struct resolve_result result;
	atomic_bool is_cancelled; /* tells the thread that nobody needs the answer any more */
	atomic_bool has_begun;    /* set by the thread */
	char name[NAME_MAX_BYTES + 1];
};

/* A request that waits for a lookup. */
struct resolve {
	struct lookup *lookup;
	struct resolve *next;
	struct resolve **link; /* the pointer that points here */
	int64_t started_ms;
	int64_t since_ms; /* an answer to another name after this time shows that the resolver works */
	resolve_done_fn *done;
	void *ctx;
};

/* What is remembered about a name. */
struct note {
	uint64_t hash; /* 0: this note is empty */
	int64_t used_ms;
	int64_t tried_ms;  /* when the last attempt began, while none has been answered */
	int64_t before_ms; /* when the attempt before that began; after only one, the same */
	bool is_failing;   /* the last attempt was not answered */
	bool is_slow;
	bool is_quick; /* neither slow nor quick: unknown */
};

/* When a name was last answered. */
struct answered {
	uint64_t hash; /* 0: never */
	int64_t at_ms;
};

struct resolver {
	struct loop *loop;
	resolve_ask_fn *ask;
	struct jobs *quick;
	struct jobs *slow;
	struct lookup *buckets[BUCKETS]; /* running lookups, one for each name */
	uint32_t unproven_count;
	struct answered last;  /* the name that was answered last */
	struct answered other; /* the most recently answered other name */
	struct note notes[NOTE_SETS][NOTES_IN_SET];
};

/* --- in the thread --------------------------------------------------------------------------------------------- */

static void collect(struct resolve_result *result, const struct addrinfo *list)
{
	for (; list != NULL && result->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
		if (veer_addr_from_sockaddr(list->ai_addr, &result->addresses[result->count]))
			result->count++;
	}
}

/* "localhost." is never looked up: it is always loopback, IPv4 first, whatever the host's files say (RFC 6761 6.3). */
static bool is_localhost(struct lookup *lookup)
{
	if (strcasecmp(lookup->name, "localhost.") != 0)
		return false;
	(void)veer_addr_parse("127.0.0.1", &lookup->result.addresses[0]);
	(void)veer_addr_parse("::1", &lookup->result.addresses[1]);
	lookup->result.count = 2;
	return true;
}

int resolve_ask_system(const char *name, const struct addrinfo *hints, struct addrinfo **list)
{
	return getaddrinfo(name, NULL, hints, list);
}

static void work(void *ctx)
{
	struct lookup *lookup = ctx;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	lookup->result.error = "";
	/* Relaxed order is enough: both are hints, and no other data depends on them. */
	if (atomic_load_explicit(&lookup->is_cancelled, memory_order_relaxed))
		return;
	atomic_store_explicit(&lookup->has_begun, true, memory_order_relaxed);
	if (is_localhost(lookup))
		return;
	lookup->was_asked = true;
	lookup->status = lookup->ask(lookup->name, &hints, &list);
	if (lookup->status == 0) {
		collect(&lookup->result, list);
		freeaddrinfo(list);
	}
	if (lookup->result.count == 0) {
		lookup->result.err = VEER_ENOTFOUND;
		lookup->result.error = lookup->status != 0 ? gai_strerror(lookup->status) : "the name has no address";
	}
}

/* --- in the loop ----------------------------------------------------------------------------------------------- */

/* Detach a lookup, so that no request can join it any more. */
static void detach(struct lookup *lookup)
{
	if (lookup->resolver == NULL)
		return;
	struct lookup **link = &lookup->resolver->buckets[lookup->hash % BUCKETS];
	while (*link != lookup)
		link = &(*link)->next;
	*link = lookup->next;
	lookup->resolver->unproven_count -= lookup->is_unproven;
	lookup->resolver = NULL;
}

static bool has_begun(const struct lookup *lookup)
{
	return atomic_load_explicit(&lookup->has_begun, memory_order_relaxed);
}

/* The note about the name, or NULL. */
static struct note *note_find(struct resolver *resolver, uint64_t hash)
{
	struct note *set = resolver->notes[hash % NOTE_SETS];
	for (size_t i = 0; i < NOTES_IN_SET; i++)
		if (set[i].hash == hash)
			return &set[i];
	return NULL;
}

/* The note about the name, or a new one. */
static struct note *note_get(struct resolver *resolver, uint64_t hash)
{
	struct note *note = note_find(resolver, hash), *set = resolver->notes[hash % NOTE_SETS];
	if (note == NULL) {
		note = set;
		for (size_t i = 1; i < NOTES_IN_SET; i++)
			if (set[i].used_ms < note->used_ms)
				note = &set[i];
		*note = (struct note){.hash = hash};
	}
	note->used_ms = loop_now_ms(resolver->loop);
	return note;
}

/* Remember whether the name is slow. That is known only when a thread has begun the lookup. */
static void note_speed(const struct lookup *lookup, bool has_ended)
{
	struct resolver *resolver = lookup->resolver;
	if (resolver == NULL || !has_begun(lookup))
		return;
	bool is_slow = loop_now_ms(resolver->loop) - lookup->started_ms > RESOLVE_SLOW_MS;
	if (!is_slow && !has_ended)
		return;
	struct note *note = note_get(resolver, lookup->hash);
	note->is_slow = is_slow;
	note->is_quick = !is_slow;
}

/* --- who has failed -------------------------------------------------------------------------------------------- */

static bool is_other_answered(const struct resolver *resolver, uint64_t hash, int64_t since_ms)
{
	const struct answered *a = resolver->last.hash != hash ? &resolver->last : &resolver->other;
	return a->hash != 0 && a->at_ms > since_ms;
}

static void note_answer(struct resolver *resolver, uint64_t hash)
{
	struct note *note = note_find(resolver, hash);
	if (note != NULL)
		note->is_failing = false;
	if (resolver->last.hash != hash)
		resolver->other = resolver->last;
	resolver->last = (struct answered){hash, loop_now_ms(resolver->loop)};
}

static void note_failure(struct resolver *resolver, uint64_t hash, int64_t started_ms)
{
	struct note *note = note_get(resolver, hash);
	if (!note->is_failing)
		note->before_ms = note->tried_ms = started_ms;
	note->is_failing = true;
}

/* Begin an attempt. Returns since when another name must have been answered, so that a failure counts as the name's. */
static int64_t attempt(struct resolver *resolver, uint64_t hash)
{
	int64_t now = loop_now_ms(resolver->loop);
	struct note *note = note_find(resolver, hash);
	if (note == NULL || !note->is_failing)
		return now;
	if (now - note->tried_ms >= RESOLVE_ATTEMPT_MS) {
		note->before_ms = note->tried_ms;
		note->tried_ms = now;
	}
	return note->before_ms;
}

/* Did no server answer? Then it is not known whether the name's servers or this host's resolver have failed. */
static bool is_unanswered(const struct lookup *lookup)
{
	return lookup->status == EAI_AGAIN || lookup->status == EAI_FAIL;
}

static bool is_own_failure(const struct lookup *lookup)
{
	return lookup->status == EAI_SYSTEM || lookup->status == EAI_MEMORY;
}

/* Remember how the lookup ended. */
static void note_end(const struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;
	if (resolver == NULL || !lookup->was_asked || is_own_failure(lookup))
		return;
	if (is_unanswered(lookup))
		note_failure(resolver, lookup->hash, lookup->started_ms);
	else
		note_answer(resolver, lookup->hash);
}

/* The result for one of the requests that waited. */
static struct resolve_result result_for(const struct resolver *resolver, const struct resolve *resolve)
{
	struct resolve_result result = resolve->lookup->result;
	if (is_own_failure(resolve->lookup))
		result.err = VEER_EIO;
	else if (is_unanswered(resolve->lookup) &&
		 !is_other_answered(resolver, resolve->lookup->hash, resolve->since_ms)) {
		result.err = VEER_ETIMEOUT;
		result.error = "this host's resolver does not answer, for no other name either";
	}
	return result;
}

bool resolve_is_name_late(const struct resolve *resolve)
{
	const struct lookup *lookup = resolve->lookup;
	note_failure(lookup->resolver, lookup->hash, resolve->started_ms);
	return is_other_answered(lookup->resolver, lookup->hash, resolve->since_ms);
}

/* --- the life of a lookup -------------------------------------------------------------------------------------- */

static void unlink_resolve(struct resolve *resolve)
{
	*resolve->link = resolve->next;
	if (resolve->next != NULL)
		resolve->next->link = resolve->link;
}

static void finished(void *ctx)
{
	struct lookup *lookup = ctx;
	struct resolver *resolver = lookup->resolver; /* not NULL while a request waits */
	note_speed(lookup, true);
	note_end(lookup);
	detach(lookup);
	while (lookup->first != NULL) {
		struct resolve *resolve = lookup->first;
		const struct resolve_result result = result_for(resolver, resolve);
		unlink_resolve(resolve);
		resolve->done(resolve->ctx, &result);
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
	const struct note *note = note_find(resolver, hash);
	bool is_unproven = note == NULL || (!note->is_slow && !note->is_quick);
	bool is_slow = is_unproven ? resolver->unproven_count >= RESOLVE_UNPROVEN_MAX : note->is_slow;
	if (lookup == NULL)
		return VEER_ENOMEM;
	memcpy(lookup->name, name, strlen(name) + 1);
	lookup->hash = hash;
	lookup->ask = resolver->ask;
	lookup->started_ms = loop_now_ms(resolver->loop);
	enum veer_err err = jobs_add(is_slow ? resolver->slow : resolver->quick, work, finished, lookup);
	if (err != VEER_OK) {
		free(lookup);
		return err;
	}
	lookup->resolver = resolver;
	lookup->is_unproven = is_unproven && !is_slow;
	resolver->unproven_count += lookup->is_unproven;
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
	*resolve = (struct resolve){.lookup = lookup,
				    .done = done,
				    .ctx = ctx,
				    .next = lookup->first,
				    .started_ms = loop_now_ms(resolver->loop),
				    .since_ms = attempt(resolver, hash)};
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
	note_speed(lookup, false);
	/* A lookup that a thread has begun can still be joined, because a second thread would only hang, too. */
	if (lookup->first != NULL || has_begun(lookup))
		return;
	atomic_store_explicit(&lookup->is_cancelled, true, memory_order_relaxed);
	detach(lookup);
}

struct resolver *resolver_new(struct loop *loop, resolve_ask_fn *ask, struct jobs *quick, struct jobs *slow)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	if (resolver != NULL) {
		resolver->loop = loop;
		resolver->ask = ask;
		resolver->quick = quick;
		resolver->slow = slow;
	}
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
