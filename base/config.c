/* SPDX-License-Identifier: Apache-2.0 */
/* From YAML's events to a tree of nodes. */
#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/config_impl.h"
#include "base/file.h"
#include "base/text.h"

#define NODES_MAX 100000
#define KEY_MAX_BYTES 128
/* Nodes are small; text takes at most twice its own size (as it stands, and with escapes expanded). */
#define ARENA_LIMIT_BYTES ((size_t)32 << 20)

/* The state of one parse. */
struct parse {
	yaml_parser_t yaml;
	struct config *config;
	size_t node_count;
	struct veer_diag *diag;
};

static enum veer_err fail_va(const struct config *config, unsigned line, struct veer_diag *diag, enum veer_err err,
			     const char *fmt, va_list ap)
{
	if (diag == NULL)
		return err;
	int len = snprintf(diag->text, sizeof diag->text, "%.200s:%u: ", config->name, line);
	if (len > 0 && (size_t)len < sizeof diag->text)
		(void)vsnprintf(diag->text + len, sizeof diag->text - (size_t)len, fmt, ap);
	return err;
}

enum veer_err config_fail_at(const struct config *config, unsigned line, struct veer_diag *diag, enum veer_err err,
			     const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)fail_va(config, line, diag, err, fmt, ap);
	va_end(ap);
	return err;
}

static unsigned line_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

static enum veer_err fail_memory(struct veer_diag *diag)
{
	return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
}

static enum veer_err next_event(struct parse *p, yaml_event_t *event)
{
	if (yaml_parser_parse(&p->yaml, event) == 1)
		return VEER_OK;
	if (p->yaml.error == YAML_MEMORY_ERROR)
		return fail_memory(p->diag);
	/* The YAML reader gives no mark for its errors. The faulty bytes come after everything that was scanned. */
	const yaml_mark_t *mark = p->yaml.error == YAML_READER_ERROR ? &p->yaml.mark : &p->yaml.problem_mark;
	const char *problem = p->yaml.problem != NULL ? p->yaml.problem : "malformed";
	if (p->yaml.context != NULL)
		return config_fail_at(p->config, line_of(mark), p->diag, VEER_EINVAL, "%s %s", problem,
				      p->yaml.context);
	return config_fail_at(p->config, line_of(mark), p->diag, VEER_EINVAL, "%s", problem);
}

static struct config_node *node_new(struct parse *p, enum config_kind kind, unsigned line, enum veer_err *err)
{
	if (++p->node_count > NODES_MAX) {
		*err = config_fail_at(p->config, line, p->diag, VEER_ERANGE, "more than %d values", NODES_MAX);
		return NULL;
	}
	struct config_node *node = arena_alloc(p->config->arena, sizeof *node);
	if (node == NULL) {
		*err = fail_memory(p->diag);
		return NULL;
	}
	node->kind = kind;
	node->line = line;
	return node;
}

/* Anchors and tags may sit on any node. */
static enum veer_err check_properties(struct parse *p, const yaml_char_t *anchor, const yaml_char_t *tag, unsigned line)
{
	if (anchor != NULL)
		return config_fail_at(p->config, line, p->diag, VEER_EINVAL, "anchors (&name) are not supported");
	if (tag != NULL)
		return config_fail_at(p->config, line, p->diag, VEER_EINVAL, "tags (!type) are not supported");
	return VEER_OK;
}

/* The scalar's text in the arena. */
static enum veer_err take_text(struct parse *p, const yaml_event_t *event, const char **out)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	unsigned line = line_of(&event->start_mark);
	enum veer_err err = check_properties(p, event->data.scalar.anchor, event->data.scalar.tag, line);
	if (err != VEER_OK)
		return err;
	if (memchr(value, '\0', len) != NULL)
		return config_fail_at(p->config, line, p->diag, VEER_EINVAL, "a NUL character in a value");
	char *text = arena_alloc(p->config->arena, len + 1);
	if (text == NULL)
		return fail_memory(p->diag);
	memcpy(text, value, len);
	*out = text;
	return VEER_OK;
}

