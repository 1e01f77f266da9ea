/* SPDX-License-Identifier: Apache-2.0 */
/* What each policy answers now. See answers.h. */
#include "api/answers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "base/strmap.h"
#include "zones/plan/plan_build.h"

enum { LOOK_MS = 250, ENDPOINTS_SHOWN = 32, POLICIES_SHOWN = 100 };

/* The kinds that decide about answers. */
static const enum model_kind kinds[] = {MODEL_KIND_SITE,    MODEL_KIND_POOL, MODEL_KIND_POLICY,
					MODEL_KIND_VERDICT, MODEL_KIND_LAST, MODEL_KIND_OVERRIDE};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* The types that a policy is looked at for. A host name shows in both, as a CNAME. */
static const struct {
	enum plan_bound bound;
	const char *text;
} types[] = {{PLAN_BOUND_A, "A"}, {PLAN_BOUND_AAAA, "AAAA"}};
enum { TYPES = sizeof types / sizeof types[0] };

/* An object that the builder has. */
struct known {
	uint64_t round; /* the last sweep that found it */
	char key[];
};

/* How a policy answers, as of the last look. */
struct policy_state {
	enum answers_state state;
	char name[MODEL_NAME_MAX + 1];
};

struct answers {
	struct directory *directory;
	struct logger *log;
	pthread_mutex_t lock; /* guards all but the first two and the thread */
	pthread_cond_t wake;
	bool is_closing;
	struct plan_builder *builder;
	int64_t revision;           /* the directory's, as of the last look */
	struct strmap known[KINDS]; /* key to struct known */
	uint64_t round;
	bool failed;            /* memory was out: everything is read again */
	struct strmap policies; /* name to struct policy_state */
	pthread_t thread;
	bool has_thread;
};

const char *answers_state_text(enum answers_state state)
{
	static const char *const names[ANSWERS_STATES] = {"normal", "fallback", "fail_open", "servfail"};
	return names[state];
}

/* --- following the directory ------------------------------------------------------------------------------ */

/* One pass over a kind. */
struct pass {
	struct answers *answers;
	size_t kind; /* index into kinds */
	bool is_sweep;
};

static struct known *know(struct answers *a, size_t kind, const char *key)
{
	size_t len = strlen(key);
	struct known *known = strmap_get(&a->known[kind], key, len);
	if (known != NULL)
		return known;
	known = calloc(1, sizeof *known + len + 1);
	if (known == NULL || strmap_put(&a->known[kind], key, len, known) != VEER_OK) {
		free(known);
		a->failed = true;
		return NULL;
	}
	memcpy(known->key, key, len + 1);
	if (kinds[kind] == MODEL_KIND_POLICY && plan_builder_want(a->builder, key) != VEER_OK)
		a->failed = true;
	return known;
}

/* What the model refuses is not answered with by name servers, either. */
static bool take(void *ctx, const struct directory_entry *entry)
{
	struct pass *pass = ctx;
	struct answers *a = pass->answers;
	struct veer_diag unused = {.text = ""};
	if (!pass->is_sweep && entry->revision <= a->revision)
		return true;
	struct known *known = know(a, pass->kind, entry->key);
	if (known == NULL)
		return false;
	known->round = a->round;
	if (entry->revision > a->revision &&
	    plan_builder_put(a->builder, entry->kind, entry->key, strlen(entry->key), (const uint8_t *)entry->text,
			     strlen(entry->text), &unused) == VEER_ENOMEM)
		a->failed = true;
	return !a->failed;
}

/* Take away what this round's sweep has not found. */
static void forget_missing(struct answers *a, size_t kind)
{
	size_t at = 0;
	struct veer_diag unused = {.text = ""};
	for (struct known *k; (k = strmap_next(&a->known[kind], &at)) != NULL;) {
		if (k->round == a->round)
			continue;
		size_t len = strlen(k->key);
		if (plan_builder_del(a->builder, kinds[kind], k->key, len, &unused) == VEER_ENOMEM)
			a->failed = true;
		if (kinds[kind] == MODEL_KIND_POLICY) {
			plan_builder_unwant(a->builder, k->key);
			free(strmap_del(&a->policies, k->key, len));
		}
		(void)strmap_del(&a->known[kind], k->key, len);
		free(k);
	}
}

