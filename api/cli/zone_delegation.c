/* SPDX-License-Identifier: Apache-2.0 */
/* veer zone delegation: what has to be changed at the parent. Also the lines of veer status about delegations. */
#include <stdio.h>
#include <string.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "api/cli/zone_delegation.h"

enum { SHOWN = 20 };

static bool is_bad(const json_t *item)
{
	const char *state = text_of(item, "state");
	return strcmp(state, "differs") == 0 || strcmp(state, "missing") == 0;
}

/* Print one line for each text of a list. */
static void say_each(const char *before, const json_t *list, const char *after)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)(uintptr_t)list, i, item)
	{
		const char *text = json_string_value(item);
		cli_say("%s%s%s", before, text != NULL ? text : "", after);
	}
}

/* Print "  add    NAME  A 192.0.2.1" for each address. */
static void say_glue(const json_t *glue, const char *what, const char *key)
{
	const char *name = text_of(glue, "name");
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(glue, key), i, item)
	{
		const char *address = json_string_value(item);
		if (address != NULL)
			cli_say("  %s %s %s %s", what, name, strchr(address, ':') != NULL ? "AAAA" : "A", address);
	}
}

static void say_changes(const json_t *d)
{
	char before[1200];
	size_t i;
	json_t *glue;
	if (json_array_size(json_object_get(d, "ns_only_zone")) +
		    json_array_size(json_object_get(d, "ns_only_parent")) +
		    json_array_size(json_object_get(d, "glue")) ==
	    0)
		return; /* the only difference is between the parent's servers */
	cli_say("Change at the parent, or in the zone if the parent is right:");
	(void)snprintf(before, sizeof before, "  add    %s NS ", text_of(d, "zone"));
	say_each(before, json_object_get(d, "ns_only_zone"), "");
	(void)snprintf(before, sizeof before, "  remove %s NS ", text_of(d, "zone"));
	say_each(before, json_object_get(d, "ns_only_parent"), "");
	json_array_foreach(json_object_get(d, "glue"), i, glue)
	{
		say_glue(glue, "add   ", "only_zone");
		say_glue(glue, "remove", "only_parent");
	}
}

static void say_servers(const json_t *servers)
{
	size_t i;
	json_t *server;
	json_array_foreach((json_t *)(uintptr_t)servers, i, server)
	{
		const char *address = text_of(server, "address");
		cli_say("  %s%s%s%s: %s", text_of(server, "name"), address[0] != '\0' ? " (" : "", address,
			address[0] != '\0' ? ")" : "", text_of(server, "result"));
		say_each("    NS ", json_object_get(server, "ns"), "");
	}
}

static int report(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	const json_t *d = reply->json;
	const char *parent = text_of(d, "parent");
	(void)ctx;
	(void)words;
	cli_say("%s: %s: %s", text_of(d, "zone"), text_of(d, "state"), text_of(d, "summary"));
	if (is_bad(d))
		say_changes(d);
	if (parent[0] != '\0')
		cli_say("Asked of the parent, %s%s", parent,
			json_is_true(json_object_get(d, "servers_disagree")) ? " (its servers disagree):" : ":");
	say_servers(json_object_get(d, "servers"));
	say_each("Warning: ", json_object_get(d, "warnings"), "");
	return is_bad(d) ? CLI_FAILED : CLI_OK;
}

static int exit_code(void *ctx, const struct cli_reply *reply)
{
	(void)ctx;
	return is_bad(reply->json) ? CLI_FAILED : CLI_OK;
}

static enum veer_err compare(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			     struct veer_diag *diag)
{
	struct buf path;
	(void)ctx;
	cli_zone_path(&path, words->items[0], "/delegation");
	return cli_call_path(cli, "POST", &path, NULL, reply, diag);
}

int cli_zone_delegation(int argc, char *argv[], int first)
{
	const struct cli_command command = {
		.usage = "veer zone delegation ZONE [--json]",
		.summary = "Asks the servers of the parent zone, now, what they say about ZONE, and prints what is to "
			   "be changed there.\n"
			   "Exits with 1 if it differs from what the zone says, or is missing.",
		.positional_min = 1,
		.positional_max = 1,
		.call = compare,
		.report = report,
		.json_code = exit_code};
	return cli_command_run(&command, argc, argv, first);
}

bool delegations_are_wrong(const json_t *status)
{
	const json_t *delegations = json_object_get(status, "delegations");
	return int_of(delegations, "differs") + int_of(delegations, "missing") > 0;
}

void delegations_print(const json_t *delegations)
{
	int64_t bad = int_of(delegations, "differs") + int_of(delegations, "missing"), shown = 0;
	const json_t *items = json_object_get(delegations, "items");
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)(uintptr_t)items, i, item)
	{
		if (shown == SHOWN)
			break;
		cli_say("DELEGATION of %s %s: %s (veer zone delegation)", text_of(item, "zone"),
			strcmp(text_of(item, "state"), "missing") == 0 ? "is missing" : "differs",
			text_of(item, "summary"));
		shown++;
	}
	if (bad > shown)
		cli_say("… and %lld more zones whose delegation differs or is missing", (long long)(bad - shown));
	if (bad > 0)
		(void)putchar('\n');
}
