/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/verdict/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "probes/verdict/report_scan.h"

#define ITEM_FIELDS 4
#define NODES_MAX ((ITEM_FIELDS + 1) * REPORT_ITEMS_MAX + 64) /* an array for each item, and the values around them */

static const char *const reasons[PROBE_REASON_COUNT] = {
	[PROBE_REASON_NONE] = "none",
	[PROBE_REASON_OK] = "ok",
	[PROBE_REASON_DNS_FAILED] = "dns_failed",
	[PROBE_REASON_CONNECT_REFUSED] = "connect_refused",
	[PROBE_REASON_CONNECT_TIMEOUT] = "connect_timeout",
	[PROBE_REASON_CONNECT_FAILED] = "connect_failed",
	[PROBE_REASON_TLS_FAILED] = "tls_failed",
	[PROBE_REASON_TLS_EXPIRED] = "tls_expired",
	[PROBE_REASON_TLS_NAME] = "tls_name",
	[PROBE_REASON_TLS_UNTRUSTED] = "tls_untrusted",
	[PROBE_REASON_HTTP_STATUS] = "http_status",
	[PROBE_REASON_HTTP_PROTOCOL] = "http_protocol",
	[PROBE_REASON_TIMEOUT] = "timeout",
	[PROBE_REASON_RESET] = "reset",
	[PROBE_REASON_BODY] = "body",
	[PROBE_REASON_REFUSED_TARGET] = "refused_target",
	[PROBE_REASON_INTERNAL] = "internal",
	[PROBE_REASON_SLOW] = "slow",
	[PROBE_REASON_INVERTED] = "inverted",
	[PROBE_REASON_TLS_EXPIRES_SOON] = "tls_expires_soon",
	[PROBE_REASON_HTTP_REDIRECT] = "http_redirect",
	[PROBE_REASON_REPLY] = "reply",
	[PROBE_REASON_DNS_PROTOCOL] = "dns_protocol",
	[PROBE_REASON_DNS_RCODE] = "dns_rcode",
	[PROBE_REASON_DNS_ANSWER] = "dns_answer",
	[PROBE_REASON_GRPC_STATUS] = "grpc_status",
	[PROBE_REASON_EXEC_FAILED] = "exec_failed",
	[PROBE_REASON_EXEC_REFUSED] = "exec_refused",
	[PROBE_REASON_EXEC_LOST] = "exec_lost",
	[PROBE_REASON_PUSHED] = "pushed",
	[PROBE_REASON_EXPIRED] = "expired",
};

static const char *const states[] = {
	[OBSERVATION_UNKNOWN] = "?",
	[OBSERVATION_UP] = "u",
	[OBSERVATION_FAILING] = "f",
	[OBSERVATION_DOWN] = "d",
};
#define STATE_COUNT ((int)(sizeof states / sizeof states[0]))

const char *probe_reason_text(enum probe_reason reason)
{
	return (unsigned)reason < PROBE_REASON_COUNT ? reasons[reason] : reasons[PROBE_REASON_INTERNAL];
}

bool probe_reason_is_refusal(enum probe_reason reason)
{
	return reason == PROBE_REASON_REFUSED_TARGET || reason == PROBE_REASON_EXEC_REFUSED ||
	       reason == PROBE_REASON_EXEC_LOST;
}

bool probe_reason_from_text(const char *text, enum probe_reason *out)
{
	for (int i = 0; i < PROBE_REASON_COUNT; i++) {
		if (strcmp(text, reasons[i]) == 0) {
			*out = (enum probe_reason)i;
			return true;
		}
	}
	return false;
}

const char *observation_state_text(enum observation_state state)
{
	return (unsigned)state < STATE_COUNT ? states[state] : states[OBSERVATION_UNKNOWN];
}

/* --- writing --------------------------------------------------------------------------------------------------- */

static uint32_t at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

static char *put_text(char *at, const char *text)
{
	size_t len = strlen(text);
	memcpy(at, text, len);
	return at + len;
}

