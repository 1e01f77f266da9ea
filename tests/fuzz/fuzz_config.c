/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration that is accepted becomes JSON. JSON is also YAML, so that text must be read back as the same value. A
 * configuration that the schema accepts is within the schema's limits, and so are the options set from it. Errors name
 * the file and one of its lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

static const char *const colours[] = {"red", "green", NULL};
static const struct config_schema open_schema = {.is_open = true};

static void check(bool ok)
{
	if (!ok)
		abort();
}

/*
 * Check the place in an error: "f:LINE: " with a line that the text has (one more when the error is at its end), or no
 * place when a limit on the whole text was exceeded.
 */
static void check_place(const struct veer_diag *diag, const uint8_t *data, size_t size)
{
	unsigned long lines = 2;
	char *end = NULL;
	for (size_t i = 0; i < size; i++) /* YAML knows several line ends, of which the shortest is one byte */
		lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] == 0xa8 || data[i] == 0xa9;
	check(strncmp(diag->text, "f:", 2) == 0);
	if (diag->text[2] == ' ')
		return;
	unsigned long line = strtoul(diag->text + 2, &end, 10);
	check(line >= 1 && line <= lines && strncmp(end, ": ", 2) == 0 && end[2] != '\0');
}

/* JSON has escapes that YAML does not know, such as "\/", but they are never written, so YAML can read the text. */
static void check_json_is_yaml(const struct config *config)
{
	json_t *value = NULL;
	json_t *again = NULL;
	struct config *second = NULL;
	struct veer_diag diag = {.text = ""};
	if (config_to_json(config, &open_schema, &value, &diag) != VEER_OK)
		return;
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
	check(text != NULL);
	/* JSON escapes characters beyond 16 bits as surrogate pairs. YAML has \U for them and refuses the pairs. */
	bool has_pair = strstr(text, "\\uD8") != NULL || strstr(text, "\\uD9") != NULL ||
			strstr(text, "\\uDA") != NULL || strstr(text, "\\uDB") != NULL;
	/*
	 * In YAML a ':' needs a blank after it unless the key is quoted, as it is here. Long keys are not simple keys.
	 */
	enum veer_err err = config_parse("second", text, strlen(text), &second, &diag);
	if (err == VEER_OK) {
		check(config_to_json(second, &open_schema, &again, &diag) == VEER_OK);
		check(json_equal(value, again) == 1);
	} else {
		check(has_pair || err == VEER_ERANGE || strlen(text) > 1024);
	}
	free(text);
	config_free(&second);
	json_decref(value);
	json_decref(again);
}

static void check_schema(const struct config *config, const uint8_t *data, size_t size)
{
	static const struct config_field inner[] = {
		{.key = "weight", .type = CONFIG_INTEGER, .required = true, .max = 9}};
	static const struct config_schema inner_schema = {.fields = inner, .count = 1};
	static const struct config_field fields[] = {
		{.key = "name", .type = CONFIG_STRING, .min = 1, .max = 8},
		{.key = "on", .type = CONFIG_BOOL},
		{.key = "colour", .type = CONFIG_ENUM, .names = colours},
		{.key = "list", .type = CONFIG_STRINGS, .max = 3},
		{.key = "items", .type = CONFIG_MAPPINGS, .schema = &inner_schema, .max = 2},
		{.key = "pools", .type = CONFIG_NAMED, .schema = &inner_schema, .max = 2},
	};
	static const struct config_schema schema = {.fields = fields, .count = 6};
	json_t *value = NULL;
	struct veer_diag diag = {.text = ""};
	if (config_to_json(config, &schema, &value, &diag) != VEER_OK) {
		check_place(&diag, data, size);
		return;
	}
	const json_t *name = json_object_get(value, "name");
	const json_t *on = json_object_get(value, "on");
	check(name == NULL || (json_string_length(name) >= 1 && json_string_length(name) <= 8));
	check(on == NULL || json_is_boolean(on));
	check(json_array_size(json_object_get(value, "list")) <= 3);
	check(json_array_size(json_object_get(value, "items")) <= 2);
	check(json_object_size(json_object_get(value, "pools")) <= 2);
	json_decref(value);
}

static void check_options(const struct config *config, const uint8_t *data, size_t size)
{
	bool on = false;
	const char *name = NULL;
	int64_t workers = 4;
	struct args_list list = {0};
	const struct args_option options[] = {
		{.name = "on", .kind = ARGS_FLAG, .target = &on, .help = ""},
		{.name = "name", .kind = ARGS_STRING, .target = &name, .value = "", .help = ""},
		{.name = "max-workers",
		 .kind = ARGS_INT,
		 .target = &workers,
		 .value = "",
		 .help = "",
		 .min = 1,
		 .max = 9},
		{.name = "list", .kind = ARGS_LIST, .target = &list, .value = "", .help = ""},
	};
	const struct args_spec spec = {.usage = "", .summary = "", .options = options, .option_count = 4};
	struct args args;
	struct veer_diag diag = {.text = ""};
	char *argv[] = {"p", NULL};
	check(args_parse(&args, &spec, 1, argv, 1, &diag) == VEER_OK);
	if (config_fill_options(config, &args, &diag) != VEER_OK)
		check_place(&diag, data, size);
	check(workers >= 1 && workers <= 9);
	args_deinit(&args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct veer_diag diag = {.text = ""};
	if (config_parse("f", (const char *)data, size, &config, &diag) != VEER_OK) {
		check(config == NULL);
		check_place(&diag, data, size);
		return 0;
	}
	check_json_is_yaml(config);
	check_schema(config, data, size);
	check_options(config, data, size);
	config_free(&config);
	return 0;
}
