/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files: read with a limit, written so that a crash leaves the old or the new content, never a mixture.
 *
 * Threads: all functions may be called from any thread; they block on the disk and on nothing else, except
 * file_read_given(). Errors carry the path in the diag.
 */
#ifndef VEER_BASE_FILE_H
#define VEER_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Open a regular file for reading. Anything else in its place, such as a pipe or a device, is refused without waiting
 * for it. `*out` is the caller's to close. Errors: VEER_ENOTFOUND, VEER_EAUTH, VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err file_open(const char *path, int *out, struct veer_diag *diag);

/*
 * Read the whole of a regular file, NUL-terminated. Ownership: `*out` is the caller's (free()). `len` may be NULL.
 * Errors: as file_open(); VEER_ERANGE (longer than `limit_bytes`), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err file_read(const char *path, size_t limit_bytes, char **out, size_t *len,
					struct veer_diag *diag);

/*
 * The same for a file that a person names on a command line, which may be a pipe or a terminal (/dev/stdin). It may
 * wait for ever, so it must not be used for anything that a running server reads.
 */
VEER_MUST_CHECK enum veer_err file_read_given(const char *path, size_t limit_bytes, char **out, size_t *len,
					      struct veer_diag *diag);

/*
 * The first line of a small file (a token, a key) without its line end and surrounding blanks, into `out` of `size`
 * bytes. Errors: VEER_EINVAL (more than one line, a NUL, or an empty line), VEER_ERANGE (too long), and those of
 * file_read().
 */
VEER_MUST_CHECK enum veer_err file_read_line(const char *path, char *out, size_t size, struct veer_diag *diag);

/*
 * Replace the content of `path` at once: a temporary file beside it, fsync, rename, fsync of the directory. `mode` is
 * what the file gets, whatever the umask. On failure the old content stays and the temporary file is removed.
 * Errors: VEER_ESPACE, VEER_EAUTH, VEER_ENOTFOUND (no such directory), VEER_EIO, VEER_ENOMEM.
 */
enum veer_err file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct veer_diag *diag);

/*
 * The same for a file that is to belong to `owner` (NULL: to the process's own user). Only root can give a file to
 * another user. Errors: also VEER_EAUTH.
 */
struct file_owner {
	uid_t uid;
	gid_t gid;
};
VEER_MUST_CHECK enum veer_err file_write_atomic_for(const char *path, const void *data, size_t len, mode_t mode,
						    const struct file_owner *owner, struct veer_diag *diag);

/*
 * Make the directory and its missing parents, each with mode 0700. It is no error if the directory exists. Errors as
 * file_write_atomic.
 */
enum veer_err file_make_dirs(const char *path, struct veer_diag *diag);

/* Remove a file. It is no error if there is none. */
enum veer_err file_remove(const char *path, struct veer_diag *diag);

/* fsync the directory that holds `path`, so that a rename or a removal there survives a power loss. */
VEER_MUST_CHECK enum veer_err file_sync_dir_of(const char *path, struct veer_diag *diag);

/* Write all `len` bytes to a descriptor, continuing after EINTR and short writes. Errors: as veer_err_from_errno(). */
enum veer_err file_write_all(int fd, const void *data, size_t len);

#endif
