/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the HTTP client share; nobody else includes this. */
#ifndef VEER_BASE_HTTP_IMPL_H
#define VEER_BASE_HTTP_IMPL_H

#include <curl/curl.h>

#include "base/buf.h"
#include "base/http.h"

#define HTTP_BODY_LIMIT_BYTES ((size_t)1 << 20)
#define HTTP_CONNECT_TIMEOUT_MS 5000
#define HTTP_HEADERS_LIMIT_BYTES ((size_t)64 * 1024)
#define HTTP_SPARE_MAX 64

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;       /* curl's one timer */
	struct http_request *requests; /* all requests, newest first */
	size_t request_count;
	CURL *spare[HTTP_SPARE_MAX]; /* handles of ended requests, kept for reuse: making one costs more than all the
				      * rest of a request */
	size_t spare_count;
	bool is_inside;   /* curl is calling us back, so it must not be called now */
	bool has_waiting; /* a request waits until curl's function has returned */
};

/* One exchange, from its start until on_done or cancel. Linked into its client. */
struct http_request {
	struct http_client *client;
	struct http_request *next;
	struct http_request *prev;
	CURL *easy;
	http_data_fn *on_data;
	http_done_fn *on_done;
	void *ctx;
	struct buf body;               /* what came, unless streamed */
	char *sent_body;               /* a copy: curl only borrows it */
	struct curl_slist *headers;    /* curl borrows it */
	struct curl_slist *connect_to; /* curl borrows it */
	struct loop_timer deadline;
	struct loop_timer idle;
	int64_t timeout_ms;
	int64_t idle_timeout_ms;
	int64_t started_ns;
	bool is_added;     /* the request was given to curl */
	bool is_finishing; /* on_done is about to be called, or running */
	bool is_cancelled; /* cancelled while curl could not release it */
	bool is_stopped;   /* on_data said stop */
	bool body_cut;
	bool is_head_too_long;
	size_t head_bytes; /* header lines and trailers so far */
	int socket_errno;  /* why there was no socket, else 0 */
	char error[CURL_ERROR_SIZE];
};

/* Translate the spec into options of `request->easy` and the memory that they borrow. Errors: as http_request_start. */
VEER_MUST_CHECK enum veer_err http_setup(struct http_request *request, const struct http_spec *spec,
					 struct veer_diag *diag);

/* Describe a finished transfer in `result`, which borrows from the request. */
void http_collect(struct http_request *request, CURLcode code, struct http_result *result);

/* The same for a transfer that its own timer ended. */
void http_collect_timeout(struct http_request *request, bool is_idle, struct http_result *result);

#endif
