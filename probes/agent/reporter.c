/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/reporter.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define REPORT_PATH "/v1/agents/self/reports"
#define UNDERWAY_MAX 4 /* reports in progress to one control plane; more would only queue behind one that hangs */
#define TIMEOUT_MS 3000

/* The reporter's data about one control plane. */
struct receiver {
	struct reporter *reporter;
	uint32_t url;
	uint32_t underway;
	int last_status; /* of its last reply, 0 for none, -1 before the first: only changes are logged */
};

struct reporter {
	struct loop *loop;
	const struct link *link;
	struct logger *log;
	const struct prober *prober;
	const struct references *references;
	struct loop_timer timer;
	struct receiver receivers[LINK_URLS_MAX];
	struct observation *items; /* scratch memory */
	uint32_t item_size;
	uint32_t report_ms;
	uint64_t boot;
	uint64_t seq;
	int64_t sent_ms;
};

static void on_timer(void *ctx);

struct reporter *reporter_new(struct loop *loop, const struct link *link, struct logger *log,
			      const struct prober *prober, const struct references *references)
{
	struct reporter *reporter = calloc(1, sizeof *reporter);
	if (reporter == NULL)
		return NULL;
	*reporter =
		(struct reporter){.loop = loop, .link = link, .log = log, .prober = prober, .references = references};
	for (uint32_t i = 0; i < LINK_URLS_MAX; i++)
		reporter->receivers[i] = (struct receiver){.reporter = reporter, .url = i, .last_status = -1};
	while (reporter->boot == 0) {
		if (crypto_random(&reporter->boot, sizeof reporter->boot) != VEER_OK) {
			free(reporter);
			return NULL;
		}
	}
	return reporter;
}

void reporter_free(struct reporter **reporter)
{
	if (*reporter == NULL)
		return;
	loop_timer_cancel((*reporter)->loop, &(*reporter)->timer);
	free((*reporter)->items);
	free(*reporter);
	*reporter = NULL;
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct receiver *receiver = ctx;
	struct reporter *reporter = receiver->reporter;
	int status = result->err == VEER_OK ? result->status : 0;
	char why[512];
	receiver->underway--;
	if (status == receiver->last_status)
		return;
	receiver->last_status = status;
	if (status == 204)
		log_info(reporter->log, "reports are taken", LOG_STR("api", reporter->link->urls[receiver->url]));
	if (status == 204 || status == 409) /* 409: the assignments are about to change */
		return;
	link_why(result, why, sizeof why);
	log_warn(reporter->log, "reports are not taken", LOG_STR("api", reporter->link->urls[receiver->url]),
		 LOG_INT("status", status), LOG_STR("reason", why));
}

static void send_to(struct receiver *receiver, const char *text, size_t len)
{
	struct reporter *reporter = receiver->reporter;
	struct http_spec spec = link_spec(reporter->link, receiver->url, REPORT_PATH);
	if (receiver->underway >= UNDERWAY_MAX)
		return;
	spec.method = "POST";
	spec.body = text;
	spec.body_len = len;
	spec.timeout_ms = TIMEOUT_MS;
	if (http_request_start(reporter->link->http, &spec, NULL, on_done, receiver, NULL, NULL) == VEER_OK)
		receiver->underway++;
}

static bool grow(struct reporter *reporter, uint32_t count)
{
	if (count <= reporter->item_size)
		return true;
	struct observation *items = realloc(reporter->items, count * sizeof *items);
	if (items == NULL)
		return false;
	reporter->items = items;
	reporter->item_size = count;
	return true;
}

static void send_report(struct reporter *reporter)
{
	struct report report = {.assignment_revision = prober_revision(reporter->prober),
				.boot = reporter->boot,
				.seq = reporter->seq + 1,
				.is_blind = references_are_blind(reporter->references),
				.item_count = prober_item_count(reporter->prober)};
	char *text = NULL;
	size_t len = 0;
	if (!grow(reporter, report.item_count))
		return;
	prober_observe(reporter->prober, reporter->items);
	report.items = reporter->items;
	if (report_write(&report, &text, &len) != VEER_OK)
		return;
	reporter->seq++;
	for (uint32_t i = 0; i < reporter->link->url_count; i++)
		send_to(&reporter->receivers[i], text, len);
	free(text);
}

static void on_timer(void *ctx)
{
	struct reporter *reporter = ctx;
	reporter->sent_ms = loop_now_ms(reporter->loop);
	send_report(reporter);
	(void)loop_timer_set_at(reporter->loop, &reporter->timer, reporter->sent_ms + reporter->report_ms, on_timer,
				reporter);
}

void reporter_start(struct reporter *reporter, uint32_t report_ms)
{
	reporter->report_ms = report_ms;
	(void)loop_timer_set(reporter->loop, &reporter->timer, 0, on_timer, reporter);
}

void reporter_changed(struct reporter *reporter)
{
	if (reporter->report_ms == 0)
		return;
	/*
	 * Send at once when the last report is old enough, otherwise as soon as it is, so that many changes make few
	 * reports.
	 */
	int64_t now_ms = loop_now_ms(reporter->loop);
	int64_t due_ms = reporter->sent_ms + REPORTER_COALESCE_MS;
	if (due_ms < now_ms)
		due_ms = now_ms;
	if (reporter->timer.heap_index == 0 || due_ms < reporter->timer.due_ms)
		(void)loop_timer_set_at(reporter->loop, &reporter->timer, due_ms, on_timer, reporter);
}
