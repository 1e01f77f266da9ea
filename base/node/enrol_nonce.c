/* SPDX-License-Identifier: Apache-2.0 */
#include "base/node/enrol_nonce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define PATH_MAX_BYTES 4096
#define TEXT_MAX 1024

/* Read the nonce in the text if it is for this token; otherwise "". */
static void parse(const char *text, size_t len, const char *token_sha256, char nonce[CRYPTO_TOKEN_SIZE])
{
	json_t *root = NULL;
	nonce[0] = '\0';
	if (veer_json_parse(text, len, TEXT_MAX, &root, NULL) != VEER_OK)
		return;
	const char *token = json_string_value(json_object_get(root, "token_sha256"));
	const char *kept = json_string_value(json_object_get(root, "nonce"));
	if (token != NULL && kept != NULL && strcmp(token, token_sha256) == 0 && strlen(kept) == CRYPTO_TOKEN_SIZE - 1)
		memcpy(nonce, kept, CRYPTO_TOKEN_SIZE);
	json_decref(root);
}

static enum veer_err keep(const char *path, const char *token_sha256, const char *nonce, struct veer_diag *diag)
{
	char text[TEXT_MAX];
	int len = snprintf(text, sizeof text, "{\"token_sha256\":\"%s\",\"nonce\":\"%s\"}\n", token_sha256, nonce);
	return file_write_atomic(path, text, (size_t)len, 0600, diag);
}

enum veer_err enrol_nonce(const char *dir, const char *token_sha256, char nonce[CRYPTO_TOKEN_SIZE],
			  struct veer_diag *diag)
{
	char path[PATH_MAX_BYTES];
	char *text = NULL;
	size_t len = 0;
	nonce[0] = '\0';
	int path_len = snprintf(path, sizeof path, "%s/enrolment.json", dir != NULL ? dir : "");
	bool is_kept = dir != NULL && path_len > 0 && (size_t)path_len < sizeof path;
	if (is_kept && file_read(path, TEXT_MAX, &text, &len, NULL) == VEER_OK)
		parse(text, len, token_sha256, nonce);
	free(text);
	if (nonce[0] != '\0')
		return VEER_OK;
	if (crypto_token(nonce) != VEER_OK) {
		nonce[0] = '\0';
		return veer_fail(diag, VEER_EIO, "there are no random bytes");
	}
	if (dir != NULL && !is_kept)
		return veer_fail(diag, VEER_ERANGE, "%.200s…: the path is too long", dir);
	return is_kept ? keep(path, token_sha256, nonce, diag) : VEER_OK;
}
