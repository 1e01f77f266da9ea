/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of control planes, waits between tries, and the identity that an enrolment gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/node/identity.h"
#include "base/node/link.h"

static void urls_are_read_in_order_and_bad_ones_named(void **state)
{
	static const struct {
		const char *text;
		enum veer_err err;
		uint32_t count;
		const char *says; /* the first URL, or part of the error */
	} cases[] = {
		{"https://192.0.2.1:8053", VEER_OK, 1, "https://192.0.2.1:8053"},
		{"https://a.example/,unix:/run/veer.sock", VEER_OK, 2, "https://a.example"},
		{"http://127.0.0.1:8053", VEER_OK, 1, "http://127.0.0.1:8053"},
		{"http://127.8.0.1", VEER_OK, 1, "http://127.8.0.1"},
		{"http://[::1]:80", VEER_OK, 1, "http://[::1]:80"},
		{"http://localhost:80", VEER_OK, 1, "http://localhost:80"},
		{"http://192.0.2.1:80", VEER_EINVAL, 0, "loopback addresses only"},
		{"http://127.0.0.1.example:80", VEER_EINVAL, 0, "loopback addresses only"},
		{"http://localhost.example", VEER_EINVAL, 0, "loopback addresses only"},
		{"https://", VEER_EINVAL, 0, "neither"},
		{"https:///x", VEER_EINVAL, 0, "neither"},
		{"unix:relative", VEER_EINVAL, 0, "neither"},
		{"ftp://x", VEER_EINVAL, 0, "'ftp://x'"},
		{"https://a,,https://b", VEER_EINVAL, 0, "''"},
		{"", VEER_EINVAL, 0, "no URL"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct link link = {.url_count = 99};
		struct veer_diag diag = {""};
		assert_int_equal(link_urls_parse(cases[i].text, &link, &diag), cases[i].err);
		assert_int_equal(link.url_count, cases[i].err == VEER_OK ? cases[i].count : 99);
		assert_non_null(strstr(cases[i].err == VEER_OK ? link.urls[0] : diag.text, cases[i].says));
	}
}

static void too_many_or_too_long_urls_are_refused(void **state)
{
	struct link link = {.url_count = 0};
	struct veer_diag diag = {""};
	char many[1024] = "";
	char longest[700];
	(void)state;
	for (int i = 0; i <= LINK_URLS_MAX; i++)
		(void)snprintf(many + strlen(many), sizeof many - strlen(many), "https://h%d,", i);
	assert_int_equal(link_urls_parse(many, &link, &diag), VEER_ELIMIT);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "https://", 8);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(link_urls_parse(longest, &link, &diag), VEER_ELIMIT);
	assert_int_equal(link.url_count, 0);
}

static void a_request_carries_the_links_credentials(void **state)
{
	struct link link = {.ca_file = "", .bearer = ""};
	(void)state;
	assert_int_equal(link_urls_parse("https://a,unix:/b", &link, NULL), VEER_OK);
	struct http_spec spec = link_spec(&link, 1, "/v1/x");
	assert_string_equal(spec.url, "unix:/b");
	assert_string_equal(spec.path, "/v1/x");
	assert_null(spec.bearer);
	assert_null(spec.ca_file);
	(void)snprintf(link.bearer, sizeof link.bearer, "ag-1.vrc_x");
	(void)snprintf(link.ca_file, sizeof link.ca_file, "/ca.pem");
	spec = link_spec(&link, 0, "/");
	assert_string_equal(spec.bearer, "ag-1.vrc_x");
	assert_string_equal(spec.ca_file, "/ca.pem");
}

static void waiting_doubles_up_to_five_seconds_and_is_never_the_same(void **state)
{
	static const int64_t most_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
	struct backoff backoff = {0};
	int64_t seen[8];
	int same = 0;
	(void)state;
	for (size_t i = 0; i < sizeof most_ms / sizeof most_ms[0]; i++)
		assert_in_range(backoff_next_ms(&backoff), most_ms[i] / 2, most_ms[i]);
	for (int i = 0; i < 8; i++)
		seen[i] = backoff_next_ms(&backoff);
	for (int i = 1; i < 8; i++)
		same += seen[i] == seen[0];
	assert_true(same < 7);
	backoff_reset(&backoff);
	assert_in_range(backoff_next_ms(&backoff), 50, 100);
}

