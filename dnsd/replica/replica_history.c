/* SPDX-License-Identifier: Apache-2.0 */
/* The replica: the history that it is in, and the histories that it follows. */
#include <string.h>

#include "dnsd/replica/replica_impl.h"
#include "zones/dns/name.h"

void replica_remember(struct replica *replica)
{
	char notes[PLAN_DISK_NOTES_MAX + 1];
	if (replica->config.disk == NULL)
		return;
	plan_disk_highest(replica->config.disk, &replica->highest);
	plan_disk_notes(replica->config.disk, notes);
	lineages_parse(notes, &replica->lineages);
	lineages_add(&replica->lineages, replica->highest.lineage);
}

const struct replica_quarantine *replica_quarantine(const struct replica *replica)
{
	return &replica->quarantine;
}

const char *replica_quarantine_text(enum replica_quarantine_why why)
{
	switch (why) {
	case REPLICA_FOLLOWS:
		break;
	case REPLICA_UNKNOWN:
		return "unknown";
	case REPLICA_ABANDONED:
		return "abandoned";
	case REPLICA_ZONE_LOST:
		return "zone_lost";
	}
	return "none";
}

void replica_adopt(struct replica *replica, const char *lineage)
{
	memset(replica->adopted, 0, sizeof replica->adopted);
	memcpy(replica->adopted, lineage, strnlen(lineage, HISTORY_ID_LEN));
}

/* Do not follow the store of the present stream, at this revision. What is served stays. */
static enum veer_err quarantine(struct replica *r, enum replica_quarantine_why why, int64_t revision,
				struct veer_diag *diag)
{
	static const char *const reasons[] = {
		[REPLICA_FOLLOWS] = "",
		[REPLICA_UNKNOWN] = "it does not descend from any store that was served here",
		[REPLICA_ABANDONED] = "it goes on with a history that was left for another: two copies of one store "
				      "are in use",
		[REPLICA_ZONE_LOST] = "its history has parted from what is served, and it lacks the zone",
	};
	struct replica_quarantine *q = &r->quarantine;
	const struct history_ancestry *a = &r->stream.ancestry;
	memcpy(q->store_id, r->stream.store_id, sizeof q->store_id);
	memcpy(q->lineage, a->lineages[a->count - 1].id, sizeof q->lineage);
	q->revision = revision;
	q->why = why;
	return veer_fail(diag, VEER_ESTALE,
			 "the store %s is quarantined, what is served stays: %s%s%s (lineage %s, revision %lld); if it "
			 "is right all the same: veer nameserver adopt, or --adopt-store",
			 q->store_id, reasons[why], why == REPLICA_ZONE_LOST ? " " : "",
			 why == REPLICA_ZONE_LOST ? q->zone : "", q->lineage, (long long)revision);
}

/* End the adoption: the store that was to be adopted is followed now. */
static void end_adoption(struct replica *r)
{
	r->adopts_any = false;
	r->adopted[0] = '\0';
}

static void end_quarantine(struct replica *r)
{
	if (r->quarantine.why != REPLICA_FOLLOWS)
		log_notice(r->config.log, "the quarantine has ended", LOG_STR("store_id", r->stream.store_id));
	r->quarantine = (struct replica_quarantine){.why = REPLICA_FOLLOWS};
}

/* The set of served lineages may have changed: save it. */
static void note_lineages(struct replica *r)
{
	char text[LINEAGES_TEXT_MAX + 1];
	if (!lineages_serve(&r->lineages, &r->stream.ancestry) || r->config.disk == NULL)
		return;
	size_t len = lineages_print(&r->lineages, text);
	plan_disk_note(r->config.disk, text, len);
}

static void take_hello(struct replica *r, const struct feed_hello *hello)
{
	struct replica_stream *s = &r->stream;
	memcpy(s->store_id, hello->store_id, sizeof s->store_id);
	s->revision = hello->revision;
	s->has_digest = hello->has_digest;
	s->ancestry = *hello->ancestry;
	s->is_continuation =
		r->at.revision > 0 && history_holds(&s->ancestry, r->at.lineage, r->at.revision, hello->revision);
	s->is_reached = s->is_continuation && r->at.revision >= hello->revision;
	s->is_adopted = r->adopts_any || strcmp(r->adopted, hello->lineage) == 0;
}

