/* SPDX-License-Identifier: Apache-2.0 */
/* veer status: the state of the whole service on one page. */
#include <stdio.h>
#include <string.h>

#include "api/cli/fields.h"
#include "api/cli/status_impl.h"
#include "api/cli/table.h"
#include "api/cli/zone_delegation.h"

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
		else if (json_is_true(json_object_get(a, "runner_lost")))
			(void)snprintf(state, sizeof state, "%s, runs no programs: restart it", text_of(a, "state"));
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(a, "name"), text_of(a, "id"), text_of(a, "region"),
							   state, heard});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

/* Print "without geoip, query_log": the parts that the name server runs without. */
static void explain_degraded(const json_t *server, char *out)
{
	const json_t *parts = json_object_get(server, "degraded");
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < json_array_size(parts) && len + 1 < CELL; i++) {
		int n = snprintf(out + len, CELL - len, "%s%s", i == 0 ? "without " : ", ",
				 json_string_value(json_array_get(parts, i)));
		len += n > 0 ? (size_t)n : 0;
	}
}

/* Explain in words what is wrong with a name server. */
static void explain_nameserver(const json_t *s, char *out)
{
	const json_t *quarantine = json_object_get(s, "quarantine");
	const char *why = text_of(quarantine, "why");
	out[0] = '\0';
	if (strcmp(why, "zone_lost") == 0)
		(void)snprintf(out, CELL, "QUARANTINE: does not follow a store without the zone %s",
			       text_of(quarantine, "zone"));
	else if (quarantine != NULL)
		(void)snprintf(out, CELL, "QUARANTINE: does not follow the store %.8s…: %s",
			       text_of(quarantine, "store_id"),
			       strcmp(why, "abandoned") == 0 ? "it was left for another" : "it is not what it served");
	else if (strcmp(text_of(s, "content"), "different") == 0)
		(void)snprintf(out, CELL, "DIFFERENT from the store");
	else
		explain_degraded(s, out);
}

static void print_nameservers(const json_t *servers, int64_t newest)
{
	static const char *const headings[] = {"NAME SERVER", "ID",      "STATE", "REVISION",
					       "ZONES",       "QUERIES", "HEARD", "NOTE"};
	struct table *t = table_new(headings, 8);
	size_t i;
	json_t *s;
	json_array_foreach((json_t *)(uintptr_t)servers, i, s)
	{
		char revision[CELL] = "", zones[CELL] = "", queries[CELL] = "", heard[CELL], note[CELL];
		int64_t at = int_of(s, "revision");
		if (json_object_get(s, "revision") != NULL) {
			(void)snprintf(revision, sizeof revision, "%lld%s", (long long)at,
				       at < newest ? " (behind)" : "");
			(void)snprintf(zones, sizeof zones, "%lld", (long long)int_of(s, "zones"));
			(void)snprintf(queries, sizeof queries, "%lld", (long long)int_of(s, "queries"));
		}
		age_text(int_of(s, "heard_ms_ago"), heard);
		explain_nameserver(s, note);
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(s, "name"), text_of(s, "id"), text_of(s, "state"),
							   revision, zones, queries, heard, note});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

/* Print the name servers that have rules on locations but no database of locations. */
static void print_locations(const json_t *servers)
{
	size_t i;
	json_t *s;
	json_array_foreach((json_t *)(uintptr_t)servers, i, s)
	{
		if (int_of(s, "location_policies") > 0 && int_of(s, "location_networks") == 0)
			cli_say("%s has no location database (--geoip): no location rule matches there, clients are "
				"given "
				"\"else\" (%lld policies)",
				text_of(s, "name"), (long long)int_of(s, "location_policies"));
	}
}

