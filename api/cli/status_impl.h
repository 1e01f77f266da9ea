/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `veer status` share; private to api/cli/status*.c. */
#ifndef VEER_API_CLI_STATUS_IMPL_H
#define VEER_API_CLI_STATUS_IMPL_H

#include "api/cli/command.h"

/* Which endpoints are shown. Borrowed texts; zero it. */
struct status_filter {
	const char *site; /* NULL: anywhere */
	const char *pool; /* NULL: of any */
	bool is_down;     /* only those that are down */
	bool shows_all;   /* also, of many, those that nothing is to be said of */
	bool is_check;    /* exit with CLI_FAILED if something is wrong */
};

/* One line: how many are up, down and unknown, and whether all that are down are at one site. */
void status_print_summary(const json_t *endpoints);
/* The table of those that the filter lets through. */
void status_print_endpoints(const json_t *endpoints, const struct status_filter *filter);

#endif
