/* SPDX-License-Identifier: Apache-2.0 */
/* The one entry point of every fuzz target, which libFuzzer and replay.c call. */
#ifndef VEER_TESTS_FUZZ_H
#define VEER_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
