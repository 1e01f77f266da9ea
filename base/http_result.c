/* SPDX-License-Identifier: Apache-2.0 */
/* From curl's end of a transfer to http_result. */
#include "base/http_impl.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509_vfy.h>

static enum veer_err err_from_curl(CURLcode code)
{
	switch ((int)code) { /* as int, because curl has a hundred codes and most of them cannot occur here */
	case CURLE_OK:
		return VEER_OK;
	case CURLE_OUT_OF_MEMORY:
		return VEER_ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		return VEER_ETIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
		return VEER_EAUTH;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_WRITE_ERROR:
		return VEER_ECLOSED;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return VEER_EINVAL;
	default:
		return VEER_EIO;
	}
}

/* A stage's time. curl gives 0 for a stage that was not reached. */
static int64_t stage_us(CURL *easy, CURLINFO info)
{
	curl_off_t us = 0;
	if (curl_easy_getinfo(easy, info, &us) != CURLE_OK || us <= 0)
		return -1;
	return us;
}

static void collect_timing(const struct http_request *request, struct http_timing *timing)
{
	const struct veer_clock *clock = loop_clock(request->client->loop);
	timing->connect_us = stage_us(request->easy, CURLINFO_CONNECT_TIME_T);
	timing->tls_us = stage_us(request->easy, CURLINFO_APPCONNECT_TIME_T);
	timing->first_byte_us = stage_us(request->easy, CURLINFO_STARTTRANSFER_TIME_T);
	/*
	 * This is our own time, not curl's: curl stops counting at its last event, and a deadline may come long after
	 * that.
	 */
	timing->total_us = (veer_clock_monotonic_ns(clock) - request->started_ns) / 1000;
}

/* The leaf's notAfter, from the text form that curl keeps of the chain ("Expire date:Nov 22 20:36:01 2026 GMT"). */
static int64_t not_after_s(CURL *easy)
{
	static const char key[] = "Expire date:";
	struct curl_certinfo *chain = NULL;
	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL || chain->num_of_certs < 1)
		return 0;
	for (const struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next) {
		if (strncmp(line->data, key, sizeof key - 1) == 0) {
			time_t t = curl_getdate(line->data + sizeof key - 1, NULL);
			return t > 0 ? (int64_t)t : 0;
		}
	}
	return 0;
}

const char *http_result_header(const struct http_result *result, const char *name)
{
	struct curl_header *header = NULL;
	if (result->handle == NULL || curl_easy_header(result->handle, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

static int version_of(CURL *easy)
{
	long version = CURL_HTTP_VERSION_NONE;
	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	switch (version) {
	case CURL_HTTP_VERSION_1_0:
		return 10;
	case CURL_HTTP_VERSION_1_1:
		return 11;
	case CURL_HTTP_VERSION_2_0:
		return 20;
	default:
		return 0;
	}
}

static void collect_common(struct http_request *request, struct http_result *result)
{
	long status = 0;
	(void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &result->os_errno);
	if (result->os_errno == 0)
		result->os_errno = request->socket_errno;
	result->status = (int)status;
	result->version = version_of(request->easy);
	result->certificate_not_after_s = not_after_s(request->easy);
	result->handle = request->easy;
	result->error = "";
	result->body = request->body.data;
	result->body_len = request->body.len;
	result->body_cut = request->body_cut;
	const char *etag = http_result_header(result, "ETag");
	result->etag = etag != NULL ? etag : "";
	collect_timing(request, &result->timing);
}

/*
 * Why the certificate was refused. The code is "unspecified" where OpenSSL accepted the certificate but curl refused
 * the name.
 */
static int verify_result(CURL *easy)
{
	long verify = X509_V_OK;
	(void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	bool is_named = verify != X509_V_OK && verify != X509_V_ERR_UNSPECIFIED;
	return is_named ? (int)verify : X509_V_ERR_HOSTNAME_MISMATCH;
}

void http_collect(struct http_request *request, CURLcode code, struct http_result *result)
{
	*result = (struct http_result){0};
	collect_common(request, result);
	result->err = err_from_curl(code);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		result->tls_verify_result = verify_result(request->easy);
	/*
	 * curl reports "out of memory" for a header line of more than 100 KiB. Once the other side has begun to reply,
	 * that is the other side's fault.
	 */
	bool is_line_too_long = code == CURLE_OUT_OF_MEMORY && result->timing.first_byte_us >= 0;
	if (request->body_cut) {
		result->err = VEER_ERANGE;
		result->error = "the body is longer than the limit";
	} else if (request->is_head_too_long || is_line_too_long) {
		result->err = VEER_EINVAL;
		result->error = "the head of the reply is longer than 64 KiB";
	} else if (request->is_stopped) {
		result->err = VEER_ECLOSED;
		result->error = "ended by the reader";
	} else if (request->body.failed) {
		result->err = VEER_ENOMEM;
		result->error = veer_err_text(VEER_ENOMEM);
	} else if (code != CURLE_OK) {
		result->error = request->error[0] != '\0' ? request->error : curl_easy_strerror(code);
	}
}

void http_collect_timeout(struct http_request *request, bool is_idle, struct http_result *result)
{
	*result = (struct http_result){0};
	collect_common(request, result);
	const char *doing = "connecting";
	if (result->timing.first_byte_us >= 0)
		doing = "reading the reply";
	else if (result->timing.connect_us >= 0)
		doing = "waiting for the reply";
	(void)snprintf(request->error, sizeof request->error, "%s %lld ms while %s",
		       is_idle ? "no byte for" : "not done after",
		       (long long)(is_idle ? request->idle_timeout_ms : request->timeout_ms), doing);
	result->err = VEER_ETIMEOUT;
	result->error = request->error;
}
