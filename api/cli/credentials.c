/* SPDX-License-Identifier: Apache-2.0 */
/* veer token|agent|nameserver list and revoke: which credentials the control plane accepts, and how to end one. */
#include <stdio.h>
#include <string.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "api/cli/table.h"

/* One kind of credential, as the API has it. */
struct kind {
	const char *path;
	const char *what;
};

static const struct kind tokens = {"/v1/tokens", "token"};
static const struct kind agents = {"/v1/agents", "agent"};
static const struct kind nameservers = {"/v1/nameservers", "name server"};

static enum veer_err list(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			  struct veer_diag *diag)
{
	const struct kind *kind = ctx;
	(void)words;
	return cli_call_pages(cli, kind->path, reply, diag);
}

/* Join an array of strings to "a,b". */
static void join(const json_t *array, char *out, size_t size)
{
	size_t i;
	json_t *element;
	struct buf text;
	buf_init(&text, size - 1);
	json_array_foreach((json_t *)(uintptr_t)array, i, element)
	{
		if (i > 0)
			buf_putc(&text, ',');
		buf_puts(&text, json_string_value(element) != NULL ? json_string_value(element) : "?");
	}
	(void)snprintf(out, size, "%s", text.len > 0 ? text.data : "");
	buf_deinit(&text);
}

/* Print "endpoints:a/b,checks:c"; an empty text: the token may touch everything. */
static void print_limits(const json_t *token, char *out, size_t size)
{
	static const char *const limits[] = {"endpoints", "checks", "zones"};
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof limits / sizeof limits[0] && len < size; i++) {
		char names[TABLE_CELL_MAX];
		join(json_object_get(token, limits[i]), names, sizeof names);
		if (names[0] != '\0')
			len += (size_t)snprintf(out + len, size - len, "%s%s:%s", len > 0 ? " " : "", limits[i], names);
	}
}

static int report_tokens(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	static const char *const headings[] = {"ID", "NAME", "SCOPES", "ONLY", "CREATED", "EXPIRES", "LAST USED"};
	struct table *t = table_new(headings, sizeof headings / sizeof headings[0]);
	size_t i;
	json_t *token;
	(void)ctx;
	(void)words;
	json_array_foreach(reply->json, i, token)
	{
		char scopes[TABLE_CELL_MAX], limits[TABLE_CELL_MAX];
		const char *expires = text_of(token, "expires_at"), *used = text_of(token, "last_used_at");
		char end[64];
		(void)snprintf(end, sizeof end, "%.40s%s", expires[0] != '\0' ? expires : "never",
			       json_is_true(json_object_get(token, "expired")) ? " (expired)" : "");
		join(json_object_get(token, "scopes"), scopes, sizeof scopes);
		print_limits(token, limits, sizeof limits);
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(token, "id"), text_of(token, "name"), scopes, limits,
							   text_of(token, "created_at"), end,
							   used[0] != '\0' ? used : "never"});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
	return CLI_OK;
}

static int report_identities(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	static const char *const headings[] = {"ID", "NAME", "REGION", "SITE", "STATE", "ENROLLED"};
	struct table *t = table_new(headings, sizeof headings / sizeof headings[0]);
	size_t i;
	json_t *one;
	(void)ctx;
	(void)words;
	json_array_foreach(reply->json, i, one) if (t != NULL) table_row(
		t, (const char *const[]){text_of(one, "id"), text_of(one, "name"), text_of(one, "region"),
					 text_of(one, "site"), text_of(one, "state"), text_of(one, "created_at")});
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
	return CLI_OK;
}

/* Does `word` name this credential? A name matches only those that are not revoked; an id matches any. */
static bool is_named(const json_t *one, const char *word)
{
	if (strcmp(text_of(one, "id"), word) == 0)
		return true;
	return strcmp(text_of(one, "name"), word) == 0 && strcmp(text_of(one, "state"), "revoked") != 0;
}

