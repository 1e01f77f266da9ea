/* SPDX-License-Identifier: Apache-2.0 */
#include "dnsd/replica/lineages.h"

#include <stdio.h>
#include <string.h>

static size_t find(const struct lineages *l, const char *id)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->marks[i].id, id) == 0)
			return i;
	return l->count;
}

/* Is there a restore or a copy in the ancestry after `at`? */
static bool is_confirmed_after(const struct history_ancestry *a, size_t at)
{
	for (size_t i = at + 1; i < a->count; i++)
		if (a->lineages[i].cause == HISTORY_RESTORE || a->lineages[i].cause == HISTORY_COPY)
			return true;
	return false;
}

enum lineages_judgement lineages_judge(const struct lineages *lineages, const struct history_ancestry *ancestry)
{
	bool is_known = false;
	for (size_t i = 0; i < ancestry->count; i++) {
		size_t at = find(lineages, ancestry->lineages[i].id);
		if (at == lineages->count)
			continue;
		is_known = true;
		if (lineages->marks[at].is_abandoned && !is_confirmed_after(ancestry, i))
			return LINEAGES_ABANDONED;
	}
	return is_known || lineages->count == 0 ? LINEAGES_FOLLOW : LINEAGES_UNKNOWN;
}

bool lineages_are_confirmed(const struct lineages *lineages, const struct history_ancestry *ancestry)
{
	for (size_t i = ancestry->count; i > 0; i--)
		if (find(lineages, ancestry->lineages[i - 1].id) < lineages->count)
			return is_confirmed_after(ancestry, i - 1);
	return false;
}

bool lineages_have_moved_on(const struct lineages *lineages, const struct history_ancestry *ancestry, const char *id)
{
	size_t old = find(lineages, id);
	size_t present = find(lineages, ancestry->lineages[ancestry->count - 1].id);
	return present < lineages->count && present > old;
}

void lineages_add(struct lineages *lineages, const char *lineage)
{
	if (find(lineages, lineage) < lineages->count || !history_is_id(lineage))
		return;
	if (lineages->count == LINEAGES_MAX) {
		memmove(&lineages->marks[0], &lineages->marks[1], (LINEAGES_MAX - 1) * sizeof lineages->marks[0]);
		lineages->count--;
	}
	memcpy(lineages->marks[lineages->count].id, lineage, HISTORY_ID_SIZE);
	lineages->marks[lineages->count++].is_abandoned = false;
}

/*
 * The first mark that counts. A full ancestry has forgotten its oldest lineages, and marks before the first one that is
 * in the ancestry may be among those.
 */
static size_t first_that_counts(const struct lineages *l, const struct history_ancestry *a)
{
	size_t first = 0;
	if (a->count < HISTORY_LINEAGES_MAX)
		return 0;
	while (first < l->count && history_find(a, l->marks[first].id) == a->count)
		first++;
	return first;
}

bool lineages_serve(struct lineages *lineages, const struct history_ancestry *ancestry)
{
	bool has_changed = false;
	for (size_t i = 0; i < ancestry->count; i++) {
		has_changed = has_changed || find(lineages, ancestry->lineages[i].id) == lineages->count;
		lineages_add(lineages, ancestry->lineages[i].id);
	}
	for (size_t i = first_that_counts(lineages, ancestry); i < lineages->count; i++) {
		bool is_abandoned = history_find(ancestry, lineages->marks[i].id) == ancestry->count;
		has_changed = has_changed || is_abandoned != lineages->marks[i].is_abandoned;
		lineages->marks[i].is_abandoned = is_abandoned;
	}
	return has_changed;
}

size_t lineages_print(const struct lineages *lineages, char out[LINEAGES_TEXT_MAX + 1])
{
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < lineages->count; i++)
		len += (size_t)snprintf(out + len, LINEAGES_TEXT_MAX + 1 - len, "%s %s\n", lineages->marks[i].id,
					lineages->marks[i].is_abandoned ? "abandoned" : "served");
	return len;
}

void lineages_parse(const char *text, struct lineages *out)
{
	*out = (struct lineages){.count = 0};
	while (*text != '\0') {
		char id[HISTORY_ID_SIZE] = "";
		const char *end = strchr(text, '\n');
		size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
		if (len > HISTORY_ID_LEN + 1 && text[HISTORY_ID_LEN] == ' ')
			memcpy(id, text, HISTORY_ID_LEN);
		bool is_abandoned = text[len > HISTORY_ID_LEN + 1 ? HISTORY_ID_LEN + 1 : 0] == 'a';
		if (history_is_id(id)) {
			lineages_add(out, id);
			out->marks[find(out, id)].is_abandoned = is_abandoned;
		}
		text += end != NULL ? len + 1 : len;
	}
}
