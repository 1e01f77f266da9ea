/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: the whole store as one file. The API sends it; a command restores it (api/store_tools.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/http/stream.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"

/* A file that is already unlinked, sent from its beginning to its end. */
struct backup_source {
	struct api_stream_source source; /* must be first */
	int fd;
	off_t pos;
};

static void backup_open(struct api_stream_source *self, struct api_stream *stream)
{
	(void)self;
	(void)stream;
}

static ssize_t backup_pull(struct api_stream_source *self, char *out, size_t size)
{
	struct backup_source *s = (struct backup_source *)self;
	ssize_t n = pread(s->fd, out, size, s->pos);
	s->pos += n > 0 ? n : 0;
	return n > 0 ? n : n == 0 ? -1 : API_STREAM_BROKEN;
}

static void backup_close(struct api_stream_source *self)
{
	struct backup_source *s = (struct backup_source *)self;
	(void)close(s->fd);
	free(s);
}

/* Copy the store into a new file in its directory. Returns the descriptor, or -1 with the error. */
static int make_copy(struct api *api, enum veer_err *err)
{
	char path[WITNESS_PATH_SIZE + 16];
	(void)snprintf(path, sizeof path, "%s.backup-XXXXXX", api->control.witness.database);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		*err = veer_err_from_errno(errno);
		return -1;
	}
	*err = store_backup(api->control.store, path);
	(void)unlink(path);
	if (*err == VEER_OK)
		return fd;
	(void)close(fd);
	return -1;
}

void handle_backup(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum veer_err err = VEER_OK;
	struct backup_source *s = calloc(1, sizeof *s);
	int fd = s != NULL ? make_copy(api, &err) : -1;
	if (fd < 0) {
		free(s);
		api_problem_err(reply, s != NULL ? err : VEER_ENOMEM);
		return;
	}
	*s = (struct backup_source){.source = {backup_open, backup_pull, backup_close}, .fd = fd};
	log_notice(api->control.log, "a backup is read", LOG_STR("by", api_principal_name(api, request)));
	reply->content_type = "application/vnd.sqlite3";
	reply->source = &s->source;
}
