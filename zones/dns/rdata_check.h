/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold within RDATA beyond its layout (rdata.h), so that whoever asks for it can use it: the parameters of
 * SVCB and HTTPS, the prefixes of APL, the ranges of LOC: what text or the generic form may say wrongly. For what is
 * entered; what is stored already is served as it is.
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_ZONES_DNS_RDATA_CHECK_H
#define VEER_ZONES_DNS_RDATA_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* On false `*what` is a phrase for people (static storage). The RDATA was accepted by rdata_names(). */
bool rdata_check(uint16_t type, const uint8_t *rdata, size_t len, const char **what);

#endif
