/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the control side share; private to dnsd/serve/server*.c. */
#ifndef VEER_DNSD_SERVE_SERVER_IMPL_H
#define VEER_DNSD_SERVE_SERVER_IMPL_H

#include "dnsd/replica/degraded.h"
#include "dnsd/replica/feed.h"
#include "dnsd/replica/replica.h"
#include "dnsd/replica/static_zones.h"
#include "dnsd/serve/control.h"
#include "dnsd/serve/publish.h"
#include "dnsd/serve/server.h"
#include "dnsd/serve/takeover.h"
#include "dnsd/tap/scrape.h"

struct server {
	struct daemon *daemon;
	const struct server_options *options;
	struct admission *admission;
	struct publisher *publisher;
	struct tap *tap;              /* NULL: queries are neither logged nor sent by dnstap */
	struct zone_numbers *numbers; /* numbers of the zones that are counted; NULL: none are */
	struct geo_table *geo;        /* set until a builder or the replica takes it */
	size_t location_networks;     /* of the newest plan's table; 0: it has none */
	uint32_t location_policies;   /* policies of the newest plan that depend on clients' locations */
	/* from zone files */
	struct static_zones *zones;
	struct plan_builder *builder;
	struct retire_list retired; /* memory that could not be handed to the publisher yet */
	int64_t revision;           /* the number of loads */
	/* from the feed */
	struct plan_disk *disk;
	struct replica *replica;
	struct feed_client *feed;
	struct responder_config config;
	struct scrape *scrape; /* NULL: no metrics are served */
	/* one server in the place of another */
	struct takeover *takeover;       /* NULL: there was no server to replace */
	struct sockets_given metrics_fd; /* the old server's socket for metrics, until we use it */
	bool is_offered;                 /* the takeover goes on without further calls */
	struct control *control;         /* NULL: no other process can replace us */
	struct loop_timer step;          /* the timer for draining, for getting the disk back, or for thawing */
	bool is_draining;                /* another process serves; we are ending */
	int64_t drain_end_ms;
	/* server_wait.c */
	bool is_waiting;       /* there is a saved plan, but it is not used for answers yet */
	bool has_missed;       /* a control plane could not be reached */
	int64_t wait_until_ms; /* 0: the feed was not started yet */
	struct loop_timer wait, doubt;
	struct degraded degraded;    /* the parts that do not work */
	struct loop_timer parts;     /* until the parts are tried again */
	unsigned tries;              /* how often the parts were tried */
	char token[256];             /* secret; "" when there is none */
	enum veer_err no_token;      /* why the token is missing although there is no identity */
	struct veer_diag token_diag; /* of no_token */
	enum veer_err failed;        /* the error of the first publication from the feed */
	struct veer_diag failed_diag;
};

/* End the loop for this reason, which server_failed() returns. */
void server_fail(struct server *server, enum veer_err err, const char *reason);

#define SERVER_TRIES 200
/*
 * Wait for 10 ms. Used while starting, at most SERVER_TRIES times, until a process that has ended is completely gone.
 */
void server_pause(void);

/* Read the state directory, unless another process has it (VEER_EBUSY). `*out` is the caller's. */
VEER_MUST_CHECK enum veer_err server_open_disk(struct server *server, struct plan_disk **out, struct veer_diag *diag);
/* Connect to the feed; does nothing when it is connected. Errors as feed_client_new(). */
VEER_MUST_CHECK enum veer_err server_follow(struct server *server, struct veer_diag *diag);
/* Stop following the feed. */
void server_unfollow(struct server *server);

/*
 * server_wait.c: call this before the saved plan is loaded, so that it is not served at once. Does nothing where it is
 * to be served at once.
 */
void server_hold_back(struct server *server);
/*
 * The feed was started (or cannot be): serve the saved plan once the feed has brought what is newer, or after a short
 * time.
 */
void server_wait_for_feed(struct server *server);
/* Callbacks of the feed; `ctx` is the server. */
void server_heard(void *ctx);
void server_missed(void *ctx);
/* Stop the timers of server_wait.c. */
void server_wait_stop(struct server *server);

/*
 * server_parts.c: the parts that are not needed for answers. Only wrong arguments and lack of memory are errors; other
 * failures make the part degraded.
 */
/* Load cookie secrets and the server's name, for replies. */
VEER_MUST_CHECK enum veer_err server_load_config(struct server *server, struct veer_diag *diag);
/*
 * Read the location files. `*out` is the caller's; NULL without files. At the start, files that cannot be read are left
 * out. Later they are an error, and the table in use stays.
 */
VEER_MUST_CHECK enum veer_err server_load_geo(struct server *server, bool is_start, struct geo_table **out,
					      struct veer_diag *diag);
/* Use these locations from now on; takes `geo`. When it is NULL nothing changes. */
void server_use_geo(struct server *server, struct geo_table *geo);
/* Make the query log and dnstap. */
VEER_MUST_CHECK enum veer_err server_make_tap(struct server *server, struct veer_diag *diag);
/* Check that --metrics is an address. Errors: VEER_EINVAL. */
VEER_MUST_CHECK enum veer_err server_check_metrics(const struct server *server, struct veer_listen *address,
						   struct veer_diag *diag);
VEER_MUST_CHECK enum veer_err server_start_metrics(struct server *server, struct veer_diag *diag);
/* Get the counters and the degraded parts; `ctx` is the server. */
void server_count(void *ctx, struct feed_counters *out);
/* Check the state of parts that run in other threads. */
void server_look_at_parts(struct server *server);
/* From now on, try degraded parts again every few seconds. */
void server_watch_parts(struct server *server);
/* server_replace.c: make the control socket that could not be made at the start. */
void server_retry_control(struct server *server);

/*
 * server_replace.c: find the server to replace, take its sockets and have it leave the state directory; make the
 * control socket. Our own configuration must have been checked before. Errors: with a diag; the other server then goes
 * on.
 */
VEER_MUST_CHECK enum veer_err server_join(struct server *server, struct veer_diag *diag);
/* A plan was published: offer to serve it, if another server is still serving. Errors: with a diag. */
VEER_MUST_CHECK enum veer_err server_offer(struct server *server, struct veer_diag *diag);
/* Release what server_join() made. */
void server_part(struct server *server);

#endif
