/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tls_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define STORES_MAX 64
#define FILE_BYTES_MAX (4 << 20) /* of a bundle; the system's bundle has a quarter of a megabyte */
#define DAY_S 86400
#define SEND_BYTES 2048

/* --- bundles --------------------------------------------------------------------------------------------------- */

/*
 * Read certificates from `bio` into `store` (NULL: only check them). Returns how many, or -1 when one cannot be read.
 */
static int read_bundle(BIO *bio, X509_STORE *store)
{
	int count = 0;
	for (;;) {
		X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (certificate == NULL)
			break;
		bool failed = store != NULL && X509_STORE_add_cert(store, certificate) != 1;
		X509_free(certificate);
		if (failed)
			return -1;
		count++;
	}
	/* OpenSSL reports the end of the text as an error too, with a reason of its own. */
	bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	return is_end ? count : -1;
}

static enum veer_err read_pem(const char *pem, X509_STORE *store, struct veer_diag *diag)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	if (bio == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	ERR_clear_error();
	int count = read_bundle(bio, store);
	BIO_free(bio);
	if (count < 0)
		return veer_fail(diag, VEER_EINVAL, "holds a certificate that cannot be read");
	return count > 0 ? VEER_OK : veer_fail(diag, VEER_EINVAL, "holds no certificate in PEM format");
}

enum veer_err tls_pem_check(const char *pem, struct veer_diag *diag)
{
	return read_pem(pem, NULL, diag);
}

/* --- whom to trust --------------------------------------------------------------------------------------------- */

/* One set of authorities. For a file, `stamp` says which content was read. */
struct trusted {
	X509_STORE *store; /* NULL: a free place */
	char *source;      /* the path, or the PEM text; NULL: the system's */
	bool is_file;
	struct timespec stamp;
	ino_t inode;
	off_t size;
	bool is_young; /* the file had just been written when it was read: it could change again without a difference
			* in its timestamps */
	uint64_t used; /* when it was last asked for, as a count of requests */
};

struct tls_trust {
	struct trusted sets[STORES_MAX];
	uint64_t turn;
};

struct tls_trust *tls_trust_new(void)
{
	return calloc(1, sizeof(struct tls_trust));
}

static void forget(struct trusted *set)
{
	X509_STORE_free(set->store);
	free(set->source);
	*set = (struct trusted){0};
}

void tls_trust_free(struct tls_trust **trust)
{
	if (*trust == NULL)
		return;
	for (size_t i = 0; i < STORES_MAX; i++)
		forget(&(*trust)->sets[i]);
	free(*trust);
	*trust = NULL;
}

/*
 * Read the file's text. The path comes from the author of a check, and the agent's only thread reads it, so a pipe or
 * an endless device would make the agent hang. NULL when it is not a regular file of reasonable size, or cannot be
 * read.
 */
