/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/args.h"

static const char *const colours[] = {"red", "green", "blue", NULL};

/* A program's options, and their table. */
struct opts {
	bool verbose;
	const char *file;
	int64_t workers;
	int colour;
	struct args_list zones;
	struct args_option table[5];
	struct args_spec spec;
};

/* Was the option set? */
static bool is_given(const struct args *args, const char *name)
{
	const struct args_option *option = args_find(args->spec, name);
	return option != NULL && (args->given & UINT64_C(1) << (option - args->spec->options)) != 0;
}

static void opts_init(struct opts *o)
{
	*o = (struct opts){.workers = 2};
	o->table[0] =
		(struct args_option){.name = "verbose", .kind = ARGS_FLAG, .target = &o->verbose, .help = "say more"};
	o->table[1] = (struct args_option){.name = "file",
					   .kind = ARGS_STRING,
					   .target = &o->file,
					   .value = "FILE",
					   .help = "read it",
					   .required = true};
	o->table[2] = (struct args_option){.name = "workers",
					   .kind = ARGS_INT,
					   .target = &o->workers,
					   .value = "N",
					   .help = "threads",
					   .min = 1,
					   .max = 64};
	o->table[3] = (struct args_option){.name = "colour",
					   .kind = ARGS_ENUM,
					   .target = &o->colour,
					   .value = "COLOUR",
					   .help = "paint",
					   .names = colours};
	o->table[4] = (struct args_option){.name = "zone",
					   .kind = ARGS_LIST,
					   .target = &o->zones,
					   .value = "ORIGIN=FILE",
					   .help = "serve a zone file"};
	o->spec = (struct args_spec){.usage = "prog [options] [NAME]",
				     .summary = "A program.",
				     .options = o->table,
				     .option_count = 5,
				     .positional_max = 1};
}

/* Split at blanks; an argument "''" means the empty string. */
static int split(char *line, char *argv[], int max)
{
	int argc = 1;
	char *rest = NULL;
	argv[0] = line + strlen(line);
	for (char *word = strtok_r(line, " ", &rest); word != NULL && argc < max; word = strtok_r(NULL, " ", &rest)) {
		if (strcmp(word, "''") == 0)
			*word = '\0';
		argv[argc++] = word;
	}
	return argc;
}

static void values_land_in_their_targets(void **state)
{
	(void)state;
	struct opts o;
	struct args args;
	char line[] = "--zone a=1 --verbose --workers=8 --file f --colour blue --zone=b=2 name";
	char *argv[20];
	int argc = split(line, argv, 20);
	opts_init(&o);
	assert_int_equal(args_parse(&args, &o.spec, argc, argv, 1, NULL), VEER_OK);
	assert_int_equal(args_check_required(&args, NULL), VEER_OK);
	assert_true(o.verbose);
	assert_string_equal(o.file, "f");
	assert_int_equal(o.workers, 8);
	assert_int_equal(o.colour, 2);
	assert_int_equal(o.zones.count, 2);
	assert_string_equal(o.zones.items[0], "a=1");
	assert_string_equal(o.zones.items[1], "b=2");
	assert_int_equal(args.positional.count, 1);
	assert_string_equal(args.positional.items[0], "name");
	assert_true(is_given(&args, "zone"));
	assert_false(is_given(&args, "nothing"));
	args_deinit(&args);
	assert_null(o.zones.items);
	args_deinit(&args);
}

static void what_is_not_said_keeps_its_default(void **state)
{
	(void)state;
	struct opts o;
	struct args args;
	struct veer_diag diag = {.text = ""};
	char *argv[] = {"prog", NULL};
	opts_init(&o);
	assert_int_equal(args_parse(&args, &o.spec, 1, argv, 1, NULL), VEER_OK);
	assert_int_equal(o.workers, 2);
	assert_false(is_given(&args, "workers"));
	assert_int_equal(args_check_required(&args, &diag), VEER_EINVAL);
	assert_string_equal(diag.text, "option --file FILE is required");
	args_deinit(&args);
}

