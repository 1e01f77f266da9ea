/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a check as options of `veer-probe check`, and in its --help: both are made from the table of fields
 * (zones/model/check_field.h).
 *
 * Threads: one.
 */
#ifndef VEER_PROBES_AGENT_HAND_FIELDS_H
#define VEER_PROBES_AGENT_HAND_FIELDS_H

#include "base/args.h"
#include "zones/model/check_field.h"

enum { HAND_FIELDS_MAX = 16, HAND_NAME_SIZE = 32 };

/* One field that is an option. */
struct hand_field {
	const struct model_check_field *field;
	char name[HAND_NAME_SIZE]; /* of the option */
	const char *text;          /* as given, like the next two: the field's type decides which is used */
	int64_t number;
	struct args_list list;
};

/* The command-line options that are fields of a check. */
struct hand_fields {
	struct hand_field fields[HAND_FIELDS_MAX];
	size_t count;
};

/* Append an option for each field that can be one. `fields` must live as long as the table. */
void hand_fields_add(struct hand_fields *fields, struct args_table *table);
/* Put the given values into the check object. */
void hand_fields_put(const struct hand_fields *fields, json_t *check);
/* Write all fields of a check object, one line each, for --help. */
void hand_fields_help(struct buf *out);

#endif
