/* SPDX-License-Identifier: Apache-2.0 */
#include "base/args.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define COMMAND_WORDS_MAX 3
#define HELP_COLUMN 30

/* A copy of a string that args_set() was given. */
struct args_copy {
	struct args_copy *next;
	char text[];
};

void args_table_add(struct args_table *table, const struct args_option *options, size_t count)
{
	assert(count <= ARGS_OPTIONS_MAX - table->count);
	if (count > 0)
		memcpy(table->options + table->count, options, count * sizeof *options);
	table->count += count;
}

const struct args_option *args_find(const struct args_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->option_count; i++)
		if (strcmp(spec->options[i].name, name) == 0)
			return &spec->options[i];
	return NULL;
}

static uint64_t option_bit(const struct args *args, const struct args_option *option)
{
	return UINT64_C(1) << (option - args->spec->options);
}

void args_mark_given(struct args *args, const struct args_option *option)
{
	args->given |= option_bit(args, option);
}

static enum veer_err list_add(struct args_list *list, size_t most, const char *text, struct veer_diag *diag)
{
	if (list->count >= most)
		return veer_fail(diag, VEER_ELIMIT, "may be given at most %zu times", most);
	if (list->count == list->size) {
		size_t size = list->size > 0 ? 2 * list->size : 8;
		const char **grown = reallocarray(list->items, size, sizeof(const char *));
		if (grown == NULL)
			return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
		list->items = grown;
		list->size = size;
	}
	list->items[list->count++] = text;
	return VEER_OK;
}

static enum veer_err set_flag(const struct args_option *option, const char *text, struct veer_diag *diag)
{
	bool is_true = strcmp(text, "true") == 0;
	if (!is_true && strcmp(text, "false") != 0)
		return veer_fail(diag, VEER_EINVAL, "must be true or false");
	*(bool *)option->target = is_true;
	return VEER_OK;
}

static enum veer_err set_int(const struct args_option *option, const char *text, struct veer_diag *diag)
{
	int64_t value = 0;
	if (!text_to_int(text, INT64_MIN, INT64_MAX, &value))
		return veer_fail(diag, VEER_EINVAL, "must be an integer, not '%.60s'", text);
	if (value < option->min || value > option->max)
		return veer_fail(diag, VEER_ERANGE, "must be from %" PRId64 " to %" PRId64, option->min, option->max);
	*(int64_t *)option->target = value;
	return VEER_OK;
}

static enum veer_err set_enum(const struct args_option *option, const char *text, struct veer_diag *diag)
{
	struct buf list;
	for (int i = 0; option->names[i] != NULL; i++) {
		if (strcmp(option->names[i], text) == 0) {
			*(int *)option->target = i;
			return VEER_OK;
		}
	}
	buf_init(&list, 255);
	for (int i = 0; option->names[i] != NULL; i++)
		buf_printf(&list, "%s%s", i == 0 ? "" : option->names[i + 1] == NULL ? " or " : ", ", option->names[i]);
	(void)veer_fail(diag, VEER_EINVAL, "must be %s, not '%.60s'", list.data, text);
	buf_deinit(&list);
	return VEER_EINVAL;
}

/* Set an option from text that lives as long as `args`. */
static enum veer_err set_borrowed(const struct args_option *option, const char *text, struct veer_diag *diag)
{
	switch (option->kind) {
	case ARGS_FLAG:
		return set_flag(option, text, diag);
	case ARGS_STRING:
		*(const char **)option->target = text;
		return VEER_OK;
	case ARGS_INT:
		return set_int(option, text, diag);
	case ARGS_ENUM:
		return set_enum(option, text, diag);
	case ARGS_LIST:
		return list_add(option->target, option->max > 0 ? (size_t)option->max : ARGS_LIST_MAX, text, diag);
	}
	return VEER_EINVAL;
}

