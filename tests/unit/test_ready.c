/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/plan/ready.h"

#define RECORD_HEAD 12 /* octets of a record in a ready RRset before its RDATA */
#define LAST_SEEN 750  /* after this many octets of names the builder remembers only short ones */

static const uint8_t owner[] = "\1o\7example";
static const uint8_t apex[] = "\7example";

/* Add an MX with a name of `len` octets in labels of one letter and one longer one. */
static void add_mx(struct ready_builder *b, unsigned preference, unsigned letter, size_t len)
{
	uint8_t rdata[2 + NAME_WIRE_MAX] = {(uint8_t)(preference >> 8), (uint8_t)preference};
	size_t at = 2;
	while (len - 1 > 0) {
		size_t label = len - 2 > 63 ? 61 : len - 2;
		rdata[at++] = (uint8_t)label;
		memset(rdata + at, (int)letter, label);
		at += label;
		len -= label + 1;
	}
	ready_add(b, rdata, at + 1);
}

/*
 * Two pointer values have other meanings in ready RRsets (READY_TO_APEX, READY_TO_OWNER). A name at an offset that
 * would give one of these values must not be pointed to.
 */
static void a_name_at_the_last_offsets_of_pointers_is_not_taken_for_the_owner(void **state)
{
	(void)state;
	struct ready_builder *b = ready_builder_new();
	assert_non_null(b);
	for (unsigned wanted = READY_POINTER_MAX - 3; wanted <= READY_POINTER_MAX + 1; wanted++) {
		struct ready_rrset *rr = NULL;
		static uint8_t out[RRSET_WIRE_MAX];
		unsigned n = 0, at = 0;
		ready_begin(b, RRTYPE_MX, 1, owner, apex);
		for (; n < 3; n++, at += RECORD_HEAD + 2 + LAST_SEEN / 3) /* nearly all that the builder can remember */
			add_mx(b, n, 'a' + n, LAST_SEEN / 3);
		for (; wanted - at >= 600; n++, at += RECORD_HEAD + 2 + 240)
			add_mx(b, n, 'd' + n % 20, 240);
		size_t rest = wanted - at - 2 * (RECORD_HEAD + 2) - (RECORD_HEAD + 2);
		add_mx(b, n++, 'y', rest / 2);
		add_mx(b, n++, 'z', rest - rest / 2);
		add_mx(b, n++, '1', 5); /* its name begins at `wanted` */
		add_mx(b, n++, '1', 5);
		assert_int_equal(ready_finish(b, &rr), VEER_OK);
		assert_memory_equal(rr->data + wanted,
				    "\3"
				    "111",
				    5);
		assert_int_equal(ready_target(rr, n - 1, owner, apex, out), 5);
		assert_memory_equal(out,
				    "\3"
				    "111",
				    5);
		free(rr);
	}
	ready_builder_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_at_the_last_offsets_of_pointers_is_not_taken_for_the_owner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
