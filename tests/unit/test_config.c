/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct config_field endpoint_fields[] = {
	{.key = "address", .type = CONFIG_STRING, .required = true, .min = 1, .max = 45},
	{.key = "weight", .type = CONFIG_INTEGER, .min = 0, .max = 255},
};
static const struct config_schema endpoint_schema = {.fields = endpoint_fields, .count = 2};

static const struct config_field root_fields[] = {
	{.key = "name", .type = CONFIG_STRING, .max = 10},
	{.key = "workers", .type = CONFIG_INTEGER, .min = 1, .max = 64},
	{.key = "secure", .type = CONFIG_BOOL},
	{.key = "colour", .type = CONFIG_ENUM, .names = colours},
	{.key = "listen", .type = CONFIG_STRINGS, .min = 1, .max = 3},
	{.key = "endpoint", .type = CONFIG_MAPPING, .schema = &endpoint_schema},
	{.key = "endpoints", .type = CONFIG_MAPPINGS, .schema = &endpoint_schema, .max = 2},
	{.key = "pools", .type = CONFIG_NAMED, .schema = &endpoint_schema, .max = 2},
};
static const struct config_schema root_schema = {.fields = root_fields, .count = 8};

/* Parse and check by the schema; `*out` is the JSON text, or NULL on failure. */
static enum veer_err convert(const char *text, char **out, struct veer_diag *diag)
{
	struct config *config = NULL;
	json_t *value = NULL;
	/* an exact heap block, for the address sanitizer */
	size_t len = strlen(text);
	char *copy = malloc(len + 1);
	memcpy(copy, text, len);
	enum veer_err err = config_parse("f.yaml", copy, len, &config, diag);
	free(copy);
	if (err == VEER_OK)
		err = config_to_json(config, &root_schema, &value, diag);
	*out = err == VEER_OK ? veer_json_dump(value) : NULL;
	json_decref(value);
	config_free(&config);
	return err;
}

