/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is accepted is written and read back as the same value, and written again as the same text. The cursor
 * accepts an object only when every key was asked for. Errors have a text and change nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT_BYTES 65536

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void read_back(const json_t *value)
{
	json_t *again = NULL;
	char *text = veer_json_dump(value);
	check(text != NULL);
	check(veer_json_parse(text, strlen(text), SIZE_MAX, &again, NULL) == VEER_OK);
	check(json_equal(value, again) == 1);
	char *twice = veer_json_dump(again);
	check(twice != NULL && strcmp(text, twice) == 0);
	free(twice);
	free(text);
	json_decref(again);
}

static void read_with_cursor(const json_t *value)
{
	static const char *const words[] = {"up", "down"};
	struct json_cursor c;
	struct veer_diag diag = {.text = ""};
	size_t known = 0;
	const char *const keys[] = {"s", "i", "n", "b", "e", "l", "x"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		known += json_object_get(value, keys[i]) != NULL;
	veer_json_begin(&c, value, "", &diag);
	const char *s = veer_json_str_or(&c, "s", 10, "none");
	int64_t i = veer_json_int_or(&c, "i", -3, 70000, 5);
	double n = veer_json_num_or(&c, "n", -1, 1, 0.5);
	(void)veer_json_bool_or(&c, "b", false);
	int e = veer_json_enum_or(&c, "e", words, 2, 1);
	const json_t *l = veer_json_array(&c, "l", 3, false);
	(void)veer_json_any(&c, "x");
	enum veer_err err = veer_json_end(&c);
	check(strlen(s) <= 10 && i >= -3 && i <= 70000 && n >= -1 && n <= 1 && (e == 0 || e == 1));
	check(l == NULL || json_array_size(l) <= 3);
	check((err == VEER_OK) == (diag.text[0] == '\0'));
	if (err == VEER_OK)
		check(json_is_object(value) && json_object_size(value) == known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *value = NULL;
	struct veer_diag diag = {.text = ""};
	enum veer_err err = veer_json_parse((const char *)data, size, LIMIT_BYTES, &value, &diag);
	check((err == VEER_OK) == (value != NULL) && (err == VEER_OK) == (diag.text[0] == '\0'));
	for (const char *t = diag.text; *t != '\0'; t++)
		check(*t >= 0x20 && *t < 0x7f);
	if (err != VEER_OK)
		return 0;
	check(size <= LIMIT_BYTES);
	read_back(value);
	read_with_cursor(value);
	json_decref(value);
	return 0;
}
