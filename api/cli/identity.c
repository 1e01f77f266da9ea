/* SPDX-License-Identifier: Apache-2.0 */
/* veer token create, veer agent enrol. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cli/cli.h"
#include "base/file.h"

int cli_token_create(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_list scopes = {0};
	const char *name = NULL;
	struct args_option table[2 + CLI_OPTION_COUNT] = {
		{.name = "name",
		 .kind = ARGS_STRING,
		 .target = &name,
		 .value = "NAME",
		 .required = true,
		 .help = "who will use it"},
		{.name = "scope",
		 .kind = ARGS_LIST,
		 .target = &scopes,
		 .value = "SCOPE",
		 .help = "admin (default), zones:read, zones:write, health:read, health:write, health:push, agents, "
			 "tokens, "
			 "feed:read; may repeat"},
	};
	struct args_spec spec = {
		.usage = "veer token create --name NAME [--scope SCOPE]...",
		.summary = "Makes a token for the REST API. It is printed once and cannot be read again."};
	int code = cli_parse(&cli, &args, &spec, table, 2, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply;
	json_t *list = json_array();
	for (size_t i = 0; i < scopes.count; i++)
		(void)json_array_append_new(list, json_string(scopes.items[i]));
	if (scopes.count == 0)
		(void)json_array_append_new(list, json_string("admin"));
	json_t *body = json_pack("{s:s, s:o}", "name", name, "scopes", list);
	enum veer_err err = cli_call_json(&cli, "POST", "/v1/tokens", body, &reply, &diag);
	const char *token = json_string_value(json_object_get(reply.json, "token"));
	if (err != VEER_OK)
		code = cli_fail(&diag);
	else if (cli.as_json)
		code = cli_print_json(reply.json);
	else
		code = printf("%s\n", token != NULL ? token : "") < 0 ? CLI_FAILED : CLI_OK;
	cli_reply_deinit(&reply);
	args_deinit(&args);
	return code;
}

/* The token into a file that only its owner reads, or onto stdout with the way to use it. */
static int hand_out(const char *token, const char *region, const char *file)
{
	struct veer_diag diag = {""};
	if (file == NULL) {
		(void)printf("%s\n", token);
		(void)fprintf(stderr,
			      "The token works once, for 24 hours. On the agent's host, put it into a file and run:\n"
			      "  veer-probe --api https://THIS-HOST:PORT --token-file FILE --state /var/lib/veer-probe "
			      "--region %s\n",
			      region);
		return CLI_OK;
	}
	char line[256];
	int len = snprintf(line, sizeof line, "%s\n", token);
	return file_write_atomic(file, line, (size_t)len, 0600, &diag) == VEER_OK ? CLI_OK : cli_fail(&diag);
}

int cli_agent_enrol(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	const char *name = NULL, *region = NULL, *out = NULL, *site = NULL;
	struct args_option table[4 + CLI_OPTION_COUNT] = {
		{.name = "name",
		 .kind = ARGS_STRING,
		 .target = &name,
		 .value = "NAME",
		 .required = true,
		 .help = "the agent's name"},
		{.name = "region",
		 .kind = ARGS_STRING,
		 .target = &region,
		 .value = "REGION",
		 .required = true,
		 .help = "where it will probe from"},
		{.name = "site",
		 .kind = ARGS_STRING,
		 .target = &site,
		 .value = "SITE",
		 .help = "the site it stands at, if any"},
		{.name = "out",
		 .kind = ARGS_STRING,
		 .target = &out,
		 .value = "FILE",
		 .help = "write the token here instead of printing it"},
	};
	struct args_spec spec = {.usage = "veer agent enrol --name NAME --region REGION [--out FILE]",
				 .summary = "Announces a probe agent: makes the one-use token it enrols with."};
	int code = cli_parse(&cli, &args, &spec, table, 4, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply;
	json_t *body = json_pack("{s:s, s:s, s:s*}", "name", name, "region", region, "site", site);
	enum veer_err err = cli_call_json(&cli, "POST", "/v1/agents", body, &reply, &diag);
	const char *token = json_string_value(json_object_get(reply.json, "token"));
	if (err != VEER_OK)
		code = cli_fail(&diag);
	else if (cli.as_json)
		code = cli_print_json(reply.json);
	else
		code = hand_out(token != NULL ? token : "", region, out);
	cli_reply_deinit(&reply);
	args_deinit(&args);
	return code;
}
