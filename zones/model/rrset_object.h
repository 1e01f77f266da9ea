/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RRsets between the API's JSON and the stored object (docs/formats.md, section 1, "rrset").
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_MODEL_RRSET_OBJECT_H
#define VEER_ZONES_MODEL_RRSET_OBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "zones/dns/rrset.h"

/*
 * Read an RRset as the API takes it, {"name", "type", "ttl", "records"} or {"name", "type", "policy"}, for the zone
 * `zone`; `key` gets its owner, type and zone, and `version` as given. `*object` becomes what the store keeps, and is
 * the caller's (json_decref). Errors: VEER_EINVAL, VEER_ERANGE with the JSON pointer in the diag; VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rrset_from_api(const json_t *api, const uint8_t *zone, uint64_t version,
					     struct rrset_key *key, json_t **object, struct veer_diag *diag);

/*
 * An RRset as the API shows it, from its key and stored object. `*api` is the caller's (json_decref).
 * Errors: VEER_EINVAL, VEER_ECORRUPT (the object is not what the store keeps), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rrset_to_api(const struct rrset_key *key, const json_t *object, json_t **api,
					   struct veer_diag *diag);

/* A stored object {"wire": BASE64} from wire bytes; NULL when memory is out. The caller's (json_decref). */
json_t *rrset_object_from_wire(const uint8_t *wire, size_t len);

/*
 * Read a stored object: the result is either `*policy` (borrowed from the object) or `*wire` (the caller's, free); the
 * other is NULL. The wire form is checked and must be of `key`'s owner and type. Errors: VEER_EINVAL, VEER_ERANGE,
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rrset_object_read(const struct rrset_key *key, const json_t *object, const char **policy,
						uint8_t **wire, struct rrset_view *view, struct veer_diag *diag);

#endif
