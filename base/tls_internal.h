/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of tls.h share; nobody else includes this. */
#ifndef VEER_BASE_TLS_INTERNAL_H
#define VEER_BASE_TLS_INTERNAL_H

#include <openssl/core.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/tls.h"

/*
 * Verify what the other side shows, as X509_verify_cert() does: 1, or its error is in the context. The peer is told
 * whether the signatures were checked before, and how long the chain is valid.
 */
int tls_chains_verify(struct tls_chains *chains, X509_STORE_CTX *ctx, struct tls_peer *peer);

/* A session has come, on a connection whose application data is a tls_peer. 1: it is kept. */
int tls_sessions_on_new(SSL *ssl, SSL_SESSION *session);

struct tls_library;

/* Not where the host's configuration says that another provider than the default one is to be used. */
bool tls_library_is_wanted(void);
/* A library context of its own, with what clients of TLS need. NULL: it cannot be made. */
struct tls_library *tls_library_new(void);
/* All that was made in it is gone. `*library` may be NULL. */
void tls_library_free(struct tls_library **library);
OSSL_LIB_CTX *tls_library_context(const struct tls_library *library);
#define TLS_LIBRARY_PROPERTIES "?provider=default" /* to be asked for in it */

#endif
