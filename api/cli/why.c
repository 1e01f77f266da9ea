/* SPDX-License-Identifier: Apache-2.0 */
/*
 * veer why: the state of an endpoint, what each agent reports about it, and its last change step by step. veer
 * transitions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "api/cli/table.h"
#include "base/buf.h"

enum { CELL = 128 };

static void say_override(const json_t *e)
{
	const json_t *o = json_object_get(e, "override");
	const char *action = text_of(o, "action"), *expires = text_of(o, "expires_at");
	if (!json_is_object(o))
		return;
	cli_say("Override     %s by %s since %s%s%s: %s",
		strcmp(action, "drain") == 0 ? "drained"
		: strcmp(action, "up") == 0  ? "forced up"
					     : "forced down",
		text_of(o, "owner"), text_of(o, "created_at"), expires[0] != '\0' ? ", until " : "", expires,
		text_of(o, "reason"));
	if (text_of(o, "source")[0] != '\0')
		cli_say("             from %s", text_of(o, "source"));
}

static void say_brake(const json_t *e)
{
	const json_t *b = json_object_get(e, "brake");
	const char *domain = text_of(b, "domain");
	cli_say("Waiting      for the brake: %lld of at most %lld removals in 60 s are used%s%s; %lld endpoints wait, "
		"the "
		"next "
		"place is free in %lld ms",
		(long long)int_of(b, "removed"), (long long)int_of(b, "limit"), domain[0] != '\0' ? ", all in " : "",
		domain, (long long)int_of(b, "held"), (long long)int_of(b, "frees_ms"));
}

/* Say why nothing changes. */
static void say_wait(const json_t *e)
{
	const char *wait = text_of(e, "wait");
	if (strcmp(wait, "no_check") == 0)
		cli_say("Waiting      nobody checks it");
	else if (strcmp(wait, "no_quorum") == 0)
		cli_say("Waiting      for a quorum: %lld of %lld needed agents speak, so the verdict is held",
			(long long)int_of(e, "fresh"), (long long)int_of(e, "quorum"));
	else if (strcmp(wait, "no_regions") == 0)
		cli_say("Waiting      for more regions: agents of %lld regions speak, %lld are needed",
			(long long)int_of(e, "regions_fresh"), (long long)int_of(e, "regions"));
	else if (strcmp(wait, "commit") == 0)
		cli_say("Waiting      for the store");
	else if (strcmp(wait, "hold") == 0)
		cli_say("Waiting      up again, but held for another %lld of %lld ms",
			(long long)int_of(e, "hold_left_ms"), (long long)int_of(e, "hold_ms"));
	else if (strcmp(wait, "brake") == 0)
		say_brake(e);
	else if (strcmp(wait, "frozen") == 0)
		cli_say("Waiting      a change is due, but everything is frozen");
}

static void say_freeze(const json_t *e)
{
	const json_t *freeze = json_object_get(e, "freeze");
	if (json_is_true(json_object_get(freeze, "on")))
		cli_say("Frozen       no verdict changes, by %s since %s: %s", text_of(freeze, "owner"),
			text_of(freeze, "since"), text_of(freeze, "reason"));
}

/* Is the endpoint in the answers? What policies hand out now decides that, whatever the verdict is. */
static const char *place_of(const json_t *e)
{
	bool is_eligible = json_is_true(json_object_get(e, "eligible"));
	bool is_answered = json_array_size(json_object_get(e, "answered_by")) > 0;
	if (is_answered)
		return is_eligible ? "in the answers" : "down or taken out, and still handed out";
	return is_eligible ? "eligible, but in no policy's answers now" : "out of the answers";
}

/* Name the policies that hand the endpoint out, and those of them that have nothing better. */
static void say_answered(const json_t *e)
{
	size_t i;
	json_t *p;
	json_array_foreach(json_object_get(e, "answered_by"), i, p)
	{
		const char *state = text_of(p, "state");
		cli_say("Answered by  policy %s (%s)%s", text_of(p, "policy"), text_of(p, "type"),
			strcmp(state, "fail_open") == 0  ? ": it fails open, nothing better is left"
			: strcmp(state, "fallback") == 0 ? ": as its last resort"
							 : "");
	}
}

static void say_present(const json_t *e)
{
	const json_t *verdict = json_object_get(e, "verdict");
	cli_say("%s is %s: %s at site %s", text_of(e, "endpoint"), place_of(e), text_of(e, "address"),
		text_of(e, "site"));
	(void)putchar('\n');
	say_answered(e);
	if (json_is_object(verdict))
		cli_say("Verdict      %s since %s: %s (check %s)", text_of(e, "state"), text_of(verdict, "at"),
			text_of(verdict, "reason"), text_of(verdict, "check"));
	else
		cli_say("Verdict      %s%s", text_of(e, "state"),
			strcmp(text_of(e, "state"), "unknown") == 0 ? ", which counts as up" : "");
	if (strcmp(text_of(e, "site_state"), "out") == 0)
		cli_say("Site         %s was taken out", text_of(e, "site"));
	say_override(e);
	say_freeze(e);
	say_wait(e);
	if (json_is_true(json_object_get(e, "doubted")))
		cli_say("In doubt     for %lld ms: answers with it carry the short TTL",
			(long long)int_of(e, "doubted_ms"));
	if (strcmp(text_of(e, "controller"), "acting") != 0)
		cli_say("Controller   %s", text_of(e, "controller"));
}

