/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones and RRsets as the store keeps them, for the handlers of zones.c, rrsets.c and zone_transfer.c: finding a zone,
 * the keys of its RRsets, and its serial.
 *
 * Every write of an RRset raises the SOA's serial in the same commit and is conditional on the SOA's revision: so all
 * writes within one zone are in one order, and what a write has read of its zone still holds when it is committed.
 *
 * Threads: all functions may be called from any worker thread; they block on the store.
 */
#ifndef VEER_API_ZONE_DATA_H
#define VEER_API_ZONE_DATA_H

#include "api/api.h"
#include "zones/dns/rrset.h"

/* A zone at the revision at which it was read. */
struct zone_ref {
	uint8_t name[NAME_WIRE_MAX]; /* lower case */
	size_t name_len;
	char text[NAME_TEXT_SIZE]; /* absolute, as in keys */
	int64_t version;           /* the RRsets' that are visible */
	int64_t revision;          /* of the zone object; 0: the zone is not there */
};

/* A zone's SOA as stored. */
struct zone_soa {
	const char *value; /* the stored object, in the arena */
	size_t value_len;
	int64_t revision;
	uint32_t serial;
};

/*
 * Read a zone's name with or without its final dot. Fills name and text only.
 * Errors: VEER_EINVAL, VEER_ERANGE with what is wrong in the diag.
 */
enum veer_err zone_name_parse(const char *text, struct zone_ref *out, struct veer_diag *diag);

/* The zone of that name as the store has it. Errors: those of zone_name_parse(), VEER_ENOTFOUND (name and text are
 * filled), VEER_ECORRUPT, VEER_EIO, VEER_ENOMEM. */
enum veer_err zone_find(struct api *api, const char *text, struct arena *arena, struct zone_ref *out);

/* Same for handlers: false when the reply is a problem already. */
bool zone_need(struct api *api, struct api_request *request, struct api_reply *reply, struct zone_ref *out);

/* Log that what is stored under `key` cannot be read, and is left out. */
void zone_note_unreadable(struct api *api, const char *key, const char *why);

/* The key of an RRset of the zone's visible version, into `out` of RRSET_KEY_SIZE bytes. `owner` is in lower case. */
void zone_rrset_key(const struct zone_ref *zone, const uint8_t *owner, uint16_t type, char *out);

/* The prefix of all its RRsets' keys, "ZONE/VERSION/", into `out` of RRSET_KEY_SIZE bytes. Returns its length. */
size_t zone_prefix(const struct zone_ref *zone, char *out);

/* The visible SOA. Errors: VEER_ENOTFOUND, VEER_ECORRUPT, VEER_EIO, VEER_ENOMEM. */
enum veer_err zone_soa_get(struct api *api, const struct zone_ref *zone, struct arena *arena, struct zone_soa *out);

/* The serial of a stored SOA. Errors: VEER_ECORRUPT, VEER_ENOMEM. */
enum veer_err zone_soa_serial(const struct zone_ref *zone, const char *value, size_t len, uint32_t *serial);

/* The stored SOA with another serial. Ownership: `*out` is the caller's (free). Errors: VEER_ECORRUPT, VEER_ENOMEM. */
enum veer_err zone_soa_set(const struct zone_ref *zone, const char *value, size_t len, uint32_t serial, char **out);

/* The serial that follows `old`: `wanted` where that is greater by RFC 1982 3.2, otherwise one more than `old`. */
uint32_t zone_serial_next(uint32_t old, uint32_t wanted);

/* RRsets in the visible version, by counting them. Errors: VEER_EIO. */
enum veer_err zone_count(struct api *api, const struct zone_ref *zone, int64_t *count);

/* The place in the SOA's RDATA of its serial: behind two names. 0 when the RDATA is too short. */
size_t zone_soa_serial_at(const uint8_t *rdata, size_t len);

#endif
