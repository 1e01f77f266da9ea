/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of all verdicts (freeze, brake) and maintenance windows: wishes to put or delete them.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_SETTINGS_H
#define VEER_API_CONTROL_SETTINGS_H

#include "api/control/change.h"

/* The settings in force, with "revision" (0: none were stored). Ownership: the caller's. */
json_t *settings_now(struct directory *directory);

struct settings_wish {
	json_t *object;   /* the settings to store; owner and times are filled in if they are missing. Borrowed */
	const char *text; /* set to the stored text, which lives in the change's arena */
	struct model_settings settings; /* set to the parsed object */
};

/* Make the wish, for change(). Problems: CHANGE_FORBIDDEN, CHANGE_INVALID, CHANGE_PRECONDITION. */
struct change_wish settings_wish(struct settings_wish *w);

struct maintenance_wish {
	const char *name;                /* of the window */
	json_t *object;                  /* the window to store, filled in as above; NULL: it ends. Borrowed */
	const char *text;                /* set to the stored text, which lives in the change's arena */
	struct model_maintenance window; /* set to the parsed object */
};

/* Make the wish, for change(). Problems: as above, and CHANGE_MISSING. */
struct change_wish maintenance_wish(struct maintenance_wish *w);

#endif