static void mistakes_are_explained_in_one_line(void **state)
{
	(void)state;
	const struct {
		const char *line;
		enum veer_err err;
		const char *says;
	} cases[] = {
		{"--zome a", VEER_EINVAL, "unknown option --zome (did you mean --zone?)"},
		{"--zome=a", VEER_EINVAL, "unknown option --zome (did you mean --zone?)"},
		{"--hepl", VEER_EINVAL, "did you mean --help?"},
		{"--qqqqqqqq", VEER_EINVAL, "unknown option --qqqqqqqq (see --help)"},
		{"--Zone a", VEER_EINVAL, "did you mean --zone?"},
		{"--=x", VEER_EINVAL, "unknown option --"},
		{"-v", VEER_EINVAL, "unknown option -v"},
		{"-", VEER_OK, ""},
		{"--zone", VEER_EINVAL, "option --zone needs a value: --zone ORIGIN=FILE"},
		{"--zone --verbose", VEER_EINVAL, "option --zone needs a value"},
		{"--file ''", VEER_OK, ""},
		{"--file=", VEER_OK, ""},
		{"--file=--x", VEER_OK, ""},
		{"--file -x", VEER_OK, ""},
		{"--file a --file b", VEER_EINVAL, "option --file is given twice"},
		{"--verbose --verbose", VEER_EINVAL, "given twice"},
		{"--verbose=yes", VEER_EINVAL, "option --verbose takes no value"},
		{"--workers x", VEER_EINVAL, "option --workers must be an integer, not 'x'"},
		{"--workers ''", VEER_EINVAL, "must be an integer"},
		{"--workers 1x", VEER_EINVAL, "must be an integer"},
		{"--workers 0", VEER_ERANGE, "option --workers must be from 1 to 64"},
		{"--workers 65", VEER_ERANGE, "from 1 to 64"},
		{"--workers 99999999999999999999", VEER_EINVAL, "must be an integer"},
		{"--colour pink", VEER_EINVAL, "option --colour must be red, green or blue, not 'pink'"},
		{"a b", VEER_EINVAL, "unexpected argument 'b'"},
		{"-- --zone", VEER_OK, ""},
		{"-- --zone -v", VEER_EINVAL, "unexpected argument '-v'"},
		{"--help --zome", VEER_OK, ""},
		{"--version", VEER_OK, ""},
		{"-h", VEER_OK, ""},
		{"--help=x", VEER_EINVAL, "unknown option"},
		{"--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", VEER_EINVAL,
		 "unknown option"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct opts o;
		struct args args;
		struct veer_diag diag = {.text = ""};
		char line[200];
		char *argv[20];
		(void)snprintf(line, sizeof line, "%s", cases[i].line);
		int argc = split(line, argv, 20);
		opts_init(&o);
		enum veer_err err = args_parse(&args, &o.spec, argc, argv, 1, &diag);
		if (err != cases[i].err || strstr(diag.text, cases[i].says) == NULL)
			fail_msg("%s: %d '%s'", cases[i].line, err, diag.text);
		args_deinit(&args);
	}
}

static void too_few_arguments_are_refused(void **state)
{
	(void)state;
	struct args args;
	struct veer_diag diag = {.text = ""};
	char *argv[] = {"prog", NULL};
	const struct args_spec spec = {.usage = "prog FILE", .summary = "", .positional_min = 1, .positional_max = 1};
	assert_int_equal(args_parse(&args, &spec, 1, argv, 1, &diag), VEER_EINVAL);
	assert_string_equal(diag.text, "an argument is missing (usage: prog FILE)");
	args_deinit(&args);
}

static void a_list_is_bounded(void **state)
{
	(void)state;
	static char *argv[2 * ARGS_LIST_MAX + 4];
	struct opts o;
	struct args args;
	struct veer_diag diag = {.text = ""};
	int argc = 0;
	argv[argc++] = "prog";
	for (int i = 0; i <= ARGS_LIST_MAX; i++)
		argv[argc++] = "--zone=x";
	opts_init(&o);
	assert_int_equal(args_parse(&args, &o.spec, argc, argv, 1, &diag), VEER_ELIMIT);
	assert_non_null(strstr(diag.text, "at most 4096"));
	args_deinit(&args);
}

static void help_shows_every_option(void **state)
{
	(void)state;
	struct opts o;
	struct buf help;
	opts_init(&o);
	buf_init(&help, 10000);
	args_help(&o.spec, &help);
	assert_false(help.failed);
	assert_memory_equal(help.data, "usage: prog [options] [NAME]\n\nA program.\n\n", 42);
	const char *const parts[] = {"  --verbose                   say more\n",
				     "  --file FILE                 read it\n",
				     "paint: red, green, blue\n",
				     "(may repeat)\n",
				     "--help",
				     "--version"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strstr(help.data, parts[i]) == NULL)
			fail_msg("no '%s' in:\n%s", parts[i], help.data);
	buf_deinit(&help);
}

static const struct args_command commands[] = {
	{"status", "show what is up", NULL},         {"zone import", "read a zone file", NULL},
	{"zone export", "write a zone file", NULL},  {"zone", "list zones", NULL},
	{"demo run", "run the demonstration", NULL},
};

static void a_table_grows_in_order(void **state)
{
	(void)state;
	const struct args_option rows[] = {{.name = "a"}, {.name = "b"}};
	struct args_table table = {.count = 0};
	args_table_add(&table, rows, 2);
	args_table_add(&table, NULL, 0);
	args_table_add(&table, rows, 1);
	assert_int_equal(table.count, 3);
	assert_string_equal(table.options[1].name, "b");
	assert_string_equal(table.options[2].name, "a");
}

static void commands_are_found_by_their_words(void **state)
{
	(void)state;
	const struct {
		const char *line;
		int index; /* -1: an error */
		int next;
		const char *says;
	} cases[] = {
		{"status --json", 0, 2, ""},
		{"zone import FILE", 1, 3, ""},
		{"zone export", 2, 3, ""},
		{"zone", 3, 2, ""},
		{"zone list", 3, 2, ""},
		{"demo", -1, 0, "unknown command 'demo'"},
		{"zone-import", 1 - 2, 0, "did you mean 'zone import'?"},
		{"sttaus", -1, 0, "unknown command 'sttaus' (did you mean 'status'?)"},
		{"zoen import x", -1, 0, "did you mean 'zone import'?"},
		{"demo rnu", -1, 0, "did you mean 'demo run'?"},
		{"frobnicate all", -1, 0, "unknown command 'frobnicate' (see --help)"},
		{"", -1, 0, "a command is missing"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char line[100];
		char *argv[10];
		size_t index = 99;
		int next = 0;
		struct veer_diag diag = {.text = ""};
		(void)snprintf(line, sizeof line, "%s", cases[i].line);
		int argc = split(line, argv, 10);
		enum veer_err err = args_select(commands, 5, argc, argv, 1, &index, &next, &diag);
		if (cases[i].index >= 0) {
			assert_int_equal(err, VEER_OK);
			assert_int_equal(index, cases[i].index);
			assert_int_equal(next, cases[i].next);
		} else if (err != VEER_EINVAL || strstr(diag.text, cases[i].says) == NULL) {
			fail_msg("%s: %d '%s'", cases[i].line, err, diag.text);
		}
	}
	struct buf help;
	buf_init(&help, 1000);
	args_commands_help(commands, 5, &help);
	assert_non_null(strstr(help.data, "  zone import                 read a zone file\n"));
	buf_deinit(&help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_land_in_their_targets),
		cmocka_unit_test(what_is_not_said_keeps_its_default),
		cmocka_unit_test(mistakes_are_explained_in_one_line),
		cmocka_unit_test(too_few_arguments_are_refused),
		cmocka_unit_test(a_list_is_bounded),
		cmocka_unit_test(help_shows_every_option),
		cmocka_unit_test(a_table_grows_in_order),
		cmocka_unit_test(commands_are_found_by_their_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
