/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target on every file of a corpus directory, without a fuzzer. Fails when the directory has no file. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX_BYTES ((size_t)4 << 20)

static int replay_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	char *data = NULL;
	size_t len = 0;
	struct veer_diag diag = {.text = ""};
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	if (file_read(path, INPUT_MAX_BYTES, &data, &len, &diag) != VEER_OK) {
		(void)fprintf(stderr, "%s\n", diag.text);
		return 1;
	}
	(void)fprintf(stderr, "%s\n", path); /* the last path that is printed is that of a crash */
	(void)LLVMFuzzerTestOneInput((const uint8_t *)data, len);
	free(data);
	return 0;
}

int main(int argc, char *argv[])
{
	struct dirent **entries = NULL;
	int failed = 0;
	int count = 0;
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	int entry_count = scandir(argv[1], &entries, NULL, alphasort);
	for (int i = 0; i < entry_count; i++) {
		if (entries[i]->d_name[0] != '.') {
			failed += replay_file(argv[1], entries[i]->d_name);
			count++;
		}
		free(entries[i]);
	}
	free(entries);
	(void)printf("%d inputs replayed, %d failed\n", count, failed);
	return count == 0 || failed > 0;
}