/* Take over what has changed since the last look. Only where something is missing is all of a kind compared. */
static void follow(struct answers *a)
{
	a->round++;
	directory_read_begin(a->directory);
	int64_t revision = directory_revision(a->directory);
	for (size_t i = 0; i < KINDS && !a->failed; i++) {
		struct pass pass = {.answers = a, .kind = i};
		directory_list_locked(a->directory, kinds[i], NULL, take, &pass);
		if (a->failed || a->known[i].count == directory_count_locked(a->directory, kinds[i]))
			continue;
		pass.is_sweep = true;
		directory_list_locked(a->directory, kinds[i], NULL, take, &pass);
		if (!a->failed)
			forget_missing(a, i);
	}
	directory_read_end(a->directory);
	a->revision = revision;
}

static void forget_all(struct answers *a)
{
	for (size_t i = 0; i < KINDS; i++) {
		size_t at = 0;
		for (struct known *k; (k = strmap_next(&a->known[i], &at)) != NULL;)
			free(k);
		strmap_free(&a->known[i]);
	}
	a->revision = 0;
}

/* --- what comes of it ------------------------------------------------------------------------------------- */

static enum answers_state state_of_outcome(const struct policy_outcome *outcome)
{
	if (outcome->result == POLICY_SERVFAIL)
		return ANSWERS_SERVFAIL;
	if (outcome->result != POLICY_ANSWER)
		return ANSWERS_NORMAL;
	if (outcome->is_fallback)
		return ANSWERS_FALLBACK;
	return outcome->mode == POLICY_MODE_NORMAL || outcome->mode == POLICY_MODE_ANY ? ANSWERS_NORMAL
										       : ANSWERS_FAIL_OPEN;
}

static bool take_worst(void *ctx, const struct policy_outcome *outcome)
{
	enum answers_state *worst = ctx, state = state_of_outcome(outcome);
	*worst = state > *worst ? state : *worst;
	return true;
}

static enum answers_state state_of(const struct answers *a, const char *policy, enum plan_bound bound)
{
	enum answers_state worst = ANSWERS_NORMAL;
	const struct policy_program *program = plan_builder_program(a->builder, policy, bound);
	if (program != NULL)
		policy_outcomes(program, take_worst, &worst);
	return worst;
}

static void say_change(const struct answers *a, const char *policy, enum answers_state from, enum answers_state to)
{
	if (to > from)
		log_warn(a->log, "a policy does not answer with what is up, for want of it", LOG_STR("policy", policy),
			 LOG_STR("state", answers_state_text(to)));
	else if (to < from)
		log_notice(a->log, "a policy answers better again", LOG_STR("policy", policy),
			   LOG_STR("state", answers_state_text(to)));
}

static void judge(struct answers *a, const char *policy)
{
	size_t len = strlen(policy);
	struct policy_state *p = strmap_get(&a->policies, policy, len);
	enum answers_state state = ANSWERS_NORMAL;
	for (size_t i = 0; i < TYPES; i++) {
		enum answers_state other = state_of(a, policy, types[i].bound);
		state = other > state ? other : state;
	}
	if (p == NULL) {
		p = calloc(1, sizeof *p);
		if (p == NULL || len > MODEL_NAME_MAX || strmap_put(&a->policies, policy, len, p) != VEER_OK) {
			free(p);
			return;
		}
		memcpy(p->name, policy, len);
	}
	say_change(a, policy, p->state, state);
	p->state = state;
}

/* Compile what is dirty and look at each policy. Nobody but the holder of the lock has a plan: all old ones go at once.
 */
static void compile(struct answers *a)
{
	const struct plan *plan;
	struct retire_list retired = {0};
	size_t at = 0;
	if (plan_builder_commit(a->builder, a->revision + 1, &plan, &retired) != VEER_OK)
		a->failed = true;
	retire_release(&retired);
	for (const struct known *k; !a->failed && (k = strmap_next(&a->known[2], &at)) != NULL;)
		judge(a, k->key);
}

/* Take over what has changed; nothing where nothing has. The lock is held. */
static void look(struct answers *a)
{
	if (a->failed) { /* begin anew: what was half taken over is not to be trusted */
		forget_all(a);
		plan_builder_free(&a->builder);
		a->builder = plan_builder_new();
		a->failed = a->builder == NULL;
	}
	int64_t revision = directory_revision(a->directory);
	if (a->failed || revision == a->revision)
		return;
	if (revision < a->revision) { /* the store went back: what is at hand never was */
		a->failed = true;
		look(a);
		return;
	}
	follow(a);
	if (!a->failed)
		compile(a);
}

