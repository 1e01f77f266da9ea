/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client on the event loop, for HTTP/1.1: the only home of libcurl. Requests run side by side, without blocking;
 * each has an absolute deadline and a bound on what it will read.
 *
 * URLs: http://, https://, and unix:/path/to/socket (then `path` is requested over plain HTTP on that socket).
 * Redirects are not followed; proxies in the environment are ignored.
 * Threads: one client belongs to one loop and its thread.
 */
#ifndef VEER_BASE_HTTP_H
#define VEER_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct http_client;
struct http_request;

/*
 * A client on `loop` (borrowed, must live longer). NULL when memory is out. Caller frees. SIGPIPE is ignored in the
 * whole process from now on: a TLS write to a socket that the peer has closed would raise it.
 */
struct http_client *http_client_new(struct loop *loop);
/* Cancel what is still running (no callbacks) and free the client. Must not be called from a callback of the client. */
void http_client_free(struct http_client **client_ptr);

/* When each stage of one exchange ended, in us from its start; -1 for a stage that was not reached (or not needed). */
struct http_timing {
	int64_t connect_us;    /* the TCP or Unix connection was established; 0 or small when it was reused */
	int64_t tls_us;        /* the TLS handshake was done */
	int64_t first_byte_us; /* the first byte of the reply came */
	int64_t total_us;      /* the exchange ended, with or without success */
};

/* How an exchange ended. Borrowed for the callback. */
struct http_result {
	/*
	 * VEER_OK: a status line and a whole body came, whatever the status. VEER_ETIMEOUT: a deadline passed.
	 * VEER_ECLOSED: the connection ended early, or on_data returned false. VEER_EIO: no connection (os_errno), the
	 * name could not be resolved, or the TLS handshake failed. VEER_EAUTH: the certificate is not valid for the
	 * host (tls_verify_result). VEER_EINVAL: the reply was not HTTP, or had more than 64 KiB of header lines.
	 * VEER_ERANGE: body_cut. VEER_ENOMEM.
	 */
	enum veer_err err;
	int status;        /* 0 when none came */
	const char *error; /* a phrase for people when err is set, else "" */
	const char *body;  /* NUL-terminated; "" when streamed through on_data */
	size_t body_len;
	bool body_cut;    /* longer than `body_limit_bytes`: `body` is its beginning, the rest was not read */
	const char *etag; /* the ETag header, or "" */
	int version;      /* 10, 11 or 20 (HTTP/1.0, 1.1, 2) when a status came, else 0 */
	struct http_timing timing;
	long os_errno;                   /* errno of a failed connect or socket, else 0 */
	int tls_verify_result;           /* X509_V_* of a failed certificate check (62: another name), else 0 */
	int64_t certificate_not_after_s; /* seconds since 1970 of the leaf's notAfter; 0 when unknown or no TLS */
	void *handle;                    /* for http_result_header() */
};

/* A header of the reply by its name, any case; NULL when it did not come. Borrowed for the callback. */
const char *http_result_header(const struct http_result *result, const char *name);

/* All strings are copied at start; zero/NULL means the default. */
struct http_spec {
	const char *url;            /* "https://host:port" or a full URL, or "unix:/path" */
	const char *path;           /* appended to url; required for unix: URLs */
	const char *method;         /* default GET, or POST when there is a body */
	const char *bearer;         /* Authorization: Bearer ... */
	const char *const *headers; /* "Name: value" lines, ended by NULL */
	const void *body;
	size_t body_len;
	const char *content_type;   /* of the body; default application/json; "": `headers` contains it */
	int64_t timeout_ms;         /* whole exchange; 0: none (streams) */
	int64_t connect_timeout_ms; /* default 5,000 */
	int64_t idle_timeout_ms;    /* streams: no byte for this long ends it with VEER_ETIMEOUT; 0: none */
	size_t body_limit_bytes;    /* default 1 MiB; does not bound what on_data gets */
	const char *ca_file;        /* PEM bundle instead of the system's */
	bool insecure;              /* skip certificate checks: only for health checks that say so */
	/* For health checks: the address to connect to; Host and SNI still come from the URL. */
	const char *connect_address; /* IPv4 or IPv6 literal; NULL: resolve the URL's host */
	bool fresh_connection;       /* do not reuse a connection or a TLS session, and do not keep this one for
				      * reuse */
};

/*
 * Called with the bytes of the body as they come, whatever the status. Return false to end the exchange with
 * VEER_ECLOSED.
 * It may start and cancel requests, its own included.
 */
typedef bool http_data_fn(void *ctx, const void *data, size_t len);
/*
 * Called exactly once per started request, from the loop, unless cancelled. The request is gone afterwards. It may
 * start and cancel requests.
 */
typedef void http_done_fn(void *ctx, const struct http_result *result);

/*
 * Start an exchange. `on_data` NULL collects the body. `*out` (may be NULL) is valid until on_done is called or the
 * request is cancelled. `on_done` is never called before this function returns. Errors: VEER_ENOMEM, VEER_EINVAL (URL,
 * header, address), VEER_ELIMIT (16,384 running).
 */
enum veer_err http_request_start(struct http_client *client, const struct http_spec *spec, http_data_fn *on_data,
				 http_done_fn *on_done, void *ctx, struct http_request **out, struct veer_diag *diag);
/* End the exchange now; no callback follows, and `request` is freed. */
void http_request_cancel(struct http_request *request);

/* The parts of an absolute URL that name the server. */
struct http_url {
	bool is_https;
	uint16_t port;
	char host[256]; /* without brackets and final dot; not necessarily in lower case */
};

#define HTTP_URL_MAX 4096

/*
 * Follow `location` (RFC 9110 10.2.2: absolute or relative) from the absolute URL `base`: the new absolute URL, without
 * fragment and without any user information, into `out` of HTTP_URL_MAX bytes, and its parts. `location` NULL takes
 * `base` apart. Errors: VEER_EINVAL (no URL, or neither http nor https, or it has a user or password), VEER_ERANGE.
 */
VEER_MUST_CHECK enum veer_err http_url_follow(const char *base, const char *location, char *out,
					      struct http_url *parts);

#endif
