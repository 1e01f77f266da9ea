/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/command.h"

#include <stdio.h>
#include <string.h>

#include "api/cli/fields.h"

static int finish(const struct cli_command *command, const struct cli *cli, const struct args_list *words,
		  const struct cli_reply *reply)
{
	if (cli->as_json && reply->json != NULL) {
		int code = cli_print_json(reply->json);
		return code == CLI_OK && command->json_code != NULL ? command->json_code(command->ctx, reply) : code;
	}
	return command->report != NULL ? command->report(command->ctx, words, reply) : CLI_OK;
}

static int fail(const struct cli *cli, const struct veer_diag *diag)
{
	int code = cli_fail(diag);
	return cli->is_misused ? CLI_USAGE : code;
}

int cli_command_run(const struct cli_command *command, int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_table table = {.count = 0};
	struct args_spec spec = {.usage = command->usage,
				 .summary = command->summary,
				 .positional_min = command->positional_min,
				 .positional_max = command->positional_max};
	args_table_add(&table, command->options, command->option_count);
	int code = cli_parse(&cli, &args, &spec, table.options, table.count, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	if (command->call(command->ctx, &cli, &args.positional, &reply, &diag) != VEER_OK)
		code = fail(&cli, &diag);
	else
		code = finish(command, &cli, &args.positional, &reply);
	cli_reply_deinit(&reply);
	args_deinit(&args);
	return code;
}

enum veer_err cli_call_path(struct cli *cli, const char *method, struct buf *path, json_t *body,
			    struct cli_reply *reply, struct veer_diag *diag)
{
	enum veer_err err = cli_call_json(cli, method, path->data, body, reply, diag);
	buf_deinit(path);
	return err;
}

enum veer_err cli_call_pages(struct cli *cli, const char *path, struct cli_reply *reply, struct veer_diag *diag)
{
	json_t *all = json_array();
	char after[2200] = "";
	enum veer_err err;
	do {
		struct buf page;
		buf_init(&page, 16384);
		buf_printf(&page, "%s?limit=1000", path);
		if (after[0] != '\0') {
			buf_puts(&page, "&after=");
			cli_encode_segment(&page, after);
		}
		cli_reply_deinit(reply);
		err = cli_call_path(cli, "GET", &page, NULL, reply, diag);
		(void)snprintf(after, sizeof after, "%s", text_of(reply->json, "next"));
		if (err == VEER_OK)
			(void)json_array_extend(all, json_object_get(reply->json, "items"));
	} while (err == VEER_OK && after[0] != '\0');
	json_decref(reply->json);
	reply->json = all;
	return err;
}

void cli_reply_pick(struct cli_reply *reply, const char *key)
{
	json_t *member = json_incref(json_object_get(reply->json, key));
	json_decref(reply->json);
	reply->json = member;
}

json_t *cli_names_json(const struct args_list *names)
{
	json_t *list = json_array();
	for (size_t i = 0; i < names->count; i++)
		(void)json_array_append_new(list, json_string(names->items[i]));
	return list;
}