static char *read_file(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_size <= FILE_BYTES_MAX)
		text = malloc((size_t)st->st_size + 1);
	while (text != NULL && len < (size_t)st->st_size) {
		ssize_t got = read(fd, text + len, (size_t)st->st_size - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	if (text != NULL)
		text[len] = '\0';
	(void)close(fd);
	return text;
}

static enum veer_err load_file(const char *path, X509_STORE *store, struct trusted *set, struct veer_diag *diag)
{
	struct stat st;
	char *text = read_file(path, &st);
	BIO *bio = text != NULL ? BIO_new_mem_buf(text, -1) : NULL;
	if (bio == NULL) {
		free(text);
		ERR_clear_error();
		return veer_fail(diag, VEER_EIO, "%.200s is not a readable file of at most %d bytes", path,
				 FILE_BYTES_MAX);
	}
	ERR_clear_error();
	int count = read_bundle(bio, store);
	BIO_free(bio);
	free(text);
	if (count <= 0)
		return veer_fail(diag, VEER_EIO, "%.200s is not a bundle of certificates", path);
	set->stamp = st.st_mtim;
	set->inode = st.st_ino;
	set->size = st.st_size;
	set->is_young = st.st_mtim.tv_sec >= time(NULL) - 1;
	return VEER_OK;
}

static enum veer_err load(struct trusted *set, const char *source, bool is_file, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	struct trusted made = {.store = X509_STORE_new(), .is_file = is_file};
	made.source = source != NULL ? strdup(source) : NULL;
	if (made.store == NULL || (source != NULL && made.source == NULL))
		err = veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	else if (source == NULL)
		err = X509_STORE_set_default_paths(made.store) == 1
			      ? VEER_OK
			      : veer_fail(diag, VEER_EIO, "the system's certificates cannot be found");
	else
		err = is_file ? load_file(source, made.store, &made, diag) : read_pem(source, made.store, diag);
	if (err != VEER_OK) {
		forget(&made);
		return err;
	}
	/*
	 * A bundle may contain an intermediate or a server's own certificate. It is then trusted, even without its
	 * issuer.
	 */
	(void)X509_STORE_set_flags(made.store, X509_V_FLAG_PARTIAL_CHAIN);
	forget(set);
	*set = made;
	return VEER_OK;
}

static bool is_current(const struct trusted *set)
{
	struct stat st;
	if (!set->is_file)
		return true;
	return !set->is_young && stat(set->source, &st) == 0 && st.st_ino == set->inode && st.st_size == set->size &&
	       st.st_mtim.tv_sec == set->stamp.tv_sec && st.st_mtim.tv_nsec == set->stamp.tv_nsec;
}

static bool is_same(const struct trusted *set, const char *source, bool is_file)
{
	if (set->store == NULL || set->is_file != is_file || (set->source == NULL) != (source == NULL))
		return false;
	return source == NULL || strcmp(set->source, source) == 0;
}

enum veer_err tls_trust_store(struct tls_trust *trust, const char *ca_file, const char *pem, X509_STORE **out,
			      struct veer_diag *diag)
{
	const char *source = ca_file != NULL ? ca_file : pem;
	struct trusted *oldest = &trust->sets[0];
	struct trusted *found = NULL;
	for (size_t i = 0; i < STORES_MAX && found == NULL; i++) {
		if (is_same(&trust->sets[i], source, ca_file != NULL))
			found = &trust->sets[i];
		else if (trust->sets[i].used < oldest->used)
			oldest = &trust->sets[i];
	}
	enum veer_err err = VEER_OK;
	if (found == NULL || !is_current(found)) {
		found = found != NULL ? found : oldest;
		err = load(found, source, ca_file != NULL, diag);
	}
	if (err != VEER_OK)
		return err;
	found->used = ++trust->turn;
	*out = found->store;
	return VEER_OK;
}

/* --- peers ----------------------------------------------------------------------------------------------------- */

static void print_name(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	if (bio == NULL)
		return;
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_UTF8_CONVERT) >= 0) {
		long len = BIO_get_mem_data(bio, &text);
		(void)snprintf(out, size, "%.*s", (int)len, text);
	}
	BIO_free(bio);
}

static void note_certificate(struct tls_peer *peer, const X509 *certificate)
{
	struct tm tm;
	peer->is_seen = true;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1)
		peer->not_after_s = (int64_t)timegm(&tm);
	if (!peer->wants_names)
		return;
	print_name(X509_get_subject_name(certificate), peer->subject, sizeof peer->subject);
	print_name(X509_get_issuer_name(certificate), peer->issuer, sizeof peer->issuer);
}

/*
 * Called in place of OpenSSL's own verification. It does the same, uses remembered chains, and notes in the peer what
 * the other side has shown.
 */
static int verify(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *peer = SSL_get_app_data(ssl);
	(void)arg;
	int ok = 0;
	if (peer == NULL)
		return X509_verify_cert(ctx);
	if (peer->chains != NULL)
		ok = tls_chains_verify(peer->chains, ctx, peer);
	else
		ok = X509_verify_cert(ctx);
	const X509 *certificate = X509_STORE_CTX_get0_cert(ctx);
	if (certificate != NULL)
		note_certificate(peer, certificate);
	peer->verify = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	(void)snprintf(peer->version, sizeof peer->version, "%s", SSL_get_version(ssl));
	return ok;
}

SSL_CTX *tls_context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (context == NULL)
		return NULL;
	(void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	/*
	 * The key share sent in the first flight is for the first group, which every TLS 1.3 server supports (RFC 8446
	 * 9.1).
	 */
	(void)SSL_CTX_set1_groups_list(context, "P-256:X25519:X448:P-521:P-384:"
						"ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192");
	/*
	 * SHA-256 is much faster than SHA-384 where the processor has instructions for it, and hashing is a large part
	 * of a handshake.
	 */
	(void)SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
						"TLS_CHACHA20_POLY1305_SHA256");
	/* OpenSSL keeps no sessions itself; each connection's peer says where they are kept. */
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL |
							      SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_new_cb(context, tls_sessions_on_new);
	(void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* One read(2) takes everything that has arrived, instead of two calls for each record. */
	SSL_CTX_set_read_ahead(context, 1);
	/* Requests are small, so the buffer is for records of 2 KiB instead of 16 KiB. */
	(void)SSL_CTX_set_max_send_fragment(context, SEND_BYTES);
	SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	return context;
}

void tls_context_free(SSL_CTX **context)
{
	SSL_CTX_free(*context);
	*context = NULL;
}

void tls_connection_use(SSL *ssl, X509_STORE *store, struct tls_peer *peer)
{
	(void)SSL_set1_verify_cert_store(ssl, store);
	(void)SSL_set_app_data(ssl, peer);
}

int64_t tls_days_left(int64_t not_after_s, int64_t now_s)
{
	int64_t left_s = not_after_s - now_s;
	return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}
