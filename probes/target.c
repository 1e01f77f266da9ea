/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/target.h"

#include <string.h>

static const struct {
	const char *name;
	enum target_class class;
} names[] = {
	{"loopback", TARGET_LOOPBACK},
	{"private", TARGET_PRIVATE},
	{"link-local", TARGET_LINK_LOCAL},
	{"metadata", TARGET_METADATA},
};

enum veer_err target_allow_parse(const char *text, unsigned *out, struct veer_diag *diag)
{
	unsigned mask = 0;
	for (const char *word = text; *word != '\0';) {
		size_t len = strcspn(word, ",");
		unsigned found = 0;
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			if (strlen(names[i].name) == len && memcmp(names[i].name, word, len) == 0)
				found = (unsigned)names[i].class;
		}
		if (found == 0)
			return veer_fail(diag, VEER_EINVAL, "'%.*s' is none of loopback, private, link-local, metadata",
					 (int)(len < 40 ? len : 40), word);
		mask |= found;
		word += len;
		word += *word == ',';
	}
	*out = mask;
	return VEER_OK;
}

bool target_is_allowed(const struct veer_addr *addr, unsigned allowed)
{
	switch (veer_addr_classify(addr)) {
	case VEER_ADDR_GLOBAL:
	case VEER_ADDR_DOCUMENTATION: /* lead nowhere, harm nobody, and examples use them */
	case VEER_ADDR_BENCHMARK:
		return true;
	case VEER_ADDR_LOOPBACK:
		return (allowed & TARGET_LOOPBACK) != 0;
	case VEER_ADDR_PRIVATE:
	case VEER_ADDR_SHARED:
		return (allowed & TARGET_PRIVATE) != 0;
	case VEER_ADDR_LINK_LOCAL:
		return (allowed & TARGET_LINK_LOCAL) != 0;
	case VEER_ADDR_METADATA:
		return (allowed & TARGET_METADATA) != 0;
	case VEER_ADDR_UNSPECIFIED:
	case VEER_ADDR_MULTICAST:
	case VEER_ADDR_BROADCAST:
	case VEER_ADDR_TRANSLATED:
	case VEER_ADDR_TUNNEL:
	case VEER_ADDR_RESERVED:
	case VEER_ADDR_CLASS_COUNT:
		return false;
	}
	return false;
}
