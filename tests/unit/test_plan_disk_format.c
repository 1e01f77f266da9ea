/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: its format, byte for byte (docs/formats.md, section 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "tests/unit/plan_disk_stage.h"

static void the_checksum_is_that_of_the_standard(void **state)
{
	struct crc32c tables;
	uint8_t zeros[32] = {0}, rising[32];
	(void)state;
	crc32c_init(&tables);
	for (uint8_t i = 0; i < 32; i++)
		rising[i] = i;
	/* RFC 3720 B.4, as numbers: first with the processor's instruction, where it has one, then with the tables */
	for (int i = 0; i < 2; i++, tables.has_instruction = false) {
		assert_int_equal(crc32c_update(&tables, 0, zeros, 32), 0x8a9136aa);
		assert_int_equal(crc32c_update(&tables, 0, rising, 32), 0x46dd794e);
		uint32_t first = crc32c_update(&tables, 0, rising, 13);
		assert_int_equal(crc32c_update(&tables, first, rising + 13, 19), 0x46dd794e);
	}
}

static void copy_golden(struct disk_stage *f, const char *from, const char *name)
{
	char path[128], golden[128], *bytes = NULL;
	size_t len = 0;
	(void)snprintf(golden, sizeof golden, "tests/data/formats/%s", from);
	disk_path_of(f, name, path, sizeof path);
	assert_int_equal(file_read(golden, 1 << 20, &bytes, &len, NULL), VEER_OK);
	assert_int_equal(file_write_atomic(path, bytes, len, 0600, NULL), VEER_OK);
	free(bytes);
}

static void assert_is_golden(struct disk_stage *f, const char *name)
{
	char path[128], golden[128], *bytes = NULL, *wanted = NULL;
	size_t len = 0, wanted_len = 0;
	(void)snprintf(golden, sizeof golden, "tests/data/formats/%s", name);
	disk_path_of(f, name, path, sizeof path);
	assert_int_equal(file_read(golden, 1 << 20, &wanted, &wanted_len, NULL), VEER_OK);
	assert_int_equal(file_read(path, 1 << 20, &bytes, &len, NULL), VEER_OK);
	assert_int_equal(len, wanted_len);
	assert_memory_equal(bytes, wanted, len);
	free(bytes);
	free(wanted);
}

static struct feed_change of_kind(enum model_kind kind, const char *key, const void *value, size_t len)
{
	return (struct feed_change){.kind = kind,
				    .key = key,
				    .key_len = strlen(key),
				    .is_del = value == NULL,
				    .value = value,
				    .value_len = len};
}

#define TEXT(text_) (text_), sizeof(text_) - 1

static void assert_golden_content(const struct disk_loaded *l)
{
	assert_int_equal(l->revision, 7);
	assert_int_equal(l->commits, 3);
	assert_int_equal(l->objects, 8);
	assert_string_equal(l->store_id, STORE);
	assert_non_null(strstr(l->text, "web/fra={\"endpoint\":\"web/fra\",\"action\":\"up\"} "));
	assert_non_null(strstr(l->text, "fra={\"name\":\"fra\",\"region\":\"eu\"} "));
	assert_non_null(strstr(l->text, "www.gslb.example./A=pwww "));
	assert_non_null(strstr(l->text, "web/fra={\"endpoint\":\"web/fra\",\"state\":\"down\"} "));
	assert_non_null(strstr(l->text, "-gslb.example./1/www.gslb.example./A="));
}

static void the_golden_files_are_read(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	copy_golden(f, "plan.base", "plan.base");
	copy_golden(f, "plan.journal", "plan.journal");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_golden_content(&l);
	assert_string_equal(l.at.lineage, LINEAGE);
	assert_true(l.at.has_digest && digest_pair_equal(&l.at.digest, &disk_at(7)->digest));
	assert_false(plan_disk_needs_base(f->disk));
}

static void files_of_the_first_version_are_read_and_not_added_to(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	copy_golden(f, "plan-1.base", "plan.base");
	copy_golden(f, "plan-1.journal", "plan.journal");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_golden_content(&l);
	assert_string_equal(l.at.lineage, STORE); /* in this version the lineage is named after the store */
	assert_false(l.at.has_digest);
	assert_true(plan_disk_needs_base(f->disk));
}

static void the_golden_files_are_written_byte_for_byte(void **state)
{
	static const char ns[] = "w\2ns\4gslb\7example\0\0\1\0\1\0\0\1\54\0\4\300\0\2\65";
	struct disk_stage *f = *state;
	const struct feed_change base[] = {
		of_kind(MODEL_KIND_SITE, "fra", TEXT("{\"name\":\"fra\",\"region\":\"eu\"}")),
		of_kind(MODEL_KIND_ZONE, "gslb.example.", TEXT("{\"name\":\"gslb.example.\",\"version\":1}")),
		of_kind(MODEL_KIND_RRSET, "gslb.example./1/ns.gslb.example./A", TEXT(ns)),
		of_kind(MODEL_KIND_RRSET, "gslb.example./1/www.gslb.example./A", TEXT("pwww")),
	};
	const struct feed_change fourth[] = {
		of_kind(MODEL_KIND_SITE, "fra", TEXT("{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"out\"}")),
		of_kind(MODEL_KIND_VERDICT, "web/fra", TEXT("{\"endpoint\":\"web/fra\",\"state\":\"down\"}")),
		of_kind(MODEL_KIND_OVERRIDE, "web/fra", TEXT("{\"endpoint\":\"web/fra\",\"action\":\"up\"}")),
	};
	const struct feed_change seventh = of_kind(MODEL_KIND_RRSET, "gslb.example./1/www.gslb.example./A", NULL, 0);
	plan_disk_base_begin(f->disk);
	for (size_t i = 0; i < sizeof base / sizeof base[0]; i++)
		plan_disk_base_put(f->disk, &base[i]);
	plan_disk_base_commit(f->disk, disk_at(3));
	plan_disk_journal_add(f->disk, &fourth[0]);
	plan_disk_journal_add(f->disk, &fourth[1]);
	plan_disk_journal_add(f->disk, &fourth[2]);
	plan_disk_journal_commit(f->disk, disk_at(4));
	plan_disk_journal_add(f->disk, &seventh);
	plan_disk_journal_commit(f->disk, disk_at(7));
	disk_settle(f);
	assert_is_golden(f, "plan.base");
	assert_is_golden(f, "plan.journal");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, disk_setup, disk_teardown)
	const struct CMUnitTest tests[] = {
		T(the_checksum_is_that_of_the_standard),
		T(the_golden_files_are_read),
		T(files_of_the_first_version_are_read_and_not_added_to),
		T(the_golden_files_are_written_byte_for_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
