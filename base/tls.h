/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS for clients that judge the server's certificate: which authorities to trust (kept between handshakes), and what
 * the peer has shown. Versions below TLS 1.2 are refused. The caller that makes the connection asks for the name to be
 * checked (SSL_set1_host()).
 *
 * Threads: a tls_trust belongs to one thread; the rest are pure functions.
 */
#ifndef VEER_BASE_TLS_H
#define VEER_BASE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ssl_ctx_st;    /* OpenSSL's SSL_CTX */
struct ssl_st;        /* SSL */
struct x509_store_st; /* X509_STORE */

/* Is `pem` a bundle of at least one certificate, all of which can be read? Errors: VEER_EINVAL (diag). */
VEER_MUST_CHECK enum veer_err tls_pem_check(const char *pem, struct veer_diag *diag);

/*
 * Is `key_pem` the key of the first certificate in `cert_pem`? `*not_after_s` becomes the end of the certificate's
 * validity, in seconds since 1970 (0: it cannot be read). Errors: VEER_EINVAL; the diag says what is wrong.
 */
VEER_MUST_CHECK enum veer_err tls_pair_check(const char *cert_pem, const char *key_pem, int64_t *not_after_s,
					     struct veer_diag *diag);

struct tls_trust;

/*
 * Make a cache of sets of certificate authorities, found by their source; the 64 used last are kept. NULL when memory
 * is out.
 */
struct tls_trust *tls_trust_new(void);
void tls_trust_free(struct tls_trust **trust);

/*
 * Find the authorities of a PEM file on this host (read again when it changes), or those in `pem`; with both NULL those
 * of the system. The result is borrowed until the next call; a caller that keeps it must take a reference. Blocks on
 * the disk for a file that is not in memory yet. Errors (diag): VEER_EIO (the file cannot be read), VEER_EINVAL,
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err tls_trust_store(struct tls_trust *trust, const char *ca_file, const char *pem,
					      struct x509_store_st **out, struct veer_diag *diag);

struct tls_chains;

/*
 * Make a cache of chains that were found good. A chain is remembered by the bytes of the certificates that a server
 * shows and by the store that they were verified against, for as long as all of them are valid. So their signatures are
 * checked once, not in each handshake; the server's possession of the key, the name and the time are checked each time.
 * The cache is bounded to 16,384 chains: a new one replaces one that was not used for a longer time. NULL when memory
 * is out.
 */
struct tls_chains *tls_chains_new(void);
/* Free the cache. `*chains` may be NULL. */
void tls_chains_free(struct tls_chains **chains);

struct tls_sessions;

#define TLS_SESSION_KEY_SIZE 400

/*
 * Sessions to be resumed (RFC 8446 2.2): the latest one for each key, at most `max` (some 15 KiB each); the one noted
 * longest ago is dropped first. A session is offered only as long as the chain that was verified at its beginning is
 * valid, and in TLS 1.3 only once. NULL when memory is out.
 */
struct tls_sessions *tls_sessions_new(uint32_t max);
/* Free the sessions. `*sessions` may be NULL. */
void tls_sessions_free(struct tls_sessions **sessions);

/* What the peer showed in a handshake. Zero it before use. */
struct tls_peer {
	struct tls_chains *chains;     /* set by the caller: the cache of good chains to use; NULL: verify everything
					* each time */
	struct tls_sessions *sessions; /* set by the caller: where to find a session to resume and to note new ones;
					* NULL: neither */
	/*
	 * Set by the caller if `sessions` is set. It identifies the server and how its certificate is judged: two
	 * connections with the same key agree in both.
	 */
	char session_key[TLS_SESSION_KEY_SIZE];
	struct x509_store_st *store; /* set by tls_connection_resume(); the connection holds a reference */
	bool is_resumed;             /* a session was resumed, so no certificate was sent */
	int64_t valid_from_s;        /* the verified chain is valid from this time (since 1970); 0: no chain was
				      * verified */
	int64_t valid_until_s;
	bool wants_names;    /* set by the caller: fill in the texts too */
	bool is_seen;        /* a certificate came; all fields below describe it */
	bool is_remembered;  /* its chain was found good before */
	int verify;          /* X509_V_OK, or why it is not trusted (the name is not looked at) */
	int64_t not_after_s; /* seconds since 1970 */
	char version[16];    /* "TLSv1.3" */
	char subject[160];   /* "CN=www.example.com"; cut when longer; bytes beyond ASCII are escaped */
	char issuer[160];
};

/*
 * A context for the clients' side of connections. A connection that ends without the closure alert counts as ended
 * normally, like one without TLS, because servers do that and browsers accept it. NULL when memory is out. Caller frees
 * with tls_context_free().
 */
struct ssl_ctx_st *tls_context_new(void);
void tls_context_free(struct ssl_ctx_st **context);

/*
 * Make a connection of tls_context_new() trust `store` (it takes a reference) and note in `peer` what the other side
 * shows. `peer` is borrowed as long as the connection exists.
 */
void tls_connection_use(struct ssl_st *ssl, struct x509_store_st *store, struct tls_peer *peer);
/*
 * Offer a session of the peer's key, if there is one. Call it after tls_connection_use(); the peer must outlive `ssl`.
 */
void tls_connection_resume(struct ssl_st *ssl, struct x509_store_st *store, struct tls_peer *peer);

/* Whole days from `now_s` (since 1970) until `not_after_s`, negative when that time has passed. */
int64_t tls_days_left(int64_t not_after_s, int64_t now_s);

#endif