static char *put_number(char *at, uint32_t value)
{
	char digits[10]; /* enough for UINT32_MAX */
	size_t count = 0;
	do
		digits[count++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

/* Written without printf, which took a fifth of the whole agent's CPU with 10,000 items a second. */
static void put_item(struct buf *buf, const struct observation *item, bool is_first)
{
	char text[96]; /* two names of ours, of at most 16 bytes, and two numbers of at most 10 digits */
	char *at = put_text(text, is_first ? "[\"" : ",[\"");
	at = put_text(at, observation_state_text(item->state));
	at = put_text(at, "\",\"");
	at = put_text(at, probe_reason_text(item->reason));
	at = put_text(at, "\",");
	at = put_number(at, at_most(item->age_ms, REPORT_AGE_MS_MAX));
	*at++ = ',';
	at = put_number(at, at_most(item->rtt_us, REPORT_RTT_US_MAX));
	*at++ = ']';
	buf_append(buf, text, (size_t)(at - text));
}

enum veer_err report_write(const struct report *report, char **out, size_t *len)
{
	struct buf buf;
	if (report->item_count > REPORT_ITEMS_MAX)
		return VEER_ERANGE;
	buf_init(&buf, REPORT_BYTES_MAX);
	buf_printf(&buf,
		   "{\"format\":%d,\"assignment_revision\":%" PRId64 ",\"boot\":\"%016" PRIx64 "\",\"seq\":%" PRIu64
		   ",\"blind\":%s,\"items\":[",
		   REPORT_FORMAT, report->assignment_revision, report->boot, report->seq,
		   report->is_blind ? "true" : "false");
	size_t head = buf.len;
	for (uint32_t i = 0; i < report->item_count; i++)
		put_item(&buf, &report->items[i], i == 0);
	buf_puts(&buf, "]");
	size_t items = buf.len - head;
	size_t whole = (size_t)report->item_count * REPORT_ITEM_BYTES + 1;
	buf_printf(&buf, "%*s}", items < whole ? (int)(whole - items) : 0, "");
	char *text = buf_take(&buf, len);
	buf_deinit(&buf);
	if (text == NULL)
		return VEER_ENOMEM;
	*out = text;
	return VEER_OK;
}

/* --- reading --------------------------------------------------------------------------------------------------- */

static bool read_state(const json_t *value, enum observation_state *out)
{
	const char *text = json_string_value(value);
	for (int i = 0; text != NULL && i < STATE_COUNT; i++) {
		if (strcmp(text, states[i]) == 0) {
			*out = (enum observation_state)i;
			return true;
		}
	}
	return false;
}

static bool read_u32(const json_t *value, uint32_t most, uint32_t *out)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > (json_int_t)most)
		return false;
	*out = (uint32_t)json_integer_value(value);
	return true;
}

static bool read_item(const json_t *value, struct observation *out)
{
	if (!json_is_array(value) || json_array_size(value) != ITEM_FIELDS)
		return false;
	const char *reason = json_string_value(json_array_get(value, 1));
	return read_state(json_array_get(value, 0), &out->state) && reason != NULL &&
	       probe_reason_from_text(reason, &out->reason) &&
	       read_u32(json_array_get(value, 2), REPORT_AGE_MS_MAX, &out->age_ms) &&
	       read_u32(json_array_get(value, 3), REPORT_RTT_US_MAX, &out->rtt_us);
}

static uint64_t read_boot(struct json_cursor *c)
{
	const char *text = veer_json_str(c, "boot", REPORT_BOOT_DIGITS);
	uint64_t boot = 0;
	if (c->err != VEER_OK)
		return 0;
	if (strlen(text) != REPORT_BOOT_DIGITS || strspn(text, "0123456789abcdef") != REPORT_BOOT_DIGITS) {
		veer_json_fail(c, "boot", VEER_EINVAL, "must be %d hex digits in lower case", REPORT_BOOT_DIGITS);
		return 0;
	}
	for (const char *p = text; *p != '\0'; p++)
		boot = boot << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	if (boot == 0)
		veer_json_fail(c, "boot", VEER_EINVAL, "must not be zero");
	return boot;
}

static void read_items(struct json_cursor *c, struct arena *arena, struct report *out)
{
	const json_t *array = veer_json_array(c, "items", REPORT_ITEMS_MAX, true);
	if (array == NULL)
		return;
	out->item_count = (uint32_t)json_array_size(array);
	struct observation *items = arena_calloc(arena, (size_t)out->item_count + 1, sizeof *items);
	if (items == NULL) {
		veer_json_fail(c, "items", VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
		return;
	}
	for (uint32_t i = 0; i < out->item_count; i++) {
		if (!read_item(json_array_get(array, i), &items[i])) {
			veer_json_fail(c, "items", VEER_EINVAL,
				       "element %u is not [state, reason, age_ms, rtt_us] within the limits", i);
			return;
		}
	}
	out->items = items;
}

enum veer_err report_parse_json(const char *text, size_t len, struct arena *arena, struct report *out,
				struct veer_diag *diag)
{
	json_t *root = NULL;
	struct report report = {0};
	struct json_cursor c;
	enum veer_err err = veer_json_parse_nodes(text, len, REPORT_BYTES_MAX, NODES_MAX, &root, diag);
	if (err != VEER_OK)
		return err;
	veer_json_begin(&c, root, "", diag);
	if (veer_json_int(&c, "format", 1, INT32_MAX) != REPORT_FORMAT)
		veer_json_fail(&c, "format", VEER_EUNSUPPORTED, "only format %d is known", REPORT_FORMAT);
	report.assignment_revision = veer_json_int(&c, "assignment_revision", 0, REPORT_SAFE_INTEGER_MAX);
	report.boot = read_boot(&c);
	report.seq = (uint64_t)veer_json_int(&c, "seq", 1, REPORT_SAFE_INTEGER_MAX);
	report.is_blind = veer_json_bool_or(&c, "blind", false);
	if (!veer_json_has(&c, "blind"))
		veer_json_fail(&c, "blind", VEER_EINVAL, "is missing");
	read_items(&c, arena, &report);
	err = veer_json_end(&c);
	json_decref(root);
	if (err == VEER_OK)
		*out = report;
	return err;
}

enum veer_err report_parse(const char *text, size_t len, struct arena *arena, struct report *out,
			   struct veer_diag *diag)
{
	return report_scan(text, len, arena, out) ? VEER_OK : report_parse_json(text, len, arena, out, diag);
}
