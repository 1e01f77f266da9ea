/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of principals, and what they have taken. See shares.h. */
#include "api/http/shares.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STREAMS_ALL = 5000, /* half of them for agents and name servers, however many tokens have */
	STREAMS_RESERVE = 64,
	STREAMS_OF_NODE = 8,
	CONNECTIONS_OF_ONE_MIN = 16,
	RETRY_S = 1,
};

static const size_t bodies_all = (size_t)1 << 30, bodies_of_token = (size_t)512 << 20, bodies_of_node = (size_t)8 << 20,
		    bodies_of_others = (size_t)1 << 20, replies_of_one = (size_t)64 << 20,
		    replies_all = (size_t)1 << 30;

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

void shares_init(struct shares *shares, size_t connections)
{
	size_t streams = smaller(STREAMS_ALL, connections * 3 / 4);
	size_t of_one = connections / 8 > CONNECTIONS_OF_ONE_MIN ? connections / 8 : CONNECTIONS_OF_ONE_MIN;
	(void)pthread_mutex_init(&shares->lock, NULL);
	shares->rooms[API_SHARE_STREAMS] = (struct shares_room){
		.all = streams,
		.reserve = smaller(STREAMS_RESERVE, streams / 16),
		.tokens = streams / 2,
		.of_token = streams / 2 * 5 / 6, /* several agents may share one token, and the others keep a part */
		.of_node = STREAMS_OF_NODE,
	};
	shares->rooms[API_SHARE_BODIES] = (struct shares_room){
		.all = bodies_all,
		.reserve = bodies_all / 16,
		.tokens = bodies_all / 4 * 3,
		.of_token = bodies_of_token,
		.of_node = bodies_of_node,
		.of_others = bodies_of_others,
	};
	shares->rooms[API_SHARE_REPLIES] = (struct shares_room){
		.all = replies_all,
		.reserve = replies_all / 16,
		.tokens = replies_all / 4 * 3,
		.of_token = replies_of_one,
		.of_node = replies_of_one,
		.of_others = replies_of_one,
	};
	shares->rooms[API_SHARE_CONNECTIONS] = (struct shares_room){
		.all = connections,
		.reserve = 0, /* the crowd keeps one (crowd.c) */
		.tokens = connections / 2,
		.of_token = connections / 8 * 3, /* for its streams, too */
		.of_node = smaller(of_one, 64),
		.of_others = of_one,
	};
}

void shares_deinit(struct shares *shares)
{
	size_t at = 0;
	for (struct api_account *a; (a = strmap_next(&shares->accounts, &at)) != NULL;)
		free(a);
	strmap_free(&shares->accounts);
	(void)pthread_mutex_destroy(&shares->lock);
}

static void print_key(const struct api_principal *who, const char *from, char out[SHARES_KEY_SIZE])
{
	switch (who->role) {
	case API_ROLE_OWNER:
		(void)snprintf(out, SHARES_KEY_SIZE, "owner");
		break;
	case API_ROLE_TOKEN:
		(void)snprintf(out, SHARES_KEY_SIZE, "token %s", who->id);
		break;
	case API_ROLE_AGENT:
		(void)snprintf(out, SHARES_KEY_SIZE, "agent %s", who->id);
		break;
	case API_ROLE_NAMESERVER:
		(void)snprintf(out, SHARES_KEY_SIZE, "nameserver %s", who->id);
		break;
	case API_ROLE_ANONYMOUS:
		(void)snprintf(out, SHARES_KEY_SIZE, "address %s", from);
		break;
	}
}

struct api_account *shares_account(struct shares *shares, const struct api_principal *who, const char *from)
{
	char key[SHARES_KEY_SIZE];
	print_key(who, from, key);
	size_t len = strlen(key);
	(void)pthread_mutex_lock(&shares->lock);
	struct api_account *a = strmap_get(&shares->accounts, key, len);
	if (a == NULL && (a = calloc(1, sizeof *a)) != NULL) {
		memcpy(a->key, key, len + 1);
		a->role = who->role;
		if (strmap_put(&shares->accounts, key, len, a) != VEER_OK) {
			free(a);
			a = NULL;
		}
	}
	if (a != NULL)
		a->references++;
	(void)pthread_mutex_unlock(&shares->lock);
	return a;
}

struct api_account *shares_hold(struct shares *shares, struct api_account *account)
{
	(void)pthread_mutex_lock(&shares->lock);
	account->references++;
	(void)pthread_mutex_unlock(&shares->lock);
	return account;
}

/* The lock is held. An account with bad inputs is remembered even when its connection is closed. */
static void forget_if_unused(struct shares *shares, struct api_account *account)
{
	if (account->references > 0 || account->bad_ms[0] != 0)
		return;
	(void)strmap_del(&shares->accounts, account->key, strlen(account->key));
	free(account);
}

void shares_give(struct shares *shares, struct api_account *account)
{
	if (account == NULL)
		return;
	(void)pthread_mutex_lock(&shares->lock);
	assert(account->references > 0);
	account->references--;
	forget_if_unused(shares, account);
	(void)pthread_mutex_unlock(&shares->lock);
}

size_t shares_limit(const struct shares *shares, const struct api_account *account, enum api_share share)
{
	const struct shares_room *room = &shares->rooms[share];
	switch (account->role) {
	case API_ROLE_OWNER:
		return room->all;
	case API_ROLE_TOKEN:
		return room->of_token;
	case API_ROLE_AGENT:
	case API_ROLE_NAMESERVER:
		return room->of_node;
	case API_ROLE_ANONYMOUS:
		break;
	}
	return room->of_others;
}

