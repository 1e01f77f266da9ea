/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ICMP message is accepted as the reply to our echo only if it contains our token at the right place. The first byte
 * chooses family and kind of socket; bit 2: our own reply is put before the rest of the input.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probes/agent/icmp.h"
#include "tests/fuzz/fuzz.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

#define HEADER_BYTES 20

/* Make the reply that the other side would send to our request. */
static size_t make_reply(const struct icmp_echo *echo, uint8_t *out)
{
	size_t at = echo->is_raw && !echo->is_v6 ? HEADER_BYTES : 0;
	memset(out, 0, at);
	if (at > 0) {
		out[0] = 0x45;
		out[9] = 1;
	}
	icmp_echo_write(echo, out + at);
	out[at] = echo->is_v6 ? 129 : 0;
	return at + ICMP_ECHO_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct icmp_echo echo = {.id = 0x1234, .sequence = 7, .token = "0123456789abcde"};
	uint8_t reply[HEADER_BYTES + ICMP_ECHO_BYTES];
	if (size < 1)
		return 0;
	echo.is_v6 = (data[0] & 1) != 0;
	echo.is_raw = (data[0] & 2) != 0;
	size_t len = make_reply(&echo, reply);
	check(icmp_echo_is_reply(&echo, reply, len));
	for (size_t cut = 0; cut < len; cut++)
		check(!icmp_echo_is_reply(&echo, reply, cut));
	if (icmp_echo_is_reply(&echo, data + 1, size - 1))
		check(memmem(data + 1, size - 1, echo.token, ICMP_TOKEN_BYTES) != NULL);
	/* With one changed byte in the token, the sequence or the type the reply is not ours. */
	reply[len - 1 - data[0] % ICMP_TOKEN_BYTES] ^= 1;
	check(!icmp_echo_is_reply(&echo, reply, len));
	return 0;
}
