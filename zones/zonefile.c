/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone files. Records are kept in an arena, in a list for each owner; owners are in a trie, which brings them into
 * canonical order and finds the owner of the next record as fast as names are looked up. See zonefile.h.
 */
#include "zones/zonefile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "zones/rdata_text.h"
#include "zones/trie.h"
#include "zones/zonefile_lines.h"

#define MEMORY_MAX ((size_t)64 << 30)
#define TTL_UNSTATED UINT32_C(0xfffffff3) /* no TTL can be that (RFC 2181 8) */
#define OWNER_RECORDS_MAX 16384           /* at one name: bounds the work of grouping them */
#define OWNER_TYPES_MAX 256               /* at one name: each is searched in order */
#define SINGLES 3                         /* types that stand once at a name */
#define TTL_FALLBACK 3600                 /* nothing says anything, not even an SOA */
#define SHOWN_MAX 120                     /* bytes of a record's text in an error */

/* One record, in the order of the file. */
struct record {
	struct record *next; /* of the same owner */
	uint32_t ttl;
	uint32_t line;
	uint16_t file; /* index of `paths` */
	uint16_t type;
	uint16_t len;
	uint8_t rdata[];
};

/* An owner with its records. */
struct owner {
	struct record *first;
	struct record *last;
	uint32_t count : 31;
	uint32_t has_written : 1;
	uint8_t name[]; /* in lower case; with has_written the same as it was written first follows */
};

struct zonefile {
	struct arena *arena;
	struct retire_list retired; /* of the trie; stays empty in one transaction */
	struct trie owners;
	size_t record_count;
	const char *paths[ZONEFILE_FILES_MAX];
	unsigned file_count;
	uint8_t origin[NAME_WIRE_MAX];
};

/* What reading carries from line to line; $INCLUDE starts with a copy. */
struct reading {
	struct zonefile *zf;
	char *directory;   /* real path that $INCLUDE may not leave; NULL: $INCLUDE is refused */
	uint8_t *rdata;    /* scratch of RDATA_MAX bytes */
	uint32_t last_ttl; /* stated last, or TTL_UNSTATED */
	uint32_t ttl;      /* $TTL, or TTL_UNSTATED */
	uint32_t minimum;  /* the SOA's, or TTL_UNSTATED */
	struct veer_diag *diag;
};

/* One file being read. */
struct source {
	struct reading *reading;
	struct line_reader lines;
	unsigned file; /* index of zf->paths */
	unsigned depth;
	uint8_t origin[NAME_WIRE_MAX];
	uint8_t owner[NAME_WIRE_MAX];   /* of the record at hand; a line that begins with a blank has the one before */
	uint8_t written[NAME_WIRE_MAX]; /* the same before it was brought into lower case */
	size_t owner_len;               /* 0: none yet */
};

static const uint8_t *written_name(const struct owner *owner)
{
	return owner->has_written ? owner->name + name_len(owner->name) : owner->name;
}

/* Text for an error: what is no printable ASCII as \DDD, and no more than SHOWN_MAX bytes of it. */
static void show_text(const char *text, char *out, size_t size)
{
	size_t len = 0;
	for (; *text != '\0' && len < SHOWN_MAX && len + 8 < size; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= ' ' && c < 0x7f)
			out[len++] = (char)c;
		else
			len += (size_t)snprintf(out + len, size - len, "\\%03u", c);
	}
	(void)snprintf(out + len, size - len, "%s", *text != '\0' ? "..." : "");
}

/* FILE:LINE: what is wrong, and the text that it is wrong with. */
static enum veer_err fail_here(const struct source *s, enum veer_err err, const char *what)
{
	char shown[SHOWN_MAX + 16];
	const char *text = s->lines.text.data;
	while (*text == ' ')
		text++;
	show_text(text, shown, sizeof shown);
	return veer_fail(s->reading->diag, err, "%s:%u: %s%s%s", s->reading->zf->paths[s->file], s->lines.first_line,
			 what, shown[0] != '\0' ? ": " : "", shown);
}

/* The same for a record that was read before: its text is gone, so its name and type stand for it. */
static enum veer_err fail_at(const struct zonefile *zf, const struct owner *owner, const struct record *r,
			     enum veer_err err, const char *what, struct veer_diag *diag)
{
	char name[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE], shown[SHOWN_MAX + 16];
	(void)name_print(written_name(owner), name, sizeof name);
	rrtype_print(r->type, type);
	show_text(name, shown, sizeof shown);
	return veer_fail(diag, err, "%s:%u: %s: %s %s", zf->paths[r->file], r->line, what, shown, type);
}

