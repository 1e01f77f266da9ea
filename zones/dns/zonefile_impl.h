/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internals of zone files: the content read so far, and the state of reading. For zonefile*.c only.
 *
 * Records are kept in an arena, in a list for each owner; owners are in a trie, which keeps them in canonical order and
 * finds the owner of the next record quickly.
 */
#ifndef VEER_ZONES_DNS_ZONEFILE_IMPL_H
#define VEER_ZONES_DNS_ZONEFILE_IMPL_H

#include "base/arena.h"
#include "zones/dns/trie.h"
#include "zones/dns/zonefile.h"
#include "zones/dns/zonefile_lines.h"

#define ZONEFILE_TTL_UNSTATED UINT32_C(0xfffffff3) /* no TTL has this value (RFC 2181 8) */

/* One record, in the order of the file. */
struct record {
	struct record *next; /* of the same owner */
	uint32_t ttl;
	uint32_t line;
	uint16_t file; /* index of `paths` */
	uint16_t type;
	uint16_t len;
	uint8_t rdata[];
};

/* An owner with its records. */
struct owner {
	struct record *first;
	struct record *last;
	uint32_t count : 31;
	uint32_t has_written : 1;
	uint8_t name[]; /* in lower case; with has_written it is followed by the name as it was first written */
};

struct zonefile {
	struct arena *arena;
	struct retire_list retired; /* of the trie; stays empty, because all of it is one transaction */
	struct trie owners;
	size_t record_count;
	const char *paths[ZONEFILE_FILES_MAX];
	unsigned file_count;
	uint8_t origin[NAME_WIRE_MAX];
};

/* The state that reading keeps from line to line; $INCLUDE starts with a copy of it. */
struct reading {
	struct zonefile *zf;
	char *directory;   /* real path that $INCLUDE may not leave; NULL: $INCLUDE is refused */
	uint8_t *rdata;    /* scratch of RDATA_MAX bytes */
	uint32_t last_ttl; /* the TTL that was stated last, or ZONEFILE_TTL_UNSTATED */
	uint32_t ttl;      /* $TTL, or ZONEFILE_TTL_UNSTATED */
	uint32_t minimum;  /* the SOA's, or ZONEFILE_TTL_UNSTATED */
	struct veer_diag *diag;
};

/* One file being read. */
struct source {
	struct reading *reading;
	struct line_reader lines;
	unsigned file; /* index of zf->paths */
	unsigned depth;
	uint8_t origin[NAME_WIRE_MAX];
	uint8_t owner[NAME_WIRE_MAX];   /* of the present record; a line that begins with a blank keeps the previous
					 * owner */
	uint8_t written[NAME_WIRE_MAX]; /* the same name as it was written */
	size_t owner_len;               /* 0: none yet */
};

/* The owner's name as it was first written. */
const uint8_t *zonefile_written_name(const struct owner *owner);

/* Report an error as FILE:LINE, what is wrong, and the faulty text. Returns `err`. */
VEER_MUST_CHECK enum veer_err zonefile_fail_here(const struct source *s, enum veer_err err, const char *what);
/* The same for a record that was read earlier: its text is no longer there, so its name and type are shown instead. */
VEER_MUST_CHECK enum veer_err zonefile_fail_at(const struct zonefile *zf, const struct owner *owner,
					       const struct record *r, enum veer_err err, const char *what,
					       struct veer_diag *diag);

/* Add a file and give it a number, for errors. VEER_ELIMIT: there are too many files. */
VEER_MUST_CHECK enum veer_err zonefile_new_file(struct zonefile *zf, const char *path, unsigned *file);

/* Read one file, from a descriptor or (fd -1) from memory, at nesting depth `depth` of $INCLUDE. */
VEER_MUST_CHECK enum veer_err zonefile_read_source(struct reading *r, int fd, const char *data, size_t len,
						   unsigned file, unsigned depth, const uint8_t *origin);
/* Parse the present line as a record (zonefile_parse_record) or as a directive (zonefile_parse_directive). */
VEER_MUST_CHECK enum veer_err zonefile_parse_record(struct source *s);
VEER_MUST_CHECK enum veer_err zonefile_parse_directive(struct source *s);

/* Check that the records that were read make up a valid zone. */
VEER_MUST_CHECK enum veer_err zonefile_check(const struct zonefile *zf, struct veer_diag *diag);

#endif
