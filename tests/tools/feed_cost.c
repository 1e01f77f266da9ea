/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures what a change costs on its way from the feed to the plan. It plays a feed into a replica that keeps its plan
 * on disk, as veer-dnsd does. callgrind counts the instructions of play() only:
 *
 *     valgrind --tool=callgrind --toggle-collect='play*' build/tests/feed_cost KIND COUNT DIR
 *
 * KIND: verdict, pool, policy, site, override, zone or rrset; each of COUNT commits changes one object of that kind.
 * DIR: an empty directory for the plan. Compare the instructions of COUNT commits minus those of none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/text.h"
#include "dnsd/replica/replica.h"
#include "zones/dns/rrset.h"
#include "zones/plan/plan_disk.h"

#define STORE "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
#define WAS "00112233445566778899aabbccddeeff"

enum { ENDPOINTS = 8, VOTES = 5, TEXT_MAX = 64 << 20 };

static void add_pool(struct buf *out, long round)
{
	buf_puts(out, "{\"name\":\"web\",\"checks\":[\"http\"],\"min_up\":1,\"endpoints\":[");
	for (int i = 0; i < ENDPOINTS; i++)
		buf_printf(out, "%s{\"name\":\"e%d\",\"site\":\"fra\",\"address\":\"192.0.2.%d\",\"weight\":%ld}",
			   i > 0 ? "," : "", i, i + 1, i == 0 ? 1 + round % 2 : 1);
	buf_puts(out, "]}");
}

static void add_policy(struct buf *out, long round)
{
	buf_printf(
		out,
		"{\"name\":\"main\",\"ttl\":%ld,\"when_all_down\":\"all\",\"tree\":{\"failover\":[\"web\",\"spare\"]}}",
		30 + round % 2);
}

static void add_verdict(struct buf *out, long round)
{
	buf_printf(
		out,
		"{\"endpoint\":\"web/e1\",\"state\":\"%s\",\"since_revision\":%ld,\"election\":7,\"at\":"
		"\"2026-01-01T00:00:00.000Z\",\"check\":\"http\",\"reason\":\"http_status\",\"quorum\":3,\"votes\":[",
		round % 2 == 0 ? "down" : "up", 10 + round);
	for (int i = 0; i < VOTES; i++)
		buf_printf(out,
			   "%s{\"agent\":\"ag-k3v0x%d\",\"check\":\"http\",\"state\":\"down\",\"reason\":"
			   "\"http_status\",\"age_ms\":%d}",
			   i > 0 ? "," : "", i, 40 + i);
	buf_puts(out, "]}");
}

static void add_wire(struct buf *out, const uint8_t *owner, uint8_t last)
{
	const uint8_t address[4] = {192, 0, 2, last};
	const struct rdata_span record = {.data = address, .len = sizeof address};
	uint8_t *wire = NULL;
	char text[512];
	size_t len = 0;
	if (rrset_compose(owner, RRTYPE_A, 60, &record, 1, &wire, &len, NULL) != VEER_OK)
		abort();
	crypto_base64_encode(wire, len, text);
	free(wire);
	buf_printf(out, "{\"wire\":\"%s\"}", text);
}

static void add_rrset(struct buf *out, long round)
{
	add_wire(out, (const uint8_t *)"\3txt\7example\3com", (uint8_t)(1 + round % 2));
}

/* Add an RRset of one address with a name of its own. */
static void add_address(struct buf *out, int64_t i, int k)
{
	char label[16];
	uint8_t owner[64];
	int len = snprintf(label, sizeof label, "r%lld-%d", (long long)i, k);
	owner[0] = (uint8_t)len;
	memcpy(owner + 1, label, (size_t)len);
	memcpy(owner + 1 + len, "\7example\3com", 13);
	buf_printf(out, "{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"example.com./1/%s.example.com./A\",\"object\":",
		   label);
	add_wire(out, owner, (uint8_t)(k + 1));
	buf_puts(out, "}\n");
}

static void add_object(struct buf *out, const char *kind, long round)
{
	if (strcmp(kind, "pool") == 0)
		add_pool(out, round);
	else if (strcmp(kind, "policy") == 0)
		add_policy(out, round);
	else if (strcmp(kind, "verdict") == 0)
		add_verdict(out, round);
	else if (strcmp(kind, "rrset") == 0)
		add_rrset(out, round);
	else if (strcmp(kind, "site") == 0)
		buf_printf(out, "{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"%s\"}", round % 2 == 0 ? "in" : "out");
	else if (strcmp(kind, "override") == 0)
		buf_printf(out,
			   "{\"endpoint\":\"web/e2\",\"action\":\"%s\",\"owner\":\"ci\",\"reason\":\"new kernel\","
			   "\"source\":null,\"expires_at\":null,\"created_at\":\"2026-01-01T00:00:00Z\"}",
			   round % 2 == 0 ? "drain" : "up");
	else
		buf_printf(out, "{\"name\":\"example.com.\",\"version\":1,\"created_at\":\"2026-01-01T00:00:%02ldZ\"}",
			   round % 60);
}

