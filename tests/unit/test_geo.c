/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <maxminddb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "zones/plan/geo_impl.h"

#define CITY "tests/data/mmdb/GeoIP2-City-Test.mmdb"
#define COUNTRY "tests/data/mmdb/GeoLite2-Country-Test.mmdb"
#define ASN "tests/data/mmdb/GeoLite2-ASN-Test.mmdb"

/* libmaxminddb leaks some memory when it refuses damaged metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb";
}

static struct geo_location lookup(const struct geo_table *table, const char *address)
{
	uint8_t ip[16];
	if (inet_pton(AF_INET, address, ip) == 1)
		return geo_lookup_ipv4(table, ip);
	assert_int_equal(inet_pton(AF_INET6, address, ip), 1);
	return geo_lookup_ipv6(table, ip);
}

static void assert_place(const struct geo_table *table, const char *address, const char *country, const char *continent)
{
	struct geo_location place = lookup(table, address);
	char code[3] = {(char)(place.country >> 8), (char)(place.country & 0xff), '\0'};
	assert_string_equal(code, country);
	enum continent wanted = continent_from_code((uint16_t)(continent[0] << 8 | continent[1]));
	assert_int_equal(wanted == CONTINENT_NONE, strcmp(continent, "--") == 0);
	assert_int_equal(place.continent, wanted);
}

static void known_addresses_are_found(void **state)
{
	(void)state;
	struct geo_table *table = NULL;
	struct veer_diag diag = {.text = ""};
	if (geo_load((const char *const[]){CITY}, 1, &table, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	assert_place(table, "81.2.69.142", "GB", "EU");
	assert_place(table, "89.160.20.112", "SE", "EU");
	assert_place(table, "216.160.83.56", "US", "NA");
	assert_place(table, "2001:218::1", "JP", "AS");
	assert_place(table, "127.0.0.1", "", "--");
	assert_place(table, "::1", "", "--");
	assert_true(geo_count(table) > 100);
	geo_free(&table);
	assert_null(table);
	assert_int_equal(lookup(NULL, "81.2.69.142").prefix_len, 0);
}

/* The result of libmaxminddb itself for the same address. */
static struct geo_location oracle(const MMDB_s *db, const struct sockaddr *address)
{
	int error;
	struct geo_location place = {0};
	MMDB_lookup_result_s found = MMDB_lookup_sockaddr(db, address, &error);
	MMDB_entry_data_s data;
	assert_int_equal(error, MMDB_SUCCESS);
	if (!found.found_entry)
		return place;
	if ((MMDB_get_value(&found.entry, &data, "country", "iso_code", NULL) == MMDB_SUCCESS && data.has_data) ||
	    (MMDB_get_value(&found.entry, &data, "registered_country", "iso_code", NULL) == MMDB_SUCCESS &&
	     data.has_data))
		place.country = (uint16_t)(data.utf8_string[0] << 8 | data.utf8_string[1]);
	if (MMDB_get_value(&found.entry, &data, "continent", "code", NULL) == MMDB_SUCCESS && data.has_data)
		place.continent =
			(uint8_t)continent_from_code((uint16_t)(data.utf8_string[0] << 8 | data.utf8_string[1]));
	else
		place.continent = (uint8_t)continent_of_country(place.country);
	return place;
}

