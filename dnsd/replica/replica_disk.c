/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the replica: from the plan saved on disk or, if that is damaged, from the one saved before it. */
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "dnsd/replica/replica_impl.h"

/* The state of a load. */
struct loading {
	struct replica *replica;
	struct history_position at;
	bool is_before; /* the plan in use was damaged, and the one before it is taken */
};

static enum veer_err load_object(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	struct loading *l = ctx;
	return replica_apply(l->replica, l->replica->fresh, change, diag);
}

static enum veer_err load_commit(void *ctx, const struct history_position *at, struct veer_diag *diag)
{
	struct loading *l = ctx;
	(void)diag;
	l->at = *at;
	return VEER_OK;
}

/*
 * The end of the journal was lost, or the plan is the previous one. What is left is served, but the feed must not be
 * older than what was served last, and a history that continues from there is followed. The previous plan may be of
 * another history.
 */
static void keep_highest(struct replica *r, const struct history_position *highest, bool is_before)
{
	bool is_same = strcmp(highest->lineage, r->at.lineage) == 0;
	if (highest->revision == 0 || (is_same ? highest->revision <= r->at.revision : !is_before))
		return;
	r->highest = *highest;
	log_warn(r->config.log, "the saved plan is older than what was served last",
		 LOG_INT("revision", r->at.revision), LOG_INT("served", highest->revision));
}

/* Load into a builder of its own; if a file is damaged, what it has delivered is freed with that builder. */
static enum veer_err load_copy(struct replica *r, bool is_before, struct loading *l, struct veer_diag *diag)
{
	static const struct plan_disk_sink sink = {load_object, load_commit};
	struct plan_disk *disk = r->config.disk;
	plan_builder_free(&r->fresh);
	r->fresh = replica_new_builder(r);
	l->at = (struct history_position){.revision = 0};
	if (r->fresh == NULL)
		return VEER_ENOMEM;
	return is_before ? plan_disk_load_before(disk, &sink, l, diag) : plan_disk_load(disk, &sink, l, diag);
}

static enum veer_err load(struct replica *r, struct loading *l, struct veer_diag *diag)
{
	struct veer_diag unused = {.text = ""};
	bool is_large = heap_expect((size_t)plan_disk_base_bytes(r->config.disk) * 2);
	enum veer_err err = load_copy(r, false, l, diag), before = err;
	if (err != VEER_OK && err != VEER_ENOMEM)
		before = load_copy(r, true, l, &unused);
	l->is_before = err != VEER_OK && before == VEER_OK;
	if (is_large)
		heap_settle();
	if (l->is_before)
		log_error(r->config.log, "the saved plan is damaged: the one before is served",
			  LOG_STR("reason", diag->text), LOG_INT("revision", l->at.revision));
	return before == VEER_OK ? VEER_OK : err;
}

enum veer_err replica_load(struct replica *replica, struct veer_diag *diag)
{
	struct loading l = {.replica = replica};
	const struct history_position highest = replica->highest;
	if (replica->config.disk == NULL)
		return VEER_ENOTFOUND;
	diag->text[0] = '\0';
	enum veer_err err = load(replica, &l, diag);
	if (err == VEER_OK)
		replica->is_saved_in_doubt = replica->config.doubts_saved;
	if (err == VEER_OK && replica->is_saved_in_doubt)
		(void)plan_builder_set_all_in_doubt(replica->fresh, true);
	if (err == VEER_OK)
		err = replica_switch(replica, &l.at, false, diag);
	if (err == VEER_OK) {
		lineages_add(&replica->lineages, replica->at.lineage);
		keep_highest(replica, &highest, l.is_before);
	} else {
		plan_builder_free(&replica->fresh);
	}
	return err;
}

void replica_leave_disk(struct replica *replica)
{
	if (replica->fresh != NULL && replica->config.disk != NULL)
		plan_disk_base_abort(replica->config.disk);
	replica->config.disk = NULL;
}

static enum veer_err skip_object(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	(void)ctx;
	(void)change;
	(void)diag;
	return VEER_OK;
}

static enum veer_err note_position(void *ctx, const struct history_position *at, struct veer_diag *diag)
{
	struct history_position *out = ctx;
	(void)diag;
	*out = *at;
	return VEER_OK;
}

enum veer_err replica_use_disk(struct replica *replica, struct plan_disk *disk)
{
	static const struct plan_disk_sink sink = {skip_object, note_position};
	struct history_position at = {.revision = 0};
	struct veer_diag diag = {.text = ""};
	if (replica->fresh != NULL)
		return VEER_EBUSY;
	enum veer_err err = plan_disk_load(disk, &sink, &at, &diag);
	if (err != VEER_OK && err != VEER_ENOTFOUND)
		log_error(replica->config.log, "the saved plan is refused", LOG_STR("reason", diag.text));
	if (err != VEER_OK || at.revision != replica->at.revision || strcmp(at.lineage, replica->at.lineage) != 0)
		plan_disk_lose(disk);
	replica->config.disk = disk;
	return VEER_OK;
}
