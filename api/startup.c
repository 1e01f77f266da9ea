/* SPDX-License-Identifier: Apache-2.0 */
/* See startup.h. */
#include "api/startup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"

static bool has_unix(const struct args_list *listen)
{
	for (size_t i = 0; i < listen->count; i++)
		if (strncmp(listen->items[i], "unix:", 5) == 0)
			return true;
	return false;
}

/* When the certificate is missing or bad, TCP waits for a better one, and the Unix socket is served meanwhile. */
static enum veer_err read_pems(struct startup *s, const struct startup_wishes *w, struct logger *log,
			       struct veer_diag *diag)
{
	struct veer_diag why = {""};
	if ((w->tls_cert == NULL) != (w->tls_key == NULL))
		return veer_fail(diag, VEER_EINVAL, "--tls-cert and --tls-key go together");
	enum veer_err err = w->tls_cert != NULL ? certificate_read(w->tls_cert, w->tls_key, &s->pair, &why) : VEER_OK;
	if (err != VEER_OK && !has_unix(w->listen))
		return veer_fail(diag, err, "%s", why.text);
	if (err != VEER_OK)
		log_error(log, "the certificate cannot be used: TCP waits for a better one", LOG_STR("why", why.text));
	return VEER_OK;
}

/*
 * Addresses that the server would refuse are left to it. Unix sockets must belong to the user, so they are opened
 * later, as that user.
 */
static enum veer_err bind_all(struct startup *s, const struct args_list *listen, bool wants_tls, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < listen->count && i < API_LISTENERS_MAX && err == VEER_OK; i++) {
		struct veer_listen at;
		s->fds[s->count++] = -1;
		if (veer_listen_parse_http(listen->items[i], &at, NULL) != VEER_OK || at.is_unix ||
		    (!veer_listen_is_local(&at) && !wants_tls))
			continue;
		err = api_server_bind(listen->items[i], &s->fds[i], diag);
	}
	return err;
}

enum veer_err startup_open(struct startup *startup, const struct startup_wishes *wishes, struct logger *log,
			   struct veer_diag *diag)
{
	struct privilege_user user;
	if (startup->is_done)
		return VEER_OK;
	enum veer_err err = privilege_find(wishes->names, &user, diag);
	if (err == VEER_OK)
		err = privilege_look_up(wishes->feed_user, "--feed-user", &startup->feed_user, diag);
	if (err == VEER_OK)
		err = read_pems(startup, wishes, log, diag);
	if (err == VEER_OK)
		err = bind_all(startup, wishes->listen, wishes->tls_cert != NULL, diag);
	if (err == VEER_OK)
		err = privilege_give_dir(wishes->dir, &user, diag);
	if (err == VEER_OK)
		err = privilege_drop(&user, PRIVILEGE_NONE, diag);
	if (err == VEER_OK)
		privilege_seal(log);
	startup->is_done = err == VEER_OK;
	return err;
}

void startup_close(struct startup *startup)
{
	for (size_t i = 0; i < startup->count; i++)
		if (startup->fds[i] >= 0)
			(void)close(startup->fds[i]);
	certificate_pair_deinit(&startup->pair);
	*startup = (struct startup){.is_done = false};
}
