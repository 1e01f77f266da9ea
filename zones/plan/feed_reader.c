/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/plan/feed_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"

struct feed_reader {
	const struct feed_sink *sink;
	void *ctx;
	struct buf line; /* the beginning of a line whose end has not arrived yet */
	uint8_t *value;  /* the change's value in the form that the sink expects */
	size_t value_size;
	uint64_t lines; /* read so far, for messages */
	bool has_hello;
	bool has_digest;
	bool has_failed;
	struct history_ancestry ancestry; /* from the hello */
};

struct feed_reader *feed_reader_new(const struct feed_sink *sink, void *ctx)
{
	struct feed_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL)
		return NULL;
	reader->sink = sink;
	reader->ctx = ctx;
	buf_init(&reader->line, FEED_READER_LINE_MAX);
	return reader;
}

bool feed_reader_has_hello(const struct feed_reader *reader)
{
	return reader->has_hello;
}

void feed_reader_free(struct feed_reader **reader)
{
	if (*reader == NULL)
		return;
	buf_deinit(&(*reader)->line);
	free((*reader)->value);
	free(*reader);
	*reader = NULL;
}

static bool reserve_value(struct feed_reader *reader, size_t size)
{
	if (size <= reader->value_size)
		return true;
	uint8_t *value = realloc(reader->value, size);
	if (value == NULL)
		return false;
	reader->value = value;
	reader->value_size = size;
	return true;
}

/* Convert an RRset's object, {"wire": BASE64} or {"policy": NAME}. */
static enum veer_err rrset_value(struct feed_reader *reader, const json_t *object, size_t *len, struct veer_diag *diag)
{
	const json_t *wire = json_object_get(object, "wire"), *policy = json_object_get(object, "policy");
	const json_t *text = json_is_string(wire) ? wire : policy;
	if (!json_is_string(text) || (wire != NULL && policy != NULL))
		return veer_fail(diag, VEER_EINVAL, "an rrset needs \"wire\" or \"policy\"");
	size_t text_len = json_string_length(text);
	if (!reserve_value(reader, text_len + 1))
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	if (text == policy) {
		reader->value[0] = 'p';
		memcpy(reader->value + 1, json_string_value(text), text_len);
		*len = text_len + 1;
		return VEER_OK;
	}
	reader->value[0] = 'w';
	if (crypto_base64_decode(json_string_value(text), text_len, reader->value + 1, text_len, len) != VEER_OK)
		return veer_fail(diag, VEER_EINVAL, "\"wire\" is not base64");
	*len += 1;
	return VEER_OK;
}

/* A line as it came, and its parsed form. */
struct feed_line {
	const char *text;
	size_t len;
	const json_t *json;
};

/* Does an object or an array begin in this part of a line? A bracket in a string counts too, which only costs time. */
static bool has_bracket(const char *text, size_t len)
{
	return memchr(text, '{', len) != NULL || memchr(text, '[', len) != NULL;
}

/*
 * Is `at` directly in the line's own object, and not inside one of its members? Brackets within strings do not count.
 */
static bool is_outermost(const char *text, const char *at)
{
	unsigned depth = 0;
	bool is_string = false;
	if (!has_bracket(text + 1, (size_t)(at - text) - 1)) /* this is so for nearly all lines */
		return true;
	for (const char *p = text; p < at; p++) {
		if (is_string && *p == '\\')
			p++;
		else if (*p == '"')
			is_string = !is_string;
		else if (!is_string && (*p == '{' || *p == '['))
			depth++;
		else if (!is_string && (*p == '}' || *p == ']'))
			depth--;
	}
	return depth == 1;
}

/*
 * Find the octets of the member "object" as they came, up to the end of the line's own object. They are the object
 * itself if it is the last member.
 */
static bool find_object(const struct feed_line *line, const char **object, size_t *len)
{
	static const char mark[] = ",\"object\":"; /* this text cannot occur within a JSON string */
	const char *end = line->text + line->len;
	const char *at = memmem(line->text, line->len, mark, sizeof mark - 1);
	while (at != NULL && !is_outermost(line->text, at))
		at = memmem(at + 1, (size_t)(end - at) - 1, mark, sizeof mark - 1);
	if (at == NULL || end[-1] != '}')
		return false;
	*object = at + sizeof mark - 1;
	*len = (size_t)(end - 1 - *object);
	return true;
}

static bool is_last_member(const json_t *line, const json_t *object)
{
	const json_t *last = NULL;
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)(uintptr_t)line, key, member) last = member;
	return last == object;
}

static enum veer_err written_value(struct feed_reader *reader, const json_t *object, size_t *len,
				   struct veer_diag *diag)
{
	char *text = veer_json_dump(object);
	size_t text_len = text != NULL ? strlen(text) : 0;
	bool fits = text != NULL && reserve_value(reader, text_len);
	if (fits)
		memcpy(reader->value, text, text_len);
	free(text);
	*len = text_len;
	return fits ? VEER_OK : veer_fail(diag, VEER_ENOMEM, "out of memory");
}

