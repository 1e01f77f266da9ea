/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side of the feed, syntax only (docs/formats.md, section 2): incoming bytes are cut into lines, and each
 * line is turned into a call. The sink gives the calls their meaning (dnsd/replica/replica.h).
 *
 * Input is hostile: a line has at most 1 MiB, the order of line types is checked, and after the first error nothing
 * more is read. Threads: a reader belongs to one thread.
 */
#ifndef VEER_ZONES_PLAN_FEED_READER_H
#define VEER_ZONES_PLAN_FEED_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "zones/model/history.h"
#include "zones/model/model.h"

#define FEED_READER_LINE_MAX (1u << 20)

/* One put or del. Everything is borrowed for the call. */
struct feed_change {
	enum model_kind kind;
	const char *key;
	size_t key_len;
	bool is_del;
	/* A put's object as the plan builder and the plan on disk take it: JSON, or 'w' and wire, or 'p' and a policy's
	 * name. */
	const uint8_t *value;
	size_t value_len;
	/*
	 * The same object, parsed, for callers that need it; NULL for an RRset, for a del, and where it is not parsed
	 * yet.
	 */
	const json_t *object;
};

/* The first line. Borrowed for the call. */
struct feed_hello {
	const char *store_id; /* 32 hex digits */
	int64_t revision;     /* the newest revision of the store */
	const char *lineage;  /* the present lineage; from a control plane without lineages: the store's id */
	bool has_digest;      /* changes say what they add to the digest and what they subtract */
	/* the store's ancestry; from a control plane without lineages: the present lineage, from revision 0 */
	const struct history_ancestry *ancestry;
};

/* The receiver of the lines. A call that fails ends the reading with its error. */
struct feed_sink {
	enum veer_err (*hello)(void *ctx, const struct feed_hello *hello, struct veer_diag *diag);
	/* Forget everything when the next commit comes. */
	enum veer_err (*reset)(void *ctx, struct veer_diag *diag);
	enum veer_err (*change)(void *ctx, const struct feed_change *change, struct veer_diag *diag);
	enum veer_err (*commit)(void *ctx, int64_t revision, struct veer_diag *diag);
	/* These endpoints (POOL/NAME, borrowed for the call), and no others, are in doubt now. May be NULL. */
	enum veer_err (*doubt)(void *ctx, const char *const *endpoints, size_t count, struct veer_diag *diag);
	/* Everything up to this revision has come, unless a full state is still to begin. May be NULL. */
	enum veer_err (*heartbeat)(void *ctx, int64_t revision, struct veer_diag *diag);
	/*
	 * A put or del, of any kind, adds this to the digest; called before its `change`, and only if hello.has_digest.
	 * May be NULL.
	 */
	void (*counted)(void *ctx, const struct digest_pair *added);
};

struct feed_reader;

/* A reader for one stream. `sink` (static) and `ctx` are borrowed. NULL when memory is out. */
struct feed_reader *feed_reader_new(const struct feed_sink *sink, void *ctx);
void feed_reader_free(struct feed_reader **reader);
/* Has a hello come, and did the sink accept it? */
bool feed_reader_has_hello(const struct feed_reader *reader);

/*
 * The next bytes of the stream. Errors: VEER_EINVAL, VEER_ERANGE (a line too long), VEER_EUNSUPPORTED (another format),
 * VEER_ENOMEM, and what the sink returned; the diag says what and in which line. The stream must be ended then.
 */
VEER_MUST_CHECK enum veer_err feed_reader_push(struct feed_reader *reader, const void *data, size_t len,
					       struct veer_diag *diag);

#endif
