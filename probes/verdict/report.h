/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent reports: one observation for each assigned item, and the report that contains them (docs/formats.md,
 * section 6). Written by the agent, read by the control plane.
 *
 * Threads: pure functions. Input may be hostile: everything is limited, and a report that is not exact is refused as a
 * whole.
 */
#ifndef VEER_PROBES_VERDICT_REPORT_H
#define VEER_PROBES_VERDICT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define REPORT_ITEMS_MAX 65536              /* items assigned to one agent */
#define REPORT_BYTES_MAX (4u * 1024 * 1024) /* of one report's JSON */
#define REPORT_AGE_MS_MAX 604800000         /* a week; older ages are sent and read as this */
#define REPORT_RTT_US_MAX 3600000000u       /* an hour */
#define REPORT_BOOT_DIGITS 16

/* Why a probe ended as it did. The order is internal; the names are sent. */
enum probe_reason {
	PROBE_REASON_NONE, /* no probe yet */
	PROBE_REASON_OK,
	PROBE_REASON_DNS_FAILED,
	PROBE_REASON_CONNECT_REFUSED,
	PROBE_REASON_CONNECT_TIMEOUT,
	PROBE_REASON_CONNECT_FAILED,
	PROBE_REASON_TLS_FAILED,
	PROBE_REASON_TLS_EXPIRED,
	PROBE_REASON_TLS_NAME,
	PROBE_REASON_TLS_UNTRUSTED,
	PROBE_REASON_HTTP_STATUS,
	PROBE_REASON_HTTP_PROTOCOL,
	PROBE_REASON_TIMEOUT,
	PROBE_REASON_RESET,
	PROBE_REASON_BODY,
	PROBE_REASON_REFUSED_TARGET,
	PROBE_REASON_INTERNAL,
	PROBE_REASON_SLOW,             /* it succeeded, but took longer than max_latency_ms */
	PROBE_REASON_INVERTED,         /* it succeeded, which the check counts as a failure */
	PROBE_REASON_TLS_EXPIRES_SOON, /* of a success (warning) or a failure */
	PROBE_REASON_HTTP_REDIRECT,    /* too many redirects, or one to a forbidden target */
	PROBE_REASON_REPLY,            /* TCP, TLS, UDP, ICMP: not the expected reply */
	PROBE_REASON_DNS_PROTOCOL,     /* it was not a reply to the question */
	PROBE_REASON_DNS_RCODE,
	PROBE_REASON_DNS_ANSWER,
	PROBE_REASON_GRPC_STATUS,  /* not SERVING */
	PROBE_REASON_EXEC_FAILED,  /* unexpected exit code, a signal, or too much output */
	PROBE_REASON_EXEC_REFUSED, /* this agent's operator does not allow the program */
	PROBE_REASON_EXEC_LOST,    /* the process that runs programs has ended, and cannot be started again */
	PROBE_REASON_PUSHED,       /* not probed: reported by the source of a push check */
	PROBE_REASON_EXPIRED,      /* likewise: the source has reported nothing for its time to live */
	PROBE_REASON_COUNT
};

/* "connect_refused" and the like. Static storage; "internal" for a value out of range. */
const char *probe_reason_text(enum probe_reason reason);
/* Find the reason named `text`; false when there is none, and `*out` is then untouched. */
bool probe_reason_from_text(const char *text, enum probe_reason *out);

/*
 * Does it say only that this agent refuses to probe the item as long as it runs as configured, and nothing about the
 * endpoint?
 */
bool probe_reason_is_refusal(enum probe_reason reason);

/* What one agent reports about one item. */
enum observation_state {
	OBSERVATION_UNKNOWN, /* "?": the first round of probes is not finished */
	OBSERVATION_UP,      /* "u" */
	OBSERVATION_FAILING, /* "f": still up, but the last probe failed; counts as up */
	OBSERVATION_DOWN,    /* "d" */
};

/* "?", "u", "f" or "d". Static storage. */
const char *observation_state_text(enum observation_state state);

struct observation {
	enum observation_state state;
	enum probe_reason reason; /* of the last probe */
	uint32_t age_ms;          /* time since a probe last confirmed the state */
	uint32_t rtt_us;          /* of the last probe; 0: unknown */
};

struct report {
	int64_t assignment_revision;
	uint64_t boot;                   /* random number from the agent's start, never 0; 16 hex digits in JSON */
	uint64_t seq;                    /* counts up from 1 within the boot */
	bool is_blind;                   /* the agent reaches none of its own reference targets */
	const struct observation *items; /* in assignment order */
	uint32_t item_count;
};

/*
 * Write the report as JSON text, padded with spaces so that it is as long for failing items as for items that are well.
 * Ownership: the caller frees `*out` with free(). Errors: VEER_ENOMEM, VEER_ERANGE (more than REPORT_ITEMS_MAX items).
 */
VEER_MUST_CHECK enum veer_err report_write(const struct report *report, char **out, size_t *len);

/*
 * Read one report. Its items live in `arena`. Unknown fields, a wrong shape, numbers out of range and more than
 * REPORT_BYTES_MAX or REPORT_ITEMS_MAX are refused. Errors: VEER_EINVAL, VEER_ERANGE with the place in the diag;
 * VEER_EUNSUPPORTED for another format number; VEER_ENOMEM. `*out` is untouched on failure.
 */
VEER_MUST_CHECK enum veer_err report_parse(const char *text, size_t len, struct arena *arena, struct report *out,
					   struct veer_diag *diag);

#endif