static enum veer_err parse_value(struct parse *p, yaml_event_t *event, unsigned depth, struct config_node **out);

static void add_child(struct config_node *parent, struct config_node *child)
{
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

static enum veer_err parse_scalar(struct parse *p, const yaml_event_t *event, struct config_node **out)
{
	enum veer_err err = VEER_OK;
	struct config_node *node = node_new(p, CONFIG_NODE_SCALAR, line_of(&event->start_mark), &err);
	if (node == NULL)
		return err;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	*out = node;
	return take_text(p, event, &node->text);
}

/* Parse elements until the end of the sequence. */
static enum veer_err parse_items(struct parse *p, struct config_node *list, unsigned depth)
{
	for (;;) {
		yaml_event_t event;
		struct config_node *item = NULL;
		enum veer_err err = next_event(p, &event);
		if (err != VEER_OK)
			return err;
		bool is_end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!is_end)
			err = parse_value(p, &event, depth + 1, &item);
		yaml_event_delete(&event);
		if (is_end || err != VEER_OK)
			return err;
		add_child(list, item);
	}
}

static enum veer_err parse_key(struct parse *p, const yaml_event_t *event, const char **out)
{
	unsigned line = line_of(&event->start_mark);
	if (event->type == YAML_ALIAS_EVENT)
		return config_fail_at(p->config, line, p->diag, VEER_EINVAL, "aliases (*name) are not supported");
	if (event->type != YAML_SCALAR_EVENT)
		return config_fail_at(p->config, line, p->diag, VEER_EINVAL, "a key must be a word");
	if (event->data.scalar.length == 0)
		return config_fail_at(p->config, line, p->diag, VEER_EINVAL, "an empty key");
	if (event->data.scalar.length > KEY_MAX_BYTES)
		return config_fail_at(p->config, line, p->diag, VEER_ERANGE, "a key of more than %d bytes",
				      KEY_MAX_BYTES);
	return take_text(p, event, out);
}

static enum veer_err parse_pair(struct parse *p, const yaml_event_t *key_event, struct config_node *map, unsigned depth)
{
	const char *key = NULL;
	struct config_node *value = NULL;
	yaml_event_t event;
	enum veer_err err = parse_key(p, key_event, &key);
	if (err == VEER_OK)
		err = next_event(p, &event);
	if (err != VEER_OK)
		return err;
	err = parse_value(p, &event, depth + 1, &value);
	yaml_event_delete(&event);
	if (err != VEER_OK)
		return err;
	value->key = key;
	value->key_line = line_of(&key_event->start_mark);
	add_child(map, value);
	return VEER_OK;
}

static int compare_keys(const void *a, const void *b)
{
	const struct config_node *x = *(const struct config_node *const *)a;
	const struct config_node *y = *(const struct config_node *const *)b;
	int order = strcmp(x->key, y->key);
	return order != 0 ? order : (x->key_line > y->key_line) - (x->key_line < y->key_line);
}