static uint64_t rng(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void every_lookup_agrees_with_the_library(void **state)
{
	(void)state;
	static const char *const files[] = {CITY, COUNTRY};
	uint64_t seed = 99;
	for (size_t f = 0; f < 2; f++) {
		struct geo_table *table = NULL;
		MMDB_s db;
		unsigned known = 0;
		assert_int_equal(geo_load(&files[f], 1, &table, NULL), VEER_OK);
		assert_int_equal(MMDB_open(files[f], MMDB_MODE_MMAP, &db), MMDB_SUCCESS);
		for (int i = 0; i < 300000; i++) {
			struct sockaddr_in v4 = {.sin_family = AF_INET};
			struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
			static const uint8_t near[][2] = {{81, 2},    {89, 160}, {2, 125},
							  {216, 160}, {175, 16}, {67, 43}};
			uint64_t r = rng(&seed);
			struct geo_location got, want;
			if (i % 2 == 0) {
				uint8_t *ip = (uint8_t *)&v4.sin_addr;
				memcpy(ip, &r, 4);
				if (i % 4 == 0)
					memcpy(ip, near[r >> 40 & 3], 2);
				got = geo_lookup_ipv4(table, ip);
				want = oracle(&db, (struct sockaddr *)&v4);
			} else {
				uint64_t r2 = rng(&seed);
				memcpy(v6.sin6_addr.s6_addr, &r, 8);
				memcpy(v6.sin6_addr.s6_addr + 8, &r2, 8);
				v6.sin6_addr.s6_addr[0] = i % 8 < 6 ? 0x2a : 0x20;
				v6.sin6_addr.s6_addr[1] = i % 8 < 6 ? 2 : 1;
				if (i % 8 >= 6)
					v6.sin6_addr.s6_addr[2] = 2 + r % 16;
				got = geo_lookup_ipv6(table, v6.sin6_addr.s6_addr);
				want = oracle(&db, (struct sockaddr *)&v6);
			}
			known += want.country != 0;
			assert_int_equal(got.country, want.country);
			assert_int_equal(got.continent, want.continent);
		}
		assert_true(known > 1000);
		MMDB_close(&db);
		geo_free(&table);
	}
}

static void the_scope_is_the_largest_network_of_one_place(void **state)
{
	(void)state;
	struct geo_nets nets4 = {0}, nets6 = {0};
	struct geo_table *table;
	/*
	 * 0.0.0.0/2 has no country, 64.0.0.0/2 is four /4 of one country, 128.0.0.0/1 is halves of different countries
	 */
	struct geo_location none = {.prefix_len = 2}, de = {.country = 'D' << 8 | 'E', .prefix_len = 4};
	struct geo_location fr = {.country = 'F' << 8 | 'R', .prefix_len = 2};
	assert_int_equal(geo_nets_add(&nets4, 0, none), VEER_OK);
	for (unsigned i = 4; i < 8; i++)
		assert_int_equal(geo_nets_add(&nets4, (geo_address)i << 124, de), VEER_OK);
	assert_int_equal(geo_nets_add(&nets4, (geo_address)2 << 126, fr), VEER_OK);
	none.prefix_len = 2;
	assert_int_equal(geo_nets_add(&nets4, (geo_address)3 << 126, none), VEER_OK);
	none.prefix_len = 0;
	assert_int_equal(geo_nets_add(&nets6, 0, none), VEER_OK);
	assert_int_equal(nets4.count, 4);
	assert_int_equal(geo_table_make(&nets4, &nets6, &table), VEER_OK);
	assert_int_equal(lookup(table, "65.1.1.1").prefix_len, 2);
	assert_int_equal(lookup(table, "65.1.1.1").country, 'D' << 8 | 'E');
	assert_int_equal(lookup(table, "127.255.255.255").country, 'D' << 8 | 'E');
	assert_int_equal(lookup(table, "128.0.0.0").country, 'F' << 8 | 'R');
	assert_int_equal(lookup(table, "255.255.255.255").country, 0);
	assert_int_equal(lookup(table, "255.255.255.255").prefix_len, 2);
	assert_int_equal(lookup(table, "2001:db8::").prefix_len, 0);
	geo_free(&table);
	geo_nets_free(&nets4);
	geo_nets_free(&nets6);
}

static void a_second_file_fills_what_the_first_does_not_know(void **state)
{
	(void)state;
	struct geo_table *one = NULL, *both = NULL, *reversed = NULL;
	uint64_t seed = 7;
	assert_int_equal(geo_load((const char *const[]){COUNTRY}, 1, &one, NULL), VEER_OK);
	assert_int_equal(geo_load((const char *const[]){COUNTRY, CITY}, 2, &both, NULL), VEER_OK);
	assert_int_equal(geo_load((const char *const[]){CITY, COUNTRY}, 2, &reversed, NULL), VEER_OK);
	for (int i = 0; i < 400000; i++) {
		uint64_t r = rng(&seed);
		const uint8_t *ip = (const uint8_t *)&r;
		struct geo_location a = geo_lookup_ipv4(one, ip), b = geo_lookup_ipv4(both, ip);
		struct geo_location c = geo_lookup_ipv4(reversed, ip);
		assert_true(a.country == 0 || a.country == b.country);
		assert_int_equal(b.country == 0, c.country == 0);
	}
	geo_free(&one);
	geo_free(&both);
	geo_free(&reversed);
}

static void files_that_are_none_are_refused_with_their_name(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum veer_err err;
	} cases[] = {{"/nonexistent.mmdb", VEER_ENOTFOUND}, {"Makefile", VEER_ECORRUPT}, {ASN, VEER_EINVAL}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct geo_table *table = NULL;
		struct veer_diag diag = {.text = ""};
		assert_int_equal(geo_load(&cases[i].path, 1, &table, &diag), cases[i].err);
		assert_null(table);
		assert_non_null(strstr(diag.text, cases[i].path));
	}
}

static void damaged_files_never_crash(void **state)
{
	(void)state;
	char path[] = "/tmp/test_geo.XXXXXX";
	char *data;
	size_t len;
	uint64_t seed = 12345;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(file_read(CITY, 1 << 20, &data, &len, NULL), VEER_OK);
	for (int round = 0; round < 400; round++) {
		char *copy = malloc(len);
		memcpy(copy, data, len);
		for (int flips = 0; flips < 8; flips++)
			copy[rng(&seed) % len] = (char)rng(&seed);
		size_t keep = round % 4 == 0 ? rng(&seed) % len : len;
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, copy, keep, 0), keep);
		free(copy);
		struct geo_table *table = NULL;
		const char *name = path;
		if (geo_load(&name, 1, &table, NULL) == VEER_OK)
			geo_free(&table);
	}
	free(data);
	(void)close(fd);
	(void)unlink(path);
}

static void countries_have_one_continent(void **state)
{
	(void)state;
	static const struct {
		const char *country;
		enum continent continent;
	} cases[] = {{"DE", CONTINENT_EU}, {"US", CONTINENT_NA}, {"BR", CONTINENT_SA}, {"JP", CONTINENT_AS},
		     {"ZA", CONTINENT_AF}, {"AU", CONTINENT_OC}, {"AQ", CONTINENT_AN}, {"ZZ", CONTINENT_NONE}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(continent_of_country((uint16_t)(cases[i].country[0] << 8 | cases[i].country[1])),
				 cases[i].continent);
	unsigned known = 0;
	for (unsigned a = 'A'; a <= 'Z'; a++)
		for (unsigned b = 'A'; b <= 'Z'; b++)
			known += continent_of_country((uint16_t)(a << 8 | b)) != CONTINENT_NONE;
	assert_in_range(known, 249, 251); /* ISO 3166-1 has 249 codes; XK is added */
	assert_int_equal(continent_of_country(0), CONTINENT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_addresses_are_found),
		cmocka_unit_test(every_lookup_agrees_with_the_library),
		cmocka_unit_test(the_scope_is_the_largest_network_of_one_place),
		cmocka_unit_test(a_second_file_fills_what_the_first_does_not_know),
		cmocka_unit_test(files_that_are_none_are_refused_with_their_name),
		cmocka_unit_test(damaged_files_never_crash),
		cmocka_unit_test(countries_have_one_continent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
