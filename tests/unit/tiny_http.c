/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tiny_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define CONNECTIONS_MAX 256
#define REQUEST_MAX 65536

struct tiny_http {
	int fd;
	uint16_t port;
	SSL_CTX *tls;
	pthread_t thread;
	atomic_uint accepted;
	atomic_bool is_stopping;
	pthread_t workers[CONNECTIONS_MAX];
};

/* One connection, from the point of view of its thread. */
struct conn {
	struct tiny_http *server;
	int fd;
	SSL *ssl;
	char request[REQUEST_MAX];
	size_t len;
};

static bool wait_readable(struct conn *c, int timeout_ms)
{
	if (c->ssl != NULL && SSL_pending(c->ssl) > 0)
		return true;
	while (!atomic_load(&c->server->is_stopping) && timeout_ms > 0) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		if (poll(&p, 1, 10) > 0)
			return true;
		timeout_ms -= 10;
	}
	return false;
}

static ssize_t conn_read(struct conn *c, void *out, size_t size)
{
	if (!wait_readable(c, 20000))
		return -1;
	return c->ssl != NULL ? SSL_read(c->ssl, out, (int)size) : recv(c->fd, out, size, 0);
}

static bool conn_write(struct conn *c, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0) {
		ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, at, (int)len) : send(c->fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool say(struct conn *c, const char *text)
{
	return conn_write(c, text, strlen(text));
}

static void pause_ms(long ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	(void)nanosleep(&ts, NULL);
}

/* Read a complete request, with its body, into c->request. */
static bool read_request(struct conn *c)
{
	c->len = 0;
	for (;;) {
		ssize_t n = conn_read(c, c->request + c->len, sizeof c->request - 1 - c->len);
		if (n <= 0)
			return false;
		c->len += (size_t)n;
		c->request[c->len] = '\0';
		const char *end = strstr(c->request, "\r\n\r\n");
		if (end == NULL)
			continue;
		const char *header = strcasestr(c->request, "Content-Length:");
		size_t body = header != NULL ? strtoul(header + 15, NULL, 10) : 0;
		if (c->len >= (size_t)(end + 4 - c->request) + body)
			return true;
	}
}

static bool reply(struct conn *c, const char *head, const char *body, size_t len)
{
	char line[256];
	(void)snprintf(line, sizeof line, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len);
	return say(c, line) && conn_write(c, body, len);
}

static void hold(struct conn *c)
{
	char byte;
	(void)conn_read(c, &byte, 1);
}

static void send_lines(struct conn *c)
{
	bool ok = say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; ok && i < 5; i++) {
		char chunk[64];
		(void)snprintf(chunk, sizeof chunk, "7\r\nline %d\n\r\n", i);
		ok = say(c, chunk);
		pause_ms(10);
	}
	if (ok)
		(void)say(c, "0\r\n\r\n");
}

static void send_for_ever(struct conn *c, size_t piece, long gap_ms)
{
	static const char zeros[8192];
	bool ok = say(c, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
	while (ok && !atomic_load(&c->server->is_stopping)) {
		ok = conn_write(c, zeros, piece);
		if (gap_ms > 0)
			pause_ms(gap_ms);
	}
}

static bool starts(const struct conn *c, const char *path)
{
	const char *at = strchr(c->request, ' ');
	return at != NULL && strncmp(at + 1, path, strlen(path)) == 0;
}

/* Answer one request; false when the connection must be closed. */
static bool answer(struct conn *c)
{
	char head[64];
	if (starts(c, "/hello"))
		return reply(c, "200 OK", "hello", 5);
	if (starts(c, "/echo"))
		return reply(c, "200 OK", c->request, c->len);
	if (starts(c, "/etag"))
		return reply(c, "200 OK\r\nETag: \"abc\"\r\nX-Other: yes", "", 0);
	if (starts(c, "/status/")) {
		(void)snprintf(head, sizeof head, "%.3s Whatever", strstr(c->request, "/status/") + 8);
		return reply(c, head, "", 0);
	}
	if (starts(c, "/to/")) { /* the rest of the target is the URL of the redirect */
		char location[256];
		const char *to = strstr(c->request, "/to/") + 4;
		(void)snprintf(location, sizeof location, "302 Found\r\nLocation: %.*s", (int)strcspn(to, " "), to);
		return reply(c, location, "", 0);
	}
	if (starts(c, "/lines")) {
		send_lines(c);
		return true;
	}
	if (starts(c, "/huge"))
		send_for_ever(c, 8192, 0);
	else if (starts(c, "/trickle"))
		send_for_ever(c, 1, 20);
	else if (starts(c, "/truncated"))
		(void)say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	else if (starts(c, "/garbage"))
		(void)say(c, "SSH-2.0-what\r\n\r\n");
	else if (starts(c, "/silent"))
		hold(c);
	else if (starts(c, "/half-head") && say(c, "HTTP/1.1 200 OK\r\nConte"))
		hold(c);
	return false;
}

static void *serve_connection(void *ctx)
{
	struct conn *c = ctx;
	bool ok = true;
	if (c->server->tls != NULL) {
		c->ssl = SSL_new(c->server->tls);
		ok = c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_accept(c->ssl) == 1;
	}
	while (ok && read_request(c))
		ok = answer(c);
	SSL_free(c->ssl);
	(void)close(c->fd);
	free(c);
	return NULL;
}

static void *serve(void *ctx)
{
	struct tiny_http *server = ctx;
	for (;;) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
		unsigned count = atomic_load(&server->accepted);
		struct conn *c = fd >= 0 && count < CONNECTIONS_MAX ? calloc(1, sizeof *c) : NULL;
		if (c == NULL) {
			if (fd >= 0)
				(void)close(fd);
			return NULL;
		}
		const struct timeval limit = {.tv_sec = 5};
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
		c->server = server;
		c->fd = fd;
		atomic_store(&server->accepted, count + 1); /* before any client is answered, so that tests can count */
		if (pthread_create(&server->workers[count], NULL, serve_connection, c) != 0)
			abort();
	}
}

