/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of TLS that may be resumed: see tls.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509.h>

#include "base/tls_impl.h"

/* One session, and how the connection on which it came was judged. */
struct session {
	SSL_SESSION *ssl;  /* NULL: a free place */
	X509_STORE *store; /* counted */
	char *key;
	int64_t valid_from_s;
	int64_t valid_until_s;
	uint64_t noted; /* when it was noted, as a count of sessions */
};

struct tls_sessions {
	uint32_t max;
	uint64_t turn;
	struct session places[];
};

struct tls_sessions *tls_sessions_new(uint32_t max)
{
	struct tls_sessions *sessions = calloc(1, sizeof *sessions + max * sizeof(struct session));
	if (sessions != NULL)
		sessions->max = max;
	return sessions;
}

static void forget(struct session *place)
{
	SSL_SESSION_free(place->ssl);
	X509_STORE_free(place->store);
	free(place->key);
	*place = (struct session){0};
}

void tls_sessions_free(struct tls_sessions **sessions)
{
	if (*sessions == NULL)
		return;
	for (uint32_t i = 0; i < (*sessions)->max; i++)
		forget(&(*sessions)->places[i]);
	free(*sessions);
	*sessions = NULL;
}

static struct session *find(struct tls_sessions *sessions, const X509_STORE *store, const char *key)
{
	for (uint32_t i = 0; i < sessions->max; i++) {
		struct session *place = &sessions->places[i];
		if (place->ssl != NULL && place->store == store && strcmp(place->key, key) == 0)
			return place;
	}
	return NULL;
}

/* The place of that key, or else a free one, or else the one noted longest ago. The place is emptied. */
static struct session *make_room(struct tls_sessions *sessions, const X509_STORE *store, const char *key)
{
	struct session *place = find(sessions, store, key);
	for (uint32_t i = 0; place == NULL && i < sessions->max; i++)
		if (sessions->places[i].ssl == NULL)
			place = &sessions->places[i];
	if (place == NULL) {
		place = &sessions->places[0];
		for (uint32_t i = 1; i < sessions->max; i++)
			if (sessions->places[i].noted < place->noted)
				place = &sessions->places[i];
	}
	forget(place);
	return place;
}

int tls_sessions_on_new(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_peer *peer = SSL_get_app_data(ssl);
	if (peer == NULL || peer->sessions == NULL || peer->store == NULL || SSL_SESSION_is_resumable(session) != 1)
		return 0;
	/* A session of a connection whose certificate must be good is kept only if the end of its validity is known. */
	if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 && peer->valid_until_s == 0)
		return 0;
	char *key = strdup(peer->session_key);
	if (key == NULL)
		return 0;
	struct session *place = make_room(peer->sessions, peer->store, key);
	(void)X509_STORE_up_ref(peer->store);
	*place = (struct session){.ssl = session,
				  .store = peer->store,
				  .key = key,
				  .valid_from_s = peer->valid_from_s,
				  .valid_until_s = peer->valid_until_s,
				  .noted = ++peer->sessions->turn};
	return 1;
}

void tls_connection_resume(SSL *ssl, X509_STORE *store, struct tls_peer *peer)
{
	struct session *place = find(peer->sessions, store, peer->session_key);
	int64_t now_s = (int64_t)time(NULL);
	peer->store = store;
	if (place == NULL)
		return;
	/*
	 * A session whose certificate was not verified (0, 0) was made by a check that does not ask for verification.
	 */
	bool is_valid = place->valid_until_s == 0 || (now_s >= place->valid_from_s && now_s <= place->valid_until_s);
	if (is_valid && SSL_set_session(ssl, place->ssl) == 1) {
		peer->valid_from_s = place->valid_from_s;
		peer->valid_until_s = place->valid_until_s;
	}
	if (!is_valid || SSL_SESSION_get_protocol_version(place->ssl) >= TLS1_3_VERSION)
		forget(place);
}
