/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Continents by their two letters, and which one a country (ISO 3166-1 alpha-2) belongs to.
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_MODEL_CONTINENT_H
#define VEER_ZONES_MODEL_CONTINENT_H

#include <stdint.h>

/* Continents as small numbers, so that tables can be indexed by them. */
enum continent {
	CONTINENT_NONE,
	CONTINENT_AF,
	CONTINENT_AN,
	CONTINENT_AS,
	CONTINENT_EU,
	CONTINENT_NA,
	CONTINENT_OC,
	CONTINENT_SA,
	CONTINENT_COUNT
};

/* "EU" packed as (first << 8 | second) to its number; CONTINENT_NONE when it is none. */
enum continent continent_from_code(uint16_t code);
/* The continent that a country belongs to, by a table of our own; CONTINENT_NONE for an unknown code. */
enum continent continent_of_country(uint16_t country);

#endif
