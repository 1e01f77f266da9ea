/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/witness.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

enum { LINE_SIZE = 256 };

/* Print one line of a fixed length, so that it can be overwritten in place. */
static int print_line(const struct witness *w, char out[LINE_SIZE])
{
	return snprintf(out, LINE_SIZE,
			"{\"format\":1,\"store_id\":\"%s\",\"lineage\":\"%s\",\"revision\":\"%019lld\"}\n", w->store_id,
			w->lineage, (long long)w->revision);
}

static bool parse_revision(const char *text, int64_t *out)
{
	*out = 0;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || *out > INT64_MAX / 10 - 1)
			return false;
		*out = *out * 10 + (*p - '0');
	}
	return text[0] != '\0';
}

static void read_line(struct witness *w)
{
	char line[LINE_SIZE];
	json_t *json = NULL;
	if (file_read_line(w->path, line, sizeof line, NULL) != VEER_OK ||
	    veer_json_parse(line, strlen(line), sizeof line, &json, NULL) != VEER_OK)
		return;
	const char *store_id = json_string_value(json_object_get(json, "store_id"));
	const char *lineage = json_string_value(json_object_get(json, "lineage"));
	const char *revision = json_string_value(json_object_get(json, "revision"));
	if (history_is_id(store_id) && history_is_id(lineage) && revision != NULL &&
	    parse_revision(revision, &w->revision)) {
		memcpy(w->store_id, store_id, sizeof w->store_id);
		memcpy(w->lineage, lineage, sizeof w->lineage);
	}
	json_decref(json);
}

enum veer_err witness_open(const char *url, struct witness *out, struct veer_diag *diag)
{
	static const char scheme[] = "sqlite:";
	*out = (struct witness){.fd = -1};
	if (strncmp(url, scheme, sizeof scheme - 1) != 0 || url[sizeof scheme - 1] == '\0')
		return veer_fail(diag, VEER_EINVAL, "store \"%s\": must be sqlite:PATH", url);
	const char *database = url + sizeof scheme - 1, *slash = strrchr(database, '/');
	int dir_len = slash != NULL ? (int)(slash - database) + 1 : 0;
	int len = snprintf(out->path, sizeof out->path, "%.*switness-%s", dir_len, database, database + dir_len);
	if (len < 0 || (size_t)len >= sizeof out->path || strlen(database) >= sizeof out->database - 8)
		return veer_fail(diag, VEER_ERANGE, "store: the path is too long");
	memcpy(out->database, database, strlen(database) + 1);
	read_line(out);
	return VEER_OK;
}

void witness_close(struct witness *witness)
{
	if (witness->fd >= 0)
		(void)close(witness->fd);
	witness->fd = -1;
}

/* A write-ahead log without its database is a sign, too. */
bool witness_misses_store(const struct witness *witness)
{
	char wal[WITNESS_PATH_SIZE + 8];
	(void)snprintf(wal, sizeof wal, "%s-wal", witness->database);
	return access(witness->database, F_OK) != 0 && (witness->store_id[0] != '\0' || access(wal, F_OK) == 0);
}

enum history_cause witness_judge(const struct witness *witness, struct store *store)
{
	struct history_ancestry ancestry;
	if (strcmp(witness->store_id, store_id(store)) != 0)
		return HISTORY_START; /* there is no witness, or another store was put here */
	store_ancestry(store, &ancestry);
	/* a start that was killed may have begun a lineage that was not recorded: a newer lineage proves nothing */
	bool is_known = history_find(&ancestry, witness->lineage) < ancestry.count;
	return is_known && witness->revision <= store_revision(store) ? HISTORY_START : HISTORY_REWIND;
}

enum veer_err witness_write(struct witness *witness, struct store *store, struct veer_diag *diag)
{
	char line[LINE_SIZE];
	struct history_ancestry ancestry;
	store_ancestry(store, &ancestry);
	memcpy(witness->store_id, store_id(store), sizeof witness->store_id);
	memcpy(witness->lineage, ancestry.lineages[ancestry.count - 1].id, sizeof witness->lineage);
	witness->revision = store_revision(store);
	witness_close(witness);
	int len = print_line(witness, line);
	enum veer_err err = file_write_atomic(witness->path, line, (size_t)len, 0600, diag);
	if (err == VEER_OK)
		witness->fd = open(witness->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return err;
}

void witness_advance(struct witness *witness, int64_t revision)
{
	char line[LINE_SIZE];
	if (witness->fd < 0 || revision <= witness->revision)
		return;
	witness->revision = revision;
	int len = print_line(witness, line);
	if (pwrite(witness->fd, line, (size_t)len, 0) != len)
		witness_close(witness); /* the witness is outdated then; the next start writes it anew */
}
