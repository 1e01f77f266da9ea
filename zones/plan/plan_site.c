/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's sites: whether each is in or out, and which pools mention it. */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

#define OBJECT_BYTES_MAX ((size_t)4 << 20) /* of one parsed object */

struct build_site *build_need_site(struct plan_builder *b, const char *name)
{
	struct build_site *site = strmap_get(&b->sites, name, strlen(name));
	if (site != NULL)
		return site;
	site = calloc(1, sizeof *site);
	if (site == NULL)
		return NULL;
	memcpy(site->name, name, strlen(name) + 1);
	site->is_in = true;
	if (strmap_put(&b->sites, name, strlen(name), site) == VEER_OK)
		return site;
	free(site);
	return NULL;
}

void build_drop_site(struct plan_builder *b, struct build_site *site)
{
	if (site->exists || site->users.count > 0)
		return;
	(void)strmap_del(&b->sites, site->name, strlen(site->name));
	ptr_list_free(&site->users);
	free(site);
}

static enum veer_err mark_site_users(struct plan_builder *b, struct build_site *site)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < site->users.count && err == VEER_OK; i++)
		err = build_mark_pool(b, site->users.items[i]);
	return err;
}

enum veer_err build_put_site(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_site parsed;
	struct arena *arena = arena_new(OBJECT_BYTES_MAX);
	enum veer_err err = arena != NULL ? model_site_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.name, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the site's name");
	struct build_site *site = err == VEER_OK ? build_need_site(b, key) : NULL;
	if (err == VEER_OK && site == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK) {
		site->exists = true;
		site->is_in = parsed.is_in;
		err = mark_site_users(b, site);
	}
	arena_free(&arena);
	return err;
}

enum veer_err build_del_site(struct plan_builder *b, const char *key)
{
	struct build_site *site = strmap_get(&b->sites, key, strlen(key));
	if (site == NULL)
		return VEER_OK;
	site->exists = false;
	site->is_in = true;
	enum veer_err err = mark_site_users(b, site);
	build_drop_site(b, site);
	return err;
}

void build_free_site(struct plan_builder *b)
{
	size_t at = 0;
	for (struct build_site *site; (site = strmap_next(&b->sites, &at)) != NULL;) {
		ptr_list_free(&site->users);
		free(site);
	}
	strmap_free(&b->sites);
}
