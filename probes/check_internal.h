/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of check.h share: check.c (life, deadline, address), check_http.c, check_tcp.c. */
#ifndef VEER_PROBES_CHECK_INTERNAL_H
#define VEER_PROBES_CHECK_INTERNAL_H

#include "base/addr.h"
#include "probes/check.h"
#include "probes/resolve.h"

struct check_probe {
	const struct check_env *env;
	const struct model_check *check;
	const char *address;     /* as assigned */
	struct veer_addr target; /* vetted: what is connected to */
	check_done_fn *done;
	void *ctx;
	int64_t started_ns;
	struct loop_timer deadline;
	struct resolve *resolve;      /* while it runs */
	struct http_request *request; /* while it runs */
	int fd;                       /* TCP: the socket, or -1 */
	bool is_connected;            /* a connection stood: what failed later is no connect */
	enum probe_reason early;      /* an outcome that was known before check_start() returned */
	char detail[128];
};

/* End the probe: release what it holds, tell its owner, free it. */
void probe_finish(struct check_probe *probe, enum probe_reason reason, const char *detail);
/* The same, from the loop: for what is known while check_start() is still running. */
void probe_finish_later(struct check_probe *probe, enum probe_reason reason, const char *detail);

/* Put the deadline off: something else guards the time now, and this only stands behind it. */
void probe_extend(struct check_probe *probe, int64_t more_ms);

/* Connect to probe->target and ask. They end in probe_finish() or probe_finish_later(). */
void probe_http(struct check_probe *probe);
void probe_tcp(struct check_probe *probe);
/* What a failed connect(2) means. */
enum probe_reason reason_of_errno(long errnum);

#endif
