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

/*
 * The number of a continent whose code, such as "EU", is packed as (first << 8 | second); CONTINENT_NONE when the code
 * is not a continent's.
 */
enum continent continent_from_code(uint16_t code);
/* The continent of a country, from our own table; CONTINENT_NONE for an unknown code. */
enum continent continent_of_country(uint16_t country);

#endif
