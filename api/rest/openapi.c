/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description of this API: OpenAPI 3.1 for programs, and a page for people. Both are files of the sources
 * (api/openapi.json and api/openapi.html, which `make openapi` writes) and constant data of the program, so nothing is
 * read or copied for a request.
 */
#include <stdio.h>
#include <string.h>

#include "api/rest/api.h"
#include "api/rest/handlers.h"

/* The bytes of a file of the sources as NAME up to NAME_end; the assembler runs in the root of the sources. */
#define FILE_BYTES(NAME, PATH)                                                                                         \
	extern const char NAME[], NAME##_end[];                                                                        \
	__asm__(".pushsection .rodata\n" #NAME ":\n.incbin \"" PATH "\"\n" #NAME "_end:\n.byte 0\n.popsection\n")

FILE_BYTES(openapi_json, "api/openapi.json");
FILE_BYTES(openapi_html, "api/openapi.html");

/* Does If-None-Match hold this tag, or "*"? (RFC 9110 13.1.2; a weak tag counts like a strong one.) */
static bool is_known(const char *header, const char *tag)
{
	char quoted[48];
	(void)snprintf(quoted, sizeof quoted, "\"%s\"", tag);
	return header != NULL && (strcmp(header, "*") == 0 || strstr(header, quoted) != NULL);
}

/* Caches keep the reply and ask each time whether it still holds, because an upgrade changes it. */
static void reply_constant(const struct api_request *request, struct api_reply *reply, const char *content_type,
			   const char *bytes, const char *end)
{
	(void)snprintf(reply->etag, sizeof reply->etag, "%s", OPENAPI_TAG);
	reply->caching = "no-cache";
	reply->status = 304;
	if (is_known(request->if_none_match, reply->etag))
		return;
	reply->status = 200;
	reply->content_type = content_type;
	reply->constant = bytes;
	reply->body_len = (size_t)(end - bytes);
}

void handle_openapi(void *ctx, struct api_request *request, struct api_reply *reply)
{
	(void)ctx;
	reply_constant(request, reply, "application/json", openapi_json, openapi_json_end);
}

void handle_openapi_page(void *ctx, struct api_request *request, struct api_reply *reply)
{
	(void)ctx;
	reply_constant(request, reply, "text/html; charset=utf-8", openapi_html, openapi_html_end);
}
