/* SPDX-License-Identifier: Apache-2.0 */
/* $ORIGIN, $TTL and $INCLUDE, and the lines of a file. See zonefile_impl.h. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zones/dns/rdata_text.h"
#include "zones/dns/zonefile_impl.h"

/* Cut the next word from `*text`; NULL when there is none. */
static char *next_word(char **text)
{
	char *start = *text + strspn(*text, " \t");
	size_t len = strcspn(start, " \t");
	if (len == 0)
		return NULL;
	*text = start + len;
	if (**text != '\0')
		*(*text)++ = '\0';
	return start;
}

/* Parse a name, completed by the present origin, into `out`. */
static enum veer_err parse_origin(const struct source *s, const char *text, uint8_t *out)
{
	size_t len;
	struct veer_diag detail;
	if (text[0] == '"')
		return zonefile_fail_here(s, VEER_EINVAL, "only text may stand in quotation marks, no name");
	enum veer_err err = name_parse(text, strlen(text), s->origin, out, &len, &detail);
	return err == VEER_OK ? VEER_OK : zonefile_fail_here(s, err, detail.text);
}

static enum veer_err take_ttl(struct source *s, const char *text)
{
	uint32_t ttl;
	if (!rdata_period(text, strlen(text), RRSET_TTL_MAX, &ttl))
		return zonefile_fail_here(s, VEER_EINVAL, "$TTL needs a number of seconds up to 2147483647");
	s->reading->ttl = ttl;
	return VEER_OK;
}

enum veer_err zonefile_new_file(struct zonefile *zf, const char *path, unsigned *file)
{
	if (zf->file_count >= ZONEFILE_FILES_MAX)
		return VEER_ELIMIT;
	zf->paths[zf->file_count] = arena_strdup(zf->arena, path);
	if (zf->paths[zf->file_count] == NULL)
		return VEER_ENOMEM;
	*file = zf->file_count++;
	return VEER_OK;
}

/* Is `name` a relative path without ".."? */
static bool is_plain_path(const char *name)
{
	if (name[0] == '/' || name[0] == '\0')
		return false;
	for (const char *part = name; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return false;
	}
	return true;
}

/* Open a regular file that really lies within the zone file's directory. */
static enum veer_err open_included(const struct source *s, const char *name, char *real, int *out)
{
	const char *directory = s->reading->directory;
	char path[PATH_MAX];
	struct stat st;
	if (directory == NULL)
		return zonefile_fail_here(s, VEER_EINVAL, "$INCLUDE is not possible here");
	if (!is_plain_path(name))
		return zonefile_fail_here(s, VEER_EINVAL, "$INCLUDE takes a path within the zone file's directory");
	int n = snprintf(path, sizeof path, "%s/%s", directory, name);
	if (n < 0 || (size_t)n >= sizeof path || realpath(path, real) == NULL)
		return zonefile_fail_here(s, VEER_ENOTFOUND, "the file to include cannot be found");
	size_t len = strlen(directory);
	if (strncmp(real, directory, len) != 0 || (real[len] != '/' && strcmp(directory, "/") != 0))
		return zonefile_fail_here(s, VEER_EINVAL, "$INCLUDE leads out of the zone file's directory");
	int fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			(void)close(fd);
		return zonefile_fail_here(s, VEER_EIO, "the file to include cannot be opened");
	}
	*out = fd;
	return VEER_OK;
}

static enum veer_err take_include(struct source *s, const char *name, const char *origin_text)
{
	char real[PATH_MAX];
	unsigned file = 0;
	int fd = -1;
	uint8_t origin[NAME_WIRE_MAX];
	if (s->depth + 1 >= ZONEFILE_DEPTH_MAX)
		return zonefile_fail_here(s, VEER_ELIMIT, "$INCLUDE is nested too deep");
	enum veer_err err = parse_origin(s, origin_text != NULL ? origin_text : "@", origin);
	if (err != VEER_OK)
		return err;
	err = open_included(s, name, real, &fd);
	if (err == VEER_OK) {
		err = zonefile_new_file(s->reading->zf, real, &file);
		if (err == VEER_ELIMIT)
			err = zonefile_fail_here(s, err, "too many included files");
	}
	if (err == VEER_OK)
		err = zonefile_read_source(s->reading, fd, NULL, 0, file, s->depth + 1, origin);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

/* Handle a directive. `rest` is a copy of the line, because errors show the original line. */
static enum veer_err take_directive(struct source *s, char *rest)
{
	const char *word = next_word(&rest);
	const char *first = next_word(&rest);
	const char *second = next_word(&rest);
	bool is_include = strcasecmp(word, "$INCLUDE") == 0;
	if (strcasecmp(word, "$TTL") != 0 && strcasecmp(word, "$ORIGIN") != 0 && !is_include)
		return zonefile_fail_here(s, VEER_EINVAL, "unknown directive; known are $ORIGIN, $TTL and $INCLUDE");
	if (first == NULL)
		return zonefile_fail_here(s, VEER_EINVAL, "a directive needs a value");
	if (next_word(&rest) != NULL || (second != NULL && !is_include))
		return zonefile_fail_here(s, VEER_EINVAL, "a directive has too many values");
	if (strcasecmp(word, "$TTL") == 0)
		return take_ttl(s, first);
	if (is_include)
		return take_include(s, first, second);
	return parse_origin(s, first, s->origin);
}

enum veer_err zonefile_parse_directive(struct source *s)
{
	char *line = strdup(s->lines.text.data);
	enum veer_err err = line != NULL ? take_directive(s, line) : VEER_ENOMEM;
	free(line);
	return err;
}

static enum veer_err read_lines(struct source *s)
{
	struct veer_diag detail = {.text = ""};
	for (;;) {
		enum veer_err err = line_reader_next(&s->lines, &detail);
		if (err == VEER_ENOTFOUND)
			return VEER_OK;
		if (err != VEER_OK)
			return zonefile_fail_here(s, err, detail.text[0] != '\0' ? detail.text : veer_err_text(err));
		err = s->lines.text.data[0] == '$' ? zonefile_parse_directive(s) : zonefile_parse_record(s);
		if (err != VEER_OK)
			return err;
	}
}

enum veer_err zonefile_read_source(struct reading *r, int fd, const char *data, size_t len, unsigned file,
				   unsigned depth, const uint8_t *origin)
{
	struct source s = {.reading = r, .file = file, .depth = depth};
	enum veer_err err = line_reader_init(&s.lines, fd, data, len);
	memcpy(s.origin, origin, name_len(origin));
	if (err == VEER_OK)
		err = read_lines(&s);
	line_reader_deinit(&s.lines);
	return err;
}