/* The keys are sorted, so that a mapping with many keys is checked quickly. */
static enum veer_err check_duplicates(struct parse *p, const struct config_node *map)
{
	enum veer_err err = VEER_OK;
	if (map->count < 2)
		return VEER_OK;
	const struct config_node **sorted = calloc(map->count, sizeof(const struct config_node *));
	if (sorted == NULL)
		return fail_memory(p->diag);
	size_t count = 0;
	for (const struct config_node *node = map->first; node != NULL; node = node->next)
		sorted[count++] = node;
	qsort(sorted, count, sizeof(const struct config_node *), compare_keys);
	for (size_t i = 1; i < count && err == VEER_OK; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			err = config_fail_at(p->config, sorted[i]->key_line, p->diag, VEER_EINVAL,
					     "duplicate key '%.128s' (first on line %u)", sorted[i]->key,
					     sorted[i - 1]->key_line);
	free(sorted);
	return err;
}

/* Parse pairs until the end of the mapping. */
static enum veer_err parse_pairs(struct parse *p, struct config_node *map, unsigned depth)
{
	for (;;) {
		yaml_event_t event;
		enum veer_err err = next_event(p, &event);
		if (err != VEER_OK)
			return err;
		bool is_end = event.type == YAML_MAPPING_END_EVENT;
		if (!is_end)
			err = parse_pair(p, &event, map, depth);
		yaml_event_delete(&event);
		if (err != VEER_OK)
			return err;
		if (is_end)
			return check_duplicates(p, map);
	}
}

static enum veer_err parse_collection(struct parse *p, const yaml_event_t *event, unsigned depth,
				      struct config_node **out)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	unsigned line = line_of(&event->start_mark);
	const yaml_char_t *anchor = is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const yaml_char_t *tag = is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	enum veer_err err = check_properties(p, anchor, tag, line);
	if (err == VEER_OK && depth >= CONFIG_DEPTH_MAX)
		err = config_fail_at(p->config, line, p->diag, VEER_ERANGE, "nested deeper than %d levels",
				     CONFIG_DEPTH_MAX);
	if (err != VEER_OK)
		return err;
	struct config_node *node = node_new(p, is_map ? CONFIG_NODE_MAP : CONFIG_NODE_LIST, line, &err);
	if (node == NULL)
		return err;
	*out = node;
	return is_map ? parse_pairs(p, node, depth) : parse_items(p, node, depth);
}

/* Parse any value, whose first event is `event`; the caller deletes the event. Recursion is bounded by the depth. */
static enum veer_err parse_value(struct parse *p, yaml_event_t *event, unsigned depth, struct config_node **out)
{
	if (event->type == YAML_SCALAR_EVENT)
		return parse_scalar(p, event, out);
	if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
		return parse_collection(p, event, depth, out);
	return config_fail_at(p->config, line_of(&event->start_mark), p->diag, VEER_EINVAL,
			      "aliases (*name) are not supported");
}

/* Take an event and return its type; its content is dropped. */
static enum veer_err skip_event(struct parse *p, yaml_event_type_t *type, unsigned *line)
{
	yaml_event_t event;
	enum veer_err err = next_event(p, &event);
	if (err != VEER_OK)
		return err;
	*type = event.type;
	*line = line_of(&event.start_mark);
	yaml_event_delete(&event);
	return VEER_OK;
}

static enum veer_err parse_root(struct parse *p, struct config_node **out)
{
	yaml_event_t event;
	enum veer_err err = next_event(p, &event);
	if (err != VEER_OK)
		return err;
	bool is_nothing = event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0 &&
			  event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event.data.scalar.tag == NULL &&
			  event.data.scalar.anchor == NULL;
	if (is_nothing)
		*out = node_new(p, CONFIG_NODE_MAP, 1, &err); /* the document is "---" and nothing else */
	else
		err = parse_value(p, &event, 0, out);
	yaml_event_delete(&event);
	if (err == VEER_OK && (*out)->kind != CONFIG_NODE_MAP)
		err = config_fail_at(p->config, (*out)->line, p->diag, VEER_EINVAL, "must be a mapping (key: value)");
	return err;
}

static enum veer_err parse_stream(struct parse *p, struct config_node **out)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	unsigned line = 1;
	enum veer_err err = skip_event(p, &type, &line); /* the start of the stream */
	if (err == VEER_OK)
		err = skip_event(p, &type, &line);
	if (err != VEER_OK)
		return err;
	if (type == YAML_STREAM_END_EVENT) {
		*out = node_new(p, CONFIG_NODE_MAP, 1, &err);
		return err;
	}
	err = parse_root(p, out);
	if (err == VEER_OK)
		err = skip_event(p, &type, &line); /* the end of the document */
	if (err == VEER_OK)
		err = skip_event(p, &type, &line);
	if (err == VEER_OK && type != YAML_STREAM_END_EVENT)
		err = config_fail_at(p->config, line, p->diag, VEER_EINVAL, "more than one document");
	return err;
}

