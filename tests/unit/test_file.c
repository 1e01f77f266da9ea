/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
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

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/veer-test-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	DIR *d = opendir(dir);
	int left = 0;
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		left += e->d_name[0] != '.';
	(void)closedir(d);
	assert_int_equal(left, 0); /* no temporary file is left, whatever happened */
	return rmdir(dir);
}

static const char *in_dir(const char *name)
{
	static char paths[4][160];
	static unsigned next;
	char *path = paths[next++ % 4];
	(void)snprintf(path, 160, "%s/%s", dir, name);
	return path;
}

static void what_was_written_is_read_back(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	struct stat st;
	const char *path = in_dir("f");
	assert_int_equal(file_write_atomic(path, "a\0b", 3, 0640, NULL), VEER_OK);
	assert_int_equal(file_read(path, 3, &text, &len, NULL), VEER_OK);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "a\0b", 4);
	free(text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(file_write_atomic(path, NULL, 0, 0600, NULL), VEER_OK);
	assert_int_equal(file_read(path, 0, &text, NULL, NULL), VEER_OK);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(file_remove(path, NULL), VEER_OK);
	assert_int_equal(file_remove(path, NULL), VEER_OK);
}

static void what_is_no_regular_file_is_refused_and_never_waited_for(void **state)
{
	(void)state;
	char *text = NULL;
	int fd = -1;
	struct veer_diag diag = {""};
	const char *pipe = in_dir("pipe");
	assert_int_equal(mkfifo(pipe, 0600), 0);
	(void)alarm(5); /* ends the test if it hangs */
	assert_int_equal(file_read(pipe, 10, &text, NULL, &diag), VEER_EIO);
	assert_non_null(strstr(diag.text, "is no regular file"));
	assert_int_equal(file_open(pipe, &fd, NULL), VEER_EIO);
	assert_int_equal(file_read("/dev/zero", 10, &text, NULL, NULL), VEER_EIO);
	assert_int_equal(file_read(dir, 10, &text, NULL, &diag), VEER_EIO);
	assert_int_equal(file_read_given("/dev/null", 10, &text, NULL, NULL), VEER_OK);
	(void)alarm(0);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(file_remove(pipe, NULL), VEER_OK);
}

static void reading_stops_at_the_limit(void **state)
{
	(void)state;
	struct veer_diag diag = {.text = ""};
	static char data[100000];
	const char *path = in_dir("f");
	memset(data, 'x', sizeof data);
	assert_int_equal(file_write_atomic(path, data, sizeof data, 0600, NULL), VEER_OK);
	char *text = NULL;
	assert_int_equal(file_read(path, sizeof data - 1, &text, NULL, &diag), VEER_ERANGE);
	assert_null(text);
	assert_non_null(strstr(diag.text, path));
	assert_int_equal(file_read(path, sizeof data, &text, NULL, NULL), VEER_OK);
	assert_memory_equal(text, data, sizeof data);
	free(text);
	assert_int_equal(file_read_given("/dev/zero", 5000, &text, NULL, NULL), VEER_ERANGE);
	(void)file_remove(path, NULL);
}

static void missing_files_and_directories_say_their_path(void **state)
{
	(void)state;
	struct veer_diag diag = {.text = ""};
	char *text = NULL;
	assert_int_equal(file_read(in_dir("none"), 10, &text, NULL, &diag), VEER_ENOTFOUND);
	assert_non_null(strstr(diag.text, "/none: cannot open: No such file"));
	assert_int_equal(file_read(dir, 10, &text, NULL, &diag), VEER_EIO);
	assert_int_equal(file_write_atomic(in_dir("no/f"), "x", 1, 0600, &diag), VEER_ENOTFOUND);
	assert_non_null(strstr(diag.text, "/no/f"));
	assert_int_equal(file_read("", 10, &text, NULL, &diag), VEER_ENOTFOUND);
	assert_null(text);
}

