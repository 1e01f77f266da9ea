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
	struct row *rows; /* the first one has the headings */
	size_t count, size;
};

void table_row(struct table *table, const char *const *cells)
{
	if (table->count == table->size) {
		size_t size = table->size > 0 ? 2 * table->size : 16;
		struct row *rows = reallocarray(table->rows, size, sizeof *rows);
		if (rows == NULL)
			return;
		table->rows = rows;
		table->size = size;
	}
	struct row *row = &table->rows[table->count++];
	for (size_t i = 0; i < table->columns; i++) {
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

void table_print(const struct table *table, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	for (size_t r = 0; r < table->count; r++)
		for (size_t i = 0; i < table->columns; i++)
			if (strlen(table->rows[r].cells[i]) > widths[i])
				widths[i] = strlen(table->rows[r].cells[i]);
	for (size_t r = 0; r < table->count; r++) {
		for (size_t i = 0; i < table->columns; i++)
			(void)fprintf(out, "%s%-*s", i > 0 ? "  " : "", i + 1 < table->columns ? (int)widths[i] : 0,
				      table->rows[r].cells[i]);
		(void)fputc('\n', out);
	}
}

void table_free(struct table **table)
{
	if (*table == NULL)
		return;
	free((*table)->rows);
	free(*table);
	*table = NULL;
}
