/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS for those who judge the other side's certificate: whom to trust, kept between handshakes, and what the peer
 * showed. Versions below TLS 1.2 are refused. Whether the certificate is for the right name is asked by who makes the
 * connection (SSL_set1_host()).
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

/* Is `pem` a bundle of at least one certificate, and nothing that cannot be read? Errors: VEER_EINVAL (diag). */
VEER_MUST_CHECK enum veer_err tls_pem_check(const char *pem, struct veer_diag *diag);

/*
 * Is `key_pem` the key of the first certificate in `cert_pem`? `*not_after_s` becomes when that one ends, in seconds
 * since 1970 (0: it cannot be read). Errors: VEER_EINVAL, with what is wrong.
 */
VEER_MUST_CHECK enum veer_err tls_pair_check(const char *cert_pem, const char *key_pem, int64_t *not_after_s,
					     struct veer_diag *diag);

struct tls_trust;

/* Sets of certificate authorities, by where they come from; the latest 64 are kept. NULL when memory is out. */
struct tls_trust *tls_trust_new(void);
void tls_trust_free(struct tls_trust **trust);

/*
 * Those of a PEM file on this host (read again when it changes), or those in `pem`; with both NULL the system's.
 * Borrowed until the next call: who keeps it counts a reference. Blocks on the disk for a file that is not in memory
 * yet. Errors (diag): VEER_EIO (the file cannot be read), VEER_EINVAL, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err tls_trust_store(struct tls_trust *trust, const char *ca_file, const char *pem,
					      struct x509_store_st **out, struct veer_diag *diag);

struct tls_chains;

/*
 * Chains that were found good: the certificates that a server shows, by their bytes, with the store that vouches for
 * them, for as long as all of them are valid. So their signatures are checked once, not in each handshake; that the
 * server has the key, the name, and the time are judged each time. Bounded: 16,384 chains, of which a new one takes the
 * place of one that was not used for longer. NULL when memory is out.
 */
struct tls_chains *tls_chains_new(void);
/* `*chains` may be NULL. */
void tls_chains_free(struct tls_chains **chains);

struct tls_sessions;

#define TLS_SESSION_KEY_SIZE 400

/*
 * Sessions to be resumed (RFC 8446 2.2): the latest of each key, at most `max` (some 15 KiB each), of which the one
 * that was noted longest ago goes first. One is offered only as long as the chain is valid that was verified when it
 * began, and only once in TLS 1.3. NULL when memory is out.
 */
struct tls_sessions *tls_sessions_new(uint32_t max);
/* `*sessions` may be NULL. */
void tls_sessions_free(struct tls_sessions **sessions);

/* What the peer showed in a handshake. Zero it before. */
struct tls_peer {
	struct tls_chains *chains; /* set by the caller: remember there, and ask there first; NULL: each time anew */
	struct tls_sessions *sessions; /* set by the caller: resume one, and note new ones; NULL: neither */
	/* Set by the caller, where there are sessions: with whom, and how that one is judged. Of the same key all is.
	 */
	char session_key[TLS_SESSION_KEY_SIZE];
	struct x509_store_st *store; /* set by tls_connection_resume(); the connection counts it */
	bool is_resumed;             /* a session is resumed: no certificate comes */
	int64_t valid_from_s;        /* the chain that was verified is valid from then (since 1970), 0: it was not */
	int64_t valid_until_s;
	bool wants_names;    /* set by the caller: fill the texts too */
	bool is_seen;        /* a certificate came; all below is about it */
	bool is_remembered;  /* its chain was found good before */
	int verify;          /* X509_V_OK, or why it is not trusted (the name is not looked at) */
	int64_t not_after_s; /* seconds since 1970 */
	char version[16];    /* "TLSv1.3" */
	char subject[160];   /* "CN=www.example.com"; cut when longer; bytes beyond ASCII are escaped */
	char issuer[160];
};

/*
 * A context for the clients' side of connections. A connection that ends without the closure alert has ended like one
 * in clear: servers do that, and browsers take it so. NULL when memory is out. Caller frees with tls_context_free().
 */
struct ssl_ctx_st *tls_context_new(void);
void tls_context_free(struct ssl_ctx_st **context);

/*
 * Have a connection of tls_context_new()'s trust `store`, which is counted, and note in `peer` what the other side
 * shows; that is borrowed as long as the connection.
 */
void tls_connection_use(struct ssl_st *ssl, struct x509_store_st *store, struct tls_peer *peer);
/* Offer a session of the peer's key, if there is one. After tls_connection_use(), whose peer must outlive the `ssl`. */
void tls_connection_resume(struct ssl_st *ssl, struct x509_store_st *store, struct tls_peer *peer);

/* Whole days from `now_s` (since 1970) until `not_after_s`, negative when it is over. */
int64_t tls_days_left(int64_t not_after_s, int64_t now_s);

#endif
