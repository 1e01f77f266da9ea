/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/http.h"
#include "base/loop.h"
#include "base/node/link.h"

enum { REPLY_MAX = 1 << 30, CALL_TIMEOUT_MS = 600000, LINE = 512 };

void cli_options(struct cli *cli, struct args_option out[CLI_OPTION_COUNT])
{
	out[0] = (struct args_option){.name = "api",
				      .kind = ARGS_STRING,
				      .target = &cli->api,
				      .value = "URL|unix:PATH",
				      .help = "where veer-api is (default: $VEER_API, then this host's socket)"};
	out[1] = (struct args_option){.name = "token",
				      .kind = ARGS_STRING,
				      .target = &cli->token,
				      .value = "TOKEN",
				      .help = "API token (default: $VEER_TOKEN; not needed on the socket)"};
	out[2] = (struct args_option){
		.name = "token-file",
		.kind = ARGS_STRING,
		.target = &cli->token_file,
		.value = "FILE",
		.help = "read the API token from a file, which other users of this host do not see"};
	out[3] = (struct args_option){.name = "ca-file",
				      .kind = ARGS_STRING,
				      .target = &cli->ca,
				      .value = "FILE",
				      .help = "PEM certificates to trust instead of the system's"};
	out[4] = (struct args_option){.name = "json", .kind = ARGS_FLAG, .target = &cli->as_json, .help = "print JSON"};
}

/* The list of processes shows arguments, so the token's is overwritten as soon as it was read. */
static enum veer_err hold_token(struct cli *cli, struct veer_diag *diag)
{
	if (cli->token != NULL && cli->token_file != NULL)
		return veer_fail(diag, VEER_EINVAL, "--token and --token-file exclude each other");
	if (cli->token_file != NULL) {
		enum veer_err err = file_read_line(cli->token_file, cli->held, sizeof cli->held, diag);
		cli->token = cli->held;
		return err;
	}
	if (cli->token == NULL)
		return VEER_OK;
	size_t len = strlen(cli->token);
	if (len >= sizeof cli->held)
		return veer_fail(diag, VEER_ERANGE, "--token is longer than %zu characters", sizeof cli->held - 1);
	memcpy(cli->held, cli->token, len + 1);
	memset((char *)(uintptr_t)cli->token, 'x', len);
	cli->token = cli->held;
	return VEER_OK;
}

/* A token must not be sent unencrypted. */
static enum veer_err check_url(const char *url, struct veer_diag *diag)
{
	/* here the path of a Unix socket may be relative */
	return strncmp(url, "unix:", 5) == 0 ? VEER_OK : link_url_check(url, diag);
}

int cli_parse(struct cli *cli, struct args *args, struct args_spec *spec, struct args_option *table, size_t own,
	      int argc, char *argv[], int first)
{
	struct veer_diag diag = {""};
	cli_options(cli, table + own);
	spec->options = table;
	spec->option_count = own + CLI_OPTION_COUNT;
	*args = (struct args){0};
	enum veer_err err = args_parse(args, spec, argc, argv, first, &diag);
	if (err == VEER_OK && args->wants_help) {
		struct buf help;
		buf_init(&help, 65536);
		args_help(spec, &help);
		(void)fputs(help.data, stdout);
		buf_deinit(&help);
		args_deinit(args);
		return CLI_OK;
	}
	if (err == VEER_OK && args->wants_version) { /* the rest of the command line was not checked */
		(void)printf("veer %s\n", VEER_VERSION);
		args_deinit(args);
		return CLI_OK;
	}
	if (err == VEER_OK)
		err = args_check_required(args, &diag);
	if (err == VEER_OK)
		err = hold_token(cli, &diag);
	if (err == VEER_OK && cli_find_api(cli) != NULL)
		err = check_url(cli_find_api(cli), &diag);
	if (err == VEER_OK)
		return -1;
	(void)fprintf(stderr, "veer: %s\n", diag.text);
	args_deinit(args);
	return CLI_USAGE;
}

const char *cli_find_api(struct cli *cli)
{
	static const char installed[] = "/var/lib/veer/api.sock";
	if (cli->api != NULL)
		return cli->api;
	if (getenv("VEER_API") != NULL)
		return getenv("VEER_API");
	(void)snprintf(cli->found, sizeof cli->found, "unix:%s", installed);
	if (access(installed, F_OK) == 0)
		return cli->found;
	ssize_t len = readlink("/proc/self/exe", cli->found + 5, sizeof cli->found - 64);
	if (len <= 0)
		return NULL;
	cli->found[5 + len] = '\0';
	char *slash = strrchr(cli->found, '/');
	(void)snprintf(slash, 64, "/demo/state/api.sock");
	return access(cli->found + 5, F_OK) == 0 ? cli->found : NULL;
}

