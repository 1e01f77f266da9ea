/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML configuration, without YAML's surprises: one document; no anchors, aliases, tags or duplicate keys; scalars have
 * no type until a schema gives them one (the country NO stays "NO"); every error says `FILE:LINE: message`. JSON is
 * YAML too and may be given instead.
 *
 * Two ways to use what was read: as the options of a command line (config_fill_options), or by a schema, which may be
 * open (config_to_json, then read it with base/json.h).
 *
 * Limits: 1 MiB of text, 16 levels, 100,000 values, keys of 128 bytes.
 * Threads: a struct config does not change after config_parse().
 */
#ifndef VEER_BASE_CONFIG_H
#define VEER_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/args.h"
#include "base/err.h"
#include "base/json.h"

#define CONFIG_TEXT_MAX_BYTES ((size_t)1 << 20)
#define CONFIG_DEPTH_MAX 16

struct config;

/*
 * Parse YAML text. `name` stands for the file in messages; it is copied. Ownership: `*out` is the caller's. An empty
 * document is an empty mapping. Errors (diag): VEER_EINVAL, VEER_ERANGE (a limit), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err config_parse(const char *name, const char *text, size_t len, struct config **out,
					   struct veer_diag *diag);
/* The same for a file's content. Errors: also those of file_read(). */
VEER_MUST_CHECK enum veer_err config_load(const char *path, struct config **out, struct veer_diag *diag);
void config_free(struct config **config);

/*
 * The line (from 1) of the value at a JSON pointer (RFC 6901), for errors that are found later. If there is no such
 * value, it is the line of its nearest parent.
 */
unsigned config_line(const struct config *config, const char *pointer);
/* veer_fail() with `FILE:LINE: ` of the value at `pointer` before the message. */
VEER_MUST_CHECK enum veer_err config_fail(const struct config *config, const char *pointer, struct veer_diag *diag,
					  enum veer_err err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

enum config_type {
	CONFIG_STRING,   /* at most `max` bytes (0: 1,024), at least `min` */
	CONFIG_INTEGER,  /* unquoted, within [min, max] */
	CONFIG_BOOL,     /* unquoted true or false */
	CONFIG_ENUM,     /* one of `names` */
	CONFIG_STRINGS,  /* a list of strings (or one string: a list of one), `min` to `max` (0: 1,000) of them */
	CONFIG_MAPPING,  /* a mapping described by `schema` */
	CONFIG_MAPPINGS, /* a list of such mappings, `min` to `max` (0: 1,000) of them */
	CONFIG_NAMED,    /* a mapping from arbitrary names to such mappings, `min` to `max` (0: 1,000) of them */
};

struct config_schema;

/* One key of a mapping. */
struct config_field {
	const char *key;
	enum config_type type;
	bool required;
	int64_t min;                        /* see enum config_type */
	int64_t max;                        /* see enum config_type */
	const char *const *names;           /* CONFIG_ENUM; ended by NULL */
	const struct config_schema *schema; /* CONFIG_MAPPING, CONFIG_MAPPINGS, CONFIG_NAMED */
};

/*
 * The keys that a mapping may have; other keys are refused, with a suggestion.
 *
 * An open schema accepts other keys too, as plain data: unquoted true, false, null and decimal numbers become the same
 * values in JSON, an empty unquoted value becomes null, everything else a string. `NO`, `0x10`, `1_000`, `12:30` and
 * dates stay strings. An integer beyond 64 bits is refused (VEER_ERANGE).
 */
struct config_schema {
	const struct config_field *fields;
	size_t count;
	bool is_open;
};

/*
 * Check the document against a schema and turn it into JSON of the schema's types. Ownership: `*out` is the caller's
 * (json_decref). Errors (diag): VEER_EINVAL, VEER_ERANGE, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err config_to_json(const struct config *config, const struct config_schema *schema,
					     json_t **out, struct veer_diag *diag);

/*
 * Use the document as the options of a command line: keys are option names with '_' for '-'; a flag is true or false; a
 * repeatable option is a list or one value. An option that the command line set keeps that value (its list replaces the
 * file's). Copies what it needs: `config` may be freed. Errors (diag): VEER_EINVAL, VEER_ERANGE, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err config_fill_options(const struct config *config, struct args *args,
						  struct veer_diag *diag);

#endif
