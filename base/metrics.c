/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define VALUE_TEXT_SIZE 40

static bool is_name_char(char c, bool is_first, bool takes_colon)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (takes_colon && c == ':'))
		return true;
	return !is_first && c >= '0' && c <= '9';
}

static bool is_name(const char *name, bool takes_colon)
{
	for (const char *s = name; *s != '\0'; s++)
		if (!is_name_char(*s, s == name, takes_colon))
			return false;
	return name[0] != '\0';
}

/* Backslash, line feed and (in label values) the quote are escaped; bytes that are not UTF-8 become '?'. */
static void put_escaped(struct buf *out, const char *text, bool is_label)
{
	const char *s = text;
	while (*s != '\0') {
		size_t len = text_utf8_len(s);
		if (*s == '\\')
			buf_puts(out, "\\\\");
		else if (*s == '\n')
			buf_puts(out, "\\n");
		else if (*s == '"' && is_label)
			buf_puts(out, "\\\"");
		else if (len == 0)
			buf_putc(out, '?');
		else
			buf_append(out, s, len);
		s += len > 0 ? len : 1;
	}
}

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help)
{
	static const char *const types[] = {
		[METRICS_COUNTER] = "counter",
		[METRICS_GAUGE] = "gauge",
		[METRICS_HISTOGRAM] = "histogram",
	};
	if (!is_name(name, true)) {
		out->failed = true;
		return;
	}
	buf_printf(out, "# HELP %s ", name);
	put_escaped(out, help, false);
	buf_printf(out, "\n# TYPE %s %s\n", name, types[type]);
}

/* The labels in braces; `extra` (may be NULL) comes last. Nothing is written when there are no labels. */
static void put_labels(struct buf *out, const struct metrics_label *labels, const struct metrics_label *extra)
{
	const char *gap = "{";
	for (const struct metrics_label *label = labels; label != NULL && label->name != NULL; label++) {
		if (!is_name(label->name, false))
			out->failed = true;
		buf_printf(out, "%s%s=\"", gap, label->name);
		put_escaped(out, label->value != NULL ? label->value : "", true);
		buf_putc(out, '"');
		gap = ",";
	}
	if (extra != NULL) {
		buf_printf(out, "%s%s=\"%s\"", gap, extra->name, extra->value);
		gap = ",";
	}
	if (gap[0] == ',')
		buf_putc(out, '}');
}

static void put_line(struct buf *out, const char *name, const char *suffix, const struct metrics_label *labels,
		     const struct metrics_label *extra, const char *value)
{
	if (!is_name(name, true))
		out->failed = true;
	buf_printf(out, "%s%s", name, suffix);
	put_labels(out, labels, extra);
	buf_printf(out, " %s\n", value);
}

/* Print with the shorter of two precisions that reads back as the same number. */
static void print_double(double value, char text[VALUE_TEXT_SIZE])
{
	if (isnan(value)) {
		(void)snprintf(text, VALUE_TEXT_SIZE, "NaN");
	} else if (isinf(value)) {
		(void)snprintf(text, VALUE_TEXT_SIZE, "%s", value > 0 ? "+Inf" : "-Inf");
	} else {
		(void)snprintf(text, VALUE_TEXT_SIZE, "%.15g", value);
		double again = strtod(text, NULL);
		if (again < value || again > value)
			(void)snprintf(text, VALUE_TEXT_SIZE, "%.17g", value);
	}
}

void metrics_sample(struct buf *out, const char *name, const struct metrics_label *labels, double value)
{
	char text[VALUE_TEXT_SIZE];
	print_double(value, text);
	put_line(out, name, "", labels, NULL, text);
}

static void put_u64(struct buf *out, const char *name, const char *suffix, const struct metrics_label *labels,
		    const struct metrics_label *extra, uint64_t value)
{
	char text[VALUE_TEXT_SIZE];
	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	put_line(out, name, suffix, labels, extra, text);
}

void metrics_sample_u64(struct buf *out, const char *name, const struct metrics_label *labels, uint64_t value)
{
	put_u64(out, name, "", labels, NULL, value);
}

void metrics_sample_histogram(struct buf *out, const char *name, const struct metrics_label *labels,
			      const struct metrics_histogram *histogram)
{
	char text[VALUE_TEXT_SIZE];
	uint64_t total = 0;
	for (size_t i = 0; i <= histogram->bound_count; i++) {
		total += histogram->counts[i];
		print_double(i < histogram->bound_count ? histogram->bounds[i] : (double)INFINITY, text);
		const struct metrics_label le = METRICS_LABEL("le", text);
		put_u64(out, name, "_bucket", labels, &le, total);
	}
	print_double(histogram->sum, text);
	put_line(out, name, "_sum", labels, NULL, text);
	put_u64(out, name, "_count", labels, NULL, total);
}
