/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `veer status` share; private to api/cli/status*.c. */
#ifndef VEER_API_CLI_STATUS_IMPL_H
#define VEER_API_CLI_STATUS_IMPL_H

#include "api/cli/command.h"

/* Which endpoints are shown. The texts are borrowed; zero it before use. */
struct status_filter {
	const char *site; /* NULL: at any site */
	const char *pool; /* NULL: in any pool */
	bool is_down;     /* only those that are down */
	bool shows_all;   /* also those that need no attention, even when there are many */
	bool is_check;    /* exit with CLI_FAILED if something is wrong */
};

/* Print one line: how many are up, down and unknown, and whether all that are down are at one site. */
void status_print_summary(const json_t *endpoints);
/* Print the table of the endpoints that match the filter. */
void status_print_endpoints(const json_t *endpoints, const struct status_filter *filter);

#endif
