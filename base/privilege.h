/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up the rights that a daemon does not need, before it reads anything that comes from strangers.
 *
 *   struct privilege_user user;
 *   err = privilege_find(&options.names, &user, diag);                 (no name: the user stays who it is)
 *   err = privilege_give_dir(state, &user, diag);                       (what must be that user's)
 *   ...                                                                 (sockets and files that need root)
 *   err = privilege_drop(&user, PRIVILEGE_BIND, diag);
 *   privilege_seal(log);
 *
 * Threads: the main thread, before any other is started, because capabilities and the list of system calls belong to
 * threads; those that are started later inherit them.
 */
#ifndef VEER_BASE_PRIVILEGE_H
#define VEER_BASE_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/args.h"
#include "base/err.h"
#include "base/log.h"

#define PRIVILEGE_NAME_SIZE 64
#define PRIVILEGE_GROUPS_MAX 64

/* What the options --user and --group say; NULL: not given. */
struct privilege_names {
	const char *user;
	const char *group;
	const char *option; /* what the first is called, where it is not --user */
};

/* Add the two options to a program's. */
void privilege_options_add(struct args_table *table, struct privilege_names *names);

/* Who a program is to be. */
struct privilege_user {
	bool is_set;                    /* false: stay who we are */
	char name[PRIVILEGE_NAME_SIZE]; /* for messages */
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIVILEGE_GROUPS_MAX]; /* all that the user is a member of, and gid */
	int group_count;
};

/* The capabilities that may be kept (capabilities(7)), as bits. */
enum privilege_keep {
	PRIVILEGE_NONE = 0,
	PRIVILEGE_BIND = 1 << 0, /* CAP_NET_BIND_SERVICE: sockets at ports below 1024 */
	PRIVILEGE_PING = 1 << 1, /* CAP_NET_RAW, unless the kernel lets the user ping without it */
};

/* Look a user up, as who is not to become it. `user` NULL: none. `option` names it in errors. Errors: as below. */
VEER_MUST_CHECK enum veer_err privilege_look_up(const char *user, const char *option, struct privilege_user *out,
						struct veer_diag *diag);

/*
 * Look up who we are to be. Without a group it has its own, with all groups that it is a member of; with one, only that
 * one. Without a user: stay who we are. Errors (diag): VEER_ENOTFOUND, VEER_ELIMIT (a member of too many groups),
 * VEER_EINVAL (a group without a user), VEER_EAUTH (we are not root, and it is another user).
 */
VEER_MUST_CHECK enum veer_err privilege_find(const struct privilege_names *names, struct privilege_user *out,
					     struct veer_diag *diag);

/*
 * Make `dir` and its missing parents, 0700 each, the user's; give it an empty one that is there; refuse one that is
 * another's. Nothing is done without a user, or when we are not root. Errors (diag, with the path and what to do):
 * VEER_EAUTH, and as file_make_dirs().
 */
VEER_MUST_CHECK enum veer_err privilege_give_dir(const char *dir, const struct privilege_user *user,
						 struct veer_diag *diag);

/*
 * Become the user, without its saved root, and for ever: only the capabilities of `keep` that we have stay permitted
 * and effective, none can be inherited or regained; a program that is executed gains nothing (PR_SET_NO_NEW_PRIVS); no
 * core is dumped and no other process of the user may look into our memory. Without a user the same is done, but root
 * stays root with its capabilities. Our end with our parent's (PR_SET_PDEATHSIG), where it was asked for, stays.
 * Errors (diag): VEER_EAUTH; the program must not go on then.
 */
VEER_MUST_CHECK enum veer_err privilege_drop(const struct privilege_user *user, unsigned keep, struct veer_diag *diag);

/*
 * From here on the kernel refuses, with EPERM, the system calls that none of our programs needs: executing programs,
 * looking into others, mounting, loading modules, new namespaces and the like. `log` is told where that is impossible;
 * the program goes on. After it no program can be executed, by any thread that is started later or runs already.
 */
void privilege_seal(struct logger *log);

#endif