static char *golden(const char *path)
{
	struct veer_diag diag;
	char *text = NULL;
	assert_int_equal(file_read(path, 65536, &text, NULL, &diag), VEER_OK);
	return text;
}

static void the_golden_identity_is_read_and_written(void **state)
{
	struct identity identity;
	struct veer_diag diag;
	char bearer[IDENTITY_BEARER_SIZE];
	(void)state;
	char *text = golden("tests/data/formats/identity.json");
	assert_int_equal(identity_parse(text, strlen(text), &identity, &diag), VEER_OK);
	assert_string_equal(identity.id, "ag-k3v0x9");
	assert_string_equal(identity.region, "eu");
	assert_string_equal(identity.store_id, "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b");
	assert_string_equal(identity.api, "https://192.0.2.53:8053");
	identity_bearer(&identity, bearer);
	assert_string_equal(bearer, "ag-k3v0x9.vrc_0123456789abcdefghijABCDEFGHIJ0123456789abc");
	char *again = identity_write(&identity);
	assert_string_equal(again, text);
	free(again);
	free(text);
}

static void the_golden_enrolment_is_written_and_its_answer_read(void **state)
{
	struct identity identity;
	struct veer_diag diag;
	(void)state;
	char *text = golden("tests/data/formats/enrol-request.json");
	char *request = identity_request("vre_0123456789abcdefghijABCDEFGHIJ0123456789abc", "agent", "eu",
					 "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(request, text);
	free(request);
	free(text);
	request = identity_request("vre_x", "nameserver", NULL, NULL);
	assert_string_equal(request, "{\"token\":\"vre_x\",\"kind\":\"nameserver\"}");
	free(request);
	text = golden("tests/data/formats/enrol-answer.json");
	assert_int_equal(identity_parse(text, strlen(text), &identity, &diag), VEER_OK);
	assert_string_equal(identity.name, "eu-1");
	assert_string_equal(identity.store_id, "");
	free(text);
	static const char nameserver[] = "{\"id\":\"ns-1\",\"credential\":\"vrc_x\",\"name\":\"ns1\",\"region\":null}";
	assert_int_equal(identity_parse(nameserver, sizeof nameserver - 1, &identity, &diag), VEER_OK);
	assert_string_equal(identity.region, "");
}

static void what_is_no_identity_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "[]",
					    "{}",
					    "{\"id\":\"\",\"credential\":\"x\",\"name\":\"n\",\"region\":\"r\"}",
					    "{\"id\":\"a\",\"name\":\"n\",\"region\":\"r\"}",
					    "{\"id\":1,\"credential\":\"x\",\"name\":\"n\",\"region\":\"r\"}"};
	struct identity identity = {.id = "untouched"};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct veer_diag diag = {""};
		assert_int_not_equal(identity_parse(texts[i], strlen(texts[i]), &identity, &diag), VEER_OK);
		assert_string_equal(identity.id, "untouched");
		assert_true(diag.text[0] != '\0');
	}
}

static void an_identity_is_kept_for_its_owner_only(void **state)
{
	char dir[] = "/tmp/veer-test-identity-XXXXXX";
	char path[64];
	struct identity identity = {.id = "ag-1", .credential = "vrc_1", .name = "n", .region = "eu"};
	struct identity read;
	struct veer_diag diag;
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/identity.json", dir);
	assert_int_equal(identity_load(dir, &read, &diag), VEER_ENOTFOUND);
	assert_int_equal(identity_save(dir, &identity, &diag), VEER_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(identity_load(dir, &read, &diag), VEER_OK);
	assert_memory_equal(read.id, "ag-1", 5);
	assert_int_equal(file_write_atomic(path, "{", 1, 0600, &diag), VEER_OK);
	assert_int_equal(identity_load(dir, &read, &diag), VEER_ECORRUPT);
	assert_non_null(strstr(diag.text, path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_read_in_order_and_bad_ones_named),
		cmocka_unit_test(too_many_or_too_long_urls_are_refused),
		cmocka_unit_test(a_request_carries_the_links_credentials),
		cmocka_unit_test(waiting_doubles_up_to_five_seconds_and_is_never_the_same),
		cmocka_unit_test(the_golden_identity_is_read_and_written),
		cmocka_unit_test(the_golden_enrolment_is_written_and_its_answer_read),
		cmocka_unit_test(what_is_no_identity_is_refused),
		cmocka_unit_test(an_identity_is_kept_for_its_owner_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
