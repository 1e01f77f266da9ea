/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/list_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "probes/agent/jobs.h"

enum { PATH_SIZE = 4096 };
#define LIST_ARENA_BYTES ((size_t)256 * 1024 * 1024)

/* A list that is being written, or will be. */
struct saving {
	struct list_disk *disk;
	char *text;
	size_t len;
	enum veer_err err;
	struct veer_diag diag;
};

struct list_disk {
	struct logger *log;
	struct jobs *jobs;     /* NULL: no new write is begun */
	struct saving *saving; /* the list that is being written, or NULL */
	struct saving *next;   /* the list to write after it, or NULL */
	char path[PATH_SIZE];
};

static void saving_free(struct saving *saving)
{
	if (saving == NULL)
		return;
	free(saving->text);
	free(saving);
}

/* Runs in the thread. The path does not change. */
static void saving_work(void *ctx)
{
	struct saving *saving = ctx;
	saving->err = file_write_atomic(saving->disk->path, saving->text, saving->len, 0600, &saving->diag);
}

static void saving_start(struct list_disk *disk, struct saving *saving);

static void saving_done(void *ctx)
{
	struct saving *saving = ctx;
	struct list_disk *disk = saving->disk;
	if (saving->err != VEER_OK)
		log_warn(disk->log, "assignments not kept", LOG_STR("reason", saving->diag.text));
	saving_free(saving);
	disk->saving = NULL;
	struct saving *next = disk->next;
	disk->next = NULL;
	if (next != NULL && disk->jobs != NULL)
		saving_start(disk, next);
	else
		saving_free(next);
}

static void saving_start(struct list_disk *disk, struct saving *saving)
{
	enum veer_err err = jobs_add(disk->jobs, saving_work, saving_done, saving);
	if (err == VEER_OK) {
		disk->saving = saving;
		return;
	}
	log_warn(disk->log, "assignments not kept", LOG_STR("reason", veer_err_text(err)));
	saving_free(saving);
}

struct list_disk *list_disk_new(struct loop *loop, struct logger *log, const char *state_dir)
{
	struct list_disk *disk = calloc(1, sizeof *disk);
	if (disk == NULL)
		return NULL;
	disk->log = log;
	(void)snprintf(disk->path, sizeof disk->path, "%s/assignments.json", state_dir);
	disk->jobs = jobs_new(loop, 1, 4);
	if (disk->jobs == NULL)
		list_disk_free(&disk);
	return disk;
}

void list_disk_free(struct list_disk **disk_ptr)
{
	struct list_disk *disk = *disk_ptr;
	if (disk == NULL)
		return;
	struct jobs *jobs = disk->jobs;
	disk->jobs = NULL; /* no new write is begun */
	jobs_free(&jobs, true);
	free(disk);
	*disk_ptr = NULL;
}

void list_disk_save(struct list_disk *disk, const char *line, size_t len)
{
	struct saving *saving = calloc(1, sizeof *saving);
	char *text = malloc(len + 1);
	if (saving == NULL || text == NULL) {
		free(saving);
		free(text);
		return;
	}
	memcpy(text, line, len);
	text[len] = '\n';
	*saving = (struct saving){.disk = disk, .text = text, .len = len + 1};
	if (disk->saving == NULL) {
		saving_start(disk, saving);
		return;
	}
	saving_free(disk->next);
	disk->next = saving;
}

bool list_disk_load(const struct list_disk *disk, struct arena **arena, struct assignments *list)
{
	char *text = NULL;
	size_t len = 0;
	struct assign_message message;
	struct veer_diag diag = {""};
	enum veer_err err = file_read(disk->path, ASSIGN_LINE_MAX, &text, &len, &diag);
	if (err == VEER_ENOTFOUND)
		return false;
	*arena = err == VEER_OK ? arena_new(LIST_ARENA_BYTES) : NULL;
	if (err == VEER_OK)
		err = *arena == NULL ? VEER_ENOMEM : assign_line_parse(text, len, *arena, &message, &diag);
	free(text);
	if (err == VEER_OK && message.kind == ASSIGN_LINE_ASSIGNMENTS) {
		*list = message.list;
		return true;
	}
	arena_free(arena);
	log_warn(disk->log, "kept assignments cannot be read", LOG_STR("file", disk->path),
		 LOG_STR("reason", diag.text));
	return false;
}
