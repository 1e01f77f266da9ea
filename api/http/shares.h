/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one principal may have of the shared resources: streams, bodies being received, connections. A principal is a
 * token, an agent, a name server, the owner at the Unix socket, or, without a credential, an address. Each has a share
 * of its own, all tokens together have a part of the whole, and the owner has a reserve that no other principal gets.
 * So no credential, even if it is stolen or its client misbehaves, can take what others need, and the administrator
 * always gets in.
 *
 * Ownership: an account lives while there is a reference to it, and while its bad inputs are remembered.
 * Threads: all functions may be called from any thread; none blocks, except on a lock that is held shortly. That lock
 * is taken after all other locks of the server.
 */
#ifndef VEER_API_HTTP_SHARES_H
#define VEER_API_HTTP_SHARES_H

#include <pthread.h>
#include <stdint.h>

#include "api/http/request.h"
#include "base/strmap.h"

enum {
	SHARES_KEY_SIZE = API_ID_SIZE + 64,
	SHARES_BAD_MAX = 3,           /* after this many inputs that cannot be read … */
	SHARES_BAD_WINDOW_MS = 10000, /* … within this time, nothing is read … */
	SHARES_PENALTY_MS = 10000,    /* … for this time */
};

/* The shared resources. */
enum api_share {
	API_SHARE_STREAMS,     /* open feeds and open assignments */
	API_SHARE_BODIES,      /* bytes of bodies that are being received or handled */
	API_SHARE_REPLIES,     /* bytes of long replies that are being sent */
	API_SHARE_CONNECTIONS, /* connections that have shown a credential */
	API_SHARE_SILENT,      /* connections that have shown no credential; of an address */
	API_SHARE_PLACES,      /* places in the queues of requests */
	API_SHARE_INPUT,       /* reports and uplinks that cannot be read */
	API_SHARES
};

/* How requests are run, each lane with threads of its own (lanes.c). */
enum api_lane {
	API_LANE_ORDINARY,
	API_LANE_URGENT,  /* what an administrator does in an emergency */
	API_LANE_BULK,    /* exports, backups and long lists */
	API_LANE_REPORTS, /* reports and uplinks in another form than our own programs send */
	API_LANES
};

/* One principal. The fields belong to the shares, except those of the lanes and of the crowd. */
struct api_account {
	char key[SHARES_KEY_SIZE]; /* "token t-…", "agent ag-…", "address 192.0.2.1": for people, too */
	enum api_role role;
	unsigned references;
	size_t used[API_SHARES];
	int64_t bad_ms[SHARES_BAD_MAX]; /* when its last bad inputs came, newest first; 0: never */
	int64_t barred_until_ms;
	unsigned silent; /* how many of its connections are silent; guarded by the server's connections_lock */
	unsigned waiting[API_LANES], running[API_LANES]; /* guarded by the server's lanes_lock */
};

/* How much of a resource there is, and how much each may have. */
struct shares_room {
	size_t all;       /* for everybody together */
	size_t reserve;   /* part of `all` that only the owner may use */
	size_t tokens;    /* for all tokens together */
	size_t of_token;  /* for one token */
	size_t of_node;   /* for one agent or name server */
	size_t of_others; /* for one address without a credential */
};

struct shares {
	pthread_mutex_t lock; /* guards everything here and in the accounts, except where they name another lock */
	struct strmap accounts;
	struct shares_room rooms[API_SHARES];
	size_t used[API_SHARES], used_by_tokens[API_SHARES];
	uint64_t refused[API_SHARES];
};

/* Make zeroed memory the empty shares of a server with this many connections in all. */
void shares_init(struct shares *shares, size_t connections);
/* All accounts must have been given back. */
void shares_deinit(struct shares *shares);

/* The account of a principal or, when it has no credential, of the address `from`. NULL when memory is out. */
struct api_account *shares_account(struct shares *shares, const struct api_principal *who, const char *from);
/* Take one more reference to an account. */
struct api_account *shares_hold(struct shares *shares, struct api_account *account);
/* Give back a reference; `account` may be NULL. */
void shares_give(struct shares *shares, struct api_account *account);

/* How a request for a share ends. */
enum shares_answer {
	SHARES_TAKEN,
	SHARES_OWN_FULL, /* the principal has all that it may have */
	SHARES_ALL_FULL, /* everybody together has all that there is */
};

/* Take an amount of a share, or nothing; refusals are counted. What was taken is put back with shares_put_back(). */
enum shares_answer shares_take(struct shares *shares, struct api_account *account, enum api_share share, size_t amount);
void shares_put_back(struct shares *shares, struct api_account *account, enum api_share share, size_t amount);
/* How much of a share a principal of this kind may have in all. */
size_t shares_limit(const struct shares *shares, const struct api_account *account, enum api_share share);

/* Note that the principal has sent something that cannot be read. */
void shares_note_bad(struct shares *shares, struct api_account *account, int64_t now_ms);
/* For how many ms nothing more is read from it; 0: it may send. A refusal is counted. */
int64_t shares_barred_ms(struct shares *shares, struct api_account *account, int64_t now_ms);
/* Forget accounts that are not in use and whose bad inputs are too old to matter. */
void shares_sweep(struct shares *shares, int64_t now_ms);

/* Count a refusal that was decided elsewhere. */
void shares_note_refused(struct shares *shares, enum api_share share);
/* Refusals since the start, by share. */
void shares_refused(struct shares *shares, uint64_t out[API_SHARES]);
/* "streams", "bodies" … Static storage. */
const char *shares_text(enum api_share share);

/* Reply 429 (its own share is used up) or 503 (everybody's is), and when to try again. */
void shares_refuse(struct shares *shares, const struct api_account *account, enum api_share share,
		   enum shares_answer answer, struct api_reply *reply);

#endif
