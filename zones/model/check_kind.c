/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/model/check_kind.h"

#include <assert.h>

/*
 * One row for each kind, with a value for each column, in this order. The rows are counted (__COUNTER__), so that the
 * assertion below notices a kind without a row.
 */
#define ROW(KIND, TEXT, DEFAULT_PORT, PROBING)                                                                         \
	[MODEL_CHECK_##KIND + 0 * __COUNTER__] = {TEXT, DEFAULT_PORT, MODEL_CHECK_BY_##PROBING}

enum { ROWS_BEFORE = __COUNTER__ };

/* clang-format off */
static const struct model_check_kind_row rows[MODEL_CHECK_KIND_COUNT] = {
	/*  kind        text          default port         probed */
	ROW(HTTP,       "http",       80,                  AGENTS),
	ROW(HTTPS,      "https",      443,                 AGENTS),
	ROW(TCP,        "tcp",        MODEL_PORT_REQUIRED, AGENTS),
	ROW(TLS,        "tls",        443,                 AGENTS),
	ROW(ICMP,       "icmp",       MODEL_PORT_NONE,     AGENTS),
	ROW(DNS,        "dns",        53,                  AGENTS),
	ROW(GRPC,       "grpc",       MODEL_PORT_REQUIRED, AGENTS),
	ROW(UDP,        "udp",        MODEL_PORT_REQUIRED, AGENTS),
	ROW(EXEC,       "exec",       MODEL_PORT_NONE,     AGENTS),
	ROW(PUSH,       "push",       MODEL_PORT_NONE,     ITSELF),
	ROW(CALCULATED, "calculated", MODEL_PORT_NONE,     ITSELF),
};
/* clang-format on */

_Static_assert(__COUNTER__ - ROWS_BEFORE - 1 == MODEL_CHECK_KIND_COUNT, "each kind of check has one row");

const struct model_check_kind_row *model_check_kind_row(enum model_check_kind kind)
{
	assert((unsigned)kind < MODEL_CHECK_KIND_COUNT);
	return &rows[kind];
}

const char *model_check_kind_text(enum model_check_kind kind)
{
	return (unsigned)kind < MODEL_CHECK_KIND_COUNT ? rows[kind].text : "none";
}

bool model_check_is_probed(const struct model_check *check)
{
	return model_check_kind_row(check->kind)->probing == MODEL_CHECK_BY_AGENTS;
}
