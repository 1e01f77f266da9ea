/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `veer-probe check`: checks run by hand, with an explanation of each step.
 *
 *   http(s)://HOST[:PORT]/PATH   tcp://HOST:PORT   tls://HOST[:PORT]   icmp://HOST   udp://HOST:PORT?send=TEXT
 *   dns://SERVER[:PORT]/NAME?type=TYPE   grpc://HOST:PORT[/SERVICE]   grpcs://HOST:PORT[/SERVICE]
 */
#ifndef VEER_PROBES_AGENT_HAND_H
#define VEER_PROBES_AGENT_HAND_H

#include "base/arena.h"
#include "base/err.h"
#include "zones/model/model.h"

/*
 * Read the check that a URL describes, and the address to probe (a literal or an absolute host name). `more` (borrowed,
 * may be NULL) has further fields of the check object, which take precedence. The check lives in `arena`. Errors
 * (diag): VEER_EINVAL, VEER_ERANGE, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err hand_url_parse(const char *text, const json_t *more, struct arena *arena,
					     struct model_check *check, const char **address, struct veer_diag *diag);

/* Run the command: argv[1] is "check". Returns the exit code: 0 all pass, 1 one fails, 2 bad arguments. */
int hand_main(int argc, char *argv[]);

#endif