/* Add COUNT policies, each with a pool, a verdict and an RRset, and nine RRsets of addresses. */
static void add_load(struct buf *out, int64_t count)
{
	for (int64_t i = 0; i < count; i++) {
		buf_printf(out,
			   "{\"type\":\"put\",\"kind\":\"pool\",\"key\":\"p%lld\",\"object\":{\"name\":\"p%lld\","
			   "\"checks\":[],\"endpoints\":[{\"name\":\"a\",\"site\":\"fra\",\"address\":\"192.0.2.1\"},"
			   "{\"name\":\"b\",\"site\":\"fra\",\"address\":\"192.0.2.2\"}]}}\n"
			   "{\"type\":\"put\",\"kind\":\"policy\",\"key\":\"q%lld\",\"object\":{\"name\":\"q%lld\","
			   "\"ttl\":9,"
			   "\"tree\":\"p%lld\"}}\n"
			   "{\"type\":\"put\",\"kind\":\"verdict\",\"key\":\"p%lld/"
			   "a\",\"object\":{\"endpoint\":\"p%lld/a\","
			   "\"state\":\"down\",\"votes\":[{\"agent\":\"ag-1\",\"state\":\"down\"}]}}\n"
			   "{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"example.com./1/q%lld.example.com./"
			   "A\",\"object\":"
			   "{\"policy\":\"q%lld\"}}\n",
			   (long long)i, (long long)i, (long long)i, (long long)i, (long long)i, (long long)i,
			   (long long)i, (long long)i, (long long)i);
		for (int k = 0; k < 9; k++)
			add_address(out, i, k);
	}
}

static const char *key_of(const char *kind)
{
	static const char *const keys[][2] = {
		{"pool", "web"},
		{"policy", "main"},
		{"verdict", "web/e1"},
		{"site", "fra"},
		{"override", "web/e2"},
		{"zone", "example.com."},
		{"rrset", "example.com./1/txt.example.com./A"},
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(keys[i][0], kind) == 0)
			return keys[i][1];
	(void)fprintf(stderr, "feed_cost: unknown kind\n");
	exit(2);
}

static void add_line(struct buf *out, const char *kind, long round, long revision)
{
	bool is_state = strcmp(kind, "verdict") == 0 || strcmp(kind, "override") == 0;
	buf_printf(out,
		   "{\"type\":\"put\",\"kind\":\"%s\",\"key\":\"%s\",\"revision\":%ld%s,\"was\":\"" WAS
		   "\",\"object\":",
		   kind, key_of(kind), revision, is_state ? ",\"part\":\"state\"" : "");
	add_object(out, kind, round);
	buf_puts(out, "}\n");
}

static void add_commit(struct buf *out, long revision)
{
	buf_printf(out, "{\"type\":\"commit\",\"revision\":%ld}\n", revision);
}

/* Add a full state in which everything is used: a policy with its pools, to which an RRset is bound. */
static void add_state(struct buf *out, int64_t loaded)
{
	static const char *const kinds[] = {"site", "pool", "policy", "zone", "rrset", "verdict"};
	buf_puts(out, "{\"type\":\"hello\",\"format\":1,\"store_id\":\"" STORE "\",\"revision\":1,\"digest\":true}\n"
		      "{\"type\":\"reset\"}\n");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		add_line(out, kinds[i], 0, 1);
	buf_puts(out,
		 "{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"example.com./1/www.example.com./A\",\"revision\":1,"
		 "\"object\":{\"policy\":\"main\"}}\n");
	add_load(out, loaded);
	add_commit(out, 1);
}

static void publish(void *ctx, const struct plan *plan, struct retire_list *retired)
{
	(void)plan;
	*(uint64_t *)ctx += 1;
	retire_release(retired);
}

__attribute__((noinline)) static enum veer_err play(struct feed_reader *reader, const struct buf *feed,
						    struct veer_diag *why)
{
	return feed_reader_push(reader, feed->data, feed->len, why);
}

__attribute__((noinline)) static enum veer_err play_load(struct replica *replica, struct veer_diag *why)
{
	return replica_load(replica, why);
}

/* Play the full state and the changes. */
static bool run(struct replica *replica, const struct buf *state, const struct buf *changes, struct veer_diag *why)
{
	struct feed_reader *reader = feed_reader_new(replica_sink(), replica);
	bool ok = reader != NULL && feed_reader_push(reader, state->data, state->len, why) == VEER_OK &&
		  play(reader, changes, why) == VEER_OK;
	feed_reader_free(&reader);
	return ok;
}

int main(int argc, char **argv)
{
	struct plan_disk *disk = NULL;
	struct veer_diag why = {""};
	uint64_t published = 0;
	int64_t count = 0;
	struct buf state, changes;
	if (argc != 4 || !text_to_int(argv[2], 0, 1000000, &count) ||
	    plan_disk_open(argv[3], NULL, &disk, &why) != VEER_OK) {
		(void)fprintf(stderr, "usage: feed_cost KIND COUNT DIR %s\n", why.text);
		return 2;
	}
	bool is_load = strcmp(argv[1], "load") == 0;
	buf_init(&state, TEXT_MAX);
	buf_init(&changes, TEXT_MAX);
	add_state(&state, is_load ? count : 0);
	for (int64_t i = 0; i < count && !is_load; i++) {
		add_line(&changes, argv[1], 1 + i, 2 + i);
		add_commit(&changes, 2 + i);
	}
	struct replica_config config = {.disk = disk, .publish = publish, .ctx = &published};
	struct replica *replica = replica_new(&config);
	bool ok = replica != NULL && run(replica, &state, &changes, &why);
	if (ok && is_load) {
		replica_free(&replica);
		plan_disk_close(&disk); /* writes what is queued */
		ok = plan_disk_open(argv[3], NULL, &disk, &why) == VEER_OK;
		config.disk = disk;
		replica = ok ? replica_new(&config) : NULL;
		ok = replica != NULL && play_load(replica, &why) == VEER_OK;
	}
	(void)printf("%s: %llu plans%s%s\n", argv[1], (unsigned long long)published, ok ? "" : ", failed: ", why.text);
	replica_free(&replica);
	plan_disk_close(&disk);
	buf_deinit(&state);
	buf_deinit(&changes);
	return ok ? 0 : 1;
}
