/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolment: an agent or a name server exchanges the token of its announcement for an identity.
 *
 * Threads: handlers' own, of class POOLED.
 */
#ifndef VEER_API_REST_ENROLMENT_H
#define VEER_API_REST_ENROLMENT_H

#include "api/rest/api.h"

enum { ENROLMENT_HOURS = 24 }; /* how long a token is good */

/*
 * Is there room for an identity of this name? One of the same name does not count: it is replaced. Only agents are
 * bounded, by what the verdict engine takes (VERDICT_AGENTS_MAX). False: the reply is 422, "no-room".
 */
bool identity_has_room(struct api *api, struct api_reply *reply, bool is_agent, const char *name);

#endif
