/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures what a check by HTTPS costs with plain OpenSSL: connect, shake hands, verify, send a request, read, close,
 * one check after the other, each step in its simplest form.
 *
 *   tls_floor PORT COUNT NAME CA.pem
 *
 * Or only the arithmetic of COUNT handshakes with P-256: a key, a secret, a verification.
 *
 *   tls_floor COUNT
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY: the arithmetic with as little code around it as possible */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/ecdh.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/ssl.h>

static bool talk(SSL *ssl, const char *name)
{
	char request[512];
	char reply[4096];
	int len = snprintf(request, sizeof request,
			   "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: veer\r\nAccept: */*\r\n\r\n", name);
	if (SSL_set_tlsext_host_name(ssl, name) != 1 || SSL_set1_host(ssl, name) != 1 || SSL_connect(ssl) != 1 ||
	    SSL_write(ssl, request, len) != len)
		return false;
	int got = SSL_read(ssl, reply, sizeof reply);
	(void)SSL_shutdown(ssl);
	return got > 12 && memcmp(reply, "HTTP/1.1 200", 12) == 0;
}

static bool check(SSL_CTX *context, const struct sockaddr_in *to, const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(context);
	bool is_good = fd >= 0 && ssl != NULL && connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 &&
		       SSL_set_fd(ssl, fd) == 1 && talk(ssl, name);
	SSL_free(ssl);
	(void)close(fd);
	return is_good;
}

static int calculate(long count)
{
	EC_KEY *own = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	EC_KEY *other = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	unsigned char digest[32] = {1};
	unsigned char signature[80];
	unsigned char secret[32];
	unsigned len = 0;
	if (own == NULL || other == NULL || EC_KEY_generate_key(other) != 1 ||
	    ECDSA_sign(0, digest, sizeof digest, signature, &len, other) != 1)
		return 1;
	for (; count > 0; count--)
		if (EC_KEY_generate_key(own) != 1 ||
		    ECDH_compute_key(secret, sizeof secret, EC_KEY_get0_public_key(other), own, NULL) !=
			    sizeof secret ||
		    ECDSA_verify(0, digest, sizeof digest, signature, (int)len, other) != 1)
			return 1;
	EC_KEY_free(own);
	EC_KEY_free(other);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc == 2)
		return calculate(strtol(argv[1], NULL, 10));
	if (argc != 5)
		return 2;
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (context == NULL || SSL_CTX_load_verify_locations(context, argv[4], NULL) != 1)
		return 1;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
		if (check(context, &to, argv[3]))
			continue;
		ERR_print_errors_fp(stderr);
		return 1;
	}
	SSL_CTX_free(context);
	return 0;
}
