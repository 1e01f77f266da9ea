/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers in a record's text. ldns cuts a number that is too big for its field without a word: a preference of
 * 70000 becomes 4464, a TTL of 4294967299 becomes 3. It makes half an octet at the end of hex digits a whole one, of a
 * parameter that stands twice it takes the last, and a relative name of a gateway is no other than a whole one.
 * Whatever is given to ldns goes through here first.
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_RRNUMBERS_H
#define VEER_ZONES_RRNUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Seconds as in zone files, "3600" or "1h30m", up to `max`; the text ends where the number does. False when it is no
 * such number or too big.
 */
bool rrnumbers_read_period(const char *text, uint32_t max, uint32_t *out);

/* Put the TTL before the class in a line as below: of the two orders (RFC 1035 5.1) ldns knows only that one. */
void rrnumbers_order(char *line);

/*
 * Do the TTL and the numbers in the RDATA of the record in `line` fit their fields? `line` is one logical line that
 * ldns has read as a record of `type`: "OWNER [TTL] [CLASS] TYPE RDATA" with TTL and class in any order, OWNER empty
 * when the line begins with a blank. On false `*what` is a phrase for people (static storage).
 */
bool rrnumbers_fit(const char *line, uint16_t type, const char **what);

#endif
