/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is a zone, or gives an error that names its line. A zone can be written and read again with the same RRsets,
 * each of which is canonical.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "zones/dns/zonefile.h"

#define TEXT_MAX ((size_t)64 << 20)

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Collect the wire forms of all RRsets, one after the other. */
static enum veer_err collect(void *ctx, const struct rrset_view *rrset)
{
	struct rrset_view again;
	check(rrset_check(rrset->wire, rrset->len, &again, NULL) == VEER_OK && again.count == rrset->count);
	buf_append(ctx, rrset->wire, rrset->len);
	return VEER_OK;
}

static enum veer_err print(void *ctx, const struct rrset_view *rrset)
{
	return zonefile_print(rrset, ctx);
}

static void write_and_read(const struct zonefile *zf, const uint8_t *origin)
{
	struct buf text, wire, wire_again;
	struct veer_diag diag = {.text = ""};
	struct zonefile *again = NULL;
	buf_init(&text, TEXT_MAX);
	buf_init(&wire, TEXT_MAX);
	buf_init(&wire_again, TEXT_MAX);
	if (zonefile_each(zf, collect, &wire, &diag) == VEER_OK && zonefile_each(zf, print, &text, &diag) == VEER_OK) {
		check(!text.failed && !wire.failed);
		check(zonefile_read_text(text.data, text.len, "again", origin, &again, &diag) == VEER_OK);
		check(zonefile_each(again, collect, &wire_again, &diag) == VEER_OK);
		check(wire.len == wire_again.len && memcmp(wire.data, wire_again.data, wire.len) == 0);
	}
	zonefile_free(&again);
	buf_deinit(&text);
	buf_deinit(&wire);
	buf_deinit(&wire_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t origin[] = "\7example";
	struct zonefile *zf = NULL;
	struct veer_diag diag = {.text = ""};
	enum veer_err err = zonefile_read_text((const char *)data, size, "zone", origin, &zf, &diag);
	check((err == VEER_OK) == (zf != NULL));
	if (err != VEER_OK)
		check(strncmp(diag.text, "zone:", 5) == 0);
	else
		write_and_read(zf, origin);
	zonefile_free(&zf);
	return 0;
}