static void *answers_main(void *ctx)
{
	struct answers *a = ctx;
	(void)pthread_mutex_lock(&a->lock);
	while (!a->is_closing) {
		struct timespec until;
		look(a);
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&a->wake, &a->lock, &until);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* --- who is handed out ------------------------------------------------------------------------------------ */

/* Bytes of a record of the type in a finished RRset, before its RDATA: owner, type, class, TTL, length. */
enum { RECORD_HEAD = 12 };

/* Is the address among the records of the RRset? */
static bool has_address(const struct ready_rrset *rr, const struct veer_addr *address)
{
	size_t len = address->family == VEER_FAMILY_V4 ? 4 : 16;
	size_t stride = RECORD_HEAD + len;
	if (rr->len != rr->count * stride)
		return false; /* of another type */
	for (size_t i = 0; i < rr->count; i++)
		if (memcmp(rr->data + i * stride + RECORD_HEAD, address->bytes, len) == 0)
			return true;
	return false;
}

/* Does the outcome hand out this endpoint of its pool? */
static bool hands_out(const struct policy_outcome *outcome, const char *name, const char *address)
{
	struct veer_addr addr;
	if (outcome->result != POLICY_ANSWER)
		return false;
	if (outcome->endpoint != NULL)
		return strcmp(outcome->endpoint, name) == 0;
	return address != NULL && veer_addr_parse(address, &addr) == VEER_OK && has_address(outcome->rr, &addr);
}

/* Endpoints of one policy and type, collected. */
struct collection {
	const struct answers *answers;
	const struct policy_outcome *outcome;
	json_t *endpoints;
};

static bool collect_pool(void *ctx, const struct directory_entry *entry)
{
	struct collection *c = ctx;
	size_t i, k;
	json_t *e, *old;
	json_array_foreach(json_object_get(entry->object, "endpoints"), i, e)
	{
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		const char *name = json_string_value(json_object_get(e, "name"));
		bool is_new = json_array_size(c->endpoints) < ENDPOINTS_SHOWN && name != NULL &&
			      hands_out(c->outcome, name, json_string_value(json_object_get(e, "address")));
		(void)snprintf(key, sizeof key, "%s/%s", entry->key, name != NULL ? name : "");
		json_array_foreach(c->endpoints, k, old) is_new = is_new && strcmp(json_string_value(old), key) != 0;
		if (is_new)
			(void)json_array_append_new(c->endpoints, json_string(key));
	}
	return true;
}

static bool collect(void *ctx, const struct policy_outcome *outcome)
{
	struct collection *c = ctx;
	c->outcome = outcome;
	if (outcome->result == POLICY_ANSWER && json_array_size(c->endpoints) < ENDPOINTS_SHOWN)
		(void)directory_get(c->answers->directory, MODEL_KIND_POOL, outcome->pool, collect_pool, c);
	return true;
}

static json_t *policy_json(const struct answers *a, const struct policy_state *p)
{
	json_t *list = json_array();
	for (size_t i = 0; i < TYPES; i++) {
		const struct policy_program *program = plan_builder_program(a->builder, p->name, types[i].bound);
		struct collection c = {.answers = a, .endpoints = json_array()};
		if (program != NULL)
			policy_outcomes(program, collect, &c);
		enum answers_state state = state_of(a, p->name, types[i].bound);
		if (json_array_size(c.endpoints) == 0 && state == ANSWERS_NORMAL)
			json_decref(c.endpoints); /* it has none of this type */
		else
			(void)json_array_append_new(list,
						    json_pack("{s:s, s:s, s:o}", "type", types[i].text, "state",
							      answers_state_text(state), "endpoints", c.endpoints));
	}
	return json_pack("{s:s, s:s, s:o}", "policy", p->name, "state", answers_state_text(p->state), "types", list);
}

static int by_name(const void *left, const void *right)
{
	const struct policy_state *const *a = left, *const *b = right;
	return strcmp((*a)->name, (*b)->name);
}

json_t *answers_abnormal(struct answers *a, size_t max)
{
	json_t *list = json_array();
	size_t at = 0, count = 0;
	(void)pthread_mutex_lock(&a->lock);
	look(a); /* whoever has just seen a verdict sees what comes of it */
	const struct policy_state **found = calloc(a->policies.count + 1, sizeof *found);
	for (const struct policy_state *p; found != NULL && !a->failed && (p = strmap_next(&a->policies, &at)) != NULL;)
		if (p->state != ANSWERS_NORMAL)
			found[count++] = p;
	if (found != NULL)
		qsort(found, count, sizeof(struct policy_state *), by_name);
	for (size_t i = 0; i < count && i < max; i++)
		(void)json_array_append_new(list, policy_json(a, found[i]));
	(void)pthread_mutex_unlock(&a->lock);
	free(found);
	return list;
}

/* One endpoint, looked for in the outcomes of one policy and type. */
struct search {
	const char *pool;
	const char *name;
	const char *address;
	bool is_found;
	enum answers_state state; /* with which it is handed out */
};

static bool search_outcome(void *ctx, const struct policy_outcome *outcome)
{
	struct search *s = ctx;
	if (outcome->result == POLICY_ANSWER && strcmp(outcome->pool, s->pool) == 0 &&
	    hands_out(outcome, s->name, s->address)) {
		s->is_found = true;
		(void)take_worst(&s->state, outcome);
	}
	return true;
}

struct address_of {
	const char *name;
	char address[256];
};

static bool take_address(void *ctx, const struct directory_entry *entry)
{
	struct address_of *a = ctx;
	size_t i;
	json_t *e;
	json_array_foreach(json_object_get(entry->object, "endpoints"), i, e)
	{
		const char *name = json_string_value(json_object_get(e, "name"));
		const char *address = json_string_value(json_object_get(e, "address"));
		if (name != NULL && address != NULL && strcmp(name, a->name) == 0)
			(void)snprintf(a->address, sizeof a->address, "%s", address);
	}
	return true;
}

static void search_policies(const struct answers *a, const struct search *wanted, json_t *list)
{
	size_t at = 0;
	for (const struct policy_state *p; (p = strmap_next(&a->policies, &at)) != NULL;) {
		for (size_t i = 0; i < TYPES && json_array_size(list) < POLICIES_SHOWN; i++) {
			struct search s = *wanted;
			const struct policy_program *program =
				plan_builder_program(a->builder, p->name, types[i].bound);
			if (program != NULL)
				policy_outcomes(program, search_outcome, &s);
			if (s.is_found)
				(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "policy", p->name,
									    "type", types[i].text, "state",
									    answers_state_text(s.state)));
		}
	}
}