/* The change's value is the object as it came, so that the JSON need not be written again after parsing. */
static enum veer_err json_value(struct feed_reader *reader, const struct feed_line *line, struct feed_change *change,
				struct veer_diag *diag)
{
	const char *text;
	enum veer_err err = VEER_OK;
	change->object = json_object_get(line->json, "object");
	if (is_last_member(line->json, change->object) && find_object(line, &text, &change->value_len)) {
		change->value = (const uint8_t *)text;
	} else {
		err = written_value(reader, change->object, &change->value_len, diag);
		change->value = reader->value;
	}
	return err;
}

/* Compute what the change adds to the digest: the summand of the new object less that of the object it replaces. */
static enum veer_err count_change(struct feed_reader *reader, const struct feed_line *line, const char *kind,
				  const char *key, bool is_del, struct veer_diag *diag)
{
	const json_t *part = json_object_get(line->json, "part"), *was = json_object_get(line->json, "was");
	struct digest_pair added = {0};
	struct digest summand;
	bool is_state = json_is_string(part) && strcmp(json_string_value(part), "state") == 0;
	struct digest *sum = is_state ? &added.state : &added.content;
	const char *object;
	size_t len;
	if (was != NULL && !digest_parse(json_string_value(was), &summand))
		return veer_fail(diag, VEER_EINVAL, "\"was\" must be a digest, 32 hex digits");
	if (was != NULL)
		digest_subtract(sum, &summand);
	if (!is_del && !find_object(line, &object, &len))
		return veer_fail(diag, VEER_EINVAL, "\"object\" must be the last member");
	if (!is_del && !digest_of(kind, key, object, len, &summand))
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	if (!is_del)
		digest_add(sum, &summand);
	reader->sink->counted(reader->ctx, &added);
	return VEER_OK;
}

static enum veer_err take_change(struct feed_reader *reader, const struct feed_line *text, bool is_del,
				 struct veer_diag *diag)
{
	const json_t *line = text->json;
	const json_t *kind = json_object_get(line, "kind"), *key = json_object_get(line, "key");
	const json_t *object = json_object_get(line, "object");
	if (!json_is_string(kind) || !json_is_string(key) || (!is_del && !json_is_object(object)))
		return veer_fail(diag, VEER_EINVAL, "a change needs \"kind\", \"key\" and \"object\"");
	struct feed_change change = {.kind = model_kind_from_text(json_string_value(kind)),
				     .key = json_string_value(key),
				     .key_len = json_string_length(key),
				     .is_del = is_del};
	if (change.key_len == 0 || change.key_len > UINT16_MAX || strlen(change.key) != change.key_len)
		return veer_fail(diag, VEER_EINVAL, "the key is empty, too long, or holds a NUL");
	enum veer_err err = VEER_OK;
	if (reader->has_digest && reader->sink->counted != NULL)
		err = count_change(reader, text, json_string_value(kind), change.key, is_del, diag);
	if (err != VEER_OK || !model_kind_is_fed(change.kind))
		return err; /* a line type a line type of a newer version: ignore it */
	change.value = reader->value;
	if (!is_del && change.kind == MODEL_KIND_RRSET) {
		err = rrset_value(reader, object, &change.value_len, diag);
		change.value = reader->value;
	} else if (!is_del) {
		err = json_value(reader, text, &change, diag);
	}
	return err == VEER_OK ? reader->sink->change(reader->ctx, &change, diag) : err;
}

/*
 * Take the store's ancestry. For a control plane from before lineages, the ancestry is one lineage with the store's id.
 */
static enum veer_err take_ancestry(struct feed_reader *reader, const json_t *line, struct feed_hello *hello,
				   struct veer_diag *diag)
{
	struct history_ancestry *a = &reader->ancestry;
	if (json_object_get(line, "lineage") == NULL) {
		hello->lineage = hello->store_id;
		a->count = 1;
		a->lineages[0] = (struct history_lineage){.cause = HISTORY_CREATED};
		memcpy(a->lineages[0].id, hello->store_id, HISTORY_ID_SIZE);
		memcpy(a->lineages[0].store_id, hello->store_id, HISTORY_ID_SIZE);
		return VEER_OK;
	}
	enum veer_err err = history_read(json_object_get(line, "ancestry"), a, diag);
	if (err != VEER_OK)
		return err;
	if (hello->lineage == NULL || strcmp(hello->lineage, a->lineages[a->count - 1].id) != 0)
		return veer_fail(diag, VEER_EINVAL, "\"lineage\" is not the last of the ancestry");
	return VEER_OK;
}

static enum veer_err take_hello(struct feed_reader *reader, const json_t *line, struct veer_diag *diag)
{
	const char *store_id = json_string_value(json_object_get(line, "store_id"));
	if (json_integer_value(json_object_get(line, "format")) != 1)
		return veer_fail(diag, VEER_EUNSUPPORTED, "only format 1 of the feed is known");
	if (!history_is_id(store_id))
		return veer_fail(diag, VEER_EINVAL, "\"store_id\" must be 32 hex digits");
	struct feed_hello hello = {.store_id = store_id,
				   .revision = json_integer_value(json_object_get(line, "revision")),
				   .lineage = json_string_value(json_object_get(line, "lineage")),
				   .ancestry = &reader->ancestry};
	enum veer_err err = take_ancestry(reader, line, &hello, diag);
	if (err != VEER_OK)
		return err;
	hello.has_digest = json_is_true(json_object_get(line, "digest"));
	reader->has_digest = hello.has_digest;
	reader->has_hello = true;
	return reader->sink->hello(reader->ctx, &hello, diag);
}

