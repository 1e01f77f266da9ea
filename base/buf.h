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

/* A buffer in the caller's memory, valid between buf_init() and buf_deinit(). */
struct buf {
	char *data;  /* the content; "" when empty, never NULL. Owned by the buffer: the next append may move it */
	size_t len;  /* bytes of content */
	size_t size; /* bytes allocated; 0 before the first append */
	size_t limit_bytes; /* `len` never exceeds it */
	bool failed;        /* an append did not fit or memory was out: every append that is in the content is whole,
			     * but later ones are missing */
};

/* An empty buffer that will hold at most `limit_bytes`. Allocates nothing. */
void buf_init(struct buf *buf, size_t limit_bytes);
/* Release the content; the buffer is empty and usable again. */
void buf_deinit(struct buf *buf);
/* Forget the content and the error, but keep the memory. */
void buf_reset(struct buf *buf);

/* Append `len` bytes or, when they do not fit, nothing. `data` may be NULL when `len` is 0. */
void buf_append(struct buf *buf, const void *data, size_t len);
/* Append a text without its NUL (buf_puts) or one byte (buf_putc). */
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
/* Append what printf(3) would write. */
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Remove the first `len` (at most buf->len) bytes: for streams that are read line by line. */
void buf_consume(struct buf *buf, size_t len);

/*
 * Hand over the content, NUL-terminated, and be empty again. Ownership: the caller frees with free().
 * `len` may be NULL. NULL when the buffer has failed or memory is out (then the buffer is emptied too).
 */
char *buf_take(struct buf *buf, size_t *len) __attribute__((warn_unused_result));

#endif