static int listen_on(const struct tiny_http_spec *spec, uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof in;
	bool is_unix = spec->unix_path != NULL;
	int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (is_unix)
		(void)snprintf(un.sun_path, sizeof un.sun_path, "%s", spec->unix_path);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int rc = is_unix ? bind(fd, (const struct sockaddr *)&un, sizeof un)
			 : bind(fd, (const struct sockaddr *)&in, sizeof in);
	if (rc < 0 || listen(fd, 64) < 0 || (!is_unix && getsockname(fd, (struct sockaddr *)&in, &len) < 0)) {
		(void)close(fd);
		return -1;
	}
	*port = ntohs(in.sin_port);
	return fd;
}

struct tiny_http *tiny_http_start(const struct tiny_http_spec *spec)
{
	struct tiny_http *server = calloc(1, sizeof *server);
	if (server == NULL)
		return NULL;
	server->fd = listen_on(spec, &server->port);
	if (server->fd < 0)
		return NULL;
	if (spec->cert_file != NULL) {
		server->tls = SSL_CTX_new(TLS_server_method());
		if (server->tls == NULL ||
		    SSL_CTX_use_certificate_file(server->tls, spec->cert_file, SSL_FILETYPE_PEM) != 1 ||
		    SSL_CTX_use_PrivateKey_file(server->tls, spec->key_file, SSL_FILETYPE_PEM) != 1)
			return NULL;
	}
	if (pthread_create(&server->thread, NULL, serve, server) != 0)
		return NULL;
	return server;
}

void tiny_http_stop(struct tiny_http **server_ptr)
{
	struct tiny_http *server = *server_ptr;
	atomic_store(&server->is_stopping, true);
	(void)shutdown(server->fd, SHUT_RDWR); /* wakes accept() */
	(void)pthread_join(server->thread, NULL);
	for (unsigned i = 0; i < atomic_load(&server->accepted); i++)
		(void)pthread_join(server->workers[i], NULL);
	(void)close(server->fd);
	SSL_CTX_free(server->tls);
	free(server);
	*server_ptr = NULL;
}

uint16_t tiny_http_port(const struct tiny_http *server)
{
	return server->port;
}

unsigned tiny_http_connections(const struct tiny_http *server)
{
	return atomic_load(&server->accepted);
}

static bool fill_cert(X509 *cert, EVP_PKEY *key, const char *name, long valid_s)
{
	char san[128];
	(void)snprintf(san, sizeof san, "DNS:%s", name);
	X509_NAME *subject = X509_get_subject_name(cert);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	bool ok =
		extension != NULL && X509_set_version(cert, 2) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
		X509_gmtime_adj(X509_getm_notBefore(cert), -86400) != NULL &&
		X509_gmtime_adj(X509_getm_notAfter(cert), valid_s) != NULL &&
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
		X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1 &&
		X509_add_ext(cert, extension, -1) == 1 && X509_sign(cert, key, EVP_sha256()) > 0;
	X509_EXTENSION_free(extension);
	return ok;
}

int tiny_http_make_cert(const char *name, long valid_s, const char *cert_file, const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *cert_out = fopen(cert_file, "w");
	FILE *key_out = fopen(key_file, "w");
	bool ok = key != NULL && cert != NULL && cert_out != NULL && key_out != NULL &&
		  fill_cert(cert, key, name, valid_s) && PEM_write_X509(cert_out, cert) == 1 &&
		  PEM_write_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL) == 1;
	if (cert_out != NULL)
		(void)fclose(cert_out);
	if (key_out != NULL)
		(void)fclose(key_out);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}
