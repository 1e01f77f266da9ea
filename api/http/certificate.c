/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/tls.h"

enum {
	PEM_MAX = 1 << 20,
	LOOK_MS = 10000,
	LOOK_WAITING_MS = 1000,
	DAY_S = 86400,
	WARN_DAYS = 21,
};

enum veer_err certificate_read(const char *cert_path, const char *key_path, struct certificate_pair *out,
			       struct veer_diag *diag)
{
	struct veer_diag why = {""};
	*out = (struct certificate_pair){.cert = NULL};
	(void)stat(cert_path, &out->cert_file);
	(void)stat(key_path, &out->key_file);
	enum veer_err err = file_read(cert_path, PEM_MAX, &out->cert, NULL, diag);
	if (err == VEER_OK)
		err = file_read(key_path, PEM_MAX, &out->key, NULL, diag);
	if (err == VEER_OK)
		err = tls_pair_check(out->cert, out->key, &out->not_after_s, &why);
	if (err == VEER_EINVAL)
		(void)veer_fail(diag, err, "%.200s, %.200s: %s", cert_path, key_path, why.text);
	if (err == VEER_OK)
		out->is_key_loose = (out->key_file.st_mode & S_IRWXO) != 0;
	if (err != VEER_OK)
		certificate_pair_deinit(out);
	return err;
}

void certificate_pair_deinit(struct certificate_pair *pair)
{
	if (pair->key != NULL)
		explicit_bzero(pair->key, strlen(pair->key));
	free(pair->cert);
	free(pair->key);
	*pair = (struct certificate_pair){.cert = NULL};
}

/* --- watching ------------------------------------------------------------------------------------------------ */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Remember the present state of the files; true: they have changed since the last time. */
static bool look_at_files(struct certificate_watch *w)
{
	struct stat cert = {0}, key = {0};
	(void)stat(w->cert_path, &cert);
	(void)stat(w->key_path, &key);
	bool has_changed = !is_same_file(&cert, &w->cert_seen) || !is_same_file(&key, &w->key_seen);
	w->cert_seen = cert;
	w->key_seen = key;
	return has_changed;
}

bool certificate_is_waiting(const struct certificate_watch *watch)
{
	return atomic_load(&watch->is_waiting);
}

bool certificate_days_left(const struct certificate_watch *watch, double *days)
{
	int64_t not_after_s = atomic_load(&watch->not_after_s);
	*days = (double)(not_after_s - (int64_t)time(NULL)) / DAY_S;
	return not_after_s != 0;
}

static void warn_of_end(struct certificate_watch *w)
{
	double days;
	int64_t now_s = (int64_t)time(NULL);
	if (!certificate_days_left(w, &days) || days > WARN_DAYS || now_s - w->warned_s < DAY_S)
		return;
	w->warned_s = now_s;
	if (days < 0)
		log_error(w->log, "the certificate has ended: agents and name servers refuse it",
			  LOG_STR("file", w->cert_path));
	else
		log_warn(w->log, "the certificate ends soon", LOG_STR("file", w->cert_path),
			 LOG_INT("days_left", (int64_t)days));
}

static void note_use(struct certificate_watch *w, const struct certificate_pair *pair)
{
	atomic_store(&w->not_after_s, pair->not_after_s);
	w->has_failed = false;
	w->warned_s = 0;
	if (pair->is_key_loose)
		log_warn(w->log, "everybody on this host may read the key: chmod o-rwx", LOG_STR("file", w->key_path));
	warn_of_end(w);
}

/* Is it the pair that is in use? */
static bool is_in_use(const struct certificate_watch *w, const struct certificate_pair *pair,
		      char hash[CRYPTO_SHA256_HEX_SIZE])
{
	char cert[CRYPTO_SHA256_HEX_SIZE], key[CRYPTO_SHA256_HEX_SIZE], both[2 * CRYPTO_SHA256_HEX_SIZE];
	hash[0] = '\0';
	if (crypto_sha256_hex(pair->cert, strlen(pair->cert), cert) != VEER_OK ||
	    crypto_sha256_hex(pair->key, strlen(pair->key), key) != VEER_OK)
		return false;
	int len = snprintf(both, sizeof both, "%s%s", cert, key);
	return crypto_sha256_hex(both, (size_t)len, hash) == VEER_OK && strcmp(hash, w->used) == 0;
}

static void look(void *ctx);

/* Look often while a good pair waits to be shown. */
static void look_later(struct certificate_watch *w)
{
	(void)loop_timer_set(w->loop, &w->timer, atomic_load(&w->is_waiting) ? LOOK_WAITING_MS : LOOK_MS, look, w);
}

void certificate_watch_reload(struct certificate_watch *watch)
{
	struct certificate_pair pair;
	struct veer_diag diag = {""};
	char hash[CRYPTO_SHA256_HEX_SIZE] = "";
	if (watch->cert_path == NULL)
		return;
	(void)look_at_files(watch);
	enum veer_err err = certificate_read(watch->cert_path, watch->key_path, &pair, &diag);
	bool is_same = err == VEER_OK && is_in_use(watch, &pair, hash);
	enum certificate_use use = err == VEER_OK && !is_same ? watch->use(watch->ctx, &pair) : CERTIFICATE_USED;
	bool was_waiting = atomic_exchange(&watch->is_waiting, use == CERTIFICATE_WAITS);
	if (use == CERTIFICATE_REFUSED)
		err = veer_fail(&diag, VEER_EINVAL, "%.300s: the HTTP server does not take it", watch->cert_path);
	if (use == CERTIFICATE_WAITS) {
		if (!was_waiting)
			log_warn(watch->log,
				 "the new certificate waits: too many connections with older ones are open; those with "
				 "the oldest are cut soon",
				 LOG_STR("file", watch->cert_path));
		look_later(watch);
	} else if (err == VEER_OK) {
		if (!is_same)
			log_notice(watch->log, "the certificate was read", LOG_STR("file", watch->cert_path));
		memcpy(watch->used, hash, sizeof watch->used);
		note_use(watch, &pair);
	} else {
		if (!watch->has_failed)
			log_error(watch->log, "the certificate cannot be used; what was used stays",
				  LOG_STR("why", diag.text));
		watch->has_failed = true;
	}
	certificate_pair_deinit(&pair);
}

/* The two files are written one after the other, so a pair that does not match is tried again. */
static void look(void *ctx)
{
	struct certificate_watch *w = ctx;
	if (look_at_files(w) || w->has_failed || atomic_load(&w->is_waiting))
		certificate_watch_reload(w);
	warn_of_end(w);
	look_later(w);
}

void certificate_watch_start(struct certificate_watch *watch, const struct certificate_pair *pair)
{
	if (watch->cert_path == NULL)
		return;
	/* without a pair, the first look finds the files changed */
	if (pair != NULL) {
		watch->cert_seen = pair->cert_file;
		watch->key_seen = pair->key_file;
		(void)is_in_use(watch, pair, watch->used);
		note_use(watch, pair);
	}
	look_later(watch);
}

void certificate_watch_stop(struct certificate_watch *watch)
{
	if (watch->cert_path != NULL)
		loop_timer_cancel(watch->loop, &watch->timer);
}
