/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the control side share; private to dnsd/server*.c. */
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
	struct tap *tap;              /* NULL: queries are not written down */
	struct zone_numbers *numbers; /* of zones that are counted; NULL: none are */
	struct geo_table *geo;        /* until a builder or the replica has it */
	size_t location_networks;     /* of the newest plan's table; 0: it has none */
	uint32_t location_policies;   /* of the newest plan: that ask where clients are */
	/* from zone files */
	struct static_zones *zones;
	struct plan_builder *builder;
	struct retire_list retired; /* what could not be handed to the publisher yet */
	int64_t revision;           /* counts loads */
	/* from the feed */
	struct plan_disk *disk;
	struct replica *replica;
	struct feed_client *feed;
	struct responder_config config;
	struct scrape *scrape; /* NULL: no metrics are served */
	/* one server in the place of another */
	struct takeover *takeover;       /* NULL: there was none to replace */
	struct sockets_given metrics_fd; /* its socket for metrics, until we use it */
	bool is_offered;                 /* the takeover goes on by itself */
	struct control *control;         /* NULL: nobody can replace us */
	struct loop_timer step;          /* of draining, of getting the disk back, or until we thaw */
	bool is_draining;                /* somebody else serves; we end */
	int64_t drain_end_ms;
	/* server_wait.c */
	bool is_waiting;       /* a saved plan is not answered from yet */
	bool has_missed;       /* a control plane could not be reached */
	int64_t wait_until_ms; /* 0: the feed was not begun yet */
	struct loop_timer wait, doubt;
	struct degraded degraded;    /* the parts that do not work */
	struct loop_timer parts;     /* until they are tried again */
	unsigned tries;              /* of them */
	char token[256];             /* secret; "" without */
	enum veer_err no_token;      /* why it is missing, though there is no identity */
	struct veer_diag token_diag; /* of no_token */
	enum veer_err failed;        /* of the first publication from the feed */
	struct veer_diag failed_diag;
};

/* End the loop for this reason, which server_failed() returns. */
void server_fail(struct server *server, enum veer_err err, const char *reason);

#define SERVER_TRIES 200
/* Wait for 10 ms, while starting, until a process that has ended is gone altogether; try SERVER_TRIES times. */
void server_pause(void);

/* Read the state's directory, unless another process has it (VEER_EBUSY). `*out` is the caller's. */
VEER_MUST_CHECK enum veer_err server_open_disk(struct server *server, struct plan_disk **out, struct veer_diag *diag);
/* Connect to the feed; nothing happens when it is. Errors as feed_client_new(). */
VEER_MUST_CHECK enum veer_err server_follow(struct server *server, struct veer_diag *diag);
/* Follow it no more. */
void server_unfollow(struct server *server);

/* server_wait.c: before what was saved is loaded: do not serve it at once. Nothing happens where it is to be. */
void server_hold_back(struct server *server);
/* The feed was begun (or cannot be): serve what was saved when it has brought what is newer, or shortly. */
void server_wait_for_feed(struct server *server);
/* The feed's word; `ctx` is the server. */
void server_heard(void *ctx);
void server_missed(void *ctx);
/* End its timers. */
void server_wait_stop(struct server *server);

/*
 * server_parts.c: what answers do not need. Only what is wrong with the arguments themselves, and want of memory, is an
 * error; what is wrong with the world begins a degraded part.
 */
/* Cookie secrets and the server's name, for replies. */
VEER_MUST_CHECK enum veer_err server_load_config(struct server *server, struct veer_diag *diag);
/*
 * Read the location files. `*out` is the caller's; NULL without files. At the start those that cannot be read are left
 * out; later that is an error, and what is in use stays.
 */
VEER_MUST_CHECK enum veer_err server_load_geo(struct server *server, bool is_start, struct geo_table **out,
					      struct veer_diag *diag);
/* Use these locations from now on; takes `geo`, which may be NULL: nothing changes. */
void server_use_geo(struct server *server, struct geo_table *geo);
/* The query log and dnstap. */
VEER_MUST_CHECK enum veer_err server_make_tap(struct server *server, struct veer_diag *diag);
/* Is --metrics an address? VEER_EINVAL. */
VEER_MUST_CHECK enum veer_err server_check_metrics(const struct server *server, struct veer_listen *address,
						   struct veer_diag *diag);
VEER_MUST_CHECK enum veer_err server_start_metrics(struct server *server, struct veer_diag *diag);
/* Counters, and what does not work; `ctx` is the server. */
void server_count(void *ctx, struct feed_counters *out);
/* Ask parts of other threads how they are. */
void server_look_at_parts(struct server *server);
/* Try what does not work again, every few seconds from now on. */
void server_watch_parts(struct server *server);
/* server_replace.c: make the control socket that could not be made at the start. */
void server_retry_control(struct server *server);

/*
 * server_replace.c: find the server to replace, take its sockets and let it leave the state's directory; make the
 * control socket. Everything that may be wrong with our own configuration is checked before. Errors: with a diag; the
 * other one goes on.
 */
VEER_MUST_CHECK enum veer_err server_join(struct server *server, struct veer_diag *diag);
/* A plan was published: offer to serve it, if another server does until now. Errors: with a diag. */
VEER_MUST_CHECK enum veer_err server_offer(struct server *server, struct veer_diag *diag);
/* Release what server_join() made: before the workers end, and after. */
void server_part(struct server *server);

#endif
