/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden packets: each tests/wire/NAME.txt is one query and the exact reply, as annotated text:
 *
 *     # why, with the RFC's section
 *     query udp
 *       1234 0100  0001 0000 0000 0000   ; hex digits; what follows a semicolon is for people
 *       03 "www" 07 "example" 00         ; text in quotes stands for its octets
 *     reply
 *       ...                              ; nothing: there is no reply
 *
 * They come from 192.0.2.99.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/file.h"
#include "tests/unit/zone_plan.h"

#define DIRECTORY "tests/wire"

struct golden {
	char name[256];
	bool is_tcp;
	uint8_t query[4096];
	size_t query_len;
	uint8_t reply[65535];
	size_t reply_len;
};

/* Append one line's octets. */
static void read_line(const char *name, const char *line, uint8_t *out, size_t size, size_t *len)
{
	for (const char *c = line; *c != '\0' && *c != ';' && *c != '\n';) {
		if (*c == ' ' || *c == '\t') {
			c++;
		} else if (*c == '"') {
			size_t n = strcspn(c + 1, "\"");
			assert_true(*len + n <= size);
			memcpy(out + *len, c + 1, n);
			*len += n;
			c += n + 2;
		} else {
			assert_true(*len < size);
			if (crypto_hex_decode(c, 2, out + *len, 1) != VEER_OK)
				fail_msg("%s: not hex: %s", name, line);
			(*len)++;
			c += 2;
		}
	}
}

static void read_golden(struct golden *g, char *text)
{
	bool in_reply = false;
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (strncmp(line, "query ", 6) == 0)
			g->is_tcp = strcmp(line + 6, "tcp") == 0;
		else if (strcmp(line, "reply") == 0)
			in_reply = true;
		else if (in_reply)
			read_line(g->name, line, g->reply, sizeof g->reply, &g->reply_len);
		else
			read_line(g->name, line, g->query, sizeof g->query, &g->query_len);
	}
	assert_true(in_reply);
}

static void compare(const struct golden *g, const uint8_t *reply, size_t len)
{
	size_t same = 0;
	while (same < len && same < g->reply_len && reply[same] == g->reply[same])
		same++;
	if (same == len && same == g->reply_len)
		return;
	char *hex = calloc(1, 2 * len + 1);
	crypto_hex_encode(reply, len, hex);
	fail_msg("%s: the reply differs from octet %zu on:\n%s\n%s", g->name, same, hex, zone_plan_text(reply, len));
}

static int is_case(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

static void replies_are_the_golden_packets(void **state)
{
	(void)state;
	struct zone_plan *zp = zone_plan_new();
	struct dirent **entries = NULL;
	char *zone;
	assert_int_equal(file_read(DIRECTORY "/example.zone", 1 << 20, &zone, NULL, NULL), VEER_OK);
	zone_plan_add_zone(zp, "example.", zone);
	zone_plan_commit(zp);
	/* the secret and the time of RFC 9018 A.1 */
	struct responder_config *config = &zp->responder->config;
	*config = (struct responder_config){.secrets = {.count = 1}, .nsid_len = 3, .nsid = "ns1"};
	assert_int_equal(crypto_hex_decode("e5e973e5a6b2a43f48e7dc849e37bfcf", 32, config->secrets.keys[0], 16),
			 VEER_OK);
	zp->responder->now_s = 1559731985;
	int count = scandir(DIRECTORY, &entries, is_case, alphasort);
	assert_true(count >= 20);
	for (int i = 0; i < count; i++) {
		struct golden *g = calloc(1, sizeof *g);
		char path[512];
		char *text;
		(void)snprintf(g->name, sizeof g->name, "%s", entries[i]->d_name);
		(void)snprintf(path, sizeof path, DIRECTORY "/%s", g->name);
		assert_int_equal(file_read(path, 1 << 20, &text, NULL, NULL), VEER_OK);
		read_golden(g, text);
		compare(g, zp->out, zone_plan_ask(zp, g->query, g->query_len, g->is_tcp));
		free(text);
		free(g);
		free(entries[i]);
	}
	free(entries);
	free(zone);
	zone_plan_free(zp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_the_golden_packets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
