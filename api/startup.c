/* SPDX-License-Identifier: Apache-2.0 */
/* See startup.h. */
#include "api/startup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/file.h"

enum { PEM_MAX = 1 << 20 };

static enum veer_err read_pems(struct startup *s, const struct startup_wishes *w, struct veer_diag *diag)
{
	if ((w->tls_cert == NULL) != (w->tls_key == NULL))
		return veer_fail(diag, VEER_EINVAL, "--tls-cert and --tls-key go together");
	enum veer_err err = w->tls_cert != NULL ? file_read(w->tls_cert, PEM_MAX, &s->cert, NULL, diag) : VEER_OK;
	return err == VEER_OK && w->tls_key != NULL ? file_read(w->tls_key, PEM_MAX, &s->key, NULL, diag) : err;
}

/* What the server would refuse is left to it; Unix sockets are to be the user's, and are opened as that user. */
static enum veer_err bind_all(struct startup *s, const struct args_list *listen, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < listen->count && i < API_LISTENERS_MAX && err == VEER_OK; i++) {
		struct veer_listen at;
		s->fds[s->count++] = -1;
		if (veer_listen_parse_http(listen->items[i], &at, NULL) != VEER_OK || at.is_unix ||
		    (!veer_listen_is_local(&at) && s->cert == NULL))
			continue;
		err = api_server_bind(listen->items[i], &s->fds[i], diag);
	}
	return err;
}

enum veer_err startup_open(struct startup *s, const struct startup_wishes *w, struct logger *log,
			   struct veer_diag *diag)
{
	struct privilege_user user;
	if (s->is_done)
		return VEER_OK;
	enum veer_err err = privilege_find(w->names, &user, diag);
	if (err == VEER_OK)
		err = privilege_look_up(w->feed_user, "--feed-user", &s->feed_user, diag);
	if (err == VEER_OK)
		err = read_pems(s, w, diag);
	if (err == VEER_OK)
		err = bind_all(s, w->listen, diag);
	if (err == VEER_OK)
		err = privilege_give_dir(w->dir, &user, diag);
	if (err == VEER_OK)
		err = privilege_drop(&user, PRIVILEGE_NONE, diag);
	if (err == VEER_OK)
		privilege_seal(log);
	s->is_done = err == VEER_OK;
	return err;
}

void startup_close(struct startup *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->fds[i] >= 0)
			(void)close(s->fds[i]);
	if (s->key != NULL)
		explicit_bzero(s->key, strlen(s->key));
	free(s->cert);
	free(s->key);
	*s = (struct startup){.is_done = false};
}
