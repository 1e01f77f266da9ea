/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command: play histories by seed, say how many, and on a failure the smallest form of it that was found.
 *
 *   sim [--histories N] [--events N] [--from SEED] [--seed SEED [--faults HEX]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define REPEAT_EVERY 8 /* one history in so many is played twice, to see that it is the same again [S17] */

struct options {
	uint64_t histories;
	uint64_t from;
	uint32_t events;
	bool has_faults;
	uint32_t faults;
};

static bool read_number(const char *text, int base, uint64_t *out)
{
	char *end = NULL;
	*out = strtoull(text, &end, base);
	return *text != '\0' && *end == '\0';
}

static bool read_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = 0;
		bool is_faults = strcmp(argv[i], "--faults") == 0;
		if (!read_number(argv[i + 1], is_faults ? 16 : 10, &value))
			return false;
		if (strcmp(argv[i], "--histories") == 0) {
			o->histories = value;
		} else if (strcmp(argv[i], "--events") == 0) {
			o->events = (uint32_t)value;
		} else if (strcmp(argv[i], "--from") == 0) {
			o->from = value;
		} else if (strcmp(argv[i], "--seed") == 0) {
			o->from = value;
			o->histories = 1;
		} else if (is_faults) {
			o->has_faults = true;
			o->faults = (uint32_t)value;
		} else {
			return false;
		}
	}
	return argc % 2 == 1;
}

/* Fewer faults, then fewer events, as long as it still fails. */
static void shrink(struct sim *sim, uint64_t seed, uint32_t faults, uint32_t events)
{
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
		uint32_t fewer = faults & ~(1u << i);
		if (fewer != faults && !sim_play(sim, seed, fewer, events))
			faults = fewer;
	}
	uint32_t low = 0; /* passes */
	uint32_t high = events;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (sim_play(sim, seed, faults, middle))
			low = middle;
		else
			high = middle;
	}
	(void)sim_play(sim, seed, faults, high);
	printf("sim: seed %" PRIu64 " fails: %s\n", seed, sim->failure);
	printf("     again: sim --seed %" PRIu64 " --faults %x --events %u\n", seed, faults, high);
}

static bool play_one(struct sim *sim, const struct options *o, uint64_t seed, uint64_t *transitions)
{
	uint32_t faults = o->has_faults ? o->faults : sim_faults_of(seed);
	if (!sim_play(sim, seed, faults, o->events)) {
		shrink(sim, seed, faults, o->events);
		return false;
	}
	*transitions += sim->transitions;
	if (seed % REPEAT_EVERY != 0)
		return true;
	uint64_t hash = sim->log_hash;
	if (sim_play(sim, seed, faults, o->events) && sim->log_hash == hash)
		return true;
	printf("sim: seed %" PRIu64 " fails: S17: played twice, it differs\n", seed);
	return false;
}

int main(int argc, char **argv)
{
	struct options o = {.histories = 1000, .events = 1000};
	uint64_t transitions = 0;
	uint64_t failures = 0;
	struct sim *sim = calloc(1, sizeof *sim);
	if (sim == NULL || !read_options(argc, argv, &o)) {
		fprintf(stderr, "usage: sim [--histories N] [--events N] [--from SEED] [--seed SEED [--faults HEX]]\n");
		free(sim);
		return 2;
	}
	for (uint64_t i = 0; i < o.histories && failures < 10; i++)
		failures += !play_one(sim, &o, o.from + i, &transitions);
	printf("sim: %" PRIu64 " histories of %u events from seed %" PRIu64 ", %" PRIu64 " transitions, %" PRIu64
	       " failures\n",
	       o.histories, o.events, o.from, transitions, failures);
	free(sim);
	return failures > 0 ? 1 : 0;
}
