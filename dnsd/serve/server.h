/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's control side: makes plans from zone files or from the feed, publishes them, and starts the workers
 * as soon as there is a plan. Nothing listens before that.
 *
 * Threads: the control thread, which runs the loop.
 */
#ifndef VEER_DNSD_SERVE_SERVER_H
#define VEER_DNSD_SERVE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/daemon.h"
#include "base/privilege.h"
#include "dnsd/serve/admission.h"

/*
 * The options from the command line and the configuration file. Zero it, then set the defaults with
 * server_options_default().
 */
struct server_options {
	struct args_list listen;        /* ADDR@PORT */
	struct args_list zones;         /* ORIGIN=FILE */
	struct args_list geoip;         /* FILE */
	const char *feed;               /* URL[,URL...] or NULL */
	const char *state;              /* directory or NULL */
	const char *token_file;         /* or NULL */
	const char *ca_file;            /* PEM bundle for the feed's TLS; NULL: the system's */
	const char *nsid;               /* text, or NULL: not sent */
	const char *cookie_secret_file; /* or NULL: a random secret */
	const char *metrics;            /* ADDR:PORT, or NULL: not served */
	const char *control;            /* path of the control socket, or NULL: in the state's directory */
	bool adopt_store;               /* follow the first store that comes, whatever it is */
	bool replace;                   /* replace the server that runs there */
	const char *query_log;          /* a file, "-", or NULL: none */
	int64_t query_log_sample;       /* one of so many queries is logged */
	const char *dnstap;             /* "unix:PATH", or NULL: none */
	int64_t dnstap_sample;
	bool check_config;    /* only check the configuration: see server_check() */
	int64_t zone_metrics; /* zones with counters of their own */
	int64_t workers;
	struct admission_options admission;
	struct privilege_names names; /* the user to run as; handled by main() */
};

struct server;

/* Set the defaults, with one worker for each CPU that this process may run on. */
void server_options_default(struct server_options *options);

/*
 * Check everything that can be wrong with the options, and load zone files, locations and the saved plan.
 * Ownership: `*out` is the caller's; `daemon` and `options` are borrowed. Errors: with the reason in the diag.
 */
VEER_MUST_CHECK enum veer_err server_new(struct daemon *daemon, const struct server_options *options,
					 struct server **out, struct veer_diag *diag);

/*
 * Check that everything that the options name exists and can be read. The same as server_new(), but a part that is not
 * needed to answer causes an error, too; no socket is opened and no other process is disturbed. Errors: with the first
 * reason in the diag.
 */
VEER_MUST_CHECK enum veer_err server_check(struct daemon *daemon, const struct server_options *options,
					   struct veer_diag *diag);

/*
 * Start: serve the plan that exists already, and connect to the feed. Errors: the server cannot listen on an address,
 * VEER_ENOMEM; diag.
 */
VEER_MUST_CHECK enum veer_err server_start(struct server *server, struct veer_diag *diag);

/* On SIGHUP: read zone files and locations again. Errors are logged, and what was served before stays. */
void server_reload(struct server *server);

/* For the watchdog: has every worker ended a turn, or been waiting, since the last call? */
bool server_is_alive(struct server *server);

/* Why the loop was stopped from within (enrolment refused, an address that is taken); VEER_OK when it was not. */
VEER_MUST_CHECK enum veer_err server_failed(const struct server *server, struct veer_diag *diag);

/* Stop the workers, save what must be kept, release everything. */
void server_free(struct server **server);

#endif
