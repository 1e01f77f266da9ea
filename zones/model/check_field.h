/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a check, in one table (check_field.c). Everything that handles fields walks this table: the reader, the
 * writer of assignments, the fingerprint of what is probed, what an agent accepts from a newer control plane,
 * `veer-probe check` with its --help, and a test that compares docs/formats.md. To add a field, add a row. A row that
 * leaves out a column does not compile, nor does a walk that leaves out a type.
 *
 * Threads: static, constant data.
 */
#ifndef VEER_ZONES_MODEL_CHECK_FIELD_H
#define VEER_ZONES_MODEL_CHECK_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "zones/model/model.h"

/* How the value is written in JSON and kept in struct model_check. */
enum model_field_type {
	MODEL_FIELD_NAME = 1, /* the check's own name; read before all other fields, like the next one */
	MODEL_FIELD_KIND,
	MODEL_FIELD_NUMBER, /* an integer of the member's size */
	MODEL_FIELD_PORT,   /* a number whose default depends on the kind */
	MODEL_FIELD_FLAG,   /* a bool */
	MODEL_FIELD_WORD,   /* one of `words`; the member points to it */
	MODEL_FIELD_CHOICE, /* one of `words`; the member, of any size, is its number */
	MODEL_FIELD_TEXT,   /* const char * */
	MODEL_FIELD_BYTES,  /* struct model_bytes */
	/* each of these types has only one field */
	MODEL_FIELD_HEADERS,
	MODEL_FIELD_STATUSES,
	MODEL_FIELD_QUERY_NAME,
	MODEL_FIELD_QUERY_TYPE,
	MODEL_FIELD_ANSWERS,
	MODEL_FIELD_COMMAND,
	MODEL_FIELD_QUORUM,
	MODEL_FIELD_PARTS,
	MODEL_FIELD_NEED,
};

/* Is the field sent to agents? */
enum model_field_sending {
	MODEL_SENT_ALWAYS = 1,
	MODEL_SENT_IF_SET, /* sent unless it has its default: false, 0, nothing, the first word */
	MODEL_SENT_NEVER,
};

/*
 * The place of the value in the fingerprint. The order of places is part of the fingerprint, so a new field gets a
 * place at the end and is hashed only if it is set: a check that does not use it keeps its fingerprint, and its
 * verdict.
 */
enum model_field_place {
	MODEL_PLACE_NONE = 1, /* it does not change what is probed */
	MODEL_PLACE_KIND,
	MODEL_PLACE_PORT,
	MODEL_PLACE_MAX_LATENCY,
	MODEL_PLACE_INVERT,
	MODEL_PLACE_METHOD,
	MODEL_PLACE_PATH,
	MODEL_PLACE_SERVICE,
	MODEL_PLACE_HOST,
	MODEL_PLACE_HEADERS,
	MODEL_PLACE_BODY,
	MODEL_PLACE_STATUSES,
	MODEL_PLACE_BODY_CONTAINS,
	MODEL_PLACE_BODY_REGEX,
	MODEL_PLACE_REDIRECTS,
	MODEL_PLACE_HTTP_VERSION,
	MODEL_PLACE_SEND,
	MODEL_PLACE_EXPECT,
	MODEL_PLACE_QUERY_NAME,
	MODEL_PLACE_QUERY_TYPE,
	MODEL_PLACE_RCODE,
	MODEL_PLACE_ANSWERS,
	MODEL_PLACE_MATCH,
	MODEL_PLACE_TCP,
	MODEL_PLACE_SNI,
	MODEL_PLACE_CA_FILE,
	MODEL_PLACE_CA_PEM,
	MODEL_PLACE_VERIFY,
	MODEL_PLACE_TLS,
	MODEL_PLACE_RESUME, /* hashed only if it is set, like all places after the next three */
	MODEL_PLACE_CERT_WARN,
	MODEL_PLACE_CERT_FAIL,
	MODEL_PLACE_COMMAND,
	MODEL_PLACE_COUNT
};

/* One row. */
struct model_check_field {
	const char *key;
	unsigned kinds; /* kinds that may have the field: bits, 1 << enum model_check_kind */
	bool needs_tls; /* allowed only where TLS is used */
	enum model_field_sending sending;
	enum model_field_place place;
	unsigned hashed_kinds;  /* kinds whose fingerprint contains it even where it has its default */
	const char *help;       /* for people: one line with default and limits */
	const char *hand_value; /* the name of its value in the --help of `veer-probe check`; NULL: it is not an
				 * option there */
	/* the column VALUE: type, place in struct model_check, limits and default */
	enum model_field_type type;
	size_t offset, size; /* of the member; size 0: code for the field's type accesses the members */
	int64_t min, max;    /* of numbers; of texts and bytes `max` is their length */
	int64_t fallback;    /* of numbers, flags and words: the default */
	const char *text_fallback;
	const char *const *words;
	size_t word_count;
	bool is_free; /* a text that may hold control characters */
	/* A further rule for a text; may be NULL. It reports an error to the cursor. */
	void (*rule)(struct json_cursor *c, const struct model_check_field *field, const char *text,
		     const struct model_check *check);
};

/* The rows, in the order in which fields are sent to agents. */
const struct model_check_field *model_check_fields(size_t *count);
/* May the check have the field? */
bool model_check_has(const struct model_check *check, const struct model_check_field *field);
/* The value of a number, flag, choice or port. */
uint64_t model_field_number(const struct model_check_field *field, const struct model_check *check);
/* The value of a text or word; NULL when there is none. */
const char *model_field_text(const struct model_check_field *field, const struct model_check *check);
/* The value of a field of bytes. */
const struct model_bytes *model_field_bytes(const struct model_check_field *field, const struct model_check *check);
/* Does the field differ from its default (MODEL_SENT_IF_SET)? */
bool model_field_is_set(const struct model_check_field *field, const struct model_check *check);

#endif
