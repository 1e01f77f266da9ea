/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that are refused once a daemon has started (seccomp(2)).
 *
 * A list of allowed system calls could end a name server when a new C library needs another one. So this list names the
 * refused calls, and a refused call fails with EPERM instead of ending the process. The kernel writes refused calls to
 * its log (audit: type=1326): look there when something does not work.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/privilege.h"
#include "base/sanitizer.h"

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_BIT 0x40000000u /* the x32 ABI: the same architecture with other call numbers */
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_BIT 0x80000000u /* no call number has this bit */
#endif

#define NAMESPACES                                                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* The refused calls, by number. Some architectures lack some of them. */
static const int refused[] = {
	/* programs */
	SYS_execve,
	SYS_execveat,
	/* other processes */
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kcmp,
	SYS_pidfd_getfd,
	SYS_process_madvise,
	/* what the file system looks like */
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_move_mount,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_open_by_handle_at,
	SYS_name_to_handle_at,
	SYS_fanotify_init,
	SYS_quotactl,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	/* the kernel */
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_syslog,
	SYS_userfaultfd,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_personality,
	SYS_vhangup,
	/* the host */
	SYS_sethostname,
	SYS_setdomainname,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	/* namespaces, and becoming another user */
	SYS_unshare,
	SYS_setns,
	SYS_setuid,
	SYS_setgid,
	SYS_setreuid,
	SYS_setregid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_capset,
#if defined(__x86_64__)
	SYS_kexec_file_load,
	SYS_iopl,
	SYS_ioperm,
	SYS_modify_ldt,
	SYS_uselib,
	SYS_ustat,
	SYS_sysfs,
	SYS_quotactl_fd,
#endif
};

enum { REFUSED_COUNT = sizeof refused / sizeof refused[0], PROGRAM_MAX = 16 + 2 * (REFUSED_COUNT + 1) };

struct program {
	struct sock_filter steps[PROGRAM_MAX];
	unsigned short count;
};

static void add(struct program *p, struct sock_filter step)
{
	if (p->count < PROGRAM_MAX)
		p->steps[p->count++] = step;
}

static void load(struct program *p, size_t offset)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

/* Return `verdict` if the loaded value compares as `compare` says with `value`; otherwise go on. */
static void verdict_if(struct program *p, unsigned short compare, unsigned value, unsigned verdict)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | compare | BPF_K, value, 0, 1));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

static void write_program(struct program *p)
{
	const unsigned no = SECCOMP_RET_ERRNO | EPERM;
	load(p, offsetof(struct seccomp_data, arch));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, no)); /* 32-bit calls */
	load(p, offsetof(struct seccomp_data, nr));
	verdict_if(p, BPF_JGE, FOREIGN_BIT, no);
	for (size_t i = 0; i < REFUSED_COUNT; i++)
		verdict_if(p, BPF_JEQ, (unsigned)refused[i], no);
	if (!SANITIZER_IS_ON)
		verdict_if(p, BPF_JEQ, SYS_ptrace, no);
	/* the flags of clone3 are in memory, which a filter cannot read; after ENOSYS the C library uses clone(2) */
	verdict_if(p, BPF_JEQ, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3));
	load(p, offsetof(struct seccomp_data, args[0]));
	verdict_if(p, BPF_JSET, NAMESPACES, no);
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

void privilege_seal(struct logger *log)
{
	struct program p = {.count = 0};
	write_program(&p);
	const struct sock_fprog filter = {.len = p.count, .filter = p.steps};
	const unsigned long flags =
		SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter) != 0)
		log_warn(log, "system calls are not limited: the kernel offers no such filter",
			 LOG_STR("why", strerrordesc_np(errno)));
}