static enum veer_err parse_into(struct config *config, const char *text, size_t len, struct veer_diag *diag)
{
	struct parse p = {.config = config, .diag = diag};
	struct config_node *root = NULL;
	if (yaml_parser_initialize(&p.yaml) != 1)
		return fail_memory(diag);
	yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p.yaml, (const unsigned char *)text, len);
	enum veer_err err = parse_stream(&p, &root);
	yaml_parser_delete(&p.yaml);
	config->root = root;
	return err;
}

enum veer_err config_parse(const char *name, const char *text, size_t len, struct config **out, struct veer_diag *diag)
{
	if (len > CONFIG_TEXT_MAX_BYTES)
		return veer_fail(diag, VEER_ERANGE, "%.200s: longer than %zu bytes", name, CONFIG_TEXT_MAX_BYTES);
	struct config *config = calloc(1, sizeof *config);
	if (config == NULL)
		return fail_memory(diag);
	config->arena = arena_new(ARENA_LIMIT_BYTES);
	config->name = config->arena != NULL ? arena_strdup(config->arena, name) : NULL;
	enum veer_err err = config->name != NULL ? VEER_OK : fail_memory(diag);
	if (err == VEER_OK)
		err = parse_into(config, text, len, diag);
	if (err != VEER_OK) {
		config_free(&config);
		return err;
	}
	*out = config;
	return VEER_OK;
}

enum veer_err config_load(const char *path, struct config **out, struct veer_diag *diag)
{
	char *text = NULL;
	size_t len = 0;
	enum veer_err err = file_read_given(path, CONFIG_TEXT_MAX_BYTES, &text, &len, diag);
	if (err == VEER_OK)
		err = config_parse(path, text, len, out, diag);
	free(text);
	return err;
}

void config_free(struct config **config)
{
	if (*config == NULL)
		return;
	arena_free(&(*config)->arena);
	free(*config);
	*config = NULL;
}

/* --- places ----------------------------------------------------------------------------------------------- */

/* The child that one token of a pointer names. */
static const struct config_node *child_at(const struct config_node *node, const char *token)
{
	int64_t index = 0;
	const struct config_node *child = node->first;
	if (node->kind == CONFIG_NODE_MAP) {
		while (child != NULL && strcmp(child->key, token) != 0)
			child = child->next;
		return child;
	}
	if (!text_to_int(token, 0, NODES_MAX, &index))
		return NULL;
	while (child != NULL && index-- > 0)
		child = child->next;
	return child;
}

/* The next token of a pointer, unescaped. A token that is too long is cut and then matches no key. */
static const char *next_token(const char *pointer, char *out, size_t size)
{
	size_t len = 0;
	const char *s = pointer + 1;
	for (; *s != '\0' && *s != '/'; s++) {
		char c = *s;
		if (c == '~' && (s[1] == '0' || s[1] == '1'))
			c = *++s == '0' ? '~' : '/';
		if (len + 1 < size)
			out[len++] = c;
	}
	out[len] = '\0';
	return s;
}

unsigned config_line(const struct config *config, const char *pointer)
{
	const struct config_node *node = config->root;
	while (*pointer == '/') {
		char token[KEY_MAX_BYTES + 1];
		pointer = next_token(pointer, token, sizeof token);
		const struct config_node *child = child_at(node, token);
		if (child == NULL)
			break;
		node = child;
	}
	return node->key != NULL ? node->key_line : node->line;
}

enum veer_err config_fail(const struct config *config, const char *pointer, struct veer_diag *diag, enum veer_err err,
			  const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)fail_va(config, config_line(config, pointer), diag, err, fmt, ap);
	va_end(ap);
	return err;
}
