/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up the rights that a daemon does not need, before it reads anything from untrusted sources.
 *
 *   struct privilege_user user;
 *   err = privilege_find(&options.names, &user, diag);                 (no name: the user does not change)
 *   err = privilege_give_dir(state, &user, diag);                       (what must belong to that user)
 *   ...                                                                 (sockets and files that need root)
 *   err = privilege_drop(&user, PRIVILEGE_BIND, diag);
 *   privilege_seal(log);
 *
 * Threads: the main thread, before any other is started, because capabilities and the list of system calls belong to
 * each thread; threads that are started later inherit them.
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

/* The values of the options --user and --group; NULL: not given. */
struct privilege_names {
	const char *user;
	const char *group;
	const char *option; /* the name of the first option, where it is not --user */
};

/* Add the two options to a program's. */
void privilege_options_add(struct args_table *table, struct privilege_names *names);

/* The user that a program is to run as. */
struct privilege_user {
	bool is_set;                    /* false: the user does not change */
	char name[PRIVILEGE_NAME_SIZE]; /* for messages */
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIVILEGE_GROUPS_MAX]; /* all groups that the user is a member of, and gid */
	int group_count;
};

/* The capabilities that may be kept (capabilities(7)), as bits. */
enum privilege_keep {
	PRIVILEGE_NONE = 0,
	PRIVILEGE_BIND = 1 << 0, /* CAP_NET_BIND_SERVICE: sockets at ports below 1024 */
	PRIVILEGE_PING = 1 << 1, /* CAP_NET_RAW, unless the kernel lets the user ping without it */
};

/*
 * Look up a user without meaning to become that user. `user` NULL: no user. `option` is the name of the option in
 * errors. Errors: as for privilege_find().
 */
VEER_MUST_CHECK enum veer_err privilege_look_up(const char *user, const char *option, struct privilege_user *out,
						struct veer_diag *diag);

/*
 * Look up the user that the process is to become. Without --group the process gets the user's own group and all groups
 * that the user is a member of; with --group only that one. Without --user nothing changes. Errors (diag):
 * VEER_ENOTFOUND, VEER_ELIMIT (a member of too many groups), VEER_EINVAL (a group without a user), VEER_EAUTH (we are
 * not root, and it is not our own user).
 */
VEER_MUST_CHECK enum veer_err privilege_find(const struct privilege_names *names, struct privilege_user *out,
					     struct veer_diag *diag);

/*
 * Make `dir` and its missing parents with mode 0700, owned by the user. An empty directory that exists is given to the
 * user; one that belongs to somebody else is refused. Nothing is done without a user, or when we are not root. Errors
 * (diag, with the path and what to do): VEER_EAUTH, and as file_make_dirs().
 */
VEER_MUST_CHECK enum veer_err privilege_give_dir(const char *dir, const struct privilege_user *user,
						 struct veer_diag *diag);

/*
 * Become the user for good; the saved user id is changed too. Only the capabilities of `keep` that we have stay
 * permitted and effective; none can be inherited or regained. A program that is executed gains nothing
 * (PR_SET_NO_NEW_PRIVS); no core is dumped, and no other process of the user may look into our memory. Without a user
 * the same is done, but root stays root with its capabilities. The parent-death signal (PR_SET_PDEATHSIG) is kept where
 * it was set. Errors (diag): VEER_EAUTH; the program must not go on then.
 */
VEER_MUST_CHECK enum veer_err privilege_drop(const struct privilege_user *user, unsigned keep, struct veer_diag *diag);

/*
 * Have the kernel refuse, with EPERM, the system calls that none of our programs needs: executing programs, inspecting
 * other processes, mounting, loading modules, new namespaces and the like. Where that is impossible it is logged to
 * `log`, and the program goes on. Afterwards no thread can execute a program, whether it is started later or runs
 * already.
 */
void privilege_seal(struct logger *log);

#endif
