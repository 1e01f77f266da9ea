/* SPDX-License-Identifier: Apache-2.0 */
/* veer status: the endpoints, summarized and one by one. */
#include <stdio.h>
#include <string.h>

#include "api/cli/fields.h"
#include "api/cli/status_impl.h"
#include "api/cli/table.h"

enum { CELL = 128, FEW = 40 };

/* Explain in words why nothing changes. */
static void explain_wait(const json_t *e, char *out)
{
	const char *wait = text_of(e, "wait");
	int64_t fresh = int_of(e, "fresh"), quorum = int_of(e, "quorum");
	if (strcmp(wait, "no_quorum") == 0)
		(void)snprintf(out, CELL, "no quorum: %lld of %lld needed agents speak, the verdict is held",
			       (long long)fresh, (long long)quorum);
	else if (strcmp(wait, "no_check") == 0)
		(void)snprintf(out, CELL, "nobody checks it");
	else if (strcmp(wait, "hold") == 0)
		(void)snprintf(out, CELL, "up again, held for another %lld ms", (long long)int_of(e, "hold_left_ms"));
	else if (strcmp(wait, "brake") == 0)
		(void)snprintf(out, CELL, "brake: too many were removed at once");
	else if (strcmp(wait, "frozen") == 0)
		(void)snprintf(out, CELL, "frozen");
	else if (strcmp(wait, "no_regions") == 0)
		(void)snprintf(out, CELL, "too few regions agree, the verdict is held");
	else if (strcmp(text_of(e, "state"), "down") == 0)
		(void)snprintf(out, CELL, "%s since %s", text_of(e, "reason"), text_of(e, "at"));
	else
		out[0] = '\0';
}

/*
 * Explain that probes of some agent take nearly as long as the time-out: if they get a little slower, the endpoint is
 * down.
 */
static void explain_time(const json_t *e, const char *before, char *out)
{
	const json_t *near = json_object_get(e, "near_timeout");
	out[0] = '\0';
	if (near != NULL)
		(void)snprintf(out, CELL, "%sprobes take %.0f of %lld ms from %s: raise timeout_ms", before,
			       (double)int_of(near, "rtt_us") / 1000, (long long)int_of(near, "timeout_ms"),
			       text_of(near, "agent"));
}

/* The override comes first, because it overrules everything that agents report. */
static void explain(const json_t *e, char *out)
{
	const char *override = text_of(e, "override");
	char wait[CELL], near[CELL];
	explain_wait(e, wait);
	explain_time(e, wait[0] != '\0' ? "; " : "", near);
	(void)snprintf(out, CELL, "%s%s%s%s",
		       strcmp(override, "drain") == 0  ? "drained; "
		       : strcmp(override, "up") == 0   ? "forced up; "
		       : strcmp(override, "down") == 0 ? "forced down; "
						       : "",
		       json_is_true(json_object_get(e, "doubted")) ? "in doubt; " : "", wait, near);
	size_t len = strlen(out);
	if (len > 2 && strcmp(out + len - 2, "; ") == 0)
		out[len - 2] = '\0';
}

/* Nothing to look at: up or without a check, and neither waiting, overridden, in doubt nor slow. */
static bool is_fine(const json_t *e)
{
	const char *wait = text_of(e, "wait");
	bool is_quiet = strcmp(wait, "none") == 0 || strcmp(wait, "no_check") == 0;
	return strcmp(text_of(e, "state"), "down") != 0 && is_quiet && text_of(e, "override")[0] == '\0' &&
	       !json_is_true(json_object_get(e, "doubted")) && json_object_get(e, "near_timeout") == NULL;
}

static bool is_in_pool(const json_t *e, const char *pool)
{
	const char *key = text_of(e, "endpoint");
	size_t len = strlen(pool);
	return strncmp(key, pool, len) == 0 && key[len] == '/';
}

/* When there are many, only those to look at are shown, unless all, a site or a pool was asked for. */
static bool is_shown(const json_t *e, const struct status_filter *f, size_t count)
{
	bool is_chosen = f->shows_all || f->site != NULL || f->pool != NULL;
	if (f->site != NULL && strcmp(text_of(e, "site"), f->site) != 0)
		return false;
	if (f->pool != NULL && !is_in_pool(e, f->pool))
		return false;
	if (f->is_down && strcmp(text_of(e, "state"), "down") != 0)
		return false;
	return f->is_down || is_chosen || count <= FEW || !is_fine(e);
}

/* The one site where all endpoints in this state are; NULL when there are several sites, or none. */
static const char *common_site(const json_t *endpoints, const char *state)
{
	const char *site = NULL;
	size_t i;
	json_t *e;
	json_array_foreach((json_t *)(uintptr_t)endpoints, i, e)
	{
		if (strcmp(text_of(e, "state"), state) != 0)
			continue;
		if (site != NULL && strcmp(site, text_of(e, "site")) != 0)
			return NULL;
		site = text_of(e, "site");
	}
	return site;
}

static size_t count_state(const json_t *endpoints, const char *state)
{
	size_t count = 0, i;
	json_t *e;
	json_array_foreach((json_t *)(uintptr_t)endpoints, i, e) count += strcmp(text_of(e, "state"), state) == 0;
	return count;
}

void status_print_summary(const json_t *endpoints)
{
	size_t down = count_state(endpoints, "down"), all = json_array_size(endpoints);
	const char *site = common_site(endpoints, "down");
	bool is_all_at_one = down > 1 && site != NULL && site[0] != '\0';
	cli_say("Endpoints: %zu of %zu down%s%s%s, %zu up, %zu unknown", down, all, is_all_at_one ? " (all at " : "",
		is_all_at_one ? site : "", is_all_at_one ? ")" : "", count_state(endpoints, "up"),
		count_state(endpoints, "unknown"));
}

void status_print_endpoints(const json_t *endpoints, const struct status_filter *filter)
{
	static const char *const headings[] = {"ENDPOINT", "ADDRESS", "SITE", "VERDICT", "AGENTS", "NOTE"};
	struct table *t = table_new(headings, 6);
	size_t i;
	json_t *e;
	json_array_foreach((json_t *)(uintptr_t)endpoints, i, e)
	{
		char note[CELL], agents[CELL];
		if (!is_shown(e, filter, json_array_size(endpoints)))
			continue;
		explain(e, note);
		(void)snprintf(agents, sizeof agents, "%lld up %lld down of %lld", (long long)int_of(e, "up"),
			       (long long)int_of(e, "down"), (long long)int_of(e, "agents"));
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(e, "endpoint"), text_of(e, "address"),
							   text_of(e, "site"), text_of(e, "state"), agents, note});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}
