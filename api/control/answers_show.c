/* SPDX-License-Identifier: Apache-2.0 */
/* Shows as JSON which endpoints are handed out now. See answers.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/answers_impl.h"
#include "base/addr.h"

enum { ENDPOINTS_SHOWN = 32, POLICIES_SHOWN = 100 };

/* --- endpoints that are handed out ------------------------------------------------------------------------ */

/* Bytes of a record in a finished RRset before its RDATA: owner (compressed), type, class, TTL, length. */
enum { RECORD_HEAD = 12 };

/* Is the address among the records of the RRset? */
static bool has_address(const struct ready_rrset *rr, const struct veer_addr *address)
{
	size_t len = address->family == VEER_FAMILY_V4 ? 4 : 16;
	size_t stride = RECORD_HEAD + len;
	if (rr->len != rr->count * stride)
		return false; /* the address is of another type */
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
	for (size_t i = 0; i < ANSWERS_TYPES; i++) {
		const struct policy_program *program =
			plan_builder_program(a->builder, p->name, answers_types[i].bound);
		struct collection c = {.answers = a, .endpoints = json_array()};
		if (program != NULL)
			policy_outcomes(program, collect, &c);
		enum answers_state state = answers_state_of(a, p->name, answers_types[i].bound);
		if (json_array_size(c.endpoints) == 0 && state == ANSWERS_NORMAL)
			json_decref(c.endpoints); /* the policy has no endpoint of this type */
		else
			(void)json_array_append_new(list,
						    json_pack("{s:s, s:s, s:o}", "type", answers_types[i].text, "state",
							      answers_state_text(state), "endpoints", c.endpoints));
	}
	return json_pack("{s:s, s:s, s:o}", "policy", p->name, "state", answers_state_text(p->state), "types", list);
}

static int by_name(const void *left, const void *right)
{
	const struct policy_state *const *a = left, *const *b = right;
	return strcmp((*a)->name, (*b)->name);
}

json_t *answers_abnormal(struct answers *answers, size_t max)
{
	json_t *list = json_array();
	size_t at = 0, count = 0;
	(void)pthread_mutex_lock(&answers->lock);
	answers_look(answers); /* so that a caller who has just seen a verdict also sees its effect */
	const struct policy_state **found = calloc(answers->policies.count + 1, sizeof *found);
	for (const struct policy_state *p;
	     found != NULL && !answers->failed && (p = strmap_next(&answers->policies, &at)) != NULL;)
		if (p->state != ANSWERS_NORMAL)
			found[count++] = p;
	if (found != NULL)
		qsort(found, count, sizeof(struct policy_state *), by_name);
	for (size_t i = 0; i < count && i < max; i++)
		(void)json_array_append_new(list, policy_json(answers, found[i]));
	(void)pthread_mutex_unlock(&answers->lock);
	free(found);
	return list;
}

/* A search for one endpoint in the outcomes of one policy and type. */
struct search {
	const char *pool;
	const char *name;
	const char *address;
	bool is_found;
	enum answers_state state; /* the state in which the policy hands it out */
};

static bool search_outcome(void *ctx, const struct policy_outcome *outcome)
{
	struct search *s = ctx;
	if (outcome->result == POLICY_ANSWER && strcmp(outcome->pool, s->pool) == 0 &&
	    hands_out(outcome, s->name, s->address)) {
		s->is_found = true;
		(void)answers_take_worst(&s->state, outcome);
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
		for (size_t i = 0; i < ANSWERS_TYPES && json_array_size(list) < POLICIES_SHOWN; i++) {
			struct search s = *wanted;
			const struct policy_program *program =
				plan_builder_program(a->builder, p->name, answers_types[i].bound);
			if (program != NULL)
				policy_outcomes(program, search_outcome, &s);
			if (s.is_found)
				(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "policy", p->name,
									    "type", answers_types[i].text, "state",
									    answers_state_text(s.state)));
		}
	}
}

json_t *answers_with(struct answers *answers, const char *endpoint)
{
	char pool[MODEL_NAME_MAX + 1];
	size_t len = strcspn(endpoint, "/");
	json_t *list = json_array();
	if (list == NULL || len > MODEL_NAME_MAX || endpoint[len] != '/')
		return list;
	memcpy(pool, endpoint, len);
	pool[len] = '\0';
	struct address_of address = {.name = endpoint + len + 1};
	(void)directory_get(answers->directory, MODEL_KIND_POOL, pool, take_address, &address);
	const struct search wanted = {.pool = pool, .name = address.name, .address = address.address};
	(void)pthread_mutex_lock(&answers->lock);
	answers_look(answers);
	if (!answers->failed)
		search_policies(answers, &wanted, list);
	(void)pthread_mutex_unlock(&answers->lock);
	return list;
}
