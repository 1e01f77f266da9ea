/* SPDX-License-Identifier: Apache-2.0 */
#include "base/resolvers.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { DNS_PORT = 53, FILE_MAX = 64 << 10, LINE_MAX_BYTES = 256 };

static const char blanks[] = " \t\r";

static enum veer_err parse_one(const char *text, struct veer_listen *out, struct veer_diag *diag)
{
	struct veer_addr addr;
	struct veer_diag why = {""};
	if (strchr(text, '@') == NULL && veer_addr_parse(text, &addr) == VEER_OK) {
		veer_listen_from_addr(&addr, DNS_PORT, out);
		return VEER_OK;
	}
	if (strchr(text, '@') != NULL && veer_listen_parse_dns(text, out, &why) == VEER_OK &&
	    veer_listen_port(out) != 0)
		return VEER_OK;
	return veer_fail(diag, VEER_EINVAL, "\"%.200s\" is no resolver: write ADDR, ADDR@PORT, or none alone", text);
}

enum veer_err resolvers_parse(const char *const *texts, size_t count, struct resolvers *out, struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	*out = (struct resolvers){.is_system = count == 0};
	if (count == 1 && strcmp(texts[0], "none") == 0) {
		out->is_off = true;
		return VEER_OK;
	}
	if (count > RESOLVERS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "at most %d resolvers", RESOLVERS_MAX);
	for (size_t i = 0; i < count && err == VEER_OK; i++)
		err = parse_one(texts[i], &out->at[out->count++], diag);
	return err;
}

/* Read one line, given without its line end. */
static void read_line(const char *line, size_t len, struct resolvers *out)
{
	static const char word[] = "nameserver";
	char text[LINE_MAX_BYTES];
	struct veer_addr addr;
	if (len >= sizeof text || len < sizeof word || out->count == RESOLVERS_MAX)
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	if (strncmp(text, word, sizeof word - 1) != 0 || strchr(blanks, text[sizeof word - 1]) == NULL)
		return;
	char *address = text + sizeof word;
	address += strspn(address, blanks);
	address[strcspn(address, blanks)] = '\0';
	if (veer_addr_parse(address, &addr) == VEER_OK)
		veer_listen_from_addr(&addr, DNS_PORT, &out->at[out->count++]);
}

void resolvers_read(const char *path, struct resolvers *out)
{
	char *text = NULL;
	size_t len = 0;
	out->count = 0;
	if (file_read(path, FILE_MAX, &text, &len, NULL) != VEER_OK)
		return;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line_len = end != NULL ? (size_t)(end - (text + at)) : len - at;
		read_line(text + at, line_len, out);
		at += line_len + 1;
	}
	free(text);
}
