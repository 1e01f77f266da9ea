/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for RDATA beyond its layout (rdata.h), without which clients could not use it: the parameters of SVCB and
 * HTTPS, the prefixes of APL, the ranges of LOC. Both text and the generic form can break them. Only new data is
 * checked; what is stored already is served as it is.
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_ZONES_DNS_RDATA_CHECK_H
#define VEER_ZONES_DNS_RDATA_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Check RDATA that rdata_names() has accepted. When the result is false, `*what` is a phrase for people (static
 * storage).
 */
bool rdata_check(uint16_t type, const uint8_t *rdata, size_t len, const char **what);

#endif