/* Print the policies that do not answer with what is up, and what they answer with. */
static void print_policies(const json_t *policies)
{
	static const char *const headings[] = {"POLICY", "STATE", "TYPE", "ANSWERS"};
	const json_t *items = json_object_get(policies, "items");
	struct table *t = json_array_size(items) > 0 ? table_new(headings, 4) : NULL;
	size_t i, k, n;
	json_t *p, *type, *endpoint;
	json_array_foreach((json_t *)(uintptr_t)items, i, p)
	{
		json_array_foreach(json_object_get(p, "types"), k, type)
		{
			char answers[CELL] = "";
			json_array_foreach(json_object_get(type, "endpoints"), n, endpoint)
			{
				size_t len = strlen(answers);
				(void)snprintf(answers + len, sizeof answers - len, "%s%s", len > 0 ? " " : "",
					       json_string_value(endpoint));
			}
			if (t != NULL)
				table_row(t, (const char *const[]){text_of(p, "policy"), text_of(type, "state"),
								   text_of(type, "type"), answers});
		}
	}
	if (t == NULL)
		return;
	table_print(t, stdout);
	(void)putchar('\n');
	table_free(&t);
}

/* Is there anything that an administrator should look at? */
static bool is_wrong(const json_t *status)
{
	size_t i;
	json_t *item;
	const json_t *policies = json_object_get(status, "policies");
	bool is = strcmp(text_of(status, "controller"), "acting") != 0 || delegations_are_wrong(status) ||
		  int_of(policies, "fail_open") + int_of(policies, "fallback") + int_of(policies, "servfail") > 0;
	json_array_foreach(json_object_get(status, "endpoints"), i, item) is =
		is || strcmp(text_of(item, "state"), "down") == 0 || strcmp(text_of(item, "wait"), "no_quorum") == 0;
	json_array_foreach(json_object_get(status, "agents"), i, item) is =
		is ||
		(strcmp(text_of(item, "state"), "reporting") != 0 && strcmp(text_of(item, "state"), "revoked") != 0) ||
		json_is_true(json_object_get(item, "runner_lost"));
	json_array_foreach(json_object_get(status, "nameservers"), i, item) is =
		is || strcmp(text_of(item, "state"), "serving") != 0 ||
		json_array_size(json_object_get(item, "degraded")) > 0;
	return is;
}

static void print_status(const json_t *status, const struct status_filter *filter)
{
	(void)printf("Controller %s (election %lld), revision %lld\n\n", text_of(status, "controller"),
		     (long long)int_of(status, "election"), (long long)int_of(status, "revision"));
	print_settings(json_object_get(status, "settings"));
	delegations_print(json_object_get(status, "delegations"));
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
	status_print_summary(json_object_get(status, "endpoints"));
	print_policies(json_object_get(status, "policies"));
	status_print_endpoints(json_object_get(status, "endpoints"), filter);
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
	const struct status_filter *filter = ctx;
	(void)words;
	print_status(reply->json, filter);
	return filter->is_check && is_wrong(reply->json) ? CLI_FAILED : CLI_OK;
}

int cli_status(int argc, char *argv[], int first)
{
	struct status_filter filter = {.site = NULL};
	const struct args_option options[] = {
		{.name = "site",
		 .kind = ARGS_STRING,
		 .target = &filter.site,
		 .value = "SITE",
		 .help = "only endpoints at this site"},
		{.name = "pool",
		 .kind = ARGS_STRING,
		 .target = &filter.pool,
		 .value = "POOL",
		 .help = "only endpoints of this pool"},
		{.name = "down", .kind = ARGS_FLAG, .target = &filter.is_down, .help = "only endpoints that are down"},
		{.name = "all",
		 .kind = ARGS_FLAG,
		 .target = &filter.shows_all,
		 .help = "all endpoints, where there are more than 40"},
		{.name = "check",
		 .kind = ARGS_FLAG,
		 .target = &filter.is_check,
		 .help = "exit with 1 if something is wrong"},
	};
	const struct cli_command command = {
		.usage = "veer status [--site SITE] [--pool POOL] [--down] [--all] [--check] [--json]",
		.summary = "Shows sites, endpoints with their verdicts, policies that do not answer with what is up, "
			   "agents and name\n"
			   "servers. Of more than 40 endpoints only those that something is to be said of.",
		.options = options,
		.option_count = sizeof options / sizeof options[0],
		.ctx = &filter,
		.call = get_status,
		.report = report_status};
	return cli_command_run(&command, argc, argv, first);
}
