/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command plays histories by seed. It prints how many were played, and for a failure the smallest form that it
 * found.
 *
 *   sim [--histories N] [--events N] [--from SEED] [--stop-after N] [--quick 1] [--progress FILE]
 *   sim --replay FILE…          histories that failed once, one a line
 *
 * With --progress, the file records which histories from --from on have been played. These are not played again, and
 * several processes may share the work.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define REPEAT_EVERY 16 /* one in 16 histories is played twice, and both runs must be the same [S17] */
#define CHANGE_EVERY 16 /* one in 16 is also played with one agent changed [S8] */
#define CHUNK 1000
#define LINE_MAX_BYTES 16384

struct options {
	uint64_t histories;
	uint64_t from;
	uint64_t stop_after; /* stop after this many failures */
	uint32_t events;
	bool is_quick; /* a failure is only printed, not shrunk */
	const char *progress;
};

struct run {
	struct sim *sim;
	struct sim *other;
	bool *is_left_out;
	uint64_t played;
	uint64_t transitions;
	uint64_t suspects;
	uint64_t holds;
	uint64_t failures;
	uint64_t digest;
};

/* Play the seed for every property that is checked with it. */
static bool play_all(void *ctx, const struct sim_history *history)
{
	struct run *run = ctx;
	if (!sim_play(run->sim, history))
		return false;
	uint64_t hash = run->sim->log_hash;
	if (history->seed % REPEAT_EVERY == 5 && !twin_repeat(run->sim, history, hash))
		return false;
	if (history->seed % CHANGE_EVERY == 9 && !twin_change(run->sim, run->other, history))
		return false;
	run->sim->log_hash = hash;
	return true;
}

static void report_failure(struct run *run, struct sim_history *history)
{
	char text[LINE_MAX_BYTES];
	sim_shrink(play_all, run, history, run->is_left_out);
	sim_history_print(history, text, sizeof text);
	printf("sim: fails: %s\n%s\n", run->sim->failure, text);
	(void)fflush(stdout);
}

static void play_one(struct run *run, const struct options *o, uint64_t seed)
{
	struct sim_history history = {.seed = seed, .faults = sim_faults_of(seed), .events = o->events};
	run->played++;
	if (!play_all(run, &history)) {
		run->failures++;
		if (o->is_quick)
			printf("sim: fails after %" PRIu64 ": %s\n", run->played, run->sim->failure);
		else
			report_failure(run, &history);
		return;
	}
	run->transitions += run->sim->transitions;
	run->suspects += run->sim->suspects;
	run->holds += run->sim->holds;
	run->digest ^= sim_mix(run->sim->log_hash + seed);
}

static void print_summary(const struct run *run, const struct options *o, double seconds)
{
	printf("sim: %" PRIu64 " histories of %u events from seed %" PRIu64 ", %" PRIu64 " transitions, %" PRIu64
	       " suspects, %" PRIu64 " ticks on the brake, %" PRIu64 " failures, digest %016" PRIx64 ", %.0f s\n",
	       run->played, o->events, o->from, run->transitions, run->suspects, run->holds, run->failures, run->digest,
	       seconds);
	(void)fflush(stdout);
}

static double now_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/*
 * The progress file has one byte per chunk: '#' once the chunk is played, 'F' when something in it failed. The process
 * that plays a chunk holds the lock of its byte; the lock ends with the process.
 */
static bool claim(int fd, off_t chunk)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = chunk, .l_len = 1};
	char mark = ' ';
	if (pread(fd, &mark, 1, chunk) == 1 && (mark == '#' || mark == 'F'))
		return false;
	if (fcntl(fd, F_SETLK, &lock) != 0)
		return false;
	/* Another process may have finished the chunk before we got the lock. */
	return pread(fd, &mark, 1, chunk) != 1 || (mark != '#' && mark != 'F');
}

static bool finish(int fd, off_t chunk, bool has_failed)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = chunk, .l_len = 1};
	bool ok = pwrite(fd, has_failed ? "F" : "#", 1, chunk) == 1;
	return fcntl(fd, F_SETLK, &lock) == 0 && ok;
}

