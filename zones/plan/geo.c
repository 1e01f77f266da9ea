/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Location tables: disjoint networks, sorted, one array of first addresses and one of locations per family, found by an
 * index over the first 16 bits and a binary search within the range that it gives. Neighbours with equal locations are
 * merged, so the prefix that a lookup returns is the largest one for which the answer holds. See geo.h; files are read
 * in geo_mmdb.c.
 */
#include "zones/plan/geo.h"

#include <stdlib.h>
#include <string.h>

#include "zones/plan/geo_impl.h"

#define INDEX_BITS 16
#define INDEX_SIZE ((1 << INDEX_BITS) + 1)

struct geo_table {
	uint32_t *starts4; /* first addresses */
	struct geo_location *places4;
	geo_address *starts6;
	struct geo_location *places6;
	uint32_t index4[INDEX_SIZE]; /* the first network that may hold an address with these first 16 bits; ... */
	uint32_t index6[INDEX_SIZE]; /* ... the next entry is the end of the search */
	size_t count4;
	size_t count6;
};

/* --- building lists of networks ---------------------------------------------------------------------- */

void geo_nets_free(struct geo_nets *nets)
{
	free(nets->items);
	*nets = (struct geo_nets){0};
}

static bool same_place(const struct geo_net *a, const struct geo_net *b)
{
	return a->place.country == b->place.country && a->place.continent == b->place.continent;
}

/* Are `a` and `b`, in this order, the two halves of one network? */
static bool are_halves(const struct geo_net *a, const struct geo_net *b)
{
	if (a->place.prefix_len != b->place.prefix_len || a->place.prefix_len == 0)
		return false;
	geo_address bit = (geo_address)1 << (128 - a->place.prefix_len);
	return (a->start & bit) == 0 && b->start == (a->start | bit);
}

enum veer_err geo_nets_add(struct geo_nets *nets, geo_address start, struct geo_location place)
{
	struct geo_net net = {.start = start, .place = place};
	while (nets->count > 0) {
		const struct geo_net *before = &nets->items[nets->count - 1];
		if (!same_place(before, &net) || !are_halves(before, &net))
			break;
		net.start = before->start;
		net.place.prefix_len--;
		nets->count--;
	}
	if (nets->count == GEO_NETS_MAX)
		return VEER_ELIMIT;
	if (nets->count == nets->size) {
		size_t size = nets->size < 1024 ? 1024 : nets->size * 2;
		struct geo_net *items = realloc(nets->items, size * sizeof *items);
		if (items == NULL)
			return VEER_ENOMEM;
		nets->items = items;
		nets->size = size;
	}
	nets->items[nets->count++] = net;
	return VEER_OK;
}

static geo_address net_end(const struct geo_net *net)
{
	geo_address host_bits =
		net->place.prefix_len == 0 ? ~(geo_address)0 : ((geo_address)1 << (128 - net->place.prefix_len)) - 1;
	return net->place.prefix_len == 128 ? net->start : net->start | host_bits;
}

static struct geo_location overlay_place(const struct geo_net *over, const struct geo_net *under, uint8_t prefix_len)
{
	struct geo_location place = over->place;
	if (place.country == 0)
		place.country = under->place.country;
	if (place.continent == CONTINENT_NONE)
		place.continent = under->place.continent;
	place.prefix_len = prefix_len;
	return place;
}

/*
 * Both lists cover all addresses, and of two networks that overlap one contains the other. So a parallel walk over both
 * that takes the smaller network each time yields the common refinement.
 */
enum veer_err geo_nets_overlay(const struct geo_nets *over, const struct geo_nets *under, struct geo_nets *out)
{
	size_t i = 0;
	size_t j = 0;
	while (i < over->count && j < under->count) {
		const struct geo_net *a = &over->items[i];
		const struct geo_net *b = &under->items[j];
		bool a_smaller = a->place.prefix_len >= b->place.prefix_len;
		const struct geo_net *small = a_smaller ? a : b;
		enum veer_err err = geo_nets_add(out, small->start, overlay_place(a, b, small->place.prefix_len));
		if (err != VEER_OK)
			return err;
		geo_address end = net_end(small);
		i += net_end(a) == end;
		j += net_end(b) == end;
	}
	return VEER_OK;
}

/* --- tables ----------------------------------------------------------------------------------------------- */

static void fill_index(uint32_t *index, const struct geo_nets *nets)
{
	size_t at = 0;
	for (uint32_t i = 0; i < INDEX_SIZE - 1; i++) {
		geo_address first = (geo_address)i << (128 - INDEX_BITS);
		while (at + 1 < nets->count && nets->items[at + 1].start <= first)
			at++;
		index[i] = (uint32_t)at;
	}
	index[INDEX_SIZE - 1] = (uint32_t)(nets->count - 1);
}

enum veer_err geo_table_make(const struct geo_nets *nets4, const struct geo_nets *nets6, struct geo_table **out)
{
	struct geo_table *t = calloc(1, sizeof *t);
	if (t == NULL)
		return VEER_ENOMEM;
	t->count4 = nets4->count;
	t->count6 = nets6->count;
	t->starts4 = malloc((t->count4 + 1) * sizeof *t->starts4);
	t->places4 = malloc((t->count4 + 1) * sizeof *t->places4);
	t->starts6 = malloc((t->count6 + 1) * sizeof *t->starts6);
	t->places6 = malloc((t->count6 + 1) * sizeof *t->places6);
	if (t->starts4 == NULL || t->places4 == NULL || t->starts6 == NULL || t->places6 == NULL) {
		geo_free(&t);
		return VEER_ENOMEM;
	}
	for (size_t i = 0; i < t->count4; i++) {
		t->starts4[i] = (uint32_t)(nets4->items[i].start >> 96);
		t->places4[i] = nets4->items[i].place;
	}
	for (size_t i = 0; i < t->count6; i++) {
		t->starts6[i] = nets6->items[i].start;
		t->places6[i] = nets6->items[i].place;
	}
	fill_index(t->index4, nets4);
	fill_index(t->index6, nets6);
	*out = t;
	return VEER_OK;
}

void geo_free(struct geo_table **table)
{
	if (*table == NULL)
		return;
	free((*table)->starts4);
	free((*table)->places4);
	free((*table)->starts6);
	free((*table)->places6);
	free(*table);
	*table = NULL;
}

struct geo_location geo_lookup_ipv4(const struct geo_table *table, const uint8_t *ip)
{
	if (table == NULL)
		return (struct geo_location){0};
	uint32_t address = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
	uint32_t low = table->index4[address >> 16];
	uint32_t high = table->index4[(address >> 16) + 1];
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;
		if (table->starts4[mid] <= address)
			low = mid;
		else
			high = mid - 1;
	}
	return table->places4[low];
}

struct geo_location geo_lookup_ipv6(const struct geo_table *table, const uint8_t *ip)
{
	if (table == NULL)
		return (struct geo_location){0};
	geo_address address = 0;
	for (int i = 0; i < 16; i++)
		address = address << 8 | ip[i];
	uint32_t low = table->index6[(uint32_t)(address >> 112)];
	uint32_t high = table->index6[(uint32_t)(address >> 112) + 1];
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;
		if (table->starts6[mid] <= address)
			low = mid;
		else
			high = mid - 1;
	}
	return table->places6[low];
}

size_t geo_count(const struct geo_table *table)
{
	return table->count4 + table->count6;
}

size_t geo_bytes(const struct geo_table *table)
{
	return sizeof *table + table->count4 * (sizeof *table->starts4 + sizeof *table->places4) +
	       table->count6 * (sizeof *table->starts6 + sizeof *table->places6);
}
