/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this build has a sanitizer. Its runtime needs rights that a daemon otherwise gives up. */
#ifndef VEER_BASE_SANITIZER_H
#define VEER_BASE_SANITIZER_H

#include <stdbool.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||               \
	__has_feature(thread_sanitizer)
static const bool SANITIZER_IS_ON = true;
#else
static const bool SANITIZER_IS_ON = false;
#endif

#endif