json_t *answers_with(struct answers *a, const char *endpoint)
{
	char pool[MODEL_NAME_MAX + 1];
	size_t len = strcspn(endpoint, "/");
	json_t *list = json_array();
	if (list == NULL || len > MODEL_NAME_MAX || endpoint[len] != '/')
		return list;
	memcpy(pool, endpoint, len);
	pool[len] = '\0';
	struct address_of address = {.name = endpoint + len + 1};
	(void)directory_get(a->directory, MODEL_KIND_POOL, pool, take_address, &address);
	const struct search wanted = {.pool = pool, .name = address.name, .address = address.address};
	(void)pthread_mutex_lock(&a->lock);
	look(a);
	if (!a->failed)
		search_policies(a, &wanted, list);
	(void)pthread_mutex_unlock(&a->lock);
	return list;
}

void answers_count(struct answers *a, uint64_t counts[ANSWERS_STATES])
{
	size_t at = 0;
	memset(counts, 0, ANSWERS_STATES * sizeof *counts);
	(void)pthread_mutex_lock(&a->lock);
	look(a);
	for (const struct policy_state *p; (p = strmap_next(&a->policies, &at)) != NULL;)
		counts[p->state]++;
	(void)pthread_mutex_unlock(&a->lock);
}

/* --- interface -------------------------------------------------------------------------------------------- */

struct answers *answers_new(struct directory *directory, struct logger *log)
{
	pthread_condattr_t monotonic;
	struct answers *a = calloc(1, sizeof *a);
	if (a == NULL)
		return NULL;
	a->directory = directory;
	a->log = log;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&a->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	a->builder = plan_builder_new();
	a->has_thread = a->builder != NULL && pthread_create(&a->thread, NULL, answers_main, a) == 0;
	if (!a->has_thread)
		answers_free(&a);
	return a;
}

void answers_free(struct answers **answers)
{
	struct answers *a = *answers;
	size_t at = 0;
	if (a == NULL)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->is_closing = true;
	(void)pthread_cond_signal(&a->wake);
	(void)pthread_mutex_unlock(&a->lock);
	if (a->has_thread)
		(void)pthread_join(a->thread, NULL);
	forget_all(a);
	for (struct policy_state *p; (p = strmap_next(&a->policies, &at)) != NULL;)
		free(p);
	strmap_free(&a->policies);
	plan_builder_free(&a->builder);
	(void)pthread_cond_destroy(&a->wake);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
	*answers = NULL;
}
