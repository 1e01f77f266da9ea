/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of reference targets. See reference_address.h. */
#include "probes/verdict/reference_address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"

/* Read a host: a literal, or a name of letters, digits, hyphens, underscores and dots, which is made absolute. */
static bool read_host(const char *text, size_t len, char out[REFERENCE_HOST_SIZE])
{
	struct veer_addr addr;
	if (len == 0 || len > REFERENCE_HOST_SIZE - 3)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	if (veer_addr_parse(out, &addr) == VEER_OK)
		return true;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)out[i]) && strchr("-_.", out[i]) == NULL)
			return false;
	if (out[len - 1] != '.')
		memcpy(out + len, ".", 2);
	return out[0] != '.';
}

static bool read_tcp(const char *text, struct reference_address *out)
{
	const char *colon = strrchr(text, ':');
	int64_t port = 0;
	if (colon == NULL || !text_to_int(colon + 1, 1, 65535, &port))
		return false;
	size_t len = (size_t)(colon - text);
	bool is_bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
	out->port = (uint16_t)port;
	if (!is_bracketed)
		return memchr(text, ':', len) == NULL && read_host(text, len, out->host);
	return read_host(text + 1, len - 2, out->host) && strchr(out->host, ':') != NULL;
}

enum veer_err reference_address_parse(const char *text, struct reference_address *out, struct veer_diag *diag)
{
	bool is_icmp = strncmp(text, "icmp:", 5) == 0;
	*out = (struct reference_address){.is_icmp = is_icmp};
	if (strlen(text) >= REFERENCE_TEXT_SIZE ||
	    !(is_icmp ? read_host(text + 5, strlen(text + 5), out->host) : read_tcp(text, out)))
		return veer_fail(diag, VEER_EINVAL, "'%.80s' is not a reference: HOST:PORT, [V6]:PORT or icmp:HOST",
				 text);
	(void)snprintf(out->text, sizeof out->text, "%s", text);
	return VEER_OK;
}

enum veer_err reference_addresses_check(const char *const *texts, size_t count, struct veer_diag *diag)
{
	struct reference_address unused;
	enum veer_err err = VEER_OK;
	if (count > REFERENCES_MAX)
		return veer_fail(diag, VEER_ELIMIT, "more than %d references", REFERENCES_MAX);
	for (size_t i = 0; err == VEER_OK && i < count; i++)
		err = reference_address_parse(texts[i], &unused, diag);
	return err;
}
