/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `data` points to while nothing is allocated; nothing is ever written there. */
static char *empty_text(void)
{
	static const char empty[1] = "";
	return (char *)(uintptr_t)empty;
}

void buf_init(struct buf *buf, size_t limit_bytes)
{
	*buf = (struct buf){.data = empty_text(), .limit_bytes = limit_bytes};
}

void buf_deinit(struct buf *buf)
{
	if (buf->size > 0)
		free(buf->data);
	buf_init(buf, buf->limit_bytes);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->size > 0)
		buf->data[0] = '\0';
}

/* Make room for `more` bytes and the NUL. If that is impossible, set `failed` and return false. */
static bool reserve(struct buf *buf, size_t more)
{
	if (buf->failed || more > buf->limit_bytes - buf->len || more > SIZE_MAX / 4) {
		buf->failed = true;
		return false;
	}
	size_t need = buf->len + more + 1;
	if (need <= buf->size)
		return true;
	size_t size = buf->size > 0 ? buf->size : 64;
	while (size < need)
		size *= 2;
	char *grown = realloc(buf->size > 0 ? buf->data : NULL, size);
	if (grown == NULL) {
		buf->failed = true;
		return false;
	}
	buf->data = grown;
	buf->size = size;
	return true;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
	if (len == 0 || !reserve(buf, len))
		return;
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0)
		buf->failed = true;
	else if (len > 0 && reserve(buf, (size_t)len)) {
		(void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(buf, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *buf, size_t len)
{
	if (len == 0 || buf->size == 0)
		return;
	if (len > buf->len)
		len = buf->len;
	memmove(buf->data, buf->data + len, buf->len - len + 1);
	buf->len -= len;
}

char *buf_take(struct buf *buf, size_t *len)
{
	char *out = NULL;
	if (buf->failed) {
		buf_deinit(buf);
		return NULL;
	}
	out = buf->size > 0 ? buf->data : calloc(1, 1);
	if (out != NULL && len != NULL)
		*len = buf->len;
	buf_init(buf, buf->limit_bytes);
	return out;
}
