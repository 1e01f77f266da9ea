/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmdb files into lists of networks. The file is first copied into memory of our own, so that nobody can change or
 * truncate it while it is read; the tree is walked once, with a bound on the steps, because a damaged file may point
 * anywhere.
 */
#include <fcntl.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "zones/plan/geo_impl.h"

#define FILE_MAX_BYTES ((size_t)2 << 30)
#define CACHE_SIZE 4096 /* the records read last, by their offset: many networks share a record */

/* A record of the data section that was read before. */
struct cached_place {
	uint32_t offset; /* + 1; 0: unused */
	struct geo_location place;
};

struct walk {
	const MMDB_s *db;
	struct geo_nets *nets;
	const char *path;
	struct veer_diag *diag;
	uint64_t steps_left; /* nodes that may still be visited */
	uint64_t skip_node;  /* a subtree to leave out (IPv4 in an IPv6 tree); UINT64_MAX: none */
	size_t known;        /* networks with a location */
	struct cached_place cache[CACHE_SIZE];
};

static enum veer_err corrupt(const struct walk *w, const char *what)
{
	return veer_fail(w->diag, VEER_ECORRUPT, "%s: %s", w->path, what);
}

/*
 * Read the two upper-case letters at `path` in a record; 0 when there are none. False when the record itself is
 * damaged.
 */
static bool read_code(MMDB_entry_s *entry, const char *const *path, uint16_t *code)
{
	MMDB_entry_data_s data;
	int status = MMDB_aget_value(entry, &data, path);
	*code = 0;
	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || status == MMDB_INVALID_LOOKUP_PATH_ERROR)
		return true;
	if (status != MMDB_SUCCESS)
		return false;
	if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
		return true;
	const char *text = data.utf8_string;
	if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z')
		*code = (uint16_t)(text[0] << 8 | text[1]);
	return true;
}

static bool read_place(MMDB_entry_s *entry, struct geo_location *place)
{
	static const char *const countries[][3] = {
		{"country", "iso_code", NULL}, {"country_code", NULL, NULL}, {"registered_country", "iso_code", NULL}};
	static const char *const continents[][3] = {{"continent", "code", NULL}, {"continent_code", NULL, NULL}};
	uint16_t code = 0;
	*place = (struct geo_location){0};
	for (size_t i = 0; i < sizeof countries / sizeof countries[0] && place->country == 0; i++)
		if (!read_code(entry, countries[i], &place->country))
			return false;
	for (size_t i = 0; i < sizeof continents / sizeof continents[0] && code == 0; i++)
		if (!read_code(entry, continents[i], &code))
			return false;
	place->continent = (uint8_t)continent_from_code(code);
	if (place->continent == CONTINENT_NONE)
		place->continent = (uint8_t)continent_of_country(place->country);
	return true;
}

static enum veer_err add_record(struct walk *w, MMDB_entry_s *entry, geo_address start, unsigned depth)
{
	struct cached_place *cached = &w->cache[entry->offset % CACHE_SIZE];
	if (cached->offset != entry->offset + 1) {
		if (!read_place(entry, &cached->place)) {
			cached->offset = 0;
			return corrupt(w, "a record is damaged");
		}
		cached->offset = entry->offset + 1;
	}
	struct geo_location place = cached->place;
	place.prefix_len = (uint8_t)depth;
	w->known += place.country != 0 || place.continent != CONTINENT_NONE;
	return geo_nets_add(w->nets, start, place);
}

static enum veer_err walk_node(struct walk *w, uint64_t number, geo_address start, unsigned depth, unsigned bits);

static enum veer_err walk_record(struct walk *w, uint8_t type, uint64_t record, MMDB_entry_s *entry, geo_address start,
				 unsigned depth, unsigned bits)
{
	if (type == MMDB_RECORD_TYPE_EMPTY || (type == MMDB_RECORD_TYPE_SEARCH_NODE && record == w->skip_node))
		return geo_nets_add(w->nets, start, (struct geo_location){.prefix_len = (uint8_t)depth});
	if (type == MMDB_RECORD_TYPE_SEARCH_NODE)
		return walk_node(w, record, start, depth, bits);
	if (type == MMDB_RECORD_TYPE_DATA)
		return add_record(w, entry, start, depth);
	return corrupt(w, "the search tree is damaged");
}

/* Walk the networks below one node, in order. `start` is left-aligned in 128 bits; depth is bounded by `bits`. */
static enum veer_err walk_node(struct walk *w, uint64_t number, geo_address start, unsigned depth, unsigned bits)
{
	MMDB_search_node_s node;
	if (depth >= bits || w->steps_left == 0)
		return corrupt(w, "the search tree is too deep");
	w->steps_left--;
	if (MMDB_read_node(w->db, (uint32_t)number, &node) != MMDB_SUCCESS)
		return corrupt(w, "the search tree is damaged");
	enum veer_err err = walk_record(w, node.left_record_type, node.left_record, &node.left_record_entry, start,
					depth + 1, bits);
	if (err != VEER_OK)
		return err;
	return walk_record(w, node.right_record_type, node.right_record, &node.right_record_entry,
			   start | (geo_address)1 << (127 - depth), depth + 1, bits);
}

static enum veer_err walk_family(struct walk *w, struct geo_nets *nets, uint64_t root, unsigned bits)
{
	w->nets = nets;
	w->steps_left = (uint64_t)w->db->metadata.node_count + 1;
	enum veer_err err;
	if (root >= w->db->metadata.node_count)
		err = geo_nets_add(nets, 0, (struct geo_location){0});
	else
		err = walk_node(w, root, 0, 0, bits);
	if (err == VEER_ELIMIT)
		return veer_fail(w->diag, err, "%s: more than %d networks", w->path, GEO_NETS_MAX);
	return err;
}