static const char *state_word(const char *letter)
{
	switch (letter[0]) {
	case 'u':
		return "up";
	case 'd':
		return "down";
	case 'f':
		return "failing";
	default:
		return "unknown";
	}
}

static void print_votes(const json_t *votes)
{
	static const char *const headings[] = {"AGENT", "REGION", "CHECK", "SAYS", "REASON", "TAKES", "AGE", "NOTE"};
	struct table *t = table_new(headings, 8);
	size_t i;
	json_t *v;
	json_array_foreach((json_t *)(uintptr_t)votes, i, v)
	{
		char age[CELL], takes[CELL] = "", note[CELL] = "";
		int64_t rtt_us = int_of(v, "rtt_us");
		const char *mark = text_of(v, "not_counted"), *name = text_of(v, "name");
		const char *said = mark[0] != '\0' ? text_of(v, "said") : text_of(v, "state");
		const json_t *suspicion = json_object_get(v, "suspicion");
		(void)snprintf(age, sizeof age, "%lld ms", (long long)int_of(v, "age_ms"));
		if (rtt_us > 0)
			(void)snprintf(takes, sizeof takes, "%.1f ms", (double)rtt_us / 1000);
		if (strcmp(mark, "suspect") == 0 && suspicion != NULL)
			(void)snprintf(note, sizeof note, "not counted: suspect, others contradict it at %lld of %lld",
				       (long long)int_of(suspicion, "contradicted"),
				       (long long)int_of(suspicion, "compared"));
		else if (mark[0] != '\0')
			(void)snprintf(note, sizeof note, "not counted: %s", mark);
		else if (text_of(v, "text")[0] != '\0')
			(void)snprintf(note, sizeof note, "%s: %s", text_of(v, "by"), text_of(v, "text"));
		if (t != NULL)
			table_row(t, (const char *const[]){name[0] != '\0' ? name : text_of(v, "agent"),
							   text_of(v, "region"), text_of(v, "check"), state_word(said),
							   text_of(v, "reason"), takes, age, note});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

static void print_pushes(const json_t *pushes)
{
	size_t i;
	json_t *p;
	json_array_foreach((json_t *)(uintptr_t)pushes, i, p)
		cli_say("Pushed       %s by %s %lld ms ago for check %s: %s", text_of(p, "state"), text_of(p, "by"),
			(long long)int_of(p, "age_ms"), text_of(p, "check"), text_of(p, "text"));
}

/* Print one step: the time since the first observation and since the previous step, in milliseconds. */
static void step(const json_t *steps, const char *key, const char *what, int64_t *before_us)
{
	const json_t *value = json_object_get(steps, key);
	if (!json_is_integer(value))
		return;
	int64_t us = (int64_t)json_integer_value(value);
	cli_say("  %10.3f ms  %+10.3f   %s", (double)us / 1000, (double)(us - *before_us) / 1000, what);
	*before_us = us;
}

static void print_servers(const json_t *servers, int64_t before_us)
{
	size_t i;
	json_t *s;
	json_array_foreach((json_t *)(uintptr_t)servers, i, s)
	{
		int64_t received = int_of(s, "received_us"), applied = int_of(s, "applied_us");
		cli_say("  %10.3f ms  %+10.3f   %s has it", (double)received / 1000,
			(double)(received - before_us) / 1000, text_of(s, "name"));
		cli_say("  %10.3f ms  %+10.3f   %s answers from it", (double)applied / 1000,
			(double)(applied - received) / 1000, text_of(s, "name"));
	}
}

static void print_transition(const json_t *t)
{
	const json_t *steps = json_object_get(t, "steps");
	bool is_down = strcmp(text_of(t, "to"), "down") == 0;
	int64_t before_us = 0;
	cli_say("Last change  %s -> %s at %s: %s (check %s, quorum %lld)", text_of(t, "from"), text_of(t, "to"),
		text_of(t, "at"), text_of(t, "reason"), text_of(t, "check"), (long long)int_of(t, "quorum"));
	step(steps, "observed_us", is_down ? "first failed observation" : "first good observation", &before_us);
	step(steps, "reported_us", "the controller heard of it", &before_us);
	step(steps, "confirm_us", "the other agents were asked to look at once", &before_us);
	step(steps, "decided_us", "decided", &before_us);
	step(steps, "commit_us", "sent to the store", &before_us);
	step(steps, "committed_us", "committed", &before_us);
	step(steps, "fed_us", "fed to the name servers", &before_us);
	print_servers(json_object_get(t, "nameservers"), before_us);
	(void)putchar('\n');
	print_votes(json_object_get(t, "votes"));
}

static void print_why(const json_t *endpoint)
{
	const json_t *last = json_object_get(endpoint, "last_transition");
	say_present(endpoint);
	print_pushes(json_object_get(endpoint, "pushes"));
	(void)putchar('\n');
	print_votes(json_object_get(endpoint, "votes"));
	if (last == NULL)
		return;
	(void)putchar('\n');
	print_transition(last);
}

/* Get the endpoint and, added to it, its last transition, if there was one. */
static enum veer_err get_why(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			     struct veer_diag *diag)
{
	(void)ctx;
	const char *endpoint = words->items[0], *slash = strchr(endpoint, '/');
	cli->is_misused = slash == NULL || slash == endpoint || slash[1] == '\0';
	if (cli->is_misused)
		return veer_fail(diag, VEER_EINVAL, "\"%s\" is not POOL/ENDPOINT", endpoint);
	struct cli_reply transitions = {0};
	struct buf path, query;
	buf_init(&path, 4096);
	buf_init(&query, 4096);
	cli_endpoint_path(&path, "/v1/endpoints/", endpoint);
	buf_puts(&query, "/v1/transitions?limit=1&endpoint=");
	cli_encode_segment(&query, endpoint);
	enum veer_err err = cli_call_path(cli, "GET", &path, NULL, reply, diag);
	if (err == VEER_OK)
		err = cli_call_json(cli, "GET", query.data, NULL, &transitions, diag);
	if (err == VEER_OK)
		(void)json_object_set(reply->json, "last_transition",
				      json_array_get(json_object_get(transitions.json, "items"), 0));
	cli_reply_deinit(&transitions);
	buf_deinit(&query);
	return err;
}

static int report_why(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	print_why(reply->json);
	return CLI_OK;
}

int cli_why(int argc, char *argv[], int first)
{
	const struct cli_command command = {
		.usage = "veer why POOL/ENDPOINT",
		.summary = "Explains how an endpoint stands, and its last change in milliseconds.",
		.positional_min = 1,
		.positional_max = 1,
		.call = get_why,
		.report = report_why};
	return cli_command_run(&command, argc, argv, first);
}

static void print_transitions(const json_t *items)
{
	static const char *const headings[] = {"AT", "ENDPOINT", "CHANGE", "REASON", "CHECK", "TOOK", "ID"};
	struct table *table = table_new(headings, 7);
	size_t i;
	json_t *t;
	json_array_foreach((json_t *)(uintptr_t)items, i, t)
	{
		char change[CELL], took[CELL];
		const json_t *steps = json_object_get(t, "steps");
		const char *last = json_object_get(steps, "fed_us") != NULL ? "fed_us" : "decided_us";
		(void)snprintf(change, sizeof change, "%s -> %s", text_of(t, "from"), text_of(t, "to"));
		(void)snprintf(took, sizeof took, "%.1f ms", (double)int_of(steps, last) / 1000);
		if (table != NULL)
			table_row(table, (const char *const[]){text_of(t, "at"), text_of(t, "endpoint"), change,
							       text_of(t, "reason"), text_of(t, "check"), took,
							       text_of(t, "id")});
	}
	if (table != NULL)
		table_print(table, stdout);
	table_free(&table);
}

struct transitions_args {
	const char *endpoint;
	int64_t limit;
};

static enum veer_err get_transitions(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				     struct veer_diag *diag)
{
	(void)words;
	const struct transitions_args *a = ctx;
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "/v1/transitions?limit=%lld", (long long)a->limit);
	if (a->endpoint != NULL) {
		buf_puts(&path, "&endpoint=");
		cli_encode_segment(&path, a->endpoint);
	}
	enum veer_err err = cli_call_path(cli, "GET", &path, NULL, reply, diag);
	cli_reply_pick(reply, "items");
	return err;
}

static int report_transitions(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	print_transitions(reply->json);
	return CLI_OK;
}

int cli_transitions(int argc, char *argv[], int first)
{
	struct transitions_args a = {.limit = 20};
	const struct args_option options[] = {
		{.name = "endpoint",
		 .kind = ARGS_STRING,
		 .target = &a.endpoint,
		 .value = "POOL/NAME",
		 .help = "only of this one"},
		{.name = "limit",
		 .kind = ARGS_INT,
		 .target = &a.limit,
		 .value = "N",
		 .min = 1,
		 .max = 1000,
		 .help = "how many (20)"},
	};
	const struct cli_command command = {.usage = "veer transitions [--endpoint POOL/NAME] [--limit N] [--json]",
					    .summary = "Shows the latest changes of verdicts, the newest first.",
					    .options = options,
					    .option_count = sizeof options / sizeof options[0],
					    .ctx = &a,
					    .call = get_transitions,
					    .report = report_transitions};
	return cli_command_run(&command, argc, argv, first);
}
