/* SPDX-License-Identifier: Apache-2.0 */
/* veer status: the whole on one page. */
#include <stdio.h>
#include <string.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "api/cli/table.h"

enum { CELL = 128 };

static void age_text(int64_t ms, char *out)
{
	if (ms < 0)
		(void)snprintf(out, CELL, "never");
	else if (ms < 10000)
		(void)snprintf(out, CELL, "%lld ms ago", (long long)ms);
	else
		(void)snprintf(out, CELL, "%lld s ago", (long long)(ms / 1000));
}

static void print_sites(const json_t *sites)
{
	static const char *const headings[] = {"SITE", "REGION", "STATE"};
	struct table *t = table_new(headings, 3);
	size_t i;
	json_t *site;
	json_array_foreach((json_t *)(uintptr_t)sites, i, site) if (t != NULL) table_row(
		t, (const char *const[]){text_of(site, "name"), text_of(site, "region"), text_of(site, "state")});
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

/* Why nothing changes, in words. */
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

/* An administrator's word comes before everything that agents say. */
static void explain(const json_t *e, char *out)
{
	const char *override = text_of(e, "override");
	char wait[CELL];
	explain_wait(e, wait);
	(void)snprintf(out, CELL, "%s%s%s",
		       strcmp(override, "drain") == 0  ? "drained; "
		       : strcmp(override, "up") == 0   ? "forced up; "
		       : strcmp(override, "down") == 0 ? "forced down; "
						       : "",
		       json_is_true(json_object_get(e, "doubted")) ? "in doubt; " : "", wait);
	size_t len = strlen(out);
	if (len > 2 && strcmp(out + len - 2, "; ") == 0)
		out[len - 2] = '\0';
}

static void print_overrides(const json_t *overrides)
{
	static const char *const headings[] = {"OVERRIDE", "ACTION", "OWNER", "UNTIL", "REASON"};
	struct table *t = table_new(headings, 5);
	size_t i;
	json_t *o;
	json_array_foreach((json_t *)(uintptr_t)overrides, i, o)
	{
		const char *until = text_of(o, "expires_at");
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(o, "endpoint"), text_of(o, "action"),
							   text_of(o, "owner"), until[0] != '\0' ? until : "released",
							   text_of(o, "reason")});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

static void print_settings(const json_t *settings)
{
	const json_t *freeze = json_object_get(settings, "freeze");
	if (json_is_true(json_object_get(freeze, "on")))
		cli_say("FROZEN by %s since %s: %s", text_of(freeze, "owner"), text_of(freeze, "since"),
			text_of(freeze, "reason"));
	if (strcmp(text_of(settings, "brake"), "off") == 0)
		cli_say("The brake on mass removal is off");
}

static void print_endpoints(const json_t *endpoints)
{
	static const char *const headings[] = {"ENDPOINT", "ADDRESS", "SITE", "VERDICT", "AGENTS", "NOTE"};
	struct table *t = table_new(headings, 6);
	size_t i;
	json_t *e;
	json_array_foreach((json_t *)(uintptr_t)endpoints, i, e)
	{
		char note[CELL], agents[CELL];
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

static void print_agents(const json_t *agents)
{
	static const char *const headings[] = {"AGENT", "ID", "REGION", "STATE", "HEARD"};
	struct table *t = table_new(headings, 5);
	size_t i;
	json_t *a;
	json_array_foreach((json_t *)(uintptr_t)agents, i, a)
	{
		char heard[CELL], state[CELL];
		const json_t *suspicion = json_object_get(a, "suspicion");
		age_text(int_of(a, "heard_ms_ago"), heard);
		(void)snprintf(state, sizeof state, "%s", text_of(a, "state"));
		if (suspicion != NULL)
			(void)snprintf(state, sizeof state, "suspect: contradicted at %lld of %lld (check %s)",
				       (long long)int_of(suspicion, "contradicted"),
				       (long long)int_of(suspicion, "compared"), text_of(suspicion, "check"));
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(a, "name"), text_of(a, "id"), text_of(a, "region"),
							   state, heard});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

static void print_nameservers(const json_t *servers, int64_t newest)
{
	static const char *const headings[] = {"NAME SERVER", "REVISION", "ZONES", "QUERIES", "HEARD"};
	struct table *t = table_new(headings, 5);
	size_t i;
	json_t *s;
	json_array_foreach((json_t *)(uintptr_t)servers, i, s)
	{
		char revision[CELL], zones[CELL], queries[CELL], heard[CELL];
		int64_t at = int_of(s, "revision");
		(void)snprintf(revision, sizeof revision, "%lld%s", (long long)at, at < newest ? " (behind)" : "");
		(void)snprintf(zones, sizeof zones, "%lld", (long long)int_of(s, "zones"));
		(void)snprintf(queries, sizeof queries, "%lld", (long long)int_of(s, "queries"));
		age_text(int_of(s, "heard_ms_ago"), heard);
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(s, "name"), revision, zones, queries, heard});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

/* Which name servers have rules on locations, and no database to know any. */
static void print_locations(const json_t *servers)
{
	size_t i;
	json_t *s;
	json_array_foreach((json_t *)(uintptr_t)servers, i, s)
	{
		if (int_of(s, "location_policies") > 0 && int_of(s, "location_networks") == 0)
			cli_say("%s has no location database (--geoip): no location rule matches there, clients are given "
				"\"else\" (%lld policies)",
				text_of(s, "name"), (long long)int_of(s, "location_policies"));
	}
}

static void print_status(const json_t *status)
{
	(void)printf("Controller %s (election %lld), revision %lld\n\n", text_of(status, "controller"),
		     (long long)int_of(status, "election"), (long long)int_of(status, "revision"));
	print_settings(json_object_get(status, "settings"));
	print_sites(json_object_get(status, "sites"));
	(void)putchar('\n');
	if (json_array_size(json_object_get(status, "overrides")) > 0) {
		print_overrides(json_object_get(status, "overrides"));
		(void)putchar('\n');
	}
	if (json_array_size(json_object_get(status, "maintenance")) > 0) {
		cli_print_maintenance(json_object_get(status, "maintenance"));
		(void)putchar('\n');
	}
	print_endpoints(json_object_get(status, "endpoints"));
	(void)putchar('\n');
	print_agents(json_object_get(status, "agents"));
	(void)putchar('\n');
	print_nameservers(json_object_get(status, "nameservers"), int_of(status, "feed_revision"));
	print_locations(json_object_get(status, "nameservers"));
}

static enum veer_err get_status(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				struct veer_diag *diag)
{
	(void)ctx;
	(void)words;
	return cli_call_json(cli, "GET", "/v1/status", NULL, reply, diag);
}

static int report_status(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	print_status(reply->json);
	return CLI_OK;
}

int cli_status(int argc, char *argv[], int first)
{
	const struct cli_command command = {
		.usage = "veer status [--json]",
		.summary = "Shows sites, endpoints with their verdicts, agents and name servers.",
		.call = get_status,
		.report = report_status};
	return cli_command_run(&command, argc, argv, first);
}
