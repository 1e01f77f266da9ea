/* SPDX-License-Identifier: Apache-2.0 */
/* From a tree of nodes to JSON by a schema, which may be open, and to options of a command line. */
#include "base/config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_impl.h"
#include "base/text.h"

#define STRING_MAX_DEFAULT 1024
#define COUNT_MAX_DEFAULT 1000
#define NAMES_MAX 128

static enum veer_err fail_memory(struct veer_diag *diag)
{
	return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
}

const char *config_kind_text(const struct config_node *node)
{
	switch (node->kind) {
	case CONFIG_NODE_SCALAR:
		return "a single value";
	case CONFIG_NODE_LIST:
		return "a list";
	case CONFIG_NODE_MAP:
		return "a mapping";
	}
	return "something else";
}

/* The name of a node in messages: its key, or "the value" in a list. */
static const char *node_name(const struct config_node *node)
{
	return node->key != NULL ? node->key : "the value";
}

enum veer_err config_scalar(const struct config *config, const struct config_node *node, const char *what,
			    const char **out, struct veer_diag *diag)
{
	if (node->kind != CONFIG_NODE_SCALAR)
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be %s, not %s", node_name(node),
				      what, config_kind_text(node));
	if (node->is_plain && node->text[0] == '\0')
		return config_fail_at(config, node->key != NULL ? node->key_line : node->line, diag, VEER_EINVAL,
				      "%s has no value: %s is expected", node_name(node), what);
	*out = node->text;
	return VEER_OK;
}

/* The text of a scalar that must be unquoted. */
static enum veer_err plain_scalar(const struct config *config, const struct config_node *node, const char *what,
				  const char **out, struct veer_diag *diag)
{
	enum veer_err err = config_scalar(config, node, what, out, diag);
	if (err == VEER_OK && !node->is_plain)
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be %s, not a quoted text",
				      node_name(node), what);
	return err;
}

/* --- by schema -------------------------------------------------------------------------------------------- */

static enum veer_err string_value(const struct config *config, const struct config_node *node,
				  const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	const char *text = NULL;
	enum veer_err err = config_scalar(config, node, "a text", &text, diag);
	if (err != VEER_OK)
		return err;
	bool is_list = field->type == CONFIG_STRINGS; /* then the field's limits count elements */
	size_t max = is_list || field->max == 0 ? STRING_MAX_DEFAULT : (size_t)field->max;
	size_t min = is_list ? 0 : (size_t)field->min;
	size_t len = strlen(text);
	if (len > max || len < min)
		return config_fail_at(config, node->line, diag, VEER_ERANGE, "%s must be %zu to %zu bytes long",
				      node_name(node), min, max);
	*out = json_stringn(text, len);
	return *out != NULL ? VEER_OK : fail_memory(diag);
}

static enum veer_err integer_value(const struct config *config, const struct config_node *node,
				   const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	const char *text = NULL;
	int64_t value = 0;
	enum veer_err err = plain_scalar(config, node, "an integer", &text, diag);
	if (err != VEER_OK)
		return err;
	if (!text_to_int(text, INT64_MIN, INT64_MAX, &value))
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be an integer, not '%.60s'",
				      node_name(node), text);
	if (value < field->min || value > field->max)
		return config_fail_at(config, node->line, diag, VEER_ERANGE, "%s must be from %" PRId64 " to %" PRId64,
				      node_name(node), field->min, field->max);
	*out = json_integer(value);
	return *out != NULL ? VEER_OK : fail_memory(diag);
}

static enum veer_err bool_value(const struct config *config, const struct config_node *node, json_t **out,
				struct veer_diag *diag)
{
	const char *text = NULL;
	enum veer_err err = plain_scalar(config, node, "true or false", &text, diag);
	if (err != VEER_OK)
		return err;
	bool is_true = strcmp(text, "true") == 0;
	if (!is_true && strcmp(text, "false") != 0)
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be true or false, not '%.60s'",
				      node_name(node), text);
	*out = json_boolean(is_true);
	return VEER_OK;
}

static size_t names_count(const char *const *names)
{
	size_t count = 0;
	while (names[count] != NULL)
		count++;
	return count;
}

