/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/verdict/target.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_EVERY_MS = 5000 };

static const struct {
	const char *name;
	enum target_class class;
} names[] = {
	{"loopback", TARGET_LOOPBACK},
	{"private", TARGET_PRIVATE},
	{"link-local", TARGET_LINK_LOCAL},
	{"metadata", TARGET_METADATA},
};

static unsigned class_of(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i].name) == len && memcmp(names[i].name, word, len) == 0)
			return (unsigned)names[i].class;
	return 0;
}

/* Read words separated by commas; if `classes` is NULL, only prefixes are allowed. */
static enum veer_err parse(const char *text, unsigned *classes, struct target_prefixes *prefixes,
			   struct veer_diag *diag)
{
	while (text != NULL && *text != '\0') {
		char word[VEER_PREFIX_TEXT_SIZE];
		size_t len = strcspn(text, ",");
		unsigned class = classes != NULL ? class_of(text, len) : 0;
		(void)snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word), text);
		if (class == 0 && prefixes->count == TARGET_PREFIXES_MAX)
			return veer_fail(diag, VEER_ELIMIT, "'%s': at most %d prefixes", word, TARGET_PREFIXES_MAX);
		if (class == 0 &&
		    (len >= sizeof word || veer_prefix_parse(word, &prefixes->items[prefixes->count]) != VEER_OK))
			return veer_fail(diag, VEER_EINVAL, "'%.40s' is %s", word,
					 classes != NULL
						 ? "none of loopback, private, link-local, metadata, and no prefix"
						 : "no prefix");
		prefixes->count += class == 0;
		if (classes != NULL)
			*classes |= class;
		text += len;
		text += *text == ',';
	}
	return VEER_OK;
}

enum veer_err target_rules_parse(const char *allow, const char *deny, struct target_rules *out, struct veer_diag *diag)
{
	struct target_rules rules = {.classes = 0};
	enum veer_err err = parse(allow, &rules.classes, &rules.allowed, diag);
	if (err == VEER_OK)
		err = parse(deny, NULL, &rules.denied, diag);
	if (err == VEER_OK)
		*out = rules;
	return err;
}

/* Is the address in one of the prefixes? With `is_alone`, only a prefix that is exactly this address counts. */
static bool lies_in(const struct veer_addr *addr, const struct target_prefixes *prefixes, bool is_alone)
{
	for (uint32_t i = 0; i < prefixes->count; i++) {
		const struct veer_prefix *prefix = &prefixes->items[i];
		bool is_whole = prefix->bits == (addr->family == VEER_FAMILY_V4 ? 32 : 128);
		if (veer_prefix_contains(prefix, addr) && (is_whole || !is_alone))
			return true;
	}
	return false;
}

/*
 * Find which classes have to be allowed for addresses of this kind; 0: none. False: such addresses are never allowed.
 */
static bool find_needed(const struct veer_addr *addr, unsigned *needed)
{
	switch (veer_addr_classify(addr)) {
	case VEER_ADDR_GLOBAL:
	case VEER_ADDR_DOCUMENTATION: /* these addresses lead nowhere, and examples use them */
	case VEER_ADDR_BENCHMARK:
		*needed = 0;
		return true;
	case VEER_ADDR_LOOPBACK:
		*needed = TARGET_LOOPBACK;
		return true;
	case VEER_ADDR_PRIVATE:
	case VEER_ADDR_SHARED:
		*needed = TARGET_PRIVATE;
		return true;
	case VEER_ADDR_LINK_LOCAL:
		*needed = TARGET_LINK_LOCAL;
		return true;
	case VEER_ADDR_METADATA:
		*needed = TARGET_METADATA;
		return true;
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

bool target_is_allowed(const struct veer_addr *addr, const struct target_rules *rules, bool is_own)
{
	unsigned needed;
	if (!find_needed(addr, &needed) || lies_in(addr, &rules->denied, false))
		return false;
	/* a prefix within loopback is meant for this host; one that contains the agent's network is not */
	bool has_other_kind = needed != TARGET_LOOPBACK;
	if (is_own)
		needed = TARGET_LOOPBACK;
	return needed == 0 || (rules->classes & needed) != 0 ||
	       lies_in(addr, &rules->allowed, is_own && has_other_kind);
}

/* --- this host's addresses ------------------------------------------------------------------------------------- */

struct target_own {
	struct veer_prefix *items;
	size_t count;
	int64_t read_ms;
	bool is_read;
};

struct target_own *target_own_new(void)
{
	return calloc(1, sizeof(struct target_own));
}

void target_own_free(struct target_own **own)
{
	if (*own == NULL)
		return;
	free((*own)->items);
	free(*own);
	*own = NULL;
}

static unsigned bits_of(const struct sockaddr *netmask, uint8_t family)
{
	struct veer_addr mask;
	unsigned bits = 0;
	unsigned whole = family == VEER_FAMILY_V4 ? 32 : 128;
	if (netmask == NULL || !veer_addr_from_sockaddr(netmask, &mask))
		return whole;
	while (bits < whole && (mask.bytes[bits / 8] & (0x80 >> bits % 8)) != 0)
		bits++;
	return bits;
}

static bool read_one(const struct ifaddrs *at, struct veer_prefix *out)
{
	if (at->ifa_addr == NULL || !veer_addr_from_sockaddr(at->ifa_addr, &out->addr))
		return false;
	unsigned whole = out->addr.family == VEER_FAMILY_V4 ? 32 : 128;
	unsigned bits = (at->ifa_flags & IFF_LOOPBACK) != 0 ? bits_of(at->ifa_netmask, out->addr.family) : whole;
	out->bits = (uint8_t)bits;
	veer_addr_mask(&out->addr, bits);
	return true;
}

/* Read the interfaces' addresses; when that fails, the previous ones stay. */
static void read_own(struct target_own *own)
{
	struct ifaddrs *list = NULL;
	size_t count = 0;
	if (getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
		count++;
	struct veer_prefix *items = calloc(count + 1, sizeof *items);
	if (items != NULL) {
		free(own->items);
		own->items = items;
		own->count = 0;
		for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
			own->count += read_one(at, &items[own->count]);
	}
	freeifaddrs(list);
}

bool target_own_has(struct target_own *own, const struct veer_addr *addr, int64_t now_ms)
{
	if (!own->is_read || now_ms - own->read_ms >= READ_EVERY_MS) {
		read_own(own);
		own->is_read = true;
		own->read_ms = now_ms;
	}
	for (size_t i = 0; i < own->count; i++)
		if (veer_prefix_contains(&own->items[i], addr))
			return true;
	return false;
}
