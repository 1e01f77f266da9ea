/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of all verdicts (freeze, brake) and maintenance windows: wishes to put or delete them.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_SETTINGS_H
#define VEER_API_CONTROL_SETTINGS_H

#include "api/control/change.h"

/* The settings in force, with "revision" (0: nobody has set any). The caller's. */
json_t *settings_now(struct directory *directory);

struct settings_wish {
	json_t *object;   /* as it is to be; owner and times are filled in, where they are not said. Borrowed */
	const char *text; /* becomes what is stored; the change's arena holds it */
	struct model_settings settings; /* become what it says */
};

/* The wish, for change(). Problems: CHANGE_FORBIDDEN, CHANGE_INVALID, CHANGE_PRECONDITION. */
struct change_wish settings_wish(struct settings_wish *w);

struct maintenance_wish {
	const char *name;                /* of the window */
	json_t *object;                  /* as it is to be, filled in as above; NULL: it ends. Borrowed */
	const char *text;                /* becomes what is stored; the change's arena holds it */
	struct model_maintenance window; /* becomes what it says */
};

/* The wish, for change(). Problems: as above, and CHANGE_MISSING. */
struct change_wish maintenance_wish(struct maintenance_wish *w);

#endif
