/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: the whole store as one file, out by the API and in by a command. */
#include "api/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/stream.h"
#include "base/args.h"
#include "zones/store/restore.h"

/* A file without a name, sent from its beginning to its end. */
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
	return n > 0 ? n : -1;
}

static void backup_close(struct api_stream_source *self)
{
	struct backup_source *s = (struct backup_source *)self;
	(void)close(s->fd);
	free(s);
}

/* The store in a new file beside it. The descriptor, or -1 with the error. */
static int make_copy(struct api *api, enum veer_err *err)
{
	char path[WITNESS_PATH_SIZE + 16];
	(void)snprintf(path, sizeof path, "%s.backup-XXXXXX", api->witness.database);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		*err = veer_err_from_errno(errno);
		return -1;
	}
	*err = store_backup(api->store, path);
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
	log_notice(api->log, "a backup is read", LOG_STR("by", api_principal_name(api, request)));
	reply->content_type = "application/vnd.sqlite3";
	reply->source = &s->source;
}

/* --- restore ------------------------------------------------------------------------------------------------- */

static void say_loss(const struct restore_loss *loss)
{
	(void)printf("The store is now what it was at revision %lld; its id is %s.\n", (long long)loss->backup_revision,
		     loss->store_id);
	if (loss->kept[0] != '\0')
		(void)printf("What was there is kept as %s.\n", loss->kept);
	if (!loss->is_known) {
		if (loss->kept[0] != '\0')
			(void)printf("It cannot be read, so nobody knows what is lost.\n");
		return;
	}
	(void)printf("It was at revision %lld. Of its objects %llu are lost and %llu are older; %llu that had been "
		     "deleted are back.\n",
		     (long long)loss->store_revision, (unsigned long long)loss->lost, (unsigned long long)loss->older,
		     (unsigned long long)loss->back);
	for (size_t i = 0; i < loss->key_count; i++)
		(void)printf("  %s\n", loss->keys[i]);
	if (loss->lost + loss->older + loss->back > loss->key_count)
		(void)printf("  …\n");
}

static int restore(const char *url, const char *file, bool is_copy)
{
	struct veer_diag diag = {""};
	struct witness witness;
	struct store *store = NULL;
	struct restore_loss *loss = calloc(1, sizeof *loss);
	enum veer_err err = loss != NULL ? witness_open(url, &witness, &diag) : VEER_ENOMEM;
	if (err == VEER_OK)
		err = store_restore(url, file, is_copy ? HISTORY_COPY : HISTORY_RESTORE, loss, &diag);
	if (err == VEER_OK)
		say_loss(loss);
	free(loss);
	if (err == VEER_OK)
		err = store_open(url, &store, &diag);
	if (err == VEER_OK)
		err = witness_write(&witness, store, &diag);
	store_close(&store);
	if (err == VEER_OK) {
		witness_close(&witness);
		return 0;
	}
	(void)fprintf(stderr, "veer-api: %s\n", diag.text[0] != '\0' ? diag.text : veer_err_text(err));
	return 2;
}

int backup_restore(int argc, char *argv[], int first)
{
	const char *url = NULL;
	bool is_copy = false;
	const struct args_option options[] = {
		{.name = "store",
		 .kind = ARGS_STRING,
		 .target = &url,
		 .value = "sqlite:PATH",
		 .required = true,
		 .help = "the store to be replaced"},
		{.name = "copy",
		 .kind = ARGS_FLAG,
		 .target = &is_copy,
		 .help = "another store beside the one that the backup is of, which lives on"},
	};
	const struct args_spec spec = {.usage = "veer-api restore FILE --store sqlite:PATH [--copy]",
				       .summary = "Puts a backup in the store's place while no veer-api runs, and says "
						  "what is lost.",
				       .options = options,
				       .option_count = sizeof options / sizeof options[0],
				       .positional_min = 1,
				       .positional_max = 1};
	struct args args = {0};
	struct veer_diag diag = {""};
	int code = 2;
	enum veer_err err = args_parse(&args, &spec, argc, argv, first, &diag);
	if (err == VEER_OK && args.wants_help) {
		struct buf help;
		buf_init(&help, 65536);
		args_help(&spec, &help);
		(void)fputs(help.data, stdout);
		buf_deinit(&help);
		code = 0;
	} else if (err == VEER_OK && (err = args_check_required(&args, &diag)) == VEER_OK) {
		code = restore(url, args.positional.items[0], is_copy);
	}
	if (err != VEER_OK)
		(void)fprintf(stderr, "veer-api: %s\n", diag.text);
	args_deinit(&args);
	return code;
}