enum veer_err args_set(struct args *args, const struct args_option *option, const char *text, struct veer_diag *diag)
{
	size_t size = strlen(text) + 1;
	struct args_copy *copy = malloc(sizeof *copy + size);
	if (copy == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	memcpy(copy->text, text, size);
	copy->next = args->copies;
	args->copies = copy;
	return set_borrowed(option, copy->text, diag);
}

void args_deinit(struct args *args)
{
	while (args->copies != NULL) {
		struct args_copy *dead = args->copies;
		args->copies = dead->next;
		free(dead);
	}
	for (size_t i = 0; args->spec != NULL && i < args->spec->option_count; i++) {
		if (args->spec->options[i].kind == ARGS_LIST) {
			struct args_list *list = args->spec->options[i].target;
			free(list->items);
			*list = (struct args_list){0};
		}
	}
	free(args->positional.items);
	*args = (struct args){0};
}

static enum veer_err unknown_option(const struct args_spec *spec, const char *name, struct veer_diag *diag)
{
	const char *names[ARGS_OPTIONS_MAX + 2];
	size_t count = 0;
	for (size_t i = 0; i < spec->option_count; i++)
		names[count++] = spec->options[i].name;
	names[count++] = "help";
	names[count++] = "version";
	const char *closest = text_closest(name, names, count);
	if (closest != NULL)
		return veer_fail(diag, VEER_EINVAL, "unknown option --%.80s (did you mean --%s?)", name, closest);
	return veer_fail(diag, VEER_EINVAL, "unknown option --%.80s (see --help)", name);
}

/*
 * Process an option whose name was found. `value` is the text after '=', or NULL. If the next argument is its value,
 * `*at` moves past it.
 */
static enum veer_err take_option(struct args *args, const struct args_option *option, const char *value, int argc,
				 char *const argv[], int *at, struct veer_diag *diag)
{
	struct veer_diag reason = {.text = ""};
	if (option->kind == ARGS_FLAG && value != NULL)
		return veer_fail(diag, VEER_EINVAL, "option --%s takes no value", option->name);
	if (option->kind != ARGS_LIST && (args->given & option_bit(args, option)) != 0)
		return veer_fail(diag, VEER_EINVAL, "option --%s is given twice", option->name);
	if (option->kind == ARGS_FLAG) {
		value = "true";
	} else if (value == NULL) {
		if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0)
			return veer_fail(diag, VEER_EINVAL, "option --%s needs a value: --%s %s", option->name,
					 option->name, option->value);
		value = argv[++*at];
	}
	enum veer_err err = set_borrowed(option, value, &reason);
	if (err != VEER_OK)
		return veer_fail(diag, err, "option --%s %s", option->name, reason.text);
	args_mark_given(args, option);
	return VEER_OK;
}

/* Parse one argument that starts with "--" and is longer than that. */
static enum veer_err parse_option(struct args *args, int argc, char *const argv[], int *at, struct veer_diag *diag)
{
	char name[64];
	const char *text = argv[*at] + 2;
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
	if (len >= sizeof name)
		return veer_fail(diag, VEER_EINVAL, "unknown option --%.60s... (see --help)", text);
	memcpy(name, text, len);
	name[len] = '\0';
	const struct args_option *option = args_find(args->spec, name);
	if (option != NULL)
		return take_option(args, option, equals != NULL ? equals + 1 : NULL, argc, argv, at, diag);
	if (equals == NULL && strcmp(name, "help") == 0)
		args->wants_help = true;
	else if (equals == NULL && strcmp(name, "version") == 0)
		args->wants_version = true;
	else
		return unknown_option(args->spec, name, diag);
	return VEER_OK;
}

static enum veer_err check_positional(const struct args *args, struct veer_diag *diag)
{
	if (args->positional.count > args->spec->positional_max)
		return veer_fail(diag, VEER_EINVAL, "unexpected argument '%.80s' (usage: %s)",
				 args->positional.items[args->spec->positional_max], args->spec->usage);
	if (args->positional.count < args->spec->positional_min)
		return veer_fail(diag, VEER_EINVAL, "an argument is missing (usage: %s)", args->spec->usage);
	return VEER_OK;
}

enum veer_err args_parse(struct args *args, const struct args_spec *spec, int argc, char *const argv[], int first,
			 struct veer_diag *diag)
{
	bool is_past_options = false;
	*args = (struct args){.spec = spec};
	if (spec->option_count > ARGS_OPTIONS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "a table of more than %d options", ARGS_OPTIONS_MAX);
	for (int at = first; at < argc; at++) {
		enum veer_err err = VEER_OK;
		const char *arg = argv[at];
		if (!is_past_options && strcmp(arg, "--") == 0)
			is_past_options = true;
		else if (!is_past_options && strncmp(arg, "--", 2) == 0)
			err = parse_option(args, argc, argv, &at, diag);
		else if (!is_past_options && strcmp(arg, "-h") == 0)
			args->wants_help = true;
		else if (!is_past_options && arg[0] == '-' && arg[1] != '\0')
			err = veer_fail(diag, VEER_EINVAL, "unknown option %.80s (options have two dashes, see --help)",
					arg);
		else
			err = list_add(&args->positional, ARGS_LIST_MAX, arg, diag);
		if (err != VEER_OK)
			return err;
		if (args->wants_help || args->wants_version)
			return VEER_OK;
	}
	return check_positional(args, diag);
}