static void a_failed_write_leaves_the_old_content_and_no_litter(void **state)
{
	(void)state;
	struct veer_diag diag = {.text = ""};
	/* a directory cannot be replaced by a file */
	const char *path = in_dir("d");
	assert_int_equal(file_make_dirs(path, NULL), VEER_OK);
	assert_int_not_equal(file_write_atomic(path, "x", 1, 0600, &diag), VEER_OK);
	assert_non_null(strstr(diag.text, "cannot replace"));
	assert_int_equal(rmdir(path), 0);
	char too_long[5000];
	memset(too_long, 'p', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = '\0';
	assert_int_equal(file_write_atomic(too_long, "x", 1, 0600, &diag), VEER_ERANGE);
	assert_int_equal(file_make_dirs(too_long, &diag), VEER_ERANGE);
}

static void a_full_device_is_said_to_be_full(void **state)
{
	(void)state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "x", 1), VEER_ESPACE);
	assert_int_equal(file_write_all(fd, "x", 0), VEER_OK);
	(void)close(fd);
}

static void directories_are_made_with_their_parents(void **state)
{
	(void)state;
	struct stat st;
	struct veer_diag diag = {.text = ""};
	assert_int_equal(file_make_dirs(in_dir("a/b//c/"), NULL), VEER_OK);
	assert_int_equal(file_make_dirs(in_dir("a/b/c"), NULL), VEER_OK);
	assert_int_equal(stat(in_dir("a/b"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(file_write_atomic(in_dir("a/b/c/f"), "x", 1, 0600, NULL), VEER_OK);
	assert_int_equal(file_make_dirs(in_dir("a/b/c/f/g"), &diag), VEER_EEXISTS);
	assert_int_equal(file_make_dirs("", &diag), VEER_ERANGE);
	assert_int_equal(file_remove(in_dir("a/b/c/f"), NULL), VEER_OK);
	assert_int_equal(rmdir(in_dir("a/b/c")), 0);
	assert_int_not_equal(file_remove(in_dir("a/b"), &diag), VEER_OK);
	assert_int_equal(rmdir(in_dir("a/b")), 0);
	assert_int_equal(rmdir(in_dir("a")), 0);
}

static void one_line_files_are_trimmed_and_strict(void **state)
{
	(void)state;
	const struct {
		const char *text;
		size_t len;
		enum veer_err err;
		const char *line;
	} cases[] = {
		{"token", 5, VEER_OK, "token"},
		{"token\n", 6, VEER_OK, "token"},
		{" \ttoken\r\n\n", 10, VEER_OK, "token"},
		{"12345678", 8, VEER_OK, "12345678"},
		{"123456789", 9, VEER_ERANGE, NULL},
		{"", 0, VEER_EINVAL, NULL},
		{"\n", 1, VEER_EINVAL, NULL},
		{"a\nb\n", 4, VEER_EINVAL, NULL},
		{"a\0b", 3, VEER_EINVAL, NULL},
	};
	const char *path = in_dir("line");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[9] = "before";
		struct veer_diag diag = {.text = ""};
		assert_int_equal(file_write_atomic(path, cases[i].text, cases[i].len, 0600, NULL), VEER_OK);
		assert_int_equal(file_read_line(path, out, sizeof out, &diag), cases[i].err);
		assert_string_equal(out, cases[i].err == VEER_OK ? cases[i].line : "before");
		assert_int_equal(diag.text[0] == '\0', cases[i].err == VEER_OK);
	}
	(void)file_remove(path, NULL);
}

static void directories_of_all_kinds_of_paths_are_synced(void **state)
{
	(void)state;
	assert_int_equal(file_sync_dir_of(in_dir("x"), NULL), VEER_OK);
	assert_int_equal(file_sync_dir_of("relative", NULL), VEER_OK);
	assert_int_equal(file_sync_dir_of("/x", NULL), VEER_OK);
	assert_int_equal(file_sync_dir_of("/nonexistent/x", NULL), VEER_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_written_is_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused_and_never_waited_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reading_stops_at_the_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_files_and_directories_say_their_path, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_content_and_no_litter, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_device_is_said_to_be_full, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_are_made_with_their_parents, setup, teardown),
		cmocka_unit_test_setup_teardown(one_line_files_are_trimmed_and_strict, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_of_all_kinds_of_paths_are_synced, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