enum veer_err replica_hear_hello(struct replica *replica, const struct feed_hello *hello, struct veer_diag *diag)
{
	const struct replica_quarantine *q = &replica->quarantine;
	take_hello(replica, hello);
	if (strcmp(hello->lineage, replica->highest.lineage) == 0 && hello->revision < replica->highest.revision &&
	    !replica->stream.is_adopted)
		return veer_fail(diag, VEER_ESTALE,
				 "the control plane is at revision %lld, but %lld of the same lineage was served "
				 "already",
				 (long long)hello->revision, (long long)replica->highest.revision);
	enum lineages_judgement judgement = replica->stream.is_adopted
						    ? LINEAGES_FOLLOW
						    : lineages_judge(&replica->lineages, &replica->stream.ancestry);
	if (judgement == LINEAGES_UNKNOWN)
		return quarantine(replica, REPLICA_UNKNOWN, hello->revision, diag);
	if (judgement == LINEAGES_ABANDONED)
		return quarantine(replica, REPLICA_ABANDONED, hello->revision, diag);
	/* as long as nothing has changed, the full state need not be sent again */
	if (q->why == REPLICA_ZONE_LOST && !replica->stream.is_adopted && strcmp(q->lineage, hello->lineage) == 0 &&
	    q->revision == hello->revision)
		return quarantine(replica, REPLICA_ZONE_LOST, hello->revision, diag);
	if (replica->stream.is_continuation) {
		end_adoption(replica);
		end_quarantine(replica);
		note_lineages(replica);
	}
	return VEER_OK;
}

void replica_next(const struct replica *replica, int64_t revision, const struct history_position *base,
		  struct history_position *out)
{
	const struct replica_stream *s = &replica->stream;
	const char *lineage = history_lineage_at(&s->ancestry, revision);
	*out = (struct history_position){.revision = revision};
	memcpy(out->store_id, s->store_id, sizeof out->store_id);
	memcpy(out->lineage, lineage, strnlen(lineage, HISTORY_ID_LEN));
	out->has_digest = s->has_digest && (base == NULL || base->has_digest);
	if (base != NULL)
		out->digest = base->digest;
	digest_pair_add(&out->digest, &replica->added);
}

void replica_set_position(struct replica *replica, const struct history_position *at)
{
	replica->at = *at;
	replica->highest = *at;
	if (replica->stream.ancestry.count == 0 || replica->stream.is_continuation) /* the plan is from disk, or the
										     * history is the same */
		return;
	/* a full state of this stream is served: later commits of the stream continue it */
	replica->stream.is_continuation = true;
	end_adoption(replica);
	note_lineages(replica);
	end_quarantine(replica);
}

bool replica_has_had(const struct replica *replica, const char *lineage, int64_t revision)
{
	return replica->stream.is_continuation &&
	       history_holds(&replica->stream.ancestry, lineage, revision, replica->at.revision);
}

/* The search for a zone of the old plan that the new plan lacks. */
struct zone_search {
	const struct plan *plan;
	const struct plan_zone *lost;
};

static bool look_for_zone(void *ctx, void *value)
{
	struct zone_search *s = ctx;
	const struct plan_zone *zone = value;
	if (trie_get(&s->plan->zones, zone->name) != NULL)
		return true;
	s->lost = zone;
	return false;
}

/*
 * Is the state that was served last a part of the stream's history? Then the stream may remove zones, like any other
 * change.
 */
static bool has_led_to(const struct replica *r, int64_t revision)
{
	return history_holds(&r->stream.ancestry, r->highest.lineage, r->highest.revision, revision);
}