static void good_documents_become_typed_json(void **state)
{
	(void)state;
	const struct {
		const char *text;
		const char *json;
	} cases[] = {
		{"", "{}"},
		{"# nothing\n", "{}"},
		{"---\n", "{}"},
		{"--- {}\n...\n", "{}"},
		{"%YAML 1.1\n---\nname: a\n", "{\"name\":\"a\"}"},
		{"name: NO", "{\"name\":\"NO\"}"},
		{"name: true", "{\"name\":\"true\"}"},
		{"name: 12", "{\"name\":\"12\"}"},
		{"name: ~", "{\"name\":\"~\"}"},
		{"name: \"\"", "{\"name\":\"\"}"},
		{"name: ''", "{\"name\":\"\"}"},
		{"name: 'a: b'", "{\"name\":\"a: b\"}"},
		{"name: \"\\u00e4\\x41\"", "{\"name\":\"\xc3\xa4"
					   "A\"}"},
		{"name: |\n  a\n  b\n", "{\"name\":\"a\\nb\\n\"}"},
		{"workers: 64", "{\"workers\":64}"},
		{"secure: true\ncolour: blue", "{\"secure\":true,\"colour\":\"blue\"}"},
		{"secure: false", "{\"secure\":false}"},
		{"colour: \"red\"", "{\"colour\":\"red\"}"},
		{"listen: [a, b]", "{\"listen\":[\"a\",\"b\"]}"},
		{"listen:\n- a\n- 1\n", "{\"listen\":[\"a\",\"1\"]}"},
		{"listen: a", "{\"listen\":[\"a\"]}"},
		{"endpoint: {address: 192.0.2.1, weight: 3}",
		 "{\"endpoint\":{\"address\":\"192.0.2.1\",\"weight\":3}}"},
		{"endpoints: []", "{\"endpoints\":[]}"},
		{"endpoints:\n- address: ::1\n- {address: b}",
		 "{\"endpoints\":[{\"address\":\"::1\"},{\"address\":\"b\"}]}"},
		{"pools:\n  fra:\n    address: a\n", "{\"pools\":{\"fra\":{\"address\":\"a\"}}}"},
		{"{\"name\": \"json\", \"workers\": 2, \"listen\": [\"x\"]}",
		 "{\"name\":\"json\",\"workers\":2,\"listen\":[\"x\"]}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		char *json = NULL;
		if (convert(cases[i].text, &json, &diag) != VEER_OK)
			fail_msg("%s: %s", cases[i].text, diag.text);
		assert_string_equal(json, cases[i].json);
		free(json);
	}
}

static void hostile_documents_are_refused_with_file_and_line(void **state)
{
	(void)state;
	const struct {
		const char *text;
		enum veer_err err;
		const char *says;
	} cases[] = {
		/* YAML features that we refuse */
		{"name: &a x", VEER_EINVAL, "f.yaml:1: anchors"},
		{"\nendpoint: &e {address: a}", VEER_EINVAL, "f.yaml:2: anchors"},
		{"listen: &l [a]", VEER_EINVAL, "f.yaml:1: anchors"},
		{"&k name: x", VEER_EINVAL, "f.yaml:1: anchors"},
		{"name: *a", VEER_EINVAL, "f.yaml:1: aliases"},
		{"*a : x", VEER_EINVAL, "f.yaml:1:"},
		{"<<: *a", VEER_EINVAL, "f.yaml:1: aliases"},
		{"listen: [*a]", VEER_EINVAL, "f.yaml:1: aliases"},
		{"name: !!str x", VEER_EINVAL, "f.yaml:1: tags"},
		{"name: !local x", VEER_EINVAL, "f.yaml:1: tags"},
		{"!!map {}", VEER_EINVAL, "f.yaml:1: tags"},
		{"listen: !!seq [a]", VEER_EINVAL, "f.yaml:1: tags"},
		{"!!str name: x", VEER_EINVAL, "f.yaml:1: tags"},
		{"name: a\nworkers: 1\nname: b", VEER_EINVAL, "f.yaml:3: duplicate key 'name' (first on line 1)"},
		{"endpoint:\n  address: a\n  \"address\": b", VEER_EINVAL, "f.yaml:3: duplicate key"},
		{"name: a\n---\nname: b", VEER_EINVAL, "f.yaml:2: more than one document"},
		{"--- a: 1", VEER_EINVAL, "f.yaml:1:"},
		{"---\n---\n", VEER_EINVAL, "more than one document"},
		{"? [a, b]\n: c", VEER_EINVAL, "f.yaml:1: a key must be a word"},
		{"{[a]: b}", VEER_EINVAL, "a key must be a word"},
		{"\"\": b", VEER_EINVAL, "f.yaml:1: an empty key"},
		{"? \n: b", VEER_EINVAL, "an empty key"},
		{"name: \"a\\0b\"", VEER_EINVAL, "f.yaml:1: a NUL"},
		{"\"a\\0b\": 1", VEER_EINVAL, "f.yaml:1: a NUL"},
		/* not a mapping */
		{"x", VEER_EINVAL, "f.yaml:1: must be a mapping"},
		{"- a\n- b", VEER_EINVAL, "f.yaml:1: must be a mapping"},
		{"\"\"", VEER_EINVAL, "must be a mapping"},
		{"12", VEER_EINVAL, "must be a mapping"},
		/* syntax */
		{"name: a\n\tworkers: 1", VEER_EINVAL, "f.yaml:2:"},
		{"name: [a", VEER_EINVAL, "f.yaml:"},
		{"name: 'a", VEER_EINVAL, "f.yaml:"},
		{"name: {a: b", VEER_EINVAL, "f.yaml:"},
		{"name: a: b", VEER_EINVAL, "f.yaml:1:"},
		{"a\nb: c", VEER_EINVAL, "f.yaml:"},
		{"name: @x", VEER_EINVAL, "f.yaml:1:"},
		{"name: `x`", VEER_EINVAL, "f.yaml:1:"},
		{"name: \"\\q\"", VEER_EINVAL, "f.yaml:1:"},
		{"name: \"\\ud800\"", VEER_EINVAL, "f.yaml:1:"},
		{"%FOO bar\n%YAML 3.0\n---\na: b", VEER_EINVAL, "f.yaml:"},
		{"name: a\xff", VEER_EINVAL, "f.yaml:"},
		{"name: \x01", VEER_EINVAL, "f.yaml:"},
		{"]", VEER_EINVAL, "f.yaml:1:"},
		{"name: a\n...\nname: b", VEER_EINVAL, "f.yaml:3:"},
		/* limits */
		{"a: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", VEER_ERANGE, "f.yaml:1: nested deeper than 16"},
		{"a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}}}}}}}}}", VEER_ERANGE,
		 "nested deeper than 16"},
		/* keys */
		{"nmae: x", VEER_EINVAL, "f.yaml:1: unknown key 'nmae' (did you mean 'name'?)"},
		{"name: x\n\nworker: 1", VEER_EINVAL, "f.yaml:3: unknown key 'worker' (did you mean 'workers'?)"},
		{"zzzzzzzz: 1", VEER_EINVAL, "f.yaml:1: unknown key 'zzzzzzzz'"},
		{"endpoint:\n  adress: x", VEER_EINVAL, "f.yaml:2: unknown key 'adress' (did you mean 'address'?)"},
		{"endpoints:\n- address: a\n- address: b\n  w: 1", VEER_EINVAL, "f.yaml:4: unknown key 'w'"},
		{"endpoint:\n  weight: 1", VEER_EINVAL, "f.yaml:1: key 'address' is missing"},
		{"endpoints:\n- weight: 1", VEER_EINVAL, "f.yaml:2: key 'address' is missing"},
		{"pools:\n  a:\n    weight: 1", VEER_EINVAL, "f.yaml:2: key 'address' is missing"},
		/* values */
		{"name:", VEER_EINVAL, "f.yaml:1: name has no value: a text is expected"},
		{"workers:\nname: a", VEER_EINVAL, "f.yaml:1: workers has no value"},
		{"name: [a]", VEER_EINVAL, "f.yaml:1: name must be a text, not a list"},
		{"name: {a: b}", VEER_EINVAL, "name must be a text, not a mapping"},
		{"name: 12345678901", VEER_ERANGE, "f.yaml:1: name must be 0 to 10 bytes long"},
		{"workers: two", VEER_EINVAL, "workers must be an integer, not 'two'"},
		{"workers: \"2\"", VEER_EINVAL, "workers must be an integer, not a quoted text"},
		{"workers: 2.0", VEER_EINVAL, "must be an integer"},
		{"workers: 0x2", VEER_EINVAL, "must be an integer"},
		{"workers: 02", VEER_EINVAL, "must be an integer"},
		{"workers: 1_0", VEER_EINVAL, "must be an integer"},
		{"workers: 0", VEER_ERANGE, "workers must be from 1 to 64"},
		{"workers: 65", VEER_ERANGE, "from 1 to 64"},
		{"workers: 99999999999999999999", VEER_EINVAL, "must be an integer"},
		{"secure: yes", VEER_EINVAL, "secure must be true or false, not 'yes'"},
		{"secure: True", VEER_EINVAL, "true or false"},
		{"secure: \"true\"", VEER_EINVAL, "not a quoted text"},
		{"secure: 1", VEER_EINVAL, "true or false"},
		{"colour: pink", VEER_EINVAL, "colour must be red, green or blue, not 'pink'"},
		{"listen: []", VEER_ERANGE, "listen must have from 1 to 3 entries"},
		{"listen: [a, b, c, d]", VEER_ERANGE, "from 1 to 3"},
		{"listen: [a, [b]]", VEER_EINVAL, "the value must be a text, not a list"},
		{"listen:\n- a\n-\n- b", VEER_EINVAL, "f.yaml:"},
		{"listen: {a: b}", VEER_EINVAL, "listen must be a list, not a mapping"},
		{"endpoint: a", VEER_EINVAL, "endpoint must be a mapping, not a single value"},
		{"endpoints: {address: a}", VEER_EINVAL, "endpoints must be a list"},
		{"endpoints: [a]", VEER_EINVAL, "the value must be a mapping"},
		{"endpoints: [{address: a}, {address: b}, {address: c}]", VEER_ERANGE, "from 0 to 2"},
		{"endpoint: {address: ''}", VEER_ERANGE, "address must be 1 to 45 bytes"},
		{"pools: [a]", VEER_EINVAL, "pools must be a mapping"},
		{"pools: {a: 1}", VEER_EINVAL, "a must be a mapping"},
		{"pools:\n  a: {address: x}\n  b: {address: x}\n  c: {address: x}", VEER_ERANGE, "from 0 to 2"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		char *json = NULL;
		enum veer_err err = convert(cases[i].text, &json, &diag);
		if (err != cases[i].err || strstr(diag.text, cases[i].says) == NULL)
			fail_msg("case %zu '%s': %d '%s'", i, cases[i].text, err, diag.text);
		assert_null(strchr(diag.text, '\n'));
	}
}

static void every_truncation_is_read_or_refused_cleanly(void **state)
{
	(void)state;
	const char *text =
		"name: \"a\\u00e4\"\nlisten: [a, 'b']\nendpoints:\n- {address: x, weight: 1}\n- address: |\n    y\n";
	for (size_t len = 0; len <= strlen(text); len++) {
		struct config *config = NULL;
		struct veer_diag diag = {.text = ""};
		char *copy = malloc(len + 1);
		memcpy(copy, text, len);
		enum veer_err err = config_parse("t", copy, len, &config, &diag);
		free(copy);
		assert_true(err == VEER_OK ? config != NULL : err == VEER_EINVAL && diag.text[0] != '\0');
		config_free(&config);
	}
}

static void a_billion_laughs_are_refused_and_limits_hold(void **state)
{
	(void)state;
	struct config *config = NULL;
	struct veer_diag diag = {.text = ""};
	const char *laughs = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n";
	assert_int_equal(config_parse("t", laughs, strlen(laughs), &config, &diag), VEER_EINVAL);
	size_t size = CONFIG_TEXT_MAX_BYTES + 1;
	char *big = malloc(size + 1);
	memset(big, ' ', size);
	assert_int_equal(config_parse("t", big, size, &config, &diag), VEER_ERANGE);
	assert_int_equal(config_parse("t", big, size - 1, &config, &diag), VEER_OK);
	config_free(&config);
	memcpy(big, "a: [", 4);
	for (size_t i = 4; i + 2 < size; i += 2)
		memcpy(big + i, "1,", 2);
	assert_int_equal(config_parse("t", big, 400000, &config, &diag), VEER_ERANGE);
	assert_non_null(strstr(diag.text, "more than 100000 values"));
	memset(big, 'k', 200);
	memcpy(big + 200, ": 1", 3);
	assert_int_equal(config_parse("t", big, 203, &config, &diag), VEER_ERANGE);
	assert_non_null(strstr(diag.text, "a key of more than 128 bytes"));
	assert_null(config);
	free(big);
}

static void many_keys_are_checked_for_duplicates_quickly(void **state)
{
	(void)state;
	struct buf text;
	struct config *config = NULL;
	struct veer_diag diag = {.text = ""};
	buf_init(&text, CONFIG_TEXT_MAX_BYTES);
	for (int i = 0; i < 40000; i++)
		buf_printf(&text, "key%d: 1\n", i);
	assert_int_equal(config_parse("t", text.data, text.len, &config, &diag), VEER_OK);
	assert_int_equal(config_line(config, "/key39999"), 40000);
	config_free(&config);
	buf_puts(&text, "key7: 2\n");
	assert_int_equal(config_parse("t", text.data, text.len, &config, &diag), VEER_EINVAL);
	assert_string_equal(diag.text, "t:40001: duplicate key 'key7' (first on line 8)");
	buf_deinit(&text);
}

static void without_a_schema_only_json_scalars_have_types(void **state)
{
	(void)state;
	static const struct config_schema open = {.is_open = true};
	const char *const cases[][2] = {
		{"a: NO", "{\"a\":\"NO\"}"},
		{"a: yes", "{\"a\":\"yes\"}"},
		{"a: true", "{\"a\":true}"},
		{"a: 'true'", "{\"a\":\"true\"}"},
		{"a: True", "{\"a\":\"True\"}"},
		{"a: null", "{\"a\":null}"},
		{"a: ~", "{\"a\":null}"},
		{"a:", "{\"a\":null}"},
		{"a: ''", "{\"a\":\"\"}"},
		{"a: 12", "{\"a\":12}"},
		{"a: -0", "{\"a\":0}"},
		{"a: '12'", "{\"a\":\"12\"}"},
		{"a: 012", "{\"a\":\"012\"}"},
		{"a: 0x10", "{\"a\":\"0x10\"}"},
		{"a: 1_000", "{\"a\":\"1_000\"}"},
		{"a: 12:30:00", "{\"a\":\"12:30:00\"}"},
		{"a: 2026-11-22", "{\"a\":\"2026-11-22\"}"},
		{"a: 192.0.2.1", "{\"a\":\"192.0.2.1\"}"},
		{"a: 1.5", "{\"a\":1.5}"},
		{"a: -2.5e3", "{\"a\":-2500.0}"},
		{"a: 1e3", "{\"a\":1000.0}"},
		{"a: 1.", "{\"a\":\"1.\"}"},
		{"a: .5", "{\"a\":\".5\"}"},
		{"a: .inf", "{\"a\":\".inf\"}"},
		{"a: 1e", "{\"a\":\"1e\"}"},
		{"a: 9223372036854775807", "{\"a\":9223372036854775807}"},
		{"a: [1, {b: c}, []]", "{\"a\":[1,{\"b\":\"c\"},[]]}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *config = NULL;
		json_t *value = NULL;
		struct veer_diag diag = {.text = ""};
		assert_int_equal(config_parse("t", cases[i][0], strlen(cases[i][0]), &config, &diag), VEER_OK);
		assert_int_equal(config_to_json(config, &open, &value, &diag), VEER_OK);
		char *text = veer_json_dump(value);
		assert_string_equal(text, cases[i][1]);
		free(text);
		json_decref(value);
		config_free(&config);
	}
	const char *const bad[] = {"a: 9223372036854775808", "a: 1e999", "a: -99999999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct config *config = NULL;
		json_t *value = NULL;
		struct veer_diag diag = {.text = ""};
		assert_int_equal(config_parse("t", bad[i], strlen(bad[i]), &config, &diag), VEER_OK);
		assert_int_equal(config_to_json(config, &open, &value, &diag), VEER_ERANGE);
		assert_string_equal(diag.text, "t:1: a is too large a number");
		config_free(&config);
	}
}

static void a_pointer_finds_its_line(void **state)
{
	(void)state;
	const char *text = "# head\npools:\n  - name: a\n    endpoints:\n      - x: 1\n      - x: 2\nlast/~: 3\n";
	const struct {
		const char *pointer;
		unsigned line;
	} cases[] = {
		{"", 2},
		{"/pools", 2},
		{"/pools/0", 3},
		{"/pools/0/name", 3},
		{"/pools/0/endpoints", 4},
		{"/pools/0/endpoints/1", 6},
		{"/pools/0/endpoints/1/x", 6},
		{"/last~1~0", 7},
		{"/none", 2},
		{"/pools/0/none", 3},
		{"/pools/9", 2},
		{"/pools/x", 2},
		{"/pools/0/endpoints/01", 4},
	};
	struct config *config = NULL;
	struct veer_diag diag = {.text = ""};
	assert_int_equal(config_parse("t", text, strlen(text), &config, &diag), VEER_OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (config_line(config, cases[i].pointer) != cases[i].line)
			fail_msg("%s: %u", cases[i].pointer, config_line(config, cases[i].pointer));
	assert_int_equal(config_fail(config, "/pools/0/endpoints", &diag, VEER_ERANGE, "no %s", "good"), VEER_ERANGE);
	assert_string_equal(diag.text, "t:4: no good");
	config_free(&config);
}

static void files_are_loaded_by_path(void **state)
{
	(void)state;
	char path[] = "/tmp/veer-test-XXXXXX";
	int fd = mkstemp(path);
	struct config *config = NULL;
	struct veer_diag diag = {.text = ""};
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a: b\nc\n", 7), 7);
	(void)close(fd);
	assert_int_equal(config_load(path, &config, &diag), VEER_EINVAL);
	assert_memory_equal(diag.text, path, strlen(path));
	(void)unlink(path);
	assert_int_equal(config_load(path, &config, &diag), VEER_ENOTFOUND);
	assert_non_null(strstr(diag.text, "cannot open"));
}

/* --- as options ------------------------------------------------------------------------------------------- */

struct opts {
	bool verbose;
	const char *file;
	int64_t max_workers;
	int colour;
	struct args_list zones;
	const char *config;
	struct args_option table[6];
	struct args_spec spec;
};

static void opts_init(struct opts *o)
{
	*o = (struct opts){.max_workers = 2, .file = "default"};
	const struct args_option table[6] = {
		{.name = "verbose", .kind = ARGS_FLAG, .target = &o->verbose, .help = ""},
		{.name = "file",
		 .kind = ARGS_STRING,
		 .target = &o->file,
		 .value = "FILE",
		 .help = "",
		 .required = true},
		{.name = "max-workers",
		 .kind = ARGS_INT,
		 .target = &o->max_workers,
		 .value = "N",
		 .help = "",
		 .min = 1,
		 .max = 64},
		{.name = "colour", .kind = ARGS_ENUM, .target = &o->colour, .value = "C", .help = "", .names = colours},
		{.name = "zone", .kind = ARGS_LIST, .target = &o->zones, .value = "Z", .help = ""},
		{.name = "config",
		 .kind = ARGS_STRING,
		 .target = &o->config,
		 .value = "F",
		 .help = "",
		 .cli_only = true},
	};
	memcpy(o->table, table, sizeof table);
	o->spec = (struct args_spec){.usage = "p", .summary = "", .options = o->table, .option_count = 6};
}

static enum veer_err fill(struct opts *o, struct args *args, int argc, char *argv[], const char *text,
			  struct veer_diag *diag)
{
	struct config *config = NULL;
	opts_init(o);
	assert_int_equal(args_parse(args, &o->spec, argc, argv, 1, diag), VEER_OK);
	enum veer_err err = config_parse("c.yaml", text, strlen(text), &config, diag);
	if (err == VEER_OK)
		err = config_fill_options(config, args, diag);
	config_free(&config); /* the options that were set must not point into it */
	return err;
}

static void a_file_fills_what_the_command_line_left_open(void **state)
{
	(void)state;
	struct opts o;
	struct args args;
	struct veer_diag diag = {.text = ""};
	char *argv[] = {"p", "--colour", "green", "--zone", "cli", NULL};
	const char *text = "verbose: true\nfile: from-file\nmax_workers: 9\ncolour: blue\nzone: [a, b, 3]\n";
	assert_int_equal(fill(&o, &args, 5, argv, text, &diag), VEER_OK);
	assert_true(o.verbose);
	assert_string_equal(o.file, "from-file");
	assert_int_equal(o.max_workers, 9);
	assert_int_equal(o.colour, 1);
	assert_int_equal(o.zones.count, 1);
	assert_string_equal(o.zones.items[0], "cli");
	assert_int_equal(args_check_required(&args, &diag), VEER_OK);
	args_deinit(&args);
	assert_int_equal(fill(&o, &args, 1, argv, text, &diag), VEER_OK);
	assert_int_equal(o.zones.count, 3);
	assert_string_equal(o.zones.items[2], "3");
	args_deinit(&args);
	assert_int_equal(fill(&o, &args, 1, argv, "zone: one\nverbose: false", &diag), VEER_OK);
	assert_int_equal(o.zones.count, 1);
	assert_int_equal(args_check_required(&args, &diag), VEER_EINVAL);
	args_deinit(&args);
}

static void wrong_options_in_a_file_name_their_line(void **state)
{
	(void)state;
	const char *const cases[][2] = {
		{"\nmax_worker: 1", "c.yaml:2: unknown key 'max_worker' (did you mean 'max_workers'?)"},
		{"max-workers: 1", "c.yaml:1: unknown key 'max-workers' (did you mean 'max_workers'?)"},
		{"config: x", "c.yaml:1: unknown key 'config'"},
		{"help: true", "c.yaml:1: unknown key 'help'"},
		{"max_workers: 99", "c.yaml:1: max_workers must be from 1 to 64"},
		{"max_workers: x", "c.yaml:1: max_workers must be an integer, not 'x'"},
		{"verbose: yes", "c.yaml:1: verbose must be true or false"},
		{"verbose:", "c.yaml:1: verbose has no value"},
		{"file: [a]", "c.yaml:1: file must be a single value, not a list"},
		{"zone: {a: b}", "c.yaml:1: zone must be a single value, not a mapping"},
		{"zone:\n- a\n- [b]", "c.yaml:3: the value must be a single value, not a list"},
		{"colour: pink", "c.yaml:1: colour must be red, green or blue, not 'pink'"},
		{"file: a\nfile: b", "c.yaml:2: duplicate key"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct opts o;
		struct args args;
		struct veer_diag diag = {.text = ""};
		char *argv[] = {"p", NULL};
		enum veer_err err = fill(&o, &args, 1, argv, cases[i][0], &diag);
		if (err == VEER_OK || strncmp(diag.text, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: %d '%s'", cases[i][0], err, diag.text);
		args_deinit(&args);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_documents_become_typed_json),
		cmocka_unit_test(hostile_documents_are_refused_with_file_and_line),
		cmocka_unit_test(every_truncation_is_read_or_refused_cleanly),
		cmocka_unit_test(a_billion_laughs_are_refused_and_limits_hold),
		cmocka_unit_test(many_keys_are_checked_for_duplicates_quickly),
		cmocka_unit_test(without_a_schema_only_json_scalars_have_types),
		cmocka_unit_test(a_pointer_finds_its_line),
		cmocka_unit_test(files_are_loaded_by_path),
		cmocka_unit_test(a_file_fills_what_the_command_line_left_open),
		cmocka_unit_test(wrong_options_in_a_file_name_their_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
