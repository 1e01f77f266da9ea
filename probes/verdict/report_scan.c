/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/verdict/report_scan.h"

#include <string.h>

/* The position in the text. After the first unexpected byte, is_good is false and nothing more is accepted. */
struct scan {
	const char *p;
	const char *end;
	bool is_good;
};

static bool take(struct scan *s, const char *text)
{
	size_t len = strlen(text);
	s->is_good = s->is_good && (size_t)(s->end - s->p) >= len && memcmp(s->p, text, len) == 0;
	if (s->is_good)
		s->p += len;
	return s->is_good;
}

/* Take a number as JSON writes it, without sign, fraction and exponent. */
static uint64_t take_number(struct scan *s, uint64_t most)
{
	const char *first = s->p;
	uint64_t value = 0;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9' && value <= most)
		value = value * 10 + (uint64_t)(*s->p++ - '0');
	s->is_good = s->is_good && s->p > first && value <= most && (*first != '0' || s->p == first + 1);
	return s->is_good ? value : 0;
}

static uint64_t take_boot(struct scan *s)
{
	uint64_t value = 0;
	for (int i = 0; i < REPORT_BOOT_DIGITS && s->is_good; i++) {
		char digit = s->p < s->end ? *s->p++ : '\0';
		bool is_decimal = digit >= '0' && digit <= '9';
		s->is_good = is_decimal || (digit >= 'a' && digit <= 'f');
		value = value << 4 | (uint64_t)(is_decimal ? digit - '0' : digit - 'a' + 10);
	}
	s->is_good = s->is_good && value != 0;
	return value;
}

static enum observation_state take_state(struct scan *s)
{
	char letter = s->p < s->end ? *s->p++ : '\0';
	switch (letter) {
	case 'u':
		return OBSERVATION_UP;
	case 'f':
		return OBSERVATION_FAILING;
	case 'd':
		return OBSERVATION_DOWN;
	default:
		s->is_good = s->is_good && letter == '?';
		return OBSERVATION_UNKNOWN;
	}
}

/* Take a reason with the quote after it. Successive items often have the same reason, so `likely` is tried first. */
static enum probe_reason take_reason(struct scan *s, enum probe_reason likely)
{
	size_t left = (size_t)(s->end - s->p);
	for (int i = -1; i < PROBE_REASON_COUNT && s->is_good; i++) {
		enum probe_reason reason = i < 0 ? likely : (enum probe_reason)i;
		const char *name = probe_reason_text(reason);
		size_t len = strlen(name);
		if (left > len && s->p[0] == name[0] && memcmp(s->p, name, len) == 0 && s->p[len] == '"') {
			s->p += len + 1;
			return reason;
		}
	}
	s->is_good = false;
	return PROBE_REASON_NONE;
}

static void take_item(struct scan *s, enum probe_reason likely, struct observation *item)
{
	(void)take(s, "[\"");
	item->state = take_state(s);
	(void)take(s, "\",\"");
	item->reason = take_reason(s, likely);
	(void)take(s, ",");
	item->age_ms = (uint32_t)take_number(s, REPORT_AGE_MS_MAX);
	(void)take(s, ",");
	item->rtt_us = (uint32_t)take_number(s, REPORT_RTT_US_MAX);
	(void)take(s, "]");
}

/* Each item begins with a bracket, so there are at most this many. */
static uint32_t count_items(const struct scan *s)
{
	uint32_t count = 0;
	for (const char *p = s->p; p < s->end && count <= REPORT_ITEMS_MAX; p++, count++) {
		p = memchr(p, '[', (size_t)(s->end - p));
		if (p == NULL)
			break;
	}
	return count;
}

static void take_items(struct scan *s, struct arena *arena, struct report *report)
{
	enum probe_reason likely = PROBE_REASON_OK;
	uint32_t count = count_items(s);
	struct observation *items =
		count <= REPORT_ITEMS_MAX ? arena_calloc(arena, (size_t)count + 1, sizeof *items) : NULL;
	s->is_good = s->is_good && items != NULL;
	for (uint32_t i = 0; i < count && s->is_good; i++) {
		if (i > 0)
			(void)take(s, ",");
		take_item(s, likely, &items[i]);
		likely = items[i].reason;
	}
	report->items = items;
	report->item_count = count;
}

bool report_scan(const char *text, size_t len, struct arena *arena, struct report *out)
{
	struct scan s = {.p = text, .end = text + len, .is_good = len <= REPORT_BYTES_MAX};
	struct report report = {0};
	(void)take(&s, "{\"format\":1,\"assignment_revision\":");
	report.assignment_revision = (int64_t)take_number(&s, REPORT_SAFE_INTEGER_MAX);
	(void)take(&s, ",\"boot\":\"");
	report.boot = take_boot(&s);
	(void)take(&s, "\",\"seq\":");
	report.seq = take_number(&s, REPORT_SAFE_INTEGER_MAX);
	(void)take(&s, ",\"blind\":");
	report.is_blind = s.is_good && s.p < s.end && *s.p == 't';
	(void)take(&s, report.is_blind ? "true" : "false");
	if (!take(&s, ",\"items\":[") || report.seq == 0)
		return false;
	take_items(&s, arena, &report);
	(void)take(&s, "]");
	while (s.p < s.end && *s.p == ' ')
		s.p++;
	if (!take(&s, "}") || s.p != s.end)
		return false;
	*out = report;
	return true;
}
