/* SPDX-License-Identifier: Apache-2.0 */
/* Users, directories and capabilities. See privilege.h; the list of system calls is in privilege_seal.c. */
#include "base/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitizer.h"

enum { PATH_BYTES = 4096, CAPABILITIES_MAX = 64 };

/* --- users ------------------------------------------------------------------------------------------------------- */

static enum veer_err find_group(const char *group, struct privilege_user *out, struct veer_diag *diag)
{
	const struct group *found = getgrnam(group);
	if (found == NULL)
		return veer_fail(diag, VEER_ENOTFOUND, "--group %.60s: there is no such group", group);
	out->gid = out->groups[0] = found->gr_gid;
	out->group_count = 1;
	return VEER_OK;
}

void privilege_options_add(struct args_table *table, struct privilege_names *names)
{
	const struct args_option options[] = {
		{.name = "user",
		 .kind = ARGS_STRING,
		 .target = &names->user,
		 .value = "NAME",
		 .help = "become this user, and give up what is not needed (default: stay)"},
		{.name = "group",
		 .kind = ARGS_STRING,
		 .target = &names->group,
		 .value = "NAME",
		 .help = "with this group only (default: those of the user)"},
	};
	args_table_add(table, options, sizeof options / sizeof options[0]);
}

enum veer_err privilege_look_up(const char *user, const char *option, struct privilege_user *out,
				struct veer_diag *diag)
{
	struct privilege_user found = {.is_set = true, .group_count = PRIVILEGE_GROUPS_MAX};
	*out = (struct privilege_user){.is_set = false};
	if (user == NULL)
		return VEER_OK;
	const struct passwd *entry = getpwnam(user);
	if (entry == NULL)
		return veer_fail(diag, VEER_ENOTFOUND, "%s %.60s: there is no such user", option, user);
	(void)snprintf(found.name, sizeof found.name, "%s", user);
	found.uid = entry->pw_uid;
	found.gid = entry->pw_gid;
	if (getgrouplist(user, found.gid, found.groups, &found.group_count) < 0)
		return veer_fail(diag, VEER_ELIMIT, "%s %.60s: it is a member of more than %d groups", option, user,
				 PRIVILEGE_GROUPS_MAX);
	*out = found;
	return VEER_OK;
}

enum veer_err privilege_find(const struct privilege_names *names, struct privilege_user *out, struct veer_diag *diag)
{
	struct privilege_user found;
	const char *option = names->option != NULL ? names->option : "--user";
	*out = (struct privilege_user){.is_set = false};
	if (names->user == NULL && names->group != NULL)
		return veer_fail(diag, VEER_EINVAL, "--group needs --user");
	enum veer_err err = privilege_look_up(names->user, option, &found, diag);
	if (err == VEER_OK && found.is_set && geteuid() != 0 && geteuid() != found.uid)
		err = veer_fail(diag, VEER_EAUTH, "%s %.60s: only root can become another user", option, names->user);
	if (err == VEER_OK && names->group != NULL)
		err = find_group(names->group, &found, diag);
	if (err == VEER_OK)
		*out = found;
	return err;
}

/* --- directories of the user ----------------------------------------------------------------------------------- */

static bool is_empty(int fd)
{
	int copy = dup(fd);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	unsigned count = 0;
	if (dir == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return false;
	}
	for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(dir);
	return count == 0;
}

/* Handle a directory that exists: it belongs to the user already, or it is empty and can be given to the user. */
static enum veer_err give(const char *path, const struct privilege_user *user, struct veer_diag *diag)
{
	struct stat st;
	enum veer_err err = VEER_OK;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		err = veer_fail(diag, veer_err_from_errno(errno), "%.300s: %s", path, strerrordesc_np(errno));
	else if (st.st_uid != user->uid && !is_empty(fd))
		err = veer_fail(diag, VEER_EAUTH, "%.300s belongs to user %u, not to %.60s: chown -R %.60s: %.300s",
				path, (unsigned)st.st_uid, user->name, user->name, path);
	else if (st.st_uid != user->uid && fchown(fd, user->uid, user->gid) != 0)
		err = veer_fail(diag, VEER_EAUTH, "%.300s cannot be given to %.60s: %s", path, user->name,
				strerrordesc_np(errno));
	if (fd >= 0)
		(void)close(fd);
	return err;
}

/* A missing parent is given to the user, too: the user could not enter a 0700 directory of root's. */
static enum veer_err make_parents(char *path, const struct privilege_user *user, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	for (char *slash = strchr(path + 1, '/'); slash != NULL && err == VEER_OK; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) == 0)
			err = give(path, user, diag);
		else if (errno != EEXIST)
			err = veer_fail(diag, veer_err_from_errno(errno), "%.300s: %s", path, strerrordesc_np(errno));
		*slash = '/';
	}
	return err;
}

