/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows how zones/ reads the texts of records. It reads lines "OWNER TYPE RDATA" from standard input, each as the only
 * record of a zone besides SOA and NS, and writes for each the hex digits of its RDATA, or "! " and the reason for the
 * refusal. It also prints the RDATA as text and reads that again; when the result differs, it writes "? " and the text.
 * Used by tests/functional/text_differential.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "zones/dns/zonefile.h"

#define HEAD "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\n"
#define LINE_BYTES_MAX 400000

static const uint8_t origin[] = "\1z\7example";

/* The RDATA of the first record below the apex. */
struct found {
	uint8_t *rdata;
	size_t len;
	struct buf text;
	bool is_found;
};

static enum veer_err keep(void *ctx, const struct rrset_view *rrset)
{
	struct found *f = ctx;
	struct rdata_span rdata;
	size_t pos = 0;
	if (name_equal(rrset->owner, origin) || f->is_found || !rrset_next(rrset, &pos, &rdata))
		return VEER_OK;
	memcpy(f->rdata, rdata.data, rdata.len);
	f->len = rdata.len;
	f->is_found = true;
	return zonefile_print(rrset, &f->text);
}

static enum veer_err read_record(const char *line, struct found *out, struct veer_diag *diag)
{
	struct buf text;
	struct zonefile *zf = NULL;
	buf_init(&text, LINE_BYTES_MAX + 1000);
	buf_printf(&text, HEAD "%s\n", line);
	enum veer_err err = zonefile_read_text(text.data, text.len, "zone", origin, &zf, diag);
	out->is_found = false;
	buf_init(&out->text, (size_t)1 << 20);
	if (err == VEER_OK)
		err = zonefile_each(zf, keep, out, diag);
	zonefile_free(&zf);
	buf_deinit(&text);
	return err;
}

static void judge(const char *line, struct found *first, struct found *again, char *hex)
{
	struct veer_diag diag = {.text = ""};
	enum veer_err err = read_record(line, first, &diag);
	if (err != VEER_OK || !first->is_found) {
		(void)printf("! %s\n", err != VEER_OK ? diag.text : "no record");
		buf_deinit(&first->text);
		return;
	}
	err = read_record(first->text.data, again, &diag);
	if (err != VEER_OK || !again->is_found || again->len != first->len ||
	    memcmp(again->rdata, first->rdata, first->len) != 0) {
		(void)printf("? %s", first->text.data);
	} else {
		crypto_hex_encode(first->rdata, first->len, hex);
		(void)printf("%s\n", hex);
	}
	buf_deinit(&first->text);
	buf_deinit(&again->text);
}

int main(void)
{
	struct found first = {.rdata = malloc(65536)}, again = {.rdata = malloc(65536)};
	char *hex = malloc(2 * 65536 + 1), *line = malloc(LINE_BYTES_MAX);
	if (first.rdata == NULL || again.rdata == NULL || hex == NULL || line == NULL)
		return 1;
	while (fgets(line, LINE_BYTES_MAX, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		judge(line, &first, &again, hex);
	}
	free(line);
	free(hex);
	free(first.rdata);
	free(again.rdata);
	return 0;
}
