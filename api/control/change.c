/* SPDX-License-Identifier: Apache-2.0 */
/* Commits of the control plane. See change.h. */
#include "api/control/change.h"

enum { READ_YOUR_WRITES_MS = 2000 };

/* An administrator's word in an emergency, the end of a credential, an agent that enrols, and whatever makes room. */
static bool is_urgent(const struct store_op *op)
{
	static const enum model_kind kinds[] = {MODEL_KIND_OVERRIDE, MODEL_KIND_SETTINGS, MODEL_KIND_MAINTENANCE,
						MODEL_KIND_TOKEN,    MODEL_KIND_AGENT,    MODEL_KIND_NAMESERVER,
						MODEL_KIND_ENROLMENT};
	bool is = op->op != STORE_PUT;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		is = is || op->kind == kinds[i];
	return is;
}

static enum store_priority priority_of(const struct store_op *ops, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_urgent(&ops[i]))
			return STORE_NORMAL;
	return STORE_URGENT;
}

enum veer_err change_commit(struct control *control, const struct store_op *ops, size_t count, int64_t *revision)
{
	enum veer_err err = store_commit(control->store, ops, count, priority_of(ops, count), revision, NULL);
	if (err == VEER_OK)
		change_wait(control, *revision);
	return err;
}

void change_wait(struct control *control, int64_t revision)
{
	(void)directory_wait(control->directory, revision, READ_YOUR_WRITES_MS);
}
