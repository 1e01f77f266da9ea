/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of checks, in one table (check_kind.c). A kind without a row does not compile, nor does a row that leaves
 * out a column. What else names kinds is compared with the table by tests: the kinds of each field and the help of the
 * fields (check_field.c), docs/formats.md, and the URLs of `veer-probe check`.
 *
 * Threads: static, constant data.
 */
#ifndef VEER_ZONES_MODEL_CHECK_KIND_H
#define VEER_ZONES_MODEL_CHECK_KIND_H

#include "zones/model/model.h"

/* Who finds the result of a check of the kind? */
enum model_check_probing {
	MODEL_CHECK_BY_AGENTS = 1, /* it is probed */
	MODEL_CHECK_BY_ITSELF,     /* it is not: the endpoint says it, or it follows from other checks */
};

/* What stands for the default port of a kind that has none. */
enum { MODEL_PORT_REQUIRED = -1, MODEL_PORT_NONE = 0 };

/* One row. */
struct model_check_kind_row {
	const char *text;     /* "http": its name in JSON */
	int32_t default_port; /* or MODEL_PORT_REQUIRED; MODEL_PORT_NONE: it has no field `port` */
	enum model_check_probing probing;
};

/* The row of a kind. It must be one. Static storage. */
const struct model_check_kind_row *model_check_kind_row(enum model_check_kind kind);

#endif