static struct owner *need_owner(struct zonefile *zf, const struct source *s)
{
	struct trie_txn txn = {.id = 1, .retired = &zf->retired};
	void *old;
	struct owner *owner = trie_get(&zf->owners, s->owner);
	if (owner != NULL)
		return owner;
	bool has_written = memcmp(s->owner, s->written, s->owner_len) != 0;
	owner = arena_alloc(zf->arena, sizeof *owner + s->owner_len * (has_written ? 2 : 1));
	if (owner == NULL)
		return NULL;
	owner->has_written = has_written;
	memcpy(owner->name, s->owner, s->owner_len);
	if (has_written)
		memcpy(owner->name + s->owner_len, s->written, s->owner_len);
	return trie_set(&zf->owners, &txn, owner, &old) == VEER_OK ? owner : NULL;
}

static enum veer_err add_record(struct source *s, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t len)
{
	struct zonefile *zf = s->reading->zf;
	if (zf->record_count >= ZONEFILE_RECORDS_MAX)
		return fail_here(s, VEER_ELIMIT, "too many records");
	struct owner *owner = need_owner(zf, s);
	if (owner != NULL && ++owner->count > OWNER_RECORDS_MAX)
		return fail_here(s, VEER_ELIMIT, "too many records at one name");
	struct record *r = owner != NULL ? arena_alloc(zf->arena, sizeof *r + len) : NULL;
	if (r == NULL)
		return VEER_ENOMEM;
	r->ttl = ttl;
	r->line = s->lines.first_line;
	r->file = (uint16_t)s->file;
	r->type = type;
	r->len = (uint16_t)len;
	if (len > 0)
		memcpy(r->rdata, rdata, len);
	if (owner->last != NULL)
		owner->last->next = r;
	else
		owner->first = r;
	owner->last = r;
	zf->record_count++;
	return VEER_OK;
}

