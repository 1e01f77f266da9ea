/* SPDX-License-Identifier: Apache-2.0 */
/* The client and the life cycle of its requests: curl's sockets and timers run on our event loop. */
#include "base/http.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/http_impl.h"

#define REQUESTS_MAX 16384

static void give_back(struct http_client *client, CURL *easy)
{
	if (client->spare_count == HTTP_SPARE_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	client->spare[client->spare_count++] = easy;
}

static void request_free(struct http_request *request)
{
	struct http_client *client = request->client;
	loop_timer_cancel(client->loop, &request->deadline);
	loop_timer_cancel(client->loop, &request->idle);
	if (request->is_added)
		(void)curl_multi_remove_handle(client->multi, request->easy);
	if (request->prev != NULL)
		request->prev->next = request->next;
	else if (client->requests == request)
		client->requests = request->next;
	if (request->next != NULL)
		request->next->prev = request->prev;
	client->request_count--;
	give_back(client, request->easy);
	curl_slist_free_all(request->headers);
	curl_slist_free_all(request->connect_to);
	free(request->sent_body);
	buf_deinit(&request->body);
	free(request);
}

/* Tell the owner and forget the request. The owner may start and cancel others meanwhile, but not this one. */
static void finish(struct http_request *request, const struct http_result *result)
{
	loop_timer_cancel(request->client->loop, &request->deadline);
	loop_timer_cancel(request->client->loop, &request->idle);
	if (request->is_added)
		(void)curl_multi_remove_handle(request->client->multi, request->easy);
	request->is_added = false;
	request->on_done(request->ctx, result);
	request_free(request);
}

/* --- between curl and the loop ---------------------------------------------------------------------------- */

/* Give the request to curl. If curl refuses it, tell the request's owner. */
static void add_late(struct http_request *request)
{
	request->is_added = curl_multi_add_handle(request->client->multi, request->easy) == CURLM_OK;
	if (request->is_added)
		return;
	struct http_result result;
	request->is_finishing = true;
	http_collect(request, CURLE_OUT_OF_MEMORY, &result);
	finish(request, &result);
}

static struct http_request *find_waiting(const struct http_client *client)
{
	struct http_request *request = client->requests;
	while (request != NULL && !request->is_cancelled && (request->is_added || request->is_finishing))
		request = request->next;
	return request;
}

/* Do what had to wait until curl's function returned: add handles, free cancelled requests. */
static void settle(struct http_client *client)
{
	client->has_waiting = false;
	/* Search from the start each time, because a callback in between may change any part of the list. */
	for (struct http_request *request = find_waiting(client); request != NULL; request = find_waiting(client)) {
		if (request->is_cancelled)
			request_free(request);
		else
			add_late(request);
	}
}

static void finish_done(struct http_client *client)
{
	int left = 0;
	/* Take one message at a time, because each callback may remove others from the queue. */
	for (;;) {
		CURLMsg *message = curl_multi_info_read(client->multi, &left);
		if (message == NULL)
			return;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		struct http_request *request = NULL;
		if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request) != CURLE_OK)
			continue;
		request->is_finishing = true;
		struct http_result result;
		http_collect(request, code, &result);
		finish(request, &result);
	}
}

static void act(struct http_client *client, curl_socket_t fd, int mask)
{
	int running = 0;
	client->is_inside = true;
	(void)curl_multi_socket_action(client->multi, fd, mask, &running);
	client->is_inside = false;
	if (client->has_waiting)
		settle(client);
	finish_done(client);
}

static void on_timer(void *ctx)
{
	act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *ctx, int fd, unsigned events)
{
	int mask = 0;
	if ((events & LOOP_READ) != 0)
		mask |= CURL_CSELECT_IN;
	if ((events & LOOP_WRITE) != 0)
		mask |= CURL_CSELECT_OUT;
	if ((events & LOOP_ERROR) != 0)
		mask |= CURL_CSELECT_ERR;
	act(ctx, fd, mask);
}

static int socket_callback(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http_client *client = ctx;
	(void)easy;
	(void)socket_ctx;
	if (what == CURL_POLL_REMOVE) {
		loop_unwatch(client->loop, fd);
		return 0;
	}
	unsigned events = ((what & CURL_POLL_IN) != 0 ? (unsigned)LOOP_READ : 0) |
			  ((what & CURL_POLL_OUT) != 0 ? (unsigned)LOOP_WRITE : 0);
	return loop_watch(client->loop, fd, events, on_socket, client) == VEER_OK ? 0 : -1;
}

static int timer_callback(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_client *client = ctx;
	(void)multi;
	if (timeout_ms < 0) {
		loop_timer_cancel(client->loop, &client->timer);
		return 0;
	}
	return loop_timer_set(client->loop, &client->timer, timeout_ms, on_timer, client) == VEER_OK ? 0 : -1;
}

/* --- one request ------------------------------------------------------------------------------------------ */

static void on_deadline(void *ctx)
{
	struct http_request *request = ctx;
	struct http_result result;
	request->is_finishing = true;
	http_collect_timeout(request, false, &result);
	finish(request, &result);
}

static void on_idle(void *ctx)
{
	struct http_request *request = ctx;
	struct http_result result;
	request->is_finishing = true;
	http_collect_timeout(request, true, &result);
	finish(request, &result);
}

static size_t collect_body(struct http_request *request, const char *data, size_t len)
{
	size_t room = request->body.limit_bytes - request->body.len;
	if (len > room) {
		buf_append(&request->body, data, room);
		request->body_cut = true;
		return CURL_WRITEFUNC_ERROR;
	}
	buf_append(&request->body, data, len);
	return request->body.failed ? CURL_WRITEFUNC_ERROR : len;
}