static enum veer_err enum_value(const struct config *config, const struct config_node *node,
				const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	const char *text = NULL;
	enum veer_err err = config_scalar(config, node, "a word", &text, diag);
	if (err != VEER_OK)
		return err;
	size_t count = names_count(field->names);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(field->names[i], text) == 0) {
			*out = json_string(text);
			return *out != NULL ? VEER_OK : fail_memory(diag);
		}
	}
	struct buf all;
	buf_init(&all, 255);
	for (size_t i = 0; i < count; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", field->names[i]);
	err = config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be %s, not '%.60s'", node_name(node),
			     all.data, text);
	buf_deinit(&all);
	return err;
}

static enum veer_err map_value(const struct config *config, const struct config_node *node,
			       const struct config_schema *schema, json_t **out, struct veer_diag *diag);
static enum veer_err plain_json(const struct config *config, const struct config_node *node, json_t **out,
				struct veer_diag *diag);

static enum veer_err check_count(const struct config *config, const struct config_node *node,
				 const struct config_field *field, size_t count, struct veer_diag *diag)
{
	int64_t max = field->max > 0 ? field->max : COUNT_MAX_DEFAULT;
	if ((int64_t)count >= field->min && (int64_t)count <= max)
		return VEER_OK;
	return config_fail_at(config, node->line, diag, VEER_ERANGE,
			      "%s must have from %" PRId64 " to %" PRId64 " entries", node_name(node), field->min, max);
}

/* One element of a list, or one value of a CONFIG_NAMED mapping. */
static enum veer_err element_value(const struct config *config, const struct config_node *node,
				   const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	if (field->type == CONFIG_STRINGS)
		return string_value(config, node, field, out, diag);
	return map_value(config, node, field->schema, out, diag);
}

static enum veer_err list_value(const struct config *config, const struct config_node *node,
				const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	bool is_one = field->type == CONFIG_STRINGS && node->kind == CONFIG_NODE_SCALAR;
	if (!is_one && node->kind != CONFIG_NODE_LIST)
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be a list, not %s",
				      node_name(node), config_kind_text(node));
	enum veer_err err = check_count(config, node, field, is_one ? 1 : node->count, diag);
	if (err != VEER_OK)
		return err;
	json_t *array = json_array();
	const struct config_node *item = is_one ? node : node->first;
	for (; err == VEER_OK && array != NULL && item != NULL; item = is_one ? NULL : item->next) {
		json_t *value = NULL;
		err = element_value(config, item, field, &value, diag);
		if (err == VEER_OK && json_array_append_new(array, value) != 0)
			err = fail_memory(diag);
	}
	if (err == VEER_OK && array == NULL)
		err = fail_memory(diag);
	if (err == VEER_OK)
		*out = array;
	else
		json_decref(array);
	return err;
}

static enum veer_err named_value(const struct config *config, const struct config_node *node,
				 const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	if (node->kind != CONFIG_NODE_MAP)
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be a mapping, not %s",
				      node_name(node), config_kind_text(node));
	enum veer_err err = check_count(config, node, field, node->count, diag);
	if (err != VEER_OK)
		return err;
	json_t *object = json_object();
	for (const struct config_node *item = node->first; err == VEER_OK && object != NULL && item != NULL;
	     item = item->next) {
		json_t *value = NULL;
		err = element_value(config, item, field, &value, diag);
		if (err == VEER_OK && json_object_set_new(object, item->key, value) != 0)
			err = fail_memory(diag);
	}
	if (err == VEER_OK && object == NULL)
		err = fail_memory(diag);
	if (err == VEER_OK)
		*out = object;
	else
		json_decref(object);
	return err;
}

static enum veer_err field_value(const struct config *config, const struct config_node *node,
				 const struct config_field *field, json_t **out, struct veer_diag *diag)
{
	switch (field->type) {
	case CONFIG_STRING:
		return string_value(config, node, field, out, diag);
	case CONFIG_INTEGER:
		return integer_value(config, node, field, out, diag);
	case CONFIG_BOOL:
		return bool_value(config, node, out, diag);
	case CONFIG_ENUM:
		return enum_value(config, node, field, out, diag);
	case CONFIG_MAPPING:
		return map_value(config, node, field->schema, out, diag);
	case CONFIG_STRINGS:
	case CONFIG_MAPPINGS:
		return list_value(config, node, field, out, diag);
	case CONFIG_NAMED:
		return named_value(config, node, field, out, diag);
	}
	return VEER_EINVAL;
}

static const struct config_field *find_field(const struct config_schema *schema, const char *key)
{
	for (size_t i = 0; i < schema->count; i++)
		if (strcmp(schema->fields[i].key, key) == 0)
			return &schema->fields[i];
	return NULL;
}