static uint32_t soa_minimum(const uint8_t *rdata, size_t len)
{
	const uint8_t *m = rdata + len - 4;
	return (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
}

/* The TTL of a record that states `ttl` or nothing. */
static uint32_t effective_ttl(struct reading *r, uint32_t ttl)
{
	if (ttl != TTL_UNSTATED) {
		r->last_ttl = ttl;
		return ttl;
	}
	if (r->ttl != TTL_UNSTATED)
		return r->ttl;
	if (r->last_ttl != TTL_UNSTATED)
		return r->last_ttl;
	return r->minimum != TTL_UNSTATED ? r->minimum : TTL_FALLBACK;
}

/* What stands before the RDATA. */
struct head {
	uint32_t ttl; /* TTL_UNSTATED: none */
	uint16_t type;
	bool has_class;
};

/* Characters to the first blank that is not escaped. */
static size_t word_len(const char *text)
{
	size_t len = 0;
	for (; text[len] != '\0' && text[len] != ' ' && text[len] != '\t'; len++)
		if (text[len] == '\\' && text[len + 1] != '\0')
			len++;
	return len;
}

/* Read the owner from the front of `*text`. */
static enum veer_err take_owner(struct source *s, const char **text)
{
	struct veer_diag detail;
	size_t len = word_len(*text);
	if (len == 0)
		return s->owner_len > 0 ? VEER_OK : fail_here(s, VEER_EINVAL, "the first record has no owner name");
	if ((*text)[0] == '"')
		return fail_here(s, VEER_EINVAL, "only text may stand in quotation marks, no name");
	enum veer_err err = name_parse(*text, len, s->origin, s->written, &s->owner_len, &detail);
	if (err != VEER_OK)
		return fail_here(s, err, detail.text);
	name_lower_copy(s->owner, s->written, s->owner_len);
	*text += len;
	if (!name_is_under(s->owner, s->reading->zf->origin))
		return fail_here(s, VEER_EINVAL, "the owner name is outside the zone");
	return VEER_OK;
}

static bool is_class(const char *text, size_t len)
{
	return (len == 2 && (strncasecmp(text, "IN", 2) == 0 || strncasecmp(text, "CH", 2) == 0 ||
			     strncasecmp(text, "HS", 2) == 0)) ||
	       (len > 5 && strncasecmp(text, "CLASS", 5) == 0 && text[5] >= '0' && text[5] <= '9');
}

static bool is_class_in(const char *text, size_t len)
{
	return (len == 2 && strncasecmp(text, "IN", 2) == 0) || (len == 6 && strncasecmp(text, "CLASS1", 6) == 0);
}

/* TTL and class, each or none and in any order (RFC 1035 5.1), and the type. */
static enum veer_err take_head(struct source *s, const char **text, struct head *head)
{
	*head = (struct head){.ttl = TTL_UNSTATED};
	for (;;) {
		*text += strspn(*text, " \t");
		const char *word = *text;
		size_t len = word_len(word);
		*text += len;
		if (len == 0)
			return fail_here(s, VEER_EINVAL, "the record has no type");
		if (word[0] >= '0' && word[0] <= '9' && head->ttl == TTL_UNSTATED) {
			if (!rdata_period(word, len, RRSET_TTL_MAX, &head->ttl))
				return fail_here(s, VEER_ERANGE, "TTL over 2147483647, or no number of seconds");
		} else if (!head->has_class && is_class(word, len)) {
			head->has_class = true;
			if (!is_class_in(word, len))
				return fail_here(s, VEER_EINVAL, "only class IN is served");
		} else {
			if (!rrtype_parse(word, len, &head->type))
				return fail_here(s, VEER_EINVAL,
						 "unknown record type; any can be written as TYPE and its number");
			return VEER_OK;
		}
	}
}

static enum veer_err parse_record(struct source *s)
{
	struct reading *r = s->reading;
	const char *text = s->lines.text.data, *what = NULL;
	struct head head;
	size_t len = 0;
	enum veer_err err = take_owner(s, &text);
	if (err == VEER_OK)
		err = take_head(s, &text, &head);
	if (err != VEER_OK)
		return err;
	if (rrtype_is_meta(head.type))
		return fail_here(s, VEER_EINVAL, "records of this type cannot stand in a zone");
	err = rdata_from_text(head.type, text, s->origin, r->rdata, &len, &what);
	if (err != VEER_OK)
		return err == VEER_EINVAL ? fail_here(s, err, what) : err;
	if (len > RRSET_WIRE_MAX)
		return fail_here(s, VEER_EINVAL, "a record of more than 64000 octets");
	if (head.type == RRTYPE_SOA && r->minimum == TTL_UNSTATED)
		r->minimum = soa_minimum(r->rdata, len);
	uint32_t ttl = effective_ttl(r, head.ttl);
	if (ttl > RRSET_TTL_MAX)
		return fail_here(s, VEER_ERANGE, "TTL over 2147483647");
	return add_record(s, head.type, ttl, r->rdata, len);
}

/* --- directives ------------------------------------------------------------------------------------------- */

/* Cut the next word from `*text`, or NULL. */
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

/* A name, completed by the present origin, into `out`. */
static enum veer_err parse_origin(const struct source *s, const char *text, uint8_t *out)
{
	size_t len;
	struct veer_diag detail;
	if (text[0] == '"')
		return fail_here(s, VEER_EINVAL, "only text may stand in quotation marks, no name");
	enum veer_err err = name_parse(text, strlen(text), s->origin, out, &len, &detail);
	return err == VEER_OK ? VEER_OK : fail_here(s, err, detail.text);
}

static enum veer_err take_ttl(struct source *s, const char *text)
{
	uint32_t ttl;
	if (!rdata_period(text, strlen(text), RRSET_TTL_MAX, &ttl))
		return fail_here(s, VEER_EINVAL, "$TTL needs a number of seconds up to 2147483647");
	s->reading->ttl = ttl;
	return VEER_OK;
}

static enum veer_err read_source(struct reading *r, int fd, const char *data, size_t len, unsigned file, unsigned depth,
				 const uint8_t *origin);

static enum veer_err new_file(struct zonefile *zf, const char *path, unsigned *file)
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
		return fail_here(s, VEER_EINVAL, "$INCLUDE is not possible here");
	if (!is_plain_path(name))
		return fail_here(s, VEER_EINVAL, "$INCLUDE takes a path within the zone file's directory");
	int n = snprintf(path, sizeof path, "%s/%s", directory, name);
	if (n < 0 || (size_t)n >= sizeof path || realpath(path, real) == NULL)
		return fail_here(s, VEER_ENOTFOUND, "the file to include cannot be found");
	size_t len = strlen(directory);
	if (strncmp(real, directory, len) != 0 || (real[len] != '/' && strcmp(directory, "/") != 0))
		return fail_here(s, VEER_EINVAL, "$INCLUDE leads out of the zone file's directory");
	int fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			(void)close(fd);
		return fail_here(s, VEER_EIO, "the file to include cannot be opened");
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
		return fail_here(s, VEER_ELIMIT, "$INCLUDE is nested too deep");
	enum veer_err err = parse_origin(s, origin_text != NULL ? origin_text : "@", origin);
	if (err != VEER_OK)
		return err;
	err = open_included(s, name, real, &fd);
	if (err == VEER_OK) {
		err = new_file(s->reading->zf, real, &file);
		if (err == VEER_ELIMIT)
			err = fail_here(s, err, "too many included files");
	}
	if (err == VEER_OK)
		err = read_source(s->reading, fd, NULL, 0, file, s->depth + 1, origin);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

/* `rest` is a copy of the line, which errors show. */
static enum veer_err take_directive(struct source *s, char *rest)
{
	const char *word = next_word(&rest);
	const char *first = next_word(&rest);
	const char *second = next_word(&rest);
	bool is_include = strcasecmp(word, "$INCLUDE") == 0;
	if (strcasecmp(word, "$TTL") != 0 && strcasecmp(word, "$ORIGIN") != 0 && !is_include)
		return fail_here(s, VEER_EINVAL, "unknown directive; known are $ORIGIN, $TTL and $INCLUDE");
	if (first == NULL)
		return fail_here(s, VEER_EINVAL, "a directive needs a value");
	if (next_word(&rest) != NULL || (second != NULL && !is_include))
		return fail_here(s, VEER_EINVAL, "a directive has too many values");
	if (strcasecmp(word, "$TTL") == 0)
		return take_ttl(s, first);
	if (is_include)
		return take_include(s, first, second);
	return parse_origin(s, first, s->origin);
}

static enum veer_err parse_directive(struct source *s)
{
	char *line = strdup(s->lines.text.data);
	enum veer_err err = line != NULL ? take_directive(s, line) : VEER_ENOMEM;
	free(line);
	return err;
}

/* --- sources ---------------------------------------------------------------------------------------------- */

static enum veer_err read_lines(struct source *s)
{
	struct veer_diag detail = {.text = ""};
	for (;;) {
		enum veer_err err = line_reader_next(&s->lines, &detail);
		if (err == VEER_ENOTFOUND)
			return VEER_OK;
		if (err != VEER_OK)
			return fail_here(s, err, detail.text[0] != '\0' ? detail.text : veer_err_text(err));
		err = s->lines.text.data[0] == '$' ? parse_directive(s) : parse_record(s);
		if (err != VEER_OK)
			return err;
	}
}

static enum veer_err read_source(struct reading *r, int fd, const char *data, size_t len, unsigned file, unsigned depth,
				 const uint8_t *origin)
{
	struct source s = {.reading = r, .file = file, .depth = depth};
	enum veer_err err = line_reader_init(&s.lines, fd, data, len);
	memcpy(s.origin, origin, name_len(origin));
	if (err == VEER_OK)
		err = read_lines(&s);
	line_reader_deinit(&s.lines);
	return err;
}

/* --- checks of the whole ---------------------------------------------------------------------------------- */

struct check {
	const struct zonefile *zf;
	struct veer_diag *diag;
	enum veer_err err;
	unsigned soa_count;
	unsigned ns_count;
};

/* Which of the types that stand once at a name; -1 for others. */
static int single_index(uint16_t type)
{
	static const uint16_t types[SINGLES] = {RRTYPE_SOA, RRTYPE_CNAME, RRTYPE_DNAME};
	for (int i = 0; i < SINGLES; i++)
		if (types[i] == type)
			return i;
	return -1;
}

/* Do they say the same? Names differ by more than case. */
static bool is_same_record(const struct record *a, const struct record *b)
{
	uint8_t x[2 * NAME_WIRE_MAX + 20], y[sizeof x];
	if (a->len != b->len || a->len > sizeof x)
		return false;
	memcpy(x, a->rdata, a->len);
	memcpy(y, b->rdata, b->len);
	rdata_lower(a->type, x, a->len);
	rdata_lower(b->type, y, b->len);
	return memcmp(x, y, a->len) == 0;
}

static enum veer_err check_record(struct check *c, const struct owner *owner, const struct record *r, bool is_apex,
				  const struct record **singles, bool *has_other)
{
	int single = single_index(r->type);
	const char *what = NULL;
	*has_other = *has_other || !rrtype_may_coexist(RRTYPE_CNAME, r->type);
	c->ns_count += is_apex && r->type == RRTYPE_NS;
	c->soa_count += r->type == RRTYPE_SOA;
	if (r->type == RRTYPE_SOA && !is_apex)
		what = "an SOA below the apex of the zone";
	else if (single >= 0 && singles[single] != NULL && !is_same_record(singles[single], r))
		what = "there may be only one record of this type";
	if (single >= 0)
		singles[single] = r;
	if (what == NULL && *has_other && singles[1] != NULL)
		what = "a CNAME and other data at one name";
	return what == NULL ? VEER_OK : fail_at(c->zf, owner, r, VEER_EINVAL, what, c->diag);
}

static bool check_owner(void *ctx, void *value)
{
	struct check *c = ctx;
	const struct owner *owner = value;
	const struct record *singles[SINGLES] = {NULL};
	bool has_other = false;
	bool is_apex = name_equal(owner->name, c->zf->origin);
	for (const struct record *r = owner->first; r != NULL && c->err == VEER_OK; r = r->next)
		c->err = check_record(c, owner, r, is_apex, singles, &has_other);
	return c->err == VEER_OK;
}

static enum veer_err check_zone(const struct zonefile *zf, struct veer_diag *diag)
{
	struct check c = {.zf = zf, .diag = diag};
	(void)trie_each(&zf->owners, check_owner, &c);
	if (c.err != VEER_OK)
		return c.err;
	if (c.soa_count == 0)
		return veer_fail(diag, VEER_EINVAL, "%s: the zone has no SOA record", zf->paths[0]);
	if (c.ns_count == 0)
		return veer_fail(diag, VEER_EINVAL, "%s: the zone has no NS record at its apex", zf->paths[0]);
	return VEER_OK;
}

/* --- interface -------------------------------------------------------------------------------------------- */

static struct zonefile *zonefile_new(const uint8_t *origin)
{
	struct zonefile *zf = calloc(1, sizeof *zf);
	if (zf == NULL)
		return NULL;
	zf->arena = arena_new(MEMORY_MAX);
	trie_init(&zf->owners, offsetof(struct owner, name));
	name_lower_copy(zf->origin, origin, name_len(origin));
	if (zf->arena == NULL)
		zonefile_free(&zf);
	return zf;
}

void zonefile_free(struct zonefile **zonefile)
{
	if (*zonefile == NULL)
		return;
	trie_free(&(*zonefile)->owners, NULL);
	retire_release(&(*zonefile)->retired);
	arena_free(&(*zonefile)->arena);
	free(*zonefile);
	*zonefile = NULL;
}

static enum veer_err read_all(struct zonefile *zf, int fd, const char *data, size_t len, char *directory,
			      struct veer_diag *diag)
{
	struct reading r = {.zf = zf,
			    .directory = directory,
			    .rdata = malloc(RDATA_MAX),
			    .last_ttl = TTL_UNSTATED,
			    .ttl = TTL_UNSTATED,
			    .minimum = TTL_UNSTATED,
			    .diag = diag};
	enum veer_err err = VEER_ENOMEM;
	if (r.rdata != NULL)
		err = read_source(&r, fd, data, len, 0, 0, zf->origin);
	free(r.rdata);
	if (err == VEER_OK)
		err = check_zone(zf, diag);
	if (err == VEER_ENOMEM)
		(void)veer_fail(diag, err, "%s: out of memory", zf->paths[0]);
	return err;
}

/* The real path of the directory that holds `path`; the caller's. NULL when it cannot be told. */
static char *directory_of(const char *path)
{
	char *real = realpath(path, NULL);
	char *slash = real != NULL ? strrchr(real, '/') : NULL;
	if (slash != NULL)
		slash[slash == real ? 1 : 0] = '\0';
	return real;
}

enum veer_err zonefile_read(const char *path, const uint8_t *origin, struct zonefile **out, struct veer_diag *diag)
{
	unsigned file;
	struct zonefile *zf = zonefile_new(origin);
	char *directory = NULL;
	int fd = -1;
	if (zf == NULL)
		return VEER_ENOMEM;
	enum veer_err err = new_file(zf, path, &file);
	if (err == VEER_OK) {
		directory = directory_of(path);
		err = directory != NULL ? file_open(path, &fd, diag)
					: veer_fail(diag, VEER_ENOTFOUND, "%s: cannot be opened", path);
	}
	if (err == VEER_OK)
		err = read_all(zf, fd, NULL, 0, directory, diag);
	if (fd >= 0)
		(void)close(fd);
	free(directory);
	if (err == VEER_OK)
		*out = zf;
	else
		zonefile_free(&zf);
	return err;
}

enum veer_err zonefile_read_text(const char *text, size_t len, const char *label, const uint8_t *origin,
				 struct zonefile **out, struct veer_diag *diag)
{
	unsigned file;
	struct zonefile *zf = zonefile_new(origin);
	if (zf == NULL)
		return VEER_ENOMEM;
	enum veer_err err = new_file(zf, label, &file);
	if (err == VEER_OK)
		err = read_all(zf, -1, text, len, NULL, diag);
	if (err == VEER_OK)
		*out = zf;
	else
		zonefile_free(&zf);
	return err;
}

size_t zonefile_record_count(const struct zonefile *zonefile)
{
	return zonefile->record_count;
}

struct each {
	const struct zonefile *zf;
	enum veer_err (*fn)(void *ctx, const struct rrset_view *rrset);
	void *ctx;
	struct veer_diag *diag;
	enum veer_err err;
	struct rdata_span spans[RRSET_RECORDS_MAX];
	uint16_t types[OWNER_TYPES_MAX]; /* of the owner at hand, those that are done */
	unsigned type_count;
};

static enum veer_err each_rrset(struct each *e, const struct owner *owner, const struct record *first)
{
	struct veer_diag detail = {.text = ""};
	size_t count = 0;
	uint32_t ttl = first->ttl;
	for (const struct record *r = first; r != NULL; r = r->next) {
		if (r->type != first->type)
			continue;
		if (count == RRSET_RECORDS_MAX)
			return fail_at(e->zf, owner, r, VEER_ERANGE, "too many records in one RRset", e->diag);
		e->spans[count++] = (struct rdata_span){.data = r->rdata, .len = r->len};
		ttl = r->ttl < ttl ? r->ttl : ttl;
	}
	uint8_t *wire = NULL;
	size_t len;
	struct rrset_view view;
	enum veer_err err = rrset_compose(written_name(owner), first->type, ttl, e->spans, count, &wire, &len, &detail);
	if (err == VEER_OK)
		err = rrset_check(wire, len, &view, &detail);
	if (err != VEER_OK)
		err = fail_at(e->zf, owner, first, err, detail.text, e->diag);
	else
		err = e->fn(e->ctx, &view);
	free(wire);
	return err;
}

static bool is_done(const struct each *e, uint16_t type)
{
	for (unsigned i = 0; i < e->type_count; i++)
		if (e->types[i] == type)
			return true;
	return false;
}

static bool each_owner(void *ctx, void *value)
{
	struct each *e = ctx;
	const struct owner *owner = value;
	e->type_count = 0;
	for (const struct record *r = owner->first; r != NULL && e->err == VEER_OK; r = r->next) {
		if (is_done(e, r->type))
			continue;
		if (e->type_count == OWNER_TYPES_MAX) {
			e->err = fail_at(e->zf, owner, r, VEER_ELIMIT, "too many types at one name", e->diag);
		} else {
			e->types[e->type_count++] = r->type;
			e->err = each_rrset(e, owner, r);
		}
	}
	return e->err == VEER_OK;
}

enum veer_err zonefile_each(const struct zonefile *zonefile,
			    enum veer_err (*fn)(void *ctx, const struct rrset_view *rrset), void *ctx,
			    struct veer_diag *diag)
{
	struct each *e = malloc(sizeof *e);
	if (e == NULL)
		return VEER_ENOMEM;
	e->zf = zonefile;
	e->fn = fn;
	e->ctx = ctx;
	e->diag = diag;
	e->err = VEER_OK;
	(void)trie_each(&zonefile->owners, each_owner, e);
	enum veer_err err = e->err;
	free(e);
	return err;
}

enum veer_err zonefile_print(const struct rrset_view *rrset, struct buf *out)
{
	char name[NAME_TEXT_SIZE];
	char type[RRSET_TYPE_TEXT_SIZE];
	struct rdata_span rdata;
	(void)name_print(rrset->wire, name, sizeof name);
	rrtype_print(rrset->type, type);
	for (size_t pos = 0; rrset_next(rrset, &pos, &rdata);) {
		buf_printf(out, "%s\t%u\tIN\t%s\t", name, rrset->ttl, type);
		rdata_to_text(rrset->type, rdata.data, rdata.len, out);
		buf_putc(out, '\n');
	}
	return VEER_OK;
}
