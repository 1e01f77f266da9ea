/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who probes what, and when in the interval: from the model's checks, pools and agents to the verdict engine's
 * configuration and to each agent's line of assignments (docs/formats.md, section 5). Both come from the same function,
 * so that both sides agree on the order of a report's items.
 *
 * Which agents: every enrolled agent probes every check, up to MODEL_AGENTS_MAX agents. If there are more, those with
 * the highest rendezvous hash of (check, agent) do, so that adding or removing an agent moves only its own share.
 *
 * The parts of a calculated check are items of every endpoint whose pool lists it, whether the pool lists them or not.
 * A part that does not exist is always unknown. So is a part that does not fit into VERDICT_ITEMS_MAX, and so are all
 * parts of a check that is calculated in a loop or nested too deep: the API refuses these, but a store may contain
 * them.
 * Threads: pure functions.
 */
#ifndef VEER_PROBES_VERDICT_ASSIGN_H
#define VEER_PROBES_VERDICT_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "probes/verdict/verdict.h"
#include "zones/model/model.h"

#define ASSIGN_CHECK_UNSUPPORTED UINT32_MAX
#define ASSIGN_LINE_MAX (16u * 1024 * 1024) /* bytes of one line of the stream */

struct assign_agent {
	const char *id;
	const char *region; /* NULL: it has no region */
	bool is_revoked;
};

/* Everything is borrowed while the plan lives. Checks that a pool names but that do not exist are left out. */
struct assign_input {
	int64_t revision;   /* the store's revision at which any of this last changed */
	uint32_t report_ms; /* 0: VERDICT_REPORT_MS */
	const struct model_check *checks;
	uint32_t check_count;
	const struct model_pool *pools;
	uint32_t pool_count;
	const struct assign_agent *agents;
	uint32_t agent_count;
	const struct model_site *sites; /* for their failure domains */
	uint32_t site_count;
};

struct assign_plan {
	struct verdict_config config;            /* for verdict_configure(); the caller may set freeze and brake */
	const struct model_check *const *checks; /* of config.checks, by index */
	const struct model_endpoint *const *endpoints; /* of config.endpoints, by index */
};

/*
 * Make the plan of who probes what. It lives in `arena`, with everything that it points to except the input's strings.
 * Agents, checks and pools are used in the order of their names, whatever the order of the input.
 * Errors: VEER_ENOMEM; VEER_ELIMIT when there are more than REPORT_ITEMS_MAX items.
 */
VEER_MUST_CHECK enum veer_err assign_plan_make(const struct assign_input *input, struct arena *arena,
					       struct assign_plan **out, struct veer_diag *diag);

/* A number that changes when what the check probes changes (port, path, …), but not when only its judgement changes. */
uint64_t assign_check_fingerprint(const struct model_check *check);

/*
 * The first check, in the order of `checks`, that is calculated in a loop or nested deeper than VERDICT_NESTING_MAX;
 * NULL when there is none, or memory is out. Uses `arena` for scratch memory.
 */
const struct model_check *assign_unsound_check(const struct model_check *checks, uint32_t count, struct arena *arena);

/* One item for one agent to probe. */
struct assign_item {
	uint32_t check; /* index into assignments.checks; ASSIGN_CHECK_UNSUPPORTED after reading, as explained there */
	const char *endpoint; /* POOL/NAME */
	const char *address;  /* literal or absolute host name */
	uint32_t phase_ms;    /* offset in the check's interval */
};

/* The whole list of one agent. */
struct assignments {
	int64_t revision;
	uint32_t report_ms;
	const struct model_check *checks;
	uint32_t check_count;
	const struct assign_item *items; /* in the order of the report */
	uint32_t item_count;
};

/*
 * Make the list of the agent with this id (empty when the plan does not know it, or it is revoked). It lives in
 * `arena`.
 * Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err assign_for_agent(const struct assign_plan *plan, const char *agent, struct arena *arena,
					       struct assignments *out);

/*
 * Write the "assignments" line, with its newline, of a list without unsupported items. Ownership: the caller frees
 * `*out` with free(). Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err assignments_write(const struct assignments *list, char **out, size_t *len);

/* The kinds of lines in the stream. */
enum assign_line {
	ASSIGN_LINE_HELLO,
	ASSIGN_LINE_ASSIGNMENTS,
	ASSIGN_LINE_CONFIRM,
	ASSIGN_LINE_HEARTBEAT,
	ASSIGN_LINE_OTHER
};

/* One line that was read. `kind` decides which other members are set. */
struct assign_message {
	enum assign_line kind;   /* OTHER: a type that this version does not know; ignore it */
	const char *store_id;    /* HELLO */
	const char *agent;       /* HELLO */
	const char *region;      /* HELLO */
	struct assignments list; /* ASSIGNMENTS */
	const char *check;       /* CONFIRM */
	const char *endpoint;    /* CONFIRM */
};

/*
 * Read one line of the stream (with or without its newline). The message lives in `arena`. Unknown fields are ignored;
 * a line that is not a JSON object, or whose known fields are wrong, is refused as a whole. But if this version cannot
 * carry out a check because of its kind or a value, only the check's items become ASSIGN_CHECK_UNSUPPORTED: they are
 * reported as unknown, and the other items are probed. Errors: VEER_EINVAL, VEER_ERANGE, VEER_EUNSUPPORTED (a hello
 * with another format), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err assign_line_parse(const char *text, size_t len, struct arena *arena,
						struct assign_message *out, struct veer_diag *diag);

/*
 * Write the other lines, each with its newline. Ownership: the caller frees with free(). NULL when memory is out. The
 * heartbeat has no other content.
 */
char *assign_hello_write(const char *store_id, const char *agent, const char *region);
char *assign_confirm_write(const char *check, const char *endpoint);
#define ASSIGN_HEARTBEAT_LINE "{\"type\":\"heartbeat\"}\n"

#endif
