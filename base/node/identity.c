/* SPDX-License-Identifier: Apache-2.0 */
#include "base/node/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define PATH_MAX_BYTES 4096

static void copy_str(struct json_cursor *c, const char *key, char *out, size_t size, bool is_required)
{
	const char *text = is_required ? veer_json_str(c, key, size - 1) : veer_json_str_or(c, key, size - 1, "");
	(void)snprintf(out, size, "%s", text);
}

enum veer_err identity_parse(const char *text, size_t len, struct identity *out, struct veer_diag *diag)
{
	json_t *root = NULL;
	struct json_cursor c;
	struct identity identity = {.id = ""};
	enum veer_err err = veer_json_parse(text, len, IDENTITY_TEXT_MAX, &root, diag);
	if (err != VEER_OK)
		return err;
	veer_json_begin(&c, root, "", diag);
	copy_str(&c, "id", identity.id, sizeof identity.id, true);
	copy_str(&c, "credential", identity.credential, sizeof identity.credential, true);
	copy_str(&c, "name", identity.name, sizeof identity.name, true);
	copy_str(&c, "region", identity.region, sizeof identity.region, false); /* a name server has none */
	copy_str(&c, "store_id", identity.store_id, sizeof identity.store_id, false);
	copy_str(&c, "api", identity.api, sizeof identity.api, false);
	copy_str(&c, "token_sha256", identity.token_sha256, sizeof identity.token_sha256, false);
	if (c.err == VEER_OK && (identity.id[0] == '\0' || identity.credential[0] == '\0'))
		veer_json_fail(&c, "id", VEER_EINVAL, "and the credential must not be empty");
	json_decref(root); /* a newer server may send more keys: unknown keys are no error */
	if (c.err == VEER_OK)
		*out = identity;
	return c.err;
}

static char *dump_and_free(json_t *value)
{
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	json_decref(value);
	return text;
}

char *identity_write(const struct identity *identity)
{
	char *text = dump_and_free(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "id", identity->id, "credential",
					     identity->credential, "name", identity->name, "region", identity->region,
					     "store_id", identity->store_id, "api", identity->api, "token_sha256",
					     identity->token_sha256));
	size_t len = text != NULL ? strlen(text) : 0;
	char *line = text != NULL ? realloc(text, len + 2) : NULL;
	if (line == NULL) {
		free(text);
		return NULL;
	}
	memcpy(line + len, "\n", 2);
	return line;
}

char *identity_request(const char *token, const char *kind, const char *region, const char *nonce)
{
	return dump_and_free(
		json_pack("{s:s,s:s,s:s*,s:s*}", "token", token, "kind", kind, "region", region, "nonce", nonce));
}

static enum veer_err identity_path(const char *dir, char *out, size_t size, struct veer_diag *diag)
{
	int len = snprintf(out, size, "%s/identity.json", dir);
	if (len < 0 || (size_t)len >= size)
		return veer_fail(diag, VEER_ERANGE, "%.200s…: the path is too long", dir);
	return VEER_OK;
}

enum veer_err identity_load(const char *dir, struct identity *out, struct veer_diag *diag)
{
	char path[PATH_MAX_BYTES];
	char *text = NULL;
	size_t len = 0;
	enum veer_err err = identity_path(dir, path, sizeof path, diag);
	if (err == VEER_OK)
		err = file_read(path, IDENTITY_TEXT_MAX, &text, &len, diag);
	if (err != VEER_OK)
		return err;
	struct veer_diag why = {""};
	err = identity_parse(text, len, out, &why);
	free(text);
	if (err != VEER_OK && err != VEER_ENOMEM)
		return veer_fail(diag, VEER_ECORRUPT, "%.200s: %.250s", path, why.text);
	return err;
}

enum veer_err identity_save(const char *dir, const struct identity *identity, struct veer_diag *diag)
{
	char path[PATH_MAX_BYTES];
	enum veer_err err = identity_path(dir, path, sizeof path, diag);
	if (err != VEER_OK)
		return err;
	char *text = identity_write(identity);
	if (text == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	err = file_write_atomic(path, text, strlen(text), 0600, diag);
	free(text);
	return err;
}

void identity_bearer(const struct identity *identity, char out[IDENTITY_BEARER_SIZE])
{
	(void)snprintf(out, IDENTITY_BEARER_SIZE, "%s.%s", identity->id, identity->credential);
}
