/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static enum veer_err fail_errno(struct veer_diag *diag, const char *path, const char *what)
{
	int saved = errno;
	return veer_fail(diag, veer_err_from_errno(saved), "%s: %s: %s", path, what, strerror(saved));
}

/*
 * Read to the end of the file. The size from fstat is not used, because it is wrong for /proc, pipes and growing files.
 */
static enum veer_err read_all(int fd, const char *path, struct buf *buf, struct veer_diag *diag)
{
	char chunk[16384];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(diag, path, "cannot read");
		if (n == 0)
			return VEER_OK;
		if ((size_t)n > buf->limit_bytes - buf->len)
			return veer_fail(diag, VEER_ERANGE, "%s: longer than %zu bytes", path, buf->limit_bytes);
		buf_append(buf, chunk, (size_t)n);
		if (buf->failed)
			return veer_fail(diag, VEER_ENOMEM, "%s: %s", path, veer_err_text(VEER_ENOMEM));
	}
}

enum veer_err file_open(const char *path, int *out, struct veer_diag *diag)
{
	struct stat st;
	/* without O_NONBLOCK, opening a pipe that nobody writes to would block */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail_errno(diag, path, "cannot open");
	enum veer_err err = fstat(fd, &st) == 0 ? VEER_OK : fail_errno(diag, path, "cannot open");
	if (err == VEER_OK && !S_ISREG(st.st_mode))
		err = veer_fail(diag, VEER_EIO, "%s: cannot read: %s", path,
				S_ISDIR(st.st_mode) ? strerror(EISDIR) : "is no regular file");
	if (err == VEER_OK)
		*out = fd;
	else
		(void)close(fd);
	return err;
}

/* Closes `fd`. */
static enum veer_err take_all(int fd, const char *path, size_t limit_bytes, char **out, size_t *len,
			      struct veer_diag *diag)
{
	struct buf buf;
	buf_init(&buf, limit_bytes);
	enum veer_err err = read_all(fd, path, &buf, diag);
	(void)close(fd);
	if (err == VEER_OK) {
		size_t got = 0;
		char *data = buf_take(&buf, &got);
		if (data == NULL)
			return veer_fail(diag, VEER_ENOMEM, "%s: %s", path, veer_err_text(VEER_ENOMEM));
		*out = data;
		if (len != NULL)
			*len = got;
	}
	buf_deinit(&buf);
	return err;
}

enum veer_err file_read(const char *path, size_t limit_bytes, char **out, size_t *len, struct veer_diag *diag)
{
	int fd = -1;
	enum veer_err err = file_open(path, &fd, diag);
	return err == VEER_OK ? take_all(fd, path, limit_bytes, out, len, diag) : err;
}

enum veer_err file_read_given(const char *path, size_t limit_bytes, char **out, size_t *len, struct veer_diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? take_all(fd, path, limit_bytes, out, len, diag) : fail_errno(diag, path, "cannot open");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum veer_err file_read_line(const char *path, char *out, size_t size, struct veer_diag *diag)
{
	char *text = NULL;
	size_t len = 0;
	enum veer_err err = file_read(path, size + 64, &text, &len, diag);
	if (err != VEER_OK)
		return err;
	size_t start = 0;
	while (start < len && is_blank(text[start]))
		start++;
	while (len > start && is_blank(text[len - 1]))
		len--;
	len -= start;
	if (len == 0)
		err = veer_fail(diag, VEER_EINVAL, "%s: is empty", path);
	else if (memchr(text + start, '\0', len) != NULL || memchr(text + start, '\n', len) != NULL)
		err = veer_fail(diag, VEER_EINVAL, "%s: must hold one line", path);
	else if (len >= size)
		err = veer_fail(diag, VEER_ERANGE, "%s: longer than %zu bytes", path, size - 1);
	if (err == VEER_OK) {
		memcpy(out, text + start, len);
		out[len] = '\0';
	}
	/* The content may be a secret. */
	explicit_bzero(text, start + len);
	free(text);
	return err;
}

enum veer_err file_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return veer_err_from_errno(errno);
		at += n;
		len -= (size_t)n;
	}
	return VEER_OK;
}

enum veer_err file_sync_dir_of(const char *path, struct veer_diag *diag)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash == NULL   ? snprintf(dir, sizeof dir, ".")
		  : slash == path ? snprintf(dir, sizeof dir, "/")
				  : snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	if (len < 0 || (size_t)len >= sizeof dir)
		return veer_fail(diag, VEER_ERANGE, "%s: path too long", path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(diag, dir, "cannot open");
	enum veer_err err = VEER_OK;
	/* Some file systems cannot sync a directory and return EINVAL; they offer no other way. */
	if (fsync(fd) < 0 && errno != EINVAL)
		err = fail_errno(diag, dir, "cannot sync");
	(void)close(fd);
	return err;
}

/* Write the temporary file and make sure that it is on the disk. Closes `fd`. */
static enum veer_err fill(int fd, const char *temp, const void *data, size_t len, mode_t mode,
			  const struct file_owner *owner, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	if (owner != NULL && fchown(fd, owner->uid, owner->gid) < 0)
		err = fail_errno(diag, temp, "cannot be given to its owner");
	else if (fchmod(fd, mode) < 0)
		err = fail_errno(diag, temp, "cannot set the mode");
	else if (file_write_all(fd, data, len) != VEER_OK)
		err = fail_errno(diag, temp, "cannot write");
	else if (fsync(fd) < 0)
		err = fail_errno(diag, temp, "cannot sync");
	if (close(fd) < 0 && err == VEER_OK)
		err = fail_errno(diag, temp, "cannot close");
	return err;
}

enum veer_err file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct veer_diag *diag)
{
	return file_write_atomic_for(path, data, len, mode, NULL, diag);
}

enum veer_err file_write_atomic_for(const char *path, const void *data, size_t len, mode_t mode,
				    const struct file_owner *owner, struct veer_diag *diag)
{
	char temp[PATH_MAX];
	int n = snprintf(temp, sizeof temp, "%s.tmp.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof temp)
		return veer_fail(diag, VEER_ERANGE, "%s: path too long", path);
	int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return fail_errno(diag, path, "cannot create a file beside it");
	enum veer_err err = fill(fd, temp, data, len, mode, owner, diag);
	if (err == VEER_OK && rename(temp, path) < 0)
		err = fail_errno(diag, path, "cannot replace");
	if (err != VEER_OK) {
		(void)unlink(temp);
		return err;
	}
	return file_sync_dir_of(path, diag);
}

static enum veer_err make_dir(const char *path, struct veer_diag *diag)
{
	if (mkdir(path, 0700) == 0)
		return VEER_OK;
	if (errno != EEXIST)
		return fail_errno(diag, path, "cannot make the directory");
	struct stat st;
	if (stat(path, &st) < 0)
		return fail_errno(diag, path, "cannot make the directory");
	if (!S_ISDIR(st.st_mode))
		return veer_fail(diag, VEER_EEXISTS, "%s: exists, but is not a directory", path);
	return VEER_OK;
}

enum veer_err file_make_dirs(const char *path, struct veer_diag *diag)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof part)
		return veer_fail(diag, VEER_ERANGE, "'%.64s': not a usable path", path);
	for (size_t i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		enum veer_err err = make_dir(part, diag);
		if (err != VEER_OK)
			return err;
	}
	return VEER_OK;
}

enum veer_err file_remove(const char *path, struct veer_diag *diag)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(diag, path, "cannot remove");
	return VEER_OK;
}
