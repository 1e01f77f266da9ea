/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct row {
	char cells[TABLE_COLUMNS_MAX][TABLE_CELL_MAX];
};

struct table {
	size_t columns;
	struct row *rows; /* the headings first */
	size_t count, size;
};

void table_row(struct table *t, const char *const *cells)
{
	if (t->count == t->size) {
		size_t size = t->size > 0 ? 2 * t->size : 16;
		struct row *rows = reallocarray(t->rows, size, sizeof *rows);
		if (rows == NULL)
			return;
		t->rows = rows;
		t->size = size;
	}
	struct row *row = &t->rows[t->count++];
	for (size_t i = 0; i < t->columns; i++) {
		(void)snprintf(row->cells[i], TABLE_CELL_MAX, "%s", cells[i] != NULL ? cells[i] : "");
		for (char *p = row->cells[i]; *p != '\0'; p++)
			if (iscntrl((unsigned char)*p))
				*p = '?';
	}
}

struct table *table_new(const char *const *headings, size_t count)
{
	struct table *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->columns = count;
	table_row(t, headings);
	return t;
}

void table_print(const struct table *t, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	for (size_t r = 0; r < t->count; r++)
		for (size_t i = 0; i < t->columns; i++)
			if (strlen(t->rows[r].cells[i]) > widths[i])
				widths[i] = strlen(t->rows[r].cells[i]);
	for (size_t r = 0; r < t->count; r++) {
		for (size_t i = 0; i < t->columns; i++)
			(void)fprintf(out, "%s%-*s", i > 0 ? "  " : "", i + 1 < t->columns ? (int)widths[i] : 0,
				      t->rows[r].cells[i]);
		(void)fputc('\n', out);
	}
}

void table_free(struct table **t)
{
	if (*t == NULL)
		return;
	free((*t)->rows);
	free(*t);
	*t = NULL;
}
