/* SPDX-License-Identifier: Apache-2.0 */
/* The tree behind struct config, shared by config*.c; nobody else includes this. */
#ifndef VEER_BASE_CONFIG_IMPL_H
#define VEER_BASE_CONFIG_IMPL_H

#include "base/arena.h"
#include "base/config.h"

enum config_kind { CONFIG_NODE_SCALAR, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

/* One value. Its children are a list in the order of the text. */
struct config_node {
	enum config_kind kind;
	bool is_plain;             /* a scalar without quotes */
	unsigned line;             /* where the value begins, from 1 */
	unsigned key_line;         /* the line of its key */
	const char *key;           /* in a mapping, else NULL */
	const char *text;          /* of a scalar: UTF-8 without NULs */
	struct config_node *first; /* children */
	struct config_node *last;
	struct config_node *next; /* sibling */
	size_t count;             /* of children */
};

struct config {
	struct arena *arena; /* everything below */
	const char *name;
	const struct config_node *root; /* a mapping */
};

/* veer_fail() with `FILE:LINE: ` before the message. */
VEER_MUST_CHECK enum veer_err config_fail_at(const struct config *config, unsigned line, struct veer_diag *diag,
					     enum veer_err err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* "a string", "a list", "a mapping": what a node is, for messages. */
const char *config_kind_text(const struct config_node *node);

/* The scalar's own text, or an error that says `what` was expected ("a string"). An empty plain scalar is an error. */
VEER_MUST_CHECK enum veer_err config_scalar(const struct config *config, const struct config_node *node,
					    const char *what, const char **out, struct veer_diag *diag);

#endif
