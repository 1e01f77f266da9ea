/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's end of the tap. See tap_port.h. */
#include "dnsd/packet/tap_port.h"

/* xorshift: the choice of sampled queries need not be secret; it must only not follow a pattern in the queries. */
static uint32_t next_random(struct tap_port *port)
{
	uint64_t x = port->random;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	port->random = x;
	return (uint32_t)(x >> 32);
}

/*
 * Is this query sampled? After a sampled one, `every` - 1 queries are skipped on average: the number is uniform from 0
 * to 2 * `every` - 2.
 */
static bool is_sampled(struct tap_port *port, enum tap_output output)
{
	uint32_t every = port->every[output];
	if (every == 0 || port->left[output]-- > 0)
		return false;
	/* 31 random bits, because the other factor may have 33 bits */
	port->left[output] = (uint64_t)(next_random(port) >> 1) * (2 * (uint64_t)every - 1) >> 31;
	return true;
}

void tap_offer(struct tap_port *port, const struct tap_query *query)
{
	unsigned outputs = 0;
	for (unsigned i = 0; i < TAP_OUTPUTS; i++)
		outputs |= is_sampled(port, (enum tap_output)i) ? 1U << i : 0;
	if (outputs == 0)
		return;
	const struct tap_record record = {.time_ns = query->time_ns,
					  .client = *query->client,
					  .is_tcp = query->is_tcp,
					  .outputs = (uint8_t)outputs,
					  .rcode = (uint16_t)query->rcode,
					  .query_len = (uint32_t)query->query_len,
					  .reply_len = (uint32_t)query->reply_len};
	(void)tap_ring_put(port->ring, &record, query->query, query->reply); /* a query that does not fit is counted
									      * as lost there */
}
