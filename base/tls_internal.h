/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of tls.h share; nobody else includes this. */
#ifndef VEER_BASE_TLS_INTERNAL_H
#define VEER_BASE_TLS_INTERNAL_H

#include <openssl/x509_vfy.h>

#include "base/tls.h"

/*
 * Verify what the other side shows, as X509_verify_cert() does: 1, or its error is in the context. `*is_remembered`:
 * the signatures were checked before.
 */
int tls_chains_verify(struct tls_chains *chains, X509_STORE_CTX *ctx, bool *is_remembered);

#endif
