/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of tls.h share; nobody else includes this. */
#ifndef VEER_BASE_TLS_IMPL_H
#define VEER_BASE_TLS_IMPL_H

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/tls.h"

/*
 * Verify what the other side shows, as X509_verify_cert() does. Returns 1, or the error is in the context. `peer` is
 * told whether the signatures were checked before, and how long the chain is valid.
 */
int tls_chains_verify(struct tls_chains *chains, X509_STORE_CTX *ctx, struct tls_peer *peer);

/*
 * Called when a session has come on a connection whose application data is a tls_peer. Returns 1 when the session is
 * kept.
 */
int tls_sessions_on_new(SSL *ssl, SSL_SESSION *session);

#endif
