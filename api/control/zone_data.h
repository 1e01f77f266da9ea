/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones and RRsets as the store keeps them, for code that reads or changes them: finding a zone, the keys of its
 * RRsets, and its serial.
 *
 * Every write of an RRset raises the SOA's serial in the same commit and is conditional on the SOA's revision. So all
 * writes within one zone are ordered, and what a write has read of its zone is still true when it is committed.
 *
 * Threads: all functions may be called from any worker thread; they block on the store.
 */
#ifndef VEER_API_CONTROL_ZONE_DATA_H
#define VEER_API_CONTROL_ZONE_DATA_H

#include "api/control/control.h"
#include "zones/dns/rrset.h"

/* A zone at the revision at which it was read. */
struct zone_ref {
	uint8_t name[NAME_WIRE_MAX]; /* lower case */
	size_t name_len;
	char text[NAME_TEXT_SIZE]; /* absolute, as in keys */
	int64_t version;           /* of the RRsets that are visible */
	int64_t revision;          /* of the zone object; 0: the zone does not exist */
};

/* A zone's SOA as stored, decoded once, so that its serial can be read and set. */
struct zone_soa {
	int64_t revision; /* 0: this SOA is not stored */
	uint32_t serial;
	uint8_t *wire; /* the RRset, in the arena */
	size_t len;
	size_t serial_at; /* offset of the serial in `wire` */
};

/*
 * Read a zone's name with or without its final dot. Fills name and text only.
 * Errors: VEER_EINVAL, VEER_ERANGE with what is wrong in the diag.
 */
VEER_MUST_CHECK enum veer_err zone_name_parse(const char *text, struct zone_ref *out, struct veer_diag *diag);

/*
 * Find the zone of that name in the store. Errors: those of zone_name_parse(), VEER_ENOTFOUND (name and text are
 * filled), VEER_ECORRUPT, VEER_EIO, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err zone_find(struct control *control, const char *text, struct arena *arena,
					struct zone_ref *out);

/* Log that the object stored under `key` cannot be read, and is left out. */
void zone_note_unreadable(struct control *control, const char *key, const char *why);

/*
 * Write the key of an RRset of the zone's visible version into `out` of RRSET_KEY_SIZE bytes. `owner` is in lower case.
 */
void zone_rrset_key(const struct zone_ref *zone, const uint8_t *owner, uint16_t type, char *out);

/* The key of an RRset whose owner and type are written as people do. False: the zone cannot have such an RRset. */
bool zone_rrset_place(const struct zone_ref *zone, const char *owner, const char *type, struct rrset_key *out);

/*
 * Write the prefix of the keys of all its RRsets, "ZONE/VERSION/", into `out` of RRSET_KEY_SIZE bytes. Returns its
 * length.
 */
size_t zone_prefix(const struct zone_ref *zone, char *out);

/*
 * Read the visible SOA. Errors: VEER_ENOTFOUND, VEER_ECORRUPT (out->revision is set nevertheless), VEER_EIO,
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err zone_soa_get(struct control *control, const struct zone_ref *zone, struct arena *arena,
					   struct zone_soa *out);

/*
 * Decode the SOA in a stored object's text; fills everything except the revision. Errors: VEER_ECORRUPT, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err zone_soa_decode(const struct zone_ref *zone, const char *value, size_t len,
					      struct arena *arena, struct zone_soa *out);

/*
 * The stored object's text with another serial, which `soa` then has too. The caller frees it. NULL when memory is out.
 */
char *zone_soa_with_serial(struct zone_soa *soa, uint32_t serial);

/* The serial that follows `old`: `wanted` if that is greater by RFC 1982 3.2, otherwise one more than `old`. */
uint32_t zone_serial_next(uint32_t old, uint32_t wanted);

/* Count the RRsets in the visible version. Errors: VEER_EIO. */
VEER_MUST_CHECK enum veer_err zone_count(struct control *control, const struct zone_ref *zone, int64_t *count);

/* The offset of the serial in the SOA's RDATA, where it follows two names. 0 when the RDATA is too short. */
size_t zone_soa_serial_at(const uint8_t *rdata, size_t len);

#endif