static size_t write_callback(char *data, size_t size, size_t count, void *ctx)
{
	struct http_request *request = ctx;
	size_t len = size * count; /* size is always 1 */
	if (request->is_cancelled)
		return CURL_WRITEFUNC_ERROR;
	if (request->idle_timeout_ms > 0)
		/* The timer has a place in the heap already, so this cannot fail. */
		(void)loop_timer_set(request->client->loop, &request->idle, request->idle_timeout_ms, on_idle, request);
	if (request->on_data == NULL)
		return collect_body(request, data, len);
	request->is_stopped = !request->on_data(request->ctx, data, len);
	return request->is_stopped || request->is_cancelled ? CURL_WRITEFUNC_ERROR : len;
}

/* Called for each header line and each trailer. Their total is limited, because a server could send them for ever. */
static size_t header_callback(char *data, size_t size, size_t count, void *ctx)
{
	struct http_request *request = ctx;
	(void)data;
	request->head_bytes += size * count;
	request->is_head_too_long = request->head_bytes > HTTP_HEADERS_LIMIT_BYTES;
	return request->is_head_too_long ? CURL_WRITEFUNC_ERROR : size * count;
}

/*
 * curl does not report why there is no socket, but the errno is needed: lack of descriptors is not the other side's
 * fault.
 */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_request *request = ctx;
	(void)purpose;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	request->socket_errno = fd < 0 ? errno : 0;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static enum veer_err set_callbacks(struct http_request *request)
{
	CURL *easy = request->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_callback);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_callback);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
	return code == CURLE_OK ? VEER_OK : VEER_ENOMEM;
}

static enum veer_err set_timers(struct http_request *request, const struct http_spec *spec)
{
	struct loop *loop = request->client->loop;
	enum veer_err err = VEER_OK;
	request->timeout_ms = spec->timeout_ms;
	request->idle_timeout_ms = spec->idle_timeout_ms;
	if (spec->timeout_ms > 0)
		err = loop_timer_set(loop, &request->deadline, spec->timeout_ms, on_deadline, request);
	if (err == VEER_OK && spec->idle_timeout_ms > 0)
		err = loop_timer_set(loop, &request->idle, spec->idle_timeout_ms, on_idle, request);
	return err;
}

/* A request in its client's list, not yet given to curl. */
static struct http_request *request_new(struct http_client *client, const struct http_spec *spec)
{
	struct http_request *request = calloc(1, sizeof *request);
	if (request == NULL)
		return NULL;
	request->easy = client->spare_count > 0 ? client->spare[--client->spare_count] : curl_easy_init();
	if (request->easy == NULL) {
		free(request);
		return NULL;
	}
	buf_init(&request->body, spec->body_limit_bytes > 0 ? spec->body_limit_bytes : HTTP_BODY_LIMIT_BYTES);
	request->client = client;
	request->started_ns = veer_clock_monotonic_ns(loop_clock(client->loop));
	request->next = client->requests;
	if (client->requests != NULL)
		client->requests->prev = request;
	client->requests = request;
	client->request_count++;
	return request;
}

enum veer_err http_request_start(struct http_client *client, const struct http_spec *spec, http_data_fn *on_data,
				 http_done_fn *on_done, void *ctx, struct http_request **out, struct veer_diag *diag)
{
	if (client->request_count >= REQUESTS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "%d HTTP requests are running already", REQUESTS_MAX);
	struct http_request *request = request_new(client, spec);
	if (request == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	request->on_data = on_data;
	request->on_done = on_done;
	request->ctx = ctx;
	enum veer_err err = http_setup(request, spec, diag);
	if (err == VEER_OK)
		err = set_callbacks(request);
	if (err == VEER_OK)
		err = set_timers(request, spec);
	if (err == VEER_OK && client->is_inside)
		client->has_waiting = true; /* curl cannot be called from its own callbacks */
	else if (err == VEER_OK) {
		request->is_added = curl_multi_add_handle(client->multi, request->easy) == CURLM_OK;
		err = request->is_added ? VEER_OK : veer_fail(diag, VEER_ENOMEM, "curl refuses another request");
	}
	if (err != VEER_OK) {
		request_free(request);
		return err;
	}
	if (out != NULL)
		*out = request;
	return VEER_OK;
}

void http_request_cancel(struct http_request *request)
{
	struct http_client *client = request->client;
	if (request->is_finishing)
		return; /* its owner is being told of its end: nothing is left to cancel */
	loop_timer_cancel(client->loop, &request->deadline);
	loop_timer_cancel(client->loop, &request->idle);
	if (!client->is_inside) {
		request_free(request);
		return;
	}
	request->is_cancelled = true;
	client->has_waiting = true;
}

/* --- the client ------------------------------------------------------------------------------------------- */

struct http_client *http_client_new(struct loop *loop)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	(void)signal(SIGPIPE, SIG_IGN);
	struct http_client *client = calloc(1, sizeof *client);
	CURLM *multi = curl_multi_init();
	if (client == NULL || multi == NULL) {
		(void)curl_multi_cleanup(multi);
		free(client);
		curl_global_cleanup();
		return NULL;
	}
	client->loop = loop;
	client->multi = multi;
	/* Options of the multi handle that only store a value: they cannot fail. */
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_callback);
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_callback);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
	(void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 64L);
	return client;
}

void http_client_free(struct http_client **client_ptr)
{
	struct http_client *client = *client_ptr;
	if (client == NULL)
		return;
	while (client->requests != NULL)
		request_free(client->requests);
	while (client->spare_count > 0)
		curl_easy_cleanup(client->spare[--client->spare_count]);
	(void)curl_multi_cleanup(client->multi);
	loop_timer_cancel(client->loop, &client->timer);
	free(client);
	curl_global_cleanup();
	*client_ptr = NULL;
}