static enum veer_err walk_file(const MMDB_s *db, const char *path, struct geo_nets *nets4, struct geo_nets *nets6,
			       struct veer_diag *diag)
{
	struct walk *w = calloc(1, sizeof *w);
	if (w == NULL)
		return VEER_ENOMEM;
	bool is_v6 = db->metadata.ip_version == 6;
	uint64_t ipv4_root = is_v6 ? db->ipv4_start_node.node_value : 0;
	w->db = db;
	w->path = path;
	w->diag = diag;
	w->skip_node = UINT64_MAX;
	enum veer_err err = walk_family(w, nets4, ipv4_root, 32);
	w->skip_node = ipv4_root;
	if (err == VEER_OK)
		err = walk_family(w, nets6, is_v6 ? 0 : UINT64_MAX, 128);
	if (err == VEER_OK && w->known == 0)
		err = veer_fail(diag, VEER_EINVAL, "%s: no country and no continent in it", path);
	free(w);
	return err;
}

/* Copy the file into a descriptor that nobody else can write to. */
static enum veer_err private_copy(const char *path, int *out, struct veer_diag *diag)
{
	char *data = NULL;
	size_t len;
	enum veer_err err = file_read(path, FILE_MAX_BYTES, &data, &len, diag);
	if (err != VEER_OK)
		return err;
	int fd = memfd_create("veer-geo", MFD_CLOEXEC);
	err = fd >= 0 ? file_write_all(fd, data, len) : VEER_EIO;
	free(data);
	if (err != VEER_OK) {
		if (fd >= 0)
			(void)close(fd);
		return veer_fail(diag, err, "%s: %s", path, veer_err_text(err));
	}
	*out = fd;
	return VEER_OK;
}

static enum veer_err load_file(const char *path, struct geo_nets *nets4, struct geo_nets *nets6, struct veer_diag *diag)
{
	char fd_path[64];
	MMDB_s db;
	int fd = -1;
	enum veer_err err = private_copy(path, &fd, diag);
	if (err != VEER_OK)
		return err;
	(void)snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", fd);
	int status = MMDB_open(fd_path, MMDB_MODE_MMAP, &db);
	if (status == MMDB_SUCCESS) {
		err = walk_file(&db, path, nets4, nets6, diag);
		MMDB_close(&db);
	} else {
		err = veer_fail(diag, status == MMDB_OUT_OF_MEMORY_ERROR ? VEER_ENOMEM : VEER_ECORRUPT, "%s: %s", path,
				MMDB_strerror(status));
	}
	(void)close(fd);
	return err;
}

/* Fill in the locations of `below` where `nets` has none; `below` is freed. */
static enum veer_err merge(struct geo_nets *nets, struct geo_nets *below)
{
	struct geo_nets merged = {0};
	if (nets->count == 0) {
		*nets = *below;
		*below = (struct geo_nets){0};
		return VEER_OK;
	}
	enum veer_err err = geo_nets_overlay(nets, below, &merged);
	if (err == VEER_OK) {
		geo_nets_free(nets);
		*nets = merged;
	} else {
		geo_nets_free(&merged);
	}
	geo_nets_free(below);
	return err;
}

/* Add one file. A file that is refused adds nothing. */
static enum veer_err add_file(const char *path, struct geo_nets *nets4, struct geo_nets *nets6, struct veer_diag *diag)
{
	struct geo_nets more4 = {0}, more6 = {0};
	enum veer_err err = load_file(path, &more4, &more6, diag);
	if (err == VEER_OK && (merge(nets4, &more4) != VEER_OK || merge(nets6, &more6) != VEER_OK))
		err = veer_fail(diag, VEER_ENOMEM, "%s: out of memory", path);
	geo_nets_free(&more4);
	geo_nets_free(&more6);
	return err;
}

/* Load the files. With `left_out`, a refused file is left out, and the reason for the first of them goes there. */
static enum veer_err load_files(const char *const *paths, size_t count, struct geo_table **out,
				struct veer_diag *left_out, struct veer_diag *diag)
{
	struct geo_nets nets4 = {0}, nets6 = {0};
	enum veer_err err = VEER_OK;
	if (count == 0 || count > GEO_FILES_MAX)
		return veer_fail(diag, VEER_ELIMIT, "between 1 and %d location files", GEO_FILES_MAX);
	for (size_t i = 0; i < count && err == VEER_OK; i++) {
		struct veer_diag why = {.text = ""};
		err = add_file(paths[i], &nets4, &nets6, &why);
		if (err != VEER_OK && err != VEER_ENOMEM && left_out != NULL) {
			err = VEER_OK;
			if (left_out->text[0] == '\0')
				*left_out = why;
		}
		if (err != VEER_OK && diag != NULL)
			*diag = why;
	}
	if (err == VEER_OK)
		err = geo_table_make(&nets4, &nets6, out);
	geo_nets_free(&nets4);
	geo_nets_free(&nets6);
	return err;
}

enum veer_err geo_load(const char *const *paths, size_t count, struct geo_table **out, struct veer_diag *diag)
{
	return load_files(paths, count, out, NULL, diag);
}

enum veer_err geo_load_readable(const char *const *paths, size_t count, struct geo_table **out,
				struct veer_diag *left_out, struct veer_diag *diag)
{
	left_out->text[0] = '\0';
	return load_files(paths, count, out, left_out, diag);
}