/* Find the id for a name or an id; "" and the diag when no credential matches, or several do. */
static void find_id(const struct kind *kind, const json_t *all, const char *word, char *out, size_t size,
		    struct veer_diag *diag)
{
	size_t i, found = 0;
	json_t *one;
	out[0] = '\0';
	json_array_foreach((json_t *)(uintptr_t)all, i, one)
	{
		if (!is_named(one, word))
			continue;
		found++;
		(void)snprintf(out, size, "%s", text_of(one, "id"));
		if (strcmp(out, word) == 0) { /* an id matches exactly one */
			found = 1;
			break;
		}
	}
	if (found == 1)
		return;
	out[0] = '\0';
	if (found == 0)
		(void)veer_fail(diag, VEER_ENOTFOUND, "there is no %s \"%s\"", kind->what, word);
	else
		(void)veer_fail(diag, VEER_EINVAL, "%zu %ss have the name \"%s\": say which by its id", found,
				kind->what, word);
}

static enum veer_err revoke(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			    struct veer_diag *diag)
{
	const struct kind *kind = ctx;
	char id[64];
	enum veer_err err = cli_call_pages(cli, kind->path, reply, diag);
	if (err != VEER_OK)
		return err;
	find_id(kind, reply->json, words->items[0], id, sizeof id, diag);
	cli_reply_deinit(reply);
	if (id[0] == '\0')
		return VEER_ENOTFOUND;
	struct buf path;
	buf_init(&path, 1024);
	buf_printf(&path, "%s/", kind->path);
	cli_encode_segment(&path, id);
	return cli_call_path(cli, "DELETE", &path, NULL, reply, diag);
}

static int report_revoked(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	const struct kind *kind = ctx;
	(void)reply;
	cli_say("%s %s is revoked", kind->what, words->items[0]);
	return CLI_OK;
}

static int run_list(const struct kind *kind, const char *usage, const char *summary,
		    int (*report)(void *, const struct args_list *, const struct cli_reply *), int argc, char *argv[],
		    int first)
{
	const struct cli_command command = {
		.usage = usage, .summary = summary, .ctx = (void *)(uintptr_t)kind, .call = list, .report = report};
	return cli_command_run(&command, argc, argv, first);
}

static int run_revoke(const struct kind *kind, const char *usage, const char *summary, int argc, char *argv[],
		      int first)
{
	const struct cli_command command = {.usage = usage,
					    .summary = summary,
					    .positional_min = 1,
					    .positional_max = 1,
					    .ctx = (void *)(uintptr_t)kind,
					    .call = revoke,
					    .report = report_revoked};
	return cli_command_run(&command, argc, argv, first);
}

int cli_token_list(int argc, char *argv[], int first)
{
	return run_list(&tokens, "veer token list [--json]",
			"Lists the tokens of the REST API, what they may touch, and when they were used last.",
			report_tokens, argc, argv, first);
}

int cli_token_revoke(int argc, char *argv[], int first)
{
	return run_revoke(&tokens, "veer token revoke NAME|ID", "Ends a token: it is refused from now on.", argc, argv,
			  first);
}

int cli_agent_list(int argc, char *argv[], int first)
{
	return run_list(&agents, "veer agent list [--json]", "Lists the probe agents that were enrolled.",
			report_identities, argc, argv, first);
}

int cli_agent_revoke(int argc, char *argv[], int first)
{
	return run_revoke(&agents, "veer agent revoke NAME|ID",
			  "Ends an agent's credential; what it has reported counts no more. Once more, with its id, "
			  "forgets it.",
			  argc, argv, first);
}

int cli_nameserver_list(int argc, char *argv[], int first)
{
	return run_list(&nameservers, "veer nameserver list [--json]", "Lists the name servers that were enrolled.",
			report_identities, argc, argv, first);
}

int cli_nameserver_revoke(int argc, char *argv[], int first)
{
	return run_revoke(&nameservers, "veer nameserver revoke NAME|ID",
			  "Ends a name server's credential: it gets no more of the feed, and answers with what it has. "
			  "Once more, with its id, forgets it.",
			  argc, argv, first);
}
