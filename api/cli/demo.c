/* SPDX-License-Identifier: Apache-2.0 */
/*
 * veer demo run: the whole service and three small sites on this host, filled with example data. All state is below one
 * directory beside this program, and is made anew each time.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "api/cli/cli.h"
#include "api/cli/demo.h"
#include "api/cli/service.h"
#include "base/daemon.h"
#include "base/file.h"

struct running {
	struct daemon daemon;
	struct supervisor *supervisor;
	struct demo_ports ports;
	bool is_ours; /* the directory and the sites are ours, because no other demonstration runs there */
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Does another process hold the lock of the service's directory? */
static bool is_running(void)
{
	char path[DEMO_PATH_SIZE];
	demo_path("/state/run.lock", path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool is_locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	(void)close(fd);
	return is_locked;
}

/* Make the directory empty, and its subdirectories. Refuses when another demonstration runs there. */
static enum veer_err make_clean(struct veer_diag *diag)
{
	char path[DEMO_PATH_SIZE];
	if (is_running())
		return veer_fail(diag, VEER_EBUSY,
				 "the demonstration runs already: end it first (Ctrl-C where it was started)");
	demo_path("", path);
	if (access(path, F_OK) == 0 && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		return veer_fail(diag, VEER_EIO, "%s cannot be removed", path);
	demo_path("/log", path);
	enum veer_err err = file_make_dirs(path, diag);
	if (err != VEER_OK)
		return err;
	demo_path("/state", path);
	return file_make_dirs(path, diag);
}

/* Find the test database of countries in the source tree beside the build; "" when the program is elsewhere. */
static void find_geoip(char out[DEMO_PATH_SIZE])
{
	static const char *const places[] = {"/../../tests/data/mmdb/GeoIP2-City-Test.mmdb",
					     "/../../../tests/data/mmdb/GeoIP2-City-Test.mmdb"};
	char path[DEMO_PATH_SIZE];
	out[0] = '\0';
	for (size_t i = 0; i < 2 && out[0] == '\0'; i++) {
		demo_path(places[i], path);
		char *real = realpath(path, NULL);
		if (real != NULL && strlen(real) < DEMO_PATH_SIZE)
			(void)memcpy(out, real, strlen(real) + 1);
		free(real);
	}
}

static enum veer_err write_config(const struct demo_ports *ports, char path[DEMO_PATH_SIZE], struct veer_diag *diag)
{
	char text[8192], state[DEMO_PATH_SIZE], geoip[DEMO_PATH_SIZE];
	demo_path("/state", state);
	demo_path("/veer.yaml", path);
	find_geoip(geoip);
	int len = snprintf(text, sizeof text,
			   "# The demonstration's configuration: what `veer run` takes.\n"
			   "state: \"%s\"\n"
			   "api:\n"
			   "  listen: [\"127.0.0.1:%u\"]\n"
			   "  resolver: none  # nobody delegates its zone\n"
			   "dnsd:\n"
			   "  listen: [\"127.0.0.1@%u\"]\n"
			   "%s%s%s"
			   "probes:\n"
			   "  - {name: eu-1, region: eu, allow_targets: loopback}\n"
			   "  - {name: us-1, region: us, allow_targets: loopback}\n"
			   "  - {name: ap-1, region: ap, allow_targets: loopback}\n",
			   state, ports->api, ports->dns, geoip[0] != '\0' ? "  geoip: [\"" : "", geoip,
			   geoip[0] != '\0' ? "\"]\n" : "");
	return file_write_atomic(path, text, (size_t)len, 0600, diag);
}

static enum veer_err start_sites(struct veer_diag *diag)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < DEMO_SITES && err == VEER_OK; i++)
		err = demo_site_start(&demo_sites[i], diag);
	return err;
}

static void on_ready(void *ctx)
{
	struct running *r = ctx;
	daemon_ready(&r->daemon, LOG_FIELDS(LOG_STR("program", "veer demo")));
}

/* Add the last step: once everything runs, fill the demonstration and say what to try. */
static enum veer_err add_seed(struct supervisor *supervisor)
{
	static const char *const argv[] = {"/proc/self/exe", "demo", "seed", NULL};
	static const char *const needs[] = {"veer-api",        "veer-dnsd",       "veer-probe-eu-1",
					    "veer-probe-us-1", "veer-probe-ap-1", NULL};
	const struct supervise_spec spec = {.name = "seed", .argv = argv, .is_once = true, .needs = needs};
	return supervisor_add(supervisor, &spec);
}

static enum veer_err set_up(struct running *r, struct service *service, const char *log_dir, struct veer_diag *diag)
{
	char config[DEMO_PATH_SIZE], pid_file[DEMO_PATH_SIZE], pid[32];
	demo_path("/run.pid", pid_file);
	int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	enum veer_err err = make_clean(diag);
	r->is_ours = err == VEER_OK;
	if (err == VEER_OK)
		err = demo_ports_begin(&r->ports, diag);
	if (err == VEER_OK)
		err = file_write_atomic(pid_file, pid, (size_t)len, 0600, diag);
	if (err == VEER_OK)
		err = write_config(&r->ports, config, diag);
	if (err == VEER_OK)
		err = start_sites(diag);
	if (err == VEER_OK)
		err = service_load(config, false, service, diag);
	if (err == VEER_OK) {
		service->log_dir = log_dir;
		err = supervisor_new(r->daemon.loop, r->daemon.log, service->state, &r->supervisor, diag);
	}
	if (err == VEER_OK)
		err = service_add(service, r->supervisor, diag);
	if (err == VEER_OK)
		err = add_seed(r->supervisor);
	return err;
}

int cli_demo_run(int argc, char *argv[], int first)
{
	struct running r = {0};
	struct service service = {0};
	struct veer_diag diag = {""};
	char log_dir[DEMO_PATH_SIZE], pid_file[DEMO_PATH_SIZE];
	const struct args_spec spec = {.usage = "veer demo run",
				       .summary = "Runs the demonstration until Ctrl-C: the service, three agents and "
						  "three small sites on loopback.\n"
						  "$DNS_PORT (5300), $API_PORT (8053) and $SITE_PORT (8080) move it."};
	int code = daemon_init(&r.daemon, "veer", &spec, argc - first + 1, argv + first - 1);
	if (code >= 0)
		return code;
	demo_path("/log", log_dir);
	demo_path("/run.pid", pid_file);
	if (set_up(&r, &service, log_dir, &diag) == VEER_OK) {
		supervisor_start(r.supervisor, on_ready, &r);
		code = daemon_run(&r.daemon, NULL, NULL);
	} else {
		code = daemon_fail(&r.daemon, &diag);
	}
	supervisor_free(&r.supervisor);
	for (size_t i = 0; r.is_ours && i < DEMO_SITES; i++)
		(void)demo_site_stop(&demo_sites[i], &diag);
	if (r.is_ours)
		(void)file_remove(pid_file, NULL);
	service_deinit(&service);
	daemon_deinit(&r.daemon);
	return code;
}
