/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones from files on the command line (`--zone ORIGIN=FILE`): loaded into a plan builder, and again on SIGHUP. If a
 * file has an error, its zone stays as it is served.
 *
 * Threads: the control thread.
 */
#ifndef VEER_DNSD_REPLICA_STATIC_ZONES_H
#define VEER_DNSD_REPLICA_STATIC_ZONES_H

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "zones/plan/plan_build.h"

struct static_zones;

/*
 * Take the list of "ORIGIN=FILE" (a missing final dot is added to the origin). Ownership: `*out` is the caller's; the
 * strings are copied. Errors: VEER_EINVAL (malformed, an origin twice; diag), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err static_zones_new(const char *const *specs, size_t count, struct static_zones **out,
					       struct veer_diag *diag);
void static_zones_free(struct static_zones **zones);

/*
 * Read every file and put its content into `builder` as a new version, which replaces the old one. Nothing is committed
 * here. Each refused file is logged with FILE:LINE. Returns VEER_OK, or the first error, with its diag; the zones that
 * could be read are still put.
 */
enum veer_err static_zones_load(struct static_zones *zones, struct plan_builder *builder, struct logger *log,
				struct veer_diag *diag);

#endif
