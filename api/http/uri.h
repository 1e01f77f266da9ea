/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percent-encoding (RFC 3986 2.1) in paths and queries. A path is split into segments before it is decoded: "%2F" is
 * data within a segment (RFC 3986 2.2), as in names of RFC 2317 zones.
 *
 * Threads: pure functions.
 */
#ifndef VEER_API_HTTP_URI_H
#define VEER_API_HTTP_URI_H

#include <stdbool.h>
#include <stddef.h>

/* Is each "%" followed by two hex digits that are not "00"? */
bool api_uri_is_valid(const char *text);

/* Decode the octet at `*text` (valid, not at its end) and move `*text` behind it. */
char api_uri_octet(const char **text);

/* Decode `len` bytes of valid text into `out` (len + 1 bytes), NUL-terminated. */
void api_uri_decode(const char *text, size_t len, char *out);

/*
 * Append a segment to the NUL-terminated `out` of `size` bytes, and percent-encode everything that is not unreserved
 * (RFC 3986 2.3), also "." and ".." (3.3). False when it does not fit.
 */
bool api_uri_add_segment(const char *segment, char *out, size_t size);

#endif