enum veer_err privilege_give_dir(const char *dir, const struct privilege_user *user, struct veer_diag *diag)
{
	char path[PATH_BYTES];
	if (!user->is_set || geteuid() != 0 || dir == NULL || dir[0] == '\0')
		return VEER_OK;
	if ((size_t)snprintf(path, sizeof path, "%s", dir) >= sizeof path)
		return veer_fail(diag, VEER_ERANGE, "%.300s: the path is too long", dir);
	enum veer_err err = make_parents(path, user, diag);
	if (err == VEER_OK && mkdir(path, 0700) != 0 && errno != EEXIST)
		err = veer_fail(diag, veer_err_from_errno(errno), "%.300s: %s", path, strerrordesc_np(errno));
	return err == VEER_OK ? give(path, user, diag) : err;
}

/* --- capabilities ---------------------------------------------------------------------------------------------- */

/* Can we ping without CAP_NET_RAW? (net.ipv4.ping_group_range, icmp(7); it holds for both families.) */
static bool can_ping(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static uint64_t mask_of(unsigned keep)
{
	uint64_t mask = 0;
	if ((keep & PRIVILEGE_BIND) != 0)
		mask |= UINT64_C(1) << CAP_NET_BIND_SERVICE;
	if ((keep & PRIVILEGE_PING) != 0 && !can_ping())
		mask |= UINT64_C(1) << CAP_NET_RAW;
	return mask;
}

/* Reduce the permitted and effective capabilities to those of `mask` that we have; none can be inherited. */
static bool limit_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {{0, 0, 0}, {0, 0, 0}};
	if (syscall(SYS_capget, &header, sets) != 0)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		sets[i].permitted &= (uint32_t)(mask >> (32 * i));
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	header.version = _LINUX_CAPABILITY_VERSION_3;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) == 0 &&
	       syscall(SYS_capset, &header, sets) == 0;
}

/*
 * Remove from the bounding set what no program that we might execute should ever get. This needs CAP_SETPCAP; doing
 * without it loses nothing: see below.
 */
static void shrink_bounding_set(uint64_t mask)
{
	for (unsigned long i = 0; i < CAPABILITIES_MAX; i++)
		if ((mask >> i & 1) == 0 && prctl(PR_CAPBSET_READ, i, 0L, 0L, 0L) == 1)
			(void)prctl(PR_CAPBSET_DROP, i, 0L, 0L, 0L);
}

/* --- dropping -------------------------------------------------------------------------------------------------- */

static bool is_as_wished(const struct privilege_user *user)
{
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;
	return getresuid(&real, &effective, &saved) == 0 && real == user->uid && effective == user->uid &&
	       saved == user->uid && getresgid(&real_group, &effective_group, &saved_group) == 0 &&
	       real_group == user->gid && effective_group == user->gid && saved_group == user->gid;
}

static enum veer_err become(const struct privilege_user *user, struct veer_diag *diag)
{
	if (geteuid() != 0) /* we run as that user already: whoever started us has seen to it */
		return VEER_OK;
	if (prctl(PR_SET_KEEPCAPS, user->uid != 0 ? 1L : 0L, 0L, 0L, 0L) != 0 ||
	    setgroups((size_t)user->group_count, user->groups) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 || setresuid(user->uid, user->uid, user->uid) != 0 ||
	    prctl(PR_SET_KEEPCAPS, 0L, 0L, 0L, 0L) != 0 || !is_as_wished(user))
		return veer_fail(diag, VEER_EAUTH, "--user %.60s: cannot become that user: %s", user->name,
				 strerrordesc_np(errno));
	return VEER_OK;
}

/* Memory holds credentials, so it must not go into a core file, and no other process of the user may read it. */
static bool hide_memory(void)
{
	const struct rlimit none = {0, 0};
	if (SANITIZER_IS_ON) /* the leak checker reads our memory with ptrace(2) */
		return true;
	return setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0;
}

enum veer_err privilege_drop(const struct privilege_user *user, unsigned keep, struct veer_diag *diag)
{
	int death_signal = 0;
	bool was_root = geteuid() == 0;
	bool stays_root = was_root && (!user->is_set || user->uid == 0);
	(void)prctl(PR_GET_PDEATHSIG, &death_signal, 0L, 0L, 0L);
	const pid_t parent = getppid();
	if (was_root && !stays_root)
		shrink_bounding_set(mask_of(keep & PRIVILEGE_BIND) |
				    ((keep & PRIVILEGE_PING) != 0 ? UINT64_C(1) << CAP_NET_RAW : 0));
	enum veer_err err = user->is_set ? become(user, diag) : VEER_OK;
	if (err != VEER_OK)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || (!stays_root && !limit_capabilities(mask_of(keep))) ||
	    !hide_memory())
		return veer_fail(diag, VEER_EAUTH, "privileges cannot be given up: %s", strerrordesc_np(errno));
	if (was_root && !stays_root && setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
		return veer_fail(diag, VEER_EAUTH, "privileges cannot be given up: root can be regained");
	/* the kernel clears the parent-death signal on a change of user (prctl(2)) */
	if (death_signal != 0 && (prctl(PR_SET_PDEATHSIG, (long)death_signal, 0L, 0L, 0L) != 0 || getppid() != parent))
		return veer_fail(diag, VEER_ECLOSED, "the process that started this program has ended");
	return VEER_OK;
}