static uint64_t finished(int fd, uint64_t chunks)
{
	uint64_t count = 0;
	for (uint64_t i = 0; i < chunks; i++) {
		char mark = ' ';
		count += pread(fd, &mark, 1, (off_t)i) == 1 && (mark == '#' || mark == 'F');
	}
	return count;
}

static bool run_chunks(struct run *run, const struct options *o)
{
	double began_s = now_s();
	uint64_t chunks = (o->histories + CHUNK - 1) / CHUNK;
	int fd = open(o->progress, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	bool ok = fd >= 0;
	for (uint64_t i = 0; ok && i < chunks && run->failures < o->stop_after; i++) {
		uint64_t before = run->failures;
		if (!claim(fd, (off_t)i))
			continue;
		for (uint64_t k = 0; k < CHUNK && run->failures < o->stop_after; k++)
			play_one(run, o, o->from + i * CHUNK + k);
		ok = finish(fd, (off_t)i, run->failures > before);
		print_summary(run, o, now_s() - began_s);
	}
	if (ok)
		printf("sim: %" PRIu64 " of %" PRIu64 " histories are played, by this and earlier runs\n",
		       finished(fd, chunks) * CHUNK, chunks * CHUNK);
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static bool run_all(struct run *run, const struct options *o)
{
	double began_s = now_s();
	if (o->progress != NULL)
		return run_chunks(run, o);
	for (uint64_t i = 0; i < o->histories && run->failures < o->stop_after; i++)
		play_one(run, o, o->from + i);
	print_summary(run, o, now_s() - began_s);
	return true;
}

/* --- kept histories ------------------------------------------------------------------------------------------------
 */

static bool replay(struct run *run, const char *path)
{
	char line[LINE_MAX_BYTES];
	struct sim_history history;
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		run->played++;
		if (!sim_history_parse(line, &history, run->is_left_out)) {
			printf("sim: %s: not a history: %s\n", path, line);
			run->failures++;
		} else if (!play_all(run, &history)) {
			printf("sim: %s: fails: %s\n", path, run->sim->failure);
			run->failures++;
		}
	}
	(void)fclose(file);
	return true;
}

/* --- command line ---------------------------------------------------------------------------------------------------
 */

static bool read_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		char *end = NULL;
		uint64_t value = strtoull(argv[i + 1], &end, 10);
		bool is_number = *argv[i + 1] != '\0' && *end == '\0';
		if (strcmp(argv[i], "--progress") == 0)
			o->progress = argv[i + 1];
		else if (is_number && strcmp(argv[i], "--histories") == 0)
			o->histories = value;
		else if (is_number && strcmp(argv[i], "--events") == 0 && value <= SIM_EVENTS_MAX)
			o->events = (uint32_t)value;
		else if (is_number && strcmp(argv[i], "--from") == 0)
			o->from = value;
		else if (is_number && strcmp(argv[i], "--stop-after") == 0)
			o->stop_after = value;
		else if (is_number && strcmp(argv[i], "--quick") == 0)
			o->is_quick = value != 0;
		else
			return false;
	}
	return argc % 2 == 1;
}

int main(int argc, char **argv)
{
	struct options o = {.histories = 1000, .events = 1000, .stop_after = 10};
	struct run run = {.sim = calloc(1, sizeof *run.sim),
			  .other = calloc(1, sizeof *run.other),
			  .is_left_out = calloc(SIM_EVENTS_MAX, sizeof *run.is_left_out)};
	bool ok = run.sim != NULL && run.other != NULL && run.is_left_out != NULL;
	if (ok && argc > 2 && strcmp(argv[1], "--replay") == 0) {
		for (int i = 2; i < argc && ok; i++)
			ok = replay(&run, argv[i]);
		printf("sim: %" PRIu64 " kept histories, %" PRIu64 " failures\n", run.played, run.failures);
	} else {
		ok = ok && read_options(argc, argv, &o) && run_all(&run, &o);
	}
	if (!ok)
		fprintf(stderr, "usage: sim [--histories N] [--events N] [--from SEED] [--stop-after N] [--quick 1] "
				"[--progress FILE]\n"
				"       sim --replay FILE...\n");
	free(run.is_left_out);
	free(run.other);
	free(run.sim);
	return !ok ? 2 : run.failures > 0 ? 1 : 0;
}
