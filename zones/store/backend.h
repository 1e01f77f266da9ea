/* SPDX-License-Identifier: Apache-2.0 */
/* What a backend of the store implements; private to zones/store/. The contracts are those in store.h. */
#ifndef VEER_ZONES_STORE_BACKEND_H
#define VEER_ZONES_STORE_BACKEND_H

#include <stdatomic.h>

#include "zones/store/store.h"

/* The functions of one backend; each takes its own state as `self`. Static storage. */
struct store_backend {
	void (*close)(void *self);
	const char *(*id)(const void *self);
	int64_t (*revision)(void *self);
	enum veer_err (*begin_lineage)(void *self, enum history_cause cause);
	void (*ancestry)(void *self, struct history_ancestry *out);
	bool (*is_unsettled)(void *self);
	enum veer_err (*settle)(void *self);
	bool (*is_rewound)(void *self);
	enum veer_err (*backup)(void *self, const char *path);
	bool (*make_room)(void *self);
	void (*keep_room)(void *self, struct store_room *out);
	enum veer_err (*probe)(void *self);
	enum veer_err (*get)(void *self, enum model_kind kind, const char *key, struct arena *arena,
			     struct store_object *out);
	enum veer_err (*list)(void *self, enum model_kind kind, const char *prefix, const char *after,
			      store_object_fn *fn, void *ctx, int64_t *revision);
	enum veer_err (*snapshot)(void *self, struct model_kinds kinds, store_object_fn *fn, void *ctx,
				  int64_t *revision);
	enum veer_err (*commit)(void *self, const struct store_op *ops, size_t count, enum store_priority priority,
				int64_t *revision, size_t *failed);
	enum veer_err (*watch_open)(void *self, int64_t since, void **watch);
	void (*watch_close)(void *watch);
	enum veer_err (*watch_next)(void *watch, int64_t timeout_ms, store_object_fn *fn, void *ctx, int64_t *revision);
	void (*watch_wake)(void *watch);
};

/* An open store: a backend and its state. */
struct store {
	const struct store_backend *backend;
	void *self; /* owned; released by backend->close */
	/* Results of the last read and the last commit, for store_health(). */
	_Atomic int read_err;
	_Atomic int write_err;
	_Atomic uint64_t read_errors;
	_Atomic uint64_t write_errors;
};

/* Open the SQLite database at `path`; errors as store_open(). */
VEER_MUST_CHECK enum veer_err store_sqlite_open(const char *path, const struct store_backend **backend, void **self,
						struct veer_diag *diag);

#endif