static enum veer_err take_doubt(struct feed_reader *reader, const json_t *line, struct veer_diag *diag)
{
	const json_t *array = json_object_get(line, "endpoints");
	size_t count = json_array_size(array);
	if (!json_is_array(array))
		return veer_fail(diag, VEER_EINVAL, "a doubt needs \"endpoints\"");
	if (reader->sink->doubt == NULL)
		return VEER_OK;
	const char **endpoints = calloc(count + 1, sizeof *endpoints);
	if (endpoints == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < count && err == VEER_OK; i++) {
		const json_t *element = json_array_get(array, i);
		endpoints[i] = json_string_value(element);
		if (endpoints[i] == NULL || strlen(endpoints[i]) != json_string_length(element) ||
		    !model_is_endpoint_key(endpoints[i]))
			err = veer_fail(diag, VEER_EINVAL, "/endpoints/%zu: is not POOL/NAME", i);
	}
	if (err == VEER_OK)
		err = reader->sink->doubt(reader->ctx, endpoints, count, diag);
	free(endpoints);
	return err;
}

static enum veer_err take_object(struct feed_reader *reader, const struct feed_line *text, struct veer_diag *diag)
{
	const json_t *line = text->json;
	const char *type = json_string_value(json_object_get(line, "type"));
	if (type == NULL)
		return veer_fail(diag, VEER_EINVAL, "\"type\" is missing");
	if (strcmp(type, "hello") == 0)
		return reader->has_hello ? veer_fail(diag, VEER_EINVAL, "a second hello")
					 : take_hello(reader, line, diag);
	if (!reader->has_hello)
		return veer_fail(diag, VEER_EINVAL, "the first line is not hello");
	if (strcmp(type, "put") == 0 || strcmp(type, "del") == 0)
		return take_change(reader, text, type[0] == 'd', diag);
	if (strcmp(type, "reset") == 0)
		return reader->sink->reset(reader->ctx, diag);
	if (strcmp(type, "doubt") == 0)
		return take_doubt(reader, line, diag);
	json_int_t revision = json_integer_value(json_object_get(line, "revision"));
	if (strcmp(type, "heartbeat") == 0 && reader->sink->heartbeat != NULL)
		return reader->sink->heartbeat(reader->ctx, revision, diag);
	if (strcmp(type, "commit") != 0)
		return VEER_OK; /* a line type of a newer version */
	if (revision <= 0)
		return veer_fail(diag, VEER_EINVAL, "a commit needs a \"revision\" above 0");
	return reader->sink->commit(reader->ctx, revision, diag);
}

static enum veer_err take_line(struct feed_reader *reader, const char *text, size_t len, struct veer_diag *diag)
{
	json_t *line = NULL;
	struct veer_diag why = {""};
	reader->lines++;
	enum veer_err err = veer_json_parse(text, len, FEED_READER_LINE_MAX, &line, &why);
	if (err == VEER_OK)
		err = take_object(reader, &(struct feed_line){text, len, line}, &why);
	json_decref(line);
	return err == VEER_OK
		       ? err
		       : veer_fail(diag, err, "feed line %llu: %.400s", (unsigned long long)reader->lines, why.text);
}

/* Complete the line that has begun with the bytes before `end`, and take it. */
static enum veer_err take_joined(struct feed_reader *reader, const char *data, size_t len, struct veer_diag *diag)
{
	buf_append(&reader->line, data, len);
	if (reader->line.failed)
		return veer_fail(diag, VEER_ERANGE, "feed line %llu: longer than %u bytes",
				 (unsigned long long)reader->lines + 1, FEED_READER_LINE_MAX);
	enum veer_err err = take_line(reader, reader->line.data, reader->line.len, diag);
	buf_reset(&reader->line);
	return err;
}

enum veer_err feed_reader_push(struct feed_reader *reader, const void *data, size_t len, struct veer_diag *diag)
{
	const char *p = data, *end = p + len;
	enum veer_err err = reader->has_failed ? veer_fail(diag, VEER_EINVAL, "the feed has failed before") : VEER_OK;
	while (err == VEER_OK && p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL) {
			buf_append(&reader->line, p, (size_t)(end - p));
			if (reader->line.failed)
				err = veer_fail(diag, VEER_ERANGE, "feed line %llu: longer than %u bytes",
						(unsigned long long)reader->lines + 1, FEED_READER_LINE_MAX);
			break;
		}
		if (reader->line.len > 0)
			err = take_joined(reader, p, (size_t)(newline - p), diag);
		else
			err = take_line(reader, p, (size_t)(newline - p), diag);
		p = newline + 1;
	}
	reader->has_failed = err != VEER_OK;
	return err;
}
