/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a zone file as a whole. See zonefile_impl.h. */
#include <string.h>

#include "zones/dns/zonefile_impl.h"

#define SINGLES 3 /* types that may occur once at a name */

struct check {
	const struct zonefile *zf;
	struct veer_diag *diag;
	enum veer_err err;
	unsigned soa_count;
	unsigned ns_count;
};

/* The index of a type that may occur once at a name; -1 for other types. */
static int single_index(uint16_t type)
{
	static const uint16_t types[SINGLES] = {RRTYPE_SOA, RRTYPE_CNAME, RRTYPE_DNAME};
	for (int i = 0; i < SINGLES; i++)
		if (types[i] == type)
			return i;
	return -1;
}

/* Are the records equal? Names that differ only in case are equal. */
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
	return what == NULL ? VEER_OK : zonefile_fail_at(c->zf, owner, r, VEER_EINVAL, what, c->diag);
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

enum veer_err zonefile_check(const struct zonefile *zf, struct veer_diag *diag)
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
