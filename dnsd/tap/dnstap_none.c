/* SPDX-License-Identifier: Apache-2.0 */
/* dnstap in a build without libfstrm. See dnstap.h. */
#include "dnsd/tap/dnstap.h"

enum veer_err dnstap_open(const char *where, const char *identity, struct dnstap **out, struct veer_diag *diag)
{
	(void)identity;
	(void)out;
	return veer_fail(diag, VEER_EUNSUPPORTED, "--dnstap %s: this veer-dnsd was built without libfstrm", where);
}

void dnstap_free(struct dnstap **dnstap)
{
	*dnstap = NULL;
}

void dnstap_add(struct dnstap *dnstap, const struct tap_record *record, const uint8_t *query, const uint8_t *reply)
{
	(void)dnstap;
	(void)record;
	(void)query;
	(void)reply;
}

void dnstap_stats(const struct dnstap *dnstap, uint64_t *written, uint64_t *lost)
{
	(void)dnstap;
	*written = 0;
	*lost = 0;
}
