/* SPDX-License-Identifier: Apache-2.0 */
#include "base/node/link.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/crypto.h"
#include "base/json.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_STEPS 6 /* 100 … 5,000 ms */
#define BACKOFF_MOST_MS 5000
#define REASON_MAX 300

/* Is the host of a text like "127.0.0.1:80/x" a loopback address, or is it called localhost? */
static bool is_local_host(const char *host)
{
	char name[64];
	bool is_v6 = host[0] == '[';
	size_t len = is_v6 ? strcspn(host + 1, "]") : strcspn(host, ":/");
	struct veer_addr addr;
	if (len == 0 || len >= sizeof name)
		return false;
	memcpy(name, host + (is_v6 ? 1 : 0), len);
	name[len] = '\0';
	if (strcmp(name, "localhost") == 0)
		return true;
	return veer_addr_parse(name, &addr) == VEER_OK && veer_addr_is_loopback(&addr);
}

enum veer_err link_url_check(const char *url, struct veer_diag *diag)
{
	const char *host = strstr(url, "://");
	if (strncmp(url, "unix:/", 6) == 0)
		return VEER_OK;
	/* in "http://localhost:x@host" the host is the part after the @ */
	if (host != NULL && memchr(host + 3, '@', strcspn(host + 3, "/?#")) != NULL)
		return veer_fail(diag, VEER_EINVAL,
				 "'%.200s': a URL must not contain a user: tokens identify the client", url);
	if (strncmp(url, "https://", 8) == 0 && url[8] != '\0' && url[8] != '/')
		return VEER_OK;
	if (strncmp(url, "http://", 7) == 0 && is_local_host(url + 7))
		return VEER_OK;
	if (strncmp(url, "http://", 7) == 0)
		return veer_fail(diag, VEER_EINVAL,
				 "'%.200s': http:// is for loopback addresses only; other hosts need https://", url);
	return veer_fail(diag, VEER_EINVAL, "'%.200s' is neither https://HOST[:PORT] nor unix:/PATH", url);
}

enum veer_err link_urls_parse(const char *text, struct link *link, struct veer_diag *diag)
{
	char urls[LINK_URLS_MAX][LINK_URL_SIZE];
	uint32_t count = 0;
	for (const char *word = text; *word != '\0';) {
		size_t len = strcspn(word, ",");
		size_t kept = len > 0 && word[len - 1] == '/' ? len - 1 : len;
		if (count == LINK_URLS_MAX || kept >= LINK_URL_SIZE)
			return veer_fail(diag, VEER_ELIMIT, "more than %d URLs, or one of over %d bytes", LINK_URLS_MAX,
					 LINK_URL_SIZE - 1);
		memcpy(urls[count], word, kept);
		urls[count][kept] = '\0';
		enum veer_err err = link_url_check(urls[count], diag);
		if (err != VEER_OK)
			return err;
		count++;
		word += len;
		word += *word == ',';
	}
	if (count == 0)
		return veer_fail(diag, VEER_EINVAL, "no URL is given");
	memcpy(link->urls, urls, sizeof urls[0] * count);
	link->url_count = count;
	return VEER_OK;
}

struct http_spec link_spec(const struct link *link, uint32_t url, const char *path)
{
	return (struct http_spec){
		.url = link->urls[url],
		.path = path,
		.bearer = link->bearer[0] != '\0' ? link->bearer : NULL,
		.ca_file = link->ca_file[0] != '\0' ? link->ca_file : NULL,
	};
}

/* Read error_description="…" from a WWW-Authenticate header; false when there is none. */
static bool read_description(const char *header, char *out, size_t size)
{
	static const char key[] = "error_description=\"";
	const char *text = header != NULL ? strstr(header, key) : NULL;
	if (text == NULL)
		return false;
	text += sizeof key - 1;
	size_t len = strcspn(text, "\"");
	(void)snprintf(out, size, "%.*s", (int)(len < REASON_MAX ? len : REASON_MAX), text);
	return len > 0;
}

void link_why(const struct http_result *result, char *out, size_t size)
{
	json_t *root = NULL;
	char text[REASON_MAX + 1] = "";
	if (result->err != VEER_OK) {
		(void)snprintf(out, size, "%s", result->error);
		return;
	}
	if (result->body_len > 0)
		(void)veer_json_parse(result->body, result->body_len, IDENTITY_TEXT_MAX, &root, NULL);
	const char *detail = json_string_value(json_object_get(root, "detail"));
	if (detail == NULL)
		detail = json_string_value(json_object_get(root, "title"));
	if (detail == NULL && read_description(http_result_header(result, "WWW-Authenticate"), text, sizeof text))
		detail = text;
	if (detail != NULL)
		(void)snprintf(out, size, "%.*s (status %d)", REASON_MAX, detail, result->status);
	else
		(void)snprintf(out, size, "status %d", result->status);
	json_decref(root);
}

int64_t backoff_next_ms(struct backoff *backoff)
{
	uint32_t random = 0;
	int64_t most_ms = BACKOFF_FIRST_MS << backoff->step;
	if (most_ms > BACKOFF_MOST_MS)
		most_ms = BACKOFF_MOST_MS;
	if (backoff->step < BACKOFF_STEPS)
		backoff->step++;
	if (crypto_random(&random, sizeof random) != VEER_OK)
		return most_ms;
	return most_ms / 2 + (int64_t)(random % (uint32_t)(most_ms / 2 + 1));
}

void backoff_reset(struct backoff *backoff)
{
	backoff->step = 0;
}