static enum veer_err unknown_key(const struct config *config, const struct config_node *node, const char *const *names,
				 size_t count, struct veer_diag *diag)
{
	const char *closest = text_closest(node->key, names, count);
	if (closest != NULL)
		return config_fail_at(config, node->key_line, diag, VEER_EINVAL,
				      "unknown key '%.128s' (did you mean '%s'?)", node->key, closest);
	return config_fail_at(config, node->key_line, diag, VEER_EINVAL, "unknown key '%.128s'", node->key);
}

static enum veer_err unknown_field(const struct config *config, const struct config_node *node,
				   const struct config_schema *schema, struct veer_diag *diag)
{
	const char *names[NAMES_MAX];
	size_t count = 0;
	for (; count < schema->count && count < NAMES_MAX; count++)
		names[count] = schema->fields[count].key;
	return unknown_key(config, node, names, count, diag);
}

static enum veer_err check_required(const struct config *config, const struct config_node *node,
				    const struct config_schema *schema, const json_t *object, struct veer_diag *diag)
{
	for (size_t i = 0; i < schema->count; i++)
		if (schema->fields[i].required && json_object_get(object, schema->fields[i].key) == NULL)
			return config_fail_at(config, node->key != NULL ? node->key_line : node->line, diag,
					      VEER_EINVAL, "key '%s' is missing", schema->fields[i].key);
	return VEER_OK;
}

static enum veer_err map_value(const struct config *config, const struct config_node *node,
			       const struct config_schema *schema, json_t **out, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	if (node->kind != CONFIG_NODE_MAP)
		return config_fail_at(config, node->line, diag, VEER_EINVAL, "%s must be a mapping, not %s",
				      node_name(node), config_kind_text(node));
	json_t *object = json_object();
	if (object == NULL)
		return fail_memory(diag);
	for (const struct config_node *item = node->first; err == VEER_OK && item != NULL; item = item->next) {
		json_t *value = NULL;
		const struct config_field *field = find_field(schema, item->key);
		if (field != NULL)
			err = field_value(config, item, field, &value, diag);
		else
			err = schema->is_open ? plain_json(config, item, &value, diag)
					      : unknown_field(config, item, schema, diag);
		if (err == VEER_OK && json_object_set_new(object, item->key, value) != 0)
			err = fail_memory(diag);
	}
	if (err == VEER_OK)
		err = check_required(config, node, schema, object, diag);
	if (err == VEER_OK)
		*out = object;
	else
		json_decref(object);
	return err;
}

enum veer_err config_to_json(const struct config *config, const struct config_schema *schema, json_t **out,
			     struct veer_diag *diag)
{
	return map_value(config, config->root, schema, out, diag);
}

/* --- plain data ------------------------------------------------------------------------------------------- */

static const char *skip_digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

enum plain_kind { PLAIN_TEXT, PLAIN_INTEGER, PLAIN_FRACTION };

/* Whether the text is a number as JSON writes it (RFC 8259 section 6). */
static enum plain_kind number_kind(const char *text)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	const char *s = skip_digits(digits);
	if (s == digits || (digits[0] == '0' && s - digits > 1))
		return PLAIN_TEXT;
	if (*s == '\0')
		return PLAIN_INTEGER;
	if (*s == '.') {
		const char *fraction = s + 1;
		s = skip_digits(fraction);
		if (s == fraction)
			return PLAIN_TEXT;
	}
	if (*s == 'e' || *s == 'E') {
		const char *exponent = s + 1;
		exponent += *exponent == '+' || *exponent == '-';
		s = skip_digits(exponent);
		if (s == exponent)
			return PLAIN_TEXT;
	}
	return *s == '\0' ? PLAIN_FRACTION : PLAIN_TEXT;
}

