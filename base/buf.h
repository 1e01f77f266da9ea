/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing buffer of bytes or text with a hard limit and a sticky error: append as if nothing could fail, then look
 * at `failed` once. The content is always NUL-terminated (the NUL does not count).
 *
 * Threads: a buffer belongs to one thread.
 */
#ifndef VEER_BASE_BUF_H
#define VEER_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* In the caller's memory, between buf_init() and buf_deinit(). */
struct buf {
	char *data;  /* the content; "" when empty, never NULL. Owned by the buffer: the next append may move it */
	size_t len;  /* bytes of content */
	size_t size; /* bytes allocated, 0 when nothing was yet */
	size_t limit_bytes; /* `len` never exceeds it */
	bool failed;        /* an append did not fit or memory was out: the content is whole, but not complete */
};

/* An empty buffer that will hold at most `limit_bytes`. Allocates nothing. */
void buf_init(struct buf *buf, size_t limit_bytes);
/* Release the content; the buffer is empty and usable again. */
void buf_deinit(struct buf *buf);
/* Forget the content and the error, but keep the memory. */
void buf_reset(struct buf *buf);

/* Append all of it or, when it does not fit, nothing. `data` may be NULL when `len` is 0. */
void buf_append(struct buf *buf, const void *data, size_t len);
/* The same with a text, without its NUL, and with one byte. */
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
/* The same with what printf(3) would write. */
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Remove the first `len` (at most buf->len) bytes: for streams that are eaten line by line. */
void buf_consume(struct buf *buf, size_t len);

/*
 * Hand over the content, NUL-terminated, and be empty again. Ownership: the caller frees with free().
 * `len` may be NULL. NULL when the buffer has failed or memory is out (then the buffer is emptied too).
 */
char *buf_take(struct buf *buf, size_t *len) __attribute__((warn_unused_result));

#endif
