/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolment: an agent or a name server exchanges the token of its announcement for an identity.
 *
 * Threads: those that run handlers of class BLOCKING.
 */
#ifndef VEER_API_REST_ENROLMENT_H
#define VEER_API_REST_ENROLMENT_H

#include "api/rest/api.h"

enum { ENROLMENT_HOURS = 24 }; /* how long a token is good */

#endif