static json_t *plain_word(const char *text)
{
	if (text[0] == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
		return json_null();
	if (strcmp(text, "true") == 0)
		return json_true();
	if (strcmp(text, "false") == 0)
		return json_false();
	return json_string(text);
}

static enum veer_err plain_scalar_json(const struct config *config, const struct config_node *node, json_t **out,
				       struct veer_diag *diag)
{
	enum plain_kind kind = node->is_plain ? number_kind(node->text) : PLAIN_TEXT;
	if (kind == PLAIN_TEXT) {
		*out = node->is_plain ? plain_word(node->text) : json_string(node->text);
	} else if (kind == PLAIN_INTEGER) {
		errno = 0;
		long long value = strtoll(node->text, NULL, 10);
		if (errno != 0)
			return config_fail_at(config, node->line, diag, VEER_ERANGE, "%s is too large a number",
					      node_name(node));
		*out = json_integer(value);
	} else {
		double value = strtod(node->text, NULL);
		if (!isfinite(value))
			return config_fail_at(config, node->line, diag, VEER_ERANGE, "%s is too large a number",
					      node_name(node));
		*out = json_real(value);
	}
	return *out != NULL ? VEER_OK : fail_memory(diag);
}

/* Recursion is bounded by the depth of the tree. */
static enum veer_err plain_json(const struct config *config, const struct config_node *node, json_t **out,
				struct veer_diag *diag)
{
	if (node->kind == CONFIG_NODE_SCALAR)
		return plain_scalar_json(config, node, out, diag);
	bool is_map = node->kind == CONFIG_NODE_MAP;
	json_t *all = is_map ? json_object() : json_array();
	enum veer_err err = all != NULL ? VEER_OK : fail_memory(diag);
	for (const struct config_node *item = node->first; err == VEER_OK && item != NULL; item = item->next) {
		json_t *value = NULL;
		err = plain_json(config, item, &value, diag);
		if (err != VEER_OK)
			break;
		int rc = is_map ? json_object_set_new(all, item->key, value) : json_array_append_new(all, value);
		if (rc != 0)
			err = fail_memory(diag);
	}
	if (err == VEER_OK)
		*out = all;
	else
		json_decref(all);
	return err;
}

/* --- as options ------------------------------------------------------------------------------------------- */

/* The key `a_b` in a file is the option `--a-b` on a command line. */
static void swap_char(const char *text, char from, char to, char *out, size_t size)
{
	size_t i = 0;
	for (; text[i] != '\0' && i + 1 < size; i++)
		out[i] = text[i] == from ? to : text[i];
	out[i] = '\0';
}

static enum veer_err unknown_option_key(const struct config *config, const struct config_node *node,
					const struct args_spec *spec, struct veer_diag *diag)
{
	char keys[ARGS_OPTIONS_MAX][64];
	const char *names[ARGS_OPTIONS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < spec->option_count && i < ARGS_OPTIONS_MAX; i++) {
		if (spec->options[i].cli_only)
			continue;
		swap_char(spec->options[i].name, '-', '_', keys[count], sizeof keys[count]);
		names[count] = keys[count];
		count++;
	}
	return unknown_key(config, node, names, count, diag);
}

static enum veer_err set_option(const struct config *config, const struct config_node *node, struct args *args,
				const struct args_option *option, struct veer_diag *diag)
{
	const char *text = NULL;
	struct veer_diag reason = {.text = ""};
	enum veer_err err = config_scalar(config, node, "a single value", &text, diag);
	if (err != VEER_OK)
		return err;
	err = args_set(args, option, text, &reason);
	if (err != VEER_OK)
		return config_fail_at(config, node->line, diag, err, "%s %s", node_name(node), reason.text);
	return VEER_OK;
}

static enum veer_err fill_option(const struct config *config, const struct config_node *node, struct args *args,
				 const struct args_option *option, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	if (option->kind != ARGS_LIST || node->kind != CONFIG_NODE_LIST)
		return set_option(config, node, args, option, diag);
	for (const struct config_node *item = node->first; err == VEER_OK && item != NULL; item = item->next)
		err = set_option(config, item, args, option, diag);
	return err;
}

enum veer_err config_fill_options(const struct config *config, struct args *args, struct veer_diag *diag)
{
	uint64_t given = args->given; /* only by the command line, so that options which the file sets are not in it */
	for (const struct config_node *node = config->root->first; node != NULL; node = node->next) {
		char name[64];
		swap_char(node->key, '_', '-', name, sizeof name);
		const struct args_option *option = args_find(args->spec, name);
		if (option == NULL || option->cli_only || strchr(node->key, '-') != NULL)
			return unknown_option_key(config, node, args->spec, diag);
		if ((given & UINT64_C(1) << (option - args->spec->options)) != 0)
			continue;
		enum veer_err err = fill_option(config, node, args, option, diag);
		if (err != VEER_OK)
			return err;
		args_mark_given(args, option);
	}
	return VEER_OK;
}
