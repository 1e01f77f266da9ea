/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `veer-probe check`: checks carried out by hand, each step explained for a person.
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
 * The check that a URL stands for, and the address to probe (a literal or an absolute host name). `more` (borrowed, may
 * be NULL) holds further fields of the check object, which win. Lives in `arena`. Errors (diag): VEER_EINVAL,
 * VEER_ERANGE, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err hand_url_parse(const char *text, const json_t *more, struct arena *arena,
					     struct model_check *check, const char **address, struct veer_diag *diag);

/* The command: argv[1] is "check". Returns the exit code: 0 all pass, 1 one fails, 2 bad arguments. */
int hand_main(int argc, char *argv[]);

#endif
