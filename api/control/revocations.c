/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/revocations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/control/change.h"
#include "base/file.h"

enum { FILE_MAX = 64 << 20, ARENA_BYTES = 1 << 20 };

static const enum model_kind kinds[] = {MODEL_KIND_AGENT, MODEL_KIND_NAMESERVER, MODEL_KIND_TOKEN};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* The file is beside the witness. */
static void path_of(const struct control *control, char out[WITNESS_PATH_SIZE])
{
	const char *witness = control->witness.path, *slash = strrchr(witness, '/');
	int dir_len = slash != NULL ? (int)(slash - witness) + 1 : 0;
	(void)snprintf(out, WITNESS_PATH_SIZE, "%.*srevoked-%s", dir_len, witness,
		       witness + dir_len + sizeof "witness-" - 1);
}

void revocations_note(struct control *control, enum model_kind kind, const char *id)
{
	char path[WITNESS_PATH_SIZE], line[STORE_KEY_MAX + 64];
	if (control->witness.path[0] == '\0')
		return;
	path_of(control, path);
	int len = snprintf(line, sizeof line, "%s %.*s\n", model_kind_text(kind), STORE_KEY_MAX, id);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && file_write_all(fd, line, (size_t)len) == VEER_OK && fdatasync(fd) == 0;
	if (!ok)
		log_error(control->log, "a revocation cannot be kept beside the store", LOG_STR("path", path),
			  LOG_STR("why", strerror(errno)));
	if (fd >= 0)
		(void)close(fd);
}

/* Revoke the identity; an identity that is not enrolled needs nothing. */
static enum veer_err revoke_identity(struct control *control, const struct store_object *object)
{
	json_t *json = NULL;
	int64_t revision;
	enum veer_err err = veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, &json, NULL);
	const char *state = json_string_value(json_object_get(json, "state"));
	if (err != VEER_OK || (state != NULL && strcmp(state, "revoked") == 0)) {
		json_decref(json);
		return VEER_OK;
	}
	(void)json_object_set_new(json, "state", json_string("revoked"));
	(void)json_object_set_new(json, "revoked_s", json_integer(veer_clock_wall_ns(control->clock) / 1000000000));
	char *text = veer_json_dump(json);
	json_decref(json);
	if (text == NULL)
		return VEER_ENOMEM;
	struct store_op op = {.op = STORE_PUT,
			      .kind = object->kind,
			      .key = object->key,
			      .value = text,
			      .value_len = strlen(text),
			      .expect = STORE_ANY};
	err = change_commit(control->store, &op, 1, CHANGE_URGENT, &revision);
	free(text);
	if (err == VEER_OK)
		log_notice(control->log, "revoked again: the store was put back from before",
			   LOG_STR("id", object->key));
	return err;
}

static enum veer_err revoke_one(struct control *control, enum model_kind kind, const char *id, struct arena *arena)
{
	struct store_object object;
	int64_t revision;
	enum veer_err err = store_get(control->store, kind, id, arena, &object);
	if (err == VEER_ENOTFOUND)
		return VEER_OK;
	if (err != VEER_OK || kind != MODEL_KIND_TOKEN)
		return err == VEER_OK ? revoke_identity(control, &object) : err;
	struct store_op op = {.op = STORE_DEL, .kind = kind, .key = id, .expect = STORE_ANY};
	err = change_commit(control->store, &op, 1, CHANGE_URGENT, &revision);
	if (err == VEER_OK)
		log_notice(control->log, "removed again: the store was put back from before", LOG_STR("token", id));
	return err;
}

static enum veer_err take_line(struct control *control, char *line, struct arena *arena)
{
	char *space = strchr(line, ' ');
	if (space == NULL)
		return VEER_OK; /* the line was cut short by a crash */
	*space = '\0';
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(line, model_kind_text(kinds[i])) == 0)
			return revoke_one(control, kinds[i], space + 1, arena);
	return VEER_OK;
}

enum veer_err revocations_apply(struct control *control)
{
	char path[WITNESS_PATH_SIZE], *text = NULL;
	size_t len = 0;
	path_of(control, path);
	enum veer_err err = file_read(path, FILE_MAX, &text, &len, NULL);
	if (err != VEER_OK)
		return err == VEER_ENOTFOUND ? VEER_OK : err;
	struct arena *arena = arena_new(ARENA_BYTES);
	err = arena != NULL ? VEER_OK : VEER_ENOMEM;
	for (char *line = text, *end; err == VEER_OK && (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		err = take_line(control, line, arena);
		arena_reset(arena);
	}
	arena_free(&arena);
	free(text);
	return err;
}
