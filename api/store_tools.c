/* SPDX-License-Identifier: Apache-2.0 */
/* Work on a store by hand: restore, check, repair. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/control/witness.h"
#include "api/store_tools.h"
#include "base/args.h"
#include "base/buf.h"
#include "zones/store/repair.h"
#include "zones/store/restore.h"

/* --- restore ------------------------------------------------------------------------------------------------- */

static void say_loss(const struct restore_loss *loss)
{
	(void)printf("The store is now what it was at revision %lld; its id is %s.\n", (long long)loss->backup_revision,
		     loss->store_id);
	if (loss->kept[0] != '\0')
		(void)printf("What was there is kept as %s.\n", loss->kept);
	if (!loss->is_known) {
		if (loss->kept[0] != '\0')
			(void)printf("It cannot be read, so nobody knows what is lost.\n");
		return;
	}
	(void)printf("It was at revision %lld. Of its objects %llu are lost and %llu are older; %llu that had been "
		     "deleted are back.\n",
		     (long long)loss->store_revision, (unsigned long long)loss->lost, (unsigned long long)loss->older,
		     (unsigned long long)loss->back);
	for (size_t i = 0; i < loss->key_count; i++)
		(void)printf("  %s\n", loss->keys[i]);
	if (loss->lost + loss->older + loss->back > loss->key_count)
		(void)printf("  …\n");
}

static int restore(const char *url, const char *file, bool is_copy)
{
	struct veer_diag diag = {""};
	struct witness witness;
	struct store *store = NULL;
	struct restore_loss *loss = calloc(1, sizeof *loss);
	enum veer_err err = loss != NULL ? witness_open(url, &witness, &diag) : VEER_ENOMEM;
	if (err == VEER_OK)
		err = store_restore(url, file, is_copy ? HISTORY_COPY : HISTORY_RESTORE, loss, &diag);
	if (err == VEER_OK)
		say_loss(loss);
	free(loss);
	if (err == VEER_OK)
		err = store_open(url, &store, &diag);
	if (err == VEER_OK)
		err = witness_write(&witness, store, &diag);
	store_close(&store);
	if (err == VEER_OK) {
		witness_close(&witness);
		return 0;
	}
	(void)fprintf(stderr, "veer-api: %s\n", diag.text[0] != '\0' ? diag.text : veer_err_text(err));
	return 2;
}

/* --- check and repair ----------------------------------------------------------------------------------------- */

static void say_line(void *ctx, const char *line)
{
	(void)ctx;
	(void)printf("  %s\n", line);
}

static int fail(enum veer_err err, const struct veer_diag *diag)
{
	(void)fprintf(stderr, "veer-api: %s\n", diag->text[0] != '\0' ? diag->text : veer_err_text(err));
	return 2;
}

/* Check the store. Exits with 1 when something is wrong with it. */
static int check(const char *url)
{
	struct veer_diag diag = {""};
	struct repair_finding found;
	enum veer_err err = store_check(url, say_line, NULL, &found, &diag);
	if (err != VEER_OK)
		return fail(err, &diag);
	(void)printf("%llu objects, at revision %lld: %s\n", (unsigned long long)found.objects,
		     (long long)found.revision,
		     found.is_damaged ? "the store is damaged; veer store repair takes over what can be read"
				      : "all is well");
	return found.is_damaged ? 1 : 0;
}

static int repair(const char *url)
{
	char file[RESTORE_PATH_SIZE];
	struct veer_diag diag = {""};
	struct repair_finding found;
	(void)snprintf(file, sizeof file, "%s.salvaged", strchr(url, ':') != NULL ? strchr(url, ':') + 1 : url);
	enum veer_err err = store_salvage(url, file, say_line, NULL, &found, &diag);
	if (err != VEER_OK)
		return fail(err, &diag);
	(void)printf("%llu objects can be read, up to revision %lld; %llu are left out because they make no sense.\n",
		     (unsigned long long)found.objects, (long long)found.revision, (unsigned long long)found.bad);
	int code = restore(url, file, false);
	(void)unlink(file);
	return code;
}

/* --- command lines -------------------------------------------------------------------------------------------- */

/* The arguments of `veer-api WORD …`. */
struct tool_args {
	const char *url;
	bool is_copy;
};

/* Parse the arguments: -1 to go on, otherwise the exit code. `spec` has everything except the options. */
static int parse_tool(struct args_spec *spec, struct tool_args *out, bool has_copy, struct args *args, int argc,
		      char *argv[], int first)
{
	const struct args_option options[] = {
		{.name = "store",
		 .kind = ARGS_STRING,
		 .target = &out->url,
		 .value = "sqlite:PATH",
		 .required = true,
		 .help = "the store"},
		{.name = "copy",
		 .kind = ARGS_FLAG,
		 .target = &out->is_copy,
		 .help = "another store beside the one that the backup is of, which lives on"},
	};
	struct veer_diag diag = {""};
	struct buf help;
	spec->options = options;
	spec->option_count = has_copy ? 2 : 1;
	enum veer_err err = args_parse(args, spec, argc, argv, first, &diag);
	if (err == VEER_OK && args->wants_help) {
		buf_init(&help, 65536);
		args_help(spec, &help);
		(void)fputs(help.data, stdout);
		buf_deinit(&help);
		return 0;
	}
	if (err == VEER_OK && args->wants_version) {
		(void)printf("veer %s\n", VEER_VERSION);
		return 0;
	}
	if (err == VEER_OK)
		err = args_check_required(args, &diag);
	return err == VEER_OK ? -1 : fail(err, &diag);
}

int store_tool_restore(int argc, char *argv[], int first)
{
	struct tool_args a = {NULL, false};
	struct args args = {0};
	struct args_spec spec = {.usage = "veer restore FILE [--store sqlite:PATH] [--copy]",
				 .summary = "Puts a backup in the store's place while no veer-api runs, and says "
					    "what is lost.",
				 .positional_min = 1,
				 .positional_max = 1};
	int code = parse_tool(&spec, &a, true, &args, argc, argv, first);
	if (code < 0)
		code = restore(a.url, args.positional.items[0], a.is_copy);
	args_deinit(&args);
	return code;
}

int store_tool_check(int argc, char *argv[], int first)
{
	struct tool_args a = {NULL, false};
	struct args args = {0};
	struct args_spec spec = {.usage = "veer store check [--store sqlite:PATH]",
				 .summary =
					 "Looks at every page and every object of a store, also while veer-api runs. "
					 "Exits with 1 if it is damaged."};
	int code = parse_tool(&spec, &a, false, &args, argc, argv, first);
	if (code < 0)
		code = check(a.url);
	args_deinit(&args);
	return code;
}

int store_tool_repair(int argc, char *argv[], int first)
{
	struct tool_args a = {NULL, false};
	struct args args = {0};
	struct args_spec spec = {.usage = "veer store repair [--store sqlite:PATH]",
				 .summary = "Makes a new store of what can be read of a damaged one, while no veer-api "
					    "runs. What was there is kept."};
	int code = parse_tool(&spec, &a, false, &args, argc, argv, first);
	if (code < 0)
		code = repair(a.url);
	args_deinit(&args);
	return code;
}
