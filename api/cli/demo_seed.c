/* SPDX-License-Identifier: Apache-2.0 */
/* veer demo seed: fills the demonstration through the REST API, waits until the agents agree, and says what to try. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/cli/cli.h"
#include "api/cli/demo.h"

enum { WAIT_STEPS = 300, WAIT_STEP_MS = 100 };

static enum veer_err put(struct cli *cli, const char *path, json_t *body, struct veer_diag *diag)
{
	struct cli_reply reply;
	enum veer_err err = body != NULL ? cli_call_json(cli, "PUT", path, body, &reply, diag) : VEER_ENOMEM;
	if (err != VEER_ENOMEM)
		cli_reply_deinit(&reply);
	return err;
}

static enum veer_err put_named(struct cli *cli, const char *collection, const char *name, json_t *body,
			       struct veer_diag *diag)
{
	char path[256];
	(void)snprintf(path, sizeof path, "/v1/%s/%s", collection, name);
	return put(cli, path, body, diag);
}

static enum veer_err seed_sites(struct cli *cli, const struct demo_ports *ports, struct veer_diag *diag)
{
	enum veer_err err = put_named(cli, "checks", "web",
				      json_pack("{s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "kind", "http", "port",
						ports->site, "path", "/", "host", "www.gslb.example", "interval_ms",
						500, "timeout_ms", 250, "fall", 2, "rise", 2, "hold_s", 0),
				      diag);
	for (size_t i = 0; i < DEMO_SITES && err == VEER_OK; i++) {
		const struct demo_site *s = &demo_sites[i];
		err = put_named(cli, "sites", s->name,
				json_pack("{s:s, s:f, s:f}", "region", s->region, "latitude", s->latitude, "longitude",
					  s->longitude),
				diag);
		if (err == VEER_OK)
			err = put_named(cli, "pools", s->name,
					json_pack("{s:[s], s:[{s:s, s:s, s:s}]}", "checks", "web", "endpoints", "name",
						  s->name, "address", s->address, "site", s->name),
					diag);
	}
	return err;
}

static enum veer_err seed_policies(struct cli *cli, struct veer_diag *diag)
{
	enum veer_err err =
		put_named(cli, "policies", "www",
			  json_pack("{s:i, s:{s:[s, s, s]}}", "ttl", 5, "tree", "failover", "fra", "iad", "sin"), diag);
	if (err == VEER_OK)
		err = put_named(cli, "policies", "any",
				json_pack("{s:i, s:{s:[{s:i, s:s}, {s:i, s:s}, {s:i, s:s}]}}", "ttl", 5, "tree",
					  "weighted", "weight", 2, "node", "fra", "weight", 1, "node", "iad", "weight",
					  1, "node", "sin"),
				diag);
	if (err == VEER_OK)
		err = put_named(cli, "policies", "geo",
				json_pack("{s:i, s:{s:[{s:[s], s:s}, {s:[s, s], s:s}, {s:[s], s:s}], s:{s:[s, s, s]}}}",
					  "ttl", 5, "tree", "match", "continents", "EU", "node", "fra", "continents",
					  "NA", "SA", "node", "iad", "continents", "AS", "node", "sin", "else",
					  "failover", "fra", "iad", "sin"),
				diag);
	return err;
}

static enum veer_err seed_zone(struct cli *cli, struct veer_diag *diag)
{
	static const char *const names[] = {"www", "any", "geo"};
	struct cli_reply reply;
	enum veer_err err = cli_call_json(
		cli, "POST", "/v1/zones",
		json_pack("{s:s, s:[s]}", "name", "gslb.example.", "nameservers", "ns1.gslb.example."), &reply, diag);
	bool is_there = reply.status == 409;
	cli_reply_deinit(&reply);
	if (err != VEER_OK && !is_there)
		return err;
	err = put(cli, "/v1/zones/gslb.example./rrsets/ns1/A",
		  json_pack("{s:i, s:[s]}", "ttl", 300, "records", "127.0.0.1"), diag);
	for (size_t i = 0; i < 3 && err == VEER_OK; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "/v1/zones/gslb.example./rrsets/%s/A", names[i]);
		err = put(cli, path, json_pack("{s:s}", "policy", names[i]), diag);
	}
	return err;
}

static bool all_are_up(struct cli *cli)
{
	struct cli_reply reply;
	struct veer_diag diag;
	size_t up = 0, i;
	json_t *endpoint;
	if (cli_call_json(cli, "GET", "/v1/status", NULL, &reply, &diag) == VEER_OK) {
		json_array_foreach(json_object_get(reply.json, "endpoints"), i, endpoint)
		{
			const char *state = json_string_value(json_object_get(endpoint, "state"));
			up += state != NULL && strcmp(state, "up") == 0;
		}
	}
	cli_reply_deinit(&reply);
	return up == DEMO_SITES;
}

static void wait_until_up(struct cli *cli)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
	for (int i = 0; i < WAIT_STEPS && !all_are_up(cli); i++)
		(void)nanosleep(&step, NULL);
}

/* Print the commands to try, with this program's path as a person in the source tree would type it. */
static void say_what_to_try(const struct demo_ports *ports)
{
	(void)printf(
		"\n"
		"Veer is running: DNS on 127.0.0.1 port %u, the API on http://127.0.0.1:%u.\n"
		"Three sites (fra, iad, sin) are watched by three agents (regions eu, us, ap).\n"
		"\n"
		"In another terminal, try:\n"
		"  dig +short @127.0.0.1 -p %u www.gslb.example        the first site that works: 127.0.1.1 (fra)\n"
		"  build/veer status                                     what the agents see\n"
		"  build/veer demo stop fra                              end that site's server ...\n"
		"  dig +short @127.0.0.1 -p %u www.gslb.example        ... and within a second it is 127.0.1.2 (iad)\n"
		"  build/veer demo start fra                             and back\n"
		"  dig +short @127.0.0.1 -p %u any.gslb.example        weighted: fra half of the time\n"
		"  dig +short @127.0.0.1 -p %u geo.gslb.example +subnet=81.2.69.160/32       a client in Europe: fra\n"
		"  dig +short @127.0.0.1 -p %u geo.gslb.example +subnet=216.160.83.56/32     one in North America: "
		"iad\n"
		"\n"
		"Ctrl-C ends everything. Logs are in build/demo/log.\n",
		ports->dns, ports->api, ports->dns, ports->dns, ports->dns, ports->dns, ports->dns);
	(void)fflush(stdout);
}

int cli_demo_seed(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct demo_ports ports;
	struct veer_diag diag = {""};
	char socket[DEMO_PATH_SIZE], url[DEMO_PATH_SIZE + 8];
	struct args_spec spec = {.usage = "veer demo seed",
				 .summary = "Fills the demonstration; veer demo run calls it."};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	demo_path("/state/api.sock", socket);
	(void)snprintf(url, sizeof url, "unix:%s", socket);
	cli.api = url;
	enum veer_err err = demo_ports_read(&ports, &diag);
	if (err == VEER_OK)
		err = seed_sites(&cli, &ports, &diag);
	if (err == VEER_OK)
		err = seed_policies(&cli, &diag);
	if (err == VEER_OK)
		err = seed_zone(&cli, &diag);
	if (err == VEER_OK) {
		wait_until_up(&cli);
		say_what_to_try(&ports);
	}
	args_deinit(&args);
	return err == VEER_OK ? CLI_OK : cli_fail(&diag);
}