enum veer_err args_check_required(const struct args *args, struct veer_diag *diag)
{
	for (size_t i = 0; i < args->spec->option_count; i++) {
		const struct args_option *option = &args->spec->options[i];
		if (option->required && (args->given & option_bit(args, option)) == 0)
			return veer_fail(diag, VEER_EINVAL, "option --%s %s is required", option->name, option->value);
	}
	return VEER_OK;
}

/* --- help ------------------------------------------------------------------------------------------------- */

static void help_row(struct buf *out, const char *left, const char *help)
{
	int width = HELP_COLUMN - 4;
	if (strlen(left) > (size_t)width)
		buf_printf(out, "  %s\n  %*s  %s\n", left, width, "", help);
	else
		buf_printf(out, "  %-*s  %s\n", width, left, help);
}

static void help_option(struct buf *out, const struct args_option *option)
{
	struct buf left;
	struct buf help;
	buf_init(&left, 256);
	buf_init(&help, 1024);
	buf_printf(&left, "--%s%s%s", option->name, option->kind == ARGS_FLAG ? "" : " ",
		   option->kind == ARGS_FLAG ? "" : option->value);
	buf_puts(&help, option->help);
	if (option->kind == ARGS_LIST && strstr(option->help, "may repeat") == NULL)
		buf_puts(&help, " (may repeat)");
	else if (option->kind == ARGS_ENUM)
		for (int i = 0; option->names[i] != NULL; i++)
			buf_printf(&help, "%s%s", i == 0 ? ": " : ", ", option->names[i]);
	help_row(out, left.data, help.data);
	buf_deinit(&left);
	buf_deinit(&help);
}

void args_help(const struct args_spec *spec, struct buf *out)
{
	buf_printf(out, "usage: %s\n\n%s\n\n", spec->usage, spec->summary);
	for (size_t i = 0; i < spec->option_count; i++)
		help_option(out, &spec->options[i]);
	help_row(out, "--help", "print this and exit");
	help_row(out, "--version", "print the version and exit");
}

/* --- commands --------------------------------------------------------------------------------------------- */

/* How many of the command's words argv[first...] starts with: all of them, or 0. */
static int words_matched(const char *words, int argc, char *const argv[], int first)
{
	int count = 0;
	while (*words != '\0') {
		size_t len = strcspn(words, " ");
		if (first + count >= argc || strlen(argv[first + count]) != len ||
		    strncmp(argv[first + count], words, len) != 0)
			return 0;
		count++;
		words += len;
		words += *words == ' ';
	}
	return count;
}

static enum veer_err unknown_command(const struct args_command *commands, size_t count, int argc, char *const argv[],
				     int first, struct veer_diag *diag)
{
	const char *names[64];
	const char *closest = NULL;
	struct buf said;
	size_t name_count = 0;
	for (; name_count < count && name_count < sizeof names / sizeof names[0]; name_count++)
		names[name_count] = commands[name_count].words;
	buf_init(&said, 128);
	/* Try "a b c", "a b", "a": the more words a suggestion explains, the better. */
	for (int words = COMMAND_WORDS_MAX; words > 0 && closest == NULL; words--) {
		buf_reset(&said);
		for (int i = first; i < argc && i < first + words; i++)
			buf_printf(&said, "%s%.40s", i == first ? "" : " ", argv[i]);
		closest = text_closest(said.data, names, name_count);
	}
	if (closest != NULL)
		(void)veer_fail(diag, VEER_EINVAL, "unknown command '%s' (did you mean '%s'?)", said.data, closest);
	else
		(void)veer_fail(diag, VEER_EINVAL, "unknown command '%.80s' (see --help)", argv[first]);
	buf_deinit(&said);
	return VEER_EINVAL;
}

enum veer_err args_select(const struct args_command *commands, size_t count, int argc, char *const argv[], int first,
			  size_t *index, int *next, struct veer_diag *diag)
{
	int best = 0;
	size_t best_index = 0;
	if (first >= argc)
		return veer_fail(diag, VEER_EINVAL, "a command is missing (see --help)");
	for (size_t i = 0; i < count; i++) {
		int words = words_matched(commands[i].words, argc, argv, first);
		if (words > best) {
			best = words;
			best_index = i;
		}
	}
	if (best == 0)
		return unknown_command(commands, count, argc, argv, first, diag);
	*index = best_index;
	*next = first + best;
	return VEER_OK;
}

void args_commands_help(const struct args_command *commands, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++)
		help_row(out, commands[i].words, commands[i].help);
}
