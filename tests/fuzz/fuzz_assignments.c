/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line that is accepted is within all limits. A list of assignments that is written and read again gives the same
 * text.
 */
#include <stdlib.h>
#include <string.h>

#include "probes/verdict/assign.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_BYTES ((size_t)64 << 20)

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_check(const struct model_check *c)
{
	check(model_is_name(c->name) && (c->port >= 1 || c->kind == MODEL_CHECK_ICMP || c->kind == MODEL_CHECK_EXEC) &&
	      c->interval_ms >= 100 && c->timeout_ms >= 10);
	check(c->fall >= 1 && c->fall <= 20 && c->rise >= 1 && c->rise <= 20 && c->quorum <= MODEL_AGENTS_MAX);
	check(c->exchange.send.len <= MODEL_EXCHANGE_MAX && c->exchange.expect.len <= MODEL_EXCHANGE_MAX);
	check(c->http.body.len <= MODEL_BODY_MAX && c->dns.answer_count <= MODEL_ANSWERS_MAX);
	check(c->kind != MODEL_CHECK_EXEC || (c->exec.argc >= 1 && c->exec.argv[0][0] == '/'));
	if (c->kind != MODEL_CHECK_HTTP && c->kind != MODEL_CHECK_HTTPS)
		return;
	check(c->http.path[0] == '/' && c->http.expect_status_count >= 1);
	check(strpbrk(c->http.path, "\r\n") == NULL && (c->http.host == NULL || strpbrk(c->http.host, "\r\n") == NULL));
	for (const char *const *header = c->http.headers; *header != NULL; header++)
		check(strstr(*header, ": ") != NULL && strpbrk(*header, "\r\n") == NULL);
}

/* Can every item be carried out? */
static bool check_list(const struct assignments *list)
{
	bool is_whole = true;
	check(list->revision >= 0 && list->report_ms > 0 && list->item_count <= REPORT_ITEMS_MAX);
	for (uint32_t i = 0; i < list->check_count; i++)
		check_check(&list->checks[i]);
	for (uint32_t i = 0; i < list->item_count; i++) {
		check(strlen(list->items[i].endpoint) <= MODEL_ENDPOINT_KEY_MAX && list->items[i].address != NULL);
		check(list->items[i].check < list->check_count || list->items[i].check == ASSIGN_CHECK_UNSUPPORTED);
		is_whole = is_whole && list->items[i].check != ASSIGN_CHECK_UNSUPPORTED;
	}
	return is_whole;
}

static void read_back(const struct assignments *list, struct arena *arena)
{
	struct assign_message again;
	char *once = NULL;
	char *twice = NULL;
	size_t len = 0;
	check(assignments_write(list, &once, &len) == VEER_OK && strchr(once, '\n') == once + len - 1);
	check(assign_line_parse(once, len, arena, &again, NULL) == VEER_OK);
	check(again.list.item_count == list->item_count && again.list.check_count == list->check_count);
	check(assignments_write(&again.list, &twice, &len) == VEER_OK && strcmp(once, twice) == 0);
	free(once);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct veer_diag diag = {.text = ""};
	struct assign_message message;
	struct arena *arena = arena_new(ARENA_BYTES);
	check(arena != NULL);
	enum veer_err err = assign_line_parse((const char *)data, size, arena, &message, &diag);
	check((err == VEER_OK) == (diag.text[0] == '\0'));
	if (err == VEER_OK && message.kind == ASSIGN_LINE_ASSIGNMENTS && check_list(&message.list))
		read_back(&message.list, arena);
	if (err == VEER_OK && message.kind == ASSIGN_LINE_CONFIRM)
		check(strlen(message.check) <= MODEL_NAME_MAX && strlen(message.endpoint) <= MODEL_ENDPOINT_KEY_MAX);
	arena_free(&arena);
	return 0;
}
