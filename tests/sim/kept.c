/* SPDX-License-Identifier: Apache-2.0 */
/* Histories as text: "seed 17 faults 402d events 110 out 0-4 7 9-80". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

void sim_history_print(const struct sim_history *history, char *text, uint32_t size)
{
	int len = snprintf(text, size, "seed %" PRIu64 " faults %x events %u out", history->seed, history->faults,
			   history->events);
	for (uint32_t i = 0; history->is_left_out != NULL && i < history->events; i++) {
		uint32_t last = i;
		if (!history->is_left_out[i] || len < 0 || (uint32_t)len >= size)
			continue;
		while (last + 1 < history->events && history->is_left_out[last + 1])
			last++;
		len += last > i ? snprintf(text + len, size - (uint32_t)len, " %u-%u", i, last)
				: snprintf(text + len, size - (uint32_t)len, " %u", i);
		i = last;
	}
}

bool sim_history_parse(const char *text, struct sim_history *history, bool *is_left_out)
{
	int len = 0;
	memset(is_left_out, 0, SIM_EVENTS_MAX);
	*history = (struct sim_history){.is_left_out = is_left_out};
	if (sscanf(text, "seed %" SCNu64 " faults %x events %u out%n", &history->seed, &history->faults,
		   &history->events, &len) != 3 ||
	    len == 0 || history->events > SIM_EVENTS_MAX)
		return false;
	for (const char *at = text + len; *at == ' ';) {
		char *end = NULL;
		unsigned long first = strtoul(at, &end, 10);
		unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		if (first > last || last >= history->events)
			return false;
		memset(is_left_out + first, 1, last - first + 1);
		at = end;
	}
	return true;
}