enum veer_err replica_check_zones(struct replica *replica, const struct plan *old, const struct plan *plan,
				  int64_t revision, struct veer_diag *diag)
{
	struct zone_search search = {.plan = plan};
	if (old == NULL || replica->stream.is_continuation || replica->stream.is_adopted ||
	    has_led_to(replica, revision) ||
	    lineages_have_moved_on(&replica->lineages, &replica->stream.ancestry, replica->highest.lineage) ||
	    lineages_are_confirmed(&replica->lineages, &replica->stream.ancestry))
		return VEER_OK;
	(void)trie_each(&old->zones, look_for_zone, &search);
	if (search.lost == NULL)
		return VEER_OK;
	(void)name_print(search.lost->name, replica->quarantine.zone, sizeof replica->quarantine.zone);
	return quarantine(replica, REPLICA_ZONE_LOST, revision, diag);
}

void replica_wish(const struct replica *replica, bool from_start, struct replica_wish *out)
{
	*out = (struct replica_wish){.since = -1};
	/*
	 * a control plane without lineages is always asked for a full state, because its revisions do not identify
	 * content
	 */
	if (replica->highest.revision > 0 && strcmp(replica->highest.lineage, replica->highest.store_id) != 0) {
		out->lineage = replica->highest.lineage;
		out->seen = replica->highest.revision;
	}
	if (from_start || replica->is_half || replica->at.revision == 0 ||
	    strcmp(replica->at.lineage, replica->at.store_id) == 0)
		return;
	out->seen = strcmp(replica->highest.lineage, replica->at.lineage) == 0 ? replica->highest.revision : 0;
	out->lineage = replica->at.lineage;
	out->since = replica->at.revision;
}

/* --- serials that have gone back ----------------------------------------------------------------------------- */

enum { SOA_NUMBERS = 20 }; /* octets after the SOA's names: serial, refresh, retry, expire, minimum (RFC 1035 3.3.13) */

static bool read_serial(const struct plan_zone *zone, uint32_t *serial)
{
	if (zone == NULL || zone->soa == NULL || zone->soa->len < SOA_NUMBERS)
		return false;
	const uint8_t *p = zone->soa->data + zone->soa->len - SOA_NUMBERS;
	*serial = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return true;
}

/*
 * Is the zone in the plan at this serial or a later one (RFC 1982 3.2)? A zone that is no longer there counts as having
 * reached it.
 */
static bool has_reached(const struct plan *plan, const uint8_t *name, uint32_t serial)
{
	uint32_t now;
	return !read_serial(trie_get(&plan->zones, name), &now) || now - serial < UINT32_C(0x80000000);
}

struct serial_search {
	struct replica *replica;
	const struct plan *next;
};

static bool look_for_serial(void *ctx, void *value)
{
	struct serial_search *s = ctx;
	struct replica *r = s->replica;
	const struct plan_zone *zone = value;
	uint32_t serial;
	if (!read_serial(zone, &serial) || has_reached(s->next, zone->name, serial))
		return true;
	memcpy(r->serials[r->serial_count].name, zone->name, zone->name_len);
	r->serials[r->serial_count++].serial = serial;
	return r->serial_count < REPLICA_SERIALS_MAX;
}

void replica_note_serials(struct replica *replica, const struct plan *old, const struct plan *next)
{
	struct serial_search search = {replica, next};
	replica->serial_count = 0;
	if (old != NULL)
		(void)trie_each(&old->zones, look_for_serial, &search);
}

size_t replica_serials(struct replica *replica, struct replica_serial out[REPLICA_SERIALS_MAX])
{
	const struct plan *plan = plan_builder_newest(replica->builder);
	size_t left = 0;
	for (size_t i = 0; i < replica->serial_count && plan != NULL; i++) {
		if (has_reached(plan, replica->serials[i].name, replica->serials[i].serial))
			continue;
		replica->serials[left] = replica->serials[i];
		(void)name_print(replica->serials[left].name, out[left].zone, sizeof out[left].zone);
		out[left].serial = replica->serials[left].serial;
		left++;
	}
	replica->serial_count = left;
	return left;
}
