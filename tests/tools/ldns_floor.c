/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The minimum cost of loading a zone file: ldns reads each record and discards it. Prints one line of JSON: records,
 * CPU seconds.
 *
 *   ldns_floor FILE
 */
#include <inttypes.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <time.h>

int main(int argc, char *argv[])
{
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (file == NULL)
		return 2;
	uint32_t ttl = 300;
	uint64_t count = 0;
	int line = 0;
	ldns_rdf *previous = NULL;
	ldns_rdf *origin = ldns_dname_new_frm_str("bench.example.");
	while (!feof(file)) {
		ldns_rr *rr = NULL;
		ldns_status status = ldns_rr_new_frm_fp_l(&rr, file, &ttl, &origin, &previous, &line);
		if (status == LDNS_STATUS_OK) {
			ldns_rr_free(rr);
			count++;
		} else if (status != LDNS_STATUS_SYNTAX_TTL && status != LDNS_STATUS_SYNTAX_ORIGIN &&
			   status != LDNS_STATUS_SYNTAX_EMPTY) {
			fprintf(stderr, "ldns_floor: line %d: %s\n", line, ldns_get_errorstr_by_id(status));
			return 1;
		}
	}
	struct timespec used;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	printf("{\"records\": %" PRIu64 ", \"cpu_s\": %.3f}\n", count,
	       (double)used.tv_sec + (double)used.tv_nsec / 1e9);
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(previous);
	(void)fclose(file);
	return 0;
}