enum shares_answer shares_take(struct shares *shares, struct api_account *account, enum api_share share, size_t amount)
{
	const struct shares_room *room = &shares->rooms[share];
	bool is_token = account->role == API_ROLE_TOKEN;
	enum shares_answer answer = SHARES_TAKEN;
	(void)pthread_mutex_lock(&shares->lock);
	size_t all = room->all - (account->role == API_ROLE_OWNER ? 0 : room->reserve);
	if (account->used[share] + amount > shares_limit(shares, account, share))
		answer = SHARES_OWN_FULL;
	else if (shares->used[share] + amount > all ||
		 (is_token && shares->used_by_tokens[share] + amount > room->tokens))
		answer = SHARES_ALL_FULL;
	if (answer == SHARES_TAKEN) {
		account->used[share] += amount;
		shares->used[share] += amount;
		shares->used_by_tokens[share] += is_token ? amount : 0;
	} else {
		shares->refused[share]++;
	}
	(void)pthread_mutex_unlock(&shares->lock);
	return answer;
}

void shares_put_back(struct shares *shares, struct api_account *account, enum api_share share, size_t amount)
{
	(void)pthread_mutex_lock(&shares->lock);
	assert(account->used[share] >= amount && shares->used[share] >= amount);
	account->used[share] -= amount;
	shares->used[share] -= amount;
	if (account->role == API_ROLE_TOKEN)
		shares->used_by_tokens[share] -= amount;
	(void)pthread_mutex_unlock(&shares->lock);
}

void shares_note_bad(struct shares *shares, struct api_account *account, int64_t now_ms)
{
	(void)pthread_mutex_lock(&shares->lock);
	memmove(account->bad_ms + 1, account->bad_ms, (SHARES_BAD_MAX - 1) * sizeof account->bad_ms[0]);
	account->bad_ms[0] = now_ms;
	int64_t oldest = account->bad_ms[SHARES_BAD_MAX - 1];
	if (oldest != 0 && now_ms - oldest <= SHARES_BAD_WINDOW_MS)
		account->barred_until_ms = now_ms + SHARES_PENALTY_MS;
	(void)pthread_mutex_unlock(&shares->lock);
}

int64_t shares_barred_ms(struct shares *shares, struct api_account *account, int64_t now_ms)
{
	(void)pthread_mutex_lock(&shares->lock);
	int64_t left = account->barred_until_ms > now_ms ? account->barred_until_ms - now_ms : 0;
	if (left > 0)
		shares->refused[API_SHARE_INPUT]++;
	(void)pthread_mutex_unlock(&shares->lock);
	return left;
}

void shares_sweep(struct shares *shares, int64_t now_ms)
{
	size_t at = 0;
	(void)pthread_mutex_lock(&shares->lock);
	for (struct api_account *a; (a = strmap_next(&shares->accounts, &at)) != NULL;) {
		if (a->bad_ms[0] == 0 || now_ms - a->bad_ms[0] <= SHARES_BAD_WINDOW_MS + SHARES_PENALTY_MS)
			continue;
		memset(a->bad_ms, 0, sizeof a->bad_ms);
		forget_if_unused(shares, a);
	}
	(void)pthread_mutex_unlock(&shares->lock);
}

void shares_note_refused(struct shares *shares, enum api_share share)
{
	(void)pthread_mutex_lock(&shares->lock);
	shares->refused[share]++;
	(void)pthread_mutex_unlock(&shares->lock);
}

void shares_refused(struct shares *shares, uint64_t out[API_SHARES])
{
	(void)pthread_mutex_lock(&shares->lock);
	memcpy(out, shares->refused, sizeof shares->refused);
	(void)pthread_mutex_unlock(&shares->lock);
}

static const char *const texts[API_SHARES] = {
	[API_SHARE_STREAMS] = "streams", [API_SHARE_BODIES] = "bodies",
	[API_SHARE_REPLIES] = "replies", [API_SHARE_CONNECTIONS] = "connections",
	[API_SHARE_SILENT] = "silent",   [API_SHARE_PLACES] = "places",
	[API_SHARE_INPUT] = "input",
};

const char *shares_text(enum api_share share)
{
	return texts[share];
}

void shares_refuse(struct shares *shares, const struct api_account *account, enum api_share share,
		   enum shares_answer answer, struct api_reply *reply)
{
	static const char *const what[API_SHARES] = {
		[API_SHARE_STREAMS] = "open streams",
		[API_SHARE_BODIES] = "bytes of bodies at once",
		[API_SHARE_REPLIES] = "bytes of replies at once",
		[API_SHARE_CONNECTIONS] = "connections",
		[API_SHARE_SILENT] = "connections without a credential",
		[API_SHARE_PLACES] = "waiting requests of this kind",
		[API_SHARE_INPUT] = "inputs",
	};
	if (answer == SHARES_OWN_FULL && share == API_SHARE_PLACES)
		api_problem(reply, 429, "share", "%s has as many %s as it may have: retry when they are answered",
			    account->key, what[share]);
	else if (answer == SHARES_OWN_FULL)
		api_problem(reply, 429, "share", "%s has its share of %s, %zu, already: end some of them, then retry",
			    account->key, what[share], shares_limit(shares, account, share));
	else
		api_problem(reply, 503, "busy", "all %s that there may be are taken: retry in a second", what[share]);
	reply->retry_after_s = RETRY_S;
}
