/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A HealthCheckResponse is read or refused. When it is read, it is read the same with unknown fields appended. The same
 * bytes without their NULs are used as the name of a service, whose request must be framed right.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probes/agent/grpc_health.h"
#include "tests/fuzz/fuzz.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_request(const uint8_t *data, size_t size)
{
	char service[GRPC_SERVICE_MAX + 1] = "";
	uint8_t request[GRPC_REQUEST_MAX];
	for (size_t i = 0, at = 0; i < size && at < GRPC_SERVICE_MAX; i++) {
		if (data[i] != 0)
			service[at++] = (char)data[i];
	}
	size_t len = grpc_health_write(service, request);
	size_t framed = (size_t)request[1] << 24 | (size_t)request[2] << 16 | (size_t)request[3] << 8 | request[4];
	check(len == 5 + framed && len >= 5 + strlen(service));
	check(memcmp(request + len - strlen(service), service, strlen(service)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t status = 99;
	check_request(data, size);
	check(grpc_health_text(status)[0] != '\0');
	enum veer_err err = grpc_health_parse(data, size, &status);
	check(err == VEER_OK || (err == VEER_EINVAL && status == 99));
	if (err != VEER_OK || size > 4096)
		return 0;
	/* Append an unknown field, 15: "x". */
	uint8_t longer[4096 + 3];
	uint64_t again = 99;
	uint32_t framed = (uint32_t)(size - 5 + 3);
	memcpy(longer, data, size);
	memcpy(longer + size, "\x7a\x01x", 3);
	for (int i = 0; i < 4; i++)
		longer[1 + i] = (uint8_t)(framed >> (24 - 8 * i));
	check(grpc_health_parse(longer, size + 3, &again) == VEER_OK && again == status);
	return 0;
}
