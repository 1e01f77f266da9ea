/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: columns as wide as their widest cell. */
#ifndef VEER_API_CLI_TABLE_H
#define VEER_API_CLI_TABLE_H

#include <stdio.h>

#define TABLE_COLUMNS_MAX 8
#define TABLE_CELL_MAX 128

struct table;

/* Make a table with `count` (at most TABLE_COLUMNS_MAX) columns of these headings. NULL when memory is out. */
struct table *table_new(const char *const *headings, size_t count);
/*
 * Add a row; cells that are too long are cut, control characters shown as '?'. NULL is an empty cell. When memory is
 * out, the row is lost.
 */
void table_row(struct table *table, const char *const *cells);
/* Print the headings, and the rows in the order they were added, with two blanks between columns. */
void table_print(const struct table *table, FILE *out);
void table_free(struct table **table);

#endif