void cli_reply_deinit(struct cli_reply *reply)
{
	free(reply->text);
	json_decref(reply->json);
	*reply = (struct cli_reply){0};
}

/* What a call keeps while it waits for its exchange. */
struct call {
	struct loop *loop;
	struct cli_reply *reply;
	struct veer_diag *diag;
	enum veer_err err;
};

static void explain_status(struct call *call)
{
	const char *detail = json_string_value(json_object_get(call->reply->json, "detail"));
	call->err = VEER_EINVAL;
	if (detail != NULL)
		(void)veer_fail(call->diag, VEER_EINVAL, "%s", detail);
	else
		(void)veer_fail(call->diag, VEER_EINVAL, "the API answered with status %d", call->reply->status);
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct call *call = ctx;
	loop_stop(call->loop);
	call->err = result->err;
	if (result->err != VEER_OK) {
		(void)veer_fail(call->diag, result->err, "%s", result->error);
		return;
	}
	call->reply->status = result->status;
	call->reply->len = result->body_len;
	call->reply->text = malloc(result->body_len + 1);
	if (call->reply->text == NULL) {
		call->err = VEER_ENOMEM;
		return;
	}
	memcpy(call->reply->text, result->body, result->body_len + 1);
	(void)veer_json_parse(result->body, result->body_len, REPLY_MAX, &call->reply->json, NULL);
	if (result->status >= 400)
		explain_status(call);
}

enum veer_err cli_call(struct cli *cli, const char *method, const char *path, const char *body, size_t body_len,
		       const char *content_type, struct cli_reply *reply, struct veer_diag *diag)
{
	const char *url = cli_find_api(cli);
	*reply = (struct cli_reply){0};
	if (url == NULL)
		return veer_fail(diag, VEER_ENOTFOUND,
				 "no veer-api found on this host: start one (veer run), or say where it is with --api");
	struct veer_diag why = {""};
	struct call call = {.loop = loop_new(veer_clock_system()), .reply = reply, .diag = &why};
	struct http_client *client = call.loop != NULL ? http_client_new(call.loop) : NULL;
	const char *token = cli->token != NULL ? cli->token : getenv("VEER_TOKEN");
	const char *const headers[] = {cli->condition[0] != '\0' ? cli->condition : NULL, NULL};
	struct http_spec spec = {.url = url,
				 .path = path,
				 .headers = headers,
				 .method = method,
				 .bearer = token,
				 .body = body,
				 .body_len = body_len,
				 .content_type = content_type,
				 .timeout_ms = CALL_TIMEOUT_MS,
				 .body_limit_bytes = REPLY_MAX,
				 .ca_file = cli->ca};
	enum veer_err err =
		client == NULL ? VEER_ENOMEM : http_request_start(client, &spec, NULL, on_done, &call, NULL, &why);
	if (err == VEER_OK) {
		(void)loop_run(call.loop);
		err = call.err;
	}
	http_client_free(&client);
	loop_free(&call.loop);
	if (err == VEER_OK || reply->status >= 400)
		return err == VEER_OK ? err : veer_fail(diag, err, "%s", why.text);
	return veer_fail(diag, err, "%s does not answer: %s", url, why.text[0] != '\0' ? why.text : veer_err_text(err));
}

enum veer_err cli_call_json(struct cli *cli, const char *method, const char *path, json_t *body,
			    struct cli_reply *reply, struct veer_diag *diag)
{
	char *text = body != NULL ? veer_json_dump(body) : NULL;
	json_decref(body);
	enum veer_err err =
		cli_call(cli, method, path, text, text != NULL ? strlen(text) : 0, "application/json", reply, diag);
	free(text);
	return err;
}

int cli_fail(const struct veer_diag *diag)
{
	(void)fprintf(stderr, "veer: %s\n", diag->text);
	return CLI_FAILED;
}

int cli_print_json(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	return CLI_OK;
}

void cli_say(const char *fmt, ...)
{
	char line[LINE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (char *p = line; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	(void)printf("%s\n", line);
}

void cli_encode_segment(struct buf *out, const char *text)
{
	/* a proxy might treat "." and ".." as steps in the path (RFC 3986 5.2.4) */
	bool is_dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
	for (; *text != '\0'; text++) {
		if (!is_dots && (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL))
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}
