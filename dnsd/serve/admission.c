/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on clients and connections. See admission.h. */
#include "dnsd/serve/admission.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "dnsd/packet/prefix.h"
#include "dnsd/serve/sockets.h"

#define LOOK_MS 1000    /* how often to look for prefixes over the limit */
#define SILENT_MS 60000 /* a prefix that was not over the limit for so long is logged again */
#define SAID_MAX 32     /* prefixes that are remembered as logged; more are only counted */
#define OTHER_FILES 256 /* descriptors for everything except connections and listening sockets */

/* A prefix that was logged. */
struct said {
	uint64_t prefix; /* 0: none */
	int64_t seen_ms; /* when it was last over the limit */
};

struct admission {
	struct daemon *daemon;
	struct limit *limit; /* NULL: none */
	struct tcp_limits tcp;
	struct loop_timer timer;
	struct said said[SAID_MAX];
	int64_t unsaid; /* prefixes over the limit that found no place in `said`; the same one may count several
			 * times */
	int64_t unsaid_ms;
};

void admission_options_default(struct admission_options *options)
{
	*options = (struct admission_options){.rrl_rate = LIMIT_RATE_DEFAULT, .rrl_slip = LIMIT_SLIP_DEFAULT};
}

/* --- options ---------------------------------------------------------------------------------------------- */

static enum veer_err parse_exempt(const struct args_list *list, struct veer_prefix *out, size_t *count,
				  struct veer_diag *diag)
{
	static const char *const loopback[] = {"127.0.0.0/8", "::1"};
	const char *const *items = list->count > 0 ? list->items : loopback;
	*count = list->count > 0 ? list->count : sizeof loopback / sizeof loopback[0];
	if (*count == 1 && strcmp(items[0], "none") == 0) {
		*count = 0;
		return VEER_OK;
	}
	assert(*count <= LIMIT_EXEMPT_MAX); /* ensured by the table of options */
	for (size_t i = 0; i < *count; i++)
		if (veer_prefix_parse(items[i], &out[i]) != VEER_OK)
			return veer_fail(diag, VEER_EINVAL, "--rrl-exempt %s: not a prefix", items[i]);
	return VEER_OK;
}

static enum veer_err make_limit(struct admission *a, const struct admission_options *o, struct veer_diag *diag)
{
	struct veer_prefix exempt[LIMIT_EXEMPT_MAX];
	struct limit_config config = {.rate = (unsigned)o->rrl_rate, .slip = (unsigned)o->rrl_slip, .exempt = exempt};
	enum veer_err err = parse_exempt(&o->rrl_exempt, exempt, &config.exempt_count, diag);
	if (err != VEER_OK || o->rrl_rate == 0)
		return err;
	err = limit_new(&config, veer_clock_monotonic_ms(loop_clock(a->daemon->loop)), &a->limit);
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "--rrl-rate: %s", veer_err_text(err));
}

static uint32_t part(int64_t all, unsigned workers, int64_t max)
{
	int64_t each = (all + workers - 1) / workers;
	return (uint32_t)(each < 1 ? 1 : each > max ? max : each);
}

/*
 * Raise the soft limit of descriptors. Its usual value of 1,024 comes from select(2); the hard limit is what is really
 * allowed.
 */
static void reserve_descriptors(const struct admission *a, unsigned workers)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)workers * (a->tcp.connections + 2 * SOCKETS_LISTEN_MAX + 2) + OTHER_FILES;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
		log_warn(a->daemon->log, "fewer descriptors than connections allowed",
			 LOG_INT("descriptors", limit.rlim_cur), LOG_INT("wanted", wanted));
}

/* --- the log ---------------------------------------------------------------------------------------------- */

/* The place where a prefix is remembered, or a free one; NULL when all places are in use. */
static struct said *place_of(struct admission *a, uint64_t prefix, int64_t now_ms)
{
	struct said *place = NULL;
	for (unsigned i = 0; i < SAID_MAX; i++) {
		struct said *s = &a->said[i];
		if (s->prefix != 0 && now_ms - s->seen_ms >= SILENT_MS)
			s->prefix = 0;
		if (s->prefix == prefix)
			return s;
		if (s->prefix == 0 && place == NULL)
			place = s;
	}
	return place;
}

static void say(struct admission *a, uint64_t prefix, int64_t now_ms)
{
	char text[VEER_PREFIX_TEXT_SIZE];
	struct said *place = place_of(a, prefix, now_ms);
	if (place == NULL) {
		a->unsaid++;
		return;
	}
	if (place->prefix == 0) {
		prefix_print(prefix, text);
		log_notice(a->daemon->log, "replies are limited", LOG_STR("prefix", text));
	}
	*place = (struct said){prefix, now_ms};
}

static void look(void *ctx)
{
	struct admission *a = ctx;
	int64_t now_ms = loop_now_ms(a->daemon->loop);
	uint64_t prefix;
	for (int i = 0; i < LIMIT_NOTES && limit_next_note(a->limit, &prefix); i++)
		say(a, prefix, now_ms);
	if (a->unsaid > 0 && now_ms - a->unsaid_ms >= SILENT_MS) {
		log_notice(a->daemon->log, "replies are limited for more prefixes than can be logged",
			   LOG_INT("seen", a->unsaid));
		a->unsaid = 0;
		a->unsaid_ms = now_ms;
	}
	(void)loop_timer_set(a->daemon->loop, &a->timer, LOOK_MS, look, a);
}

/* --- interface -------------------------------------------------------------------------------------------- */

enum veer_err admission_new(struct daemon *daemon, const struct admission_options *options, unsigned workers,
			    struct admission **out, struct veer_diag *diag)
{
	struct admission *a = calloc(1, sizeof *a);
	if (a == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	a->daemon = daemon;
	a->unsaid_ms = -SILENT_MS;
	int64_t all = options->tcp_max > 0 ? options->tcp_max : (int64_t)ADMISSION_TCP_WORKER * workers;
	int64_t share = options->tcp_max_prefix > 0 ? options->tcp_max_prefix : all / ADMISSION_TCP_SHARE;
	a->tcp.connections = part(all, workers, SEATS_MAX);
	a->tcp.share = part(share, workers, a->tcp.connections);
	enum veer_err err = make_limit(a, options, diag);
	if (err == VEER_OK && a->limit != NULL)
		err = loop_timer_set(daemon->loop, &a->timer, LOOK_MS, look, a);
	if (err != VEER_OK) {
		admission_free(&a);
		return err;
	}
	reserve_descriptors(a, workers);
	*out = a;
	return VEER_OK;
}

void admission_free(struct admission **admission)
{
	struct admission *a = *admission;
	if (a == NULL)
		return;
	loop_timer_cancel(a->daemon->loop, &a->timer);
	limit_free(&a->limit);
	free(a);
	*admission = NULL;
}

struct limit *admission_limit(const struct admission *admission)
{
	return admission->limit;
}

const struct tcp_limits *admission_tcp(const struct admission *admission)
{
	return &admission->tcp;
}
