/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of the demonstration share: its sites, its paths, its ports. */
#ifndef VEER_API_CLI_DEMO_H
#define VEER_API_CLI_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define DEMO_PATH_SIZE 1024
#define DEMO_SITES 3

struct demo_site {
	const char *name;
	const char *region;
	const char *address;
	double latitude;
	double longitude;
};
extern const struct demo_site demo_sites[DEMO_SITES];

/* Ports, from $DNS_PORT, $API_PORT and $SITE_PORT where these are set. */
struct demo_ports {
	uint16_t dns;  /* 5300 */
	uint16_t api;  /* 8053 */
	uint16_t site; /* 8080 */
};
/*
 * The ports of a demonstration that begins: from the variables DNS_PORT, API_PORT and SITE_PORT. They are written to
 * its directory, for commands that stop and start sites from another terminal. Errors: VEER_EINVAL (a variable is not a
 * port), those of a file.
 */
VEER_MUST_CHECK enum veer_err demo_ports_begin(struct demo_ports *out, struct veer_diag *diag);
/* The ports of the demonstration that runs. Errors: VEER_ENOTFOUND. */
VEER_MUST_CHECK enum veer_err demo_ports_read(struct demo_ports *out, struct veer_diag *diag);

/* The directory of the demonstration, beside this program, with `rest` ("" or "/…") appended. */
void demo_path(const char *rest, char out[DEMO_PATH_SIZE]);

/* The site named `name`, or NULL. */
const struct demo_site *demo_site_find(const char *name);

/* Start the site's server in the background, unless it runs already. Errors: VEER_EIO. */
VEER_MUST_CHECK enum veer_err demo_site_start(const struct demo_site *site, struct veer_diag *diag);
/* End the site's server and wait until it has ended. Succeeds when it does not run. Errors: VEER_ETIMEOUT. */
enum veer_err demo_site_stop(const struct demo_site *site, struct veer_diag *diag);

#endif
