/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate of our own and its key. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

#include "base/tls.h"

/* The time in seconds since 1970; 0 when it cannot be read. */
static int64_t seconds_of(const ASN1_TIME *at)
{
	struct tm tm = {0};
	return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

enum veer_err tls_pair_check(const char *cert_pem, const char *key_pem, int64_t *not_after_s, struct veer_diag *diag)
{
	BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1), *key_bio = BIO_new_mem_buf(key_pem, -1);
	X509 *cert = cert_bio != NULL ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
	/* an empty password: nobody is there to type one */
	static char no_password[] = "";
	EVP_PKEY *key = key_bio != NULL ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, no_password) : NULL;
	enum veer_err err = VEER_OK;
	if (cert == NULL)
		err = veer_fail(diag, VEER_EINVAL, "there is no certificate in PEM for TLS");
	else if (key == NULL)
		err = veer_fail(diag, VEER_EINVAL, "there is no private key in PEM for TLS, or it has a password");
	else if (X509_check_private_key(cert, key) != 1)
		err = veer_fail(diag, VEER_EINVAL, "the key is not that of the TLS certificate");
	else
		*not_after_s = seconds_of(X509_get0_notAfter(cert));
	EVP_PKEY_free(key);
	X509_free(cert);
	(void)BIO_free(cert_bio);
	(void)BIO_free(key_bio);
	return err;
}
