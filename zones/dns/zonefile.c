/* SPDX-License-Identifier: Apache-2.0 */
/* Zone files: reading them completely, and handing out their RRsets. See zonefile.h. */
#include "zones/dns/zonefile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "zones/dns/rdata_text.h"
#include "zones/dns/zonefile_impl.h"

#define MEMORY_MAX ((size_t)64 << 30)
#define OWNER_TYPES_MAX 256 /* at one name; the list is searched linearly */

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
			    .last_ttl = ZONEFILE_TTL_UNSTATED,
			    .ttl = ZONEFILE_TTL_UNSTATED,
			    .minimum = ZONEFILE_TTL_UNSTATED,
			    .diag = diag};
	enum veer_err err = VEER_ENOMEM;
	if (r.rdata != NULL)
		err = zonefile_read_source(&r, fd, data, len, 0, 0, zf->origin);
	free(r.rdata);
	if (err == VEER_OK)
		err = zonefile_check(zf, diag);
	if (err == VEER_ENOMEM)
		(void)veer_fail(diag, err, "%s: out of memory", zf->paths[0]);
	return err;
}

/* The real path of the directory that holds `path`; the caller frees it. NULL when it cannot be determined. */
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
	enum veer_err err = zonefile_new_file(zf, path, &file);
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
	enum veer_err err = zonefile_new_file(zf, label, &file);
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
	uint16_t types[OWNER_TYPES_MAX]; /* the types of the present owner that are done */
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
			return zonefile_fail_at(e->zf, owner, r, VEER_ERANGE, "too many records in one RRset", e->diag);
		e->spans[count++] = (struct rdata_span){.data = r->rdata, .len = r->len};
		ttl = r->ttl < ttl ? r->ttl : ttl;
	}
	uint8_t *wire = NULL;
	size_t len;
	struct rrset_view view;
	enum veer_err err =
		rrset_compose(zonefile_written_name(owner), first->type, ttl, e->spans, count, &wire, &len, &detail);
	if (err == VEER_OK)
		err = rrset_check(wire, len, &view, &detail);
	if (err != VEER_OK)
		err = zonefile_fail_at(e->zf, owner, first, err, detail.text, e->diag);
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
			e->err = zonefile_fail_at(e->zf, owner, r, VEER_ELIMIT, "too many types at one name", e->diag);
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
