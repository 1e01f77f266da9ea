/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>

static const char *const err_texts[-VEER_ERR_LAST + 1] = {
	[0] = "success",
	[-VEER_ENOMEM] = "out of memory",
	[-VEER_EINVAL] = "malformed input",
	[-VEER_ERANGE] = "out of range",
	[-VEER_ENOTFOUND] = "not found",
	[-VEER_EEXISTS] = "exists already",
	[-VEER_ECONFLICT] = "conflict",
	[-VEER_ELIMIT] = "limit reached",
	[-VEER_EIO] = "input/output error",
	[-VEER_ETIMEOUT] = "timed out",
	[-VEER_EAUTH] = "not authorised",
	[-VEER_ECORRUPT] = "corrupt data",
	[-VEER_ECLOSED] = "closed",
	[-VEER_ESTALE] = "stale",
	[-VEER_EUNSUPPORTED] = "not supported",
	[-VEER_EBUSY] = "busy",
	[-VEER_ESPACE] = "no space left",
};

const char *veer_err_text(enum veer_err err)
{
	int i = -(int)err;
	if (i < 0 || i > -VEER_ERR_LAST || err_texts[i] == NULL)
		return "unknown error";
	return err_texts[i];
}

enum veer_err veer_err_from_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return VEER_ENOMEM;
	case EINVAL:
		return VEER_EINVAL;
	case ENOENT:
	case ENOTDIR:
		return VEER_ENOTFOUND;
	case EEXIST:
		return VEER_EEXISTS;
	case EMFILE:
	case ENFILE:
		return VEER_ELIMIT;
	case ETIMEDOUT:
		return VEER_ETIMEOUT;
	case EACCES:
	case EPERM:
		return VEER_EAUTH;
	case EPIPE:
	case ECONNRESET:
		return VEER_ECLOSED;
	case EAGAIN:
	case EBUSY:
		return VEER_EBUSY;
	case ENOSPC:
	case EDQUOT:
		return VEER_ESPACE;
	default:
		return VEER_EIO;
	}
}

enum veer_err veer_fail(struct veer_diag *diag, enum veer_err err, const char *fmt, ...)
{
	if (diag != NULL) {
		va_list ap;
		va_start(ap, fmt);
		(void)vsnprintf(diag->text, sizeof diag->text, fmt, ap);
		va_end(ap);
	}
	return err;
}
