/* SPDX-License-Identifier: Apache-2.0 */
/* The programs' own tables of options. See service_options.h. */
#include "api/cli/service_options.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

enum { DEADLINE_MS = 2000, STEP_NS = 5000000, TABLE_BYTES = 256 << 10, TEXT_BYTES = 1023, PATH_BYTES = 2048 };

static bool is_among(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static int64_t now_ms(void)
{
	return veer_clock_monotonic_ms(veer_clock_system());
}

/* Read everything until the other end is closed. */
static enum veer_err read_all(int fd, int64_t end_ms, struct buf *out)
{
	for (;;) {
		char chunk[4096];
		int64_t left_ms = end_ms - now_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int ready = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
		if (ready == 0)
			return VEER_ETIMEOUT;
		ssize_t len = ready > 0 ? read(fd, chunk, sizeof chunk) : -1;
		if (len == 0)
			return out->failed ? VEER_ELIMIT : VEER_OK;
		if (len < 0 && errno != EINTR)
			return VEER_EIO;
		if (len > 0)
			buf_append(out, chunk, (size_t)len);
		if (out->failed)
			return VEER_ELIMIT;
	}
}

/* Start the program with its standard output in a pipe. Returns the reading end, or -1. */
static int start(const char *path, pid_t *pid)
{
	char *const argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t) "--describe-options", NULL};
	char *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	int failed = posix_spawn_file_actions_init(&actions);
	if (failed == 0) {
		failed = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		if (failed == 0)
			failed = posix_spawn(pid, path, &actions, NULL, argv, environment);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(ends[1]);
	if (failed == 0)
		return ends[0];
	(void)close(ends[0]);
	errno = failed;
	return -1;
}

/* Wait until the program has ended, but not beyond the deadline: then it is killed. */
static void reap(pid_t pid, int64_t end_ms)
{
	const struct timespec pause = {.tv_nsec = STEP_NS};
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() >= end_ms)
			(void)kill(pid, SIGKILL);
		(void)nanosleep(&pause, NULL);
	}
}

static enum veer_err ask(const char *path, json_t **table, struct veer_diag *diag)
{
	struct buf said;
	pid_t pid = -1;
	int64_t end_ms = now_ms() + DEADLINE_MS;
	int fd = start(path, &pid);
	if (fd < 0)
		return veer_fail(diag, VEER_EIO, "%s cannot be started: %s", path, strerror(errno));
	buf_init(&said, TABLE_BYTES);
	enum veer_err err = read_all(fd, end_ms, &said);
	(void)close(fd);
	reap(pid, err == VEER_OK ? end_ms : 0);
	if (err == VEER_OK)
		err = veer_json_parse(said.data, said.len, TABLE_BYTES, table, NULL);
	buf_deinit(&said);
	if (err == VEER_OK && json_is_array(*table))
		return VEER_OK;
	return veer_fail(diag, err == VEER_OK ? VEER_EINVAL : err,
			 "%s does not say which options it takes: is it of the same version as this program?", path);
}

/* The option "tls-cert" is the key "tls_cert". */
static char *key_of(const char *option, struct arena *arena)
{
	char *key = arena_strdup(arena, option);
	for (char *c = key; c != NULL && *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	return key;
}

static const char *const *names_of(const json_t *row, struct arena *arena)
{
	const json_t *list = json_object_get(row, "names");
	const char **names = arena_calloc(arena, json_array_size(list) + 1, sizeof *names);
	for (size_t i = 0; names != NULL && i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		names[i] = arena_strdup(arena, name != NULL ? name : "");
	}
	return names;
}

static void read_row(const json_t *row, const char *key, struct arena *arena, struct config_field *out)
{
	const char *kind = json_string_value(json_object_get(row, "kind"));
	*out = (struct config_field){.key = key, .type = CONFIG_STRING, .min = 1, .max = TEXT_BYTES};
	if (kind == NULL || strcmp(kind, "string") == 0)
		return;
	*out = (struct config_field){.key = key,
				     .min = json_integer_value(json_object_get(row, "min")),
				     .max = json_integer_value(json_object_get(row, "max"))};
	out->type = strcmp(kind, "int") == 0    ? CONFIG_INTEGER
		    : strcmp(kind, "list") == 0 ? CONFIG_STRINGS
		    : strcmp(kind, "enum") == 0 ? CONFIG_ENUM
						: CONFIG_BOOL;
	if (out->type == CONFIG_ENUM)
		out->names = names_of(row, arena);
}

static bool fill(const json_t *table, const struct service_section *section, struct arena *arena,
		 struct config_field *fields, size_t *count)
{
	size_t i;
	json_t *row;
	json_array_foreach((json_t *)(uintptr_t)table, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		if (name == NULL || is_among(section->own, name))
			continue;
		char *key = key_of(name, arena);
		if (key == NULL)
			return false;
		read_row(row, key, arena, &fields[*count]);
		if (fields[*count].type == CONFIG_ENUM && fields[*count].names == NULL)
			return false;
		(*count)++;
	}
	for (const char *const *more = section->more; *more != NULL; more++)
		fields[(*count)++] =
			(struct config_field){.key = *more, .type = CONFIG_STRING, .min = 1, .max = TEXT_BYTES};
	for (i = 0; i < *count; i++) {
		fields[i].required = is_among(section->required, fields[i].key);
		if (fields[i].required && fields[i].type == CONFIG_STRINGS)
			fields[i].min = 1;
	}
	return true;
}

enum veer_err service_options_ask(const char *directory, const struct service_section *section, struct arena *arena,
				  struct config_schema *out, struct veer_diag *diag)
{
	char path[PATH_BYTES];
	json_t *table = NULL;
	size_t count = 0;
	(void)snprintf(path, sizeof path, "%s/%s", directory, section->program);
	enum veer_err err = ask(path, &table, diag);
	for (const char *const *more = section->more; *more != NULL; more++)
		count++;
	struct config_field *fields =
		err == VEER_OK ? arena_calloc(arena, json_array_size(table) + count, sizeof *fields) : NULL;
	*out = (struct config_schema){.fields = fields};
	if (err == VEER_OK && (fields == NULL || !fill(table, section, arena, fields, &out->count)))
		err = veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	json_decref(table);
	return err;
}

enum veer_err service_options_open(const struct service_section *section, struct arena *arena,
				   struct config_schema *out)
{
	size_t count = 0;
	while (section->required[count] != NULL)
		count++;
	struct config_field *fields = arena_calloc(arena, count + 1, sizeof *fields);
	if (fields == NULL)
		return VEER_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		bool is_list = strcmp(section->required[i], "listen") == 0;
		fields[i] = (struct config_field){.key = section->required[i],
						  .type = is_list ? CONFIG_STRINGS : CONFIG_STRING,
						  .required = true,
						  .min = 1,
						  .max = TEXT_BYTES};
	}
	*out = (struct config_schema){.fields = fields, .count = count, .is_open = true};
	return VEER_OK;
}
