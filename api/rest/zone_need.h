/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone that a request names in its path.
 *
 * Threads: handlers of class BLOCKING; blocks on the store.
 */
#ifndef VEER_API_REST_ZONE_NEED_H
#define VEER_API_REST_ZONE_NEED_H

#include "api/control/zone_data.h"
#include "api/rest/api.h"

/*
 * Find the zone that the first parameter names, and check that the principal may touch it. False: the reply is a
 * problem already.
 */
bool zone_need(struct api *api, struct api_request *request, struct api_reply *reply, struct zone_ref *out);

#endif
