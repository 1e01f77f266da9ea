/* SPDX-License-Identifier: Apache-2.0 */
/* Zones from files. See static_zones.h. */
#include "dnsd/replica/static_zones.h"

#include <stdlib.h>
#include <string.h>

#include "zones/dns/zonefile.h"

struct static_zone {
	uint8_t origin[NAME_WIRE_MAX];
	char *text; /* the origin as text */
	char *path;
	uint64_t version; /* the visible version; 0: none yet */
	uint64_t next;    /* version for the next load */
};

struct static_zones {
	size_t count;
	struct static_zone zones[];
};

static enum veer_err parse_spec(struct static_zones *all, const char *spec, struct veer_diag *diag)
{
	struct static_zone *z = &all->zones[all->count];
	struct veer_diag detail = {.text = ""};
	size_t len;
	const char *equals = strchr(spec, '=');
	if (equals == NULL || equals == spec || equals[1] == '\0')
		return veer_fail(diag, VEER_EINVAL, "--zone %s: must be ORIGIN=FILE", spec);
	enum veer_err err = name_parse(spec, (size_t)(equals - spec), (const uint8_t *)"", z->origin, &len, &detail);
	if (err != VEER_OK)
		return veer_fail(diag, VEER_EINVAL, "--zone %s: %s", spec, detail.text);
	name_lower(z->origin, len);
	for (size_t i = 0; i < all->count; i++)
		if (name_equal(all->zones[i].origin, z->origin))
			return veer_fail(diag, VEER_EINVAL, "--zone %s: the zone is given twice", spec);
	z->text = strndup(spec, (size_t)(equals - spec));
	z->path = strdup(equals + 1);
	z->next = 1;
	all->count++;
	return z->text != NULL && z->path != NULL ? VEER_OK : VEER_ENOMEM;
}

enum veer_err static_zones_new(const char *const *specs, size_t count, struct static_zones **out,
			       struct veer_diag *diag)
{
	struct static_zones *all = calloc(1, sizeof *all + count * sizeof all->zones[0]);
	if (all == NULL)
		return VEER_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		enum veer_err err = parse_spec(all, specs[i], diag);
		if (err != VEER_OK) {
			static_zones_free(&all);
			return err;
		}
	}
	*out = all;
	return VEER_OK;
}

void static_zones_free(struct static_zones **zones)
{
	if (*zones == NULL)
		return;
	for (size_t i = 0; i < (*zones)->count; i++) {
		free((*zones)->zones[i].text);
		free((*zones)->zones[i].path);
	}
	free(*zones);
	*zones = NULL;
}

struct putting {
	struct plan_builder *builder;
	const struct static_zone *zone;
};

static enum veer_err put_rrset(void *ctx, const struct rrset_view *rrset)
{
	struct putting *p = ctx;
	return plan_builder_put_rrset(p->builder, p->zone->origin, p->zone->next, rrset);
}

static enum veer_err load_zone(struct static_zone *z, struct plan_builder *builder, struct logger *log,
			       struct veer_diag *diag)
{
	struct zonefile *file = NULL;
	struct putting p = {.builder = builder, .zone = z};
	enum veer_err err = zonefile_read(z->path, z->origin, &file, diag);
	if (err == VEER_OK)
		err = zonefile_each(file, put_rrset, &p, diag);
	if (err == VEER_OK)
		err = plan_builder_show_zone(builder, z->origin, z->next);
	if (err != VEER_OK) {
		(void)plan_builder_drop_version(builder, z->origin, z->next);
		zonefile_free(&file);
		return err;
	}
	if (z->version != 0)
		err = plan_builder_drop_version(builder, z->origin, z->version);
	z->version = z->next++;
	log_info(log, "zone loaded", LOG_STR("zone", z->text), LOG_STR("file", z->path),
		 LOG_INT("records", zonefile_record_count(file)));
	zonefile_free(&file);
	return err;
}

enum veer_err static_zones_load(struct static_zones *zones, struct plan_builder *builder, struct logger *log,
				struct veer_diag *diag)
{
	enum veer_err first = VEER_OK;
	for (size_t i = 0; i < zones->count; i++) {
		struct static_zone *z = &zones->zones[i];
		struct veer_diag detail = {.text = ""};
		enum veer_err err = load_zone(z, builder, log, &detail);
		if (err == VEER_OK)
			continue;
		if (detail.text[0] == '\0')
			(void)veer_fail(&detail, err, "%s: %s", z->path, veer_err_text(err));
		log_error(log, "zone refused", LOG_STR("zone", z->text), LOG_STR("reason", detail.text));
		if (first == VEER_OK) {
			first = err;
			if (diag != NULL)
				*diag = detail;
		}
	}
	return first;
}
